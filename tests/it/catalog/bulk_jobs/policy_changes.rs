//! A new policy of what uncertain statuses grant: a job recomputes the affected customers.

use entgate::{
    id::Timestamp,
    policy::{
        GrantRule::{Keep, Revoke},
        StatusPolicy,
    },
};
use serde_json::json;

use super::subscribers::{
    count_entitled, fixture_with_subscribers, is_idle, run_batch, subscription_of,
};
use crate::catalog::{
    fixture::{DAY, Fixture, fixture},
    test_catalog::TestCatalog,
};

/// A fixture with `count` customers of each uncertain status: past due, unpaid, and paused by the end
/// of a trial.
fn fixture_with_uncertain_statuses(count: usize) -> (Fixture, [Vec<String>; 3]) {
    let (fixture, customers) = fixture_with_subscribers(3 * count);
    let mut chunks = customers.chunks(count.max(1)).map(<[String]>::to_vec);
    let by_status = [(); 3].map(|()| chunks.next().unwrap_or_default());
    let trial = format!("trial_end={}", fixture.catalog.now.0 + DAY);
    let pause = "trial_end=now&trial_settings[end_behavior][missing_payment_method]=pause";
    for (customers, forms) in
        by_status.iter().zip([&["status=past_due"][..], &["status=unpaid"], &[&trial, pause]])
    {
        for customer in customers {
            let subscription = subscription_of(&fixture.catalog, customer);
            for form in forms {
                fixture.update(&subscription, form).expect_ok();
            }
        }
    }
    fixture.catalog.run_due();
    (fixture, by_status)
}

/// How many customers of each status are entitled to the feature.
fn entitled_by_status(catalog: &TestCatalog, by_status: &[Vec<String>; 3]) -> [usize; 3] {
    by_status.each_ref().map(|customers| count_entitled(catalog, customers, "sms"))
}

#[test]
fn a_policy_change_recomputes_the_customers_of_the_changed_statuses() {
    let (mut fixture, by_status) = fixture_with_uncertain_statuses(9);
    assert_eq!(entitled_by_status(&fixture.catalog, &by_status), [9, 0, 9]);
    for (past_due, unpaid, paused) in [
        (Revoke, Revoke, Keep),
        (Keep, Keep, Keep),
        (Revoke, Revoke, Revoke),
        (Revoke, Keep, Revoke),
        (Keep, Revoke, Keep),
    ] {
        let policy = StatusPolicy { past_due, unpaid, paused };
        let rules = |policy: StatusPolicy| [policy.past_due, policy.unpaid, policy.paused];
        let changed = rules(policy).into_iter().zip(rules(fixture.catalog.policy));
        let changed = changed.filter(|(new, old)| new != old).count();
        // The newest event of a subscription, and the number of summaries of this second.
        let observe = |catalog: &TestCatalog| {
            let list = "/v1/events?type=customer.subscription.*&limit=1";
            let summaries = "/v1/events?type=entitlements.*&limit=100";
            let newest = catalog.get(list).expect_ok()["data"][0]["id"].clone();
            let summaries = catalog.get(summaries).expect_ok()["data"].as_array().unwrap().clone();
            let is_new = |event: &&serde_json::Value| event["created"] == json!(catalog.now);
            (newest, summaries.iter().filter(is_new).count())
        };
        fixture.catalog.now = Timestamp(fixture.catalog.now.0 + 1);
        let before = observe(&fixture.catalog);
        fixture.catalog.policy = policy;
        assert!(!is_idle(&fixture.catalog));
        fixture.catalog.run_due();
        let expected = rules(policy).map(|rule| if rule == Keep { 9 } else { 0 });
        assert_eq!(entitled_by_status(&fixture.catalog, &by_status), expected);
        let after = observe(&fixture.catalog);
        assert_eq!(after.0, before.0, "no subscription emits an event");
        assert_eq!((before.1, after.1), (0, 9 * changed), "each customer emits one summary");
        assert!(is_idle(&fixture.catalog));
    }
}

#[test]
fn a_policy_that_changes_back_during_its_job_leaves_each_customer_up_to_date() {
    for batches in [0, 1, 2, 3, 10] {
        let (mut fixture, by_status) = fixture_with_uncertain_statuses(4);
        let before = fixture.catalog.policy;
        fixture.catalog.policy = StatusPolicy { past_due: Revoke, unpaid: Keep, paused: Revoke };
        for _ in 0..batches {
            run_batch(&fixture.catalog, 1);
        }
        fixture.catalog.policy = before;
        fixture.catalog.run_due();
        let counts = entitled_by_status(&fixture.catalog, &by_status);
        assert_eq!(counts, [4, 0, 4], "after {batches} batches");
        fixture.catalog.policy.paused = Revoke;
        fixture.catalog.run_due();
        let counts = entitled_by_status(&fixture.catalog, &by_status);
        assert_eq!(counts, [4, 0, 0], "after {batches} batches");
    }
}

#[test]
fn a_status_change_before_the_policy_job_runs_follows_the_new_policy() {
    for (why, statuses, expected) in [
        ("no change", &[][..], &[][..]),
        ("past due again", &["past_due"], &[]),
        ("paid", &["active"], &["sms"]),
        ("paid, and past due again", &["active", "past_due"], &[]),
        ("unpaid", &["unpaid"], &[]),
    ] {
        let (mut fixture, [past_due, ..]) = fixture_with_uncertain_statuses(2);
        fixture.catalog.policy.past_due = Revoke;
        let subscription = subscription_of(&fixture.catalog, &past_due[0]);
        for status in statuses {
            fixture.update(&subscription, &format!("status={status}")).expect_ok();
        }
        fixture.catalog.run_due();
        assert_eq!(fixture.catalog.entitled_keys(&past_due[0]), expected, "{why}");
        assert_eq!(fixture.catalog.entitled_keys(&past_due[1]), [""; 0], "{why}");
    }
}

#[test]
fn a_status_change_under_a_policy_without_a_job_follows_the_next_policy() {
    let (mut fixture, customers) = fixture_with_subscribers(1);
    let before = fixture.catalog.policy;
    fixture.catalog.policy.past_due = Revoke;
    let subscription = subscription_of(&fixture.catalog, &customers[0]);
    fixture.update(&subscription, "status=past_due").expect_ok();
    assert_eq!(fixture.catalog.entitled_keys(&customers[0]), [""; 0]);
    fixture.catalog.policy = before;
    fixture.catalog.run_due();
    assert_eq!(fixture.catalog.entitled_keys(&customers[0]), ["sms"]);
}

#[test]
fn a_status_change_before_the_first_job_follows_the_policy_of_that_job() {
    let mut fixture = fixture();
    let subscription = fixture.subscribe("");
    fixture.update(&subscription, "status=past_due").expect_ok();
    assert_eq!(fixture.entitled_keys(), ["sms"]);
    fixture.catalog.policy.past_due = Revoke;
    fixture.catalog.run_due();
    assert_eq!(fixture.entitled_keys(), [""; 0]);
}

#[test]
fn a_feature_of_another_subscription_stays_under_any_policy() {
    let (mut fixture, [past_due, ..]) = fixture_with_uncertain_statuses(1);
    let form = format!("customer={}&items[0][price]={}", past_due[0], fixture.price);
    fixture.catalog.create("/v1/subscriptions", &form);
    fixture.catalog.policy.past_due = Revoke;
    let before = fixture.catalog.list_events("").len();
    fixture.catalog.run_due();
    assert_eq!(fixture.catalog.entitled_keys(&past_due[0]), ["sms"]);
    assert_eq!(fixture.catalog.list_events("").len(), before);
}

#[test]
fn a_cancellation_as_the_first_request_under_a_new_policy_removes_the_entitlements() {
    let mut fixture = fixture();
    let subscription = fixture.subscribe("");
    fixture.update(&subscription, "status=past_due").expect_ok();
    fixture.catalog.run_due();
    assert_eq!(fixture.entitled_keys(), ["sms"]);

    fixture.catalog.policy.past_due = Revoke;
    fixture.cancel(&subscription).expect_ok();
    fixture.catalog.run_due();
    assert_eq!(fixture.entitled_keys(), [""; 0]);
}
