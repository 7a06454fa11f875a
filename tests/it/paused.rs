//! Paused subscriptions under `ENTGATE_PAUSED_SUBSCRIPTIONS=revoke`.

use entgate::{
    ledger::SourceState,
    policy::GrantRule,
    source::{Error, StripeClient, StripeResponse, fake::FakeStripe},
};
use pollster::block_on;
use serde_json::{Value, json};

use crate::support::{NOW, customer, event, grants, item, service, service_with_stripe_and};

fn list(data: &[Value]) -> StripeResponse {
    let body = json!({ "object": "list", "data": data, "has_more": false });
    StripeResponse { status: 200, body: body.to_string().into_bytes(), ..StripeResponse::default() }
}

/// A subscription to these products.
fn subscription(status: &str, products: &[&str]) -> Value {
    let items: Vec<_> =
        products.iter().map(|product| json!({ "price": { "product": product } })).collect();
    json!({ "id": "sub_1", "status": status, "items": { "data": items, "has_more": false } })
}

/// A subscription that is paused for this reason.
fn paused(reason: &str, products: &[&str]) -> Value {
    let mut paused = subscription("paused", products);
    paused["status_details"] = json!({
        "paused": {
            "subscription": { "type": reason }, "transitioned_at": 1, "type": "subscription",
        },
    });
    paused
}

/// The reason of a pause that keeps the entitlements at Stripe.
const TRIAL_ENDED: &str = "trial_end_without_payment_method";

/// The reasons of the pauses that end the entitlements at Stripe, and one that does not exist yet.
const ENDING_REASONS: [&str; 5] =
    ["pause_requested", "first_payment_failure", "final_payment_failure", "system", "new_reason"];

/// Reads the list `a`, `b`, `c` of a customer with these subscriptions. The product `prod_a` has the
/// feature `a`, `prod_ab` has both, and so on. Returns the remaining keys and the requests.
fn remaining_keys(rule: GrantRule, subscriptions: &[Value]) -> (Vec<String>, Vec<String>) {
    let stripe = StripeClient::new(FakeStripe::default()).with_paused_rule(rule);
    let fake = stripe.transport();
    fake.set_entitlements("cus_ada", grants(&["a", "b", "c"]));
    fake.set_subscriptions("cus_ada", subscriptions.to_vec());
    for (product, keys) in [("prod_a", &["a"][..]), ("prod_ab", &["a", "b"]), ("prod_b", &["b"])] {
        fake.set_product_features(product, keys);
    }
    let Ok(SourceState::List(list)) = block_on(stripe.list_entitlements(&customer("cus_ada").id))
    else {
        panic!("no list");
    };
    let keys = list.iter().map(|entitlement| entitlement.lookup_key.to_string()).collect();
    (keys, fake.requests())
}

#[test]
fn a_feature_that_only_trials_grant_that_ended_paused_is_removed() {
    let truncated = json!({
        "id": "sub_1", "status": "active",
        "items": { "data": [{ "price": { "product": "prod_b" } }], "has_more": true },
    });
    for (why, subscriptions, expected) in [
        ("no subscription", vec![], "abc"),
        ("no paused subscription", vec![subscription("active", &["prod_a"])], "abc"),
        ("the only subscription is paused", vec![subscription("paused", &["prod_a"])], "bc"),
        (
            "two products of a paused subscription",
            vec![subscription("paused", &["prod_a", "prod_b"])],
            "c",
        ),
        (
            "another subscription grants the feature by another product",
            vec![subscription("paused", &["prod_ab"]), subscription("trialing", &["prod_a"])],
            "ac",
        ),
        (
            "another subscription has the same product",
            vec![subscription("paused", &["prod_a"]), subscription("past_due", &["prod_a"])],
            "abc",
        ),
        (
            "a canceled subscription grants nothing",
            vec![subscription("paused", &["prod_a"]), subscription("canceled", &["prod_a"])],
            "bc",
        ),
        (
            "a truncated list of items may grant anything",
            vec![subscription("paused", &["prod_b"]), truncated],
            "abc",
        ),
        ("the details of a trial's end", vec![paused(TRIAL_ENDED, &["prod_a"])], "bc"),
        (
            "a trial's end, and a requested pause, which does not grant",
            vec![paused(TRIAL_ENDED, &["prod_a"]), paused("pause_requested", &["prod_a"])],
            "bc",
        ),
        (
            "an unknown status grants",
            vec![subscription("paused", &["prod_a"]), subscription("dormant", &["prod_a"])],
            "abc",
        ),
    ] {
        let (keys, _) = remaining_keys(GrantRule::Revoke, &subscriptions);
        assert_eq!(keys.concat(), expected, "{why}");
    }
}

#[test]
fn stripe_itself_decides_about_every_pause_but_the_end_of_a_trial() {
    for reason in ENDING_REASONS {
        for rule in [GrantRule::Keep, GrantRule::Revoke] {
            let (keys, requests) = remaining_keys(rule, &[paused(reason, &["prod_a"])]);
            // Another subscription grants `a`: the list would not have it otherwise.
            assert_eq!(keys.concat(), "abc", "{reason}, {rule:?}");
            let reads_products = requests.iter().any(|target| target.contains("/products/"));
            assert!(!reads_products, "{reason}, {rule:?}");
        }
    }
}

#[test]
fn details_without_a_reason_are_those_of_a_trial() {
    for details in [
        json!(null),
        json!({}),
        json!({ "paused": null }),
        json!({ "paused": { "type": "subscription", "subscription": null } }),
    ] {
        let mut subscription = subscription("paused", &["prod_a"]);
        subscription["status_details"] = details;
        let (keys, _) = remaining_keys(GrantRule::Revoke, &[subscription.clone()]);
        assert_eq!(keys.concat(), "bc", "{subscription}");
    }
}

#[test]
fn by_default_subscriptions_are_not_read() {
    let (keys, requests) = remaining_keys(GrantRule::Keep, &[subscription("paused", &["prod_a"])]);
    assert_eq!((keys.concat().as_str(), requests.len()), ("abc", 1));
}

#[test]
fn the_customers_subscriptions_and_each_product_are_read_once() {
    let subscriptions =
        [subscription("paused", &["prod_a"]), subscription("active", &["prod_a", "prod_b"])];
    let (_, requests) = remaining_keys(GrantRule::Revoke, &subscriptions);
    assert_eq!(
        requests[1..],
        [
            "/v1/subscriptions?customer=cus%5Fada&status=all&limit=100",
            "/v1/products/prod%5Fa/features?limit=100",
            "/v1/products/prod%5Fb/features?limit=100",
        ]
    );
}

#[test]
fn a_key_without_permission_for_subscriptions_is_an_error() {
    let stripe = StripeClient::new(FakeStripe::default()).with_paused_rule(GrantRule::Revoke);
    stripe.transport().queue_response(Ok(list(&[item("a")])));
    stripe
        .transport()
        .queue_response(Ok(StripeResponse { status: 403, ..StripeResponse::default() }));
    let result = block_on(stripe.list_entitlements(&customer("cus_ada").id));
    assert_eq!(result, Err(Error::KeyRejected { status: 403, permission: None }));
}

#[test]
fn a_product_whose_id_would_change_the_path_is_an_error_and_is_not_requested() {
    for id in [".", ".."] {
        let stripe = StripeClient::new(FakeStripe::default()).with_paused_rule(GrantRule::Revoke);
        stripe.transport().queue_response(Ok(list(&[item("a")])));
        stripe.transport().queue_response(Ok(list(&[subscription("paused", &[id])])));
        let result = block_on(stripe.list_entitlements(&customer("cus_ada").id));
        assert_eq!(result, Err(Error::Malformed(format!("a product has the id `{id}`"))));
        assert_eq!(stripe.transport().requests().len(), 2, "{id}");
    }
}

#[test]
fn an_event_starts_a_read_and_its_entitlements_are_not_used() {
    let paused = |kind: &str| {
        json!({
            "id": format!("evt_{kind}"), "object": "event", "type": kind, "created": 9,
            "livemode": false,
            "data": { "object": { "id": "sub_1", "object": "subscription", "customer": "cus_ada" } },
        })
    };
    let service = service_with_stripe_and(&[("ENTGATE_PAUSED_SUBSCRIPTIONS", "revoke")]);
    service.stripe().set_entitlements("cus_ada", grants(&["b"]));
    let answer = service.stripe_sends(&event("cus_ada", 1, &["a"], false));
    assert_eq!((answer.status, &answer.body["outcome"]), (200, &json!("deferred")));
    for kind in ["paused", "resumed", "updated"] {
        let answer = service.stripe_sends(&paused(&format!("customer.subscription.{kind}")));
        assert_eq!((answer.status, &answer.body["outcome"]), (200, &json!("deferred")), "{kind}");
    }
    assert!(service.check("cus_ada", "b").0, "the list of Stripe grants it");
    assert!(!service.check("cus_ada", "a").0, "the event does not grant it");
    let deleted = service.stripe_sends(&json!({
        "id": "evt_gone", "object": "event", "type": "customer.deleted", "created": NOW.0 + 300,
        "livemode": false, "data": { "object": { "id": "cus_ada", "object": "customer" } },
    }));
    assert_eq!(deleted.body["outcome"], "applied", "a deletion needs no read");
}

fn kinds(events: &[Value]) -> Vec<&Value> {
    events.iter().map(|event| &event["type"]).collect()
}

/// All orders of these events.
fn orders(events: &[Value]) -> Vec<Vec<Value>> {
    if events.is_empty() {
        return vec![Vec::new()];
    }
    let first = |index: usize| {
        let mut rest = events.to_vec();
        let event = rest.remove(index);
        orders(&rest).into_iter().map(move |rest| [vec![event.clone()], rest].concat())
    };
    (0..events.len()).flat_map(first).collect()
}

/// The events of one change of Ada's subscription at Stripe. With `summary`, the features changed too.
fn events_of(
    verb: &str,
    created: i64,
    subscription: &Value,
    summary: Option<&[&str]>,
) -> Vec<Value> {
    let mut object = subscription.clone();
    object["object"] = json!("subscription");
    object["customer"] = json!("cus_ada");
    let change = |verb: &str| {
        json!({
            "id": format!("evt_{verb}_{created}"), "object": "event",
            "type": format!("customer.subscription.{verb}"), "created": created,
            "livemode": false, "data": { "object": object },
        })
    };
    let mut events = vec![change(verb), change("updated")];
    events.extend(summary.map(|keys| event("cus_ada", created, keys, false)));
    events
}

#[test]
fn each_pause_and_resume_ends_with_stripes_set_in_every_order_of_its_events() {
    let reasons = ENDING_REASONS.map(|reason| (Some(reason), &["b"][..]));
    let trials = [(Some(TRIAL_ENDED), &["a", "b"][..]), (None, &["a", "b"])];
    for rule in ["keep", "revoke"] {
        for (reason, list) in reasons.into_iter().chain(trials) {
            let is_trial = list.len() == 2;
            let active = subscription("active", &["prod_a"]);
            let pause = match reason {
                Some(reason) => paused(reason, &["prod_a"]),
                None => subscription("paused", &["prod_a"]),
            };
            let summary = |keys| (!is_trial).then_some(keys);
            let pauses = orders(&events_of("paused", 20, &pause, summary(&["b"][..])));
            let resumes = orders(&events_of("resumed", 30, &active, summary(&["a", "b"])));
            for (pausing, resuming) in pauses.iter().zip(&resumes) {
                let why = format!("{rule}, {reason:?}, {:?}", kinds(pausing));
                let service = service_with_stripe_and(&[("ENTGATE_PAUSED_SUBSCRIPTIONS", rule)]);
                let stripe = service.stripe();
                stripe.set_product_features("prod_a", &["a"]);
                stripe.set_entitlements("cus_ada", grants(&["a", "b"]));
                stripe.set_subscriptions("cus_ada", vec![active.clone()]);
                service.stripe_sends(&event("cus_ada", 10, &["a", "b"], false));
                assert!(service.check("cus_ada", "a").0, "before, {why}");

                stripe.set_entitlements("cus_ada", grants(list));
                stripe.set_subscriptions("cus_ada", vec![pause.clone()]);
                for event in pausing {
                    let outcome = &service.stripe_sends(event).body["outcome"];
                    let is_summary = event["type"] != json!("customer.subscription.paused")
                        && event["type"] != json!("customer.subscription.updated");
                    let expected = match (rule, is_summary) {
                        ("revoke", _) => "deferred",
                        (_, true) => "applied",
                        (_, false) => "ignored",
                    };
                    assert_eq!(outcome, expected, "{why}");
                }
                // The ledgers in memory read only on request.
                let read = || {
                    if rule == "revoke" {
                        let read = service.post_json("/v1/customers/cus_ada/sync", &json!({}));
                        assert_eq!(read.status, 200, "{why}");
                        service.store.replicate();
                    }
                };
                read();
                let is_granted = is_trial && rule == "keep";
                assert_eq!(service.check("cus_ada", "a").0, is_granted, "paused, {why}");
                assert!(service.check("cus_ada", "b").0, "another feature, {why}");

                stripe.set_entitlements("cus_ada", grants(&["a", "b"]));
                stripe.set_subscriptions("cus_ada", vec![active.clone()]);
                for event in resuming {
                    service.stripe_sends(event);
                }
                read();
                assert!(service.check("cus_ada", "a").0, "resumed, {why}");
            }
        }
    }
}

#[test]
fn by_default_an_event_of_a_subscription_is_ignored() {
    let service = service();
    let answer = service.stripe_sends(&json!({
        "id": "evt_1", "object": "event", "type": "customer.subscription.paused", "created": 1,
        "livemode": false, "data": { "object": { "customer": "cus_ada" } },
    }));
    assert_eq!((answer.status, &answer.body["outcome"]), (200, &json!("ignored")));
}
