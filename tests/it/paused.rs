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

/// Reads the list `a`, `b`, `c` of a customer with these subscriptions. The product `prod_a` has the
/// feature `a`, `prod_ab` has both, and so on. Returns the remaining keys and the requests.
fn remaining_keys(paused: GrantRule, subscriptions: &[Value]) -> (Vec<String>, Vec<String>) {
    let stripe = StripeClient::new(FakeStripe::default()).with_paused_rule(paused);
    let fake = stripe.transport();
    fake.queue_response(Ok(list(&["a", "b", "c"].map(item))));
    fake.queue_response(Ok(list(subscriptions)));
    // The features of products are requested in the order of the products' ids.
    for product in ["a", "ab", "b"] {
        let is_requested = subscriptions.iter().any(|subscription| {
            subscription["items"].to_string().contains(&format!("\"prod_{product}\""))
                && !["canceled", "incomplete", "incomplete_expired"]
                    .contains(&subscription["status"].as_str().unwrap())
        });
        let features: Vec<_> = product
            .chars()
            .map(|key| json!({ "id": "prodft_1", "entitlement_feature": { "id": format!("feat_test_{key}") } }))
            .collect();
        if is_requested {
            fake.queue_response(Ok(list(&features)));
        }
    }
    let Ok(SourceState::List(list)) = block_on(stripe.list_entitlements(&customer("cus_ada").id))
    else {
        panic!("no list");
    };
    let keys = list.iter().map(|entitlement| entitlement.lookup_key.to_string()).collect();
    (keys, fake.requests())
}

#[test]
fn a_feature_that_only_paused_subscriptions_grant_is_removed() {
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
    assert_eq!(result, Err(Error::KeyRejected { status: 403 }));
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

#[test]
fn by_default_an_event_of_a_subscription_is_ignored() {
    let service = service();
    let answer = service.stripe_sends(&json!({
        "id": "evt_1", "object": "event", "type": "customer.subscription.paused", "created": 1,
        "livemode": false, "data": { "object": { "customer": "cus_ada" } },
    }));
    assert_eq!((answer.status, &answer.body["outcome"]), (200, &json!("ignored")));
}
