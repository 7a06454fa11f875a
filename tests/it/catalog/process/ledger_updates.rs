//! Ledger updates: each change of a customer's entitlements reaches the customer's ledger.

use std::{cell::Cell, rc::Rc};

use entgate::{catalog::deliveries::AttemptOutcome, entitlement::SummaryPage};

use super::{
    SECOND, at, create_endpoint, create_plan, observed::LedgerResponse, platform::Platform,
    subscribe,
};

/// The milliseconds after which each update was sent.
fn update_times(platform: &Platform) -> Vec<u64> {
    let updates = platform.observed().updates.borrow();
    updates.iter().map(|(sent_at, _)| sent_at.0 - at(0).0).collect()
}

/// The number of features in each update.
fn update_sizes(platform: &Platform) -> Vec<usize> {
    let size = |page: &Option<SummaryPage>| match page {
        Some(SummaryPage::Complete(list)) => list.len(),
        page => panic!("{page:?} is not complete"),
    };
    let updates = platform.observed().updates.borrow();
    updates.iter().map(|(_, summary)| size(&summary.page)).collect()
}

fn cancel(platform: &Platform) {
    let subscriptions = platform.list("/v1/subscriptions");
    let id = subscriptions[0]["id"].as_str().unwrap();
    platform.send("DELETE", &format!("/v1/subscriptions/{id}"), "");
}

#[test]
fn a_subscription_and_its_cancellation_reach_the_ledger_at_once_without_an_endpoint() {
    let platform = Platform::new();
    let price = create_plan(&platform);
    subscribe(&platform, "cus_ada", &price);
    platform.run();
    assert!(platform.check("cus_ada", "sms"));
    let events = platform.list("/v1/events?type=entitlements.active_entitlement_summary.updated");
    assert_eq!((events.len(), &events[0]["pending_webhooks"]), (1, &0.into()));
    assert_eq!(
        events[0]["id"],
        platform.observed().updates.borrow()[0].1.event.as_str(),
        "an endpoint that also receives the event repeats it"
    );
    cancel(&platform);
    platform.run();
    assert!(!platform.check("cus_ada", "sms"));
    assert_eq!((platform.elapsed(), update_sizes(&platform)), (0, vec![1, 0]));
    assert_eq!(platform.list("/v1/webhook_endpoints").len(), 0);
}

#[test]
fn only_a_change_of_entitlements_is_sent_to_a_ledger() {
    let platform = Platform::new();
    let price = create_plan(&platform);
    subscribe(&platform, "cus_ada", &price);
    platform.run();
    subscribe(&platform, "cus_bob", &price);
    platform.run();
    let id = platform.list("/v1/subscriptions")[0]["id"].as_str().unwrap().to_owned();
    platform.send("POST", &format!("/v1/subscriptions/{id}"), "description=Other");
    platform.send("POST", "/v1/customers/cus_ada", "email=ada@example.com");
    platform.run();
    let updates = platform.observed().updates.borrow();
    let customers: Vec<_> =
        updates.iter().map(|(_, summary)| summary.customer.id.as_str()).collect();
    assert_eq!(customers, ["cus_ada", "cus_bob"]);
}

#[test]
fn a_ledger_receives_the_complete_list_of_more_than_10_features() {
    let platform = Platform::new();
    let product = platform.create("/v1/products", "name=Pro");
    for key in 0..11 {
        let feature =
            platform.create("/v1/entitlements/features", &format!("lookup_key=f{key}&name=F"));
        let form = format!("entitlement_feature={feature}");
        platform.create(&format!("/v1/products/{product}/features"), &form);
    }
    let form = format!("product={product}&currency=usd&unit_amount=500&recurring[interval]=month");
    let price = platform.create("/v1/prices", &form);
    subscribe(&platform, "cus_ada", &price);
    platform.run();
    assert_eq!(update_sizes(&platform), [11]);
    assert!((0..11).all(|key| platform.check("cus_ada", &format!("f{key}"))));
}

#[test]
fn a_ledger_that_fails_is_retried_until_it_applies_the_update() {
    for response in [LedgerResponse::FailedBefore, LedgerResponse::FailedAfter] {
        let platform = Platform::new();
        let price = create_plan(&platform);
        let failures = Cell::new(20);
        platform.ledgers_respond(move |_| {
            let left = failures.replace(failures.get() - 1);
            (0, if left > 0 { response } else { LedgerResponse::Applied })
        });
        subscribe(&platform, "cus_ada", &price);
        platform.run();
        assert!(platform.check("cus_ada", "sms"), "{response:?}");
        let times = update_times(&platform);
        assert_eq!((&times[..3], times.len()), (&[0, 2 * SECOND, 7 * SECOND][..], 21));
        assert!(times[20] > 3 * 86_400 * SECOND, "webhooks are abandoned after three days");
        assert_eq!(platform.next_due(), platform.alarm(), "only the renewal is left");
    }
}

#[test]
fn a_ledger_without_a_response_is_retried_after_20_seconds() {
    let platform = Platform::new();
    let price = create_plan(&platform);
    let is_first = Cell::new(true);
    platform.ledgers_respond(move |_| {
        let millis = if is_first.replace(false) { 3_600 * SECOND } else { 0 };
        (millis, LedgerResponse::Applied)
    });
    subscribe(&platform, "cus_ada", &price);
    platform.run_until(at(25 * SECOND));
    assert_eq!(update_times(&platform), [0, 22 * SECOND]);
    assert!(platform.check("cus_ada", "sms"));
    let log = platform.observed().log.borrow();
    assert!(log[0].ends_with("cus_ada, retrying: no response within 20 s"), "{log:?}");
}

#[test]
fn updates_of_one_customer_are_sent_one_after_the_other_the_last_with_the_last_list() {
    let platform = Platform::new();
    let price = create_plan(&platform);
    platform.ledgers_respond(|_| (2 * SECOND, LedgerResponse::Applied));
    subscribe(&platform, "cus_ada", &price);
    platform.run_until(at(SECOND));
    cancel(&platform);
    platform.run_until(at(5 * SECOND));
    assert_eq!(update_times(&platform), [0, 2 * SECOND]);
    assert_eq!(update_sizes(&platform), [1, 0]);
    assert!(!platform.check("cus_ada", "sms"));
}

#[test]
fn an_event_during_a_back_off_is_sent_at_once() {
    let platform = Platform::new();
    let price = create_plan(&platform);
    let fails = Rc::new(Cell::new(true));
    let ledger_fails = Rc::clone(&fails);
    platform.ledgers_respond(move |_| {
        let fails = ledger_fails.get();
        (0, if fails { LedgerResponse::FailedBefore } else { LedgerResponse::Applied })
    });
    subscribe(&platform, "cus_ada", &price);
    platform.run_until(at(60 * SECOND));
    fails.set(false);
    let before = update_times(&platform).len();
    cancel(&platform);
    platform.run_until(at(60 * SECOND));
    assert_eq!(update_times(&platform)[before..], [60 * SECOND]);
    platform.run();
    assert_eq!(update_times(&platform).len(), before + 1);
}

#[test]
fn slow_endpoints_do_not_delay_an_update() {
    let platform = Platform::new();
    let price = create_plan(&platform);
    for _ in 0..6 {
        create_endpoint(&platform);
    }
    platform.endpoints_respond(|_| (19 * SECOND, AttemptOutcome::Responded(200)));
    for _ in 0..3 {
        platform.send("POST", "/v1/customers", "");
    }
    platform.run_until(at(SECOND));
    platform.send("POST", "/v1/customers", "id=cus_ada");
    let form = format!("customer=cus_ada&items[0][price]={price}");
    platform.send("POST", "/v1/subscriptions", &form);
    platform.run_until(at(SECOND));
    assert_eq!(platform.observed().max_in_flight.get(), 6);
    assert_eq!(update_times(&platform), [SECOND]);
    assert!(platform.check("cus_ada", "sms"));
}
