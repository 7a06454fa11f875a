//! What the operator sets: names, forms and defaults. The shell hands the texts over.
//!
//! | name                     | form                             | absent                           |
//! |--------------------------|----------------------------------|----------------------------------|
//! | `ENTGATE_API_KEYS`       | `sk_test_…` or `sk_live_…`, comma-separated | every server route is 401 |
//! | `STRIPE_WEBHOOK_SECRETS` | `whsec_…`, comma-separated       | the webhook route is 503         |
//! | `ENTGATE_SOURCE`         | `stripe`, or `catalog` where there is one | `stripe`                |
//! | `STRIPE_API_KEY`         | `sk_test_…`, `rk_live_…`, one a mode | lists are not read at Stripe |
//! | `STRIPE_API_BASE`        | `https://host`                   | Stripe's                         |
//! | `ENTGATE_PAUSED_SUBSCRIPTIONS` | `keep` or `revoke`         | `keep`                           |
//! | `ENTGATE_PAST_DUE_SUBSCRIPTIONS` | `keep` or `revoke`       | `keep`                           |
//! | `ENTGATE_UNPAID_SUBSCRIPTIONS` | `keep` or `revoke`         | `revoke`                         |
//! | `ENTGATE_TOKEN_SECRETS`  | 32 characters or more, comma-separated | no customer tokens are made or taken |
//! | `ENTGATE_JWKS_URL`, `ENTGATE_JWT_…` | `https://…`, and what its tokens say | no tokens of others are taken |
//! | `ENTGATE_MEMORY_TTL`     | seconds, 0 to 60                 | 5                                |
//! | `ENTGATE_SIGNING_KEY`    | a JWK of Ed25519, or a set of them | no snapshots are made          |
//! | `ENTGATE_ALLOWED_ORIGINS` | `https://app.example.com`, comma-separated, or `*` | no page of another origin may ask |
//!
//! The catalog is read without any key. What a status grants is the catalog's own rule; what Stripe's
//! subscriptions grant is Stripe's, of which only paused ones can be taken out here.
//!
//! A setting that is malformed stops everything: half a configuration would look like a working one.

mod origins;
mod tokens;

use http::Uri;
use subtle::ConstantTimeEq as _;

use crate::{
    id::Livemode,
    policy::{GrantRule, StatusPolicy},
    token,
    webhook::signature::SigningSecret,
};

pub use self::{
    origins::{ALLOWED_ORIGINS, AllowedOrigins},
    tokens::{
        Issuer, JWKS_URL, JWT_AUDIENCE, JWT_CUSTOMER_CLAIM, JWT_ISSUER, JWT_LIVEMODE, SIGNING_KEY,
        TOKEN_SECRETS,
    },
};

/// For how many seconds an isolate remembers what it has read of a customer.
pub const MEMORY_TTL: &str = "ENTGATE_MEMORY_TTL";

/// The server keys.
pub const API_KEYS: &str = "ENTGATE_API_KEYS";

/// The secrets that sign Stripe's events.
pub const WEBHOOK_SECRETS: &str = "STRIPE_WEBHOOK_SECRETS";

/// The keys that read at Stripe.
pub const STRIPE_API_KEY: &str = "STRIPE_API_KEY";

/// Where Stripe's API is.
pub const STRIPE_API_BASE: &str = "STRIPE_API_BASE";

/// Where entitlements come from.
pub const SOURCE: &str = "ENTGATE_SOURCE";

/// What a paused subscription grants.
pub const PAUSED_SUBSCRIPTIONS: &str = "ENTGATE_PAUSED_SUBSCRIPTIONS";

/// What a past due subscription of the catalog grants.
pub const PAST_DUE_SUBSCRIPTIONS: &str = "ENTGATE_PAST_DUE_SUBSCRIPTIONS";

/// What an unpaid subscription of the catalog grants.
pub const UNPAID_SUBSCRIPTIONS: &str = "ENTGATE_UNPAID_SUBSCRIPTIONS";

/// Where it is if nothing is set.
const DEFAULT_STRIPE_BASE: &str = "https://api.stripe.com";

/// The most keys or secrets in one setting: each costs time on every request.
const MAX_ITEMS: usize = 16;

/// What the operator set.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Who may ask; none by default.
    pub api_keys: Vec<ApiKey>,
    /// Who may tell; none by default.
    pub webhook_secrets: Vec<SigningSecret>,
    /// Who we are at Stripe, at most once a mode; none by default.
    pub stripe_keys: Vec<ApiKey>,
    /// The origin of Stripe's API, without a slash at its end.
    pub stripe_base: Box<str>,
    /// Where entitlements come from.
    pub source: Source,
    /// What a paused subscription of Stripe's grants.
    pub paused: GrantRule,
    /// What each status of the catalog's subscriptions grants.
    pub policy: StatusPolicy,
    /// What makes and checks customers' tokens, the first one for new ones; none by default.
    pub token_secrets: Vec<token::TokenSecret>,
    /// Whose tokens are taken besides; nobody's by default.
    pub issuer: Option<Issuer>,
    /// For how many milliseconds a yes may be said by what was read before; 5,000 by default.
    pub memory_ttl: u64,
    /// What signs snapshots, the first of them; none by default.
    pub signing_keys: Vec<token::SigningKey>,
    /// Which origins' pages may ask; none by default.
    pub allowed_origins: AllowedOrigins,
}

/// Where entitlements come from.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Source {
    /// From Stripe.
    #[default]
    Stripe,
    /// From the catalog of this deployment.
    #[cfg(feature = "catalog")]
    Catalog,
}

/// A server key. Its prefix says which mode it opens.
#[derive(Clone)]
pub struct ApiKey {
    key: Box<str>,
    /// The mode that the key opens.
    pub livemode: Livemode,
}

/// A setting that cannot be used. It names the setting and never tells the value.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{name} {problem}")]
pub struct Error {
    /// Which setting.
    pub name: &'static str,
    /// What is wrong with it.
    pub problem: &'static str,
}

impl Settings {
    /// Reads the settings; `text` answers what a name is set to.
    ///
    /// # Errors
    ///
    /// Names the first setting that is malformed.
    pub fn parse(text: impl Fn(&'static str) -> Option<String>) -> Result<Self, Error> {
        let source = parse_source(text(SOURCE))?;
        let stripe_keys = parse_stripe_keys(text(STRIPE_API_KEY), source)?;
        let of = |name| parse_grant_rule(name, text(name));
        let (past_due, unpaid) = (of(PAST_DUE_SUBSCRIPTIONS)?, of(UNPAID_SUBSCRIPTIONS)?);
        let paused = of(PAUSED_SUBSCRIPTIONS)?;
        let (policy, paused) = match source {
            Source::Stripe => {
                reject_outside_catalog(PAST_DUE_SUBSCRIPTIONS, past_due)?;
                reject_outside_catalog(UNPAID_SUBSCRIPTIONS, unpaid)?;
                (StatusPolicy::default(), stripe_paused_rule(paused, &stripe_keys)?)
            }
            #[cfg(feature = "catalog")]
            Source::Catalog => {
                let default = StatusPolicy::default();
                let policy = StatusPolicy {
                    past_due: past_due.unwrap_or(default.past_due),
                    unpaid: unpaid.unwrap_or(default.unpaid),
                    paused: paused.unwrap_or(default.paused),
                };
                // What the catalog's lists hold is decided already.
                (policy, GrantRule::Keep)
            }
        };
        Ok(Self {
            api_keys: parse_list(API_KEYS, text(API_KEYS), |item| {
                ApiKey::parse(item, &["sk"])
                    .ok_or("has a key that does not begin with sk_test_ or sk_live_")
            })?,
            webhook_secrets: parse_list(WEBHOOK_SECRETS, text(WEBHOOK_SECRETS), |item| {
                item.strip_prefix("whsec_")
                    .filter(|rest| !rest.is_empty())
                    .and_then(|_| SigningSecret::new(item))
                    .ok_or("has a secret that does not begin with whsec_")
            })?,
            stripe_base: parse_stripe_base(text(STRIPE_API_BASE))?,
            stripe_keys,
            source,
            paused,
            policy,
            token_secrets: tokens::parse_secrets(text(TOKEN_SECRETS))?,
            issuer: tokens::parse_issuer(&text)?,
            signing_keys: tokens::parse_signing_keys(text(SIGNING_KEY))?,
            memory_ttl: parse_memory_ttl(text(MEMORY_TTL))?,
            allowed_origins: AllowedOrigins::parse(text(ALLOWED_ORIGINS))?,
        })
    }

    /// Whether entitlements can be read at their source in this mode.
    #[must_use]
    pub fn has_source(&self, livemode: Livemode) -> bool {
        match self.source {
            Source::Stripe => self.stripe_key(livemode).is_some(),
            #[cfg(feature = "catalog")]
            Source::Catalog => true,
        }
    }

    /// The key that reads at Stripe in this mode.
    #[must_use]
    pub fn stripe_key(&self, livemode: Livemode) -> Option<&ApiKey> {
        self.stripe_keys.iter().find(|key| key.livemode == livemode)
    }
}

impl ApiKey {
    /// The key that a text is, if it begins with one of the kinds and a mode: `sk_test_…`.
    fn parse(text: &str, kinds: &[&str]) -> Option<Self> {
        let (kind, rest) = text.split_once('_')?;
        let (mode, secret) = rest.split_once('_')?;
        let livemode = match mode {
            "test" => Livemode::Test,
            "live" => Livemode::Live,
            _ => return None,
        };
        (kinds.contains(&kind) && !secret.is_empty()).then(|| Self { key: text.into(), livemode })
    }

    /// The key itself, to be sent to Stripe and to nobody else.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.key
    }

    /// Whether this is the key, in a time that tells nothing but its length.
    #[must_use]
    pub fn matches(&self, given: &[u8]) -> bool {
        self.key.as_bytes().ct_eq(given).into()
    }
}

/// Never the key itself: what is debugged is logged.
impl std::fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiKey").field("livemode", &self.livemode).finish_non_exhaustive()
    }
}

fn parse_source(text: Option<String>) -> Result<Source, Error> {
    match text.unwrap_or_default().trim() {
        "" | "stripe" => Ok(Source::Stripe),
        #[cfg(feature = "catalog")]
        "catalog" => Ok(Source::Catalog),
        #[cfg(not(feature = "catalog"))]
        "catalog" => {
            let problem = "is `catalog`, and this build has none: unset it, or build without ENTGATE_CATALOG=no";
            Err(Error { name: SOURCE, problem })
        }
        _ => Err(Error { name: SOURCE, problem: "is neither `stripe` nor `catalog`" }),
    }
}

fn parse_stripe_keys(text: Option<String>, source: Source) -> Result<Vec<ApiKey>, Error> {
    let failed = |problem| Error { name: STRIPE_API_KEY, problem };
    let keys = parse_list(STRIPE_API_KEY, text, |item| {
        ApiKey::parse(item, &["sk", "rk"])
            .filter(|_| item.bytes().all(|byte| byte.is_ascii_graphic()))
            .ok_or("has a key that does not begin with sk_test_, sk_live_, rk_test_ or rk_live_")
    })?;
    let of = |livemode| keys.iter().filter(|key| key.livemode == livemode).count();
    if of(Livemode::Test) > 1 || of(Livemode::Live) > 1 {
        return Err(failed("has two keys of one mode: give one for test and one for live"));
    }
    if source != Source::Stripe && !keys.is_empty() {
        return Err(failed("is set, and ENTGATE_SOURCE=catalog needs none: unset one of the two"));
    }
    Ok(keys)
}

/// What a setting says about the subscriptions of one status.
fn parse_grant_rule(name: &'static str, text: Option<String>) -> Result<Option<GrantRule>, Error> {
    match text.unwrap_or_default().trim() {
        "" => Ok(None),
        "keep" => Ok(Some(GrantRule::Keep)),
        "revoke" => Ok(Some(GrantRule::Revoke)),
        _ => Err(Error { name, problem: "is neither `keep` nor `revoke`" }),
    }
}

/// What is Stripe's to decide cannot be set.
fn reject_outside_catalog(name: &'static str, set: Option<GrantRule>) -> Result<(), Error> {
    let problem = "is set, which works with ENTGATE_SOURCE=catalog only: Stripe decides it itself";
    set.map_or(Ok(()), |_| Err(Error { name, problem }))
}

fn stripe_paused_rule(
    paused: Option<GrantRule>,
    stripe_keys: &[ApiKey],
) -> Result<GrantRule, Error> {
    match paused {
        Some(GrantRule::Revoke) if stripe_keys.is_empty() => {
            let problem = "is `revoke`, which needs STRIPE_API_KEY to see subscriptions";
            Err(Error { name: PAUSED_SUBSCRIPTIONS, problem })
        }
        Some(rule @ (GrantRule::Keep | GrantRule::Revoke)) => Ok(rule),
        None => Ok(GrantRule::Keep),
    }
}

/// An origin. The key goes there, so that it is never sent in the clear but to this machine.
fn parse_stripe_base(text: Option<String>) -> Result<Box<str>, Error> {
    let text = text.unwrap_or_default();
    let base = text.trim();
    if base.is_empty() {
        return Ok(DEFAULT_STRIPE_BASE.into());
    }
    let base = base.strip_suffix('/').unwrap_or(base);
    let failed = |problem| Error { name: STRIPE_API_BASE, problem };
    let uri = parse_url(base).map_err(failed)?;
    if uri.query().is_some() || !matches!(uri.path(), "" | "/") {
        return Err(failed("has a path: give the origin alone, https://host or https://host:port"));
    }
    Ok(base.into())
}

/// A place that is asked over a channel nobody else can read or write.
fn parse_url(text: &str) -> Result<Uri, &'static str> {
    let uri = text.parse::<Uri>().ok();
    // What stands before an `@` is a name and a password, and no place for either.
    let uri = uri.filter(|uri| uri.authority().is_some_and(|host| !host.as_str().contains('@')));
    let uri = uri.ok_or("is no URL: it begins with https://host or https://host:port")?;
    let local = matches!(uri.host(), Some("localhost" | "127.0.0.1" | "[::1]"));
    match uri.scheme_str() {
        Some("https") => Ok(uri),
        Some("http") if local => Ok(uri),
        _ => Err("is neither https://… nor http:// of this machine"),
    }
}

fn parse_memory_ttl(text: Option<String>) -> Result<u64, Error> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(5_000) };
    match text.parse::<u64>() {
        Ok(seconds @ 0..=60) => Ok(seconds * 1_000),
        _ => Err(Error { name: MEMORY_TTL, problem: "is not a number of seconds from 0 to 60" }),
    }
}

/// A comma-separated setting. An empty one counts as absent: that is how a variable is cleared.
fn parse_list<T>(
    name: &'static str,
    text: Option<String>,
    parse: impl Fn(&str) -> Result<T, &'static str>,
) -> Result<Vec<T>, Error> {
    let text = text.unwrap_or_default();
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let failed = |problem| Error { name, problem };
    let mut items = Vec::new();
    for item in text.split(',').map(str::trim) {
        if item.is_empty() {
            return Err(failed("has an empty item: two commas in a row, or one at an end"));
        }
        if item.contains(char::is_whitespace) {
            return Err(failed("has white space inside an item: separate items by commas"));
        }
        items.push(parse(item).map_err(failed)?);
    }
    if items.len() > MAX_ITEMS {
        return Err(failed("has more than 16 items"));
    }
    Ok(items)
}

#[cfg(all(test, not(feature = "catalog")))]
mod tests {
    use super::*;

    #[test]
    fn a_build_without_the_catalog_takes_stripe_alone_for_its_source() {
        let source = |text: &str| {
            let settings = Settings::read(|name| (name == SOURCE).then(|| text.to_owned()));
            settings.map(|settings| settings.source)
        };
        for text in ["", "stripe"] {
            assert_eq!(source(text), Ok(Source::Stripe));
        }
        let problem =
            "is `catalog`, and this build has none: unset it, or build without ENTGATE_CATALOG=no";
        assert_eq!(source("catalog"), Err(Error { name: SOURCE, problem }));
    }
}
