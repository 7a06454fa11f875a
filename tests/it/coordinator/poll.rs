//! The event poll: cursor, overlap, pages, the limit of an alarm, and what is counted.

use entgate::{
    coordinator::{CoordinatorRequest, CoordinatorSettings, PollGap},
    id::{EventId, Timestamp, UnixMillis},
    ledger::LedgerRequest,
    policy::GrantRule,
    webhook::stripe,
};
use serde_json::json;

use super::{Coordinator, START, event, millis, world::SETTINGS};

const DAY: i64 = 24 * 60 * 60;

#[test]
fn the_first_poll_begins_ten_minutes_ago_and_applies_the_oldest_event_first() {
    let coordinator = Coordinator::armed();
    for (id, created) in [("old", START - 601), ("a", START - 600), ("b", START - 100)] {
        coordinator.add_event(event(id, "cus_ada", created));
    }
    coordinator.run_alarm();
    assert_eq!(coordinator.applied(), ["a", "b"]);
    assert_eq!(coordinator.listings(), [format!("limit=100&from={}", START - 600)]);
    let status = coordinator.poll_status();
    assert_eq!((status.gap, status.failure, status.is_behind), (None, None, false));
}

#[test]
fn the_next_pass_begins_ten_minutes_before_the_newest_event_and_applies_each_event_once() {
    let coordinator = Coordinator::armed();
    coordinator.add_event(event("a", "cus_ada", START - 100));
    coordinator.run_alarm();
    coordinator.add_event(event("b", "cus_bob", START - 50));
    coordinator.pass(60);
    coordinator.pass(60);
    assert_eq!(coordinator.applied(), ["a", "b"]);
    assert_eq!(
        coordinator.listings(),
        [
            format!("limit=100&from={}", START - 600),
            format!("limit=100&from={}", START - 700),
            format!("limit=100&from={}", START - 650),
        ]
    );
}

#[test]
fn an_event_that_stripe_lists_late_is_found_within_the_overlap() {
    let coordinator = Coordinator::armed();
    coordinator.add_event(event("new", "cus_ada", START));
    coordinator.run_alarm();
    for (id, created) in [("in time", START - 600), ("too old", START - 601)] {
        coordinator.add_event(event(id, "cus_bob", created));
    }
    coordinator.pass(60);
    assert_eq!(coordinator.applied(), ["new", "in time"]);
}

#[test]
fn once_a_day_the_last_day_is_listed_again() {
    let coordinator = Coordinator::armed();
    coordinator.run_alarm();
    let half_day = u64::try_from(DAY / 2).unwrap();
    coordinator.pass(half_day);
    coordinator.add_event(event("newest", "cus_ada", coordinator.now()));
    coordinator.pass(60);
    // Stripe lists it twelve hours late, and another one, which is older than a day by then, not at all.
    coordinator.add_event(event("late", "cus_bob", START + 300));
    coordinator.add_event(event("too late", "cus_bob", START - 300));
    coordinator.pass(half_day - 120);
    assert_eq!(coordinator.applied(), ["newest"], "not before a day has passed");
    coordinator.pass(120);
    assert_eq!(coordinator.applied(), ["newest", "late"]);
    let is_long = |listing: &&String| {
        let (_, from) = listing.rsplit_once('=').unwrap();
        from.parse::<i64>().unwrap() <= START + 60
    };
    let listings = coordinator.listings();
    let after_newest = &listings[listings.len() / 2 + 2..];
    assert_eq!(after_newest.iter().filter(is_long).count(), 1, "{after_newest:?}");
}

#[test]
fn the_ids_of_a_day_are_kept_and_no_more() {
    let coordinator = Coordinator::armed();
    for hours in 0..60 {
        coordinator.add_event(event(&format!("evt_{hours}"), "cus_ada", coordinator.now()));
        coordinator.pass(3_600);
    }
    let kept: Vec<i64> = coordinator.world.tables.events.borrow().values().map(|at| at.0).collect();
    let now = coordinator.now();
    assert_eq!(kept.len(), 25);
    assert!(kept.iter().all(|created| now - created <= 25 * 3_600), "{kept:?}");
    assert_eq!(coordinator.applied().len(), 60);
}

#[test]
fn a_pass_goes_through_all_pages_newest_first() {
    let coordinator = Coordinator::armed();
    for number in 0..230 {
        coordinator.add_event(event(&format!("evt_{number:03}"), "cus_ada", START - 300 + number));
    }
    // The events are known to the coordinator, so that the pass sends only requests for pages.
    for number in 0..230 {
        let id = EventId::try_from(format!("evt_{number:03}")).unwrap();
        let created = Timestamp(START - 300 + number);
        coordinator.world.tables.events.borrow_mut().insert(id, created);
    }
    coordinator.run_alarm();
    let from = START - 600;
    assert_eq!(
        coordinator.listings(),
        [
            format!("limit=100&from={from}"),
            format!("limit=100&from={from}&starting_after=evt%5F130"),
            format!("limit=100&from={from}&starting_after=evt%5F030"),
        ]
    );
    assert_eq!(
        coordinator.world.tables.state.borrow().poll.cursor,
        Some(Timestamp(START - 300 + 229))
    );
}

#[test]
fn an_alarm_sends_at_most_forty_requests_and_the_next_one_continues_the_pass() {
    let coordinator = Coordinator::armed();
    for number in 0..100 {
        coordinator.add_event(event(&format!("evt_{number:03}"), "cus_ada", START - 500 + number));
    }
    let mut applied = Vec::new();
    for alarm in 1.. {
        coordinator.run_alarm();
        let requests = coordinator.world.requests.get();
        assert!(requests <= 40, "alarm {alarm} sent {requests} requests");
        applied.push(coordinator.applied().len());
        let next =
            coordinator.world.alarm.get().unwrap().millis_since(coordinator.world.time.now());
        if coordinator.applied().len() == 100 {
            assert!(coordinator.poll_status().completed_at.is_some());
            break;
        }
        assert_eq!(coordinator.poll_status().completed_at, None, "alarm {alarm}");
        assert_eq!(next, 100, "alarm {alarm}");
    }
    // One request for the customer index, and one for the page.
    assert_eq!(applied, [38, 77, 100]);
    let expected: Vec<_> = (0..100).map(|number| format!("evt_{number:03}")).collect();
    assert_eq!(coordinator.applied(), expected);
}

#[test]
fn a_pass_continues_after_a_restart_and_repeats_at_most_one_event() {
    let mut coordinator = Coordinator::armed();
    for number in 0..60 {
        coordinator.add_event(event(&format!("evt_{number:02}"), "cus_ada", START - 500 + number));
    }
    coordinator.run_alarm();
    assert_eq!(coordinator.applied().len(), 38);
    coordinator.restart();
    coordinator.run_alarm();
    let expected: Vec<_> = (0..60).map(|number| format!("evt_{number:02}")).collect();
    assert_eq!(coordinator.applied(), expected);
}

#[test]
fn an_event_that_no_webhook_brought_within_a_minute_counts_as_found() {
    let coordinator = Coordinator::armed();
    coordinator.add_event(event("missed", "cus_ada", START - 61));
    coordinator.add_event(event("young", "cus_bob", START - 60));
    coordinator.add_event(event("delivered", "cus_cy", START - 300));
    let delivered = EventId::try_from("delivered").unwrap();
    coordinator.world.known_events.borrow_mut().insert(delivered);
    coordinator.run_alarm();
    assert_eq!(coordinator.applied(), ["delivered", "missed", "young"]);
    assert_eq!(coordinator.poll_status().found, 1);
    let line =
        "1 events of test mode arrived by the poll only: check the webhook endpoint in Stripe";
    assert!(coordinator.world.log.borrow().iter().any(|logged| logged == line));

    coordinator.pass(23 * 3_600);
    assert_eq!(coordinator.poll_status().found, 1);
    coordinator.pass(2 * 3_600);
    assert_eq!(coordinator.poll_status().found, 0, "a day later");
}

#[test]
fn without_a_webhook_secret_found_events_are_no_warning() {
    let coordinator = Coordinator::new();
    let settings = CoordinatorSettings { has_webhook_secret: false, ..SETTINGS };
    coordinator.world.settings.set(settings);
    coordinator.request(CoordinatorRequest::Arm);
    coordinator.add_event(event("a", "cus_ada", START - 100));
    coordinator.run_alarm();
    assert_eq!(coordinator.applied(), ["a"]);
    assert_eq!(*coordinator.world.log.borrow(), Vec::<String>::new());
}

#[test]
fn a_polled_event_is_parsed_like_a_webhook() {
    let coordinator = Coordinator::armed();
    let mut truncated = event("truncated", "cus_ada", START - 90);
    truncated["data"]["object"]["entitlements"]["has_more"] = json!(true);
    coordinator.add_event(truncated);
    coordinator.add_event(json!({
        "id": "deleted", "object": "event", "created": START - 80, "livemode": false,
        "type": "customer.deleted",
        "data": { "object": { "id": "cus_bob", "object": "customer" } },
    }));
    let mut connected = event("connected", "cus_cy", START - 70);
    connected["account"] = json!("acct_1");
    coordinator.add_event(connected);
    coordinator.run_alarm();
    let sent = coordinator.world.sent.borrow();
    let summaries: Vec<_> = sent
        .iter()
        .map(|(customer, request)| match request {
            LedgerRequest::ApplyPolled(summary) => {
                assert_eq!(*customer, summary.customer);
                (summary.customer.to_key(), summary.created.0 - START)
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(summaries, [("test:cus_ada".to_owned(), -90), ("test:cus_bob".to_owned(), -80)]);
}

#[test]
fn an_event_of_the_other_mode_is_not_applied_and_does_not_stop_the_pass() {
    let coordinator = Coordinator::armed();
    let mut live = event("live", "cus_ada", START - 20);
    live["livemode"] = json!(true);
    live["data"]["object"]["livemode"] = json!(true);
    coordinator.add_event(live);
    coordinator.add_event(event("test", "cus_ada", START - 10));
    coordinator.pass(120);
    assert_eq!(coordinator.applied(), ["test"]);
    let log = coordinator.world.log.borrow();
    assert_eq!(log.len(), 1, "logged once: {log:?}");
    assert!(log[0].starts_with("did not apply the event live of Stripe's list: "), "{log:?}");
}

#[test]
fn an_event_of_the_future_is_applied_once_it_is_five_minutes_away() {
    let coordinator = Coordinator::armed();
    coordinator.add_event(event("now", "cus_ada", START));
    coordinator.add_event(event("future", "cus_ada", START + 361));
    coordinator.run_alarm();
    assert_eq!(coordinator.applied(), ["now"]);
    assert_eq!(coordinator.world.tables.state.borrow().poll.cursor, Some(Timestamp(START)));
    coordinator.pass(61);
    assert_eq!(coordinator.applied(), ["now"], "at {}", coordinator.now() - START);
    coordinator.pass(60);
    assert_eq!(coordinator.applied(), ["now", "future"]);
}

#[test]
fn a_gap_is_a_cursor_that_is_older_than_thirty_days_or_made_for_fewer_types() {
    let types = |paused| -> Vec<String> {
        stripe::event_types(paused).into_iter().map(str::to_owned).collect()
    };
    for (why, age, made_for, wanted, is_gap) in [
        ("30 days", 30 * DAY, GrantRule::Keep, GrantRule::Keep, false),
        ("30 days and a second", 30 * DAY + 1, GrantRule::Keep, GrantRule::Keep, true),
        ("fewer types", 60, GrantRule::Keep, GrantRule::Revoke, true),
        ("more types", 60, GrantRule::Revoke, GrantRule::Keep, false),
    ] {
        let coordinator = Coordinator::new();
        {
            let poll = &mut coordinator.world.tables.state.borrow_mut().poll;
            poll.cursor = Some(Timestamp(START - age - 100));
            poll.completed_at = Some(millis(START - age));
            poll.types = types(made_for);
        }
        let settings = CoordinatorSettings { paused: wanted, ..SETTINGS };
        coordinator.world.settings.set(settings);
        coordinator.request(CoordinatorRequest::Arm);
        coordinator.world.index.borrow_mut().as_mut().unwrap().unread_count = 7;
        coordinator.run_alarm();
        let found_at = coordinator.poll_status().gap.map(|gap| gap.found_at.0);
        assert_eq!(found_at.is_some(), is_gap, "{why}");
        assert_eq!(coordinator.poll_status().failure, None, "{why}: the pass is completed");
    }
}

#[test]
fn an_account_without_events_for_a_month_has_no_gap() {
    let coordinator = Coordinator::armed();
    coordinator.add_event(event("a", "cus_ada", START));
    coordinator.run_alarm();
    coordinator
        .world
        .settings
        .set(CoordinatorSettings { poll_interval: Some(3_600_000), ..SETTINGS });
    coordinator.pass(u64::try_from(40 * DAY).unwrap());
    assert_eq!(coordinator.poll_status().gap, None);
    assert_eq!(coordinator.applied(), ["a"]);
}

#[test]
fn a_gap_ends_once_every_ledger_was_read_since() {
    let coordinator = Coordinator::armed();
    let gap = PollGap { found_at: Timestamp(START), unread: None };
    coordinator.world.tables.state.borrow_mut().poll.gap = Some(gap);
    {
        let mut index = coordinator.world.index.borrow_mut();
        let report = index.as_mut().unwrap();
        report.unread = (0..20).map(|number| format!("test:cus_{number}")).collect();
        report.unread_count = 25;
    }
    coordinator.run_alarm();
    assert_eq!(coordinator.world.reconciled.borrow().len(), 20);
    let query = coordinator.world.index_queries.borrow()[0];
    let next_second = Timestamp(START + 1);
    assert_eq!(
        query.read_before,
        UnixMillis::from(next_second),
        "read after the second of the gap"
    );
    assert_eq!(coordinator.poll_status().gap, Some(PollGap { unread: Some(25), ..gap }));
    coordinator.world.index.borrow_mut().as_mut().unwrap().unread_count = 0;
    coordinator.world.index.borrow_mut().as_mut().unwrap().unread.clear();
    coordinator.pass(60);
    assert_eq!(coordinator.poll_status().gap, None);
}

#[test]
fn a_thin_event_makes_the_poll_due_at_once_but_not_within_five_seconds() {
    let coordinator = Coordinator::armed();
    coordinator.run_alarm();
    let began = coordinator.world.tables.state.borrow().poll.attempted_at;
    coordinator.request(CoordinatorRequest::PollSoon);
    assert_eq!(coordinator.world.alarm.get(), Some(began.saturating_add(5_000)));
    coordinator.pass(5);
    assert_eq!(coordinator.listings().len(), 2);

    coordinator.pass(20);
    coordinator.add_event(event("a", "cus_ada", coordinator.now()));
    coordinator.request(CoordinatorRequest::PollSoon);
    assert_eq!(coordinator.world.alarm.get(), Some(coordinator.world.time.now()));
    coordinator.run_alarm();
    assert_eq!(coordinator.applied(), ["a"]);
}

#[test]
fn a_poll_that_a_thin_event_makes_due_survives_a_restart() {
    let mut coordinator = Coordinator::armed();
    coordinator.run_alarm();
    coordinator.pass(10);
    coordinator.request(CoordinatorRequest::PollSoon);
    coordinator.restart();
    let at = coordinator.world.alarm.get().unwrap();
    assert!(at <= coordinator.world.time.now());
    coordinator.run_alarm();
    assert_eq!(coordinator.listings().len(), 2);
}

#[test]
fn the_poll_follows_its_interval() {
    for seconds in [5, 60, 3_600] {
        let coordinator = Coordinator::new();
        let poll_interval = Some(seconds * 1_000);
        let settings = CoordinatorSettings { poll_interval, ..SETTINGS };
        coordinator.world.settings.set(settings);
        coordinator.request(CoordinatorRequest::Arm);
        coordinator.pass(seconds * 10 + 1);
        assert_eq!(coordinator.listings().len(), 11, "{seconds}");
    }
}

#[test]
fn without_a_poll_no_event_is_listed() {
    let coordinator = Coordinator::new();
    let settings = CoordinatorSettings { poll_interval: None, ..SETTINGS };
    coordinator.world.settings.set(settings);
    coordinator.request(CoordinatorRequest::Arm);
    coordinator.pass(600);
    coordinator.request(CoordinatorRequest::PollSoon);
    coordinator.pass(60);
    assert_eq!(coordinator.listings(), Vec::<String>::new());
    assert_eq!(coordinator.status().poll, None);
}

#[test]
fn the_time_of_the_last_completed_pass_is_reported() {
    let coordinator = Coordinator::armed();
    assert_eq!(coordinator.poll_status().completed_at, None);
    coordinator.run_alarm();
    let completed: UnixMillis = coordinator.poll_status().completed_at.unwrap();
    assert_eq!(completed.to_timestamp(), Timestamp(START));
}
