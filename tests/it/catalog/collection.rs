//! The collection method of a subscription: invoices need a due date.
//!
//! Specification: <https://docs.stripe.com/api/subscriptions/create#create_subscription-days_until_due>.

use serde_json::{Value, json};

use super::{fixture::fixture, test_catalog::members};

fn collection(subscription: &Value) -> Value {
    members(subscription, &["collection_method", "days_until_due"])
}

#[test]
fn a_subscription_with_invoices_has_a_due_date() {
    let fixture = fixture();
    let message = "Missing required param: days_until_due.";
    let missing = (400, "parameter_missing", "days_until_due", message);
    let form = fixture.subscription_form("&collection_method=send_invoice");
    assert_eq!(fixture.catalog.post("/v1/subscriptions", &form).error(), missing);
    let form = format!("{form}&days_until_due=0");
    let created = fixture.catalog.post("/v1/subscriptions", &form).expect_ok();
    assert_eq!(collection(&created), json!(["send_invoice", 0]));

    let subscription = fixture.subscribe("");
    let update = |form: &str| fixture.update(&subscription, form);
    assert_eq!(update("collection_method=send_invoice").error(), missing);
    let updated = update("collection_method=send_invoice&days_until_due=30").expect_ok();
    assert_eq!(collection(&updated), json!(["send_invoice", 30]));
    assert_eq!(
        collection(&update("collection_method=send_invoice").expect_ok()),
        json!(["send_invoice", 30]),
        "the due date is known"
    );
    assert_eq!(collection(&update("days_until_due=14").expect_ok()), json!(["send_invoice", 14]));
    assert_eq!(
        collection(&update("collection_method=charge_automatically").expect_ok()),
        json!(["charge_automatically", null])
    );
    assert_eq!(update("collection_method=send_invoice").error(), missing);
    assert_eq!(update("description=Text").status, 200);
}
