//! `GET /v1/sync_status`: the known customers of one mode, by id, by problem and by the next end of an override.

use entgate::{
    id::{CustomerId, CustomerKey, Livemode, Timestamp, UnixMillis},
    ledger::{StatusReport, SyncProblem, SyncStatus},
    pagination::prefix_upper_bound,
    store::memory::Fault,
};
use proptest::prelude::*;
use serde_json::json;

use crate::support::{NOW, Service, customer, event, service};

const PATH: &str = "/v1/sync_status";

/// The listed ids, and whether there are more.
fn page(service: &Service, query: &str) -> (Vec<String>, bool) {
    let answer = service.get(&format!("{PATH}?{query}"));
    assert_eq!(answer.status, 200, "{query}: {}", answer.body);
    let data = answer.body["data"].as_array().unwrap();
    let ids = data.iter().map(|item| item["id"].as_str().unwrap().to_owned());
    (ids.collect(), answer.body["has_more"].as_bool().unwrap())
}

#[test]
fn known_customers_are_listed_with_their_sync_status() {
    let service = service();
    service.stripe_sends(&event("cus_bob", 1_700_000_000, &["sms"], false));
    let status = SyncStatus {
        confirmed_at: Some(UnixMillis::from(NOW).saturating_add(999)),
        pending: 2,
        pending_since: Some(UnixMillis(1_999)),
        problem: Some(SyncProblem::KeyRefused),
        next_override_end: Some(NOW.saturating_add(60)),
    };
    service.store.customer_index.record_at(
        &customer("cus_ada"),
        &StatusReport { status, ..StatusReport::default() },
        UnixMillis(5_999),
    );
    assert_eq!(
        service.get(PATH).body,
        json!({
            "object": "list",
            "data": [
                {
                    "id": "cus_ada",
                    "object": "customer_sync_status",
                    "livemode": false,
                    "confirmed_at": NOW,
                    "pending": 2,
                    "pending_since": 1,
                    "problem": "key_refused",
                    "problem_since": 5,
                    "next_override_end": NOW.0 + 60,
                    "cursor": "cus_ada",
                },
                {
                    "id": "cus_bob",
                    "object": "customer_sync_status",
                    "livemode": false,
                    "confirmed_at": null,
                    "pending": 0,
                    "pending_since": null,
                    "problem": null,
                    "problem_since": null,
                    "next_override_end": null,
                    "cursor": "cus_bob",
                },
            ],
            "has_more": false,
            "url": PATH,
        })
    );
}

#[test]
fn pages_are_in_the_order_of_ids_and_can_be_filtered_by_prefix() {
    let service = service();
    for id in ["cus_b", "user_2", "cus_a", "user_1", "cus_c"] {
        service.stripe_sends(&event(id, 1_700_000_000, &[], false));
    }
    let live =
        CustomerKey { livemode: Livemode::Live, id: CustomerId::try_from("cus_live").unwrap() };
    service.store.customer_index.record(&live, &StatusReport::default());
    for (query, expected, has_more) in [
        ("", &["cus_a", "cus_b", "cus_c", "user_1", "user_2"][..], false),
        ("limit=2", &["cus_a", "cus_b"], true),
        ("limit=2&starting_after=cus_b", &["cus_c", "user_1"], true),
        ("limit=2&starting_after=cus_bb", &["cus_c", "user_1"], true),
        ("limit=2&ending_before=user%5F1", &["cus_b", "cus_c"], true),
        ("limit=3&ending_before=user%5F1", &["cus_a", "cus_b", "cus_c"], false),
        ("prefix=user_", &["user_1", "user_2"], false),
        ("prefix=cus_&starting_after=cus_b", &["cus_c"], false),
        ("prefix=CUS_", &[], false),
        ("prefix=%25", &[], false),
    ] {
        let expected: Vec<_> = expected.iter().map(ToString::to_string).collect();
        assert_eq!(page(&service, query), (expected, has_more), "{query}");
    }
}

#[test]
fn problems_are_listed_by_their_age_and_continue_after_a_cursor() {
    let service = service();
    let report = |id: &str, pending, at| {
        let status = SyncStatus { pending, ..SyncStatus::default() };
        let report = StatusReport { status, ..StatusReport::default() };
        service.store.customer_index.record_at(&customer(id), &report, UnixMillis(at));
    };
    for (id, pending, at) in
        [("cus_new", 1, 9), ("cus_ok", 0, 1), ("cus_old", 1, 5), ("cus_mid", 2, 5)]
    {
        report(id, pending, at);
    }
    let cursors = |query: &str| {
        let answer = service.get(&format!("{PATH}?{query}"));
        assert_eq!(answer.status, 200, "{query}: {}", answer.body);
        let data = answer.body["data"].as_array().unwrap().clone();
        let cursors = data.iter().map(|item| item["cursor"].as_str().unwrap().to_owned());
        cursors.collect::<Vec<_>>()
    };
    assert_eq!(cursors("problem=any"), ["5_cus_mid", "5_cus_old", "9_cus_new"]);
    assert_eq!(cursors("problem=pending&limit=1"), ["5_cus_mid"]);
    report("cus_mid", 0, 10);
    assert_eq!(cursors("problem=any&starting_after=5_cus_mid"), ["5_cus_old", "9_cus_new"]);
    assert_eq!(cursors("problem=any&ending_before=9_cus_new"), ["5_cus_old"]);
    assert_eq!(cursors("problem=any&prefix=cus_n"), ["9_cus_new"]);
    assert_eq!(cursors("problem=key_refused"), Vec::<String>::new());
}

#[test]
fn overrides_that_end_before_a_time_are_listed_by_their_end_and_continue_after_a_cursor() {
    let service = service();
    let report = |id: &str, end: Option<i64>| {
        let next_override_end = end.map(Timestamp);
        let status = SyncStatus { next_override_end, ..SyncStatus::default() };
        let report = StatusReport { status, ..StatusReport::default() };
        service.store.customer_index.record_at(&customer(id), &report, UnixMillis(1));
    };
    for (id, end) in [
        ("cus_late", Some(9)),
        ("cus_never", None),
        ("cus_soon", Some(5)),
        ("cus_also", Some(5)),
        ("user_1", Some(7)),
    ] {
        report(id, end);
    }
    let cursors = |query: &str| {
        let answer = service.get(&format!("{PATH}?{query}"));
        assert_eq!(answer.status, 200, "{query}: {}", answer.body);
        let data = answer.body["data"].as_array().unwrap().clone();
        let cursors = data.iter().map(|item| item["cursor"].as_str().unwrap().to_owned());
        (cursors.collect::<Vec<_>>(), answer.body["has_more"].as_bool().unwrap())
    };
    let list = |cursors: &[&str], has_more| {
        (cursors.iter().map(ToString::to_string).collect::<Vec<_>>(), has_more)
    };
    let all = ["5_cus_also", "5_cus_soon", "7_user_1", "9_cus_late"];
    assert_eq!(cursors("ends_before=10"), list(&all, false));
    assert_eq!(cursors("ends_before=9"), list(&all[..3], false), "before, not at");
    assert_eq!(cursors("ends_before=5"), list(&[], false));
    assert_eq!(cursors("ends_before=10&limit=1"), list(&all[..1], true));
    assert_eq!(cursors("ends_before=10&prefix=user_"), list(&all[2..3], false));
    assert_eq!(cursors("ends_before=10&ending_before=9_cus_late&limit=2"), list(&all[1..3], true));
    report("cus_also", None);
    report("cus_soon", Some(8));
    assert_eq!(
        cursors("ends_before=10&starting_after=5_cus_also"),
        list(&["7_user_1", "8_cus_soon", "9_cus_late"], false)
    );
    assert_eq!(page(&service, "limit=1"), (vec!["cus_also".to_owned()], true), "still known");
}

#[test]
fn an_invalid_parameter_is_rejected_by_name() {
    let service = service();
    let empty = |param| {
        format!("You passed an empty string for '{param}'. Leave it out, or give it a value.")
    };
    for (query, code, param, message) in [
        ("prefix=", "parameter_invalid_empty", "prefix", empty("prefix")),
        ("starting_after=", "parameter_invalid_empty", "starting_after", empty("starting_after")),
        (
            "ending_before=a%00",
            "parameter_invalid_string",
            "ending_before",
            "Invalid string for 'ending_before': a string with control characters".to_owned(),
        ),
        (
            "problem=any&starting_after=cus_ada",
            "parameter_invalid",
            "starting_after",
            "Invalid starting_after: with `problem`, pass the `cursor` of an item of the same list."
                .to_owned(),
        ),
        (
            "ends_before=9&ending_before=cus_ada",
            "parameter_invalid",
            "ending_before",
            "Invalid ending_before: with `ends_before`, pass the `cursor` of an item of the same list."
                .to_owned(),
        ),
        (
            "ends_before=tomorrow",
            "parameter_invalid_integer",
            "ends_before",
            "Invalid integer: tomorrow".to_owned(),
        ),
        (
            "ends_before=9&problem=any",
            "parameters_exclusive",
            "ends_before",
            "You may only specify one of these parameters: ends_before, problem.".to_owned(),
        ),
        (
            "problem=all",
            "parameter_invalid",
            "problem",
            "Invalid problem: must be one of any, key_refused, unknown_customer, pending".to_owned(),
        ),
        (
            "customer=cus_ada",
            "parameter_unknown",
            "customer",
            "Received unknown parameter: customer".to_owned(),
        ),
    ] {
        let answer = service.get(&format!("{PATH}?{query}"));
        answer.assert_refuses(param, code, &message, query);
    }
}

#[test]
fn a_failed_customer_index_is_a_503() {
    let service = service();
    service.store.customer_index.fail_next(Fault::Before);
    let answer = service.get(PATH);
    assert_eq!((answer.status, answer.error("type")), (503, "api_error"));
}

proptest! {
    #[test]
    fn a_string_with_a_prefix_is_between_the_prefix_and_its_upper_bound(
        prefix in "[a\u{d7ff}\u{e000}\u{10ffff}]{0,3}",
        string in "[ab\u{d7ff}\u{e000}\u{10fffe}\u{10ffff}]{0,5}",
    ) {
        let is_between =
            string >= prefix && prefix_upper_bound(&prefix).is_none_or(|bound| string < bound);
        prop_assert_eq!(is_between, string.starts_with(&prefix));
    }
}
