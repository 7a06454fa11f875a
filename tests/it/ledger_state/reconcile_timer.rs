//! When a ledger reads its set again without any other reason.

use entgate::ledger::Jitter;

use super::{
    InSync, JITTER, LedgerState, Reconcile, SourcePolicy, SourceState, Task, apply, complete, due,
    ms, read_source, source_list, state_after, truncated,
};

const HOUR: u64 = 3_600_000;
const DAY: u64 = 24 * HOUR;

/// When the timer is due, in milliseconds after the start.
fn timer(state: &LedgerState) -> Option<u64> {
    state.reconcile_timer.due_at.map(|due_at| due_at.0 - ms(0).0)
}

/// Reads the source with the shortest intervals.
fn read_with(state: &mut LedgerState, jitter: Jitter, keys: &[&str], now: u64) {
    let read = state.begin_source_read(SourcePolicy::default());
    state.apply_source_list(read, Reconcile, &source_list(keys), ms(now), jitter).unwrap();
}

#[test]
fn an_unchanged_set_is_read_after_a_day_and_then_at_doubling_intervals_up_to_30_days() {
    let mut state = state_after(&[complete(0, &["a"])]);
    let (mut now, mut days) = (0, Vec::new());
    for _ in 0..9 {
        assert_eq!(read_source(&mut state, Reconcile, &source_list(&["a"]), now), InSync);
        let next = timer(&state).unwrap();
        days.push((next - now) / DAY);
        now = next;
    }
    assert_eq!(days, [1, 1, 2, 4, 8, 16, 30, 30, 30]);
}

#[test]
fn an_event_or_a_change_makes_the_interval_a_day_again() {
    let quiet = || {
        let mut state = state_after(&[complete(0, &["a"])]);
        read_with(&mut state, JITTER, &["a"], 10 * DAY);
        assert_eq!(timer(&state), Some(20 * DAY));
        state
    };
    let mut after_event = quiet();
    apply(&mut after_event, &complete(11 * 86_400, &["a"]), 11 * DAY);
    read_with(&mut after_event, JITTER, &["a"], 11 * DAY + 2_000);
    assert_eq!(timer(&after_event), Some(12 * DAY + 2_000));

    let mut after_drift = quiet();
    read_with(&mut after_drift, JITTER, &["b"], 20 * DAY);
    assert_eq!(timer(&after_drift), Some(21 * DAY));
}

#[test]
fn each_ledger_draws_its_time_in_the_second_half_of_the_interval() {
    for (jitter, expected) in [(0.0, 12 * HOUR), (0.5, 18 * HOUR), (1.0, DAY)] {
        let mut state = state_after(&[complete(0, &["a"])]);
        read_with(&mut state, Jitter(jitter), &["a"], 0);
        assert_eq!(timer(&state), Some(expected), "{jitter}");
    }
}

#[test]
fn an_empty_set_without_events_for_90_days_is_left_alone() {
    let partial = truncated(0, &[]);
    for (why, event, days, expected) in [
        ("empty for less", complete(0, &[]), 89, Some(119)),
        ("empty for 90 days", complete(0, &[]), 90, None),
        ("with an entitlement", complete(0, &["a"]), 90, Some(120)),
        ("an empty part of a set", partial, 89, Some(119)),
    ] {
        let keys: Vec<_> = if why == "with an entitlement" { vec!["a"] } else { vec![] };
        let mut state = state_after(&[event]);
        // A partial set becomes complete, which is a change.
        let is_change = why == "an empty part of a set";
        read_with(&mut state, JITTER, &keys, days * DAY);
        let expected = if is_change { Some(days + 1) } else { expected };
        assert_eq!(timer(&state).map(|due| due / DAY), expected, "{why}");
    }
}

#[test]
fn a_timer_that_fires_schedules_a_confirmation_and_is_set_again() {
    let mut state = state_after(&[complete(0, &["a"])]);
    read_with(&mut state, JITTER, &["a"], 0);
    state.reconcile_if_due(ms(DAY - 1), JITTER);
    assert_eq!((due(&state, Task::Confirm), timer(&state)), (None, Some(DAY)));
    state.reconcile_if_due(ms(DAY), JITTER);
    assert_eq!((due(&state, Task::Confirm), timer(&state)), (Some(DAY), Some(2 * DAY)));
}

#[test]
fn a_timer_that_is_more_than_a_minute_late_is_spread_over_an_hour() {
    for (late, jitter, confirmation, next) in [
        (60_000, 0.5, Some(DAY + 60_000), (DAY + 60_000) / 4 * 7),
        (60_001, 0.0, None, 60_001 + DAY),
        (60_001, 0.5, None, 60_001 + DAY + HOUR / 2),
        (9 * HOUR, 1.0, None, 10 * HOUR + DAY),
    ] {
        let mut state = state_after(&[complete(0, &["a"])]);
        read_with(&mut state, JITTER, &["a"], 0);
        state.reconcile_if_due(ms(DAY + late), Jitter(jitter));
        let timer = timer(&state).map(|due| due / 1_000);
        assert_eq!((due(&state, Task::Confirm), timer), (confirmation, Some(next / 1_000)));
    }
}

#[test]
fn a_customer_who_was_never_read_has_no_timer() {
    let mut state = state_after(&[complete(0, &["a"])]);
    assert_eq!(timer(&state), None);
    let unknown = LedgerState::default();
    assert_eq!(timer(&unknown), None);
    assert_eq!(
        read_source(&mut state, Reconcile, &SourceState::Deleted, 0),
        super::Drifted(super::change(&[], &["a"]))
    );
    assert_eq!(timer(&state), Some(DAY));
}
