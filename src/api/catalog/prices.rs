//! Prices: <https://docs.stripe.com/api/prices>.

use serde_json::{Map, Value};

use super::{
    super::{error::Error, form::Params},
    RequestContext,
    params::{MAX_STRING_LEN, Passthrough},
    products,
};
use crate::catalog::{
    objects::{
        calendar::{BillingCycle, Interval},
        price::{self, LookupKeyPatch, NewPrice, Price, PriceFilter, PriceUpdate, Recurring},
    },
    operations::subscriptions::create::MAX_TRIAL_DAYS,
};

/// The most characters of a price's key, by Stripe's documentation.
const MAX_LOOKUP_KEY_LEN: usize = 200;

/// The most keys that a list can be asked for, by Stripe's documentation.
const MAX_LOOKUP_KEYS: usize = 10;

/// The largest amount, by Stripe's documentation: twelve digits.
const MAX_AMOUNT: u64 = 999_999_999_999;

const PASSTHROUGH: [Passthrough; 2] =
    [Passthrough::String("nickname"), Passthrough::String("tax_behavior")];

/// What only moves money.
const IGNORED_PARAMS: [&str; 7] = [
    "billing_scheme",
    "currency_options",
    "custom_unit_amount",
    "tiers",
    "tiers_mode",
    "transform_quantity",
    "unit_amount_decimal",
];

const INTERVALS: [(&str, Interval); 4] = [
    ("day", Interval::Day),
    ("week", Interval::Week),
    ("month", Interval::Month),
    ("year", Interval::Year),
];

pub(super) fn list(visit: &mut RequestContext<'_>) -> Result<Value, Error> {
    let params = &mut visit.params;
    let active = params.optional_bool("active")?;
    let product = params.non_empty("product", MAX_STRING_LEN)?;
    let keys = params.take_list("lookup_keys")?;
    let currency = params.non_empty("currency", 3)?;
    let recurs = params.one_of("type", &[("recurring", true), ("one_time", false)])?;
    let (mut interval, mut usage_type, mut meter) = (None, None, None);
    if let Some(mut recurring) = params.object("recurring")? {
        interval = recurring.one_of("interval", &INTERVALS)?;
        usage_type = recurring.non_empty("usage_type", MAX_STRING_LEN)?;
        meter = recurring.non_empty("meter", MAX_STRING_LEN)?;
        recurring.reject_unknown()?;
    }
    let page = params.list_query_with_created()?;
    visit.reject_unknown()?;
    if keys.len() > MAX_LOOKUP_KEYS {
        let message = format!("You can ask for at most {MAX_LOOKUP_KEYS} lookup keys at once.");
        return Err(Error::parameter("lookup_keys", "parameter_invalid", message));
    }
    let keep = |price: &Price| {
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
    let mut lists: Vec<String> = keys
        .iter()
        .map(|key| price::index(PriceFilter { lookup_key: Some(key), ..filter }))
        .collect();
    if lists.is_empty() {
        lists.push(price::index(filter));
    }
    let livemode = visit.tx.livemode;
    visit.page_response(&lists, &page, keep, |price: &Price| Ok(price.to_json(livemode)))
}

pub(super) fn create(visit: &mut RequestContext<'_>) -> Result<Value, Error> {
    let mut params = std::mem::take(&mut visit.params);
    let product = params.non_empty("product", MAX_STRING_LEN)?;
    let data = params.object("product_data")?;
    let mut price = parse(&mut params, String::new())?;
    params.reject_unknown()?;
    price.product = match (product, data) {
        (Some(product), None) => product,
        (None, Some(data)) => products::create_inline(&visit.tx, data)?,
        (None, None) => return Err(Error::missing_param("product")),
        (Some(_), Some(_)) => {
            return Err(Error::parameter(
                "product_data",
                "parameters_exclusive",
                "You may only specify one of these parameters: product, product_data.",
            ));
        }
    };
    let price = price::create(&visit.tx, price)?;
    Ok(price.to_json(visit.tx.livemode))
}

pub(super) fn retrieve(visit: &mut RequestContext<'_>) -> Result<Value, Error> {
    visit.reject_unknown()?;
    let price: Price = visit.tx.load(visit.id(), "id")?;
    Ok(price.to_json(visit.tx.livemode))
}

pub(super) fn update(visit: &mut RequestContext<'_>) -> Result<Value, Error> {
    let params = &mut visit.params;
    params.ignore(&["currency_options"]);
    let update = PriceUpdate {
        active: params.optional_bool("active")?,
        lookup_key: parse_lookup_key(params)?,
        metadata: params.metadata()?,
        passthrough: params.passthrough(&PASSTHROUGH)?,
    };
    visit.reject_unknown()?;
    let price = price::update(&visit.tx, visit.id(), update)?;
    Ok(price.to_json(visit.tx.livemode))
}

/// A price that stands in another request.
pub(super) fn parse_inline(mut params: Params, product: String) -> Result<NewPrice, Error> {
    let price = parse(&mut params, product)?;
    params.reject_unknown()?;
    Ok(price)
}

fn parse(params: &mut Params, product: String) -> Result<NewPrice, Error> {
    params.ignore(&IGNORED_PARAMS);
    let currency = params.required_non_empty("currency", MAX_STRING_LEN)?.to_ascii_lowercase();
    if currency.len() != 3 || !currency.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return Err(Error::parameter(
            params.qualified("currency"),
            "parameter_invalid",
            format!("Invalid currency: {currency}. It has three letters, as in ISO 4217: usd."),
        ));
    }
    let unit_amount = params.take_integer("unit_amount", 0..=MAX_AMOUNT)?;
    let recurring = params.object("recurring")?.map(parse_recurring).transpose()?;
    let details: Map<String, Value> = params.passthrough(&PASSTHROUGH)?;
    Ok(NewPrice {
        active: params.optional_bool("active")?,
        product,
        currency,
        unit_amount: unit_amount.and_then(|amount| i64::try_from(amount).ok()),
        recurring,
        lookup_key: parse_lookup_key(params)?,
        metadata: params.metadata()?,
        passthrough: details,
    })
}

fn parse_recurring(mut params: Params) -> Result<Recurring, Error> {
    let interval = params.one_of("interval", &INTERVALS)?;
    let interval = interval.ok_or_else(|| Error::missing_param(&params.qualified("interval")))?;
    let count =
        params.take_integer("interval_count", 1..=BillingCycle::max_count(interval).into())?;
    let days = params.take_integer("trial_period_days", 0..=MAX_TRIAL_DAYS)?;
    let usage = params.one_of("usage_type", &[("licensed", "licensed"), ("metered", "metered")])?;
    let meter = params.non_empty("meter", MAX_STRING_LEN)?;
    params.reject_unknown()?;
    let small = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    Ok(Recurring {
        billing_cycle: BillingCycle { interval, count: count.map_or(1, small) },
        trial_period_days: days.map(small),
        usage_type: usage.unwrap_or("licensed").to_owned(),
        meter,
    })
}

fn parse_lookup_key(params: &mut Params) -> Result<LookupKeyPatch, Error> {
    let transfers = params.take_flag("transfer_lookup_key")?;
    Ok(match params.bounded_string("lookup_key", MAX_LOOKUP_KEY_LEN)? {
        None => LookupKeyPatch::Keep,
        Some(key) if key.is_empty() => LookupKeyPatch::Clear,
        Some(key) if transfers => LookupKeyPatch::Transfer(key),
        Some(key) => LookupKeyPatch::Set(key),
    })
}
