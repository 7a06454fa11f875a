//! Parameters of a price, for the routes of prices and for requests that create a price inline.
//!
//! Specification: <https://docs.stripe.com/api/prices/create>.

use serde_json::{Map, Value};

use super::{
    super::{
        error::{Error, excerpt},
        form::{Params, is_all_digits},
    },
    params::{MAX_STRING_LEN, Passthrough},
};
use crate::catalog::{
    objects::{
        calendar::{BillingCycle, Interval},
        price::Recurring,
    },
    operations::{
        prices::{LookupKeyPatch, NewPrice},
        subscriptions::create::MAX_TRIAL_DAYS,
    },
};

/// The most characters of a price's lookup key, by Stripe's documentation.
const MAX_LOOKUP_KEY_LEN: usize = 200;

/// The largest amount, by Stripe's documentation: twelve digits.
const MAX_AMOUNT: u64 = 999_999_999_999;

pub(super) const PASSTHROUGH: [Passthrough; 2] =
    [Passthrough::String("nickname"), Passthrough::String("tax_behavior")];

/// The most decimal places of an amount, by Stripe's documentation.
const MAX_DECIMAL_PLACES: usize = 12;

/// The most digits before the decimal point: those of [`MAX_AMOUNT`].
const MAX_INTEGER_DIGITS: usize = 12;

/// Parameters that only affect payments: accepted and ignored.
const IGNORED_PARAMS: [&str; 5] =
    ["currency_options", "custom_unit_amount", "tiers", "tiers_mode", "transform_quantity"];

pub(super) const INTERVALS: [(&str, Interval); 4] = [
    ("day", Interval::Day),
    ("week", Interval::Week),
    ("month", Interval::Month),
    ("year", Interval::Year),
];

/// Parses a price that another request creates inline.
pub(super) fn parse_inline(mut params: Params, product: String) -> Result<NewPrice, Error> {
    let price = parse(&mut params, product)?;
    params.reject_unknown()?;
    Ok(price)
}

pub(super) fn parse(params: &mut Params, product: String) -> Result<NewPrice, Error> {
    let schemes = [("per_unit", false), ("tiered", true)];
    let is_tiered = params.one_of("billing_scheme", &schemes)?.unwrap_or(false);
    // The amount of such a price is in its tiers, or the customer chooses it.
    let needs_amount = !is_tiered && !params.contains("custom_unit_amount");
    params.ignore(&IGNORED_PARAMS);
    let currency = params.required_non_empty("currency", MAX_STRING_LEN)?.to_ascii_lowercase();
    if currency.len() != 3 || !currency.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return Err(Error::parameter(
            params.qualified("currency"),
            "parameter_invalid",
            format!(
                "Invalid currency: {}. It has three letters, as in ISO 4217: usd.",
                excerpt(&currency)
            ),
        ));
    }
    let recurring = params.object("recurring")?.map(parse_recurring).transpose()?;
    let amount = parse_amount(params)?;
    if amount.is_none() && needs_amount {
        return Err(Error::parameter(
            params.qualified("unit_amount"),
            "parameter_missing",
            "Prices require an `unit_amount` or `unit_amount_decimal` parameter to be set.",
        ));
    }
    let mut passthrough: Map<String, Value> = params.passthrough(&PASSTHROUGH)?;
    let unit_amount = match amount {
        Some(Amount::Integer(amount)) => Some(amount),
        Some(Amount::Decimal(amount)) => {
            passthrough.insert("unit_amount_decimal".to_owned(), amount.into());
            None
        }
        None => None,
    };
    Ok(NewPrice {
        active: params.optional_bool("active")?,
        product,
        currency,
        unit_amount,
        recurring,
        lookup_key: parse_lookup_key(params)?,
        metadata: params.metadata()?,
        passthrough,
    })
}

/// The amount of a price, in the smallest unit of its currency.
enum Amount {
    Integer(i64),
    /// An amount with decimal places.
    Decimal(String),
}

/// Takes `unit_amount` or `unit_amount_decimal`.
fn parse_amount(params: &mut Params) -> Result<Option<Amount>, Error> {
    let integer = params.take_integer("unit_amount", 0..=MAX_AMOUNT)?;
    let decimal = params.take_string("unit_amount_decimal")?;
    let error = |code, message| {
        Err(Error::parameter(params.qualified("unit_amount_decimal"), code, message))
    };
    match (integer, decimal) {
        (Some(_), Some(_)) => error(
            "parameters_exclusive",
            "You may only specify one of these parameters: unit_amount, unit_amount_decimal."
                .to_owned(),
        ),
        (None, None) => Ok(None),
        (Some(amount), None) => Ok(i64::try_from(amount).ok().map(Amount::Integer)),
        (None, Some(decimal)) => match parse_decimal(&decimal) {
            Some(amount) => Ok(Some(amount)),
            None => error(
                "parameter_invalid",
                format!(
                    "Invalid decimal: {decimal}; must be a positive number with at most \
                     {MAX_DECIMAL_PLACES} decimal places."
                ),
            ),
        },
    }
}

fn parse_decimal(decimal: &str) -> Option<Amount> {
    let (integer, places) = decimal.split_once('.').unwrap_or((decimal, "0"));
    let is_valid = is_all_digits(integer)
        && is_all_digits(places)
        && integer.len() <= MAX_INTEGER_DIGITS
        && places.len() <= MAX_DECIMAL_PLACES;
    let integer: u64 = integer.parse().ok().filter(|_| is_valid)?;
    let places = places.trim_end_matches('0');
    Some(if places.is_empty() {
        Amount::Integer(i64::try_from(integer).ok()?)
    } else {
        Amount::Decimal(format!("{integer}.{places}"))
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
    let to_u32 = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    Ok(Recurring {
        billing_cycle: BillingCycle { interval, count: count.map_or(1, to_u32) },
        trial_period_days: days.map(to_u32),
        usage_type: usage.unwrap_or("licensed").to_owned(),
        meter,
    })
}

pub(super) fn parse_lookup_key(params: &mut Params) -> Result<LookupKeyPatch, Error> {
    let transfers = params.take_flag("transfer_lookup_key")?;
    Ok(match params.bounded_string("lookup_key", MAX_LOOKUP_KEY_LEN)? {
        None => LookupKeyPatch::Keep,
        Some(key) if key.is_empty() => LookupKeyPatch::Clear,
        Some(key) if transfers => LookupKeyPatch::Transfer(key),
        Some(key) => LookupKeyPatch::Set(key),
    })
}
