//! What a customer may use, as the catalog knows it: never behind.
//!
//! <https://docs.stripe.com/api/entitlements/active-entitlement>. `fresh` and `at_least`, which the
//! edge takes, are taken here too: there is nothing newer than this.

use serde_json::Value;

use super::{super::error::Error, context::RequestContext, params::MAX_STRING_LEN};
use crate::catalog::{
    engine::transitions,
    objects::{
        active_entitlement::{self, StoredEntitlement},
        customer,
    },
};

pub(super) fn list(visit: &mut RequestContext<'_>) -> Result<Value, Error> {
    let customer = visit.params.required_non_empty("customer", MAX_STRING_LEN)?;
    list_active(visit, &customer, "customer")
}

pub(super) fn list_for_customer(visit: &mut RequestContext<'_>) -> Result<Value, Error> {
    let customer = visit.id().to_owned();
    list_active(visit, &customer, "id")
}

pub(super) fn retrieve(visit: &mut RequestContext<'_>) -> Result<Value, Error> {
    visit.reject_unknown()?;
    let grant: StoredEntitlement = visit.tx.load(visit.id(), "id")?;
    Ok(grant.to_json(visit.tx.livemode))
}

fn list_active(
    visit: &mut RequestContext<'_>,
    customer: &str,
    param: &str,
) -> Result<Value, Error> {
    let page = visit.params.list_query()?;
    visit.params.take_integer("at_least", 0..=u64::MAX)?;
    visit.params.take_flag("fresh")?;
    visit.reject_unknown()?;
    let customer = customer::load_existing(&visit.tx, customer, param)?;
    transitions::apply_due(&visit.tx, &customer)?;
    let livemode = visit.tx.livemode;
    let list = active_entitlement::index(&customer.id);
    visit.page_response(
        &[list],
        &page,
        |_| true,
        |grant: &StoredEntitlement| Ok(grant.to_json(livemode)),
    )
}
