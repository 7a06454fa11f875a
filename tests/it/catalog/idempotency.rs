//! A request that is sent twice under one key is done once.

use entgate::id::Timestamp;
use serde_json::json;

use super::{
    Answer, Shop,
    fixture::{DAY, FAILS, stage},
    shop,
};
use crate::support::NOW;

fn keyed(shop: &Shop, key: &str, target: &str, form: &str) -> Answer {
    shop.request("POST", target, &[("idempotency-key", key), ("request-id", "req_now")], form)
}

fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    answer.response.headers().get(name).map(|value| value.to_str().unwrap())
}

fn customers(shop: &Shop) -> usize {
    shop.get("/v1/customers?limit=100").done()["data"].as_array().unwrap().len()
}

#[test]
fn what_was_answered_is_answered_again_word_for_word() {
    let shop = shop();
    let headers = [("idempotency-key", "k"), ("request-id", "req_first")];
    let first = shop.request("POST", "/v1/customers", &headers, "name=Ada");
    assert_eq!(header(&first, "idempotent-replayed"), None);
    assert_eq!(header(&first, "idempotency-key"), Some("k"));
    let path = format!("/v1/customers/{}", first.body["id"].as_str().unwrap());
    shop.delete(&path).done();

    let again = keyed(&shop, "k", "/v1/customers", "name=Ada");
    assert_eq!(again.response.body(), first.response.body());
    for (name, value) in [
        ("idempotent-replayed", "true"),
        ("original-request", "req_first"),
        ("idempotency-key", "k"),
        ("content-type", header(&first, "content-type").unwrap()),
    ] {
        assert_eq!(header(&again, name), Some(value), "{name}");
    }
    assert_eq!(customers(&shop), 0);
}

#[test]
fn a_key_is_of_one_request_its_path_its_query_and_its_body() {
    let shop = shop();
    keyed(&shop, "k", "/v1/customers", "name=Ada").done();
    let message = "Keys for idempotent requests can only be used with the same parameters they were \
                   first used with. Try using a key other than 'k' if you meant to execute a \
                   different request.";
    for (why, target, form) in [
        ("another body", "/v1/customers", "name=Eve"),
        ("none", "/v1/customers", ""),
        ("more of it", "/v1/customers", "name=Ada&email=a"),
        ("another path", "/v1/products", "name=Ada"),
        ("a query", "/v1/customers?expand[]=test_clock", "name=Ada"),
        ("one that would be refused", "/v1/customers", "colour=red"),
    ] {
        let refused = keyed(&shop, "k", target, form);
        assert_eq!(refused.refusal(), (400, "", "", message), "{why}");
        assert_eq!(refused.body["error"]["type"], json!("idempotency_error"), "{why}");
    }
    assert_eq!(customers(&shop), 1);
    let other = keyed(&shop, "K", "/v1/customers", "name=Ada");
    assert_eq!((other.status, customers(&shop)), (200, 2));
}

#[test]
fn an_answer_is_kept_for_24_hours() {
    let mut shop = shop();
    let first = keyed(&shop, "k", "/v1/customers", "").done();
    shop.now = Timestamp(NOW.0 + DAY - 1);
    assert_eq!(keyed(&shop, "k", "/v1/customers", "").done(), first);
    assert_eq!(keyed(&shop, "k", "/v1/customers", "name=Ada").status, 400);
    shop.now = Timestamp(NOW.0 + DAY);
    let second = keyed(&shop, "k", "/v1/customers", "name=Ada");
    assert_eq!(header(&second, "idempotent-replayed"), None);
    let second = second.done();
    assert_ne!(second["id"], first["id"]);
    shop.now = Timestamp(NOW.0 + 2 * DAY - 1);
    assert_eq!(keyed(&shop, "k", "/v1/customers", "name=Ada").done(), second);
}

#[test]
fn what_was_refused_is_not_kept() {
    let stage = stage();
    let shop = &stage.shop;
    let declined = format!("&default_payment_method={FAILS}&payment_behavior=error_if_incomplete");
    for (status, target, form, right) in [
        (400, "/v1/products".to_owned(), String::new(), "name=x".to_owned()),
        (402, "/v1/subscriptions".to_owned(), stage.purchase(&declined), stage.purchase("")),
        (400, format!("/v1/prices/{}", stage.price), "a=1".to_owned(), "active=true".to_owned()),
    ] {
        let key = format!("{target} {status}");
        for _ in 0..2 {
            let refused = keyed(shop, &key, &target, &form);
            assert_eq!((refused.status, header(&refused, "idempotent-replayed")), (status, None));
        }
        let done = keyed(shop, &key, &target, &right);
        assert_eq!((done.status, header(&done, "idempotent-replayed")), (200, None), "{target}");
        let again = keyed(shop, &key, &target, &right);
        assert_eq!(header(&again, "idempotent-replayed"), Some("true"), "{target}");
    }
    let gone = keyed(shop, "k", "/v1/customers/ada", "name=Ada");
    assert_eq!(gone.status, 404);
    shop.make("/v1/customers", "id=ada");
    assert_eq!(keyed(shop, "k", "/v1/customers/ada", "name=Ada").done()["name"], json!("Ada"));
}

#[test]
fn only_a_post_looks_at_the_key() {
    let shop = shop();
    keyed(&shop, "k", "/v1/customers", "id=ada").done();
    let long = "k".repeat(256);
    for key in ["k", &long, ""] {
        let headers = [("idempotency-key", key)];
        let read = shop.request("GET", "/v1/customers/ada", &headers, "");
        assert_eq!((read.status, header(&read, "idempotency-key")), (200, None));
    }
    let headers = [("idempotency-key", "k")];
    assert_eq!(shop.request("DELETE", "/v1/customers/ada", &headers, "").status, 200);
    assert_eq!(shop.request("DELETE", "/v1/customers/ada", &headers, "").status, 404);
    let events = shop.get("/v1/events?type=customer.deleted").done();
    assert_eq!(events["data"][0]["request"], json!({ "id": null, "idempotency_key": null }));
}

#[test]
fn a_key_has_1_to_255_characters_all_of_them_ascii() {
    let shop = shop();
    let message = "The Idempotency-Key must have 1 to 255 characters, all of them ASCII.";
    for (key, taken) in [
        ("", false),
        ("k", true),
        (&"k".repeat(255), true),
        (&"k".repeat(256), false),
        ("a key: ~!", true),
        ("schlüssel", false),
    ] {
        let answer = keyed(&shop, key, "/v1/customers", "");
        if taken {
            assert_eq!(answer.status, 200, "{key}");
        } else {
            assert_eq!(answer.refusal(), (400, "", "", message), "{key}");
        }
    }
    assert_eq!(customers(&shop), 3);
}
