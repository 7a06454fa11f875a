//! When a ledger reads the source, and who waits for a read.

use std::{cell::RefCell, rc::Rc};

use entgate::{
    entitlement::{SummaryPage, Version},
    id::{Timestamp, UnixMillis},
    ledger::{
        ApplyOutcome, ApplyReceipt, LedgerProcess, LedgerRequest, LedgerResponse, ReadPriority,
        SetOrigin, SourceAccess, Task, UnreadableEvent, WaitFor,
    },
    policy::{GrantRule, SourcePolicy, StatusPolicy},
    store::memory::Fault,
};

use crate::{
    model::world::{CUSTOMER, RequestFault, Slot, World, WorldPorts},
    support::{customer, grants, summary},
};

/// A ledger whose source has `a` and `b`.
fn ledger() -> (Rc<World>, LedgerProcess<WorldPorts>) {
    let world = World::new(SourceAccess::Available);
    world.writes_succeed.set(true);
    world.stripe.set_entitlements(CUSTOMER, grants(&["a", "b"]));
    world.states.borrow_mut().push(grants(&["a", "b"]));
    (Rc::clone(&world), LedgerProcess::new(WorldPorts(world)))
}

fn apply(keys: &[&str]) -> LedgerRequest {
    LedgerRequest::Apply(summary("evt_1", 10, SummaryPage::Truncated(grants(keys))))
}

fn load() -> LedgerRequest {
    LedgerRequest::Load { customer: customer(CUSTOMER), features: vec![] }
}

fn sync(wait_for: Option<(&str, u32)>) -> LedgerRequest {
    let wait_for = wait_for.map(|(feature, max_seconds)| {
        let feature = feature.try_into().unwrap();
        WaitFor { feature, max_seconds }
    });
    LedgerRequest::Sync { customer: customer(CUSTOMER), wait_for }
}

/// Sends requests at the same time. Returns their responses in the order in which they end.
fn send(
    world: &World,
    process: &LedgerProcess<WorldPorts>,
    requests: impl IntoIterator<Item = LedgerRequest>,
) -> Vec<LedgerResponse> {
    let responses = Rc::new(RefCell::new(Vec::new()));
    for request in requests {
        let (process, responses) = (process.clone(), Rc::clone(&responses));
        world.time.spawn(async move {
            let response = process.handle(&request).await.unwrap();
            responses.borrow_mut().push(response);
        });
    }
    let count = || Rc::strong_count(&responses) - 1;
    while count() > 0 {
        if !world.time.poll_next() {
            world.time.advance_to(world.time.next_timer().unwrap());
        }
    }
    responses.take()
}

#[test]
fn loads_at_the_same_time_share_one_read() {
    let keys = (0..250).map(|number| format!("f{number}")).collect::<Vec<_>>();
    let list = grants(&keys.iter().map(String::as_str).collect::<Vec<_>>());
    let mut requests = Vec::new();
    for loads in [1, 3] {
        let (world, process) = ledger();
        world.stripe.set_entitlements(CUSTOMER, list.clone());
        world.states.borrow_mut().push(list.clone());
        let responses = send(&world, &process, vec![load(); loads]);
        assert_eq!(responses, vec![LedgerResponse::Set(SetOrigin::Source); loads]);
        requests.push(world.stripe.requests().len());
    }
    assert_eq!(requests, [6, 6], "three pages, read twice to be sure");
}

#[test]
fn a_sync_does_not_use_a_read_that_began_before_it() {
    let (world, process) = ledger();
    let responses = send(&world, &process, [load(), sync(None), sync(None)]);
    assert_eq!(responses, vec![LedgerResponse::Set(SetOrigin::Source); 3]);
    assert_eq!(world.stripe.requests().len(), 2, "the syncs share the second read");
}

#[test]
fn a_failed_read_is_repeated_after_its_back_off() {
    let (world, process) = ledger();
    world.request_faults.borrow_mut().extend([RequestFault::Status(500); 3]);
    send(&world, &process, [apply(&["a"])]);
    world.time.run_until(process.run_due_tasks()).unwrap().unwrap();
    let read = world.tables.state().outbox.pending(Task::Read).unwrap();
    assert_eq!(read.attempts, 1);
    assert!(read.due_at > world.time.now(), "{read:?}");
    let requests = world.stripe.requests().len();
    let responses = send(&world, &process, [load()]);
    let cause = "failed to read from Stripe: status 500".to_owned();
    assert_eq!(responses, [LedgerResponse::KnownPart(cause)]);
    assert_eq!(world.stripe.requests().len(), requests, "no read before the end of the back-off");

    world.time.advance_to(read.due_at);
    world.time.run_until(process.run_due_tasks()).unwrap().unwrap();
    assert_eq!(world.tables.state().outbox.pending(Task::Read), None);
    let responses = send(&world, &process, [load()]);
    assert_eq!(responses, [LedgerResponse::Set(SetOrigin::Ledger)]);
    assert_eq!(world.tables.state().record.source().unwrap().data.len(), 2, "the complete list");
}

#[test]
fn a_failed_transaction_is_the_error_of_a_request_even_if_the_alarm_fails_too() {
    let (world, process) = ledger();
    world.tables.fail_next(Fault::After);
    world.alarm_fails.set(true);
    let result = world.time.run_until(process.handle(&apply(&["a"]))).unwrap();
    assert_eq!(result.unwrap_err().to_string(), "injected fault of a transaction");
}

#[test]
fn an_unknown_customer_is_not_read_again_for_60_seconds() {
    let (world, process) = ledger();
    world.stripe.delete_customer(CUSTOMER);
    let other = LedgerRequest::Load { customer: customer("cus_other"), features: vec![] };
    world.request_faults.borrow_mut().extend([RequestFault::Status(404); 2]);
    send(&world, &process, [other.clone()]);
    let requests = world.stripe.requests().len();
    world.time.advance_to(world.time.now().saturating_add(59_000));
    send(&world, &process, [other]);
    assert_eq!(world.stripe.requests().len(), requests);
}

#[test]
fn a_waiting_sync_ends_with_the_event_that_grants_the_feature() {
    let (world, process) = ledger();
    world.stripe.set_entitlements(CUSTOMER, vec![]);
    world.states.borrow_mut().push(vec![]);
    let (waiting, log) = (process.clone(), Rc::new(RefCell::new(None)));
    let (clock, result) = (world.time.clone(), Rc::clone(&log));
    world.time.spawn(async move {
        let response = waiting.handle(&sync(Some(("c", 20)))).await.unwrap();
        *result.borrow_mut() = Some((response, clock.now()));
    });
    let begin = world.time.now();
    let event_at = begin.saturating_add(1_500);
    world.time.run_ready();
    assert_eq!(*log.borrow(), None, "the first read does not grant the feature");
    world.time.advance_to(event_at);
    let created = event_at.to_timestamp().0 + 1;
    let event = summary("evt_1", created, SummaryPage::Complete(grants(&["c"])));
    send(&world, &process, [LedgerRequest::Apply(event)]);
    world.time.run_ready();
    assert_eq!(*log.borrow(), Some((LedgerResponse::Set(SetOrigin::Ledger), event_at)));
}

#[test]
fn a_waiting_sync_reads_again_until_its_time_is_up() {
    let (world, process) = ledger();
    let begin = world.time.now();
    let responses = send(&world, &process, [sync(Some(("c", 20)))]);
    assert_eq!(responses, [LedgerResponse::Set(SetOrigin::Source)]);
    assert_eq!(world.time.now(), begin.saturating_add(20_000));
    // At 0, 2, 6 and 14 seconds.
    assert_eq!(world.stripe.requests().len(), 4);
}

/// Runs the alarm.
fn run_alarm(world: &World, process: &LedgerProcess<WorldPorts>) {
    world.time.run_until(process.run_due_tasks()).unwrap().unwrap();
    // The message to the customer index, for which the alarm does not wait.
    world.time.run_ready();
}

#[test]
fn a_background_read_asks_for_its_slot_once_and_starts_then() {
    for (why, slot, delay) in [
        ("now", Slot::After(0), 0),
        ("later", Slot::After(20_000), 20_000),
        ("in a month", Slot::After(30 * 86_400_000), 30 * 86_400_000),
    ] {
        let (world, process) = ledger();
        world.slots.borrow_mut().push_back(slot);
        send(&world, &process, [apply(&["a"])]);
        let begin = world.time.now();
        run_alarm(&world, &process);
        let start = begin.saturating_add(delay);
        if delay > 0 {
            let read_at = || world.tables.state().outbox.pending(Task::Read).unwrap().due_at;
            assert_eq!((world.stripe.requests().len(), read_at()), (0, start), "{why}");
            // The next event does not start the read earlier.
            let event = summary("evt_2", 11, SummaryPage::Truncated(grants(&["a"])));
            send(&world, &process, [LedgerRequest::Apply(event)]);
            assert_eq!(read_at(), start, "{why}");
            world.time.advance_to(start);
            run_alarm(&world, &process);
        }
        assert_eq!(world.stripe.requests().len(), 1, "{why}");
        assert_eq!(*world.reservations.borrow(), [ReadPriority::Background], "{why}");
        let state = world.tables.state();
        assert_eq!((state.outbox.pending(Task::Read), state.read_slot), (None, None), "{why}");
    }
}

#[test]
fn a_background_read_without_a_slot_asks_again_with_back_off() {
    for (slot, waited) in [(Slot::NoAnswer, 5_000), (Slot::Fails, 0)] {
        let (world, process) = ledger();
        world.slots.borrow_mut().push_back(slot);
        send(&world, &process, [apply(&["a"])]);
        let begin = world.time.now();
        run_alarm(&world, &process);
        assert_eq!(world.time.now(), begin.saturating_add(waited), "{slot:?}");
        let task = world.tables.state().outbox.pending(Task::Read).unwrap();
        assert_eq!((world.stripe.requests().len(), task.attempts), (0, 1), "{slot:?}");
        world.time.advance_to(task.due_at);
        run_alarm(&world, &process);
        assert_eq!(world.stripe.requests().len(), 1, "{slot:?}");
        assert_eq!(*world.reservations.borrow(), [ReadPriority::Background; 2], "{slot:?}");
    }
}

/// Reads the set of an event, and returns when the timer of the next read is due.
fn read_after_event(world: &World, process: &LedgerProcess<WorldPorts>) -> UnixMillis {
    send(world, process, [apply(&["a"])]);
    run_alarm(world, process);
    world.tables.state().reconcile_timer.due_at.unwrap()
}

#[test]
fn a_routine_read_waits_for_its_slot_with_the_timer() {
    let (world, process) = ledger();
    let due_at = read_after_event(&world, &process);
    world.time.advance_to(due_at);
    let wait = 60 * 86_400_000;
    world.slots.borrow_mut().push_back(Slot::After(wait));
    run_alarm(&world, &process);
    let state = world.tables.state();
    let slot = due_at.saturating_add(wait);
    assert_eq!(state.reconcile_timer.due_at, Some(slot));
    assert_eq!((state.outbox.next_due(), state.read_slot), (None, None), "no pending task");
    world.time.advance_to(slot);
    run_alarm(&world, &process);
    assert_eq!(world.stripe.requests().len(), 2);
    let asked = [ReadPriority::Background, ReadPriority::Routine];
    assert_eq!(*world.reservations.borrow(), asked, "once for each read");
}

#[test]
fn an_event_does_not_wait_for_the_slot_of_a_routine_read() {
    let (world, process) = ledger();
    let due_at = read_after_event(&world, &process);
    world.time.advance_to(due_at);
    world.slots.borrow_mut().push_back(Slot::After(60 * 86_400_000));
    run_alarm(&world, &process);
    let created = world.time.now().to_timestamp().0;
    let event = summary("evt_2", created, SummaryPage::Truncated(grants(&["a"])));
    send(&world, &process, [LedgerRequest::Apply(event)]);
    run_alarm(&world, &process);
    assert_eq!(world.stripe.requests().len(), 2);
    let asked = [ReadPriority::Background, ReadPriority::Routine, ReadPriority::Background];
    assert_eq!(*world.reservations.borrow(), asked);
}

#[test]
fn reads_that_are_late_are_spread_over_an_hour() {
    for (late, is_spread) in [(60_000, false), (60_001, true)] {
        let (world, process) = ledger();
        world.slots.borrow_mut().push_back(Slot::After(20_000));
        send(&world, &process, [apply(&["a"])]);
        run_alarm(&world, &process);
        let slot = world.tables.state().read_slot.unwrap();
        world.time.advance_to(slot.saturating_add(late));
        run_alarm(&world, &process);
        assert_eq!(world.stripe.requests().len(), usize::from(!is_spread), "{late}");
        if is_spread {
            let due = world.tables.state().outbox.pending(Task::Read).unwrap().due_at;
            assert!(due.millis_since(world.time.now()) <= 3_600_000, "{due:?}");
            world.time.advance_to(due);
            run_alarm(&world, &process);
            assert_eq!(world.stripe.requests().len(), 1, "the slot is lost");
            assert_eq!(*world.reservations.borrow(), [ReadPriority::Background; 2]);
        }
    }
}

#[test]
fn a_read_for_a_caller_waits_for_its_slot_but_at_most_8_s() {
    let used_up = "the rate of reads is used up: the next one may start in 9 s";
    let failed = LedgerResponse::SourceFailed(used_up.to_owned());
    let read = || LedgerResponse::Set(SetOrigin::Source);
    for (why, slot, response, waited, requests) in [
        ("now", Slot::After(0), read(), 0, 1),
        ("later", Slot::After(8_000), read(), 8_000, 1),
        ("too late", Slot::After(8_001), failed, 0, 0),
        ("no answer", Slot::NoAnswer, read(), 200, 1),
    ] {
        let (world, process) = ledger();
        world.slots.borrow_mut().push_back(slot);
        let begin = world.time.now();
        assert_eq!(send(&world, &process, [load()]), [response], "{why}");
        assert_eq!(world.time.now().millis_since(begin), waited, "{why}");
        assert_eq!(world.stripe.requests().len(), requests, "{why}");
        assert_eq!(*world.reservations.borrow(), [ReadPriority::Interactive], "{why}");
    }
}

#[test]
fn a_rate_limit_of_the_source_is_reported() {
    for (status, reports) in [(429, 1), (500, 0)] {
        let (world, process) = ledger();
        world.request_faults.borrow_mut().extend([RequestFault::Status(status); 3]);
        send(&world, &process, [load()]);
        world.time.run_ready();
        assert_eq!(world.rate_limits.get(), reports, "{status}");
    }
}

#[test]
fn an_event_that_cannot_be_read_is_noted_and_the_alarm_reads_its_customer() {
    let (world, process) = ledger();
    let event = UnreadableEvent {
        customer: customer(CUSTOMER),
        event: "evt_odd".try_into().unwrap(),
        created: Timestamp(10),
    };
    let responses = send(&world, &process, [LedgerRequest::NoteUnreadable(event)]);
    let receipt = ApplyReceipt { outcome: ApplyOutcome::Failed, version: Version(0) };
    assert_eq!(responses, [LedgerResponse::Receipt(receipt)]);
    assert!(world.alarm.get().is_some(), "the alarm reads the source");
    world.time.run_until(process.run_due_tasks()).unwrap().unwrap();
    assert_eq!(world.tables.state().record.source().unwrap().data, grants(&["a", "b"]));
}

#[test]
fn a_polled_event_is_applied_like_a_delivered_one_and_once() {
    let (world, process) = ledger();
    let event = summary("evt_1", 10, SummaryPage::Complete(grants(&["a"])));
    let outcome = |request: LedgerRequest| match send(&world, &process, [request]).as_slice() {
        [LedgerResponse::Receipt(receipt)] => receipt.outcome,
        responses => panic!("{responses:?}"),
    };
    assert_eq!(outcome(LedgerRequest::ApplyPolled(event.clone())), ApplyOutcome::Applied);
    assert_eq!(outcome(LedgerRequest::ApplyPolled(event.clone())), ApplyOutcome::Duplicate);
    assert_eq!(outcome(LedgerRequest::Apply(event)), ApplyOutcome::Duplicate);
}

/// A ledger whose set was read from the source.
fn ledger_after_a_read() -> (Rc<World>, LedgerProcess<WorldPorts>) {
    let (world, process) = ledger();
    assert_eq!(send(&world, &process, [load()]), [LedgerResponse::Set(SetOrigin::Source)]);
    (world, process)
}

#[test]
fn after_a_policy_change_the_ledger_answers_and_reads_in_the_background() {
    let (world, process) = ledger_after_a_read();
    world.policy.set(SourcePolicy::Stripe(GrantRule::Revoke));
    let requests = world.stripe.requests().len();
    for _ in 0..2 {
        assert_eq!(send(&world, &process, [load()]), [LedgerResponse::Set(SetOrigin::Ledger)]);
    }
    assert_eq!(world.stripe.requests().len(), requests, "the caller does not wait");
    assert_eq!(world.alarm.get(), Some(world.time.now()));
    run_alarm(&world, &process);
    assert_eq!(world.stripe.requests().len(), requests + 1);
    // The replica is written once in 1.5 s.
    world.time.advance_to(world.time.now().saturating_add(1_500));
    run_alarm(&world, &process);
    let state = world.tables.state();
    assert_eq!(state.outbox.pending(Task::Confirm), None);
    assert_eq!(state.record.source().unwrap().policy, world.policy.get());
    let replica = world.replica.borrow();
    let source = replica.as_ref().unwrap().source.as_ref().unwrap();
    assert_eq!(source.policy, world.policy.get());
}

#[test]
fn after_a_change_of_the_source_it_is_read_before_an_answer() {
    let (world, process) = ledger_after_a_read();
    world.policy.set(SourcePolicy::Catalog(StatusPolicy::default()));
    world.stripe.set_entitlements(CUSTOMER, grants(&["c"]));
    world.states.borrow_mut().push(grants(&["c"]));
    world.request_faults.borrow_mut().extend([RequestFault::Status(500); 3]);
    let cause = "failed to read from Stripe: status 500".to_owned();
    assert_eq!(send(&world, &process, [load()]), [LedgerResponse::SourceFailed(cause)]);
    world.time.advance_to(world.time.now().saturating_add(60_000));
    assert_eq!(send(&world, &process, [load()]), [LedgerResponse::Set(SetOrigin::Source)]);
    let state = world.tables.state();
    let set = state.record.source().unwrap();
    assert_eq!(
        (state.version(), set.data.clone(), set.policy),
        (Version(2), grants(&["c"]), world.policy.get())
    );
}

#[test]
fn without_access_to_the_new_source_nothing_is_known() {
    let world = World::new(SourceAccess::None);
    world.writes_succeed.set(true);
    let process = LedgerProcess::new(WorldPorts(Rc::clone(&world)));
    send(&world, &process, [apply(&["a"])]);
    assert_eq!(send(&world, &process, [load()]), [LedgerResponse::Set(SetOrigin::Ledger)]);
    world.policy.set(SourcePolicy::Catalog(StatusPolicy::default()));
    let cause = "no Stripe key is set for this mode".to_owned();
    assert_eq!(send(&world, &process, [load()]), [LedgerResponse::SourceFailed(cause)]);
}

#[test]
fn a_ledger_reads_its_set_again_by_its_own_alarm() {
    let (world, process) = ledger_after_a_read();
    // The replica and the report.
    world.time.advance_to(world.time.now().saturating_add(1_000));
    run_alarm(&world, &process);
    let requests = world.stripe.requests().len();
    let state = world.tables.state();
    let due = state.reconcile_timer.due_at.unwrap();
    assert_eq!((state.outbox.next_due(), world.alarm.get()), (None, Some(due)));
    world.stripe.set_entitlements(CUSTOMER, grants(&["c"]));
    world.states.borrow_mut().push(grants(&["c"]));
    world.time.advance_to(due);
    run_alarm(&world, &process);
    assert_eq!(world.stripe.requests().len(), requests + 1);
    assert_eq!(world.tables.state().record.source().unwrap().data, grants(&["c"]));
    world.time.advance_to(world.time.now().saturating_add(1_000));
    run_alarm(&world, &process);
    assert_eq!(world.alarm.get(), world.tables.state().reconcile_timer.due_at);
}

#[test]
fn an_event_causes_one_message_to_the_customer_index() {
    let world = World::new(SourceAccess::None);
    world.writes_succeed.set(true);
    let process = LedgerProcess::new(WorldPorts(Rc::clone(&world)));
    let event = |id: &str, keys: &[&str]| {
        LedgerRequest::Apply(summary(id, 10, SummaryPage::Complete(grants(keys))))
    };
    for (id, has_report) in [("evt_1", true), ("evt_2", false), ("evt_2", false)] {
        send(&world, &process, [event(id, &["a"])]);
        world.time.run_ready();
        let messages = world.index_messages.take();
        let contents: Vec<_> =
            messages.iter().map(|sent| (sent.report.is_some(), sent.activities.len())).collect();
        assert_eq!(contents, [(has_report, 1)], "{id}");
        assert_eq!(world.tables.state().outbox.pending(Task::Report), None, "{id}");
    }
    let events = (3..=9).map(|number| event(&format!("evt_{number}"), &["a"]));
    send(&world, &process, events);
    world.time.run_ready();
    let messages = world.index_messages.take();
    assert_eq!(messages.iter().map(|sent| sent.activities.len()).sum::<usize>(), 7);
    assert!(messages.len() < 7, "events of the same time share messages");
}

#[test]
fn a_report_that_failed_is_sent_again_and_its_activities_are_not() {
    let world = World::new(SourceAccess::None);
    world.writes_succeed.set(true);
    world.report_faults.borrow_mut().push_back(Fault::Before);
    let process = LedgerProcess::new(WorldPorts(Rc::clone(&world)));
    let event = summary("evt_1", 10, SummaryPage::Complete(grants(&["a"])));
    send(&world, &process, [LedgerRequest::Apply(event)]);
    world.time.run_ready();
    let failed = world.index_messages.take();
    assert_eq!(failed.iter().map(|sent| sent.activities.len()).collect::<Vec<_>>(), [1]);
    let due = world.tables.state().outbox.pending(Task::Report).unwrap().due_at;
    assert_eq!(world.alarm.get(), Some(due));
    world.time.advance_to(due);
    run_alarm(&world, &process);
    let repeated = world.index_messages.take();
    assert_eq!(repeated.len(), 1);
    assert_eq!((&repeated[0].report, repeated[0].activities.len()), (&failed[0].report, 0));
    assert_eq!(world.tables.state().outbox.pending(Task::Report), None);
}
