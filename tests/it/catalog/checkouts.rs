//! Two checkouts of one customer: two subscriptions that wait for their first payment.
//!
//! Specification: <https://docs.stripe.com/billing/subscriptions/overview#subscription-statuses>.

use serde_json::json;

use super::{
    fixture::{HOUR, JANUARY, VALID_CARD, fixture},
    test_catalog::event_types,
};

const WAITING: &str = "&payment_behavior=default_incomplete";
const SUMMARY: &str = "entitlements.active_entitlement_summary.updated";

#[test]
fn a_checkout_that_expires_after_the_other_was_paid_leaves_the_features() {
    for paid in [0, 1] {
        let fixture = fixture();
        let subscriptions = [fixture.subscribe(WAITING), fixture.subscribe(WAITING)];
        let (paid, expiring) = (&subscriptions[paid], &subscriptions[1 - paid]);
        assert_eq!(fixture.entitled_keys(), [""; 0]);
        fixture.advance(JANUARY + HOUR);
        fixture.update(paid, &format!("default_payment_method={VALID_CARD}")).expect_ok();
        fixture.advance(JANUARY + 23 * HOUR - 1);
        assert_eq!(fixture.status(expiring), "incomplete");
        let before = fixture.catalog.list_events("").len();
        fixture.advance(JANUARY + 23 * HOUR);
        assert_eq!(fixture.status(expiring), "incomplete_expired");
        assert_eq!(fixture.status(paid), "active");
        assert_eq!(fixture.entitled_keys(), ["sms"]);
        let events = fixture.catalog.events_after(before);
        let mut types = event_types(&events);
        types.retain(|it| !it.contains("test_clock"));
        assert_eq!(types, ["customer.subscription.updated"]);
        let summaries = fixture.catalog.list_events(&format!("type={SUMMARY}"));
        assert_eq!(summaries.len(), 1, "the payment");
        let entitlements = &summaries[0]["data"]["object"]["entitlements"]["data"];
        assert_eq!(entitlements[0]["lookup_key"], json!("sms"));
    }
}
