//! What pages of other origins may ask, and see. What browsers make of it is shown in one.

use entgate::api::{Access, ROUTES};
use serde_json::json;

use crate::{
    support::{Answer, Service, event},
    token_fixtures::{token, with_tokens},
};

const APP: &str = "https://app.example";

fn with_ada(origins: &'static str) -> Service {
    let service = with_tokens(&[("ENTGATE_ALLOWED_ORIGINS", origins)]);
    service.stripe_sends(&event("cus_ada", 1_700_000_000, &["sms"], false));
    service
}

fn preflight(service: &Service, path: &str, method: &str, origin: &str) -> Answer {
    let headers = [
        ("origin", origin),
        ("access-control-request-method", method),
        ("access-control-request-headers", "authorization"),
    ];
    service.request("OPTIONS", path, &headers, b"")
}

#[test]
fn a_page_of_an_allowed_origin_may_ask_and_read() {
    let service = with_ada("https://app.example,http://localhost:3000");
    let authorization = format!("Bearer {}", token(&json!({})));
    for (origin, allowed) in [
        (APP, Some(APP)),
        ("http://localhost:3000", Some("http://localhost:3000")),
        ("http://localhost:3001", None),
        ("http://app.example", None),
        ("https://app.example.evil", None),
        ("https://APP.example", None),
        ("null", None),
        ("", None),
        ("https://app.example,http://localhost:3000", None),
    ] {
        let before = preflight(&service, "/v1/check", "GET", origin);
        assert_eq!(
            (before.status, before.header("access-control-allow-origin")),
            (204, allowed),
            "{origin}"
        );
        let headers = [("origin", origin), ("authorization", authorization.as_str())];
        let answer = service.request("GET", "/v1/check?feature=sms", &headers, b"");
        assert_eq!(
            (answer.status, answer.header("access-control-allow-origin")),
            (200, allowed),
            "{origin}"
        );
        let exposed = allowed.map(|_| {
            "ETag, Retry-After, Request-Id, Entgate-Customer, Entgate-Version, Entgate-As-Of, Entgate-Served-By"
        });
        assert_eq!(answer.header("access-control-expose-headers"), exposed, "{origin}");
        assert_eq!(answer.header("vary"), Some("Origin"), "{origin}");
    }
}

#[test]
fn what_may_be_sent_is_told_before() {
    let service = with_ada(APP);
    let before = preflight(&service, "/v1/check", "GET", APP);
    for (name, value) in [
        ("access-control-allow-methods", "GET, HEAD"),
        (
            "access-control-allow-headers",
            "authorization, x-api-key, content-type, if-none-match, last-event-id",
        ),
        ("access-control-max-age", "7200"),
        ("allow", "OPTIONS, GET, HEAD, POST"),
    ] {
        assert_eq!(before.header(name), Some(value), "{name}");
    }
}

#[test]
fn only_what_a_customer_or_anyone_may_do_is_open_to_pages() {
    for origins in [APP, "*"] {
        let service = with_ada(origins);
        let allowed = if origins == "*" { "*" } else { APP };
        for route in ROUTES {
            let open = matches!(route.access, Access::CustomerToken | Access::Public);
            let path = route.path.replace("{id}", "cus_ada");
            let method = route.method.as_str();
            let expected = open.then_some(allowed);
            let before = preflight(&service, &path, method, APP);
            let told = before.header("access-control-allow-origin");
            assert_eq!(told, expected, "before {method} {path}");
            for key in ["Bearer sk_test_entgate", "Bearer sk_test_other", ""] {
                let headers = [("origin", APP), ("authorization", key)];
                let answer = service.request(method, &path, &headers, b"");
                let told = answer.header("access-control-allow-origin");
                assert_eq!(told, expected, "{method} {path}");
            }
        }
        for path in ["/v1/products", "/v1/nowhere", "/"] {
            assert_eq!(
                preflight(&service, path, "GET", APP).header("access-control-allow-origin"),
                None,
                "{path}"
            );
        }
    }
}

#[test]
fn a_method_that_is_not_open_is_not_allowed_before_either() {
    let service = with_ada(APP);
    for (method, open) in [
        ("GET", true),
        ("HEAD", true),
        ("POST", false),
        ("DELETE", false),
        ("get", false),
        ("", false),
    ] {
        let before = preflight(&service, "/v1/check", method, APP);
        let told = before.header("access-control-allow-origin").is_some();
        assert_eq!(told, open, "{method}");
    }
    let plain = service.request("OPTIONS", "/v1/check", &[("origin", APP)], b"");
    assert_eq!(plain.header("access-control-allow-origin"), Some(APP), "no preflight");
}

#[test]
fn failures_can_be_read_by_a_page_too() {
    let service = with_ada(APP);
    for (why, target, key, status) in [
        ("no key", "/v1/check?feature=sms", "", 401),
        ("nothing named", "/v1/check", "Bearer sk_test_entgate", 400),
        (
            "not that new",
            "/v1/check?customer=cus_ada&feature=sms&at_least=9",
            "Bearer sk_test_entgate",
            503,
        ),
    ] {
        let headers = [("origin", APP), ("authorization", key)];
        let answer = service.request("GET", target, &headers, b"");
        assert_eq!(
            (answer.status, answer.header("access-control-allow-origin")),
            (status, Some(APP)),
            "{why}"
        );
    }
}

#[test]
fn nothing_is_open_unless_said_and_credentials_never_are() {
    for (origins, allowed) in [("", None), ("*", Some("*")), (APP, Some(APP))] {
        let service = with_ada(origins);
        for answer in [
            preflight(&service, "/v1/check", "GET", APP),
            service.request("GET", "/healthz", &[("origin", APP)], b""),
            service.request("GET", "/.well-known/jwks.json", &[("origin", APP)], b""),
        ] {
            assert_eq!(answer.header("access-control-allow-origin"), allowed, "{origins}");
            assert_eq!(answer.header("access-control-allow-credentials"), None, "{origins}");
        }
    }
}
