//! Handlers of `/v1/subscriptions/{id}/pause` and `/resume`.
//!
//! Specification: <https://docs.stripe.com/api/subscriptions/pause>,
//! <https://docs.stripe.com/api/subscriptions/resume>.

use serde_json::Value;

use super::{
    super::{error::Error, form::Params},
    context::RequestContext,
    subscriptions::parse_reset_cycle,
};
use crate::catalog::{
    objects::subscription_json,
    operations::subscriptions::pause::{self, ResumeBehavior},
};

pub(super) fn pause(context: &mut RequestContext<'_>) -> Result<Value, Error> {
    let params = &mut context.params;
    params.one_of("type", &[("subscription", ())])?;
    params.one_of("invoicing_behavior", &[("invoice", ()), ("pending_invoice_item", ())])?;
    check_bill_for(params)?;
    context.reject_unknown()?;
    let subscription = pause::pause(&context.tx, context.id())?;
    Ok(subscription_json::to_json(&context.tx, &subscription)?)
}

pub(super) fn resume(context: &mut RequestContext<'_>) -> Result<Value, Error> {
    let params = &mut context.params;
    params.ignore(&["proration_behavior", "proration_date"]);
    let resets_cycle = parse_reset_cycle(params)?.unwrap_or(true);
    let behavior = params.one_of(
        "payment_behavior",
        &[
            ("resume_on_payment_attempt", ResumeBehavior::OnPaymentAttempt),
            ("resume_on_payment_success", ResumeBehavior::OnPaymentSuccess),
        ],
    )?;
    context.reject_unknown()?;
    let behavior = behavior.unwrap_or_default();
    let subscription = pause::resume(&context.tx, context.id(), resets_cycle, behavior)?;
    Ok(subscription_json::to_json(&context.tx, &subscription)?)
}

/// Checks `bill_for` of a pause. It only affects invoices.
fn check_bill_for(params: &mut Params) -> Result<(), Error> {
    let Some(mut bill_for) = params.object("bill_for")? else { return Ok(()) };
    for (name, types) in [
        ("outstanding_usage_through", &[("none", ()), ("now", ())][..]),
        ("unused_time_from", &[("item_current_period_start", ()), ("none", ()), ("now", ())]),
    ] {
        let Some(mut billed) = bill_for.object(name)? else { continue };
        let r#type = billed.one_of("type", types)?;
        r#type.ok_or_else(|| Error::missing_param(&billed.qualified("type")))?;
        billed.reject_unknown()?;
    }
    bill_for.reject_unknown()
}
