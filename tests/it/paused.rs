//! What only paused subscriptions grant, where that is not to count.

use entgate::{
    ledger::SourceState,
    policy::GrantRule,
    source::{Error, StripeClient, StripeResponse, fake::FakeStripe},
};
use pollster::block_on;
use serde_json::{Value, json};

use crate::support::{customer, event, grants, item, service, service_with_stripe_and};

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

/// What is left of `a`, `b` and `c` under these subscriptions, where the product `prod_a` has `a`,
/// `prod_ab` both, and so on; and what was asked.
fn left(paused: GrantRule, subscriptions: &[Value]) -> (Vec<String>, Vec<String>) {
    let stripe = StripeClient::new(FakeStripe::default()).with_paused_rule(paused);
    let memory = stripe.transport();
    memory.queue_response(Ok(list(&["a", "b", "c"].map(item))));
    memory.queue_response(Ok(list(subscriptions)));
    // Products are asked for in the order of their ids.
    for product in ["a", "ab", "b"] {
        let asked = subscriptions.iter().any(|subscription| {
            subscription["items"].to_string().contains(&format!("\"prod_{product}\""))
                && !["canceled", "incomplete", "incomplete_expired"]
                    .contains(&subscription["status"].as_str().unwrap())
        });
        let features: Vec<_> = product
            .chars()
            .map(|key| json!({ "id": "prodft_1", "entitlement_feature": { "id": format!("feat_test_{key}") } }))
            .collect();
        if asked {
            memory.queue_response(Ok(list(&features)));
        }
    }
    let Ok(SourceState::List(list)) = block_on(stripe.list_entitlements(&customer("cus_ada").id))
    else {
        panic!("not told");
    };
    let keys = list.iter().map(|granted| granted.lookup_key.to_string()).collect();
    (keys, memory.requests())
}

#[test]
fn a_feature_that_only_paused_subscriptions_grant_is_taken_away() {
    let more = json!({
        "id": "sub_1", "status": "active",
        "items": { "data": [{ "price": { "product": "prod_b" } }], "has_more": true },
    });
    for (why, subscriptions, expected) in [
        ("no subscription at all", vec![], "abc"),
        ("none is paused", vec![subscription("active", &["prod_a"])], "abc"),
        ("the only one is paused", vec![subscription("paused", &["prod_a"])], "bc"),
        ("two products of it", vec![subscription("paused", &["prod_a", "prod_b"])], "c"),
        (
            "another one grants the same by another product",
            vec![subscription("paused", &["prod_ab"]), subscription("trialing", &["prod_a"])],
            "ac",
        ),
        (
            "another one has the same product",
            vec![subscription("paused", &["prod_a"]), subscription("past_due", &["prod_a"])],
            "abc",
        ),
        (
            "one that is over grants nothing",
            vec![subscription("paused", &["prod_a"]), subscription("canceled", &["prod_a"])],
            "bc",
        ),
        ("not all items are told", vec![subscription("paused", &["prod_b"]), more], "abc"),
        (
            "a status of tomorrow",
            vec![subscription("paused", &["prod_a"]), subscription("dormant", &["prod_a"])],
            "abc",
        ),
    ] {
        let (keys, _) = left(GrantRule::Revoke, &subscriptions);
        assert_eq!(keys.concat(), expected, "{why}");
    }
}

#[test]
fn by_default_subscriptions_are_not_looked_at() {
    let (keys, asked) = left(GrantRule::Keep, &[subscription("paused", &["prod_a"])]);
    assert_eq!((keys.concat().as_str(), asked.len()), ("abc", 1));
}

#[test]
fn what_is_asked_is_the_customers_subscriptions_and_each_product_once() {
    let subscriptions =
        [subscription("paused", &["prod_a"]), subscription("active", &["prod_a", "prod_b"])];
    let (_, asked) = left(GrantRule::Revoke, &subscriptions);
    assert_eq!(
        asked[1..],
        [
            "/v1/subscriptions?customer=cus%5Fada&status=all&limit=100",
            "/v1/products/prod%5Fa/features?limit=100",
            "/v1/products/prod%5Fb/features?limit=100",
        ]
    );
}

#[test]
fn a_key_that_may_not_read_subscriptions_leaves_the_set_alone() {
    let stripe = StripeClient::new(FakeStripe::default()).with_paused_rule(GrantRule::Revoke);
    stripe.transport().queue_response(Ok(list(&[item("a")])));
    stripe
        .transport()
        .queue_response(Ok(StripeResponse { status: 403, ..StripeResponse::default() }));
    let told = block_on(stripe.list_entitlements(&customer("cus_ada").id));
    assert_eq!(told, Err(Error::KeyRejected { status: 403 }));
}

#[test]
fn an_event_starts_a_read_and_says_nothing_of_what_is_held() {
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
    assert!(service.check("cus_ada", "b").0, "as Stripe's list says");
    assert!(!service.check("cus_ada", "a").0, "whatever the event said");
    let gone = service.stripe_sends(&json!({
        "id": "evt_gone", "object": "event", "type": "customer.deleted", "created": i64::from(u32::MAX),
        "livemode": false, "data": { "object": { "id": "cus_ada", "object": "customer" } },
    }));
    assert_eq!(gone.body["outcome"], "applied", "nothing is left to be read");
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
