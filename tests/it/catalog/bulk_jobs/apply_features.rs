//! The features of a product are applied to its subscriptions: 100 at once, the others in a job.

use entgate::id::Timestamp;
use serde_json::json;

use super::subscribers::{
    count_entitled, create_subscriber, fixture_with_subscribers, is_idle, run_batch,
    subscription_of,
};
use crate::catalog::{
    fixture::{DECLINED_CARD, FEBRUARY, Fixture},
    test_catalog::{event_types, members},
};

/// Applies the features of the product, and returns the status of the job.
#[track_caller]
fn apply(fixture: &Fixture) -> String {
    let path = format!("/v1/products/{}/features/apply", fixture.product);
    let mut body = fixture.catalog.post(&path, "").expect_ok();
    let status = body["status"].take().as_str().unwrap().to_owned();
    let expected = json!({
        "object": "product_feature_application",
        "livemode": false,
        "product": fixture.product,
        "status": null,
    });
    assert_eq!(body, expected);
    status
}

#[test]
fn applying_features_updates_100_subscriptions_at_once_and_the_others_in_the_background() {
    for (count, at_once, status) in [
        (0, 0, "applied"),
        (1, 1, "applied"),
        (99, 99, "applied"),
        (100, 100, "applied"),
        (101, 100, "applying"),
    ] {
        let (fixture, customers) = fixture_with_subscribers(count);
        let catalog = &fixture.catalog;
        catalog.attach(&fixture.product, &catalog.create_feature("sso"));
        assert_eq!(apply(&fixture), status, "{count}");
        assert_eq!(count_entitled(catalog, &customers, "sso"), at_once, "{count}");
        assert_eq!(is_idle(catalog), status == "applied", "{count}");
        catalog.run_due();
        assert_eq!(count_entitled(catalog, &customers, "sso"), count);
    }
}

#[test]
fn the_remaining_subscriptions_are_updated_in_batches_in_order() {
    let (fixture, customers) = fixture_with_subscribers(110);
    let catalog = &fixture.catalog;
    catalog.attach(&fixture.product, &catalog.create_feature("sso"));
    apply(&fixture);
    for (limit, updated) in [(3, 103), (1, 104), (5, 109), (1, 110)] {
        assert!(!is_idle(catalog));
        run_batch(catalog, limit);
        assert_eq!(count_entitled(catalog, &customers[..updated], "sso"), updated);
        assert_eq!(count_entitled(catalog, &customers, "sso"), updated);
    }
    assert!(is_idle(catalog));
}

#[test]
fn changes_during_a_bulk_job_are_neither_undone_nor_skipped() {
    let (fixture, mut customers) = fixture_with_subscribers(105);
    let catalog = &fixture.catalog;
    let sso = catalog.attach(&fixture.product, &catalog.create_feature("sso"));
    apply(&fixture);
    let (deleted, paused) = (customers.remove(104), customers[103].clone());
    catalog.delete(&format!("/v1/customers/{deleted}")).expect_ok();
    fixture.pause(&subscription_of(catalog, &paused)).expect_ok();
    customers.push(create_subscriber(&fixture));
    catalog.delete(&format!("/v1/products/{}/features/{sso}", fixture.product)).expect_ok();
    catalog.attach(&fixture.product, &catalog.create_feature("fax"));
    catalog.run_due();
    let counts = || ["sms", "sso", "fax"].map(|key| count_entitled(catalog, &customers, key));
    assert_eq!(counts(), [104, 100, 4], "each subscription gets the features of its own time");
    assert_eq!(apply(&fixture), "applying");
    assert_eq!(apply(&fixture), "applying", "a job is in progress");
    catalog.run_due();
    assert_eq!(counts(), [104, 0, 104]);
    fixture.resume(&subscription_of(catalog, &paused), "").expect_ok();
    assert_eq!(counts(), [105, 0, 105]);
    assert_eq!(catalog.get(&format!("/v1/customer/{deleted}/entitlements")).status, 404);
}

#[test]
fn applying_features_updates_only_paid_subscriptions_to_the_product_that_have_not_ended() {
    let (fixture, customers) = fixture_with_subscribers(4);
    let catalog = &fixture.catalog;
    let [ended, other, both, _] = [0, 1, 2, 3].map(|index: usize| customers[index].as_str());
    fixture.cancel(&subscription_of(catalog, ended)).expect_ok();
    let other_product = catalog.create_product(&[&catalog.create_feature("fax")]);
    let price = catalog.create_price(&other_product, "month");
    let subscription = subscription_of(catalog, other);
    let item = fixture.retrieve(&subscription)["items"]["data"][0]["id"].clone();
    let form = format!("items[0][id]={}&items[0][price]={price}", item.as_str().unwrap());
    fixture.update(&subscription, &form).expect_ok();
    let subscription = subscription_of(catalog, both);
    fixture.update(&subscription, &format!("items[0][price]={price}")).expect_ok();
    let incomplete = fixture.subscribe(&format!("&default_payment_method={DECLINED_CARD}"));
    catalog.attach(&fixture.product, &catalog.create_feature("sso"));
    catalog.attach(&other_product, &catalog.create_feature("tel"));
    let before = catalog.list_events("").len();
    assert_eq!(apply(&fixture), "applied");
    let keys: Vec<_> = customers.iter().map(|customer| catalog.entitled_keys(customer)).collect();
    assert_eq!(keys, [vec![], vec!["fax"], vec!["sso", "fax", "sms"], vec!["sso", "sms"]]);
    assert_eq!(fixture.entitled_keys(), [""; 0]);
    let events = catalog.list_events("");
    let expected = ["entitlements.active_entitlement_summary.updated"; 2];
    assert_eq!(event_types(&events[..events.len() - before]), expected);
    fixture.update(&incomplete, "status=active").expect_ok();
    assert_eq!(fixture.entitled_keys(), ["sso", "sms"]);
}

#[test]
fn applying_features_updates_a_customer_on_an_advancing_clock() {
    let (fixture, _) = fixture_with_subscribers(0);
    let catalog = &fixture.catalog;
    fixture.subscribe("");
    catalog.attach(&fixture.product, &catalog.create_feature("sso"));
    let path = format!("/v1/test_helpers/test_clocks/{}/advance", fixture.clock);
    catalog.post(&path, &format!("frozen_time={}", FEBRUARY - 1)).expect_ok();
    assert_eq!(apply(&fixture), "applied");
    assert_eq!(fixture.entitled_keys(), ["sso", "sms"]);
}

#[test]
fn due_transitions_run_before_features_are_applied() {
    let (mut fixture, customers) = fixture_with_subscribers(2);
    let end = fixture.catalog.now.0 + 10;
    let canceled = subscription_of(&fixture.catalog, &customers[0]);
    fixture.update(&canceled, &format!("cancel_at={end}")).expect_ok();
    fixture.catalog.attach(&fixture.product, &fixture.catalog.create_feature("sso"));
    fixture.catalog.now = Timestamp(end + 10);
    let before = fixture.catalog.list_events("").len();
    assert_eq!(apply(&fixture), "applied");
    let events = fixture.catalog.list_events("");
    let summary = "entitlements.active_entitlement_summary.updated";
    let expected = [summary, summary, "customer.subscription.deleted"];
    assert_eq!(event_types(&events[..events.len() - before]), expected);
    let state = members(&fixture.retrieve(&canceled), &["status", "ended_at"]);
    assert_eq!(state, json!(["canceled", end]));
    let keys = customers.iter().map(|customer| fixture.catalog.entitled_keys(customer));
    assert_eq!(keys.collect::<Vec<_>>(), [vec![], vec!["sso", "sms"]]);
}
