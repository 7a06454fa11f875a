//! Stripe's list of active entitlements, under both of its paths.

use proptest::prelude::*;
use serde_json::json;

use crate::support::{Service, event, service};

const LIST: &str = "/v1/entitlements/active_entitlements";

/// A deployment where Ada has these features.
fn with(keys: &[&str]) -> Service {
    let service = service();
    service.stripe_sends(&event("cus_ada", 1_700_000_000, keys, false));
    service
}

/// Distinct lookup keys.
fn names(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("f{n}")).collect()
}

#[test]
fn a_list_is_exactly_stripes_and_headers_describe_the_set() {
    let service = with(&["sms", "export"]);
    let answer = service.get(&format!("{LIST}?customer=cus_ada&limit=1"));
    assert_eq!(
        answer.body,
        json!({
            "object": "list",
            "data": [{
                "id": "ent_test_sms",
                "object": "entitlements.active_entitlement",
                "feature": "feat_test_sms",
                "livemode": false,
                "lookup_key": "sms",
            }],
            "has_more": true,
            "url": LIST,
        })
    );
    assert_eq!(answer.header("entgate-version"), Some("1"));
    assert_eq!(answer.header("entgate-as-of"), Some("1700000000"));
    assert_eq!(answer.header("entgate-served-by"), Some("replica"));
}

#[test]
fn the_path_in_a_summary_returns_the_same_list() {
    let service = with(&["sms"]);
    let answer = service.get("/v1/customer/cus_ada/entitlements?limit=3");
    assert_eq!(answer.keys(), ["sms"]);
    assert_eq!(answer.body["url"], "/v1/customer/cus_ada/entitlements");

    let encoded = service.get("/v1/customer/cus%5Fada/entitlements");
    assert_eq!(encoded.keys(), ["sms"]);
}

#[test]
fn an_unknown_customer_has_an_empty_list() {
    let answer = service().get(&format!("{LIST}?customer=cus_new"));
    assert_eq!((answer.status, answer.keys().len()), (200, 0));
    assert_eq!(answer.header("entgate-version"), Some("0"));
    assert_eq!(answer.header("entgate-as-of"), None);
}

#[test]
fn a_page_starts_after_a_cursor_or_ends_before_it() {
    let service = with(&["a", "b", "c", "d", "e"]);
    for (query, keys, has_more) in [
        ("", vec!["a", "b", "c", "d", "e"], false),
        ("&limit=4", vec!["a", "b", "c", "d"], true),
        ("&limit=5", vec!["a", "b", "c", "d", "e"], false),
        ("&limit=2&starting_after=ent_test_b", vec!["c", "d"], true),
        ("&limit=2&starting_after=ent_test_c", vec!["d", "e"], false),
        ("&starting_after=ent_test_e", vec![], false),
        ("&limit=2&ending_before=ent_test_d", vec!["b", "c"], true),
        ("&limit=2&ending_before=ent_test_c", vec!["a", "b"], false),
        ("&ending_before=ent_test_a", vec![], false),
    ] {
        let answer = service.get(&format!("{LIST}?customer=cus_ada{query}"));
        assert_eq!(answer.keys(), keys, "{query}");
        assert_eq!(answer.body["has_more"], has_more, "{query}");
    }
}

#[test]
fn a_page_has_ten_items_by_default_and_a_hundred_at_most() {
    let names = names(101);
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let service = with(&names);
    for (query, count) in [("", 10), ("&limit=1", 1), ("&limit=100", 100)] {
        let answer = service.get(&format!("{LIST}?customer=cus_ada{query}"));
        assert_eq!(answer.keys().len(), count, "{query}");
    }
}

#[test]
fn a_new_entitlement_does_not_shift_the_next_page() {
    let service = with(&["a", "b"]);
    let first = service.get(&format!("{LIST}?customer=cus_ada&limit=1"));
    assert_eq!(first.keys(), ["a"]);
    service.stripe_sends(&event("cus_ada", 1_700_000_001, &["b", "new", "a"], false));

    let rest = service.get(&format!("{LIST}?customer=cus_ada&starting_after=ent_test_a"));
    assert_eq!(rest.keys(), ["b"], "newest first: a new entitlement is before the cursor");
}

#[test]
fn an_invalid_parameter_returns_400_in_stripes_wording() {
    let service = with(&["a"]);
    for (query, code, param, message) in [
        ("limit=10", "parameter_missing", "customer", "Missing required param: customer."),
        (
            "customer=cus_ada&limit=0",
            "parameter_invalid_integer",
            "limit",
            "This value must be greater than or equal to 1 (it currently is '0').",
        ),
        (
            "customer=cus_ada&limit=101",
            "parameter_invalid_integer",
            "limit",
            "This value must be less than or equal to 100 (it currently is '101').",
        ),
        (
            "customer=cus_ada&limit=99999999999999999999999",
            "parameter_invalid_integer",
            "limit",
            "This value must be less than or equal to 100 (it currently is '99999999999999999999999').",
        ),
        (
            "customer=cus_ada&limit=ten",
            "parameter_invalid_integer",
            "limit",
            "Invalid integer: ten",
        ),
        ("customer=cus_ada&limit=", "parameter_invalid_integer", "limit", "Invalid integer: "),
        (
            "customer=cus_ada&starting_after=ent_gone",
            "resource_missing",
            "starting_after",
            "No such active entitlement: 'ent_gone'",
        ),
        (
            "customer=cus_ada&ending_before=ent_gone",
            "resource_missing",
            "ending_before",
            "No such active entitlement: 'ent_gone'",
        ),
        (
            "customer=cus_ada&starting_after=ent_test_a&ending_before=ent_test_a",
            "parameter_invalid",
            "ending_before",
            "You may only specify one of these parameters: ending_before, starting_after.",
        ),
        (
            "customer=cus_ada&created=1",
            "parameter_unknown",
            "created",
            "Received unknown parameter: created",
        ),
        (
            "customer=cus_ada&expand=data.feature",
            "parameter_invalid",
            "expand",
            "Invalid expand: it accepts an array, not a single value.",
        ),
    ] {
        let answer = service.get(&format!("{LIST}?{query}"));
        answer.assert_refuses(param, code, message, query);
    }
}

#[test]
fn expand_is_parsed_in_every_encoding_and_requires_a_stripe_key() {
    let service = with(&["a"]);
    for query in [
        "expand[]=data.feature",
        "expand[0]=data.feature",
        "expand%5B%5D=data.feature",
        "expand%5B0%5D=data.feature",
    ] {
        let answer = service.get(&format!("{LIST}?customer=cus_ada&{query}"));
        assert_eq!((answer.status, answer.error("param")), (400, "expand"), "{query}");
        assert!(answer.error("message").contains("STRIPE_API_KEY"), "{query}");
    }
    let other = service.get(&format!("{LIST}?customer=cus_ada&expand[]=data.customer"));
    assert_eq!(
        other.error("message"),
        "This property cannot be expanded (data.customer). Only data.feature can."
    );
}

proptest! {
    #[test]
    fn pages_of_any_size_add_up_to_the_list_in_both_directions(
        count in 0_usize..60,
        limit in 1_usize..=100,
    ) {
        let names = names(count);
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let service = with(&names);
        let read = |cursor: &str| {
            let answer = service.get(&format!("{LIST}?customer=cus_ada&limit={limit}{cursor}"));
            let keys: Vec<_> = answer.keys().iter().map(ToString::to_string).collect();
            (keys, answer.body["has_more"].as_bool().unwrap())
        };
        let (mut forward, mut has_more) = read("");
        while has_more {
            let last = forward.last().unwrap();
            let (page, rest) = read(&format!("&starting_after=ent_test_{last}"));
            prop_assert!(page.len() <= limit && !page.is_empty());
            forward.extend(page);
            has_more = rest;
        }
        prop_assert_eq!(&forward, &names);

        if let Some(last) = names.last() {
            let mut backward = vec![(*last).to_owned()];
            let mut has_more = true;
            while has_more {
                let (page, rest) = read(&format!("&ending_before=ent_test_{}", backward[0]));
                backward.splice(0..0, page);
                has_more = rest;
            }
            prop_assert_eq!(&backward, &names);
        }
    }
}
