//! What is asked most, answered without a request being built: `GET /v1/check` about one feature,
//! `GET /v1/authorize`, `GET /v1/entitlements/active_entitlements`, and `POST /webhooks/stripe`.
//!
//! | step          | takes → gives                                                          |
//! |---------------|------------------------------------------------------------------------|
//! | [`ask()`]     | URL, `Authorization`, now → [`Question`]: who is asked about, and what |
//! | [`tell()`]    | [`Question`], the replica's record → [`Answer`]                        |
//! | [`receive()`] | signature, body, now → [`Received`]: an answer, or something to keep   |
//! | [`kept()`]    | the ledger's receipt for that → an answer                              |
//!
//! No question is refused here. What is not plainly one of these questions, or has not plainly an
//! answer, is none, and [`handle()`](super::handle) answers it: with every error, every other form of
//! a parameter, and the same answer where there is one. An event is taken by the very functions that
//! `handle()` takes it by. Headers of an answer to a question are the shell's.

mod check;
mod digits;
mod list;
mod wire;

use super::{
    Response, active_entitlements, auth,
    settings::{Settings, Source},
    webhooks,
};
use crate::{
    entitlement::{Summary, Version},
    id::{CustomerId, CustomerKey, EntitlementId, EventId, LookupKey, Timestamp},
    ledger::ApplyReceipt,
    store::{
        ServedBy,
        pagination::PageRequest,
        record::{self, FeatureLookup},
    },
    token::{Algorithm, Jws},
};

/// What is asked of a customer's set, and what it wants to be answered with.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum FastRoute {
    /// `GET /v1/check`: may this feature be used? With an object.
    Check(LookupKey),
    /// `GET /v1/authorize`: the same, with a status.
    Authorize(LookupKey),
    /// `GET /v1/entitlements/active_entitlements`: what may be used? With this part of the list.
    List(PageRequest<EntitlementId>),
}

/// What does this customer hold?
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FastQuery {
    /// What is asked.
    pub route: FastRoute,
    /// Who it is about.
    pub customer: CustomerKey,
    /// No older version will do.
    pub at_least: Version,
}

/// What a question is answered with.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum FastAnswer {
    /// 200 and this object, as JSON.
    Check(String),
    /// 204: the customer may use it.
    Granted(FeatureLookup, ServedBy),
    /// 200 and this list.
    List(FastList),
}

/// A part of Stripe's list, and what the headers say of the set it is of.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FastList {
    /// The list, as JSON.
    pub body: String,
    /// `Entgate-Version`.
    pub version: Version,
    /// `Entgate-As-Of`.
    pub as_of: Timestamp,
    /// `Entgate-Served-By`.
    pub served_by: ServedBy,
}

/// What a `GET` asks, if it is one of these questions and who asks may know. `url` is a whole one.
#[must_use]
pub fn parse_query(
    settings: &Settings,
    url: &str,
    authorization: &str,
    now: Timestamp,
) -> Option<FastQuery> {
    let target = path_and_query(url)?;
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let RawParams { customer, feature, at_least, page } = RawParams::parse(query)?;
    let unpaged = page == list::RawPageParams::default();
    let route = match path {
        "/v1/check" if unpaged => FastRoute::Check(LookupKey::try_from(feature?).ok()?),
        "/v1/authorize" if unpaged => FastRoute::Authorize(LookupKey::try_from(feature?).ok()?),
        // The catalog answers its lists itself.
        active_entitlements::LIST_PATH
            if feature.is_none() && settings.source == Source::Stripe =>
        {
            FastRoute::List(page.to_request()?)
        }
        _ => return None,
    };
    let at_least = Version(at_least.map_or(Some(0), |text| text.parse().ok())?);
    let customer = authorize(settings, authorization, customer, now)?;
    Some(FastQuery { route, customer, at_least })
}

/// What stands behind the origin.
fn path_and_query(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once(':')?;
    let rest = rest.strip_prefix("//")?;
    rest.get(rest.find('/')?..)
}

/// Who is asked about, by somebody who may.
fn authorize(
    settings: &Settings,
    authorization: &str,
    named: Option<&str>,
    now: Timestamp,
) -> Option<CustomerKey> {
    let given = authorization.strip_prefix("Bearer ")?;
    if given.starts_with("sk_") {
        let livemode = auth::match_server_key(settings, given)?;
        return Some(CustomerKey { livemode, id: CustomerId::try_from(named?).ok()? });
    }
    let token = Jws::parse(given).ok()?;
    if token.algorithm != Algorithm::Hs256 {
        return None;
    }
    let customer =
        auth::verify_own_token(settings, &token, auth::TokenScope::Full, now).ok()?.customer;
    let id = customer.id.as_str();
    (named.is_none_or(|named| named == id) && id.bytes().all(is_url_safe)).then_some(customer)
}

/// The parameters of these questions, each at most once and without an escape.
#[derive(Default)]
struct RawParams<'a> {
    customer: Option<&'a str>,
    feature: Option<&'a str>,
    at_least: Option<&'a str>,
    page: list::RawPageParams<'a>,
}

impl<'a> RawParams<'a> {
    fn parse(query: &'a str) -> Option<Self> {
        let mut read = Self::default();
        for pair in query.split('&').filter(|_| !query.is_empty()) {
            let (name, value) = pair.split_once('=')?;
            let slot = match name {
                "customer" => &mut read.customer,
                "feature" => &mut read.feature,
                "at_least" => &mut read.at_least,
                "limit" => &mut read.page.limit,
                "starting_after" => &mut read.page.starting_after,
                "ending_before" => &mut read.page.ending_before,
                _ => return None,
            };
            if slot.is_some() || !value.bytes().all(is_url_safe) {
                return None;
            }
            *slot = Some(value);
        }
        Some(read)
    }
}

/// Whether a byte is itself in a query, in a header and in JSON.
fn is_url_safe(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'~' | b':' | b'@' | b'/')
}

/// The answer to a question, if the record has one that is new enough.
#[must_use]
pub fn answer_from_record(
    question: &FastQuery,
    record: &[u8],
    served_by: ServedBy,
) -> Option<FastAnswer> {
    let glance = |feature| {
        let glance = record::lookup_feature(record, feature)?;
        // What is remembered says no to nobody: who has just paid is not to wait.
        let counts = glance.entitled || served_by != ServedBy::Memory;
        (counts && glance.version >= question.at_least).then_some(glance)
    };
    match &question.route {
        FastRoute::Check(feature) => {
            let (customer, glance) = (&question.customer.id, glance(feature)?);
            Some(FastAnswer::Check(check::check_json(customer, feature, &glance, served_by)))
        }
        FastRoute::Authorize(feature) => {
            // A refusal says why.
            let granted = glance(feature).filter(|glance| glance.entitled)?;
            Some(FastAnswer::Granted(granted, served_by))
        }
        FastRoute::List(part) => {
            let list = list::answer_list(part, question.customer.livemode, record, served_by)?;
            (list.version >= question.at_least).then_some(FastAnswer::List(list))
        }
    }
}

/// What came in by a webhook.
#[derive(Debug)]
pub enum FastWebhookResult {
    /// What the ledger has to keep.
    Apply(Summary),
    /// The answer to an event that it need not hear of, genuine or not.
    Respond(Response),
}

/// Takes an event in; `log` hears what the operator should know.
pub fn verify_webhook(
    settings: &Settings,
    signature: &str,
    body: &[u8],
    now: Timestamp,
    log: fn(&str),
) -> FastWebhookResult {
    match webhooks::verify_and_parse(settings, signature, body, now) {
        Ok(webhooks::WebhookResult::Apply(summary)) => FastWebhookResult::Apply(summary),
        Ok(webhooks::WebhookResult::Respond(answer)) => FastWebhookResult::Respond(answer),
        Err(error) => FastWebhookResult::Respond(error.log_and_respond(log)),
    }
}

/// The answer once the ledger has kept an event.
#[must_use]
pub fn webhook_response(event: &EventId, customer: &CustomerId, receipt: ApplyReceipt) -> Response {
    webhooks::acknowledgement(event, customer, receipt)
}
