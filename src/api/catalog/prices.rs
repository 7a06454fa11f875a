//! Handlers of `/v1/prices`.
//!
//! Specification: <https://docs.stripe.com/api/prices>.

use serde_json::Value;

use super::{
    super::error::Error, context::RequestContext, params::MAX_STRING_LEN, price_params,
    product_params,
};
use crate::catalog::{
    objects::price::{self, Price, PriceFilter},
    operations::prices::{self, PriceUpdate},
    page::ListConditions,
};

/// The most lookup keys in the filter of a list, by Stripe's documentation.
const MAX_LOOKUP_KEYS: usize = 10;

pub(super) fn list(context: &mut RequestContext<'_>) -> Result<Value, Error> {
    let params = &mut context.params;
    let active = params.optional_bool("active")?;
    let product = params.non_empty("product", MAX_STRING_LEN)?;
    let lookup_keys = params.take_list("lookup_keys")?;
    let currency = params.non_empty("currency", 3)?;
    let recurs = params.one_of("type", &[("recurring", true), ("one_time", false)])?;
    let (mut interval, mut usage_type, mut meter) = (None, None, None);
    if let Some(mut recurring) = params.object("recurring")? {
        interval = recurring.one_of("interval", &price_params::INTERVALS)?;
        usage_type = recurring.non_empty("usage_type", MAX_STRING_LEN)?;
        meter = recurring.non_empty("meter", MAX_STRING_LEN)?;
        recurring.reject_unknown()?;
    }
    let page = params.list_query_with_created()?;
    context.reject_unknown()?;
    if lookup_keys.len() > MAX_LOOKUP_KEYS {
        let message = format!("You can ask for at most {MAX_LOOKUP_KEYS} lookup keys at once.");
        return Err(Error::parameter("lookup_keys", "parameter_invalid", message));
    }
    let belongs = |price: &Price| {
        let cycle = price.recurring.as_ref();
        product.as_ref().is_none_or(|product| price.product == *product)
            && currency.as_ref().is_none_or(|currency| price.currency == *currency)
            && recurs.is_none_or(|recurs| price.recurring.is_some() == recurs)
            && interval.is_none_or(|interval| {
                cycle.is_some_and(|it| it.billing_cycle.interval == interval)
            })
            && usage_type
                .as_ref()
                .is_none_or(|usage| cycle.is_some_and(|it| it.usage_type == *usage))
            && meter
                .as_ref()
                .is_none_or(|meter| cycle.is_some_and(|it| it.meter.as_ref() == Some(meter)))
    };
    let filter = PriceFilter { product: product.as_deref(), lookup_key: None, active };
    let mut indexes: Vec<String> = lookup_keys
        .iter()
        .map(|key| price::index(PriceFilter { lookup_key: Some(key), ..filter }))
        .collect();
    if indexes.is_empty() {
        indexes.push(price::index(filter));
    }
    let livemode = context.tx.livemode;
    let conditions = ListConditions { belongs: &belongs, ..ListConditions::default() };
    context.page_response(&indexes, &page, &conditions, &|price| Ok(price.to_json(livemode)))
}

pub(super) fn create(context: &mut RequestContext<'_>) -> Result<Value, Error> {
    let mut params = std::mem::take(&mut context.params);
    let product = params.non_empty("product", MAX_STRING_LEN)?;
    let data = params.object("product_data")?;
    let mut price = price_params::parse(&mut params, String::new())?;
    params.reject_unknown()?;
    price.product = match (product, data) {
        (Some(product), None) => product,
        (None, Some(data)) => product_params::create_inline(&context.tx, data)?,
        (None, None) => return Err(Error::missing_param("product")),
        (Some(_), Some(_)) => {
            return Err(Error::parameter(
                "product_data",
                "parameters_exclusive",
                "You may only specify one of these parameters: product, product_data.",
            ));
        }
    };
    let price = prices::create(&context.tx, price)?;
    Ok(price.to_json(context.tx.livemode))
}

pub(super) fn retrieve(context: &mut RequestContext<'_>) -> Result<Value, Error> {
    context.reject_unknown()?;
    let price: Price = context.tx.load(context.id(), "id")?;
    Ok(price.to_json(context.tx.livemode))
}

pub(super) fn update(context: &mut RequestContext<'_>) -> Result<Value, Error> {
    let params = &mut context.params;
    params.ignore(&["currency_options"]);
    let update = PriceUpdate {
        active: params.optional_bool("active")?,
        lookup_key: price_params::parse_lookup_key(params)?,
        metadata: params.metadata()?,
        passthrough: params.passthrough(&price_params::PASSTHROUGH)?,
    };
    context.reject_unknown()?;
    let price = prices::update(&context.tx, context.id(), update)?;
    Ok(price.to_json(context.tx.livemode))
}
