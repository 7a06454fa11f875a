//! `GET` and `POST /v1/check`.

use entgate::store::memory::Fault;
use serde_json::json;

use crate::support::{Service, event, service};

const AT: i64 = 1_700_000_000;

/// Ada has two features, Bob has none, and the set of Cy is incomplete.
fn with_three_customers() -> Service {
    let service = service();
    service.stripe_sends(&event("cus_ada", AT, &["export", "sms"], false));
    service.stripe_sends(&event("cus_bob", AT, &[], false));
    service.stripe_sends(&event("cus_cy", AT, &["sms"], true));
    service
}

#[test]
fn a_check_returns_reason_version_time_and_store() {
    let service = with_three_customers();
    for (target, expected) in [
        (
            "customer=cus_ada&feature=sms",
            json!({
                "object": "entitlement_check", "customer": "cus_ada", "feature": "sms",
                "entitled": true, "reason": "active_entitlement",
                "version": 1, "as_of": AT, "served_by": "replica",
            }),
        ),
        (
            "customer=cus_bob&feature=sms&fresh=true",
            json!({
                "object": "entitlement_check", "customer": "cus_bob", "feature": "sms",
                "entitled": false, "reason": "not_entitled",
                "version": 1, "as_of": AT, "served_by": "ledger",
            }),
        ),
        (
            "customer=cus_dee&feature=sms",
            json!({
                "object": "entitlement_check", "customer": "cus_dee", "feature": "sms",
                "entitled": false, "reason": "unknown_customer",
                "version": 0, "as_of": null, "served_by": "ledger",
            }),
        ),
    ] {
        let answer = service.get(&format!("/v1/check?{target}"));
        assert_eq!((answer.status, answer.body), (200, expected), "{target}");
    }
}

#[test]
fn no_check_is_cacheable() {
    let service = with_three_customers();
    for target in ["customer=cus_ada&feature=sms", "customer=cus_bob&feature=sms", "feature=sms"] {
        let answer = service.get(&format!("/v1/check?{target}"));
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{target}");
    }
}

#[test]
fn several_features_are_checked_in_the_order_of_the_request_in_every_encoding() {
    let service = with_three_customers();
    for features in [
        "feature=sso&feature=sms",
        "feature[]=sso&feature[]=sms",
        "feature%5B%5D=sso&feature%5B%5D=sms",
        "feature[1]=sms&feature[0]=sso",
    ] {
        let answer = service.get(&format!("/v1/check?customer=cus_ada&{features}"));
        assert_eq!(answer.status, 200, "{features}");
        assert_eq!(answer.body["object"], "list");
        assert_eq!(answer.body["url"], "/v1/check");
        assert_eq!(answer.body["has_more"], false);
        let checks: Vec<_> = answer.body["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|check| (check["feature"].as_str().unwrap(), check["entitled"].as_bool().unwrap()))
            .collect();
        assert_eq!(checks, [("sso", false), ("sms", true)], "{features}");
    }
    let one = service.get("/v1/check?customer=cus_ada&feature[]=sms");
    assert_eq!(one.body["object"], "list", "an array of one feature returns a list");
}

#[test]
fn a_batch_checks_several_customers_as_json_and_as_a_form() {
    let service = with_three_customers();
    let json = service.post_json(
        "/v1/check",
        &json!({ "checks": [
            { "customer": "cus_ada", "feature": ["sms", "sso"] },
            { "customer": "cus_bob", "feature": "sms" },
        ]}),
    );
    let form = service.request(
        "POST",
        "/v1/check",
        &[("authorization", "Bearer sk_test_entgate")],
        b"checks[0][customer]=cus_ada&checks[0][feature][0]=sms&checks[0][feature][1]=sso\
          &checks[1][customer]=cus_bob&checks[1][feature]=sms",
    );
    let entitled = |answer: &crate::support::Answer| -> Vec<_> {
        let checks = answer.body["data"].as_array().unwrap().iter();
        checks.map(|check| check["entitled"].as_bool().unwrap()).collect()
    };
    assert_eq!((json.status, entitled(&json)), (200, vec![true, false, false]));
    assert_eq!((form.status, entitled(&form)), (200, vec![true, false, false]));

    let single =
        service.post_json("/v1/check", &json!({ "customer": "cus_ada", "feature": "sms" }));
    assert_eq!(single.body["object"], "entitlement_check");
}

#[test]
fn an_unknown_decision_in_a_batch_is_null_and_does_not_affect_the_others() {
    let service = with_three_customers();
    let check =
        |checks: serde_json::Value| service.post_json("/v1/check", &json!({ "checks": checks }));
    let answer = check(json!([
        { "customer": "cus_cy", "feature": "sso" },
        { "customer": "cus_cy", "feature": "sms" },
        { "customer": "cus_ada", "feature": "sso" },
    ]));
    assert_eq!(answer.status, 200);
    let [unknown, granted, denied] = answer.body["data"].as_array().unwrap().as_slice() else {
        panic!("not three checks")
    };
    assert_eq!(unknown["entitled"], json!(null));
    assert_eq!(unknown["error"]["code"], "entitlements_incomplete");
    assert_eq!(granted["entitled"], true);
    assert_eq!(denied["entitled"], false);

    let nothing = check(json!([{ "customer": "cus_cy", "feature": "sso" }]));
    assert_eq!((nothing.status, nothing.error("code")), (503, "entitlements_incomplete"));
}

#[test]
fn a_request_may_have_a_hundred_checks_and_not_one_more() {
    let service = with_three_customers();
    let check = |count: usize| {
        let features: Vec<_> = (0..count).map(|n| n.to_string()).collect();
        service.post_json("/v1/check", &json!({ "customer": "cus_ada", "feature": features }))
    };
    assert_eq!(check(100).body["data"].as_array().unwrap().len(), 100);
    let refused = check(101);
    assert_eq!(refused.status, 400);
    assert_eq!(
        refused.error("message"),
        "101 checks in one request: the maximum is 100. Split the request."
    );
}

#[test]
fn a_check_is_at_least_as_new_as_requested() {
    let service = service();
    service.stripe_sends(&event("cus_ada", AT, &["sms"], false));
    // The ledger has the second event; the replica lags.
    let body = event("cus_ada", AT + 1, &[], false).to_string();
    let signature = crate::support::signed(&body, crate::support::SECRET, crate::support::NOW);
    let headers = [("stripe-signature", signature.as_str())];
    service.request("POST", "/webhooks/stripe", &headers, body.as_bytes());

    for (why, query, entitled, version, served_by) in [
        ("any version", "", true, 1, "replica"),
        ("the replica's version", "&at_least=1", true, 1, "replica"),
        ("a newer version", "&at_least=2", false, 2, "ledger"),
        ("the ledger's version", "&fresh=true", false, 2, "ledger"),
        ("an explicit default", "&fresh=false", true, 1, "replica"),
    ] {
        let check = service.get(&format!("/v1/check?customer=cus_ada&feature=sms{query}")).body;
        let actual = (&check["entitled"], &check["version"], &check["served_by"]);
        assert_eq!(actual, (&json!(entitled), &json!(version), &json!(served_by)), "{why}");
    }
    for query in ["at_least=3", "at_least=3&fresh=true"] {
        let early = service.get(&format!("/v1/check?customer=cus_ada&feature=sms&{query}"));
        assert_eq!((early.status, early.error("code")), (503, "version_not_reached"));
        assert_eq!(
            early.error("message"),
            "Version 3 is not available yet: the current version is 2."
        );
        assert_eq!(early.header("retry-after"), Some("1"));
    }
}

#[test]
fn data_of_a_newer_release_results_in_a_503_with_its_own_code() {
    let service = with_three_customers();
    service.store.ledger.fail_next(Fault::NewerSchema);
    let answer = service.get("/v1/check?customer=cus_ada&feature=sms&fresh=true");
    assert_eq!((answer.status, answer.error("code")), (503, "newer_schema"));
    assert_eq!(
        answer.error("message"),
        "The data was written by a newer release of entgate, which this release cannot use. Complete \
         the rollout of the newer release."
    );
    assert_eq!(answer.header("retry-after"), Some("1"));
    service.store.replica.fail_next(Fault::NewerSchema);
    let answer = service.get("/v1/check?customer=cus_ada&feature=sms");
    assert_eq!((answer.status, &answer.body["served_by"]), (200, &json!("ledger")));
}

#[test]
fn an_unavailable_store_never_denies_a_feature() {
    let service = with_three_customers();
    let check = || service.get("/v1/check?customer=cus_ada&feature=sms");

    service.store.replica.fail_next(Fault::Before);
    let answer = check();
    assert_eq!((answer.status, &answer.body["served_by"]), (200, &json!("ledger")));

    service.store.replica.fail_next(Fault::Before);
    service.store.ledger.fail_next(Fault::Before);
    let answer = check();
    assert_eq!(answer.status, 503);
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(
        answer.body["error"],
        json!({
            "type": "api_error",
            "message": "The entitlements cannot be read or written at the moment. This is not a denial.",
        })
    );
}

#[test]
fn an_invalid_parameter_is_named_in_stripes_wording() {
    let service = service();
    let ada = "customer=cus_ada&feature=sms";
    for (query, code, param, message) in [
        (
            "feature=sms".to_owned(),
            "parameter_missing",
            "customer",
            "Missing required param: customer.",
        ),
        (
            "customer=cus_ada".to_owned(),
            "parameter_missing",
            "feature",
            "Missing required param: feature.",
        ),
        (
            "customer=&feature=sms".to_owned(),
            "parameter_invalid_empty",
            "customer",
            "You passed an empty string for 'customer'. Leave it out, or give it a value.",
        ),
        (
            "customer=cus_ada&feature=".to_owned(),
            "parameter_invalid_empty",
            "feature",
            "You passed an empty string for 'feature'. Leave it out, or give it a value.",
        ),
        (
            format!("customer={}&feature=sms", "c".repeat(256)),
            "parameter_invalid_string",
            "customer",
            "Invalid string for 'customer': longer than 255 bytes",
        ),
        (
            "customer=cus%0A&feature=sms".to_owned(),
            "parameter_invalid_string",
            "customer",
            "Invalid string for 'customer': a string with control characters",
        ),
        (
            "customer=a&customer=b&feature=sms".to_owned(),
            "parameter_invalid",
            "customer",
            "Invalid customer: it accepts a single value, not a list or map.",
        ),
        (
            "customer=cus_ada&feature[a]=sms".to_owned(),
            "parameter_invalid",
            "feature",
            "Invalid feature: it accepts a single value or an array of them, not a map.",
        ),
        (
            format!("{ada}&fresh=yes"),
            "parameter_invalid_boolean",
            "fresh",
            "Invalid boolean: yes. Use true or false.",
        ),
        (
            format!("{ada}&at_least=two"),
            "parameter_invalid_integer",
            "at_least",
            "Invalid integer: two",
        ),
        (
            format!("{ada}&at_least=-1"),
            "parameter_invalid_integer",
            "at_least",
            "This value must be greater than or equal to 0 (it currently is '-1').",
        ),
        (
            format!("{ada}&featrue=x"),
            "parameter_unknown",
            "featrue",
            "Received unknown parameter: featrue. Did you mean feature?",
        ),
        (format!("{ada}&a=1&b=2"), "parameter_unknown", "a", "Received unknown parameters: a, b"),
    ] {
        let answer = service.get(&format!("/v1/check?{query}"));
        answer.assert_refuses(param, code, message, &query);
    }
}

#[test]
fn an_invalid_nested_parameter_is_named_with_its_path() {
    let service = service();
    for (body, param) in [
        (json!({ "checks": [{ "customer": "cus_ada" }] }), "checks[0][feature]"),
        (json!({ "checks": [{ "customer": "cus_ada", "feature": "a", "x": 1 }] }), "checks[0][x]"),
        (json!({ "checks": [{ "customer": "", "feature": "a" }] }), "checks[0][customer]"),
        (json!({ "checks": "cus_ada" }), "checks"),
        (json!({ "checks": [], "feature": "a" }), "feature"),
        (json!({ "checks": [] }), "checks"),
        (json!({ "customer": "cus_ada", "feature": [] }), "feature"),
    ] {
        let answer = service.post_json("/v1/check", &body);
        assert_eq!((answer.status, answer.error("param")), (400, param), "{body}");
    }
    let nested = format!("{}1{}", "{\"a\":".repeat(18), "}".repeat(18));
    for (body, message) in [
        ("[]", "The JSON body must be an object, {…}."),
        ("null", "The JSON body must be an object, {…}."),
        ("{", "Invalid JSON in the body: EOF while parsing an object at line 1 column 1."),
        (&nested, "The JSON body is nested too deeply: it may have up to 16 levels."),
        (
            r#"{"customer":"cus_ada","feature":"\ud83d"}"#,
            "Invalid JSON in the body: unexpected end of hex escape at line 1 column 40.",
        ),
    ] {
        let headers =
            [("authorization", "Bearer sk_test_entgate"), ("content-type", "application/json")];
        let answer = service.request("POST", "/v1/check", &headers, body.as_bytes());
        assert_eq!((answer.status, answer.error("message")), (400, message), "{body}");
    }
}

#[test]
fn a_json_body_with_a_duplicate_member_is_rejected_with_its_name() {
    let service = service();
    let headers =
        [("authorization", "Bearer sk_test_entgate"), ("content-type", "application/json")];
    for (path, body, name) in [
        ("/v1/tokens", r#"{"customer":"cus_ada","customer":"cus_bob"}"#, "customer"),
        ("/v1/tokens", r#"{"customer":"cus_ada","\u0063ustomer":"cus_ada"}"#, "customer"),
        ("/v1/tokens", r#"{"customer":"cus_ada","expires_in":1,"expires_in":null}"#, "expires_in"),
        ("/v1/check", r#"{"customer":"cus_ada","feature":"a","feature":"b"}"#, "feature"),
        (
            "/v1/check",
            r#"{"checks":[{"customer":"cus_ada","feature":"a","customer":"cus_bob"}]}"#,
            "customer",
        ),
        ("/v1/check", r#"{"checks":[],"checks":[]}"#, "checks"),
        ("/v1/customers/cus_ada/sync", r#"{"wait":1,"wait":2}"#, "wait"),
    ] {
        let answer = service.request("POST", path, &headers, body.as_bytes());
        let message = format!("The parameter {name} is given twice in one JSON object.");
        answer.assert_refuses(name, "parameter_invalid", &message, body);
    }
}
