//! The alarm, and what a coordinator does each minute: it adds up the index, and wakes ledgers.

use entgate::{
    coordinator::{
        Backlog, CoordinatorRequest, CoordinatorResponse, CoordinatorSettings, IndexReport,
    },
    id::{Timestamp, UnixMillis},
    ledger::{PortError, ReadPriority, SyncProblem},
    source::Error,
};

use super::{Coordinator, START, millis, world::SETTINGS};

const NO_POLL: CoordinatorSettings = CoordinatorSettings { poll_interval: None, ..SETTINGS };
const DAY: i64 = 24 * 60 * 60;

fn keys(count: u32) -> Vec<String> {
    (0..count).map(|number| format!("test:cus_{number:02}")).collect()
}

fn with_settings(settings: CoordinatorSettings) -> Coordinator {
    let coordinator = Coordinator::new();
    coordinator.world.settings.set(settings);
    coordinator.request(CoordinatorRequest::Arm);
    coordinator
}

#[test]
fn the_first_request_sets_the_alarm_and_later_ones_leave_it() {
    let coordinator = Coordinator::new();
    coordinator.request(CoordinatorRequest::Arm);
    assert_eq!(*coordinator.world.alarms.borrow(), [Timestamp(START).into()]);
    coordinator.request(CoordinatorRequest::Arm);
    coordinator.request(CoordinatorRequest::Status);
    assert_eq!(coordinator.world.alarms.borrow().len(), 1);
}

#[test]
fn the_alarm_is_set_again_before_it_works() {
    let coordinator = Coordinator::armed();
    coordinator.world.alarm.take();
    let alarm = coordinator.process.run_alarm();
    let mut alarm = Box::pin(alarm);
    let poll = futures_util::FutureExt::now_or_never(alarm.as_mut());
    assert!(poll.is_none(), "it works");
    let next = coordinator.world.alarm.get().unwrap();
    assert_eq!(next, UnixMillis::from(Timestamp(START + 5)));
}

#[test]
fn a_request_sets_an_alarm_again_that_is_lost_or_later_than_the_work_is_due() {
    for (why, now, alarm, expected) in [
        ("no alarm", 0, None, Some(60)),
        ("an hour without an alarm", 3_600, None, Some(3_600)),
        ("in time", 0, Some(50), None),
        ("later than the work is due", 0, Some(100), Some(60)),
        ("a minute late", 110, Some(50), None),
        ("more than a minute late", 111, Some(50), Some(111)),
    ] {
        let mut coordinator = Coordinator::armed();
        {
            let mut state = coordinator.world.tables.state.borrow_mut();
            state.duties_due_at = millis(START + 60);
            state.poll.due_at = millis(START + 70);
        }
        coordinator.restart();
        coordinator.world.time.set(millis(START + now));
        coordinator.world.alarms.borrow_mut().clear();
        coordinator.world.alarm.set(alarm.map(|at: i64| millis(START + at)));
        coordinator.request(CoordinatorRequest::Arm);
        let expected: Vec<_> = expected.into_iter().map(|at: i64| millis(START + at)).collect();
        assert_eq!(*coordinator.world.alarms.borrow(), expected, "{why}");
    }
}

#[test]
fn a_request_during_the_work_leaves_the_alarm() {
    let coordinator = Coordinator::armed();
    coordinator.world.alarm.take();
    let mut alarm = Box::pin(coordinator.process.run_alarm());
    assert!(futures_util::FutureExt::now_or_never(alarm.as_mut()).is_none());
    coordinator.world.alarms.borrow_mut().clear();
    let arm = coordinator.process.handle(CoordinatorRequest::Arm);
    assert_eq!(pollster::block_on(arm), Ok(CoordinatorResponse::Done));
    assert!(coordinator.world.alarms.borrow().is_empty());
}

#[test]
fn changed_settings_make_the_work_due_at_once() {
    let mut coordinator = with_settings(NO_POLL);
    coordinator.pass(30);
    assert_eq!(coordinator.listings().len(), 0);
    coordinator.world.settings.set(SETTINGS);
    // The settings of a deployment change with its isolates.
    coordinator.restart();
    coordinator.request(CoordinatorRequest::Arm);
    assert_eq!(coordinator.world.alarm.get(), Some(coordinator.world.time.now()));
    coordinator.run_alarm();
    assert_eq!(coordinator.listings().len(), 1);
}

#[test]
fn a_mode_without_keys_has_no_alarm() {
    let coordinator = with_settings(CoordinatorSettings { is_used: false, ..NO_POLL });
    assert_eq!(coordinator.world.alarm.get(), None);
    // An alarm of earlier settings ends.
    coordinator.run_alarm();
    assert_eq!(coordinator.world.alarm.get(), None);
}

fn surveys(coordinator: &Coordinator) -> usize {
    coordinator.world.index_queries.borrow().len()
}

#[test]
fn an_index_without_a_problem_is_added_up_every_ten_minutes() {
    for settings in [SETTINGS, NO_POLL] {
        let coordinator = with_settings(settings);
        coordinator.pass(24 * 60 * 60 - 1);
        assert_eq!(surveys(&coordinator), 144, "{:?}", settings.poll_interval);
    }
}

#[test]
fn an_index_with_something_to_do_is_added_up_each_minute() {
    let backlog = Backlog { pending: 1, pending_since: Some(UnixMillis(5)), problem: None };
    let refused = Backlog { problem: Some(SyncProblem::KeyRefused), ..Backlog::default() };
    for (why, report) in [
        ("a failed task", IndexReport { backlog, ..IndexReport::default() }),
        ("a problem of the key", IndexReport { backlog: refused, ..IndexReport::default() }),
        ("an overdue task", IndexReport { overdue: keys(1), ..IndexReport::default() }),
        ("unread sets", IndexReport { unread_count: 1, ..IndexReport::default() }),
    ] {
        let coordinator = with_settings(NO_POLL);
        *coordinator.world.index.borrow_mut() = Ok(report);
        coordinator.pass(599);
        assert_eq!(surveys(&coordinator), 10, "{why}");
        *coordinator.world.index.borrow_mut() = Ok(IndexReport::default());
        coordinator.pass(600);
        assert_eq!(surveys(&coordinator), 11, "{why}: it is over");
    }
}

#[test]
fn a_shard_with_a_problem_is_added_up_within_a_minute() {
    for (reported_after, expected) in [(1, 60), (59, 60), (60, 60), (61, 61), (300, 300)] {
        let coordinator = with_settings(NO_POLL);
        coordinator.pass(reported_after);
        assert_eq!(surveys(&coordinator), 1, "{reported_after}");
        coordinator.request(CoordinatorRequest::SurveySoon);
        let due = coordinator.world.alarm.get().unwrap();
        assert_eq!(due.millis_since(Timestamp(START).into()), expected * 1_000, "{reported_after}");
        coordinator.pass(expected - reported_after);
        assert_eq!(surveys(&coordinator), 2, "{reported_after}");
    }
}

#[test]
fn a_problem_that_is_reported_during_the_sum_is_not_forgotten() {
    let coordinator = with_settings(NO_POLL);
    coordinator.world.alarm.take();
    let mut alarm = Box::pin(coordinator.process.run_alarm());
    assert!(futures_util::FutureExt::now_or_never(alarm.as_mut()).is_none(), "shards answer");
    assert_eq!(surveys(&coordinator), 0);
    coordinator.request(CoordinatorRequest::SurveySoon);
    coordinator.world.time.run_until(alarm).unwrap().unwrap();
    assert_eq!(surveys(&coordinator), 1);
    assert_eq!(coordinator.world.alarm.get(), Some(Timestamp(START + 60).into()));
}

#[test]
fn a_status_with_a_current_sum_asks_the_index() {
    let coordinator = with_settings(NO_POLL);
    coordinator.pass(600);
    let since = Some(UnixMillis(5));
    let backlog = Backlog { pending: 3, pending_since: since, problem: None };
    *coordinator.world.index.borrow_mut() = Ok(IndexReport { backlog, ..IndexReport::default() });
    assert_eq!(coordinator.status().backlog, Some(Backlog::default()), "no shard reported it");
    match coordinator.request(CoordinatorRequest::FreshStatus) {
        CoordinatorResponse::Status(status) => assert_eq!(status.backlog, Some(backlog)),
        response => panic!("{response:?}"),
    }
    assert_eq!(coordinator.status().backlog, Some(backlog));
}

#[test]
fn an_unavailable_index_is_reported_and_asked_again() {
    let coordinator = with_settings(NO_POLL);
    *coordinator.world.index.borrow_mut() = Err(PortError("down".to_owned()));
    coordinator.run_alarm();
    assert_eq!(coordinator.status().backlog, None);
    *coordinator.world.index.borrow_mut() = Ok(IndexReport::default());
    assert_eq!(coordinator.status().backlog, Some(Backlog::default()), "a status asks again");
    assert_eq!(coordinator.world.log.borrow()[0], "failed to call the customer index: down");
}

#[test]
fn ledgers_with_an_overdue_task_are_woken() {
    let coordinator = with_settings(SETTINGS);
    let overdue = keys(3);
    *coordinator.world.index.borrow_mut() =
        Ok(IndexReport { overdue: overdue.clone(), ..IndexReport::default() });
    coordinator.run_alarm();
    assert_eq!(*coordinator.world.rearmed.borrow(), overdue);
    assert_eq!(*coordinator.world.reconciled.borrow(), Vec::<String>::new());
}

#[test]
fn while_the_poll_works_no_ledger_is_read() {
    let coordinator = with_settings(SETTINGS);
    let report = IndexReport { unread: keys(3), unread_count: 3, ..IndexReport::default() };
    *coordinator.world.index.borrow_mut() = Ok(report);
    coordinator.pass(300);
    assert!(coordinator.world.index_queries.borrow().iter().all(|query| query.max_unread == 0));
    assert_eq!(*coordinator.world.reconciled.borrow(), Vec::<String>::new());
}

#[test]
fn without_a_poll_ledgers_that_were_not_read_for_a_day_are_read() {
    let coordinator = with_settings(NO_POLL);
    let report = IndexReport { unread: keys(3), unread_count: 3, ..IndexReport::default() };
    *coordinator.world.index.borrow_mut() = Ok(report);
    coordinator.run_alarm();
    assert_eq!(*coordinator.world.reconciled.borrow(), keys(3));
    let query = coordinator.world.index_queries.borrow()[0];
    assert_eq!(query.read_before, UnixMillis::from(Timestamp(START - DAY)));

    let keyless = with_settings(CoordinatorSettings { has_source: false, ..NO_POLL });
    keyless.run_alarm();
    assert_eq!(keyless.world.index_queries.borrow()[0].max_unread, 0, "without a key");
}

#[test]
fn unread_ledgers_are_read_as_fast_as_the_budget_allows() {
    for (rate, millis) in [(10, 19 * 200), (5, 19 * 400), (1, 19 * 2_000)] {
        let coordinator = with_settings(CoordinatorSettings { rate, ..NO_POLL });
        let report = IndexReport { unread: keys(20), unread_count: 100, ..IndexReport::default() };
        *coordinator.world.index.borrow_mut() = Ok(report);
        coordinator.run_alarm();
        assert_eq!(*coordinator.world.reconciled.borrow(), keys(20));
        assert_eq!(coordinator.world.requests.get(), 21);
        let now = coordinator.world.time.now();
        let took = now.millis_since(Timestamp(START).into());
        assert!((millis..millis + 100).contains(&took), "{rate}: {took} ms");
        let next = coordinator.world.alarm.get().unwrap();
        assert_eq!(next.millis_since(now), 5_000, "more of them are unread");
    }
}

#[test]
fn while_many_reads_after_events_wait_no_unread_ledger_is_read() {
    for (waiting, is_read) in [(25, true), (26, false)] {
        let coordinator = with_settings(NO_POLL);
        for _ in 0..waiting {
            coordinator.request(CoordinatorRequest::ReserveRead(ReadPriority::Background));
        }
        let report = IndexReport { unread: keys(1), unread_count: 1, ..IndexReport::default() };
        *coordinator.world.index.borrow_mut() = Ok(report);
        coordinator.run_alarm();
        assert_eq!(!coordinator.world.reconciled.borrow().is_empty(), is_read, "{waiting}");
    }
}

#[test]
fn while_more_unread_ledgers_are_leased_the_next_duties_are_a_minute_away() {
    let coordinator = with_settings(NO_POLL);
    let report = IndexReport { unread_count: 5, ..IndexReport::default() };
    *coordinator.world.index.borrow_mut() = Ok(report);
    coordinator.run_alarm();
    assert_eq!(coordinator.world.alarm.get(), Some(Timestamp(START + 60).into()));
}

#[test]
fn a_poll_that_is_refused_or_behind_is_replaced_by_reads() {
    let refused = || Error::KeyRejected { status: 403, permission: None };
    let unavailable = || Error::Unavailable { cause: "down".to_owned(), retry_after_ms: 0 };
    for (why, fault, seconds, is_read) in [
        ("refused", refused as fn() -> Error, 61, true),
        ("unavailable for a minute", unavailable, 61, false),
        ("unavailable for almost an hour", unavailable, 3_590, false),
        ("unavailable for more than an hour", unavailable, 3_661, true),
    ] {
        let coordinator = with_settings(SETTINGS);
        coordinator.world.list_faults.borrow_mut().extend((0..100).map(|_| fault()));
        let report = IndexReport { unread: keys(1), unread_count: 1, ..IndexReport::default() };
        *coordinator.world.index.borrow_mut() = Ok(report);
        coordinator.pass(seconds);
        let is_known = !coordinator.world.reconciled.borrow().is_empty();
        assert_eq!(is_known, is_read, "{why}");
    }
}

#[test]
fn data_of_a_newer_release_is_not_changed_and_the_alarm_stays() {
    let coordinator = Coordinator::armed();
    coordinator.world.tables.read_only.set(true);
    coordinator.run_alarm();
    assert_eq!(coordinator.world.requests.get(), 0);
    assert_eq!(coordinator.world.alarm.get(), Some(Timestamp(START + 60).into()));
    coordinator.request(CoordinatorRequest::Arm);
    coordinator.request(CoordinatorRequest::PollSoon);
    assert_eq!(coordinator.world.requests.get(), 0);
}
