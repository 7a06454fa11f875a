//! Which features came in a customer's sets, and what the roster is told of that.

use entgate::ledger::{Jitter, ObservedFeatures, SyncStatus};

use super::{LedgerState, OnDemand, Report, SourceState, after, due, ms, receive, told, whole};
use crate::support::grants;

/// The features that the roster is told of, if it is told of anything.
fn told_of(account: &mut LedgerState, now: u64) -> Option<Vec<String>> {
    let report = account.begin_report()?;
    account.report_succeeded(&report, ms(now));
    Some(report.features.into_iter().map(String::from).collect())
}

#[test]
fn the_roster_is_told_once_of_each_feature_that_came_in_a_set() {
    let mut account = after(&[]);
    receive(&mut account, &whole(0, &["a"]), 0);
    receive(&mut account, &whole(1, &["c", "b"]), 400);
    assert_eq!(told_of(&mut account, 1_000), Some(["a", "b", "c"].map(str::to_owned).into()));

    for (why, keys, due_at, features) in [
        ("fewer", &["b"][..], None, None),
        ("one that was held before", &["a"], None, None),
        ("a new one", &["a", "d"], Some(3_000), Some(vec!["d".to_owned()])),
    ] {
        receive(&mut account, &whole(2, keys), 2_000);
        assert_eq!(due(&account, Report), due_at, "{why}");
        assert_eq!(told_of(&mut account, 3_000), features, "{why}");
    }
}

#[test]
fn a_feature_is_told_of_again_until_the_roster_has_it() {
    let mut account = after(&[whole(0, &["a"])]);
    account.last_report = Some(SyncStatus::default());
    receive(&mut account, &whole(1, &["b"]), 1_000);
    let report = account.begin_report().unwrap();
    account.report_failed(ms(2_000), Jitter(1.0));
    assert_eq!(due(&account, Report), Some(3_000));
    receive(&mut account, &whole(2, &["c"]), 2_500);
    account.report_succeeded(&report, ms(2_600));
    assert_eq!(due(&account, Report), Some(3_600), "the other one came meanwhile");
    assert_eq!(told_of(&mut account, 3_600), Some(vec!["c".to_owned()]));
    assert_eq!(account.begin_report(), None);
}

#[test]
fn a_feature_that_only_the_source_list_contains_is_reported() {
    let mut account = after(&[whole(0, &["a"])]);
    account.last_report = Some(SyncStatus::default());
    told(&mut account, OnDemand, &SourceState::List(grants(&["a", "b"])), 1_000);
    assert_eq!(told_of(&mut account, 2_000), Some(vec!["b".to_owned()]));
}

#[test]
fn as_many_and_as_long_keys_are_noted_as_there_is_room_for() {
    let mut list = grants(&["a", "b"]);
    for (granted, bytes) in
        list.iter_mut().zip([ObservedFeatures::MAX_KEY_LEN, ObservedFeatures::MAX_KEY_LEN + 1])
    {
        granted.lookup_key = "x".repeat(bytes).try_into().unwrap();
    }
    let mut account = after(&[]);
    told(&mut account, OnDemand, &SourceState::List(list), 0);
    assert_eq!(told_of(&mut account, 0), Some(vec!["x".repeat(320)]));

    for (held, noted) in
        [(ObservedFeatures::MAX_FEATURES, 2_000), (ObservedFeatures::MAX_FEATURES + 1, 2_000)]
    {
        let keys: Vec<_> = (0..held).map(|n| format!("f{n}")).collect();
        let keys: Vec<_> = keys.iter().map(String::as_str).collect();
        let mut account = after(&[]);
        receive(&mut account, &whole(0, &keys), 0);
        assert_eq!(told_of(&mut account, 0).map(|told| told.len()), Some(noted));
        receive(&mut account, &whole(1, &["one more"]), 1_000);
        assert_eq!(told_of(&mut account, 0), None);
    }
}
