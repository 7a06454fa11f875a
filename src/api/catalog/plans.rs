//! Handlers of `/v1/plans`: recurring prices in the form of Stripe's older plans.
//!
//! Plans are read only. A plan has the id of its price, and `POST /v1/prices` creates both.
//!
//! Specification: <https://docs.stripe.com/api/plans>.

use serde_json::Value;

use super::{super::error::Error, context::RequestContext, params::MAX_STRING_LEN};
use crate::catalog::{
    objects::price::{self, Price, PriceFilter},
    page::ListConditions,
};

pub(super) fn list(context: &mut RequestContext<'_>) -> Result<Value, Error> {
    let active = context.params.optional_bool("active")?;
    let product = context.params.non_empty("product", MAX_STRING_LEN)?;
    let page = context.params.list_query_with_created()?;
    context.reject_unknown()?;
    let filter = PriceFilter { product: product.as_deref(), active, ..PriceFilter::default() };
    let belongs = |price: &Price| {
        price.recurring.is_some()
            && product.as_ref().is_none_or(|product| *product == price.product)
    };
    let conditions = ListConditions { belongs: &belongs, ..ListConditions::default() };
    let livemode = context.tx.livemode;
    context.page_response(&[price::index(filter)], &page, &conditions, &|price| {
        Ok(price.to_plan_json(livemode))
    })
}

pub(super) fn retrieve(context: &mut RequestContext<'_>) -> Result<Value, Error> {
    context.reject_unknown()?;
    let price: Option<Price> = context.tx.find(context.id())?;
    let plan = price.filter(|price| price.recurring.is_some());
    let plan = plan.map(|price| price.to_plan_json(context.tx.livemode));
    plan.ok_or_else(|| Error::not_found(format!("No such plan: '{}'", context.id())))
}
