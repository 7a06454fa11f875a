//! `GET /v1/explain`: the answer of a check, and all that contributes to it.

use std::rc::Rc;

use entgate::{
    api::BoundCaller,
    id::{Livemode, Timestamp},
    source::{StripeClient, StripeResponse, fake::FakeStripe},
    store::memory::Fault,
};
use serde_json::{Value, json};

use crate::support::{
    Answer, NOW, SECRET, Service, configured, draw_distinct_numbers, event, grants,
    service_with_stripe, service_with_stripe_and,
};

const TARGET: &str = "/v1/explain?customer=cus_ada&feature=sms";

/// A customer of Stripe who is entitled to `sms`, and whose replica is written.
fn with_ada(settings: &[(&str, &str)]) -> Service {
    draw_distinct_numbers();
    let service = if settings.contains(&("ENTGATE_SOURCE", "catalog")) {
        with_fake_catalog(settings)
    } else {
        service_with_stripe_and(settings)
    };
    service.stripe().set_features(&["sms", "fax"]);
    service.stripe().set_entitlements("cus_ada", grants(&["sms"]));
    service.stripe_sends(&event("cus_ada", 1_700_000_000, &["sms"], false));
    service
}

/// A deployment whose catalog is a fake Stripe: both are read over the same API.
fn with_fake_catalog(settings: &[(&str, &str)]) -> Service {
    let keys = [("ENTGATE_API_KEYS", "sk_test_entgate"), ("STRIPE_WEBHOOK_SECRETS", SECRET)];
    let mut service = configured(&[&keys, settings].concat());
    let fake = FakeStripe::default();
    fake.set_clock(NOW.into());
    service.store.ledger.source = Some(Rc::new(StripeClient::new(fake)));
    service
}

#[track_caller]
fn explain(service: &Service, target: &str) -> Value {
    let answer = service.get(target);
    assert_eq!(answer.status, 200, "{target}: {}", answer.body);
    answer.body
}

#[track_caller]
fn contributions<'a>(explanation: &'a Value, kind: &str) -> Vec<&'a Value> {
    let all = explanation["contributions"].as_array().unwrap();
    all.iter().filter(|contribution| contribution["type"] == kind).collect()
}

fn kinds(explanation: &Value) -> Vec<&str> {
    let all = explanation["contributions"].as_array().unwrap();
    all.iter().map(|contribution| contribution["type"].as_str().unwrap()).collect()
}

#[track_caller]
fn create_override(service: &Service, form: &str) -> Value {
    let headers = [("authorization", "Bearer sk_test_entgate")];
    let target = "/v1/customers/cus_ada/overrides";
    let answer = service.request("POST", target, &headers, form.as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body
}

/// A subscription with one item, as Stripe's object.
fn subscription(id: &str, product: &str, status: &str) -> Value {
    json!({
        "id": id,
        "status": status,
        "items": { "data": [{ "price": { "product": product } }], "has_more": false },
    })
}

fn product(id: &str, active: bool) -> Value {
    json!({ "id": id, "name": format!("Product {id}"), "active": active })
}

#[test]
fn a_granted_feature_is_explained_by_the_source_and_its_subscription() {
    let service = with_ada(&[]);
    let stripe = service.stripe();
    stripe.set_subscriptions("cus_ada", vec![subscription("sub_1", "prod_1", "active")]);
    stripe.set_products(vec![product("prod_1", true), product("prod_2", true)]);
    stripe.set_product_features("prod_1", &["sms"]);
    stripe.set_product_features("prod_2", &["fax"]);
    let explanation = explain(&service, TARGET);
    let check = service.get("/v1/check?customer=cus_ada&feature=sms&fresh=true").body;
    let cause =
        json!({ "type": "event", "id": explanation["last_change"]["cause"]["id"], "actor": null });
    let confirmed_at = &explanation["contributions"][0]["confirmed_at"];
    assert_eq!(
        explanation,
        json!({
            "object": "explanation",
            "customer": "cus_ada",
            "livemode": false,
            "feature": "sms",
            "at": NOW,
            "entitled": check["entitled"],
            "reason": check["reason"],
            "version": check["version"],
            "as_of": check["as_of"],
            "strict": false,
            "last_change": { "version": 1, "created": NOW, "cause": cause },
            "contributions": [
                {
                    "type": "source_set",
                    "effect": "grants",
                    "source": "stripe",
                    "completeness": "complete",
                    "active_entitlement": "ent_test_sms",
                    "confirmed_at": confirmed_at,
                    "since": NOW,
                    "cause": cause,
                },
                {
                    "type": "subscription",
                    "effect": "grants",
                    "subscription": "sub_1",
                    "product": "prod_1",
                    "status": "active",
                    "setting": null,
                },
                {
                    "type": "product",
                    "effect": "none",
                    "product": "prod_1",
                    "name": "Product prod_1",
                    "subscribed": true,
                },
                { "type": "default_feature", "effect": "none", "setting": null, "known": true },
                {
                    "type": "replica",
                    "effect": "none",
                    "state": "current",
                    "version": 1,
                    "entitled": true,
                    "as_of": check["as_of"],
                },
            ],
        })
    );
    assert_eq!(
        (&check["entitled"], &check["reason"]),
        (&json!(true), &json!("active_entitlement"))
    );
}

#[test]
fn each_reason_is_that_of_a_check() {
    for (why, settings, form, feature, entitled, reason) in [
        ("the source", &[][..], "", "sms", true, "active_entitlement"),
        ("not granted", &[], "", "fax", false, "not_entitled"),
        (
            "a denial",
            &[],
            "feature=sms&effect=deny&reason=Fraud",
            "sms",
            false,
            "denied_by_override",
        ),
        ("a grant", &[], "feature=fax&effect=grant&reason=Trial", "fax", true, "override"),
        ("a default", &[("ENTGATE_DEFAULT_FEATURES", "fax")], "", "fax", true, "default_feature"),
    ] {
        let service = with_ada(settings);
        if !form.is_empty() {
            create_override(&service, form);
        }
        let target = format!("/v1/explain?customer=cus_ada&feature={feature}");
        let explanation = explain(&service, &target);
        let answer = json!([explanation["entitled"], explanation["reason"]]);
        assert_eq!(answer, json!([entitled, reason]), "{why}");
        let check =
            service.get(&format!("/v1/check?customer=cus_ada&feature={feature}&fresh=true")).body;
        let answer = json!([check["entitled"], check["reason"]]);
        assert_eq!(answer, json!([entitled, reason]), "{why}");
        assert_eq!(explanation["version"], check["version"], "{why}");
    }
}

#[test]
fn a_feature_that_the_source_does_not_list_is_unknown() {
    let service = with_ada(&[]);
    let explanation = explain(&service, "/v1/explain?customer=cus_ada&feature=smss");
    let answer = json!([explanation["entitled"], explanation["reason"]]);
    assert_eq!(answer, json!([false, "unknown_feature"]));

    // Without a list of features, a feature may exist.
    let service = crate::support::service();
    service.stripe_sends(&event("cus_ada", 1_700_000_000, &["sms"], false));
    let explanation = explain(&service, "/v1/explain?customer=cus_ada&feature=smss");
    assert_eq!(explanation["reason"], "not_entitled");
}

#[test]
fn a_customer_without_any_data_is_explained() {
    for (settings, entitled, reason) in [
        (&[][..], json!(false), json!("unknown_customer")),
        (&[("ENTGATE_UNKNOWN_CUSTOMERS", "")][..], json!(null), json!(null)),
    ] {
        let service = configured(&[&[("ENTGATE_API_KEYS", "sk_test_entgate")], settings].concat());
        let explanation = explain(&service, TARGET);
        let answer = [&explanation["entitled"], &explanation["reason"]];
        assert_eq!(answer, [&entitled, &reason]);
        assert_eq!(json!([explanation["version"], explanation["as_of"]]), json!([0, null]));
        let source = contributions(&explanation, "source_set")[0];
        assert_eq!(
            json!([source["effect"], source["completeness"], source["since"], source["cause"]]),
            json!(["none", "unknown", null, null])
        );
        assert_eq!(contributions(&explanation, "replica")[0]["state"], "absent");
    }
}

#[test]
fn overrides_of_the_feature_are_listed_with_their_effect() {
    let service = with_ada(&[]);
    let later = NOW.0 + 100;
    let scheduled = create_override(
        &service,
        &format!("feature=sms&effect=deny&reason=Later&starts_at={later}"),
    );
    let denied = create_override(&service, "feature=sms&effect=deny&reason=Fraud");
    create_override(&service, "feature=fax&effect=grant&reason=Trial");
    let explanation = explain(&service, TARGET);
    let overrides = contributions(&explanation, "override");
    let ids: Vec<_> = overrides.iter().map(|it| (&it["override"]["id"], &it["effect"])).collect();
    let expected = [(&denied["id"], &json!("denies")), (&scheduled["id"], &json!("none"))];
    assert_eq!(ids, expected);
    assert_eq!(overrides[0]["override"], denied);
    assert_eq!(explanation["last_change"]["cause"]["id"], denied["id"]);
    assert_eq!(explanation["last_change"]["cause"]["actor"], "sk_test_****");
    assert_eq!(
        kinds(&explanation),
        ["source_set", "override", "override", "default_feature", "replica"]
    );
}

#[test]
fn a_status_that_a_setting_decides_names_the_setting() {
    let paused = "ENTGATE_PAUSED_SUBSCRIPTIONS";
    let (past_due, unpaid) = ("ENTGATE_PAST_DUE_SUBSCRIPTIONS", "ENTGATE_UNPAID_SUBSCRIPTIONS");
    let setting = |name, value| json!({ "name": name, "value": value });
    let catalog = ("ENTGATE_SOURCE", "catalog");
    for (status, reason, settings, effect, expected) in [
        ("active", "", &[][..], "grants", json!(null)),
        ("trialing", "", &[], "grants", json!(null)),
        ("past_due", "", &[], "grants", json!(null)),
        ("canceled", "", &[], "none", json!(null)),
        ("incomplete", "", &[], "none", json!(null)),
        ("incomplete_expired", "", &[], "none", json!(null)),
        ("paused", "", &[], "grants", setting(paused, "keep")),
        ("paused", "", &[(paused, "revoke")], "none", setting(paused, "revoke")),
        ("paused", "pause_requested", &[], "none", json!(null)),
        ("past_due", "", &[catalog], "grants", setting(past_due, "keep")),
        ("past_due", "", &[catalog, (past_due, "revoke")], "none", setting(past_due, "revoke")),
        ("unpaid", "", &[catalog], "none", setting(unpaid, "revoke")),
        ("unpaid", "", &[catalog, (unpaid, "keep")], "grants", setting(unpaid, "keep")),
        ("paused", "", &[catalog], "grants", setting(paused, "keep")),
        ("paused", "first_payment_failure", &[catalog], "none", json!(null)),
    ] {
        let service = with_ada(settings);
        let mut subscription = subscription("sub_1", "prod_1", status);
        if !reason.is_empty() {
            subscription["status_details"] =
                json!({ "paused": { "subscription": { "type": reason } } });
        }
        // Another subscription grants the feature, so that the source does.
        let other = self::subscription("sub_2", "prod_1", "active");
        service.stripe().set_subscriptions("cus_ada", vec![subscription, other]);
        service.stripe().set_product_features("prod_1", &["sms"]);
        let explanation = explain(&service, TARGET);
        let found = contributions(&explanation, "subscription")[0];
        let why = format!("{status} {reason} {settings:?}");
        assert_eq!(
            json!([found["subscription"], found["status"]]),
            json!(["sub_1", status]),
            "{why}"
        );
        assert_eq!((&found["effect"], &found["setting"]), (&json!(effect), &expected), "{why}");
    }
}

#[test]
fn a_subscription_whose_feature_is_not_granted_yet_has_no_effect() {
    let service = with_ada(&[]);
    service.stripe().set_subscriptions("cus_ada", vec![subscription("sub_1", "prod_1", "active")]);
    service.stripe().set_product_features("prod_1", &["sms", "fax"]);
    let explanation = explain(&service, "/v1/explain?customer=cus_ada&feature=fax");
    assert_eq!(explanation["entitled"], false);
    assert_eq!(contributions(&explanation, "subscription")[0]["effect"], "none");
}

#[test]
fn at_most_ten_requests_are_sent_and_a_gap_is_said() {
    let service = with_ada(&[]);
    let stripe = service.stripe();
    let all: Vec<_> = (0..8).map(|index| format!("prod_{index}")).collect();
    for id in &all {
        stripe.set_product_features(id, &["sms"]);
    }
    let had = subscription("sub_old", "prod_7", "canceled");
    let has = subscription("sub_new", "prod_6", "active");
    stripe.set_subscriptions("cus_ada", vec![had, has]);
    stripe.set_products(all.iter().map(|id| product(id, true)).collect());
    let before = stripe.requests().len();
    let explanation = explain(&service, TARGET);
    assert_eq!(stripe.requests().len() - before, 10);
    assert_eq!(contributions(&explanation, "subscriptions_unavailable").len(), 0);
    let products: Vec<_> = contributions(&explanation, "product")
        .into_iter()
        .map(|it| (it["product"].as_str().unwrap(), it["subscribed"].as_bool().unwrap()))
        .collect();
    // First what the customer has, then what the customer had.
    assert_eq!(products[..3], [("prod_6", true), ("prod_7", false), ("prod_0", false)]);
    assert_eq!(products.len(), 8);

    stripe.set_products((0..9).map(|index| product(&format!("prod_{index}"), true)).collect());
    let before = stripe.requests().len();
    let explanation = explain(&service, TARGET);
    assert_eq!(stripe.requests().len() - before, 10);
    assert_eq!(
        contributions(&explanation, "subscriptions_unavailable"),
        [&json!({
            "type": "subscriptions_unavailable",
            "effect": "none",
            "message": "the features of 8 of 9 products were read",
        })]
    );
    assert_eq!(contributions(&explanation, "product").len(), 8);
}

#[test]
fn a_product_that_is_not_for_sale_is_listed_only_for_its_subscribers() {
    let service = with_ada(&[]);
    service.stripe().set_subscriptions("cus_ada", vec![subscription("sub_1", "prod_1", "active")]);
    service.stripe().set_products(vec![product("prod_1", false), product("prod_2", false)]);
    service.stripe().set_product_features("prod_1", &["sms"]);
    service.stripe().set_product_features("prod_2", &["sms"]);
    let explanation = explain(&service, TARGET);
    let products: Vec<_> = contributions(&explanation, "product")
        .into_iter()
        .map(|it| it["product"].clone())
        .collect();
    assert_eq!(products, [json!("prod_1")]);
}

#[test]
fn a_source_that_cannot_be_read_is_said_and_fails_nothing() {
    let forbidden = json!({ "error": {
        "type": "invalid_request_error",
        "message": "The provided key 'rk_test_***' does not have the required permissions for this endpoint. Having the 'rak_subscription_read' permission would allow this request to continue.",
    }});
    let response = |status, body: &Value| {
        Ok(StripeResponse {
            status,
            body: body.to_string().into_bytes(),
            ..StripeResponse::default()
        })
    };
    for (response, message) in [
        (
            response(403, &forbidden),
            "Stripe rejected STRIPE_API_KEY with status 403: it lacks the permission rak_subscription_read",
        ),
        (response(429, &json!({})), "failed to read from Stripe: status 429"),
        (response(500, &json!({})), "failed to read from Stripe: status 500"),
        (Err("connection refused".to_owned()), "failed to read from Stripe: connection refused"),
    ] {
        let service = with_ada(&[]);
        service.stripe().set_products(vec![product("prod_1", true)]);
        service.stripe().set_product_features("prod_1", &["sms"]);
        // The set is known, so that the first request is that for the subscriptions.
        service.stripe().queue_response(response);
        let explanation = explain(&service, TARGET);
        assert_eq!(explanation["reason"], "active_entitlement", "{message}");
        assert_eq!(contributions(&explanation, "product").len(), 1, "{message}");
        assert_eq!(contributions(&explanation, "subscriptions_unavailable")[0]["message"], message);
        assert_eq!(service.stripe().sleeps(), [] as [u64; 0], "no request is repeated");
    }
}

#[test]
fn without_a_key_for_stripe_the_subscriptions_are_unavailable() {
    let service = crate::support::service();
    service.stripe_sends(&event("cus_ada", 1_700_000_000, &["sms"], false));
    let explanation = explain(&service, TARGET);
    assert_eq!(explanation["entitled"], true);
    assert_eq!(
        kinds(&explanation),
        ["source_set", "subscriptions_unavailable", "default_feature", "replica"]
    );
    assert_eq!(
        contributions(&explanation, "subscriptions_unavailable")[0]["message"],
        "Which subscriptions include a feature is read from Stripe, and this deployment has no key of test mode for it: set STRIPE_API_KEY."
    );
}

#[test]
fn a_replica_that_lags_or_fails_is_said() {
    let service = with_ada(&[]);
    let state =
        |service: &Service| contributions(&explain(service, TARGET), "replica")[0]["state"].clone();
    assert_eq!(state(&service), "current");
    // The replica is not written before the test says so.
    create_override(&service, "feature=sms&effect=deny&reason=Fraud");
    let explanation = explain(&service, TARGET);
    let replica = contributions(&explanation, "replica")[0];
    let expected = json!(["behind", explanation["version"].as_u64().unwrap() - 1, true]);
    assert_eq!(json!([replica["state"], replica["version"], replica["entitled"]]), expected);
    service.store.replicate();
    let explanation = explain(&service, TARGET);
    let replica = contributions(&explanation, "replica")[0];
    assert_eq!(json!([replica["state"], replica["entitled"]]), json!(["current", false]));

    service.store.replica.fail_next(Fault::Before);
    let explanation = explain(&service, TARGET);
    assert_eq!(
        contributions(&explanation, "replica"),
        [&json!({
            "type": "replica", "effect": "none", "state": "unavailable", "version": null,
            "entitled": null, "as_of": null,
        })]
    );
}

#[test]
fn the_strict_and_the_default_features_are_said() {
    let settings = [("ENTGATE_STRICT_FEATURES", "sms"), ("ENTGATE_DEFAULT_FEATURES", "fax")];
    let service = with_ada(&settings);
    let sms = explain(&service, TARGET);
    let fax = explain(&service, "/v1/explain?customer=cus_ada&feature=fax");
    assert_eq!(json!([sms["strict"], fax["strict"]]), json!([true, false]));
    let default = |explanation| contributions(explanation, "default_feature")[0].clone();
    let none =
        json!({ "type": "default_feature", "effect": "none", "setting": null, "known": true });
    assert_eq!(default(&sms), none);
    let granted = json!({
        "type": "default_feature", "effect": "grants", "setting": "ENTGATE_DEFAULT_FEATURES",
        "known": true,
    });
    assert_eq!(default(&fax), granted);
}

#[test]
fn a_past_answer_is_explained_by_the_history_alone() {
    let mut service = with_ada(&[]);
    service.now = Timestamp(NOW.0 + 100);
    service.stripe().set_clock(service.now.into());
    let denied = create_override(&service, "feature=sms&effect=deny&reason=Fraud");
    let before = service.stripe().requests().len();
    let then = explain(&service, &format!("{TARGET}&at={}", NOW.0 + 99));
    assert_eq!(
        json!([then["at"], then["entitled"], then["reason"], then["version"]]),
        json!([NOW.0 + 99, true, "active_entitlement", 1])
    );
    assert_eq!(kinds(&then), ["source_set", "default_feature"]);
    let source = contributions(&then, "source_set")[0];
    assert_eq!(json!([source["effect"], source["completeness"]]), json!(["grants", null]));
    assert_eq!(contributions(&then, "default_feature")[0]["known"], false);
    assert_eq!(service.stripe().requests().len(), before);

    let now = explain(&service, &format!("{TARGET}&at={}", NOW.0 + 100));
    assert_eq!(json!([now["entitled"], now["reason"]]), json!([false, "denied_by_override"]));
    assert_eq!(contributions(&now, "override")[0]["override"]["id"], denied["id"]);
}

#[test]
fn a_time_in_the_future_or_before_the_history_is_rejected() {
    let service = with_ada(&[]);
    let future = service.get(&format!("{TARGET}&at={}", NOW.0 + 1));
    let message = format!(
        "The time must not be in the future: it is {NOW} now, in Unix seconds. Leave `at` out to explain the answer of now."
    );
    future.assert_refuses("at", "parameter_invalid", &message, "one second ahead");
    assert_eq!(service.get(&format!("{TARGET}&at={NOW}")).status, 200);

    let early = service.get(&format!("{TARGET}&at={}", NOW.0 - 1));
    let message = format!(
        "The history of this customer begins at {NOW}, in Unix seconds. Ask for that time or a later one."
    );
    early.assert_refuses("at", "history_too_old", &message, "one second early");
}

#[test]
fn an_invalid_parameter_is_rejected_by_name() {
    let service = service_with_stripe();
    let missing = |param: &str| format!("Missing required param: {param}.");
    let empty = |param: &str| {
        format!("You passed an empty string for '{param}'. Leave it out, or give it a value.")
    };
    for (query, param, code, message) in [
        ("feature=sms", "customer", "parameter_missing", missing("customer")),
        ("customer=cus_ada", "feature", "parameter_missing", missing("feature")),
        ("customer=&feature=sms", "customer", "parameter_invalid_empty", empty("customer")),
        ("customer=cus_ada&feature=", "feature", "parameter_invalid_empty", empty("feature")),
        (
            "customer=cus_ada&feature=a&feature=b",
            "feature",
            "parameter_invalid",
            "Invalid feature: it accepts a single value, not a list or map.".to_owned(),
        ),
        (
            "customer=cus_ada&feature=sms&at=-1",
            "at",
            "parameter_invalid_integer",
            "This value must be greater than or equal to 0 (it currently is '-1').".to_owned(),
        ),
        (
            "customer=cus_ada&feature=sms&fresh=true",
            "fresh",
            "parameter_unknown",
            "Received unknown parameter: fresh".to_owned(),
        ),
    ] {
        let answer = service.get(&format!("/v1/explain?{query}"));
        answer.assert_refuses(param, code, &message, query);
    }
}

#[test]
fn a_bound_worker_gets_the_explanation_of_its_mode() {
    let service = with_ada(&[]);
    let bound = |mode| {
        let mut request = http::Request::get(TARGET).body(Vec::new()).unwrap();
        request.extensions_mut().insert(BoundCaller(mode));
        let response = pollster::block_on(service.handle(request));
        serde_json::from_slice::<Value>(response.body()).unwrap()
    };
    assert_eq!(bound(Livemode::Test), explain(&service, TARGET));
    assert_eq!(bound(Livemode::Live)["livemode"], true);
}

#[test]
fn a_ledger_that_fails_is_a_503() {
    let service = service_with_stripe();
    service.store.ledger.fail_next(Fault::Before);
    let answer: Answer = service.get(TARGET);
    assert_eq!((answer.status, answer.error("type")), (503, "api_error"));
}
