//! `GET /v1/customers/{customer}/history`: the changes of one customer, with their causes.

use entgate::store::memory::Fault;
use serde_json::{Value, json};

use crate::support::{
    Service, configured, draw_distinct_numbers, event, grants, service, service_with_stripe,
};

const PATH: &str = "/v1/customers/cus_ada/history";

/// Creates an override, and returns its id.
#[track_caller]
fn create_override(service: &Service, form: &str) -> String {
    let headers = [("authorization", "Bearer sk_test_entgate")];
    let target = "/v1/customers/cus_ada/overrides";
    let answer = service.request("POST", target, &headers, form.as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body["id"].as_str().unwrap().to_owned()
}

#[track_caller]
fn history(service: &Service, query: &str) -> Value {
    let answer = service.get(&format!("{PATH}?{query}"));
    assert_eq!(answer.status, 200, "{query}: {}", answer.body);
    answer.body
}

fn ids(list: &Value) -> Vec<&str> {
    list["data"].as_array().unwrap().iter().map(|entry| entry["id"].as_str().unwrap()).collect()
}

/// A history with the versions 1 to 4, of events at different times.
fn with_four_changes() -> Service {
    let service = service();
    for (created, keys) in [
        (1_700_000_010, &["a"][..]),
        (1_700_000_020, &["a", "b"]),
        (1_700_000_030, &["b"]),
        (1_700_000_040, &[]),
    ] {
        let answer = service.stripe_sends(&event("cus_ada", created, keys, false));
        assert_eq!(answer.body["outcome"], "applied");
    }
    service
}

#[test]
fn an_entry_has_its_cause_and_what_it_changed() {
    draw_distinct_numbers();
    let service = service_with_stripe();
    service.stripe().set_entitlements("cus_ada", grants(&["sms"]));
    let sent = service.stripe_sends(&event("cus_ada", 1_700_000_000, &["sms"], false));
    let form = "feature=export&effect=grant&reason=Trial&actor=ada@example.com";
    let granted = create_override(&service, form);
    let list = history(&service, "limit=2");
    assert_eq!(
        list,
        json!({
            "object": "list",
            "data": [
                {
                    "id": "chg_2",
                    "object": "entitlement_change",
                    "customer": "cus_ada",
                    "livemode": false,
                    "created": 1_700_000_100,
                    "version": 2,
                    "cause": { "type": "override", "id": granted, "actor": "ada@example.com" },
                    "added": ["export"],
                    "removed": [],
                    "added_count": 1,
                    "removed_count": 0,
                },
                {
                    "id": "chg_1",
                    "object": "entitlement_change",
                    "customer": "cus_ada",
                    "livemode": false,
                    "created": 1_700_000_100,
                    "version": 1,
                    "cause": { "type": "event", "id": sent.body["event"], "actor": null },
                    "added": ["sms"],
                    "removed": [],
                    "added_count": 1,
                    "removed_count": 0,
                },
            ],
            "has_more": false,
            "url": PATH,
        })
    );
}

#[test]
fn a_change_without_an_effect_has_an_entry_too() {
    draw_distinct_numbers();
    let service = service_with_stripe();
    service.stripe().set_entitlements("cus_ada", grants(&["sms"]));
    service.stripe_sends(&event("cus_ada", 1_700_000_000, &["sms"], false));
    create_override(&service, "feature=sms&effect=grant&reason=Trial");
    let entry = &history(&service, "limit=1")["data"][0];
    assert_eq!(json!([entry["added"], entry["removed"]]), json!([[], []]));
    assert_eq!(entry["cause"]["actor"], "sk_test_****");
}

#[test]
fn pages_are_newest_first_and_continue_at_a_cursor() {
    let service = with_four_changes();
    for (query, expected, has_more) in [
        ("", &["chg_4", "chg_3", "chg_2", "chg_1"][..], false),
        ("limit=2", &["chg_4", "chg_3"], true),
        ("limit=2&starting_after=chg_3", &["chg_2", "chg_1"], false),
        ("limit=1&starting_after=chg_3", &["chg_2"], true),
        ("limit=2&ending_before=chg_1", &["chg_3", "chg_2"], true),
        ("limit=3&ending_before=chg_1", &["chg_4", "chg_3", "chg_2"], false),
        ("starting_after=chg_9", &["chg_4", "chg_3", "chg_2", "chg_1"], false),
        ("ending_before=chg_4", &[], false),
    ] {
        let list = history(&service, query);
        assert_eq!(
            (ids(&list), list["has_more"].as_bool()),
            (expected.to_vec(), Some(has_more)),
            "{query}"
        );
    }
}

#[test]
fn a_history_is_selected_by_when_the_changes_took_effect() {
    let mut service = service_with_stripe();
    for (created, keys) in
        [(1_700_000_100, &["a"][..]), (1_700_000_200, &["b"]), (1_700_000_300, &["c"])]
    {
        service.now = entgate::id::Timestamp(created);
        service.stripe().set_clock(service.now.into());
        service.stripe().set_entitlements("cus_ada", grants(keys));
        let headers = [("authorization", "Bearer sk_test_entgate")];
        let synced = service.request("POST", "/v1/customers/cus_ada/sync", &headers, b"");
        assert_eq!(synced.status, 200, "{}", synced.body);
    }
    for (query, expected) in [
        ("created=1700000200", &["chg_2"][..]),
        ("created=1700000201", &[]),
        ("created[gte]=1700000200", &["chg_3", "chg_2"]),
        ("created[gt]=1700000200", &["chg_3"]),
        ("created[lte]=1700000200", &["chg_2", "chg_1"]),
        ("created[lt]=1700000200", &["chg_1"]),
        ("created[gt]=1700000100&created[lt]=1700000300", &["chg_2"]),
        ("created[gte]=1700000100&limit=1&starting_after=chg_3", &["chg_2"]),
    ] {
        assert_eq!(ids(&history(&service, query)), expected, "{query}");
    }
}

#[test]
fn a_change_of_more_than_a_thousand_keys_has_only_their_numbers() {
    for (count, is_listed) in [(1_000, true), (1_001, false)] {
        let service = service_with_stripe();
        let keys: Vec<_> = (0..count).map(|index| format!("key_{index}")).collect();
        let keys: Vec<_> = keys.iter().map(String::as_str).collect();
        service.stripe().set_entitlements("cus_ada", grants(&keys));
        let headers = [("authorization", "Bearer sk_test_entgate")];
        let synced = service.request("POST", "/v1/customers/cus_ada/sync", &headers, b"");
        assert_eq!(synced.status, 200, "{}", synced.body);
        let entry = &history(&service, "")["data"][0];
        assert_eq!(json!([entry["added_count"], entry["removed_count"]]), json!([count, 0]));
        assert_eq!(entry["added"].is_array(), is_listed, "{count}");
        assert_eq!(entry["removed"].is_array(), is_listed, "{count}");
        assert_eq!(entry["cause"]["type"], "read");
    }
}

#[test]
fn a_customer_without_any_data_has_no_history() {
    for source in ["stripe", "catalog"] {
        let service =
            configured(&[("ENTGATE_API_KEYS", "sk_test_entgate"), ("ENTGATE_SOURCE", source)]);
        let expected = json!({ "object": "list", "data": [], "has_more": false, "url": PATH });
        assert_eq!(history(&service, ""), expected, "{source}");
    }
}

#[test]
fn an_invalid_parameter_is_rejected_by_name() {
    let service = service();
    for (query, param, code, message) in [
        (
            "starting_after=ovr_1",
            "starting_after",
            "resource_missing",
            "No such entitlement_change: 'ovr_1'",
        ),
        (
            "ending_before=chg_-1",
            "ending_before",
            "resource_missing",
            "No such entitlement_change: 'chg_-1'",
        ),
        ("created=today", "created", "parameter_invalid_integer", "Invalid integer: today"),
        (
            "created[eq]=1",
            "created[eq]",
            "parameter_unknown",
            "Received unknown parameter: created[eq]",
        ),
        ("cause=event", "cause", "parameter_unknown", "Received unknown parameter: cause"),
    ] {
        service.get(&format!("{PATH}?{query}")).assert_refuses(param, code, message, query);
    }
}

#[test]
fn a_ledger_that_fails_is_a_503() {
    let service = service();
    service.store.ledger.fail_next(Fault::Before);
    let answer = service.get(PATH);
    assert_eq!((answer.status, answer.error("type")), (503, "api_error"));
}
