//! Reports of the next end of an override to the customer index.

use std::collections::BTreeMap;

use entgate::{
    ledger::{NewOverride, OverrideCommand, OverrideEnd, SyncStatus},
    override_period::OverrideEffect,
};

use super::{LedgerState, Report, complete, due, ms, second, state_after};

/// Creates an override of a feature that was reported. The times are in seconds after the start.
fn create(state: &mut LedgerState, id: &str, starts_at: i64, end: OverrideEnd, now: u64) {
    let new = NewOverride {
        id: id.try_into().unwrap(),
        feature: "a".try_into().unwrap(),
        effect: OverrideEffect::Deny,
        starts_at: Some(second(starts_at)),
        end,
        reason: "a trial".to_owned(),
        actor: "ops@example.com".to_owned(),
        metadata: BTreeMap::new(),
        idempotency: None,
    };
    state.change_overrides(&OverrideCommand::Create(new), None, ms(now)).unwrap();
}

/// When the next override ends by a report that is due, in seconds after the start.
#[track_caller]
fn report(state: &mut LedgerState, now: u64) -> Option<i64> {
    assert!(state.outbox.is_due(Report, ms(now)), "{state:?}");
    let report = state.begin_report().unwrap();
    state.report_succeeded(&report, ms(now));
    report.status.next_override_end.map(|end| end.seconds_since(second(0)))
}

#[test]
fn the_first_end_of_the_overrides_is_reported_and_the_next_one_after_it() {
    let mut state = state_after(&[complete(0, &["a"])]);
    state.index_reports.last_status = Some(SyncStatus::default());
    create(&mut state, "ovr_endless", 0, OverrideEnd::Never, 0);
    assert_eq!(due(&state, Report), None, "no end");

    create(&mut state, "ovr_scheduled", 15, OverrideEnd::At(second(20)), 0);
    assert_eq!(due(&state, Report), Some(1_000));
    assert_eq!(report(&mut state, 1_000), Some(20));
    create(&mut state, "ovr_short", 1, OverrideEnd::At(second(10)), 2_000);
    assert_eq!(report(&mut state, 3_000), Some(10));
    create(&mut state, "ovr_long", 1, OverrideEnd::At(second(30)), 3_000);
    assert_eq!(due(&state, Report), None, "a later end");

    state.advance(&[], ms(9_999));
    assert_eq!(due(&state, Report), None, "not yet");
    state.advance(&[], ms(10_000));
    assert_eq!(due(&state, Report), Some(11_000));
    assert_eq!(report(&mut state, 11_000), Some(20));

    state.advance(&[], ms(15_000));
    assert_eq!(due(&state, Report), None, "a start");
    state.advance(&[], ms(30_000));
    assert_eq!(report(&mut state, 31_000), None, "both have ended");
    assert_eq!(due(&state, Report), None);
}
