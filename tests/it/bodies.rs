//! When a body is read: after the route is found and the caller is authenticated, and up to its limit.

use std::cell::RefCell;

use entgate::api::{
    self, Response, Route,
    body::{
        Error, MAX_BATCH_BYTES, MAX_BODY_BYTES, MAX_CATALOG_BYTES, MAX_OVERRIDE_BYTES,
        MAX_WEBHOOK_BYTES, RequestBody,
    },
};
use serde_json::Value;

use crate::support::{NOW, SECRET, Service, configured, event, service, signed};

/// A body that records with which limit it was read.
struct ObservedBody<'a> {
    limits: &'a RefCell<Vec<usize>>,
    result: Result<Vec<u8>, Error>,
}

impl RequestBody for ObservedBody<'_> {
    async fn read(&self, limit: usize) -> Result<Vec<u8>, Error> {
        self.limits.borrow_mut().push(limit);
        self.result.clone()
    }
}

/// Sends a request, and returns the response and the limits with which its body was read.
fn send_observed(
    service: &Service,
    (method, path): (&str, &str),
    headers: &[(&str, &str)],
    result: Result<Vec<u8>, Error>,
) -> (Response, Vec<usize>) {
    let limits = RefCell::default();
    let mut request = http::Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(ObservedBody { limits: &limits, result }).unwrap();
    let response = pollster::block_on(service.handle(request));
    (response, limits.into_inner())
}

/// The method and a path of every route, of the edge and of the catalog.
fn all_routes() -> Vec<(&'static str, String)> {
    let edge = api::ROUTES.iter().map(|Route { method, path, .. }| (method, *path));
    #[cfg(feature = "catalog")]
    let edge = edge.chain(api::catalog::routes());
    let fill = |path: &str| {
        let path = path.replace("{key*}", "sms").replace("{id}", "x_1");
        path.replace("{product}", "prod_1").replace("{customer}", "cus_ada")
    };
    edge.map(|(method, path)| (method.as_str(), fill(path))).collect()
}

fn message(response: &Response) -> String {
    let body: Value = serde_json::from_slice(response.body()).unwrap();
    body["error"]["message"].as_str().unwrap().to_owned()
}

#[test]
fn no_route_reads_the_body_of_a_caller_who_is_not_authenticated() {
    let service = service();
    let stale = signed("{}", SECRET, entgate::id::Timestamp(NOW.0 - 301));
    for (method, path) in all_routes() {
        for headers in [
            &[][..],
            &[("authorization", "Bearer sk_test_wrong")],
            &[("authorization", "Bearer eyJhbGciOiJIUzI1NiJ9.e30.AAAA")],
            &[("x-api-key", "sk_live_wrong")],
            &[("stripe-signature", "t=1,v2=00")],
            &[("stripe-signature", stale.as_str())],
        ] {
            let (response, limits) =
                send_observed(&service, (method, &path), headers, Ok(b"{}".to_vec()));
            let status = response.status().as_u16();
            let expected = match path.as_str() {
                "/healthz" | "/.well-known/jwks.json" => 200,
                "/webhooks/stripe" => 400,
                // A token, valid or not, never opens a route for server keys.
                _ if status == 403 => 403,
                _ => 401,
            };
            assert_eq!((status, limits), (expected, vec![]), "{method} {path} {headers:?}");
        }
    }
}

#[test]
fn a_request_to_no_route_or_with_another_method_is_answered_without_its_body() {
    let service = service();
    let key = [("authorization", "Bearer sk_test_entgate")];
    for (method, path, status) in [
        ("POST", "/nowhere", 404),
        ("PUT", "/", 404),
        ("POST", "/healthz", 405),
        ("PUT", "/v1/check", 405),
        ("DELETE", "/v1/tokens", 405),
        ("OPTIONS", "/v1/tokens", 204),
        // The source is Stripe.
        ("POST", "/v1/products", 404),
        ("DELETE", "/v1/products/prod_1", 404),
        ("POST", "/v1/products/prod_1", 404),
    ] {
        let (response, limits) = send_observed(&service, (method, path), &key, Ok(b"{}".to_vec()));
        assert_eq!((response.status().as_u16(), limits), (status, vec![]), "{method} {path}");
    }
}

#[test]
fn a_get_and_a_head_read_no_body() {
    let service = service();
    let key = [("authorization", "Bearer sk_test_entgate")];
    for (method, path) in all_routes().into_iter().filter(|(method, _)| *method == "GET") {
        for method in [method, "HEAD"] {
            let (_, limits) = send_observed(&service, (method, &path), &key, Ok(b"{}".to_vec()));
            assert_eq!(limits, Vec::<usize>::new(), "{method} {path}");
        }
    }
}

#[test]
fn a_signature_that_can_be_valid_is_enough_to_read_an_event() {
    let service = service();
    let body = event("cus_ada", 1, &["sms"], false).to_string();
    let forged = signed(&body, "whsec_other", NOW);
    for (signature, status) in [(signed(&body, SECRET, NOW), 200), (forged, 400)] {
        let headers = [("stripe-signature", signature.as_str())];
        let sent = ("POST", "/webhooks/stripe");
        let (response, limits) = send_observed(&service, sent, &headers, Ok(body.clone().into()));
        assert_eq!((response.status().as_u16(), limits), (status, vec![MAX_WEBHOOK_BYTES]));
    }
    let without_secret = configured(&[("ENTGATE_API_KEYS", "sk_test_entgate")]);
    let signature = signed(&body, SECRET, NOW);
    let headers = [("stripe-signature", signature.as_str())];
    let sent = ("POST", "/webhooks/stripe");
    let (response, limits) = send_observed(&without_secret, sent, &headers, Ok(body.into()));
    assert_eq!((response.status().as_u16(), limits), (503, vec![]));
}

#[test]
fn a_body_is_read_once_with_the_limit_of_its_route() {
    let service = service();
    let key = [("authorization", "Bearer sk_test_entgate")];
    for (path, limit) in [
        ("/v1/check", MAX_BATCH_BYTES),
        ("/v1/tokens", MAX_BODY_BYTES),
        ("/v1/customers/cus_ada/sync", MAX_BODY_BYTES),
        ("/v1/customers/cus_ada/overrides", MAX_OVERRIDE_BYTES),
        ("/v1/customers/cus_ada/overrides/ovr_1", MAX_OVERRIDE_BYTES),
        ("/ofrep/v1/evaluate/flags", MAX_BODY_BYTES),
        ("/ofrep/v1/evaluate/flags/sms", MAX_BODY_BYTES),
    ] {
        let (_, limits) = send_observed(&service, ("POST", path), &key, Ok(b"{}".to_vec()));
        assert_eq!(limits, [limit], "{path}");
    }
    assert_eq!(
        [MAX_WEBHOOK_BYTES, MAX_BATCH_BYTES, MAX_BODY_BYTES, MAX_CATALOG_BYTES, MAX_OVERRIDE_BYTES],
        [1_048_576, 1_048_576, 65_536, 262_144, 262_144]
    );
}

#[test]
fn a_body_that_is_too_long_too_slow_or_cut_has_an_error_of_its_own() {
    let service = service();
    let key = [("authorization", "Bearer sk_test_entgate")];
    for (error, status, text) in [
        (
            Error::TooLarge { limit: 65_536 },
            413,
            "The body is longer than 65536 bytes, the maximum.",
        ),
        (
            Error::TimedOut,
            408,
            "The body did not arrive within 10 s. Send the request again, with its whole body at once.",
        ),
        (Error::Interrupted, 400, "The body ended early."),
    ] {
        let (response, _) = send_observed(&service, ("POST", "/v1/tokens"), &key, Err(error));
        assert_eq!((response.status().as_u16(), message(&response)), (status, text.to_owned()));
        let path = "/ofrep/v1/evaluate/flags";
        let (response, _) = send_observed(&service, ("POST", path), &key, Err(error));
        let body: Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!(response.status().as_u16(), 400);
        assert_eq!(
            (&body["errorCode"], &body["errorDetails"]),
            (&"PARSE_ERROR".into(), &text.into())
        );
    }
}

#[test]
fn a_body_at_the_limit_of_its_route_is_accepted_and_one_byte_more_returns_413() {
    let service = configured(&[
        ("ENTGATE_API_KEYS", "sk_test_entgate"),
        ("ENTGATE_TOKEN_SECRETS", "secret-of-32-characters-number-1"),
    ]);
    let key = [("authorization", "Bearer sk_test_entgate")];
    for (path, form, limit) in [
        ("/v1/tokens", "customer=cus_ada", 65_536),
        ("/v1/check", "customer=cus_ada&feature=sms", 1_048_576),
    ] {
        let at_limit = format!("{form}{}", "&".repeat(limit - form.len()));
        let answer = service.request("POST", path, &key, at_limit.as_bytes());
        assert_eq!(answer.status, 200, "{path}");
        let answer = service.request("POST", path, &key, format!("{at_limit}&").as_bytes());
        let text = format!("The body is longer than {limit} bytes, the maximum.");
        assert_eq!((answer.status, answer.error("message")), (413, text.as_str()), "{path}");
    }
}
