//! A customer without any data: denied only if the source was asked, or if the operator chose so.

use serde_json::{Value, json};

use crate::support::{Answer, Service, configured, event, service_with_stripe};

const KEY: (&str, &str) = ("ENTGATE_API_KEYS", "sk_test_entgate,sk_live_entgate");
const WEBHOOK: (&str, &str) =
    ("STRIPE_WEBHOOK_SECRETS", "test:whsec_test_entgate,live:whsec_live_entgate");
const JWK: &str = r#"{"kty":"OKP","crv":"Ed25519","kid":"one","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}"#;

/// A deployment without a key for Stripe.
fn without_source(more: &[(&str, &str)]) -> Service {
    let unset = ("ENTGATE_UNKNOWN_CUSTOMERS", "");
    configured(&[more, &[KEY, WEBHOOK, ("ENTGATE_SIGNING_KEY", JWK), unset]].concat())
}

#[track_caller]
fn assert_not_verifiable(answer: &Answer, customer: &str) {
    let message = format!(
        "Nothing is known of the customer '{customer}', and Stripe cannot be asked, because there is no \
         key of test mode for it. This is not a denial. Set STRIPE_API_KEY, or set \
         ENTGATE_UNKNOWN_CUSTOMERS to `deny` if this deployment receives every event of Stripe."
    );
    let error =
        json!({ "type": "api_error", "code": "customer_not_verifiable", "message": message });
    assert_eq!((answer.status, &answer.body), (503, &json!({ "error": error })));
    assert_eq!(answer.header("retry-after"), Some("60"));
}

#[test]
fn without_a_key_for_stripe_no_route_denies_a_customer_without_any_data() {
    let service = without_source(&[]);
    for target in [
        "/v1/check?customer=cus_bob&feature=sms",
        "/v1/check?customer=cus_bob&feature=sms&feature=sso",
        "/v1/check?customer=cus_bob&feature=sms&fresh=true",
        "/v1/authorize?customer=cus_bob&feature=sms",
        "/v1/entitlements/active_entitlements?customer=cus_bob",
        "/v1/customer/cus_bob/entitlements",
        "/v1/snapshot?customer=cus_bob",
        "/v1/stream?customer=cus_bob",
        "/ofrep/v1/stream?customer=cus_bob",
    ] {
        let answer = service.get(target);
        assert_not_verifiable(&answer, "cus_bob");
        assert_eq!(answer.stream_request(), None, "{target}");
    }
    let check = json!({ "customer": "cus_bob", "feature": "sms" });
    assert_not_verifiable(&service.post_json("/v1/check", &check), "cus_bob");
    let batch = json!({ "checks": [check] });
    assert_not_verifiable(&service.post_json("/v1/check", &batch), "cus_bob");
}

#[test]
fn openfeature_receives_the_error_in_its_own_form() {
    let service = without_source(&[]);
    service.stripe_sends(&event("cus_ada", 1, &["sms"], false));
    let context = json!({ "context": { "targetingKey": "cus_bob" } });
    for (path, key) in
        [("/ofrep/v1/evaluate/flags", None), ("/ofrep/v1/evaluate/flags/sms", Some("sms"))]
    {
        let answer = service.post_json(path, &context);
        assert_eq!((answer.status, answer.header("retry-after")), (500, Some("60")), "{path}");
        assert_eq!(answer.body["errorCode"], "GENERAL", "{path}");
        assert_eq!(answer.body.get("key").and_then(Value::as_str), key, "{path}");
        let details = answer.body["errorDetails"].as_str().unwrap();
        assert!(details.starts_with("Nothing is known of the customer 'cus_bob'"), "{details}");
        assert_eq!((answer.body.get("value"), answer.body.get("flags")), (None, None), "{path}");
    }
}

#[test]
fn in_a_batch_only_the_unknown_customer_has_an_error() {
    let service = without_source(&[]);
    service.stripe_sends(&event("cus_ada", 1, &["sms"], false));
    let check = |customer: &str, feature| json!({ "customer": customer, "feature": feature });
    let checks = [check("cus_bob", "sms"), check("cus_ada", "sms"), check("cus_ada", "sso")];
    let answer = service.post_json("/v1/check", &json!({ "checks": checks }));
    assert_eq!(answer.status, 200);
    let result = |index: usize| {
        let check = &answer.body["data"][index];
        (check["entitled"].clone(), check["error"]["code"].clone())
    };
    assert_eq!(result(0), (Value::Null, json!("customer_not_verifiable")));
    assert_eq!(result(1), (json!(true), Value::Null));
    assert_eq!(result(2), (json!(false), Value::Null));
}

#[test]
fn a_customer_is_known_from_the_first_event_on() {
    let service = without_source(&[]);
    for (customer, keys) in [("cus_ada", &["sms"][..]), ("cus_bob", &[])] {
        assert_eq!(service.stripe_sends(&event(customer, 1, keys, false)).status, 200);
    }
    assert_eq!(service.check("cus_ada", "sms"), (true, "active_entitlement".to_owned()));
    assert_eq!(service.check("cus_ada", "sso"), (false, "not_entitled".to_owned()));
    assert_eq!(service.check("cus_bob", "sms"), (false, "not_entitled".to_owned()));
    assert!(service.get("/v1/stream?customer=cus_bob").stream_request().is_some());
    let deleted = json!({
        "id": "evt_deleted", "object": "event", "type": "customer.deleted", "created": 2,
        "livemode": false, "data": { "object": { "id": "cus_ada", "object": "customer" } },
    });
    assert_eq!(service.stripe_sends(&deleted).status, 200);
    assert_eq!(service.check("cus_ada", "sms"), (false, "not_entitled".to_owned()));
}

#[test]
fn a_key_for_one_mode_says_nothing_about_the_other() {
    let service = without_source(&[("STRIPE_API_KEY", "sk_live_stripe")]);
    let target = "/v1/check?customer=cus_bob&feature=sms";
    assert_not_verifiable(&service.get(target), "cus_bob");
    let live = [("authorization", "Bearer sk_live_entgate")];
    let answer = service.request("GET", target, &live, b"");
    assert_eq!((answer.status, &answer.body["reason"]), (200, &json!("unknown_customer")));
}

#[test]
fn the_operator_may_choose_to_deny_unknown_customers() {
    let service = without_source(&[("ENTGATE_UNKNOWN_CUSTOMERS", "deny")]);
    assert_eq!(service.check("cus_bob", "sms"), (false, "unknown_customer".to_owned()));
    let list = service.get("/v1/entitlements/active_entitlements?customer=cus_bob");
    assert_eq!((list.status, &list.body["data"]), (200, &json!([])));
    let authorized = service.get("/v1/authorize?customer=cus_bob&feature=sms");
    assert_eq!((authorized.status, authorized.error("code")), (403, "unknown_customer"));
    assert_eq!(service.get("/v1/snapshot?customer=cus_bob").status, 200);
    assert!(service.get("/v1/stream?customer=cus_bob").stream_request().is_some());
}

#[test]
fn a_source_that_has_no_such_customer_denies() {
    let service = service_with_stripe();
    assert_eq!(service.check("cus_bob", "sms"), (false, "unknown_customer".to_owned()));
    let list = service.get("/v1/entitlements/active_entitlements?customer=cus_bob");
    assert_eq!((list.status, list.error("code")), (400, "resource_missing"));
}
