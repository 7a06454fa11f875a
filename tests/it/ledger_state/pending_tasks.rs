//! What is owed to others, and when it is paid.

use entgate::ledger::{Jitter, Outbox, PendingTask, SyncStatus};

use super::{
    InSync, LedgerState, OnDemand, Read, Reconcile, Replica, Report, SourceState, Summary,
    SyncProblem, Task, UnknownCustomer, Version, after, all, due, ms, receive, second, told, whole,
};

/// All of a pause, none of it at random.
const LONGEST: Jitter = Jitter(1.0);

/// Half of a pause.
const SHORTEST: Jitter = Jitter(0.0);

/// A write of the replica is begun.
fn write(account: &mut LedgerState, now: u64) -> Version {
    assert!(account.outbox.is_due(Replica, ms(now)), "{account:?}");
    account.begin_replica_write(ms(now)).map(|set| set.version).unwrap()
}

/// A write that succeeds at once.
fn copy(account: &mut LedgerState, now: u64) {
    let version = write(account, now);
    account.replica_write_succeeded(version, ms(now));
}

/// A write that fails at once.
fn fail(account: &mut LedgerState, now: u64) {
    write(account, now);
    account.replica_write_failed(ms(now), SHORTEST);
}

/// The roster is told, and has it.
fn report(account: &mut LedgerState, now: u64) -> Option<SyncStatus> {
    assert!(account.outbox.is_due(Report, ms(now)), "{account:?}");
    let report = account.begin_report()?;
    account.report_succeeded(&report, ms(now));
    Some(report.status)
}

#[test]
fn the_replica_is_written_once_a_second() {
    for (why, arrival, expected) in [
        ("at once after it", 0, 1_000),
        ("within the second", 999, 1_000),
        ("a second after it", 1_000, 1_000),
        ("later", 1_500, 1_500),
    ] {
        let mut account = after(&[whole(0, &["a"])]);
        copy(&mut account, 0);
        assert_eq!(due(&account, Replica), None, "{why}");
        receive(&mut account, &whole(1, &["b"]), arrival);
        receive(&mut account, &whole(2, &["c"]), arrival);
        assert_eq!(due(&account, Replica), Some(expected), "{why}");
    }
}

#[test]
fn a_write_of_an_older_set_settles_nothing() {
    let mut account = after(&[whole(0, &["a"])]);
    let version = write(&mut account, 0);
    receive(&mut account, &whole(1, &["b"]), 10);
    account.replica_write_succeeded(version, ms(20));
    let debt = PendingTask { created_at: ms(0), due_at: ms(1_000), attempts: 0 };
    assert_eq!((version, account.outbox.pending(Replica)), (Version(1), Some(debt)));

    copy(&mut account, 1_000);
    assert_eq!((account.late_write_until, due(&account, Replica)), (None, None));
}

#[test]
fn a_write_that_fails_is_tried_again_after_4_s_at_most() {
    for (tries, shortest, longest) in [
        (1, 500, 1_000),
        (2, 1_000, 2_000),
        (3, 2_000, 4_000),
        (4, 2_000, 4_000),
        (9, 2_000, 4_000),
    ] {
        for (jitter, pause) in [(SHORTEST, shortest), (LONGEST, longest)] {
            let mut account = after(&[whole(0, &["a"])]);
            for _ in 0..tries {
                account.begin_replica_write(ms(0));
            }
            // The write took a while: the limit of one a second is over.
            account.replica_write_failed(ms(30_000), jitter);
            assert_eq!(due(&account, Replica), Some(30_000 + pause), "{tries} {jitter:?}");
        }
    }
    let mut account = after(&[whole(0, &["a"])]);
    fail(&mut account, 0);
    assert_eq!(due(&account, Replica), Some(1_000), "and never within the second of its begin");
}

#[test]
fn after_a_write_that_failed_the_set_is_written_twice_4_s_apart() {
    let mut account = after(&[whole(0, &["a"])]);
    fail(&mut account, 0);
    copy(&mut account, 1_000);
    let debt = PendingTask { created_at: ms(0), due_at: ms(5_000), attempts: 0 };
    assert_eq!(
        (account.late_write_until, account.outbox.pending(Replica)),
        (Some(ms(5_000)), Some(debt))
    );

    copy(&mut account, 5_000);
    assert_eq!((account.late_write_until, due(&account, Replica)), (None, None));
}

#[test]
fn a_write_that_was_never_heard_of_is_treated_as_one_that_failed() {
    let mut account = after(&[whole(0, &["a"])]);
    write(&mut account, 0);
    let mut restarted = account.clone();
    assert_eq!(due(&restarted, Replica), Some(0));

    copy(&mut restarted, 60_000);
    assert_eq!(due(&restarted, Replica), Some(64_000));
    copy(&mut restarted, 64_000);
    assert_eq!(due(&restarted, Replica), None);
}

#[test]
fn while_an_older_write_may_still_land_every_copy_is_written_once_more() {
    let mut account = after(&[whole(0, &["a"])]);
    fail(&mut account, 0);
    copy(&mut account, 1_000);
    receive(&mut account, &whole(1, &["b"]), 1_100);
    assert_eq!(due(&account, Replica), Some(2_000), "a new set does not wait for it");
    copy(&mut account, 2_000);
    assert_eq!(due(&account, Replica), Some(5_000));

    fail(&mut account, 5_000);
    copy(&mut account, 6_000);
    assert_eq!(due(&account, Replica), Some(10_000), "4 s after the last one that failed");
}

#[test]
fn pauses_double_up_to_each_tasks_longest() {
    let doubled = |cap: u64| (0..20).map(move |tries| (1_000_u64 << tries).min(cap));
    for (task, longest) in
        [(Replica, 4_000), (Read, 300_000), (Task::Confirm, 300_000), (Report, 60_000)]
    {
        let mut outbox = Outbox::default();
        outbox.schedule(task, ms(0), ms(0));
        for (tries, pause) in (1..).zip(doubled(longest)) {
            outbox.record_attempt(task);
            for (jitter, pause) in
                [(LONGEST, pause), (Jitter(0.5), pause * 3 / 4), (SHORTEST, pause / 2)]
            {
                outbox.back_off(task, ms(0), jitter);
                let debt = PendingTask { created_at: ms(0), due_at: ms(pause), attempts: tries };
                assert_eq!(outbox.pending(task), Some(debt), "{task:?} {jitter:?}");
            }
        }
    }
}

#[test]
fn a_debt_is_due_when_it_is_owed_for_and_no_sooner_than_it_may_be() {
    let mut outbox = Outbox::default();
    outbox.schedule(Read, ms(500), ms(0));
    outbox.schedule(Read, ms(900), ms(0));
    assert_eq!((outbox.is_due(Read, ms(499)), outbox.is_due(Read, ms(500))), (false, true));
    outbox.schedule(Report, ms(200), ms(0));
    assert_eq!(outbox.next_due(), Some(ms(200)));

    outbox.defer_until(Read, ms(400));
    assert_eq!(outbox.pending(Read).unwrap().due_at, ms(500), "it was to be left alone till then");
    outbox.defer_until(Read, ms(600));
    assert_eq!(outbox.pending(Read).unwrap().due_at, ms(600));
    for (not_before, due) in [(999, 1_000), (1_001, 1_001)] {
        outbox.record_attempt(Read);
        outbox.reschedule(Read, ms(0));
        outbox.back_off(Read, ms(0), LONGEST);
        outbox.defer_until(Read, ms(not_before));
        assert_eq!(outbox.pending(Read).unwrap().due_at, ms(due));
    }
    outbox.complete(Read);
    outbox.complete(Report);
    assert_eq!((outbox.next_due(), outbox), (None, Outbox::default()));
}

#[test]
fn what_nobody_owes_is_not_tried_again() {
    let mut account = after(&[whole(0, &[])]);
    account.source_failed(None, ms(9_000), ms(0), LONGEST);
    account.replica_write_failed(ms(0), LONGEST);
    assert_eq!(account.begin_replica_write(ms(0)), None);
    assert_eq!((due(&account, Read), due(&account, Task::Confirm)), (None, None));
    assert_eq!(due(&account, Replica), None);

    let mut stranger = LedgerState::default();
    stranger.source_failed(Some(SyncProblem::KeyRefused), ms(9_000), ms(0), LONGEST);
    assert_eq!(stranger, LedgerState::default(), "of whom nothing is kept");
}

#[test]
fn a_source_that_does_not_tell_is_left_alone_for_as_long_as_it_wants() {
    for (why, not_before, expected) in [("no wish", 0, 1_000), ("a wish", 60_000, 60_000)] {
        let mut account = after(&[whole(0, &["a"])]);
        receive(&mut account, &whole(0, &["b"]), 0);
        account.source_failed(None, ms(not_before), ms(0), LONGEST);
        assert_eq!(due(&account, Read), Some(expected), "{why}");
        assert_eq!(due(&account, Task::Confirm), Some(expected), "{why}");
    }
}

#[test]
fn an_event_does_not_end_the_time_for_which_the_source_wants_to_be_left_alone() {
    for (why, event, read) in
        [("newer", whole(1, &["b"]), None), ("a tie", whole(0, &["b"]), Some(60_000))]
    {
        let mut account = after(&[whole(0, &["a"])]);
        account.schedule_reconcile(ms(0));
        account.source_failed(None, ms(60_000), ms(0), LONGEST);
        receive(&mut account, &event, 1_000);
        assert_eq!(
            (due(&account, Read), due(&account, Task::Confirm)),
            (read, Some(60_000)),
            "{why}"
        );
    }
}

#[test]
fn what_was_tried_in_vain_is_overdue_since_the_oldest_of_it_is_owed() {
    let debt = |since, tries| PendingTask { created_at: ms(since), due_at: ms(0), attempts: tries };
    for (why, debts, expected) in [
        ("nothing", vec![], (0, None)),
        ("nothing was tried", vec![(Read, debt(1, 0)), (Replica, debt(2, 0))], (0, None)),
        ("one", vec![(Read, debt(1, 0)), (Replica, debt(2, 1))], (1, Some(ms(2)))),
        (
            "three",
            vec![(Read, debt(3, 1)), (Task::Confirm, debt(1, 9)), (Replica, debt(2, 1))],
            (3, Some(ms(1))),
        ),
        (
            "what tells does not count",
            vec![(Report, debt(0, 5)), (Read, debt(1, 1))],
            (1, Some(ms(1))),
        ),
    ] {
        assert_eq!(Outbox::from_tasks(debts).failed_tasks(), expected, "{why}");
    }
}

#[test]
fn the_first_set_is_reported_a_second_later() {
    let mut account = after(&[]);
    receive(&mut account, &whole(0, &["a"]), 0);
    receive(&mut account, &whole(1, &["b"]), 400);
    assert_eq!(due(&account, Report), Some(1_000));
    assert_eq!(report(&mut account, 1_000), Some(SyncStatus::default()));
    assert_eq!((account.last_report, due(&account, Report)), (Some(SyncStatus::default()), None));

    receive(&mut account, &whole(2, &["a"]), 2_000);
    assert_eq!(due(&account, Report), None, "another set of these is no news to the roster");
}

#[test]
fn a_set_that_is_confirmed_again_is_news_after_an_hour() {
    let mut account = after(&[whole(0, &["a"])]);
    told(&mut account, Reconcile, &all(&["a"]), 0);
    account.outbox.complete(Replica);
    let reported = SyncStatus { confirmed_at: Some(second(0)), ..SyncStatus::default() };
    assert_eq!(report(&mut account, 1_000), Some(reported));

    assert_eq!(told(&mut account, Reconcile, &all(&["a"]), 3_599_999), InSync);
    assert_eq!((account.confirmed_at, due(&account, Report)), (Some(second(3_599)), None));
    assert_eq!(told(&mut account, Reconcile, &all(&["a"]), 3_600_000), InSync);
    assert_eq!(due(&account, Report), Some(3_601_000));
}

#[test]
fn what_is_pending_is_told_and_so_is_that_it_is_no_more() {
    let mut account = after(&[whole(0, &["a"])]);
    fail(&mut account, 0);
    let pending = SyncStatus { pending: 1, pending_since: Some(ms(0)), ..SyncStatus::default() };
    assert_eq!(report(&mut account, 1_000), Some(pending));
    fail(&mut account, 1_000);
    assert_eq!(due(&account, Report), None, "the same debt is no news");

    copy(&mut account, 3_000);
    assert_eq!(due(&account, Report), Some(4_000));
    assert_eq!(report(&mut account, 4_000), Some(SyncStatus::default()));

    receive(&mut account, &whole(0, &["b"]), 5_000);
    account.source_failed(Some(SyncProblem::KeyRefused), ms(0), ms(5_000), LONGEST);
    let trouble = Some(SyncProblem::KeyRefused);
    let pending = SyncStatus {
        pending: 2,
        pending_since: Some(ms(5_000)),
        problem: trouble,
        confirmed_at: None,
    };
    assert_eq!(report(&mut account, 6_000), Some(pending));
    told(&mut account, OnDemand, &SourceState::Deleted, 7_000);
    let settled = SyncStatus { confirmed_at: Some(second(7)), ..SyncStatus::default() };
    assert_eq!(report(&mut account, 8_000), Some(settled));
}

#[test]
fn news_that_came_to_nothing_before_it_was_told_is_not_told() {
    let mut account = after(&[whole(0, &["a"])]);
    account.last_report = Some(SyncStatus::default());
    fail(&mut account, 0);
    assert_eq!(due(&account, Report), Some(1_000));
    copy(&mut account, 1_000);
    assert_eq!(report(&mut account, 1_000), None);
    assert_eq!(due(&account, Report), None);
}

#[test]
fn a_roster_that_does_not_hear_is_told_again_and_what_changed_meanwhile_too() {
    let mut account = after(&[]);
    receive(&mut account, &whole(0, &["a"]), 0);
    let report = account.begin_report().unwrap();
    for (tries, pause) in [(1, 1_000), (2, 2_000), (3, 4_000), (4, 8_000)] {
        account.report_failed(ms(1_000), LONGEST);
        let debt = PendingTask { created_at: ms(0), due_at: ms(1_000 + pause), attempts: tries };
        assert_eq!(account.outbox.pending(Report), Some(debt));
    }
    fail(&mut account, 2_000);
    account.report_succeeded(&report, ms(3_000));
    assert_eq!(due(&account, Report), Some(4_000), "a write failed since");
}

#[test]
fn the_roster_is_told_that_nothing_is_pending_once_there_is_no_list_to_be_read() {
    let silent = Summary { page: None, ..whole(0, &[]) };
    let forgo: fn(&mut LedgerState) = |account| account.cancel_source_tasks(ms(2_000));
    let nobody: fn(&mut LedgerState) = |account| {
        assert_eq!(told(account, OnDemand, &SourceState::NotFound, 2_000), UnknownCustomer);
    };
    for (why, event, end) in
        [("no key any more", whole(0, &["a"]), forgo), ("no such customer", silent, nobody)]
    {
        let mut account = after(&[event]);
        account.outbox.complete(Replica);
        account.schedule_reconcile(ms(0));
        account.source_failed(Some(SyncProblem::KeyRefused), ms(0), ms(0), LONGEST);
        assert_eq!(report(&mut account, 1_000).map(|told| told.pending), Some(1), "{why}");

        end(&mut account);
        assert!(account.outbox.pending(Report).is_some(), "{why}");
        let report = account.begin_report().map(|report| report.status);
        assert_eq!(report, Some(SyncStatus::default()), "{why}");
    }
}
