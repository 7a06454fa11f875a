//! `GET /v1/activity`: recent events and reconciliations of one mode, newest first.

use entgate::{
    customer_index::{ActivityId, MAX_NUMBER, SHARD_COUNT, Shard},
    entitlement::{SummaryPage, Version},
    id::UnixMillis,
    json::from_slice,
    ledger::{
        Activity, ActivityKind, AppliedEvent, ApplyOutcome, ApplyReceipt, EventOrigin, KeyChange,
        Reconciliation,
    },
    store::memory::Fault,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{
    Answer, LIVE_KEY, NOW, Service, customer, event, grants, service, service_with_stripe, summary,
};

const PATH: &str = "/v1/activity";

/// The listed outcomes, newest first.
fn outcomes(answer: &Answer) -> Vec<&str> {
    let data = answer.body["data"].as_array().unwrap();
    data.iter().map(|item| item["outcome"].as_str().unwrap()).collect()
}

/// The listed ids, and whether there are more.
fn page(service: &Service, query: &str) -> (Vec<String>, bool) {
    let answer = service.get(&format!("{PATH}?{query}"));
    assert_eq!(answer.status, 200, "{query}: {}", answer.body);
    let data = answer.body["data"].as_array().unwrap();
    let ids = data.iter().map(|item| item["id"].as_str().unwrap().to_owned());
    (ids.collect(), answer.body["has_more"].as_bool().unwrap())
}

/// The id of Ada's entry with this number, which is of this time. Her shard is 25.
fn ada_id(at: u64, number: u64) -> String {
    format!("act_{at}_25_{number}")
}

/// The id of one of these entries.
fn id(number: u64) -> String {
    ada_id(NOW_MILLIS - 1_000 + number, number)
}

/// A deployment with so many entries of Ada, from one second ago.
fn service_with_entries(count: u64) -> Service {
    let service = service();
    for version in 1..=count {
        let (kind, at) = (ActivityKind::Confirmed, UnixMillis(NOW_MILLIS - 1_000 + version));
        let activity = Activity { kind, version: Version(version), at, change: None };
        service.store.customer_index.record_activity(&customer("cus_ada"), activity);
    }
    service
}

const NOW_MILLIS: u64 = NOW.0.cast_unsigned() * 1_000;

#[test]
fn the_outcome_of_each_event_is_listed_newest_first() {
    let service = service();
    let grant = event("cus_ada", 1_700_000_000, &["sms"], false);
    for event in [
        &grant,
        &grant,
        &event("cus_ada", 1_700_000_001, &["sms"], false),
        &event("cus_ada", 1_699_999_999, &[], false),
    ] {
        assert_eq!(service.stripe_sends(event).status, 200);
    }
    let answer = service.get(PATH);
    assert_eq!(outcomes(&answer), ["stale", "unchanged", "duplicate", "applied"]);
    let oldest = json!({
        "id": ada_id(NOW_MILLIS, 1),
        "object": "activity",
        "livemode": false,
        "customer": "cus_ada",
        "event": grant["id"],
        "event_created": 1_700_000_000,
        "outcome": "applied",
        "origin": "delivery",
        "added": ["sms"],
        "removed": [],
        "added_count": 1,
        "removed_count": 0,
        "version": 1,
        "at": NOW.0 * 1_000,
    });
    assert_eq!((answer.status, &answer.body["data"][3]), (200, &oldest));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let Value::Object(mut list) = answer.body else { panic!("a list") };
    list.remove("data");
    let month = 30 * 24 * 60 * 60;
    let complete_since = (NOW.0 - month) * 1_000;
    let expected = json!({
        "object": "list", "has_more": false, "url": PATH, "complete_since": complete_since,
    });
    assert_eq!(Value::from(list), expected);
}

#[test]
fn a_rejected_event_is_not_listed() {
    let service = service();
    let grant = event("cus_ada", 1_700_000_000, &["sms"], false);
    service.store.ledger.fail_next(Fault::Before);
    assert_eq!(service.stripe_sends(&grant).status, 503);
    assert_eq!(service.receives(&grant.to_string(), "t=1,v1=00").status, 400);
    assert_eq!(outcomes(&service.get(PATH)), Vec::<&str>::new());
}

#[test]
fn a_read_of_the_source_is_listed_if_the_customer_is_known() {
    let service = service_with_stripe();
    service.stripe().set_entitlements("cus_ada", grants(&["sms"]));
    for customer in ["cus_ada", "cus_unknown"] {
        service.get(&format!("/v1/check?customer={customer}&feature=sms&fresh=true"));
    }
    service.store.replicate();
    let answer = service.get(PATH);
    let expected = json!([{
        "id": ada_id(NOW_MILLIS, 1),
        "object": "activity",
        "livemode": false,
        "customer": "cus_ada",
        "event": null,
        "event_created": null,
        "outcome": "corrected",
        "origin": null,
        "added": ["sms"],
        "removed": [],
        "added_count": 1,
        "removed_count": 0,
        "version": 1,
        "at": NOW.0 * 1_000,
    }]);
    assert_eq!(answer.body["data"], expected);
}

/// The outcomes of the entries with what they added and removed, oldest first.
fn changes(service: &Service) -> Value {
    let answer = service.get(PATH);
    let entries = answer.body["data"].as_array().unwrap().iter().rev();
    let members = ["outcome", "added", "removed", "added_count", "removed_count"];
    entries.map(|entry| json!(members.map(|member| &entry[member]))).collect()
}

#[test]
fn an_entry_has_what_it_added_and_removed() {
    let service = service_with_stripe();
    let second = NOW.0 + 1;
    service.stripe_sends(&event("cus_ada", second, &["a", "b"], false));
    service.stripe_sends(&event("cus_ada", second + 1, &["b"], false));
    service.stripe_sends(&event("cus_ada", second + 2, &["b"], false));
    service.stripe().set_entitlements("cus_ada", grants(&["c"]));
    for _ in 0..2 {
        let target = "/v1/customers/cus_ada/sync";
        assert_eq!(service.post_json(target, &json!({})).status, 200);
    }
    service.store.replicate();
    let expected = json!([
        ["applied", ["a", "b"], [], 2, 0],
        ["applied", [], ["a"], 0, 1],
        ["unchanged", [], [], 0, 0],
        ["corrected", ["c"], ["b"], 1, 1],
        ["confirmed", [], [], 0, 0],
    ]);
    assert_eq!(changes(&service), expected);
}

#[test]
fn a_change_of_more_than_1000_keys_is_counted() {
    for count in [1_000, 1_001] {
        let service = service();
        let keys: Vec<_> = (0..count).map(|key| format!("f{key:04}")).collect();
        let keys: Vec<_> = keys.iter().map(String::as_str).collect();
        service.stripe_sends(&event("cus_ada", 1_700_000_000, &keys, false));
        let lists =
            if count == 1_000 { (json!(keys), json!([])) } else { (json!(null), json!(null)) };
        let expected = json!([["applied", lists.0, lists.1, count, 0]]);
        assert_eq!(changes(&service), expected, "{count}");
    }
}

#[test]
fn a_reconciliation_is_an_entry_if_it_had_a_result() {
    let (version, at) = (Version(7), UnixMillis(5));
    let change = KeyChange::Counts { added: 1, removed: 1_000 };
    for (reconciliation, entry) in [
        (Reconciliation::InSync, Some((ActivityKind::Confirmed, None))),
        (
            Reconciliation::Corrected(change.clone()),
            Some((ActivityKind::Corrected, Some(change.clone()))),
        ),
        (
            Reconciliation::Drifted(change.clone()),
            Some((ActivityKind::Drift, Some(change.clone()))),
        ),
        (Reconciliation::Superseded, None),
        (Reconciliation::UnknownCustomer, None),
        (Reconciliation::NotFoundAtSource, None),
    ] {
        let expected = entry.map(|(kind, change)| Activity { kind, version, at, change });
        assert_eq!(
            Activity::from_reconciliation(&reconciliation, version, at),
            expected,
            "{reconciliation:?}"
        );
    }
}

#[test]
fn an_entry_is_encoded_and_decoded_as_json() {
    let summary = summary("evt_1", -1, SummaryPage::Complete(vec![]));
    let receipt = |outcome| ApplyReceipt { outcome, version: Version(u64::MAX) };
    for (outcome, name) in [
        (ApplyOutcome::Applied, "applied"),
        (ApplyOutcome::Unchanged, "unchanged"),
        (ApplyOutcome::Duplicate, "duplicate"),
        (ApplyOutcome::Stale, "stale"),
        (ApplyOutcome::Deferred, "deferred"),
        (ApplyOutcome::Failed, "failed"),
    ] {
        let change = (outcome == ApplyOutcome::Applied).then(|| KeyChange::Keys {
            added: vec!["sms".try_into().unwrap()],
            removed: vec!["a \"key\"".try_into().unwrap()],
        });
        let applied = AppliedEvent { receipt: receipt(outcome), change };
        let activity =
            Activity::from_event(&summary, applied, EventOrigin::Poll, UnixMillis(u64::MAX));
        assert_eq!(activity.outcome().as_str(), name);
        let json = serde_json::to_string(&activity).unwrap();
        assert_eq!(from_slice::<Activity>(json.as_bytes()), Ok(activity));
    }
}

#[test]
fn a_page_continues_after_the_last_one_although_there_are_new_entries() {
    let service = service_with_entries(12);
    let ids = |range: std::ops::RangeInclusive<u64>| range.rev().map(id).collect::<Vec<_>>();
    let after = |number| format!("starting_after={}", id(number));
    let before = |number| format!("ending_before={}", id(number));
    assert_eq!(page(&service, ""), (ids(3..=12), true), "ten by default");
    service.stripe_sends(&event("cus_ada", 1_700_000_000, &["sms"], false));
    assert_eq!(page(&service, &after(3)), (ids(1..=2), false));
    assert_eq!(page(&service, &before(12)), (vec![ada_id(NOW_MILLIS, 13)], false));
    assert_eq!(page(&service, &format!("{}&limit=2", before(9))), (ids(10..=11), true));
    assert_eq!(page(&service, &before(1_013)), (vec![], false), "an id of the future");
}

#[test]
fn the_list_is_filtered_by_customer_and_mode() {
    let service = service();
    for customer in ["cus_ada", "cus_bob", "cus_ada"] {
        let created = 1_700_000_000;
        service.stripe_sends(&event(customer, created, &["sms"], false));
    }
    let bob = format!("act_{NOW_MILLIS}_22_1");
    assert_eq!(page(&service, "customer=cus_bob"), (vec![bob.clone()], false));
    let (ids, _) = page(&service, "customer=cus_ada");
    let of_ada = [ada_id(NOW_MILLIS, 2), ada_id(NOW_MILLIS, 1)];
    assert_eq!(ids, of_ada);
    let all = [&of_ada[..], &[bob]].concat();
    assert_eq!(page(&service, ""), (all, false), "of one time: by shard");
    assert_eq!(page(&service, "customer=cus_eve"), (vec![], false));
    let live = [("authorization", &*format!("Bearer {LIVE_KEY}"))];
    let answer = service.request("GET", PATH, &live, b"");
    assert_eq!((answer.status, &answer.body["data"]), (200, &json!([])));
}

#[test]
fn the_list_is_filtered_by_outcome_feature_and_time() {
    let mut service = service();
    service.stripe_sends(&event("cus_ada", 1_700_000_000, &["sms", "sso"], false));
    service.now.0 += 1;
    service.stripe_sends(&event("cus_ada", 1_700_000_001, &["sso"], false));
    service.now.0 += 1;
    service.stripe_sends(&event("cus_ada", 1_700_000_000, &["fax"], false));
    let at = |later: i64| (NOW.0 + later) * 1_000;
    for (query, expected) in [
        ("outcome=applied".to_owned(), &["applied", "applied"][..]),
        ("outcome=stale".to_owned(), &["stale"]),
        ("outcome=drift".to_owned(), &[]),
        ("feature=sms".to_owned(), &["applied", "applied"]),
        ("feature=sso".to_owned(), &["applied"]),
        ("feature=fax".to_owned(), &[]),
        (format!("from={}", at(1)), &["stale", "applied"]),
        (format!("from={}", at(1) + 1), &["stale"]),
        (format!("until={}", at(1)), &["applied", "applied"]),
        (format!("until={}", at(1) - 1), &["applied"]),
        (format!("feature=sms&outcome=applied&from={0}&until={0}", at(1)), &["applied"]),
    ] {
        assert_eq!(outcomes(&service.get(&format!("{PATH}?{query}"))), expected, "{query}");
    }
}

#[test]
fn an_invalid_parameter_is_rejected_by_name() {
    let service = service_with_entries(3);
    let no_such = |id: &str| format!("No such activity: '{id}'");
    for (query, code, param, message) in [
        ("ending_before=act_0_0_1x", "resource_missing", "ending_before", no_such("act_0_0_1x")),
        ("ending_before=act_1_32_1", "resource_missing", "ending_before", no_such("act_1_32_1")),
        ("starting_after=act_1_1_0", "resource_missing", "starting_after", no_such("act_1_1_0")),
        ("ending_before=act_03_1_1", "resource_missing", "ending_before", no_such("act_03_1_1")),
        ("ending_before=evt_3", "resource_missing", "ending_before", no_such("evt_3")),
        (
            "outcome=lost",
            "parameter_invalid",
            "outcome",
            "Invalid outcome: must be one of applied, unchanged, duplicate, stale, deferred, failed, \
             confirmed, corrected, drift"
                .to_owned(),
        ),
        (
            "from=now",
            "parameter_invalid_integer",
            "from",
            "Invalid integer: now".to_owned(),
        ),
        (
            "feature=",
            "parameter_invalid_empty",
            "feature",
            "You passed an empty string for 'feature'. Leave it out, or give it a value."
                .to_owned(),
        ),
        (
            "limit=101",
            "parameter_invalid_integer",
            "limit",
            "This value must be less than or equal to 100 (it currently is '101').".to_owned(),
        ),
        (
            "customer=",
            "parameter_invalid_empty",
            "customer",
            "You passed an empty string for 'customer'. Leave it out, or give it a value."
                .to_owned(),
        ),
        (
            "event=evt_1",
            "parameter_unknown",
            "event",
            "Received unknown parameter: event".to_owned(),
        ),
    ] {
        let answer = service.get(&format!("{PATH}?{query}"));
        answer.assert_refuses(param, code, &message, query);
    }
}

#[test]
fn a_failed_customer_index_is_a_503_and_fails_no_event() {
    let service = service();
    service.store.customer_index.fail_next(Fault::Before);
    let answer = service.get(PATH);
    let error = (answer.status, answer.error("type"), answer.error("message"));
    assert_eq!(error, (503, "api_error", "The customer index cannot be read at the moment."));
    service.store.customer_index.fail_next(Fault::Before);
    assert_eq!(service.stripe_sends(&event("cus_ada", 1, &["sms"], false)).status, 200);
}

proptest! {
    #[test]
    fn an_id_parses_to_itself(
        received_at in 0..=MAX_NUMBER, shard in 0..SHARD_COUNT, number in 1..=MAX_NUMBER,
    ) {
        let shard = Shard::from_number(shard).unwrap();
        let id = ActivityId { received_at: UnixMillis(received_at), shard, number };
        prop_assert_eq!(ActivityId::parse(&id.to_string()), Some(id));
    }

    #[test]
    fn only_a_canonical_id_parses(string in "act_[+-]?[0-9 ]{1,17}_[0-9]{1,3}_[+]?[0-9]{1,17}(_1)?") {
        if let Some(id) = ActivityId::parse(&string) {
            prop_assert_eq!(id.to_string(), string);
        }
    }
}
