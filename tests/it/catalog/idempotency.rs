//! Idempotency keys: a request that is repeated with one key is executed once.
//!
//! Specification: <https://docs.stripe.com/api/idempotent_requests>.

use entgate::id::Timestamp;
use serde_json::json;

use super::{
    fixture::{DAY, DECLINED_CARD, fixture},
    test_catalog::{ApiResponse, TestCatalog},
};
use crate::support::NOW;

fn post_with_key(catalog: &TestCatalog, key: &str, target: &str, form: &str) -> ApiResponse {
    catalog.request("POST", target, &[("idempotency-key", key), ("request-id", "req_now")], form)
}

fn header<'a>(response: &'a ApiResponse, name: &str) -> Option<&'a str> {
    response.http.headers().get(name).map(|value| value.to_str().unwrap())
}

fn count_customers(catalog: &TestCatalog) -> usize {
    catalog.get("/v1/customers?limit=100").expect_ok()["data"].as_array().unwrap().len()
}

#[test]
fn a_repeated_request_returns_the_stored_response_byte_for_byte() {
    let catalog = TestCatalog::new();
    let headers = [("idempotency-key", "k"), ("request-id", "req_first")];
    let first = catalog.request("POST", "/v1/customers", &headers, "name=Ada");
    assert_eq!(header(&first, "idempotent-replayed"), None);
    assert_eq!(header(&first, "idempotency-key"), Some("k"));
    let path = format!("/v1/customers/{}", first.body["id"].as_str().unwrap());
    catalog.delete(&path).expect_ok();

    let repeated = post_with_key(&catalog, "k", "/v1/customers", "name=Ada");
    assert_eq!(repeated.http.body(), first.http.body());
    for (name, value) in [
        ("idempotent-replayed", "true"),
        ("original-request", "req_first"),
        ("idempotency-key", "k"),
        ("content-type", header(&first, "content-type").unwrap()),
    ] {
        assert_eq!(header(&repeated, name), Some(value), "{name}");
    }
    assert_eq!(count_customers(&catalog), 0);
}

#[test]
fn a_key_is_bound_to_the_path_the_query_and_the_body_of_one_request() {
    let catalog = TestCatalog::new();
    post_with_key(&catalog, "k", "/v1/customers", "name=Ada").expect_ok();
    let message = "Keys for idempotent requests can only be used with the same parameters they were \
                   first used with. Try using a key other than 'k' if you meant to execute a \
                   different request.";
    for (why, target, form) in [
        ("another body", "/v1/customers", "name=Eve"),
        ("an empty body", "/v1/customers", ""),
        ("a longer body", "/v1/customers", "name=Ada&email=a@a.example"),
        ("another path", "/v1/products", "name=Ada"),
        ("a query", "/v1/customers?expand[]=test_clock", "name=Ada"),
        ("an invalid body", "/v1/customers", "colour=red"),
    ] {
        let rejected = post_with_key(&catalog, "k", target, form);
        assert_eq!(rejected.error(), (400, "", "", message), "{why}");
        assert_eq!(rejected.body["error"]["type"], json!("idempotency_error"), "{why}");
    }
    assert_eq!(count_customers(&catalog), 1);
    let other = post_with_key(&catalog, "K", "/v1/customers", "name=Ada");
    assert_eq!((other.status, count_customers(&catalog)), (200, 2));
}

#[test]
fn requests_with_equal_parameters_are_equal_whatever_their_order_and_encoding() {
    let catalog = TestCatalog::new();
    let target = "/v1/products";
    let json = ("content-type", "application/json");
    let form = "name=Big+Plan&description=All&metadata[a]=1&metadata[b]=2&images[0]=x&images[1]=y";
    let first = post_with_key(&catalog, "k", target, form).expect_ok();
    for (why, headers, target, body) in [
        (
            "another order",
            &[][..],
            target,
            "images[1]=y&metadata[b]=2&description=All&images[0]=x&metadata[a]=1&name=Big+Plan",
        ),
        (
            "another encoding of a space, of brackets and of a letter",
            &[],
            target,
            "n%61me=Big%20Plan&description=All&metadata%5Ba%5D=1&metadata%5Bb%5D=2&images[0]=x\
             &images[1]=y",
        ),
        (
            "lists without indexes",
            &[],
            target,
            "name=Big+Plan&description=All&metadata[a]=1&metadata[b]=2&images[]=x&images[]=y",
        ),
        (
            "a part in the query",
            &[],
            "/v1/products?metadata[b]=2&name=Big%20Plan",
            "description=All&metadata[a]=1&images[0]=x&images[1]=y",
        ),
        (
            "a JSON body",
            &[json],
            target,
            r#"{"images":["x","y"],"metadata":{"b":2,"a":"1"},"name":"Big Plan","url":null,"description":"All"}"#,
        ),
    ] {
        let headers = [&[("idempotency-key", "k")], headers].concat();
        let repeated = catalog.request("POST", target, &headers, body);
        assert_eq!(header(&repeated, "idempotent-replayed"), Some("true"), "{why}");
        assert_eq!(repeated.body, first, "{why}");
    }
    for (why, form) in [
        (
            "another order of a list",
            form.replace("images[0]=x&images[1]=y", "images[0]=y&images[1]=x"),
        ),
        ("a value of another key", form.replace("[a]=1&metadata[b]=2", "[a]=2&metadata[b]=1")),
        ("an empty parameter", format!("{form}&url=")),
        ("a letter in upper case", form.replace("All", "all")),
        ("a boundary elsewhere", form.replace("metadata[a]=1&", "metadata[a]=1%26")),
    ] {
        let rejected = post_with_key(&catalog, "k", target, &form);
        assert_eq!(rejected.body["error"]["type"], json!("idempotency_error"), "{why}");
    }
    assert_eq!(catalog.get(target).expect_ok()["data"].as_array().unwrap().len(), 1);
}

#[test]
fn a_response_is_stored_for_24_hours() {
    let mut catalog = TestCatalog::new();
    let first = post_with_key(&catalog, "k", "/v1/customers", "").expect_ok();
    catalog.now = Timestamp(NOW.0 + DAY - 1);
    assert_eq!(post_with_key(&catalog, "k", "/v1/customers", "").expect_ok(), first);
    assert_eq!(post_with_key(&catalog, "k", "/v1/customers", "name=Ada").status, 400);
    catalog.now = Timestamp(NOW.0 + DAY);
    let second = post_with_key(&catalog, "k", "/v1/customers", "name=Ada");
    assert_eq!(header(&second, "idempotent-replayed"), None);
    let second = second.expect_ok();
    assert_ne!(second["id"], first["id"]);
    catalog.now = Timestamp(NOW.0 + 2 * DAY - 1);
    assert_eq!(post_with_key(&catalog, "k", "/v1/customers", "name=Ada").expect_ok(), second);
}

#[test]
fn an_error_response_is_not_stored() {
    let fixture = fixture();
    let catalog = &fixture.catalog;
    let declined =
        format!("&default_payment_method={DECLINED_CARD}&payment_behavior=error_if_incomplete");
    for (status, target, invalid, valid) in [
        (400, "/v1/products".to_owned(), String::new(), "name=x".to_owned()),
        (
            402,
            "/v1/subscriptions".to_owned(),
            fixture.subscription_form(&declined),
            fixture.subscription_form(""),
        ),
        (400, format!("/v1/prices/{}", fixture.price), "a=1".to_owned(), "active=true".to_owned()),
    ] {
        let key = format!("{target} {status}");
        for _ in 0..2 {
            let rejected = post_with_key(catalog, &key, &target, &invalid);
            assert_eq!((rejected.status, header(&rejected, "idempotent-replayed")), (status, None));
        }
        let response = post_with_key(catalog, &key, &target, &valid);
        assert_eq!(
            (response.status, header(&response, "idempotent-replayed")),
            (200, None),
            "{target}"
        );
        let repeated = post_with_key(catalog, &key, &target, &valid);
        assert_eq!(header(&repeated, "idempotent-replayed"), Some("true"), "{target}");
    }
    let not_found = post_with_key(catalog, "k", "/v1/customers/ada", "name=Ada");
    assert_eq!(not_found.status, 404);
    catalog.create("/v1/customers", "id=ada");
    assert_eq!(
        post_with_key(catalog, "k", "/v1/customers/ada", "name=Ada").expect_ok()["name"],
        json!("Ada")
    );
}

#[test]
fn only_a_post_request_uses_the_key() {
    let catalog = TestCatalog::new();
    post_with_key(&catalog, "k", "/v1/customers", "id=ada").expect_ok();
    let long = "k".repeat(256);
    for key in ["k", &long, ""] {
        let headers = [("idempotency-key", key)];
        let response = catalog.request("GET", "/v1/customers/ada", &headers, "");
        assert_eq!((response.status, header(&response, "idempotency-key")), (200, None));
    }
    let headers = [("idempotency-key", "k")];
    assert_eq!(catalog.request("DELETE", "/v1/customers/ada", &headers, "").status, 200);
    assert_eq!(catalog.request("DELETE", "/v1/customers/ada", &headers, "").status, 404);
    let events = catalog.get("/v1/events?type=customer.deleted").expect_ok();
    assert_eq!(events["data"][0]["request"], json!({ "id": null, "idempotency_key": null }));
}

#[test]
fn a_key_has_1_to_255_ascii_characters() {
    let catalog = TestCatalog::new();
    let message = "The Idempotency-Key must have 1 to 255 characters, all of them ASCII.";
    for (key, is_valid) in [
        ("", false),
        ("k", true),
        (&"k".repeat(255), true),
        (&"k".repeat(256), false),
        ("a key: ~!", true),
        ("schlüssel", false),
    ] {
        let response = post_with_key(&catalog, key, "/v1/customers", "");
        if is_valid {
            assert_eq!(response.status, 200, "{key}");
        } else {
            assert_eq!(response.error(), (400, "", "", message), "{key}");
        }
    }
    assert_eq!(count_customers(&catalog), 3);
}
