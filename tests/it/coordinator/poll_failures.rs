//! The event poll when Stripe or a ledger fails: nothing is lost, and nothing is blocked.

use entgate::{
    coordinator::{CoordinatorRequest, CoordinatorSettings, PollFailure, RetryTask},
    id::{EventId, Timestamp},
    ledger::{LedgerRequest, UnreadableEvent},
    source::{Error, StripeResponse},
};
use serde_json::{Value, json};

use super::{Coordinator, START, event, millis, world::SETTINGS};
use crate::support::customer;

fn response(status: u16, body: &Value) -> StripeResponse {
    let body = body.to_string().into_bytes();
    StripeResponse { status, body, ..StripeResponse::default() }
}

fn error(message: &str) -> Value {
    json!({ "error": { "type": "invalid_request_error", "message": message } })
}

#[test]
fn a_failed_request_is_repeated_at_the_next_poll_and_not_before() {
    let coordinator = Coordinator::armed();
    coordinator.add_event(event("a", "cus_ada", START));
    let stripe = coordinator.world.stripe.transport();
    stripe.queue_response(Ok(response(500, &error("failed"))));
    coordinator.run_alarm();
    assert_eq!(coordinator.listings().len(), 1);
    let failure = PollFailure::Unavailable("failed to read from Stripe: status 500".to_owned());
    assert_eq!(coordinator.poll_status().failure, Some(failure));
    coordinator.pass(59);
    assert_eq!(coordinator.listings().len(), 1);
    coordinator.pass(2);
    assert_eq!(coordinator.applied(), ["a"]);
    assert_eq!(coordinator.poll_status().failure, None);
}

#[test]
fn a_missing_permission_is_reported_by_stripes_name() {
    for (message, permission) in [
        (
            "The provided key 'rk_test_***' does not have the required permissions for this endpoint on \
             account 'acct_1'. Having the 'rak_event_read' permission would allow this request to \
             continue.",
            Some("rak_event_read".to_owned()),
        ),
        ("The provided key does not have the required permissions.", None),
    ] {
        let coordinator = Coordinator::armed();
        coordinator.world.stripe.transport().queue_response(Ok(response(403, &error(message))));
        coordinator.run_alarm();
        let failure = Some(PollFailure::MissingPermission(permission));
        assert_eq!(coordinator.poll_status().failure, failure, "{message}");
        // The operator grants it.
        coordinator.pass(61);
        assert_eq!(coordinator.poll_status().failure, None);
    }
    let coordinator = Coordinator::armed();
    coordinator
        .world
        .stripe
        .transport()
        .queue_response(Ok(response(401, &error("Invalid API Key"))));
    coordinator.run_alarm();
    assert_eq!(coordinator.poll_status().failure, Some(PollFailure::KeyRefused));
}

#[test]
fn a_429_delays_the_poll_and_halves_the_rate() {
    let coordinator = Coordinator::armed();
    let limited =
        StripeResponse { status: 429, retry_after: Some(300), ..StripeResponse::default() };
    coordinator.world.stripe.transport().queue_response(Ok(limited));
    coordinator.run_alarm();
    coordinator.pass(290);
    assert_eq!(coordinator.listings().len(), 1);
    coordinator.pass(20);
    assert_eq!(coordinator.listings().len(), 2);
}

#[test]
fn a_page_that_is_too_long_is_asked_for_with_half_the_limit() {
    let coordinator = Coordinator::armed();
    for number in 0..60 {
        coordinator.add_event(event(&format!("evt{number:02}"), "cus_ada", START - 500 + number));
    }
    let too_long =
        || StripeResponse { status: 200, is_too_long: true, ..StripeResponse::default() };
    let stripe = coordinator.world.stripe.transport();
    stripe.queue_response(Ok(too_long()));
    stripe.queue_response(Ok(too_long()));
    coordinator.pass(10);
    let from = START - 600;
    assert_eq!(
        coordinator.listings()[..4],
        [
            format!("limit=100&from={from}"),
            format!("limit=50&from={from}"),
            format!("limit=25&from={from}"),
            format!("limit=25&from={from}&starting_after=evt35"),
        ]
    );
    assert_eq!(coordinator.applied().len(), 60);
    assert_eq!(coordinator.poll_status().gap, None);
    coordinator.pass(60);
    assert!(coordinator.listings().last().unwrap().starts_with("limit=100&"), "the next pass");
}

#[test]
fn an_event_that_is_too_long_alone_is_a_gap_and_does_not_stop_the_poll() {
    let coordinator = Coordinator::armed();
    for _ in 0..7 {
        coordinator.world.list_faults.borrow_mut().push_back(Error::TooLong);
    }
    coordinator.world.index.borrow_mut().as_mut().unwrap().unread_count = 3;
    coordinator.run_alarm();
    assert_eq!(coordinator.poll_status().gap.map(|gap| gap.found_at), Some(Timestamp(START + 2)));
    coordinator.add_event(event("a", "cus_ada", coordinator.now()));
    coordinator.pass(60);
    assert_eq!(coordinator.applied(), ["a"]);
}

#[test]
fn a_list_that_repeats_a_page_ends_the_attempt() {
    let coordinator = Coordinator::armed();
    let page = json!({
        "object": "list", "has_more": true, "data": [event("a", "cus_ada", START)],
    });
    let stripe = coordinator.world.stripe.transport();
    for _ in 0..3 {
        stripe.queue_response(Ok(response(200, &page)));
    }
    coordinator.run_alarm();
    assert_eq!(coordinator.listings().len(), 2);
    assert_eq!(coordinator.applied(), ["a"]);
    let cause = "failed to parse Stripe's response: a list of events that repeats a page";
    let failure = PollFailure::Unavailable(cause.to_owned());
    assert_eq!(coordinator.poll_status().failure, Some(failure));
}

#[test]
fn a_pass_whose_last_event_is_gone_begins_with_the_first_page() {
    let coordinator = Coordinator::armed();
    for number in 0..50 {
        coordinator.add_event(event(&format!("evt{number:02}"), "cus_ada", START - 500 + number));
    }
    coordinator.run_alarm();
    coordinator.world.tables.state.borrow_mut().poll.pass.as_mut().unwrap().after =
        Some(EventId::try_from("gone").unwrap());
    coordinator.pass(2);
    assert_eq!(coordinator.applied().len(), 50);
    assert_eq!(coordinator.poll_status().failure, None);
    let from = START - 600;
    assert_eq!(
        coordinator.listings()[1..3],
        [format!("limit=100&from={from}&starting_after=gone"), format!("limit=100&from={from}")]
    );
}

#[test]
fn an_event_that_cannot_be_read_is_noted_by_its_customers_ledger_and_blocks_nothing() {
    let coordinator = Coordinator::armed();
    let mut unreadable = event("unreadable", "cus_ada", START - 50);
    unreadable["data"]["object"]["entitlements"] = json!("none");
    let mut deleted = event("deleted", "cus_ada", START - 40);
    deleted["type"] = json!("customer.deleted");
    deleted["data"]["object"] = json!({ "object": "customer", "id": "cus_bob" });
    deleted["livemode"] = json!("no");
    let mut nameless = event("nameless", "cus_ada", START - 30);
    nameless["data"] = json!({});
    let mut without_id = event("without id", "cus_ada", START - 20);
    without_id["id"] = json!(7);
    for event in [unreadable, deleted, nameless, without_id, event("good", "cus_cy", START - 10)] {
        coordinator.add_event(event);
    }
    coordinator.pass(120);
    assert_eq!(coordinator.applied(), ["unreadable unreadable", "unreadable deleted", "good"]);
    let expected = |customer_id, id: &str, created| UnreadableEvent {
        customer: customer(customer_id),
        event: EventId::try_from(id).unwrap(),
        created: Timestamp(created),
    };
    let noted: Vec<_> = {
        let sent = coordinator.world.sent.borrow();
        let noted = sent.iter().filter_map(|(_, request)| match request {
            LedgerRequest::NoteUnreadable(event) => Some(event.clone()),
            _ => None,
        });
        noted.collect()
    };
    assert_eq!(
        noted,
        [expected("cus_ada", "unreadable", START - 50), expected("cus_bob", "deleted", START - 40)]
    );
    assert_eq!(coordinator.world.tables.state.borrow().poll.cursor, Some(Timestamp(START - 10)));
}

#[test]
fn an_event_that_a_ledger_cannot_store_is_retried_and_the_cursor_moves() {
    let coordinator = Coordinator::armed();
    coordinator.world.failing.borrow_mut().insert("cus_ada".to_owned());
    coordinator.add_event(event("a", "cus_ada", START - 100));
    coordinator.add_event(event("b", "cus_bob", START - 50));
    coordinator.run_alarm();
    assert_eq!(coordinator.applied(), ["b"]);
    assert_eq!(coordinator.world.tables.state.borrow().poll.cursor, Some(Timestamp(START - 50)));
    assert_eq!(coordinator.poll_status().retries, 1);
    coordinator.pass(300);
    assert_eq!(coordinator.poll_status().retries, 1);
    coordinator.world.failing.borrow_mut().clear();
    coordinator.pass(600);
    assert_eq!(coordinator.applied(), ["b", "a"]);
    let status = coordinator.poll_status();
    assert_eq!((status.retries, status.found), (0, 1));
}

#[test]
fn a_ledger_that_fails_for_three_days_causes_a_gap() {
    let coordinator = Coordinator::armed();
    coordinator.world.failing.borrow_mut().insert("cus_ada".to_owned());
    coordinator.world.index.borrow_mut().as_mut().unwrap().unread_count = 1;
    coordinator.add_event(event("a", "cus_ada", START));
    coordinator.pass(3 * 24 * 3_600 - 60);
    let status = coordinator.poll_status();
    assert_eq!((status.retries, status.gap), (1, None));
    coordinator.pass(1_300);
    let status = coordinator.poll_status();
    assert_eq!((status.retries, status.gap.is_some()), (0, true));
}

#[test]
fn with_a_thousand_events_to_retry_the_pass_waits_and_loses_nothing() {
    let coordinator = Coordinator::armed();
    coordinator.world.failing.borrow_mut().insert("cus_ada".to_owned());
    let retry = |id: String| RetryTask {
        event: id.try_into().unwrap(),
        event_created: Timestamp(START),
        customer: customer("cus_ada"),
        request: LedgerRequest::Rearm,
        created_at: millis(START),
        attempts: 0,
        due_at: millis(START + 1_000_000),
    };
    for number in 0..999 {
        let task = retry(format!("retry_{number}"));
        coordinator.world.tables.retries.borrow_mut().insert(task.event.clone(), task);
    }
    for (id, created) in [("older", START - 100), ("newer", START - 50)] {
        coordinator.add_event(event(id, "cus_ada", created));
    }
    coordinator.run_alarm();
    assert_eq!(coordinator.poll_status().retries, 1_000);
    assert_eq!(
        coordinator.world.tables.state.borrow().poll.cursor,
        None,
        "the pass is not complete"
    );
    coordinator.pass(300);
    assert_eq!(coordinator.poll_status().retries, 1_000);
    coordinator.world.tables.retries.borrow_mut().retain(|id, _| id.as_str() == "older");
    coordinator.world.failing.borrow_mut().clear();
    coordinator.pass(1_200);
    let mut applied = coordinator.applied();
    applied.sort_unstable();
    assert_eq!(applied, ["newer", "older"]);
    assert_eq!(coordinator.world.tables.state.borrow().poll.cursor, Some(Timestamp(START - 50)));
}

#[test]
fn a_lost_response_of_a_ledger_repeats_the_event() {
    let coordinator = Coordinator::armed();
    coordinator.world.lost_responses.set(1);
    coordinator.add_event(event("a", "cus_ada", START - 100));
    coordinator.pass(60);
    assert_eq!(coordinator.applied(), ["a", "a"]);
    let status = coordinator.poll_status();
    assert_eq!((status.retries, status.found), (0, 0), "the ledger knew it at the second time");
}

#[test]
fn the_poll_is_behind_after_an_hour_without_a_completed_pass() {
    let coordinator = Coordinator::new();
    let poll_interval = Some(600_000);
    coordinator.world.settings.set(CoordinatorSettings { poll_interval, ..SETTINGS });
    coordinator.request(CoordinatorRequest::Arm);
    let unavailable = || Error::Unavailable { cause: "down".to_owned(), retry_after_ms: 0 };
    coordinator.world.list_faults.borrow_mut().extend((0..8).map(|_| unavailable()));
    coordinator.pass(3_599);
    assert!(!coordinator.poll_status().is_behind);
    coordinator.pass(2);
    assert!(coordinator.poll_status().is_behind);
    coordinator.pass(1_300);
    assert!(!coordinator.poll_status().is_behind);
}
