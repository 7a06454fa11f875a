//! The features of a customer's sets, and which of them are reported to the customer index.

use entgate::ledger::{Jitter, ObservedFeatures, SyncStatus};

use super::{
    LedgerState, OnDemand, Report, SourceState, apply, complete, due, ms, read_source, source_list,
    state_after,
};
use crate::support::grants;

/// Sends a report that succeeds, and returns its features, or `None` if there is nothing to report.
fn report_features(state: &mut LedgerState, now: u64) -> Option<Vec<String>> {
    let report = state.begin_report()?;
    state.report_succeeded(&report, ms(now));
    Some(report.features.into_iter().map(String::from).collect())
}

#[test]
fn each_feature_is_reported_once() {
    let mut state = state_after(&[]);
    apply(&mut state, &complete(0, &["a"]), 0);
    apply(&mut state, &complete(1, &["c", "b"]), 400);
    assert_eq!(report_features(&mut state, 1_000), Some(["a", "b", "c"].map(str::to_owned).into()));

    for (why, keys, due_at, features) in [
        ("fewer features", &["b"][..], None, None),
        ("an earlier feature", &["a"], None, None),
        ("a new feature", &["a", "d"], Some(3_000), Some(vec!["d".to_owned()])),
    ] {
        apply(&mut state, &complete(2, keys), 2_000);
        assert_eq!(due(&state, Report), due_at, "{why}");
        assert_eq!(report_features(&mut state, 3_000), features, "{why}");
    }
}

#[test]
fn a_feature_is_reported_again_until_the_customer_index_has_it() {
    let mut state = state_after(&[complete(0, &["a"])]);
    state.index_reports.last_status = Some(SyncStatus::default());
    apply(&mut state, &complete(1, &["b"]), 1_000);
    let report = state.begin_report().unwrap();
    state.report_failed(ms(2_000), Jitter(1.0));
    assert_eq!(due(&state, Report), Some(3_000));
    apply(&mut state, &complete(2, &["c"]), 2_500);
    state.report_succeeded(&report, ms(2_600));
    assert_eq!(due(&state, Report), Some(3_600), "a feature arrived during the report");
    assert_eq!(report_features(&mut state, 3_600), Some(vec!["c".to_owned()]));
    assert_eq!(state.begin_report(), None);
}

#[test]
fn a_feature_that_only_the_source_list_contains_is_reported() {
    let mut state = state_after(&[complete(0, &["a"])]);
    state.index_reports.last_status = Some(SyncStatus::default());
    read_source(&mut state, OnDemand, &source_list(&["a", "b"]), 1_000);
    assert_eq!(report_features(&mut state, 2_000), Some(vec!["b".to_owned()]));
}

#[test]
fn features_are_recorded_up_to_the_limits_of_number_and_length() {
    let mut list = grants(&["a", "b"]);
    for (grant, bytes) in
        list.iter_mut().zip([ObservedFeatures::MAX_KEY_LEN, ObservedFeatures::MAX_KEY_LEN + 1])
    {
        grant.lookup_key = "x".repeat(bytes).try_into().unwrap();
    }
    let mut state = state_after(&[]);
    read_source(&mut state, OnDemand, &SourceState::List(list), 0);
    assert_eq!(report_features(&mut state, 0), Some(vec!["x".repeat(320)]));

    for (count, recorded) in
        [(ObservedFeatures::MAX_FEATURES, 2_000), (ObservedFeatures::MAX_FEATURES + 1, 2_000)]
    {
        let keys: Vec<_> = (0..count).map(|n| format!("f{n}")).collect();
        let keys: Vec<_> = keys.iter().map(String::as_str).collect();
        let mut state = state_after(&[]);
        apply(&mut state, &complete(0, &keys), 0);
        assert_eq!(report_features(&mut state, 0).map(|features| features.len()), Some(recorded));
        apply(&mut state, &complete(1, &["one more"]), 1_000);
        assert_eq!(report_features(&mut state, 0), None);
    }
}
