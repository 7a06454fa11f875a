//! Checks of the lists of a customer: the subscriptions and all pages of the entitlements.

use serde_json::Value;

use super::{
    event_checks::{check_entitlement_ids, check_events, expected_state, subscription_state},
    harness::Harness,
};

/// Compares the entitlements and the subscriptions of a customer with the model.
pub(super) fn check_customer(harness: &mut Harness, customer: usize) {
    check_entitlements(harness, customer);
    if harness.model.customers[customer].is_deleted {
        return;
    }
    let id = &harness.customers[customer];
    let path = format!("/v1/subscriptions?customer={id}&status=all&limit=100");
    let list = harness.request("GET", &path, "", Ok(()));
    let states = list["data"].as_array().unwrap().iter().rev().map(subscription_state);
    let indexes = harness.model.subscriptions_of(customer);
    let expected = indexes.map(|index| expected_state(harness, index));
    assert_eq!(states.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
}

/// Compares all pages of the entitlements of a customer with the model.
pub(super) fn check_entitlements(harness: &mut Harness, customer: usize) {
    let path = "/v1/entitlements/active_entitlements?limit=7&customer=";
    let path = format!("{path}{}", harness.customers[customer]);
    if harness.model.customers[customer].is_deleted {
        harness.request("GET", &path, "", Err(400));
        return;
    }
    harness.model.apply_due(customer);
    let mut entitlements = Vec::new();
    loop {
        let cursor = entitlements.last().map(|it: &Value| it["id"].as_str().unwrap());
        let cursor = cursor.map(|id| format!("&starting_after={id}")).unwrap_or_default();
        let mut list = harness.request("GET", &format!("{path}{cursor}"), "", Ok(()));
        let Value::Array(page) = list["data"].take() else { panic!("{list}") };
        entitlements.extend(page);
        if list["has_more"] == false {
            break;
        }
    }
    // The request has run due transitions, and their events update the known ids.
    check_events(harness);
    let set = check_entitlement_ids(harness, customer, &entitlements);
    let expected = &harness.model.customers[customer].entitlements;
    assert_eq!(set, *expected, "{}", harness.customers[customer]);
}
