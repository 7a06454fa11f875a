//! `GET /v1/authorize`: checks for proxies.

use entgate::store::memory::Fault;
use serde_json::json;

use crate::{
    support::{Answer, Service, event},
    token_fixtures::{issued, token, with_tokens},
};

const AT: i64 = 1_700_000_000;

/// Ada has two features, Bob has none, and the set of Cy is incomplete.
fn with_three_customers() -> Service {
    let service = with_tokens(&[]);
    service.stripe_sends(&event("cus_ada", AT, &["export", "sms"], false));
    service.stripe_sends(&event("cus_bob", AT, &[], false));
    service.stripe_sends(&event("cus_cy", AT, &["sms"], true));
    service
}

/// The status, and the error's code and parameter.
fn outcome(answer: &Answer) -> (u16, &str, &str) {
    (answer.status, answer.error("code"), answer.error("param"))
}

#[test]
fn a_granted_authorization_has_no_body_and_names_the_customer() {
    let service = with_three_customers();
    for token in [token(&json!({})), issued("one", &json!({}))] {
        let answer = service.get_with(&token, "/v1/authorize?feature=sms");
        assert_eq!((answer.status, answer.is_empty()), (204, true));
        for (name, value) in [
            ("entgate-customer", "cus_ada"),
            ("entgate-version", "1"),
            ("entgate-as-of", "1700000000"),
            ("entgate-served-by", "replica"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{name}");
        }
        assert_eq!(answer.header("content-type"), None);
    }
}

#[test]
fn the_status_is_the_decision() {
    let service = with_three_customers();
    let message = "'cus_ada' may not use 'sso'.";
    let refused = service.get("/v1/authorize?customer=cus_ada&feature=sso");
    assert_eq!(refused.error("message"), message);
    for (why, query, expected) in [
        ("a granted feature", "customer=cus_ada&feature=sms", (204, "", "")),
        ("two granted features", "customer=cus_ada&feature=sms&feature=export", (204, "", "")),
        (
            "two granted features, as a list",
            "customer=cus_ada&feature[]=sms&feature[]=export",
            (204, "", ""),
        ),
        (
            "a feature that is not granted",
            "customer=cus_ada&feature=sso",
            (403, "not_entitled", "feature"),
        ),
        (
            "one of two is not granted",
            "customer=cus_ada&feature=sms&feature=sso",
            (403, "not_entitled", "feature"),
        ),
        ("an empty set", "customer=cus_bob&feature=sms", (403, "not_entitled", "feature")),
        (
            "an unknown customer",
            "customer=cus_dee&feature=sms",
            (403, "unknown_customer", "feature"),
        ),
        ("an incomplete set with the feature", "customer=cus_cy&feature=sms", (204, "", "")),
        (
            "an incomplete set without the feature",
            "customer=cus_cy&feature=sso",
            (503, "entitlements_incomplete", ""),
        ),
        (
            "one of two is unknown",
            "customer=cus_cy&feature=sms&feature=sso",
            (503, "entitlements_incomplete", ""),
        ),
        (
            "a newer version",
            "customer=cus_ada&feature=sms&at_least=2",
            (503, "version_not_reached", ""),
        ),
        ("a read from the ledger", "customer=cus_ada&feature=sms&fresh=true", (204, "", "")),
        ("no feature", "customer=cus_ada", (400, "parameter_missing", "feature")),
        (
            "an empty feature",
            "customer=cus_ada&feature=",
            (400, "parameter_invalid_empty", "feature"),
        ),
        ("no customer", "feature=sms", (400, "parameter_missing", "customer")),
        (
            "an empty customer",
            "customer=&feature=sms",
            (400, "parameter_invalid_empty", "customer"),
        ),
        (
            "an unknown parameter",
            "customer=cus_ada&feature=sms&any=true",
            (400, "parameter_unknown", "any"),
        ),
    ] {
        assert_eq!(outcome(&service.get(&format!("/v1/authorize?{query}"))), expected, "{why}");
    }
    assert_eq!(service.request("GET", "/v1/authorize?feature=sms", &[], b"").status, 401);
    service.store.replica.fail_next(Fault::Before);
    service.store.ledger.fail_next(Fault::Before);
    let down = service.get("/v1/authorize?customer=cus_ada&feature=sms");
    assert_eq!((down.status, down.header("retry-after")), (503, Some("1")));
}

#[test]
fn a_request_may_name_a_hundred_features_and_not_one_more() {
    let service = with_three_customers();
    let authorize = |count: usize| {
        let features = vec!["feature=sms"; count].join("&");
        service.get(&format!("/v1/authorize?customer=cus_ada&{features}"))
    };
    assert_eq!(authorize(100).status, 204);
    let message = "At most 100 features are checked in one request.";
    authorize(101).assert_refuses("feature", "parameter_invalid", message, "a hundred and one");
}

#[test]
fn a_proxy_with_a_server_key_names_the_customer_in_a_header() {
    let service = with_three_customers();
    let token = token(&json!({}));
    let server = "Bearer sk_test_entgate";
    let customer = format!("Bearer {token}");
    for (why, key, query, header, expected) in [
        ("the header only", server, "", "cus_ada", (204, "", "")),
        ("equal ids in both", server, "&customer=cus_ada", "cus_ada", (204, "", "")),
        (
            "different ids in both",
            server,
            "&customer=cus_ada",
            "cus_bob",
            (400, "parameter_invalid", "customer"),
        ),
        ("an empty header counts as absent", server, "&customer=cus_ada", "", (204, "", "")),
        (
            "an empty header and no parameter",
            server,
            "",
            "",
            (400, "parameter_missing", "customer"),
        ),
        (
            "two ids in one header, as HTTP joins two headers",
            server,
            "",
            "cus_bob, cus_ada",
            (400, "parameter_invalid_string", "customer"),
        ),
        (
            "two ids with a comma are one unknown id",
            server,
            "",
            "cus_bob,cus_ada",
            (403, "unknown_customer", "feature"),
        ),
        (
            "a header outside ASCII counts as absent",
            server,
            "",
            "cus_\u{e4}",
            (400, "parameter_missing", "customer"),
        ),
        ("the token's customer", &customer, "", "cus_ada", (204, "", "")),
        (
            "another customer than the token's",
            &customer,
            "",
            "cus_bob",
            (403, "customer_mismatch", "customer"),
        ),
        (
            "another customer in the query",
            &customer,
            "&customer=cus_bob",
            "",
            (403, "customer_mismatch", "customer"),
        ),
        (
            "the token's customer in the query and another one in the header",
            &customer,
            "&customer=cus_ada",
            "cus_bob",
            (400, "parameter_invalid", "customer"),
        ),
        (
            "two customers in the query",
            &customer,
            "&customer=cus_ada&customer=cus_bob",
            "",
            (400, "", "customer"),
        ),
    ] {
        let target = format!("/v1/authorize?feature=sms{query}");
        let headers = [("authorization", key), ("entgate-customer", header)];
        let answer = service.request("GET", &target, &headers, b"");
        if expected == (400, "", "customer") {
            assert_eq!((answer.status, answer.error("param")), (400, "customer"), "{why}");
        } else {
            assert_eq!(outcome(&answer), expected, "{why}");
        }
    }
}

#[test]
fn an_id_that_a_header_cannot_carry_unchanged_is_left_out() {
    let service = with_tokens(&[]);
    for (id, header) in [
        ("ada@example.com", Some("ada@example.com")),
        ("org_1,org_2", Some("org_1,org_2")),
        ("cus_\u{e4}", None),
    ] {
        service.stripe_sends(&event(id, AT, &["sms"], false));
        let answer = service.get_with(&token(&json!({ "sub": id })), "/v1/authorize?feature=sms");
        assert_eq!((answer.status, answer.header("entgate-customer")), (204, header), "{id:?}");
    }
}
