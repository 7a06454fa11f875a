//! Random histories of requests, failures, slow endpoints and crashes, each with a quiet end.

use std::collections::BTreeSet;

use entgate::catalog::deliveries::AttemptOutcome;

use super::{
    MAX_SENDS_PER_EVENT, SECOND, at, create_endpoint, create_plan, event_ids,
    observed::LedgerResponse, platform::Platform,
};

const CUSTOMERS: u64 = 5;

/// Lets one random thing happen.
fn act(platform: &Platform, price: &str) {
    match platform.random(12) {
        0..3 => platform.send("POST", "/v1/customers", &format!("id=cus_{}", customer(platform))),
        3..6 => {
            let customer = customer(platform);
            let form = format!("customer=cus_{customer}&items[0][price]={price}");
            platform.send("POST", "/v1/subscriptions", &form);
        }
        6 => {
            if let Some(subscription) = platform.list("/v1/subscriptions").first() {
                let id = subscription["id"].as_str().unwrap();
                platform.send("DELETE", &format!("/v1/subscriptions/{id}"), "");
            }
        }
        7 => platform.send("GET", "/v1/customers", ""),
        8 => platform.crash(),
        9 => {
            let next = platform.observed().transactions.get();
            let number = next + usize::try_from(platform.random(20)).unwrap();
            platform.faults().transactions.borrow_mut().insert(number);
        }
        _ => {
            let until = platform.elapsed() + platform.random(8 * SECOND);
            platform.run_until(at(until));
        }
    }
    for _ in 0..platform.random(20) {
        platform.step();
    }
}

fn customer(platform: &Platform) -> u64 {
    platform.random(CUSTOMERS)
}

fn respond_at_random(platform: &Platform) {
    let endpoints = platform.clone();
    platform.endpoints_respond(move |_| {
        let millis = [0, 10, 500, 3 * SECOND][usize::try_from(endpoints.random(4)).unwrap()];
        let outcome = match endpoints.random(6) {
            0 => AttemptOutcome::Responded(503),
            1 => AttemptOutcome::Failed("no route to host".to_owned()),
            _ => AttemptOutcome::Responded(200),
        };
        (millis, outcome)
    });
    let ledgers = platform.clone();
    platform.ledgers_respond(move |_| {
        let millis = [0, 10, 4 * SECOND, 60 * SECOND][usize::try_from(ledgers.random(4)).unwrap()];
        let response = match ledgers.random(6) {
            0 => LedgerResponse::FailedBefore,
            1 => LedgerResponse::FailedAfter,
            _ => LedgerResponse::Applied,
        };
        (millis, response)
    });
}

#[test]
fn after_any_history_each_event_is_delivered_and_each_ledger_has_the_catalogs_entitlements() {
    for seed in 0..150 {
        let platform = Platform::new();
        platform.set_seed(seed);
        let price = create_plan(&platform);
        let before = event_ids(&platform);
        let endpoint = create_endpoint(&platform);
        respond_at_random(&platform);
        for _ in 0..40 {
            act(&platform, &price);
        }
        platform.faults().transactions.borrow_mut().clear();
        platform.endpoints_respond(|_| (10, AttemptOutcome::Responded(200)));
        platform.ledgers_respond(|_| (10, LedgerResponse::Applied));
        platform.run();

        let observed = platform.observed();
        let expected: BTreeSet<_> = event_ids(&platform).difference(&before).cloned().collect();
        let acknowledged = observed.acknowledged.borrow().get(&endpoint).cloned();
        assert_eq!(acknowledged.unwrap_or_default(), expected, "history {seed}");
        let undelivered = platform.list("/v1/events?limit=100&delivery_success=false");
        assert_eq!(undelivered.len(), 0, "history {seed}");
        for customer in (0..CUSTOMERS).map(|number| format!("cus_{number}")) {
            let path = format!("/v1/subscriptions?customer={customer}");
            let is_subscribed = !platform.list(&path).is_empty();
            let is_entitled = platform.check(&customer, "sms");
            assert_eq!(is_entitled, is_subscribed, "{customer} in history {seed}");
        }
        assert!(observed.max_in_flight.get() <= 6, "history {seed}");
        assert!(observed.max_per_endpoint.borrow().values().all(|max| *max <= 3), "history {seed}");
        assert!(observed.max_sends.get() <= MAX_SENDS_PER_EVENT, "history {seed}");
    }
}
