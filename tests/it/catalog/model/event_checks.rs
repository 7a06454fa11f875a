//! Checks of the events: each change emits its events, in order.
//!
//! The last event of a subscription has its current state, and a summary has the next change of the
//! entitlements of its customer.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::{Value, json};

use super::{
    harness::{Harness, REQUEST_ID},
    subscription::CancellationReason,
};
use crate::catalog::fixture::DAY;

/// The maximum number of entitlements in a summary, as at Stripe.
const MAX_SUMMARY_LEN: usize = 10;

/// How long an event is listed.
const EVENT_RETENTION: i64 = 30 * DAY;

/// The changes of the entitlements of each customer that no event has reported yet.
type Unreported = BTreeMap<usize, VecDeque<BTreeSet<usize>>>;

/// Compares the events since the last check with the changes of the model.
pub(super) fn check_events(harness: &mut Harness) {
    let mut unreported = Unreported::new();
    for (customer, entitlements) in harness.model.entitlement_changes.split_off(0) {
        unreported.entry(customer).or_default().push_back(entitlements);
    }
    let mut changed = std::mem::take(&mut harness.model.changed_subscriptions);
    let mut unrequested = BTreeMap::new();
    for event in new_events(harness) {
        let object = &event["data"]["object"];
        match object["object"].as_str().unwrap() {
            "subscription" => {
                let index = check_subscription_event(harness, &event);
                changed.insert(index);
                if event["request"]["id"] != REQUEST_ID {
                    assert_eq!(event["request"]["id"], Value::Null);
                    *unrequested.entry(index).or_insert(0) += 1;
                }
            }
            "entitlements.active_entitlement_summary" => {
                check_summary_event(harness, &event, &mut unreported);
            }
            _ => {}
        }
    }
    unreported.retain(|_, changes| !changes.is_empty());
    assert_eq!(unreported, Unreported::new(), "entitlement changes without an event");
    let expected = std::mem::take(&mut harness.model.unrequested_events);
    assert_eq!(unrequested, expected, "events of each subscription without a request");
    assert_eq!(harness.observed.incomplete_changes, BTreeMap::new(), "an `updated` is missing");
    for index in changed {
        let notices = harness.observed.trial_notices.get(&index).copied().unwrap_or_default();
        assert_eq!(notices, harness.model.subscriptions[index].trial_notices, "trial notices");
        let last = subscription_state(&harness.observed.last_json[&index]);
        assert_eq!(last, expected_state(harness, index), "the state in the last event");
    }
}

/// The events since the last call, oldest first.
fn new_events(harness: &mut Harness) -> Vec<Value> {
    let id = |event: &Value| event["id"].as_str().unwrap().to_owned();
    // If the last event is no longer listed, all listed events are new.
    let now = harness.model.now;
    let is_listed = |(_, created): &(String, i64)| created + EVENT_RETENTION >= now;
    let last = harness.observed.last_event.clone().filter(is_listed);
    let mut cursor = last.as_ref().map(|(id, _)| format!("&ending_before={id}"));
    let mut events = Vec::new();
    loop {
        let path = format!("/v1/events?limit=100{}", cursor.as_deref().unwrap_or_default());
        let mut response = harness.request("GET", &path, "", Ok(()));
        let Value::Array(mut page) = response["data"].take() else { panic!("{response}") };
        if last.is_some() {
            cursor = page.first().map(|event| format!("&ending_before={}", id(event)));
            page.reverse();
        } else {
            cursor = page.last().map(|event| format!("&starting_after={}", id(event)));
        }
        events.extend(page);
        if response["has_more"] == false {
            break;
        }
    }
    if last.is_none() {
        events.reverse();
    }
    if let Some(event) = events.last() {
        harness.observed.last_event = Some((id(event), event["created"].as_i64().unwrap()));
    }
    events
}

/// Checks the type and the previous status of an event, and returns the index of its subscription.
fn check_subscription_event(harness: &mut Harness, event: &Value) -> usize {
    let (data, object) = (&event["data"], &event["data"]["object"]);
    let index = harness.observed.subscriptions[object["id"].as_str().unwrap()];
    if event["type"] == "customer.subscription.trial_will_end" {
        let last = subscription_state(&harness.observed.last_json[&index]);
        assert_eq!(subscription_state(object), last, "{event}");
        assert_eq!(data.get("previous_attributes"), None, "{event}");
        *harness.observed.trial_notices.entry(index).or_default() += 1;
        return index;
    }
    let incomplete = harness.observed.incomplete_changes.remove(&index);
    let completes_change = incomplete.is_some();
    let before = match incomplete {
        Some(before) => {
            assert_eq!(harness.observed.last_json[&index], *object, "{event}");
            Some(before)
        }
        None => harness.observed.last_json.insert(index, object.clone()),
    };
    let status_of = |json: &Value| json["status"].as_str().unwrap().to_owned();
    let (previous, status) = (before.as_ref().map(status_of), status_of(object));
    let verb = match (previous.as_deref(), status.as_str()) {
        _ if completes_change => "updated",
        (None, _) => "created",
        (_, "canceled") => "deleted",
        (Some("paused"), "paused") => "updated",
        (_, "paused") => "paused",
        (Some("paused"), _) => "resumed",
        _ => "updated",
    };
    assert_eq!(event["type"], format!("customer.subscription.{verb}"), "{previous:?}, {status}");
    match (verb, before) {
        ("paused" | "resumed", Some(before)) => {
            harness.observed.incomplete_changes.insert(index, before);
        }
        ("updated", Some(before)) => {
            let changed = previous.filter(|previous| *previous != status);
            assert_eq!(data["previous_attributes"]["status"], json!(changed), "{event}");
            if changed.is_some_and(|previous| previous == "paused") || status == "paused" {
                let details = &before["status_details"];
                let expected = (*details != object["status_details"]).then_some(details);
                assert_eq!(data["previous_attributes"].get("status_details"), expected, "{event}");
            }
        }
        _ => assert_eq!(data.get("previous_attributes"), None, "{event}"),
    }
    index
}

/// Checks that a summary has the next unreported change of its customer.
fn check_summary_event(harness: &mut Harness, event: &Value, unreported: &mut Unreported) {
    assert_eq!(event["request"], json!({ "id": null, "idempotency_key": null }));
    let (data, object) = (&event["data"], &event["data"]["object"]);
    let customer = harness.observed.customers[object["customer"].as_str().unwrap()];
    let change = unreported.get_mut(&customer).and_then(VecDeque::pop_front);
    let set = change.unwrap_or_else(|| panic!("no change: {event}"));
    let before = harness.observed.entitlements.insert(customer, set.clone()).unwrap_or_default();
    let is_current = |other: usize, feature: &usize| other != customer || set.contains(feature);
    harness.observed.entitlement_ids.retain(|(other, feature), _| is_current(*other, feature));
    let page = |entitlements: &Value| entitlements["data"].as_array().unwrap().clone();
    let after = check_entitlement_ids(harness, customer, &page(&object["entitlements"]));
    let has_more = object["entitlements"]["has_more"] == true;
    assert!(
        is_summary_of(&after, &set) && has_more == (set.len() > MAX_SUMMARY_LEN),
        "{set:?}: {event}"
    );
    let previous = feature_set(harness, &page(&data["previous_attributes"]["entitlements"]));
    assert!(is_summary_of(&previous, &before), "{before:?}: {event}");
}

/// Whether a page has the whole set, or as much of it as a summary contains.
fn is_summary_of(page: &BTreeSet<usize>, set: &BTreeSet<usize>) -> bool {
    page.is_subset(set) && page.len() == set.len().min(MAX_SUMMARY_LEN)
}

/// Checks that the entitlements of a customer are distinct and keep their ids, and returns their
/// features.
pub(super) fn check_entitlement_ids(
    harness: &mut Harness,
    customer: usize,
    entitlements: &[Value],
) -> BTreeSet<usize> {
    let set = feature_set(harness, entitlements);
    for entitlement in entitlements {
        let feature = harness.feature_index[entitlement["feature"].as_str().unwrap()];
        let id = entitlement["id"].as_str().unwrap();
        let ids = &mut harness.observed.entitlement_ids;
        let known = ids.entry((customer, feature)).or_insert(id.to_owned());
        assert_eq!(known, id, "the entitlement has another id");
    }
    set
}

/// The features of these entitlements, which are distinct.
fn feature_set(harness: &Harness, entitlements: &[Value]) -> BTreeSet<usize> {
    let feature = |it: &Value| harness.feature_index[it["feature"].as_str().unwrap()];
    let set: BTreeSet<_> = entitlements.iter().map(feature).collect();
    assert_eq!(set.len(), entitlements.len());
    set
}

/// The state of a subscription in the model, in the form of [`subscription_state`].
pub(super) fn expected_state(harness: &Harness, index: usize) -> Value {
    let it = &harness.model.subscriptions[index];
    let prices = it.items.iter().map(|item| &harness.prices[item.price]);
    json!([
        harness.subscriptions[index],
        it.status.name(),
        it.billing_cycle_anchor,
        it.trial.map(|(start, _)| start),
        it.trial.map(|(_, end)| end),
        [
            json!(it.cancel_at_period_end),
            json!(it.cancel_at),
            json!(it.canceled_at),
            json!(it.ended_at),
        ],
        it.reason.map(CancellationReason::name),
        it.collection_resumes_at,
        it.pause.map(|(reason, since)| json!([reason.name(), since])),
        prices
            .zip(&it.items)
            .map(|(price, item)| json!([price, it.item_period(item)]))
            .collect::<Vec<_>>(),
    ])
}

/// The members of a subscription that the model has, too.
pub(super) fn subscription_state(subscription: &Value) -> Value {
    let it = |name: &str| &subscription[name];
    let items = it("items")["data"].as_array().unwrap();
    json!([
        it("id"),
        it("status"),
        it("billing_cycle_anchor"),
        it("trial_start"),
        it("trial_end"),
        [it("cancel_at_period_end"), it("cancel_at"), it("canceled_at"), it("ended_at")],
        it("cancellation_details")["reason"],
        it("pause_collection")["resumes_at"],
        it("status_details")["paused"]
            .as_object()
            .map(|paused| { json!([paused["subscription"]["type"], paused["transitioned_at"]]) }),
        items.iter().map(item_state).collect::<Vec<_>>(),
    ])
}

fn item_state(item: &Value) -> Value {
    json!([item["price"]["id"], [item["current_period_start"], item["current_period_end"]]])
}
