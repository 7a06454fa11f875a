//! Prices: <https://docs.stripe.com/api/prices>.

use serde_json::{Map, Value};

use super::{
    super::{error::Error, form::Params},
    Visit,
    fields::{Detail, TEXT},
    products,
};
use crate::catalog::{
    Cycle, Interval,
    price::{self, Filter, Key, New, Price, Recurring, Update},
    purchase::TRIAL,
};

/// The most characters of a price's key, by Stripe's documentation.
const KEY: usize = 200;

/// The most keys that a list can be asked for, by Stripe's documentation.
const KEYS: usize = 10;

/// The largest amount, by Stripe's documentation: twelve digits.
const AMOUNT: u64 = 999_999_999_999;

const DETAILS: [Detail; 2] = [Detail::Text("nickname"), Detail::Text("tax_behavior")];

/// What only moves money.
const MONEY: [&str; 7] = [
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

pub(super) fn list(visit: &mut Visit<'_>) -> Result<Value, Error> {
    let params = &mut visit.params;
    let active = params.boolean("active")?;
    let product = params.filled("product", TEXT)?;
    let keys = params.list("lookup_keys")?;
    let currency = params.filled("currency", 3)?;
    let recurs = params.one_of("type", &[("recurring", true), ("one_time", false)])?;
    let (mut interval, mut usage_type, mut meter) = (None, None, None);
    if let Some(mut recurring) = params.map("recurring")? {
        interval = recurring.one_of("interval", &INTERVALS)?;
        usage_type = recurring.filled("usage_type", TEXT)?;
        meter = recurring.filled("meter", TEXT)?;
        recurring.finish()?;
    }
    let page = params.page_by_date()?;
    visit.finish()?;
    if keys.len() > KEYS {
        let message = format!("You can ask for at most {KEYS} lookup keys at once.");
        return Err(Error::parameter("lookup_keys", "parameter_invalid", message));
    }
    let keep = |price: &Price| {
        let cycle = price.recurring.as_ref();
        product.as_ref().is_none_or(|product| price.product == *product)
            && currency.as_ref().is_none_or(|currency| price.currency == *currency)
            && recurs.is_none_or(|recurs| price.recurring.is_some() == recurs)
            && interval.is_none_or(|interval| cycle.is_some_and(|it| it.cycle.interval == interval))
            && usage_type
                .as_ref()
                .is_none_or(|usage| cycle.is_some_and(|it| it.usage_type == *usage))
            && meter
                .as_ref()
                .is_none_or(|meter| cycle.is_some_and(|it| it.meter.as_ref() == Some(meter)))
    };
    let filter = Filter { product: product.as_deref(), lookup_key: None, active };
    let mut lists: Vec<String> =
        keys.iter().map(|key| price::list(Filter { lookup_key: Some(key), ..filter })).collect();
    if lists.is_empty() {
        lists.push(price::list(filter));
    }
    let livemode = visit.catalog.livemode;
    visit.page(&lists, &page, keep, |price: &Price| Ok(price.shown(livemode)))
}

pub(super) fn create(visit: &mut Visit<'_>) -> Result<Value, Error> {
    let mut params = std::mem::take(&mut visit.params);
    let product = params.filled("product", TEXT)?;
    let data = params.map("product_data")?;
    let mut price = parse(&mut params, String::new())?;
    params.finish()?;
    price.product = match (product, data) {
        (Some(product), None) => product,
        (None, Some(data)) => products::create_inline(&visit.catalog, data)?,
        (None, None) => return Err(Error::missing("product")),
        (Some(_), Some(_)) => {
            return Err(Error::parameter(
                "product_data",
                "parameters_exclusive",
                "You may only specify one of these parameters: product, product_data.",
            ));
        }
    };
    let price = price::create(&visit.catalog, price)?;
    Ok(price.shown(visit.catalog.livemode))
}

pub(super) fn retrieve(visit: &mut Visit<'_>) -> Result<Value, Error> {
    visit.finish()?;
    let price: Price = visit.catalog.load(visit.id(), "id")?;
    Ok(price.shown(visit.catalog.livemode))
}

pub(super) fn update(visit: &mut Visit<'_>) -> Result<Value, Error> {
    let params = &mut visit.params;
    params.ignore(&["currency_options"]);
    let update = Update {
        active: params.boolean("active")?,
        lookup_key: key(params)?,
        metadata: params.metadata()?,
        details: params.details(&DETAILS)?,
    };
    visit.finish()?;
    let price = price::update(&visit.catalog, visit.id(), update)?;
    Ok(price.shown(visit.catalog.livemode))
}

/// A price that stands in another request.
pub(super) fn parse_inline(mut params: Params, product: String) -> Result<New, Error> {
    let price = parse(&mut params, product)?;
    params.finish()?;
    Ok(price)
}

fn parse(params: &mut Params, product: String) -> Result<New, Error> {
    params.ignore(&MONEY);
    let currency = params.needed("currency", TEXT)?.to_ascii_lowercase();
    if currency.len() != 3 || !currency.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return Err(Error::parameter(
            params.full("currency"),
            "parameter_invalid",
            format!("Invalid currency: {currency}. It has three letters, as in ISO 4217: usd."),
        ));
    }
    let unit_amount = params.integer("unit_amount", 0..=AMOUNT)?;
    let recurring = params.map("recurring")?.map(recurring).transpose()?;
    let details: Map<String, Value> = params.details(&DETAILS)?;
    Ok(New {
        active: params.boolean("active")?,
        product,
        currency,
        unit_amount: unit_amount.and_then(|amount| i64::try_from(amount).ok()),
        recurring,
        lookup_key: key(params)?,
        metadata: params.metadata()?,
        details,
    })
}

fn recurring(mut params: Params) -> Result<Recurring, Error> {
    let interval = params.one_of("interval", &INTERVALS)?;
    let interval = interval.ok_or_else(|| Error::missing(&params.full("interval")))?;
    let count = params.integer("interval_count", 1..=Cycle::longest(interval).into())?;
    let days = params.integer("trial_period_days", 0..=TRIAL)?;
    let usage = params.one_of("usage_type", &[("licensed", "licensed"), ("metered", "metered")])?;
    let meter = params.filled("meter", TEXT)?;
    params.finish()?;
    let small = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    Ok(Recurring {
        cycle: Cycle { interval, count: count.map_or(1, small) },
        trial_period_days: days.map(small),
        usage_type: usage.unwrap_or("licensed").to_owned(),
        meter,
    })
}

fn key(params: &mut Params) -> Result<Key, Error> {
    let transfers = params.flag("transfer_lookup_key")?;
    Ok(match params.string("lookup_key", KEY)? {
        None => Key::Keep,
        Some(key) if key.is_empty() => Key::Clear,
        Some(key) if transfers => Key::Transfer(key),
        Some(key) => Key::Take(key),
    })
}
