//! Read-only server keys: which routes they open.

use entgate::api::Access;
use serde_json::json;

use crate::{
    support::{Answer, Service, configured, event},
    tokens::paths,
};

const READ_ONLY: &str = "rk_test_entgate";

fn service_of(source: &'static str) -> Service {
    let service = configured(&[
        ("ENTGATE_API_KEYS", "sk_test_entgate,rk_test_entgate,rk_live_entgate"),
        ("STRIPE_WEBHOOK_SECRETS", "test:whsec_test_entgate"),
        ("ENTGATE_SOURCE", source),
    ]);
    service.stripe_sends(&event("cus_ada", 1_700_000_000, &["sms"], false));
    service
}

fn send(service: &Service, method: &str, target: &str, key: &str, body: &str) -> Answer {
    let headers =
        [("authorization", &*format!("Bearer {key}")), ("content-type", "application/json")];
    service.request(method, target, &headers, body.as_bytes())
}

#[test]
fn a_read_only_key_opens_the_routes_that_read_entitlements_and_no_other() {
    let lacks = "The provided key 'rk_test_****' does not have the required permissions for this endpoint. A read-only key (rk_…) gives access to checks, lists, authorize, snapshots, OFREP and streams. Having a secret key (sk_…) would allow this request to continue.";
    for source in ["stripe", "catalog"] {
        let service = service_of(source);
        let closed = paths(Access::ServerKey);
        assert!(closed.len() >= 45, "{} routes", closed.len());
        for (method, path) in closed {
            let answer = send(&service, &method, &path, READ_ONLY, "");
            let error = (answer.status, answer.error("type"), answer.error("code"));
            assert_eq!(
                error,
                (403, "invalid_request_error", "secret_key_required"),
                "{method} {path}"
            );
            assert_eq!(answer.error("message"), lacks, "{method} {path}");
        }
    }
    let service = service_of("stripe");
    let open = [paths(Access::ReadKey), paths(Access::CustomerToken)].concat();
    assert_eq!(open.len(), 11, "{open:?}");
    for (method, path) in open {
        let with = |key| {
            let answer = send(&service, &method, &path, key, "{}");
            (answer.status, answer.body)
        };
        let answer = with(READ_ONLY);
        assert!(![401, 403].contains(&answer.0), "{method} {path}: {answer:?}");
        assert_eq!(answer, with("sk_test_entgate"), "{method} {path}");
    }
}

#[test]
fn a_read_only_key_gets_the_same_answers_as_a_secret_key_of_its_mode() {
    let service = service_of("stripe");
    let batch = json!({ "checks": [{ "customer": "cus_ada", "feature": "sms" }] }).to_string();
    let context = json!({ "context": { "targetingKey": "cus_ada" } }).to_string();
    for (method, target, body) in [
        ("GET", "/v1/check?customer=cus_ada&feature=sms", ""),
        ("GET", "/v1/check?customer=cus_ada&feature=sms&feature=fax&fresh=true", ""),
        ("POST", "/v1/check", &batch),
        ("GET", "/v1/authorize?customer=cus_ada&feature=sms", ""),
        ("GET", "/v1/entitlements/active_entitlements?customer=cus_ada", ""),
        ("GET", "/v1/customer/cus_ada/entitlements", ""),
        ("POST", "/ofrep/v1/evaluate/flags/sms", &context),
        ("GET", "/v1/stream?customer=cus_ada", ""),
    ] {
        let read_only = send(&service, method, target, READ_ONLY, body);
        assert!((200..=204).contains(&read_only.status), "{method} {target}: {read_only:?}");
        let secret = send(&service, method, target, "sk_test_entgate", body);
        assert_eq!((read_only.status, read_only.body), (secret.status, secret.body), "{target}");
    }
    let check = "/v1/check?customer=cus_ada&feature=sms";
    let live = send(&service, "GET", check, "rk_live_entgate", "");
    assert_eq!(live.body["reason"], "unknown_customer", "the other mode");
    let basic = [("authorization", "Basic cmtfdGVzdF9lbnRnYXRlOg==")]; // rk_test_entgate:
    assert_eq!(service.request("GET", check, &basic, b"").body["entitled"], true);
    let header = [("x-api-key", READ_ONLY)];
    assert_eq!(service.request("GET", check, &header, b"").body["entitled"], true);
}

#[test]
fn the_fast_path_accepts_a_read_only_key() {
    let service = service_of("stripe");
    for target in [
        "/v1/check?customer=cus_ada&feature=sms",
        "/v1/authorize?customer=cus_ada&feature=sms",
        "/v1/entitlements/active_entitlements?customer=cus_ada",
    ] {
        for (key, is_answered) in
            [(READ_ONLY, true), ("rk_test_other", false), ("pk_test_entgate", false)]
        {
            let request = http::Request::get(target)
                .header("authorization", format!("Bearer {key}"))
                .body(Vec::new())
                .unwrap();
            assert_eq!(service.fast_path(&request).is_some(), is_answered, "{key} {target}");
        }
    }
}

#[test]
fn an_unknown_read_only_key_is_a_401_that_hides_it() {
    let service = service_of("stripe");
    let check = "/v1/check?customer=cus_ada&feature=sms";
    let answer = send(&service, "GET", check, "rk_test_abcdefghijkl", "");
    assert_eq!(
        (answer.status, answer.error("message")),
        (
            401,
            "Invalid API Key provided: rk_test_****ijkl. The keys are entgate's own, in \
             ENTGATE_API_KEYS, and not Stripe's. This deployment has keys of test mode and of live \
             mode."
        )
    );
}
