//! What a customer may use, as the catalog knows it: never behind.
//!
//! <https://docs.stripe.com/api/entitlements/active-entitlement>. `fresh` and `at_least`, which the
//! edge takes, are taken here too: there is nothing newer than this.

use serde_json::Value;

use super::{super::error::Error, Visit, fields::TEXT};
use crate::catalog::settle::{self, Grant};

pub(super) fn list(visit: &mut Visit<'_>) -> Result<Value, Error> {
    let customer = visit.params.needed("customer", TEXT)?;
    answer(visit, &customer, "customer")
}

pub(super) fn list_of_summary(visit: &mut Visit<'_>) -> Result<Value, Error> {
    let customer = visit.id().to_owned();
    answer(visit, &customer, "id")
}

pub(super) fn retrieve(visit: &mut Visit<'_>) -> Result<Value, Error> {
    visit.finish()?;
    let grant: Grant = visit.catalog.load(visit.id(), "id")?;
    Ok(grant.shown(visit.catalog.livemode))
}

fn answer(visit: &mut Visit<'_>, customer: &str, param: &str) -> Result<Value, Error> {
    let page = visit.params.page()?;
    visit.params.integer("at_least", 0..=u64::MAX)?;
    visit.params.flag("fresh")?;
    visit.finish()?;
    let customer = visit.catalog.present(customer, param)?;
    visit.catalog.bring_up_to_date(&customer)?;
    let livemode = visit.catalog.livemode;
    let list = settle::list(&customer.id);
    visit.page(&[list], &page, |_| true, |grant: &Grant| Ok(grant.shown(livemode)))
}
