//! Which changes emit which events.
//!
//! Specification: <https://docs.stripe.com/api/events/types>.

use super::{
    fixture::{DAY, DECLINED_CARD, FEBRUARY, Fixture, JANUARY, fixture},
    test_catalog::event_types,
};

const SUMMARY: &str = "entitlements.active_entitlement_summary.updated";
const UPDATED: &str = "customer.subscription.updated";
const DELETED: &str = "customer.subscription.deleted";
const TRIAL_WILL_END: &str = "customer.subscription.trial_will_end";

const PAUSE_WITHOUT_METHOD: &str = "trial_settings[end_behavior][missing_payment_method]=pause";

/// A change of the fixture or of its subscription, and the types of the events that it emits.
type Change = (&'static str, fn(&Fixture, &str), &'static [&'static str]);

#[track_caller]
fn assert_emitted(changes: &[Change]) {
    for (why, change, expected) in changes {
        let fixture = fixture();
        let subscription = fixture.subscribe("");
        let before = fixture.catalog.list_events("").len();
        change(&fixture, &subscription);
        assert_eq!(event_types(&fixture.catalog.events_after(before)), *expected, "{why}");
    }
}

const CATALOG_CHANGES: &[Change] = &[
    ("a feature", |fixture, _| drop(fixture.catalog.create_feature("sso")), &[]),
    (
        "a feature that is attached and detached",
        |fixture, _| {
            let path = format!("/v1/products/{}/features", fixture.product);
            let attached =
                fixture.catalog.attach(&fixture.product, &fixture.catalog.create_feature("sso"));
            fixture.catalog.delete(&format!("{path}/{attached}")).expect_ok();
            fixture.catalog.post(&format!("{path}/apply"), "").expect_ok();
        },
        &[],
    ),
    (
        "a feature that is applied to a subscription",
        |fixture, _| {
            fixture.catalog.attach(&fixture.product, &fixture.catalog.create_feature("sso"));
            let path = format!("/v1/products/{}/features/apply", fixture.product);
            fixture.catalog.post(&path, "").expect_ok();
        },
        &[SUMMARY],
    ),
    (
        "a webhook endpoint",
        |fixture, _| {
            let form = "url=https://example.com&enabled_events[]=*";
            let endpoint = fixture.catalog.create("/v1/webhook_endpoints", form);
            fixture.catalog.delete(&format!("/v1/webhook_endpoints/{endpoint}")).expect_ok();
        },
        &[],
    ),
    (
        "a product with its price",
        |fixture, _| {
            fixture.catalog.create(
                "/v1/products",
                "name=Lamp&default_price_data[currency]=usd&default_price_data[unit_amount]=500",
            );
        },
        &["product.created", "price.created", "product.updated"],
    ),
    (
        "a price with its product",
        |fixture, _| {
            fixture
                .catalog
                .create("/v1/prices", "product_data[name]=x&currency=usd&unit_amount=500");
        },
        &["product.created", "price.created"],
    ),
    (
        "a lookup key of another price",
        |fixture, _| {
            let form =
                format!("product={}&currency=usd&unit_amount=500&lookup_key=k", fixture.product);
            fixture.catalog.create("/v1/prices", &form);
            fixture.catalog.create("/v1/prices", &format!("{form}&transfer_lookup_key=true"));
        },
        &["price.created", "price.updated", "price.created"],
    ),
];

#[test]
fn product_and_price_changes_emit_events_and_feature_and_endpoint_changes_do_not() {
    assert_emitted(CATALOG_CHANGES);
}

const SUBSCRIPTION_CHANGES: &[Change] = &[
    (
        "a second subscription",
        |fixture, _| drop(fixture.subscribe("")),
        &["customer.subscription.created"],
    ),
    (
        "a first subscription",
        |fixture, _| {
            let customer = fixture.catalog.create("/v1/customers", "");
            let form = format!("customer={customer}&items[0][price]={}", fixture.price);
            fixture.catalog.create("/v1/subscriptions", &form);
        },
        &["customer.created", "customer.subscription.created", SUMMARY],
    ),
    (
        "a subscription that is not paid",
        |fixture, _| {
            fixture.subscribe(&format!("&default_payment_method={DECLINED_CARD}"));
        },
        &["customer.subscription.created"],
    ),
    (
        "an update that changes nothing",
        |fixture, id| {
            fixture.update(id, "").expect_ok();
            fixture.update(id, "cancel_at_period_end=false&metadata[a]=").expect_ok();
            for path in [
                format!("/v1/customers/{}", fixture.customer),
                format!("/v1/prices/{}", fixture.price),
                format!("/v1/products/{}", fixture.product),
            ] {
                fixture.catalog.post(&path, "metadata[a]=").expect_ok();
            }
            fixture
                .catalog
                .post(&format!("/v1/products/{}", fixture.product), "name=Plan")
                .expect_ok();
        },
        &[],
    ),
    (
        "a rejected request",
        |fixture, id| {
            assert_eq!(fixture.update(id, "metadata[a]=1&trial_end=1").status, 400);
            assert_eq!(fixture.resume(id, "").status, 400);
        },
        &[],
    ),
    ("metadata", |fixture, id| drop(fixture.update(id, "metadata[a]=1").expect_ok()), &[UPDATED]),
    (
        "a pause",
        |fixture, id| drop(fixture.pause(id).expect_ok()),
        &["customer.subscription.paused", UPDATED, SUMMARY],
    ),
    (
        "a pause and a resume",
        |fixture, id| {
            fixture.pause(id).expect_ok();
            fixture.resume(id, "").expect_ok();
        },
        &[
            "customer.subscription.paused",
            UPDATED,
            SUMMARY,
            "customer.subscription.resumed",
            UPDATED,
            SUMMARY,
        ],
    ),
    (
        "the end of a trial without a payment method",
        |fixture, id| {
            let form = format!("trial_end={}&{PAUSE_WITHOUT_METHOD}", JANUARY + 3 * DAY + 1);
            fixture.update(id, &form).expect_ok();
            fixture.update(id, "trial_end=now").expect_ok();
        },
        &[UPDATED, "customer.subscription.paused", UPDATED, TRIAL_WILL_END],
    ),
    (
        "a cancellation while it is paused",
        |fixture, id| {
            fixture.pause(id).expect_ok();
            fixture.cancel(id).expect_ok();
        },
        &["customer.subscription.paused", UPDATED, SUMMARY, DELETED],
    ),
    (
        "a reported status",
        |fixture, id| drop(fixture.update(id, "status=unpaid").expect_ok()),
        &[UPDATED, SUMMARY],
    ),
    ("a cancellation", |fixture, id| drop(fixture.cancel(id).expect_ok()), &[DELETED, SUMMARY]),
    (
        "a payment method while no payment is due",
        |fixture, _| {
            let form = "payment_method=pm_card_visa";
            fixture.catalog.post(&format!("/v1/customers/{}", fixture.customer), form).expect_ok();
        },
        &["customer.updated"],
    ),
    (
        "a payment method that pays what is due",
        |fixture, id| {
            fixture.update(id, "status=unpaid").expect_ok();
            let form = "payment_method=pm_card_visa";
            fixture.catalog.post(&format!("/v1/customers/{}", fixture.customer), form).expect_ok();
        },
        &[UPDATED, SUMMARY, "customer.updated", UPDATED, SUMMARY],
    ),
    (
        "a renewal",
        |fixture, _| fixture.advance(FEBRUARY),
        &["test_helpers.test_clock.advancing", UPDATED, "test_helpers.test_clock.ready"],
    ),
    (
        "the deletion of the clock",
        |fixture, _| {
            fixture
                .catalog
                .delete(&format!("/v1/test_helpers/test_clocks/{}", fixture.clock))
                .expect_ok();
            fixture.catalog.run_due();
        },
        &["test_helpers.test_clock.deleted", DELETED, SUMMARY, "customer.deleted"],
    ),
];

#[test]
fn each_change_of_a_subscription_emits_its_events_and_an_empty_change_emits_none() {
    assert_emitted(SUBSCRIPTION_CHANGES);
}
