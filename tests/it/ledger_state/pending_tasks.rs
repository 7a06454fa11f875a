//! Pending tasks: when they are due, retried and complete.

use entgate::{
    ledger::{Jitter, Outbox, PendingTask, ReplicaWrite, SyncStatus},
    policy::{GrantRule::Revoke, SourcePolicy},
};

use super::{
    InSync, LedgerState, OnDemand, Read, Reconcile, Replica, Report, SourceState, Summary,
    SyncProblem, Task, UnknownCustomer, Version, apply, complete, due, ms, read_source,
    source_list, state_after,
};

/// The full back-off.
const LONGEST: Jitter = Jitter(1.0);

/// Half of the back-off.
const SHORTEST: Jitter = Jitter(0.0);

/// Starts a write of the replica.
fn begin_write(state: &mut LedgerState, now: u64) -> ReplicaWrite {
    assert!(state.outbox.is_due(Replica, ms(now)), "{state:?}");
    state.begin_replica_write(ms(now)).unwrap()
}

/// A write that succeeds at once.
fn write(state: &mut LedgerState, now: u64) {
    let written = begin_write(state, now);
    state.replica_write_succeeded(written, ms(now));
}

/// A write that fails at once.
fn fail_write(state: &mut LedgerState, now: u64) {
    begin_write(state, now);
    state.replica_write_failed(ms(now), SHORTEST);
}

/// Sends a report that succeeds.
fn report(state: &mut LedgerState, now: u64) -> Option<SyncStatus> {
    assert!(state.outbox.is_due(Report, ms(now)), "{state:?}");
    let report = state.begin_report()?;
    state.report_succeeded(&report, ms(now));
    Some(report.status)
}

#[test]
fn the_replica_is_written_once_in_a_second_and_a_half() {
    for (why, arrival, expected) in [
        ("at once", 0, 1_500),
        ("within 1.5 s", 1_499, 1_500),
        ("1.5 s later", 1_500, 1_500),
        ("after more than 1.5 s", 1_501, 1_501),
    ] {
        let mut state = state_after(&[complete(0, &["a"])]);
        write(&mut state, 0);
        assert_eq!(due(&state, Replica), None, "{why}");
        apply(&mut state, &complete(1, &["b"]), arrival);
        apply(&mut state, &complete(2, &["c"]), arrival);
        assert_eq!(due(&state, Replica), Some(expected), "{why}");
    }
}

#[test]
fn a_write_of_an_older_set_does_not_complete_the_task() {
    let mut state = state_after(&[complete(0, &["a"])]);
    let written = begin_write(&mut state, 0);
    apply(&mut state, &complete(1, &["b"]), 10);
    state.replica_write_succeeded(written, ms(20));
    let pending = PendingTask { created_at: ms(20), due_at: ms(1_500), attempts: 0 };
    assert_eq!((written.version, state.outbox.pending(Replica)), (Version(1), Some(pending)));

    write(&mut state, 1_500);
    assert_eq!((state.replica_writes.rewrites_from, due(&state, Replica)), (None, None));
}

#[test]
fn a_write_of_the_same_set_under_another_policy_does_not_complete_the_task() {
    let mut state = state_after(&[complete(0, &["a"])]);
    let written = begin_write(&mut state, 0);
    let read = state.begin_source_read(SourcePolicy::Stripe(Revoke));
    let list = source_list(&["a"]);
    assert_eq!(state.apply_source_list(read, Reconcile, &list, ms(10), LONGEST), Ok(InSync));
    state.replica_write_succeeded(written, ms(20));
    assert_eq!((state.version(), due(&state, Replica)), (Version(1), Some(1_500)));
    write(&mut state, 1_500);
    assert_eq!(due(&state, Replica), None);
}

#[test]
fn a_failed_write_is_retried_after_4_s_at_most_and_after_60_s_at_most_if_it_fails_for_5_minutes() {
    for (attempts, failing_for, shortest, longest) in [
        (1, 30_000, 500, 1_000),
        (2, 30_000, 1_000, 2_000),
        (3, 30_000, 2_000, 4_000),
        (4, 30_000, 2_000, 4_000),
        (9, 299_999, 2_000, 4_000),
        (9, 300_000, 30_000, 60_000),
        (100, 3_600_000, 30_000, 60_000),
    ] {
        for (jitter, backoff) in [(SHORTEST, shortest), (LONGEST, longest)] {
            let mut state = state_after(&[complete(0, &["a"])]);
            for _ in 0..attempts {
                state.begin_replica_write(ms(0));
            }
            state.replica_write_failed(ms(failing_for), jitter);
            let expected = Some(failing_for + backoff);
            assert_eq!(due(&state, Replica), expected, "{attempts} {failing_for} {jitter:?}");
        }
    }
    let mut state = state_after(&[complete(0, &["a"])]);
    fail_write(&mut state, 0);
    assert_eq!(due(&state, Replica), Some(1_500), "at least 1.5 s after the write started");
}

#[test]
fn a_set_is_written_again_4_s_and_5_minutes_after_a_write_of_unknown_outcome() {
    let mut state = state_after(&[complete(0, &["a"])]);
    fail_write(&mut state, 0);
    write(&mut state, 1_500);
    let pending = PendingTask { created_at: ms(1_500), due_at: ms(5_500), attempts: 0 };
    let rewrites_from = |state: &LedgerState| state.replica_writes.rewrites_from;
    assert_eq!(
        (rewrites_from(&state), state.outbox.pending(Replica)),
        (Some(ms(1_500)), Some(pending))
    );

    write(&mut state, 5_500);
    assert_eq!((rewrites_from(&state), due(&state, Replica)), (Some(ms(1_500)), Some(301_500)));

    write(&mut state, 301_500);
    assert_eq!((rewrites_from(&state), due(&state, Replica)), (None, None));
}

#[test]
fn an_acknowledged_write_is_final() {
    let mut state = state_after(&[complete(0, &["a"])]);
    write(&mut state, 0);
    assert_eq!((state.replica_writes.rewrites_from, due(&state, Replica)), (None, None));
}

#[test]
fn a_write_without_a_result_counts_as_failed() {
    let mut state = state_after(&[complete(0, &["a"])]);
    begin_write(&mut state, 0);
    let mut restarted = state.clone();
    assert_eq!(due(&restarted, Replica), Some(0));

    write(&mut restarted, 60_000);
    assert_eq!(due(&restarted, Replica), Some(64_000));
    write(&mut restarted, 64_000);
    assert_eq!(due(&restarted, Replica), Some(360_000));
    write(&mut restarted, 360_000);
    assert_eq!(due(&restarted, Replica), None);
}

#[test]
fn every_set_is_written_again_while_an_older_write_may_take_effect() {
    let mut state = state_after(&[complete(0, &["a"])]);
    fail_write(&mut state, 0);
    write(&mut state, 1_500);
    apply(&mut state, &complete(1, &["b"]), 1_600);
    assert_eq!(due(&state, Replica), Some(3_000), "a new set does not wait");
    write(&mut state, 3_000);
    assert_eq!(due(&state, Replica), Some(5_500));

    fail_write(&mut state, 5_500);
    write(&mut state, 7_000);
    assert_eq!(due(&state, Replica), Some(11_000), "4 s after the last failed write");
    apply(&mut state, &complete(2, &["c"]), 200_000);
    write(&mut state, 200_000);
    assert_eq!(due(&state, Replica), Some(307_000), "5 min after the last failed write");
    write(&mut state, 307_000);
    assert_eq!(due(&state, Replica), None);
}

#[test]
fn the_back_off_doubles_up_to_the_maximum_of_each_task() {
    let doubled = |cap: u64| (0..20).map(move |doublings| (1_000_u64 << doublings).min(cap));
    for (task, longest) in
        [(Replica, 4_000), (Read, 300_000), (Task::Confirm, 300_000), (Report, 60_000)]
    {
        let mut outbox = Outbox::default();
        outbox.schedule(task, ms(0), ms(0));
        for (attempts, backoff) in (1..).zip(doubled(longest)) {
            outbox.record_attempt(task);
            for (jitter, backoff) in
                [(LONGEST, backoff), (Jitter(0.5), backoff * 3 / 4), (SHORTEST, backoff / 2)]
            {
                outbox.back_off(task, ms(0), jitter);
                let pending = PendingTask { created_at: ms(0), due_at: ms(backoff), attempts };
                assert_eq!(outbox.pending(task), Some(pending), "{task:?} {jitter:?}");
            }
        }
    }
}

#[test]
fn a_task_is_due_at_its_time_and_not_before_its_deferral() {
    let mut outbox = Outbox::default();
    outbox.schedule(Read, ms(500), ms(0));
    outbox.schedule(Read, ms(900), ms(0));
    assert_eq!((outbox.is_due(Read, ms(499)), outbox.is_due(Read, ms(500))), (false, true));
    outbox.schedule(Report, ms(200), ms(0));
    assert_eq!(outbox.next_due(), Some(ms(200)));

    outbox.defer_until(Read, ms(400));
    assert_eq!(outbox.pending(Read).unwrap().due_at, ms(500), "the later time stays");
    outbox.defer_until(Read, ms(600));
    assert_eq!(outbox.pending(Read).unwrap().due_at, ms(600));
    for (not_before, due) in [(999, 1_000), (1_001, 1_001)] {
        outbox.record_attempt(Read);
        outbox.reschedule(Read, ms(0), ms(0));
        outbox.back_off(Read, ms(0), LONGEST);
        outbox.defer_until(Read, ms(not_before));
        assert_eq!(outbox.pending(Read).unwrap().due_at, ms(due));
    }
    outbox.complete(Read);
    outbox.complete(Report);
    assert_eq!((outbox.next_due(), outbox), (None, Outbox::default()));
}

#[test]
fn a_failure_creates_no_task() {
    let mut state = state_after(&[complete(0, &[])]);
    state.source_failed(None, ms(9_000), ms(0), LONGEST);
    state.replica_write_failed(ms(0), LONGEST);
    assert_eq!(state.begin_replica_write(ms(0)), None);
    assert_eq!((due(&state, Read), due(&state, Task::Confirm)), (None, None));
    assert_eq!(due(&state, Replica), None);

    let mut unknown = LedgerState::default();
    unknown.source_failed(Some(SyncProblem::KeyRefused), ms(9_000), ms(0), LONGEST);
    assert_eq!(unknown, LedgerState::default(), "an unknown customer");
}

#[test]
fn a_failed_source_is_not_read_before_the_time_it_requests() {
    for (why, not_before, expected) in [("no request", 0, 1_000), ("a request", 60_000, 60_000)] {
        let mut state = state_after(&[complete(0, &["a"])]);
        apply(&mut state, &complete(0, &["b"]), 0);
        state.source_failed(None, ms(not_before), ms(0), LONGEST);
        assert_eq!(due(&state, Read), Some(expected), "{why}");
        assert_eq!(due(&state, Task::Confirm), Some(expected), "{why}");
    }
}

#[test]
fn an_event_does_not_end_the_back_off_of_the_source() {
    for (why, event, read) in
        [("newer", complete(1, &["b"]), None), ("a tie", complete(0, &["b"]), Some(60_000))]
    {
        let mut state = state_after(&[complete(0, &["a"])]);
        state.schedule_reconcile(ms(0));
        state.source_failed(None, ms(60_000), ms(0), LONGEST);
        apply(&mut state, &event, 1_000);
        assert_eq!((due(&state, Read), due(&state, Task::Confirm)), (read, Some(60_000)), "{why}");
    }
}

#[test]
fn failed_tasks_count_from_the_creation_of_the_oldest() {
    let pending =
        |created_at, attempts| PendingTask { created_at: ms(created_at), due_at: ms(0), attempts };
    for (why, tasks, expected) in [
        ("no task", vec![], (0, None)),
        ("no attempt", vec![(Read, pending(1, 0)), (Replica, pending(2, 0))], (0, None)),
        (
            "one failed task",
            vec![(Read, pending(1, 0)), (Replica, pending(2, 1))],
            (1, Some(ms(2))),
        ),
        (
            "three failed tasks",
            vec![(Read, pending(3, 1)), (Task::Confirm, pending(1, 9)), (Replica, pending(2, 1))],
            (3, Some(ms(1))),
        ),
        (
            "the report does not count",
            vec![(Report, pending(0, 5)), (Read, pending(1, 1))],
            (1, Some(ms(1))),
        ),
    ] {
        assert_eq!(Outbox::from_tasks(tasks).failed_tasks(), expected, "{why}");
    }
}

#[test]
fn the_first_set_is_reported_after_a_second() {
    let mut state = state_after(&[]);
    apply(&mut state, &complete(0, &["a"]), 0);
    apply(&mut state, &complete(1, &["b"]), 400);
    assert_eq!(due(&state, Report), Some(1_000));
    assert_eq!(report(&mut state, 1_000), Some(SyncStatus::default()));
    assert_eq!(
        (state.index_reports.last_status, due(&state, Report)),
        (Some(SyncStatus::default()), None)
    );

    apply(&mut state, &complete(2, &["a"]), 2_000);
    assert_eq!(due(&state, Report), None, "another set of the same features is not reported");
}

#[test]
fn a_repeated_confirmation_is_reported_after_an_hour() {
    let mut state = state_after(&[complete(0, &["a"])]);
    read_source(&mut state, Reconcile, &source_list(&["a"]), 0);
    state.outbox.complete(Replica);
    let reported = SyncStatus { confirmed_at: Some(ms(0)), ..SyncStatus::default() };
    assert_eq!(report(&mut state, 1_000), Some(reported));

    assert_eq!(read_source(&mut state, Reconcile, &source_list(&["a"]), 3_599_999), InSync);
    assert_eq!((state.confirmed_at, due(&state, Report)), (Some(ms(3_599_999)), None));
    assert_eq!(read_source(&mut state, Reconcile, &source_list(&["a"]), 3_600_000), InSync);
    assert_eq!(due(&state, Report), Some(3_601_000));
}

#[test]
fn failed_tasks_are_reported_and_so_is_their_completion() {
    let mut state = state_after(&[complete(0, &["a"])]);
    fail_write(&mut state, 0);
    let pending = SyncStatus { pending: 1, pending_since: Some(ms(0)), ..SyncStatus::default() };
    assert_eq!(report(&mut state, 1_000), Some(pending));
    fail_write(&mut state, 1_500);
    assert_eq!(due(&state, Report), None, "the same failed task is not reported again");

    write(&mut state, 3_000);
    assert_eq!(due(&state, Report), Some(4_000));
    assert_eq!(report(&mut state, 4_000), Some(SyncStatus::default()));

    apply(&mut state, &complete(0, &["b"]), 5_000);
    state.source_failed(Some(SyncProblem::KeyRefused), ms(0), ms(5_000), LONGEST);
    let pending = SyncStatus {
        pending: 2,
        pending_since: Some(ms(5_000)),
        problem: Some(SyncProblem::KeyRefused),
        ..SyncStatus::default()
    };
    assert_eq!(report(&mut state, 6_000), Some(pending));
    read_source(&mut state, OnDemand, &SourceState::Deleted, 7_000);
    let completed = SyncStatus { confirmed_at: Some(ms(7_000)), ..SyncStatus::default() };
    assert_eq!(report(&mut state, 8_000), Some(completed));
}

#[test]
fn a_status_that_reverts_before_the_report_is_not_reported() {
    let mut state = state_after(&[complete(0, &["a"])]);
    state.index_reports.last_status = Some(SyncStatus::default());
    fail_write(&mut state, 0);
    assert_eq!(due(&state, Report), Some(1_000));
    write(&mut state, 1_500);
    assert_eq!(report(&mut state, 1_500), None);
    assert_eq!(due(&state, Report), None);
}

#[test]
fn a_failed_report_is_retried_and_a_later_change_is_reported_too() {
    let mut state = state_after(&[]);
    apply(&mut state, &complete(0, &["a"]), 0);
    let mut report = state.begin_report().unwrap();
    for (attempts, backoff) in [(1, 1_000), (2, 2_000), (3, 4_000), (4, 8_000)] {
        state.report_failed(ms(1_000), LONGEST);
        let pending = PendingTask { created_at: ms(0), due_at: ms(1_000 + backoff), attempts };
        assert_eq!(state.outbox.pending(Report), Some(pending));
        report = state.begin_report().unwrap();
    }
    fail_write(&mut state, 2_000);
    state.report_succeeded(&report, ms(3_000));
    assert_eq!(due(&state, Report), Some(4_000), "a write failed during the report");
}

#[test]
fn a_status_that_reverts_after_a_report_without_an_answer_is_reported() {
    let mut state = state_after(&[complete(0, &["a"])]);
    state.index_reports.last_status = Some(SyncStatus::default());
    fail_write(&mut state, 0);
    assert_eq!(state.begin_report().unwrap().status.pending, 1);
    state.report_failed(ms(1_000), LONGEST);
    write(&mut state, 1_500);
    assert_eq!(report(&mut state, 2_000), Some(SyncStatus::default()));
    assert_eq!(due(&state, Report), None);
}

#[test]
fn cancelled_source_tasks_are_reported_as_completed() {
    let without_list = Summary { page: None, ..complete(0, &[]) };
    let cancel: fn(&mut LedgerState) = |state| state.cancel_source_tasks(ms(2_000));
    let not_found: fn(&mut LedgerState) = |state| {
        assert_eq!(read_source(state, OnDemand, &SourceState::NotFound, 2_000), UnknownCustomer);
    };
    for (why, event, end) in [
        ("the key was removed", complete(0, &["a"]), cancel),
        ("no such customer", without_list, not_found),
    ] {
        let mut state = state_after(&[event]);
        state.outbox.complete(Replica);
        state.schedule_reconcile(ms(0));
        state.source_failed(Some(SyncProblem::KeyRefused), ms(0), ms(0), LONGEST);
        assert_eq!(report(&mut state, 1_000).map(|status| status.pending), Some(1), "{why}");

        end(&mut state);
        assert!(state.outbox.pending(Report).is_some(), "{why}");
        let report = state.begin_report().map(|report| report.status);
        assert_eq!(report, Some(SyncStatus::default()), "{why}");
    }
}
