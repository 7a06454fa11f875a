//! Webhook deliveries: leases, retries with exponential back-off, and abandoned deliveries.

use std::cell::Cell;

use entgate::{
    catalog::{
        Tx,
        deliveries::{self, AttemptOutcome, WebhookRequest},
    },
    id::Timestamp,
};
use serde_json::{Value, json};

use super::{
    fixture::DAY,
    test_catalog::{TestCatalog, members},
};
use crate::support::NOW;

const ENDPOINTS: &str = "/v1/webhook_endpoints";

/// Creates an endpoint that subscribes to all events.
#[track_caller]
pub(crate) fn create_endpoint(catalog: &TestCatalog) -> String {
    catalog.create(ENDPOINTS, "url=https://example.com/hook&enabled_events[]=*")
}

/// Emits an event, and returns its id.
#[track_caller]
pub(crate) fn emit_event(catalog: &TestCatalog) -> String {
    catalog.create("/v1/customers", "");
    let events = catalog.get("/v1/events?limit=1").expect_ok();
    events["data"][0]["id"].as_str().unwrap().to_owned()
}

pub(crate) fn pending_webhooks(catalog: &TestCatalog, event: &str) -> Value {
    catalog.get(&format!("/v1/events/{event}")).expect_ok()["pending_webhooks"].clone()
}

/// Leases the only delivery that is due.
#[track_caller]
pub(crate) fn lease_one(catalog: &TestCatalog) -> WebhookRequest {
    let mut requests = catalog.lease_due(100);
    assert_eq!(requests.len(), 1);
    requests.remove(0)
}

pub(crate) fn fail_attempt(catalog: &TestCatalog, request: &WebhookRequest) {
    catalog.record_attempt(&request.delivery, AttemptOutcome::Responded(500));
}

/// These members of the attempts at an endpoint, newest first.
#[track_caller]
pub(crate) fn list_attempts(catalog: &TestCatalog, endpoint: &str, names: &[&str]) -> Vec<Value> {
    let list = catalog.get(&format!("{ENDPOINTS}/{endpoint}/deliveries?limit=100")).expect_ok();
    let data = list["data"].as_array().unwrap().iter();
    data.map(|attempt| members(attempt, names)).collect()
}

fn later(seconds: i64) -> Timestamp {
    Timestamp(NOW.0 + seconds)
}

/// Which random numbers are drawn: those of the shortest delays, or of the longest.
#[derive(Clone, Copy)]
enum Jitter {
    Shortest,
    Longest,
}

/// Fails each attempt of a delivery, and returns the seconds between the event and each attempt.
fn attempt_times(catalog: &mut TestCatalog, jitter: Jitter) -> Vec<i64> {
    // A common multiple of the sizes of the ranges that the delays are drawn from.
    const COMMON_MULTIPLE: u64 = 182_658_305_830;
    let count = Cell::new(0);
    let random = || {
        count.set(count.get() + 1);
        match jitter {
            Jitter::Shortest => count.get() * COMMON_MULTIPLE,
            Jitter::Longest => (count.get() + 1) * COMMON_MULTIPLE - 1,
        }
    };
    let mut seconds = Vec::new();
    while let Some(due) = catalog.next_delivery_due() {
        catalog.now = due;
        seconds.push(due.0 - NOW.0);
        let request = lease_one(catalog);
        let tx = Tx::new(&catalog.storage, catalog.livemode, catalog.policy, &random, catalog.now);
        deliveries::record_attempt(&tx, &request.delivery, AttemptOutcome::Responded(500)).unwrap();
    }
    seconds
}

/// The delays are 1, 4, 16 … 43 200 s, plus up to a tenth as jitter, plus 1 s for the second in
/// progress.
#[test]
fn a_failing_delivery_is_attempted_13_or_14_times_in_three_days() {
    let shortest =
        [0, 2, 7, 24, 89, 346, 1_371, 5_468, 21_853, 65_054, 108_255, 151_456, 194_657, 237_858];
    let longest = [0, 2, 7, 25, 96, 378, 1_505, 6_011, 24_034, 71_555, 119_076, 166_597, 214_118];
    for (jitter, expected) in [(Jitter::Shortest, &shortest[..]), (Jitter::Longest, &longest)] {
        let mut catalog = TestCatalog::new();
        let endpoint = create_endpoint(&catalog);
        let event = emit_event(&catalog);
        assert_eq!(attempt_times(&mut catalog, jitter), expected);
        assert_eq!(pending_webhooks(&catalog, &event), json!(0));
        let attempts = list_attempts(&catalog, &endpoint, &["attempt", "created", "next_attempt"]);
        let expected = expected.iter().enumerate().map(|(index, seconds)| {
            let next = expected.get(index + 1).map(|seconds| NOW.0 + seconds);
            json!([index + 1, NOW.0 + seconds, next])
        });
        assert!(attempts.into_iter().rev().eq(expected));
    }
}

#[test]
fn the_last_attempt_is_at_most_three_days_after_the_event() {
    for (seconds, next) in
        [(3 * DAY - 2, Some(later(3 * DAY))), (3 * DAY - 1, None), (3 * DAY, None)]
    {
        let mut catalog = TestCatalog::new();
        let endpoint = create_endpoint(&catalog);
        let event = emit_event(&catalog);
        catalog.now = later(seconds);
        fail_attempt(&catalog, &lease_one(&catalog));
        assert_eq!(
            list_attempts(&catalog, &endpoint, &["next_attempt"]),
            [json!([next])],
            "{seconds}"
        );
        assert_eq!(
            pending_webhooks(&catalog, &event),
            json!(u8::from(next.is_some())),
            "{seconds}"
        );
        if let Some(next) = next {
            catalog.now = next;
            fail_attempt(&catalog, &lease_one(&catalog));
        }
        assert_eq!(
            (catalog.next_delivery_due(), pending_webhooks(&catalog, &event)),
            (None, json!(0)),
            "{seconds}"
        );
    }
}

#[test]
fn a_lease_expires_after_60_seconds_unless_an_outcome_is_recorded() {
    let mut catalog = TestCatalog::new();
    let endpoint = create_endpoint(&catalog);
    emit_event(&catalog);
    let first = lease_one(&catalog);
    for expiry in [60, 120, 180] {
        assert_eq!(catalog.next_delivery_due(), Some(later(expiry)));
        catalog.now = later(expiry - 1);
        assert_eq!(catalog.lease_due(100), []);
        catalog.now = later(expiry);
        let second = lease_one(&catalog);
        assert_eq!((&second.delivery, &second.body), (&first.delivery, &first.body));
        assert_ne!(second.signature, first.signature, "it is signed at the time of the lease");
    }
    assert_eq!(list_attempts(&catalog, &endpoint, &[]), [Value::Null; 0], "no outcome is recorded");
    fail_attempt(&catalog, &first);
    assert_eq!(list_attempts(&catalog, &endpoint, &["attempt"]), [json!([1])]);
    assert_eq!(catalog.next_delivery_due(), Some(later(182)));
    catalog.record_attempt(&first.delivery, AttemptOutcome::Responded(200));
    assert_eq!(catalog.next_delivery_due(), None, "a late outcome completes it");
    for outcome in [AttemptOutcome::Responded(500), AttemptOutcome::Responded(200)] {
        catalog.record_attempt(&first.delivery, outcome);
    }
    assert_eq!(
        (catalog.next_delivery_due(), list_attempts(&catalog, &endpoint, &[]).len()),
        (None, 2)
    );
}

#[test]
fn a_2xx_response_completes_a_delivery_and_any_other_outcome_retries_it() {
    let responded = |status| (AttemptOutcome::Responded(status), json!(status), Value::Null);
    let failed = (
        AttemptOutcome::Failed("no route to host".to_owned()),
        Value::Null,
        json!("no route to host"),
    );
    for (success, (outcome, status, error)) in [
        (true, responded(200)),
        (true, responded(204)),
        (true, responded(299)),
        (false, responded(199)),
        (false, responded(300)),
        (false, responded(301)),
        (false, responded(308)),
        (false, responded(400)),
        (false, responded(410)),
        (false, responded(500)),
        (false, failed),
    ] {
        let catalog = TestCatalog::new();
        let endpoint = create_endpoint(&catalog);
        let event = emit_event(&catalog);
        catalog.record_attempt(&lease_one(&catalog).delivery, outcome);
        let next = (!success).then(|| later(2));
        assert_eq!(catalog.next_delivery_due(), next, "{status}");
        assert_eq!(pending_webhooks(&catalog, &event), json!(u8::from(!success)), "{status}");
        let mut list = catalog.get(&format!("{ENDPOINTS}/{endpoint}/deliveries")).expect_ok();
        assert!(list["data"][0]["id"].take().as_str().unwrap().starts_with("wha_"));
        let expected = json!([{
            "id": null,
            "object": "webhook_delivery",
            "attempt": 1,
            "created": NOW,
            "endpoint": endpoint,
            "error": error,
            "event": event,
            "event_type": "customer.created",
            "next_attempt": next,
            "outcome": if success { "succeeded" } else { "failed" },
            "status": status,
        }]);
        assert_eq!(list["data"], expected);
    }
}

#[test]
fn an_attempt_that_is_due_is_not_sent_to_a_disabled_endpoint() {
    for (disabled_at, enabled_at, is_sent) in
        [(0, None, false), (1, None, false), (0, Some(1), true), (2, Some(2), true)]
    {
        let mut catalog = TestCatalog::new();
        let path = format!("{ENDPOINTS}/{}", create_endpoint(&catalog));
        let event = emit_event(&catalog);
        fail_attempt(&catalog, &lease_one(&catalog));
        for (at, flag) in [(Some(disabled_at), true), (enabled_at, false)] {
            let Some(at) = at else { continue };
            catalog.now = later(at);
            catalog.post(&path, &format!("disabled={flag}")).expect_ok();
            if at < 2 {
                assert_eq!(catalog.lease_due(100), [], "nothing is due");
                assert_eq!(pending_webhooks(&catalog, &event), json!(1));
            }
        }
        assert_eq!(catalog.next_delivery_due(), Some(later(2)));
        catalog.now = later(2);
        assert_eq!(catalog.lease_due(100).len(), usize::from(is_sent));
        assert_eq!(pending_webhooks(&catalog, &event), json!(u8::from(is_sent)));
        catalog.post(&path, "disabled=false").expect_ok();
        let next = is_sent.then(|| later(62));
        assert_eq!(catalog.next_delivery_due(), next, "an abandoned delivery is not restored");
    }
    let catalog = TestCatalog::new();
    let path = format!("{ENDPOINTS}/{}", create_endpoint(&catalog));
    catalog.post(&path, "disabled=true").expect_ok();
    let event = emit_event(&catalog);
    catalog.post(&path, "disabled=false").expect_ok();
    assert_eq!((catalog.next_delivery_due(), pending_webhooks(&catalog, &event)), (None, json!(0)));
}

#[test]
fn deliveries_to_a_deleted_or_disabled_endpoint_are_dropped_100_at_a_time() {
    for (count, remaining) in [(1, 0), (99, 0), (100, 0), (101, 1), (250, 150)] {
        for deleted in [true, false] {
            let mut catalog = TestCatalog::new();
            catalog.rolls_back = false;
            let path = format!("{ENDPOINTS}/{}", create_endpoint(&catalog));
            let events: Vec<_> = (0..count).map(|_| emit_event(&catalog)).collect();
            if deleted {
                catalog.delete(&path).expect_ok();
            } else {
                catalog.post(&path, "disabled=true").expect_ok();
            }
            let pending = |catalog: &TestCatalog| {
                events.iter().filter(|event| pending_webhooks(catalog, event) == json!(1)).count()
            };
            assert_eq!(pending(&catalog), count);
            assert_eq!(catalog.lease_due(100), []);
            assert_eq!(pending(&catalog), remaining, "{count}");
            while catalog.next_delivery_due() == Some(NOW) {
                assert_eq!(catalog.lease_due(100), []);
            }
            assert_eq!((catalog.next_delivery_due(), pending(&catalog)), (None, 0), "{count}");
        }
    }
}

#[test]
fn a_delivery_in_flight_to_a_deleted_endpoint_is_not_retried() {
    for (is_dropped, status) in [(false, 500), (true, 500), (false, 200), (true, 200)] {
        let mut catalog = TestCatalog::new();
        let id = create_endpoint(&catalog);
        let other = create_endpoint(&catalog);
        catalog.post(&format!("{ENDPOINTS}/{other}"), "disabled=true").expect_ok();
        let event = emit_event(&catalog);
        let request = lease_one(&catalog);
        catalog.delete(&format!("{ENDPOINTS}/{id}")).expect_ok();
        if is_dropped {
            assert_eq!(catalog.lease_due(100), []);
        }
        catalog.record_attempt(&request.delivery, AttemptOutcome::Responded(status));
        for seconds in [0, 2, 60] {
            catalog.now = later(seconds);
            assert_eq!(catalog.lease_due(100), []);
        }
        assert_eq!(
            (catalog.next_delivery_due(), pending_webhooks(&catalog, &event)),
            (None, json!(0))
        );
        assert_eq!(catalog.get(&format!("{ENDPOINTS}/{id}/deliveries")).status, 404);
    }
}

#[test]
fn each_endpoint_is_leased_deliveries_up_to_its_capacity_oldest_first() {
    let mut catalog = TestCatalog::new();
    let slow = create_endpoint(&catalog);
    let [first, second] = [emit_event(&catalog), emit_event(&catalog)];
    catalog.now = later(1);
    let fast = create_endpoint(&catalog);
    let [third, fourth] = [emit_event(&catalog), emit_event(&catalog)];
    let lease = |limit: usize, [to_slow, to_fast]: [usize; 2]| {
        let capacity = |endpoint: &str| if endpoint == slow { to_slow } else { to_fast };
        let requests = catalog.with(|tx| deliveries::lease_due(&tx, limit, &capacity)).unwrap();
        let requests = requests.into_iter().map(|WebhookRequest { endpoint, body, .. }| {
            let event: Value = serde_json::from_str(&body).unwrap();
            (endpoint, event["id"].as_str().unwrap().to_owned())
        });
        requests.collect::<Vec<_>>()
    };
    let due = |[to_slow, to_fast]: [usize; 2]| {
        let capacity = |endpoint: &str| if endpoint == slow { to_slow } else { to_fast };
        catalog.with(|tx| deliveries::next_due(&tx, &capacity)).unwrap()
    };
    let [to_slow, to_fast] =
        [&slow, &fast].map(|endpoint| |event: &String| (endpoint.clone(), event.clone()));
    assert_eq!(lease(0, [9, 9]), []);
    assert_eq!(lease(9, [0, 0]), []);
    assert_eq!([due([0, 0]), due([0, 1]), due([1, 0])], [None, Some(later(1)), Some(NOW)]);
    assert_eq!(
        lease(9, [0, 1]),
        [to_fast(&third)],
        "an endpoint without capacity does not delay the others"
    );
    assert_eq!(lease(1, [9, 9]), [to_slow(&first)], "the oldest is first");
    assert_eq!(lease(9, [1, 9]), [to_slow(&second), to_fast(&fourth)]);
    assert_eq!(lease(9, [1, 9]), [to_slow(&third)]);
    assert_eq!(due([0, 1]), Some(later(61)), "all its deliveries are in flight");
    assert_eq!(lease(9, [9, 9]), [to_slow(&fourth)]);
    catalog.post(&format!("{ENDPOINTS}/{slow}"), "disabled=true").expect_ok();
    assert_eq!(due([0, 0]), Some(later(61)), "dropping deliveries needs no capacity");
}
