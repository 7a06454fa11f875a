//! What is asked most, answered without a request being built: `GET /v1/check` about one feature,
//! `GET /v1/authorize`, and `POST /webhooks/stripe`.
//!
//! | step          | takes → gives                                                          |
//! |---------------|------------------------------------------------------------------------|
//! | [`ask()`]     | URL, `Authorization`, now → [`Question`]: who is asked about, and what |
//! | [`tell()`]    | [`Question`], the replica's record → [`Answer`]                        |
//! | [`receive()`] | signature, body, now → [`Received`]: an answer, or something to keep   |
//! | [`keep()`]    | that, kept by the ledger or not → an answer                            |
//!
//! No question is refused here. What is not plainly one of these questions, or has not plainly an
//! answer, is none, and [`handle()`](super::handle) answers it: with every error, every other form of
//! a parameter, and the same answer where there is one. An event is taken by the very functions that
//! `handle()` takes it by. Headers of a check are the shell's.

mod line;

use super::{Response, auth, error::Error, settings::Settings, webhooks};
use crate::{
    entitlement::{Summary, Version},
    id::{Customer, CustomerId, LookupKey, Timestamp},
    ledger::Receipt,
    store::{
        self, ServedBy,
        record::{self, Glance},
    },
    token::{Algorithm, Jws},
};

/// What a question wants to be answered with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Route {
    /// `GET /v1/check`: with an object.
    Check,
    /// `GET /v1/authorize`: with a status.
    Authorize,
}

/// May this customer use this feature?
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Question {
    /// How it is asked.
    pub route: Route,
    /// Who it is about.
    pub customer: Customer,
    /// What it is about.
    pub feature: LookupKey,
    /// No older version will do.
    pub at_least: Version,
}

/// What a question is answered with.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Answer {
    /// 200 and this object, as JSON.
    Check(String),
    /// 204: the customer may use it.
    Granted(Glance, ServedBy),
}

/// What a `GET` asks, if it is one of these questions and who asks may know. `url` is a whole one.
#[must_use]
pub fn ask(
    settings: &Settings,
    url: &str,
    authorization: &str,
    now: Timestamp,
) -> Option<Question> {
    let (path, query) = target(url)?.split_once('?')?;
    let route = match path {
        "/v1/check" => Route::Check,
        "/v1/authorize" => Route::Authorize,
        _ => return None,
    };
    let Parameters { customer, feature, at_least } = Parameters::read(query)?;
    let feature = LookupKey::try_from(feature?).ok()?;
    let at_least = Version(at_least.map_or(Some(0), |text| text.parse().ok())?);
    let customer = asked_about(settings, authorization, customer, now)?;
    Some(Question { route, customer, feature, at_least })
}

/// What stands behind the origin.
fn target(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    rest.get(rest.find('/')?..)
}

/// Who is asked about, by somebody who may.
fn asked_about(
    settings: &Settings,
    authorization: &str,
    named: Option<&str>,
    now: Timestamp,
) -> Option<Customer> {
    let given = authorization.strip_prefix("Bearer ")?;
    if given.starts_with("sk_") {
        let livemode = auth::mode(settings, given)?;
        return Some(Customer { livemode, id: CustomerId::try_from(named?).ok()? });
    }
    let token = Jws::parse(given).ok()?;
    if token.algorithm != Algorithm::Hs256 {
        return None;
    }
    let customer = auth::minted(settings, &token, auth::Purpose::Everything, now).ok()?.customer;
    let id = customer.id.as_str();
    (named.is_none_or(|named| named == id) && id.bytes().all(is_plain)).then_some(customer)
}

/// The parameters of these questions, each at most once and without an escape.
#[derive(Default)]
struct Parameters<'a> {
    customer: Option<&'a str>,
    feature: Option<&'a str>,
    at_least: Option<&'a str>,
}

impl<'a> Parameters<'a> {
    fn read(query: &'a str) -> Option<Self> {
        let mut read = Self::default();
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=')?;
            let slot = match name {
                "customer" => &mut read.customer,
                "feature" => &mut read.feature,
                "at_least" => &mut read.at_least,
                _ => return None,
            };
            if slot.is_some() || !value.bytes().all(is_plain) {
                return None;
            }
            *slot = Some(value);
        }
        Some(read)
    }
}

/// Whether a byte is itself in a query, in a header and in JSON.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'~' | b':' | b'@' | b'/')
}

/// The answer to a question, if the record has one that is new enough.
#[must_use]
pub fn tell(question: &Question, record: &[u8], served_by: ServedBy) -> Option<Answer> {
    let glance = record::glance(record, &question.feature)?;
    if glance.version < question.at_least {
        return None;
    }
    match (question.route, glance.entitled) {
        // What is remembered says no to nobody: who has just paid is not to wait.
        (_, false) if served_by == ServedBy::Memory => None,
        (Route::Check, _) => Some(Answer::Check(object(question, &glance, served_by))),
        (Route::Authorize, true) => Some(Answer::Granted(glance, served_by)),
        // A refusal says why.
        (Route::Authorize, false) => None,
    }
}

/// What came in by a webhook.
#[derive(Debug)]
pub enum Received {
    /// What the ledger has to keep.
    Summary(Summary),
    /// The answer to an event that it need not hear of, genuine or not.
    Answer(Response),
}

/// Takes an event in; `log` hears what the operator should know.
pub fn receive(
    settings: &Settings,
    signature: &str,
    body: &[u8],
    now: Timestamp,
    log: fn(&str),
) -> Received {
    match webhooks::receive(settings, signature, body, now) {
        Ok(webhooks::Received::Summary(summary)) => Received::Summary(summary),
        Ok(webhooks::Received::Answer(answer)) => Received::Answer(answer),
        Err(error) => Received::Answer(error.logged(log)),
    }
}

/// The answer once the ledger has kept an event, or failed to.
pub fn keep(summary: &Summary, kept: Result<Receipt, store::Error>, log: fn(&str)) -> Response {
    match kept {
        Ok(receipt) => webhooks::kept(summary, receipt),
        Err(error) => Error::from(error).logged(log),
    }
}

/// An `entitlement_check`.
fn object(question: &Question, glance: &Glance, served_by: ServedBy) -> String {
    let (entitled, reason) =
        if glance.entitled { ("true", "active_entitlement") } else { ("false", "not_entitled") };
    let customer = question.customer.id.as_str();
    let feature = question.feature.as_str();
    let mut text = String::with_capacity(200 + customer.len() + feature.len());
    let version = Digits::of(glance.version.0);
    let as_of = Digits::of(glance.as_of.0.unsigned_abs());
    for part in [
        "{\"object\":\"entitlement_check\",\"customer\":\"",
        customer,
        "\",\"feature\":\"",
        feature,
        "\",\"entitled\":",
        entitled,
        ",\"reason\":\"",
        reason,
        "\",\"version\":",
        version.text(),
        ",\"as_of\":",
        if glance.as_of.0 < 0 { "-" } else { "" },
        as_of.text(),
        ",\"served_by\":\"",
        served_by.name(),
        "\"}",
    ] {
        text.push_str(part);
    }
    text
}

/// A number in decimal, without the machinery of `fmt`.
struct Digits {
    text: [u8; 20],
    begin: usize,
}

impl Digits {
    fn of(mut number: u64) -> Self {
        let mut digits = Self { text: [b'0'; 20], begin: 20 };
        for place in digits.text.iter_mut().rev() {
            digits.begin -= 1;
            *place = b'0' + u8::try_from(number % 10).unwrap_or_default();
            number /= 10;
            if number == 0 {
                break;
            }
        }
        digits
    }

    fn text(&self) -> &str {
        self.text
            .get(self.begin..)
            .and_then(|text| std::str::from_utf8(text).ok())
            .unwrap_or_default()
    }
}
