//! Cross-origin requests. A test in a real browser is in `tests/worker/cors.test.mjs`.

use entgate::api::{Access, ROUTES};
use serde_json::json;

use crate::{
    support::{Answer, Service, event},
    token_fixtures::{token, with_tokens},
};

const APP: &str = "https://app.example";

fn with_ada(origins: &'static str) -> Service {
    let host = ("ENTGATE_DEVELOPMENT", "edge.example");
    let service = with_tokens(&[("ENTGATE_ALLOWED_ORIGINS", origins), host]);
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
fn a_page_of_an_allowed_origin_may_send_requests_and_read_responses() {
    let service = with_ada("https://app.example,http://localhost:3000,capacitor://localhost");
    let authorization = format!("Bearer {}", token(&json!({})));
    for (origin, allowed) in [
        (APP, Some(APP)),
        ("http://localhost:3000", Some("http://localhost:3000")),
        ("capacitor://localhost", Some("capacitor://localhost")),
        ("capacitor://evil", None),
        ("http://devbox:3000", None),
        ("http://app.example", None),
        ("https://app.example.evil", None),
        ("https://APP.example", None),
        ("null", None),
        ("", None),
        ("https://app.example,http://localhost:3000", None),
    ] {
        let options = preflight(&service, "/v1/check", "GET", origin);
        assert_eq!(
            (options.status, options.header("access-control-allow-origin")),
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
fn a_preflight_lists_the_allowed_methods_and_headers() {
    let service = with_ada(APP);
    let options = preflight(&service, "/v1/check", "GET", APP);
    for (name, value) in [
        ("access-control-allow-methods", "GET, HEAD"),
        (
            "access-control-allow-headers",
            "authorization, x-api-key, content-type, if-none-match, last-event-id",
        ),
        ("access-control-max-age", "7200"),
        ("allow", "OPTIONS, GET, HEAD, POST"),
    ] {
        assert_eq!(options.header(name), Some(value), "{name}");
    }
}

#[test]
fn only_customer_and_public_routes_are_open_to_pages() {
    for origins in [APP, "*"] {
        let service = with_ada(origins);
        let allowed = if origins == "*" { "*" } else { APP };
        for route in ROUTES {
            let is_open = matches!(route.access, Access::CustomerToken | Access::Public);
            let path = route.path.replace("{id}", "cus_ada");
            let method = route.method.as_str();
            let expected = is_open.then_some(allowed);
            let options = preflight(&service, &path, method, APP);
            let origin = options.header("access-control-allow-origin");
            assert_eq!(origin, expected, "preflight of {method} {path}");
            for key in ["Bearer sk_test_entgate", "Bearer sk_test_other", ""] {
                let headers = [("origin", APP), ("authorization", key)];
                let answer = service.request(method, &path, &headers, b"");
                let origin = answer.header("access-control-allow-origin");
                assert_eq!(origin, expected, "{method} {path}");
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
fn a_preflight_rejects_a_method_that_is_not_open() {
    let service = with_ada(APP);
    for (method, is_open) in [
        ("GET", true),
        ("HEAD", true),
        ("POST", false),
        ("DELETE", false),
        ("get", false),
        ("", false),
    ] {
        let options = preflight(&service, "/v1/check", method, APP);
        let is_allowed = options.header("access-control-allow-origin").is_some();
        assert_eq!(is_allowed, is_open, "{method}");
    }
    let options = service.request("OPTIONS", "/v1/check", &[("origin", APP)], b"");
    assert_eq!(options.header("access-control-allow-origin"), Some(APP), "not a preflight");
}

#[test]
fn a_page_may_read_error_responses() {
    let service = with_ada(APP);
    for (why, target, key, status) in [
        ("no key", "/v1/check?feature=sms", "", 401),
        ("no parameters", "/v1/check", "Bearer sk_test_entgate", 400),
        (
            "a newer version",
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
fn no_origin_is_allowed_by_default_and_credentials_never_are() {
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

#[test]
fn only_pages_of_allowed_origins_and_of_the_own_one_open_a_web_socket() {
    let not_allowed = (403, "origin_not_allowed");
    let upgraded = (200, "");
    for (origins, origin, expected) in [
        (APP, Some(APP), upgraded),
        (APP, Some("https://evil.example"), not_allowed),
        (APP, Some("https://app.example.evil"), not_allowed),
        (APP, Some("http://app.example"), not_allowed),
        (APP, Some("null"), not_allowed),
        (APP, Some(""), not_allowed),
        (APP, Some("https://app.example, https://evil.example"), not_allowed),
        (APP, Some("https://edge.example"), upgraded),
        (APP, Some("http://edge.example"), upgraded),
        (APP, Some("https://edge.example:8443"), not_allowed),
        (APP, Some("edge.example"), not_allowed),
        (APP, None, upgraded),
        ("", Some(APP), not_allowed),
        ("", Some("https://edge.example"), upgraded),
        ("", None, upgraded),
        // In development, as for every other request.
        ("", Some("http://localhost:4173"), upgraded),
        ("", Some("http://localhost.evil.example:4173"), not_allowed),
        ("*", Some("https://evil.example"), upgraded),
        ("*", Some("null"), upgraded),
    ] {
        let service = with_ada(origins);
        let url = format!("https://edge.example/v1/stream?token={}", token(&json!({})));
        let origin_header = origin.map(|origin| ("origin", origin));
        let headers: Vec<_> = [("upgrade", "websocket")].into_iter().chain(origin_header).collect();
        let answer = service.request("GET", &url, &headers, b"");
        assert_eq!((answer.status, answer.error("code")), expected, "{origins} {origin:?}");
        assert_eq!(answer.stream_request().is_some(), expected == upgraded, "{origin:?}");
        // A page reads server-sent events only if CORS allows it.
        let events = service.request("GET", &url, &headers[1..], b"");
        assert_eq!(events.status, 200, "{origin:?}");
    }
    let service = with_ada(APP);
    let headers = [
        ("upgrade", "websocket"),
        ("origin", "https://evil.example"),
        ("authorization", "Bearer sk_test_entgate"),
    ];
    let answer = service.request("GET", "/v1/stream?customer=cus_ada", &headers, b"");
    let message =
        "Pages of this origin may not open a WebSocket. Add the origin to ENTGATE_ALLOWED_ORIGINS.";
    assert_eq!((answer.status, answer.error("message")), (403, message));
}
