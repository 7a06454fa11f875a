//! Parses the settings of the source: which one it is, where Stripe is, and how often it is asked.

use super::{
    names::{EVENT_POLL, SOURCE, STRIPE_API_BASE, STRIPE_RATE, UNKNOWN_CUSTOMERS},
    value::{Error, parse_url},
};

/// The default origin of Stripe's API.
const DEFAULT_STRIPE_BASE: &str = "https://api.stripe.com";

/// The source of entitlements.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Source {
    /// Stripe.
    #[default]
    Stripe,
    /// The catalog of this deployment.
    #[cfg(feature = "catalog")]
    Catalog,
}

/// What applies to a customer without any data if the source cannot be read.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum UnknownCustomers {
    /// Nothing is known of the customer: a 503.
    #[default]
    Indeterminate,
    /// The customer may use nothing: the operator's own choice.
    Deny,
}

pub(super) fn parse_source(value: Option<String>) -> Result<Source, Error> {
    match value.unwrap_or_default().trim() {
        "" | "stripe" => Ok(Source::Stripe),
        #[cfg(feature = "catalog")]
        "catalog" => Ok(Source::Catalog),
        #[cfg(not(feature = "catalog"))]
        "catalog" => {
            let problem = "is `catalog`, which this build does not include: unset it, or build without ENTGATE_CATALOG=no";
            Err(Error { name: SOURCE, problem })
        }
        _ => Err(Error { name: SOURCE, problem: "is neither `stripe` nor `catalog`" }),
    }
}

pub(super) fn parse_unknown_customers(value: Option<String>) -> Result<UnknownCustomers, Error> {
    match value.unwrap_or_default().trim() {
        "" => Ok(UnknownCustomers::Indeterminate),
        "deny" => Ok(UnknownCustomers::Deny),
        _ => {
            Err(Error { name: UNKNOWN_CUSTOMERS, problem: "is not `deny`: set it so, or unset it" })
        }
    }
}

/// Parses an origin. It receives the API key, so it must be `https` or on localhost.
pub(super) fn parse_stripe_base(value: Option<String>) -> Result<Box<str>, Error> {
    let value = value.unwrap_or_default();
    let base = value.trim();
    if base.is_empty() {
        return Ok(DEFAULT_STRIPE_BASE.into());
    }
    let base = base.strip_suffix('/').unwrap_or(base);
    let error = |problem| Error { name: STRIPE_API_BASE, problem };
    let uri = parse_url(base).map_err(error)?;
    if uri.query().is_some() || !matches!(uri.path(), "" | "/") {
        return Err(error("has a path: give the origin alone, https://host or https://host:port"));
    }
    Ok(base.into())
}

pub(super) fn parse_event_poll(value: Option<String>) -> Result<u32, Error> {
    match value.unwrap_or_default().trim() {
        "" => Ok(60),
        value => parse_number(value).filter(|seconds| matches!(seconds, 0 | 5..=3_600)).ok_or({
            let problem = "is not a number of seconds from 5 to 3600, or 0 to turn the poll off";
            Error { name: EVENT_POLL, problem }
        }),
    }
}

pub(super) fn parse_stripe_rate(value: Option<String>) -> Result<Option<u32>, Error> {
    match value.unwrap_or_default().trim() {
        "" => Ok(None),
        value => parse_number(value).filter(|rate| matches!(rate, 1..=100)).map(Some).ok_or({
            let problem = "is not a number of reads a second from 1 to 100";
            Error { name: STRIPE_RATE, problem }
        }),
    }
}

fn parse_number(value: &str) -> Option<u32> {
    value.parse().ok()
}
