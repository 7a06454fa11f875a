//! A caller that is bound to the deployment as a service: it needs no key, and reads one mode.

use entgate::{
    api::{BoundCaller, fast_path},
    id::Livemode,
};
use serde_json::Value;

use crate::support::{NOW, Service, configured, event};

const CHECK: &str = "/v1/check?customer=cus_ada&feature=sms";

fn with_ada(source: &'static str) -> Service {
    let service = configured(&[
        ("ENTGATE_API_KEYS", "sk_test_entgate,sk_live_entgate"),
        ("STRIPE_WEBHOOK_SECRETS", "test:whsec_test_entgate"),
        ("ENTGATE_SOURCE", source),
    ]);
    service.stripe_sends(&event("cus_ada", 1_700_000_000, &["sms", "sso"], false));
    service
}

/// The status and the body of a request without a key.
fn bound(service: &Service, caller: Option<BoundCaller>, target: &str) -> (u16, Value) {
    let mut request = http::Request::get(target).body(Vec::new()).unwrap();
    if let Some(caller) = caller {
        request.extensions_mut().insert(caller);
    }
    let response = pollster::block_on(service.handle(request));
    let body = serde_json::from_slice(response.body()).unwrap_or(Value::Null);
    (response.status().as_u16(), body)
}

#[test]
fn a_bound_caller_gets_the_answer_of_a_server_key_of_its_mode() {
    let service = with_ada("stripe");
    for target in [
        CHECK,
        "/v1/check?customer=cus_ada&feature=fax",
        "/v1/check?customer=cus_ada&feature[]=sms&feature[]=fax",
        "/v1/authorize?customer=cus_ada&feature=sms",
        "/v1/authorize?customer=cus_ada&feature=fax",
        "/v1/entitlements/active_entitlements?customer=cus_ada&limit=1",
        "/v1/check?feature=sms",
    ] {
        for (mode, key) in
            [(Livemode::Test, "sk_test_entgate"), (Livemode::Live, "sk_live_entgate")]
        {
            let authorization = format!("Bearer {key}");
            let with_key =
                service.request("GET", target, &[("authorization", &authorization)], b"");
            let expected = (with_key.status, with_key.body);
            assert_eq!(bound(&service, Some(BoundCaller(mode)), target), expected, "{target}");
        }
    }
}

#[test]
fn a_request_without_a_binding_needs_a_key() {
    let service = with_ada("stripe");
    assert_eq!(bound(&service, None, CHECK).0, 401);
}

#[test]
fn a_bound_caller_opens_no_route_of_a_secret_key() {
    let service = with_ada("stripe");
    for target in ["/v1/activity", "/v1/sync_status", "/v1/customer/cus_ada/entitlements"] {
        assert_eq!(bound(&service, Some(BoundCaller(Livemode::Test)), target).0, 401, "{target}");
    }
}

#[test]
fn the_fast_path_parses_the_query_of_a_bound_caller_as_that_of_a_server_key() {
    let service = with_ada("stripe");
    for (target, is_parsed) in [
        (CHECK, true),
        ("/v1/authorize?customer=cus_ada&feature=sms&at_least=3", true),
        (
            "/v1/entitlements/active_entitlements?customer=cus_ada&limit=5&starting_after=ent_1",
            true,
        ),
        ("/v1/check?feature=sms", false),
        ("/v1/check?customer=cus_ada", false),
        ("/v1/check?customer=cus_ada&feature=a%20b", false),
        ("/v1/check?customer=cus_ada&feature=sms&fresh=true", false),
        ("/v1/check?customer=cus_ada&feature[]=sms", false),
        ("/v1/entitlements/active_entitlements?customer=cus_ada&limit=101", false),
        ("/v1/customers?customer=cus_ada", false),
    ] {
        for (mode, key) in
            [(Livemode::Test, "sk_test_entgate"), (Livemode::Live, "sk_live_entgate")]
        {
            let query = fast_path::parse_bound_query(&service.settings, target, mode);
            let url = format!("http://localhost{target}");
            let authorization = format!("Bearer {key}");
            let with_key = fast_path::parse_query(&service.settings, &url, &authorization, NOW);
            assert_eq!(query, with_key, "{target}");
            assert_eq!(query.is_some(), is_parsed, "{target}");
        }
    }
}

#[test]
fn the_fast_path_leaves_lists_of_the_catalog_to_the_catalog() {
    let service = with_ada("catalog");
    let list = "/v1/entitlements/active_entitlements?customer=cus_ada";
    assert_eq!(fast_path::parse_bound_query(&service.settings, list, Livemode::Test), None);
    assert!(fast_path::parse_bound_query(&service.settings, CHECK, Livemode::Test).is_some());
}
