//! The fast path: answers the most frequent requests without an HTTP request or response object.
//!
//! It covers `GET /v1/check` with one feature, `GET /v1/authorize` with one feature,
//! `GET /v1/entitlements/active_entitlements` and `POST /webhooks/stripe`.
//!
//! | step                       | input → output                                                     |
//! |----------------------------|--------------------------------------------------------------------|
//! | [`parse_query()`]          | URL, `Authorization`, now → [`FastQuery`]                          |
//! | [`accepts_record()`]       | a record → whether it may answer                                   |
//! | [`parse_bound_query()`]    | path and query of a bound Worker, its mode → [`FastQuery`]         |
//! | [`answer_from_record()`]   | [`FastQuery`], a record, now → [`FastAnswer`]                      |
//! | [`accepts_webhook()`]      | signature, now → whether the body is read                          |
//! | [`verify_webhook()`]       | URL, signature, body, now → [`WebhookResult`]                      |
//! | [`acknowledgement()`]      | the ledger's receipt → a response                                  |
//!
//! The fast path never rejects a request. Anything that it cannot parse or answer returns `None` and
//! takes the slow path, [`handle()`](super::handle), which returns the same answer or the error. So does
//! the denial of a feature that is not one of the [`ExistingFeatures`].
//! Webhooks use the same functions on both paths. The strings for JavaScript are in [`wire`].

mod check;
mod existing_features;
mod list;
pub mod wire;

use self::list::RawPageParams;
pub use self::{existing_features::ExistingFeatures, list::FastList};
pub use super::webhooks::{WebhookResult, acknowledgement};
use super::{
    active_entitlements::LIST_PATH,
    auth, credential,
    settings::{Settings, Source},
    webhooks,
};
use crate::{
    entitlement::{Decision, DenyReason, GrantReason, Version},
    id::{CustomerId, CustomerKey, EntitlementId, Livemode, LookupKey, Timestamp},
    pagination::PageRequest,
    store::{
        ServedBy,
        record::{self, FeatureLookup},
    },
    token::{Algorithm, Jws},
};

/// The route of a query.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum FastRoute {
    /// `GET /v1/check` of this feature.
    Check(LookupKey),
    /// `GET /v1/authorize` of this feature.
    Authorize(LookupKey),
    /// `GET /v1/entitlements/active_entitlements` with this page.
    List(PageRequest<EntitlementId>),
}

/// A parsed and authorized request about one customer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FastQuery {
    /// The route and its arguments.
    pub route: FastRoute,
    /// The customer.
    pub customer: CustomerKey,
    /// The minimum version of the answer.
    pub at_least: Version,
}

/// The answer to a query.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum FastAnswer {
    /// 200 with this JSON object.
    Check(String),
    /// 204: the customer may use the feature.
    Granted(FeatureLookup, ServedBy),
    /// 200 with this list.
    List(FastList),
}

/// Parses and authorizes a `GET`. `url` is absolute.
#[must_use]
pub fn parse_query(
    settings: &Settings,
    url: &str,
    authorization: &str,
    now: Timestamp,
) -> Option<FastQuery> {
    let (authority, target) = split_url(url)?;
    if !settings.environment.permits_host(authority) {
        return None;
    }
    let ParsedTarget { route, customer, at_least } = parse_target(settings, target)?;
    let customer = authorize(settings, authorization, customer, now)?;
    Some(FastQuery { route, customer, at_least })
}

/// Parses a `GET` of a Worker that is bound to this deployment. Its binding has authorized it for one
/// mode. `target` is a path and a query.
#[must_use]
pub fn parse_bound_query(
    settings: &Settings,
    target: &str,
    livemode: Livemode,
) -> Option<FastQuery> {
    let ParsedTarget { route, customer, at_least } = parse_target(settings, target)?;
    let customer = CustomerKey { livemode, id: CustomerId::try_from(customer?).ok()? };
    Some(FastQuery { route, customer, at_least })
}

/// A path and a query.
struct ParsedTarget<'a> {
    route: FastRoute,
    customer: Option<&'a str>,
    at_least: Version,
}

#[inline]
fn parse_target<'a>(settings: &Settings, target: &'a str) -> Option<ParsedTarget<'a>> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let RawParams { customer, feature, at_least, page } = RawParams::parse(query)?;
    let has_no_page = page == RawPageParams::default();
    // Only the ledger answers for a strict feature.
    let plain_feature = |feature: Option<&str>| {
        let feature = LookupKey::try_from(feature?).ok()?;
        (!settings.strict_features.contains(&feature)).then_some(feature)
    };
    let route = match path {
        "/v1/check" if has_no_page => FastRoute::Check(plain_feature(feature)?),
        "/v1/authorize" if has_no_page => FastRoute::Authorize(plain_feature(feature)?),
        // The catalog answers its own lists.
        LIST_PATH if feature.is_none() && settings.source == Source::Stripe => {
            if !settings.strict_features.is_empty() {
                return None;
            }
            FastRoute::List(page.to_request()?)
        }
        _ => return None,
    };
    let at_least = Version(at_least.map_or(Some(0), |version| version.parse().ok())?);
    Some(ParsedTarget { route, customer, at_least })
}

/// The host and port of a URL, and what follows them.
fn split_url(url: &str) -> Option<(&str, &str)> {
    let (_, rest) = url.split_once(':')?;
    let rest = rest.strip_prefix("//")?;
    rest.split_at_checked(rest.find('/')?)
}

/// Authenticates the caller, and returns the customer if the caller has access.
fn authorize(
    settings: &Settings,
    authorization: &str,
    customer_param: Option<&str>,
    now: Timestamp,
) -> Option<CustomerKey> {
    let credential = authorization.strip_prefix("Bearer ")?;
    if credential::is_server_key(credential) {
        let livemode = auth::match_server_key(settings, credential)?.livemode;
        return Some(CustomerKey { livemode, id: CustomerId::try_from(customer_param?).ok()? });
    }
    let token = Jws::parse(credential).ok()?;
    if token.algorithm != Algorithm::Hs256 {
        return None;
    }
    let customer =
        auth::verify_own_token(settings, &token, auth::TokenScope::Full, now).ok()?.customer;
    let id = customer.id.as_str();
    let is_permitted = customer_param.is_none_or(|param| param == id);
    (is_permitted && id.bytes().all(is_url_safe)).then_some(customer)
}

/// The query parameters of all routes, each at most once and without escapes.
#[derive(Default)]
struct RawParams<'a> {
    customer: Option<&'a str>,
    feature: Option<&'a str>,
    at_least: Option<&'a str>,
    page: RawPageParams<'a>,
}

impl<'a> RawParams<'a> {
    fn parse(query: &'a str) -> Option<Self> {
        let mut params = Self::default();
        for pair in query.split('&').filter(|_| !query.is_empty()) {
            let (name, value) = pair.split_once('=')?;
            let slot = match name {
                "customer" => &mut params.customer,
                "feature" => &mut params.feature,
                "at_least" => &mut params.at_least,
                "limit" => &mut params.page.limit,
                "starting_after" => &mut params.page.starting_after,
                "ending_before" => &mut params.page.ending_before,
                _ => return None,
            };
            if slot.is_some() || !value.bytes().all(is_url_safe) {
                return None;
            }
            *slot = Some(value);
        }
        Some(params)
    }
}

/// Whether a byte needs no escape in a query, in a header and in JSON.
fn is_url_safe(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'~' | b':' | b'@' | b'/')
}

/// Whether a record may answer: only the ledger answers from one of another source or status policy.
#[must_use]
pub fn accepts_record(settings: &Settings, record: &[u8]) -> bool {
    record::was_read_under(record, settings.source_policy())
}

/// Answers a query from a record. `None` if the record is too old or does not decide the query, or if a
/// denied feature may not exist. Adds a feature that the source grants to those that exist.
#[must_use]
pub fn answer_from_record(
    settings: &Settings,
    query: &FastQuery,
    (record, served_by): (&[u8], ServedBy),
    existing: &mut ExistingFeatures,
    now: Timestamp,
) -> Option<FastAnswer> {
    let lookup = |feature| {
        let lookup = record::lookup_feature(record, feature, &settings.default_features, now)?;
        // A cached record never denies, because the customer may have just paid.
        let is_usable = lookup.decision.is_grant() || served_by != ServedBy::Memory;
        (is_usable && lookup.record_version >= query.at_least).then_some(lookup)
    };
    match &query.route {
        FastRoute::Check(feature) => {
            let (customer, lookup) = (&query.customer.id, lookup(feature)?);
            let livemode = query.customer.livemode;
            match (lookup.decision, served_by) {
                (Decision::Deny(DenyReason::NotEntitled), _)
                    if !existing.contains(livemode, feature) =>
                {
                    return None;
                }
                // Before it was in memory, it was in the replica.
                (Decision::Grant(GrantReason::ActiveEntitlement), ServedBy::Replica) => {
                    existing.insert(livemode, feature);
                }
                _ => {}
            }
            Some(FastAnswer::Check(check::check_json(customer, feature, &lookup, served_by)))
        }
        FastRoute::Authorize(feature) => {
            // A denial has a body with the reason, which the slow path creates.
            let granted = lookup(feature).filter(|lookup| lookup.decision.is_grant())?;
            Some(FastAnswer::Granted(granted, served_by))
        }
        FastRoute::List(page) => {
            // The slow path adds what overrides and defaults change.
            if !settings.default_features.is_empty() {
                return None;
            }
            let list = list::answer_list(page, query.customer.livemode, record, served_by)?;
            (list.version >= query.at_least).then_some(FastAnswer::List(list))
        }
    }
}

/// Whether the body of an event may be read: a secret is set, and the signature has a valid form and a
/// recent timestamp.
#[must_use]
pub fn accepts_webhook(settings: &Settings, signature: &str, now: Timestamp) -> bool {
    webhooks::check_head(settings, signature, now).is_ok()
}

/// Verifies and parses one event. An error becomes a response. `url` is absolute.
#[must_use]
pub fn verify_webhook(
    settings: &Settings,
    url: &str,
    signature: &str,
    body: &[u8],
    now: Timestamp,
) -> WebhookResult {
    let (authority, _) = split_url(url).unwrap_or_default();
    auth::check_host(settings, authority)
        .and_then(|()| webhooks::verify_and_parse(settings, signature, body, now))
        .unwrap_or_else(|error| WebhookResult::Respond(error.to_response()))
}
