//! The process of a catalog: when it works, how much at once, and what failures and crashes cost.
//!
//! [`platform`] asserts after each step that the alarm is set while work is due.

mod histories;
mod ledger_updates;
mod observed;
mod platform;

use std::{cell::Cell, collections::BTreeSet};

use entgate::{
    catalog::{deliveries::AttemptOutcome, process::MAX_SENDS_PER_EVENT},
    id::UnixMillis,
};
use serde_json::{Value, json};

use self::{observed::LedgerResponse, platform::Platform};
use crate::support::NOW;

const ENDPOINTS: &str = "/v1/webhook_endpoints";

const SECOND: u64 = 1_000;

fn at(millis: u64) -> UnixMillis {
    UnixMillis::from(NOW).saturating_add(millis)
}

/// Creates an endpoint that subscribes to all events.
#[track_caller]
fn create_endpoint(platform: &Platform) -> String {
    platform.create(ENDPOINTS, "url=https://example.com/hook&enabled_events[]=*")
}

/// Creates a feature `sms` in a product, and returns its price.
#[track_caller]
fn create_plan(platform: &Platform) -> String {
    let feature = platform.create("/v1/entitlements/features", "lookup_key=sms&name=SMS");
    let product = platform.create("/v1/products", "name=Pro");
    let attach = format!("entitlement_feature={feature}");
    platform.create(&format!("/v1/products/{product}/features"), &attach);
    let price = format!("product={product}&currency=usd&unit_amount=500&recurring[interval]=month");
    platform.create("/v1/prices", &price)
}

/// Starts the request that subscribes a new customer to a price.
fn subscribe(platform: &Platform, customer: &str, price: &str) {
    platform.create("/v1/customers", &format!("id={customer}"));
    let form = format!("customer={customer}&items[0][price]={price}");
    platform.send("POST", "/v1/subscriptions", &form);
}

/// The ids of all events.
fn event_ids(platform: &Platform) -> BTreeSet<String> {
    let events = platform.list("/v1/events?limit=100");
    events.iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect()
}

/// Asserts that the endpoint has acknowledged all events, that this is recorded, and that nothing is
/// left to do.
#[track_caller]
fn assert_all_delivered(platform: &Platform, endpoint: &str) {
    let events = event_ids(platform);
    let acknowledged = platform.observed().acknowledged.borrow();
    assert_eq!(acknowledged.get(endpoint).unwrap_or(&BTreeSet::new()), &events);
    let pending = platform.list("/v1/events?limit=100&delivery_success=false");
    assert_eq!(pending, [Value::Null; 0]);
    assert!(platform.is_idle(), "{:?}", platform.alarm());
}

#[test]
fn a_request_starts_a_run_that_sends_its_deliveries_and_then_deletes_the_alarm() {
    let platform = Platform::new();
    let endpoint = create_endpoint(&platform);
    platform.create("/v1/customers", "");
    assert_all_delivered(&platform, &endpoint);
    let attempts = platform.list(&format!("{ENDPOINTS}/{endpoint}/deliveries"));
    assert_eq!(attempts.len(), 1);
    assert_eq!((platform.elapsed(), platform.alarm()), (0, None));
}

#[test]
fn a_failed_delivery_is_sent_again_by_the_alarm() {
    let platform = Platform::new();
    let endpoint = create_endpoint(&platform);
    let failures = Cell::new(2);
    platform.endpoints_respond(move |_| {
        let left = failures.replace(failures.get() - 1);
        (0, AttemptOutcome::Responded(if left > 0 { 500 } else { 200 }))
    });
    platform.create("/v1/customers", "");
    assert_all_delivered(&platform, &endpoint);
    let attempts = platform.list(&format!("{ENDPOINTS}/{endpoint}/deliveries"));
    let attempts: Vec<_> =
        attempts.iter().map(|attempt| (&attempt["attempt"], &attempt["status"])).collect();
    let expected =
        [(3, 200), (2, 500), (1, 500)].map(|(number, status)| (json!(number), json!(status)));
    assert_eq!(attempts, expected.each_ref().map(|(number, status)| (number, status)));
    assert_eq!(*platform.observed().alarms_fired.borrow(), [at(2 * SECOND), at(7 * SECOND)]);
}

#[test]
fn a_crash_after_any_step_loses_no_event() {
    let mut crashes = 0;
    for crash_after in 0.. {
        let platform = Platform::new();
        let price = create_plan(&platform);
        let endpoint = create_endpoint(&platform);
        let before = event_ids(&platform);
        platform.endpoints_respond(|_| (30, AttemptOutcome::Responded(200)));
        platform.ledgers_respond(|_| (20, LedgerResponse::Applied));
        subscribe(&platform, "cus_ada", &price);
        platform.send("POST", "/v1/customers", "id=cus_bob");
        let ends_earlier = !(0..crash_after).all(|_| platform.step());
        platform.crash();
        platform.run();
        let after = event_ids(&platform);
        assert!(platform.is_idle(), "after step {crash_after}");
        let acknowledged = platform.observed().acknowledged.borrow();
        let expected: BTreeSet<_> = after.difference(&before).cloned().collect();
        assert_eq!(acknowledged[&endpoint], expected, "after step {crash_after}");
        let is_subscribed = !platform.list("/v1/subscriptions").is_empty();
        assert_eq!(platform.check("cus_ada", "sms"), is_subscribed, "after step {crash_after}");
        if ends_earlier {
            break;
        }
        crashes += 1;
    }
    assert!(crashes > 20, "{crashes} steps");
}

#[test]
fn a_failure_of_any_transaction_loses_no_event() {
    let mut failures = 0;
    for number in 0.. {
        let platform = Platform::new();
        let price = create_plan(&platform);
        let endpoint = create_endpoint(&platform);
        subscribe(&platform, "cus_ada", &price);
        let first = platform.observed().transactions.get();
        platform.faults().transactions.borrow_mut().insert(first + number);
        platform.run();
        assert!(platform.is_idle(), "transaction {number}");
        let acknowledged = &platform.observed().acknowledged.borrow()[&endpoint];
        assert!(event_ids(&platform).is_superset(acknowledged));
        let undelivered = platform.list("/v1/events?limit=100&delivery_success=false");
        assert_eq!(undelivered, [Value::Null; 0], "transaction {number}");
        let is_subscribed = !platform.list("/v1/subscriptions").is_empty();
        assert_eq!(platform.check("cus_ada", "sms"), is_subscribed, "transaction {number}");
        if platform.observed().transactions.get() <= first + number {
            break;
        }
        failures += 1;
    }
    assert!(failures > 5, "{failures} transactions");
}

#[test]
fn while_all_writes_fail_a_run_is_started_every_30_seconds() {
    let platform = Platform::new();
    let endpoint = create_endpoint(&platform);
    platform.send("POST", "/v1/customers", "");
    while event_ids(&platform).is_empty() {
        platform.step();
    }
    platform.faults().no_write_until.set(at(100 * SECOND));
    platform.run_until(at(99 * SECOND));
    let alarms = platform.observed().alarms_fired.borrow().clone();
    assert_eq!(alarms, [at(30 * SECOND), at(60 * SECOND), at(90 * SECOND)]);
    platform.run();
    assert_all_delivered(&platform, &endpoint);
    assert_eq!(platform.elapsed(), 120 * SECOND);
}

#[test]
fn at_most_6_deliveries_are_in_flight_3_to_one_endpoint_and_1_to_a_slow_one() {
    let platform = Platform::new();
    let endpoints = [(); 4].map(|()| create_endpoint(&platform));
    let slow = endpoints[0].clone();
    platform.endpoints_respond(move |request| {
        let is_slow = request.endpoint == slow;
        (if is_slow { 3 * SECOND } else { 50 }, AttemptOutcome::Responded(200))
    });
    for _ in 0..12 {
        platform.send("POST", "/v1/customers", "");
    }
    platform.run_until(at(2 * SECOND));
    let observed = platform.observed();
    assert_eq!(observed.max_in_flight.get(), 6);
    let max_per_endpoint = observed.max_per_endpoint.borrow().clone();
    assert!(max_per_endpoint.values().all(|max| *max <= 3), "{max_per_endpoint:?}");
    assert_eq!(max_per_endpoint[&endpoints[0]], 3);
    for endpoint in &endpoints[1..] {
        assert_eq!(observed.acknowledged.borrow()[endpoint], event_ids(&platform));
    }
    platform.run_until(at(4 * SECOND));
    observed.max_per_endpoint.borrow_mut().clear();
    platform.run();
    assert_eq!(observed.max_per_endpoint.borrow().get(&endpoints[0]), Some(&1), "it was slow");
    for endpoint in &endpoints {
        assert_all_delivered(&platform, endpoint);
    }
}

#[test]
fn a_request_or_an_alarm_sends_at_most_40_deliveries() {
    let platform = Platform::new();
    let endpoint = create_endpoint(&platform);
    let price = create_plan(&platform);
    for customer in 0..60 {
        platform.store("/v1/customers", &format!("id=cus_{customer}"));
    }
    for customer in 0..5 {
        let form = format!("customer=cus_{customer}&items[0][price]={price}");
        platform.store("/v1/subscriptions", &form);
    }
    platform.crash();
    platform.send("GET", "/v1/customers", "");
    platform.run();
    assert_eq!(platform.observed().max_sends.get(), MAX_SENDS_PER_EVENT);
    assert_eq!(*platform.observed().alarms_fired.borrow(), [at(0)]);
    assert_all_delivered(&platform, &endpoint);
}

#[test]
fn a_run_ends_after_10_seconds_and_leaves_the_rest_to_the_alarm() {
    let platform = Platform::new();
    let endpoint = create_endpoint(&platform);
    platform.endpoints_respond(|_| (15 * SECOND, AttemptOutcome::Responded(200)));
    for _ in 0..4 {
        platform.send("POST", "/v1/customers", "");
    }
    platform.run_until(at(9 * SECOND));
    // The watchdog's handler waits for the run.
    assert_eq!((platform.alarm(), platform.observed().alarms_fired.borrow().len()), (None, 1));
    platform.run_until(at(10 * SECOND));
    assert_eq!(platform.alarm(), Some(at(15 * SECOND)), "the run has ended");
    platform.run();
    assert_all_delivered(&platform, &endpoint);
}

#[test]
fn the_first_request_of_a_process_sets_an_alarm_that_was_lost() {
    for method in ["GET", "POST"] {
        let platform = Platform::new();
        let endpoint = create_endpoint(&platform);
        platform.store("/v1/customers", "");
        platform.crash();
        platform.faults().alarms.set(1);
        platform.send(method, "/v1/customers", "");
        platform.send(method, "/v1/customers", "");
        while platform.alarm().is_none() {
            platform.poll_unchecked();
        }
        platform.run();
        assert_all_delivered(&platform, &endpoint);
    }
}

#[test]
fn code_that_may_not_write_the_tables_only_postpones_the_alarm() {
    let platform = Platform::new();
    let endpoint = create_endpoint(&platform);
    platform.store("/v1/customers", "");
    platform.crash();
    platform.faults().read_only.set(true);
    platform.send("GET", "/v1/customers", "");
    platform.run_until(at(130 * SECOND));
    let alarms = platform.observed().alarms_fired.borrow().clone();
    assert_eq!(
        (alarms, platform.alarm()),
        (vec![at(60 * SECOND), at(120 * SECOND)], Some(at(180 * SECOND)))
    );
    assert_eq!(platform.observed().sends.get(), 0);
    platform.faults().read_only.set(false);
    platform.run();
    assert_all_delivered(&platform, &endpoint);
}
