//! Handlers of active entitlements, read from the source of truth.
//!
//! The parameters `fresh` and `at_least` of the edge are accepted and have no effect: no newer
//! state exists.
//!
//! Specification: <https://docs.stripe.com/api/entitlements/active-entitlement>.

use serde_json::Value;

use super::{super::error::Error, context::RequestContext, params::MAX_STRING_LEN};
use crate::catalog::{
    engine::transitions,
    objects::{
        active_entitlement::{self, StoredEntitlement},
        customer,
    },
    page::ListConditions,
};

pub(super) fn list(context: &mut RequestContext<'_>) -> Result<Value, Error> {
    let customer = context.params.required_non_empty("customer", MAX_STRING_LEN)?;
    list_active(context, &customer, "customer")
}

pub(super) fn list_for_customer(context: &mut RequestContext<'_>) -> Result<Value, Error> {
    let customer = context.id().to_owned();
    list_active(context, &customer, "id")
}

pub(super) fn retrieve(context: &mut RequestContext<'_>) -> Result<Value, Error> {
    context.reject_unknown()?;
    let entitlement: StoredEntitlement = context.tx.load(context.id(), "id")?;
    Ok(entitlement.to_json(context.tx.livemode))
}

fn list_active(
    context: &mut RequestContext<'_>,
    customer: &str,
    param: &str,
) -> Result<Value, Error> {
    let page = context.params.list_query()?;
    context.params.take_integer("at_least", 0..=u64::MAX)?;
    context.params.take_flag("fresh")?;
    context.reject_unknown()?;
    let customer = customer::load_existing(&context.tx, customer, param)?;
    transitions::apply_due(&context.tx, &customer)?;
    let livemode = context.tx.livemode;
    let index = active_entitlement::index(&customer.id);
    context.page_response(
        &[index],
        &page,
        &ListConditions {
            belongs: &|it: &StoredEntitlement| it.customer == customer.id,
            ..ListConditions::default()
        },
        &|entitlement: &StoredEntitlement| Ok(entitlement.to_json(livemode)),
    )
}
