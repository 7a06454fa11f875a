//! What is owed to others, and when it is paid.

use entgate::ledger::{Debt, Jitter, Outbox, Standing};

use super::{
    Account, Ask, Confirm, Nobody, Read, Replica, Report, Right, Summary, Task, Told, Trouble,
    Version, after, all, due, ms, receive, second, told, whole,
};

/// All of a pause, none of it at random.
const LONGEST: Jitter = Jitter(1.0);

/// Half of a pause.
const SHORTEST: Jitter = Jitter(0.0);

/// A write of the replica is begun.
fn write(account: &mut Account, now: u64) -> Version {
    assert!(account.outbox.is_due(Replica, ms(now)), "{account:?}");
    account.writing(ms(now)).map(|set| set.version).unwrap()
}

/// A write that succeeds at once.
fn copy(account: &mut Account, now: u64) {
    let version = write(account, now);
    account.written(version, ms(now));
}

/// A write that fails at once.
fn fail(account: &mut Account, now: u64) {
    write(account, now);
    account.unwritten(ms(now), SHORTEST);
}

/// The roster is told, and has it.
fn report(account: &mut Account, now: u64) -> Option<Standing> {
    assert!(account.outbox.is_due(Report, ms(now)), "{account:?}");
    let report = account.reporting()?;
    account.reported(&report, ms(now));
    Some(report.standing)
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
    account.written(version, ms(20));
    let debt = Debt { since: ms(0), due: ms(1_000), tries: 0 };
    assert_eq!((version, account.outbox.debt(Replica)), (Version(1), Some(debt)));

    copy(&mut account, 1_000);
    assert_eq!((account.doubtful, due(&account, Replica)), (None, None));
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
                account.writing(ms(0));
            }
            // The write took a while: the limit of one a second is over.
            account.unwritten(ms(30_000), jitter);
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
    let debt = Debt { since: ms(0), due: ms(5_000), tries: 0 };
    assert_eq!((account.doubtful, account.outbox.debt(Replica)), (Some(ms(5_000)), Some(debt)));

    copy(&mut account, 5_000);
    assert_eq!((account.doubtful, due(&account, Replica)), (None, None));
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
        outbox.owe(task, ms(0), ms(0));
        for (tries, pause) in (1..).zip(doubled(longest)) {
            outbox.begin(task);
            for (jitter, pause) in
                [(LONGEST, pause), (Jitter(0.5), pause * 3 / 4), (SHORTEST, pause / 2)]
            {
                outbox.put_off(task, ms(0), jitter);
                let debt = Debt { since: ms(0), due: ms(pause), tries };
                assert_eq!(outbox.debt(task), Some(debt), "{task:?} {jitter:?}");
            }
        }
    }
}

#[test]
fn a_debt_is_due_when_it_is_owed_for_and_no_sooner_than_it_may_be() {
    let mut outbox = Outbox::default();
    outbox.owe(Read, ms(500), ms(0));
    outbox.owe(Read, ms(900), ms(0));
    assert_eq!((outbox.is_due(Read, ms(499)), outbox.is_due(Read, ms(500))), (false, true));
    outbox.owe(Report, ms(200), ms(0));
    assert_eq!(outbox.next(), Some(ms(200)));

    outbox.leave_until(Read, ms(400));
    assert_eq!(outbox.debt(Read).unwrap().due, ms(500), "it was to be left alone till then");
    outbox.leave_until(Read, ms(600));
    assert_eq!(outbox.debt(Read).unwrap().due, ms(600));
    for (not_before, due) in [(999, 1_000), (1_001, 1_001)] {
        outbox.begin(Read);
        outbox.owe_again(Read, ms(0));
        outbox.put_off(Read, ms(0), LONGEST);
        outbox.leave_until(Read, ms(not_before));
        assert_eq!(outbox.debt(Read).unwrap().due, ms(due));
    }
    outbox.settle(Read);
    outbox.settle(Report);
    assert_eq!((outbox.next(), outbox), (None, Outbox::default()));
}

#[test]
fn what_nobody_owes_is_not_tried_again() {
    let mut account = after(&[whole(0, &[])]);
    account.unanswered(None, ms(9_000), ms(0), LONGEST);
    account.unwritten(ms(0), LONGEST);
    assert_eq!(account.writing(ms(0)), None);
    assert_eq!((due(&account, Read), due(&account, Task::Confirm)), (None, None));
    assert_eq!(due(&account, Replica), None);

    let mut stranger = Account::default();
    stranger.unanswered(Some(Trouble::KeyRefused), ms(9_000), ms(0), LONGEST);
    assert_eq!(stranger, Account::default(), "of whom nothing is kept");
}

#[test]
fn a_source_that_does_not_tell_is_left_alone_for_as_long_as_it_wants() {
    for (why, not_before, expected) in [("no wish", 0, 1_000), ("a wish", 60_000, 60_000)] {
        let mut account = after(&[whole(0, &["a"])]);
        receive(&mut account, &whole(0, &["b"]), 0);
        account.unanswered(None, ms(not_before), ms(0), LONGEST);
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
        account.doubt(ms(0));
        account.unanswered(None, ms(60_000), ms(0), LONGEST);
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
    let debt = |since, tries| Debt { since: ms(since), due: ms(0), tries };
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
        assert_eq!(Outbox::of(debts).overdue(), expected, "{why}");
    }
}

#[test]
fn the_first_set_is_reported_a_second_later() {
    let mut account = after(&[]);
    receive(&mut account, &whole(0, &["a"]), 0);
    receive(&mut account, &whole(1, &["b"]), 400);
    assert_eq!(due(&account, Report), Some(1_000));
    assert_eq!(report(&mut account, 1_000), Some(Standing::default()));
    assert_eq!((account.reported, due(&account, Report)), (Some(Standing::default()), None));

    receive(&mut account, &whole(2, &["a"]), 2_000);
    assert_eq!(due(&account, Report), None, "another set of these is no news to the roster");
}

#[test]
fn a_set_that_is_confirmed_again_is_news_after_an_hour() {
    let mut account = after(&[whole(0, &["a"])]);
    told(&mut account, Confirm, &all(&["a"]), 0);
    account.outbox.settle(Replica);
    let reported = Standing { confirmed: Some(second(0)), ..Standing::default() };
    assert_eq!(report(&mut account, 1_000), Some(reported));

    assert_eq!(told(&mut account, Confirm, &all(&["a"]), 3_599_999), Right);
    assert_eq!((account.confirmed, due(&account, Report)), (Some(second(3_599)), None));
    assert_eq!(told(&mut account, Confirm, &all(&["a"]), 3_600_000), Right);
    assert_eq!(due(&account, Report), Some(3_601_000));
}

#[test]
fn what_is_pending_is_told_and_so_is_that_it_is_no_more() {
    let mut account = after(&[whole(0, &["a"])]);
    fail(&mut account, 0);
    let pending = Standing { pending: 1, since: Some(ms(0)), ..Standing::default() };
    assert_eq!(report(&mut account, 1_000), Some(pending));
    fail(&mut account, 1_000);
    assert_eq!(due(&account, Report), None, "the same debt is no news");

    copy(&mut account, 3_000);
    assert_eq!(due(&account, Report), Some(4_000));
    assert_eq!(report(&mut account, 4_000), Some(Standing::default()));

    receive(&mut account, &whole(0, &["b"]), 5_000);
    account.unanswered(Some(Trouble::KeyRefused), ms(0), ms(5_000), LONGEST);
    let trouble = Some(Trouble::KeyRefused);
    let pending = Standing { pending: 2, since: Some(ms(5_000)), trouble, confirmed: None };
    assert_eq!(report(&mut account, 6_000), Some(pending));
    told(&mut account, Ask, &Told::Deleted, 7_000);
    let settled = Standing { confirmed: Some(second(7)), ..Standing::default() };
    assert_eq!(report(&mut account, 8_000), Some(settled));
}

#[test]
fn news_that_came_to_nothing_before_it_was_told_is_not_told() {
    let mut account = after(&[whole(0, &["a"])]);
    account.reported = Some(Standing::default());
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
    let report = account.reporting().unwrap();
    for (tries, pause) in [(1, 1_000), (2, 2_000), (3, 4_000), (4, 8_000)] {
        account.unreported(ms(1_000), LONGEST);
        let debt = Debt { since: ms(0), due: ms(1_000 + pause), tries };
        assert_eq!(account.outbox.debt(Report), Some(debt));
    }
    fail(&mut account, 2_000);
    account.reported(&report, ms(3_000));
    assert_eq!(due(&account, Report), Some(4_000), "a write failed since");
}

#[test]
fn the_roster_is_told_that_nothing_is_pending_once_there_is_no_list_to_be_read() {
    let silent = Summary { page: None, ..whole(0, &[]) };
    let forgo: fn(&mut Account) = |account| account.forgo(ms(2_000));
    let nobody: fn(&mut Account) = |account| {
        assert_eq!(told(account, Ask, &Told::Unknown, 2_000), Nobody);
    };
    for (why, event, end) in
        [("no key any more", whole(0, &["a"]), forgo), ("no such customer", silent, nobody)]
    {
        let mut account = after(&[event]);
        account.outbox.settle(Replica);
        account.doubt(ms(0));
        account.unanswered(Some(Trouble::KeyRefused), ms(0), ms(0), LONGEST);
        assert_eq!(report(&mut account, 1_000).map(|told| told.pending), Some(1), "{why}");

        end(&mut account);
        assert!(account.outbox.debt(Report).is_some(), "{why}");
        let report = account.reporting().map(|report| report.standing);
        assert_eq!(report, Some(Standing::default()), "{why}");
    }
}
