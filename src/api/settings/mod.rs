//! The operator's settings: names, formats and defaults.
//!
//! | name                             | format                                  | if absent                     |
//! |----------------------------------|-----------------------------------------|-------------------------------|
//! | `ENTGATE_API_KEYS`               | `sk_test_…`, `rk_live_…`, comma-separated | server routes return 401    |
//! | `STRIPE_WEBHOOK_SECRETS`         | `whsec_…`, `live:whsec_…`, comma-separated | the webhook route returns 503 |
//! | `ENTGATE_SOURCE`                 | `stripe`, or `catalog` if it is included | `stripe`                     |
//! | `STRIPE_API_KEY`                 | `sk_test_…`, `rk_live_…`, one per mode  | nothing is read from Stripe   |
//! | `STRIPE_API_BASE`                | `https://host`                          | `https://api.stripe.com`      |
//! | `ENTGATE_EVENT_POLL`             | seconds, 5 to 3600, or 0 for no poll    | 60                            |
//! | `ENTGATE_STRIPE_RATE`            | reads a second, 1 to 100                | 10 in live mode, 5 in test mode |
//! | `ENTGATE_UNKNOWN_CUSTOMERS`      | `deny`                                  | unknown customers are a 503 without a Stripe key |
//! | `ENTGATE_PAUSED_SUBSCRIPTIONS`   | `keep` or `revoke`                      | `keep`                        |
//! | `ENTGATE_PAST_DUE_SUBSCRIPTIONS` | `keep` or `revoke`                      | `keep`                        |
//! | `ENTGATE_UNPAID_SUBSCRIPTIONS`   | `keep` or `revoke`                      | `revoke`                      |
//! | `ENTGATE_PAUSE_ON_PAYMENT_FAILURE` | `first` or `final`                    | a failed payment pauses nothing |
//! | `ENTGATE_TOKEN_SECRETS`          | 32 characters or more, comma-separated  | no customer tokens            |
//! | `ENTGATE_JWKS_URL`, `ENTGATE_JWT_…` | `https://…`, and the expected claims | no tokens of other issuers    |
//! | `ENTGATE_MEMORY_TTL`             | seconds, 0 to 60                        | 5                             |
//! | `ENTGATE_STRICT_FEATURES`        | lookup keys, comma-separated            | the replica answers checks    |
//! | `ENTGATE_DEFAULT_FEATURES`       | lookup keys, comma-separated            | no feature without a grant    |
//! | `ENTGATE_JURISDICTION`           | `eu`, `us` or `fedramp`                 | objects anywhere              |
//! | `ENTGATE_LOCATION_HINT`          | `weur`, `enam` and others               | objects near their first use  |
//! | `ENTGATE_METRICS_CUSTOMERS`      | `true` or `false`                       | `false`                       |
//! | `ENTGATE_SIGNING_KEY`            | an Ed25519 JWK, or a JWK Set            | no snapshots                  |
//! | `ENTGATE_ALLOWED_ORIGINS`        | `https://app.example.com`, comma-separated, or `*` | no cross-origin requests |
//! | `ENTGATE_DEVELOPMENT`            | `true`, or host names, comma-separated  | a deployment                  |
//!
//! The shell passes the Worker's bindings; this module reads no environment. The catalog
//! needs no key. What a subscription status grants is configurable for the catalog; for Stripe, only
//! the grants of subscriptions that the end of a trial paused are.
//!
//! One invalid setting invalidates all of them: a partial configuration would look like a working one.

mod value;

mod environment;
mod features;
mod keys;
mod origins;
mod placement;
mod source;
mod tokens;

mod names;

mod bindings;

use crate::{
    effective_set::{AnswerContext, MissingSource},
    id::{Livemode, LookupKey, Timestamp},
    policy::{GrantRule, PauseOnPaymentFailure, SourcePolicy, StatusPolicy},
    token,
    webhook::signature::EndpointSecret,
};

pub use self::{
    bindings::Bindings,
    environment::{DEVELOPMENT, Environment},
    keys::{API_KEYS, ApiKey, KeyKind, STRIPE_API_KEY, WEBHOOK_SECRETS},
    names::{
        DEFAULT_FEATURES, EVENT_POLL, JURISDICTION, LOCATION_HINT, MEMORY_TTL, METRICS_CUSTOMERS,
        NAMES, PAST_DUE_SUBSCRIPTIONS, PAUSE_ON_PAYMENT_FAILURE, PAUSED_SUBSCRIPTIONS, SOURCE,
        STRICT_FEATURES, STRIPE_API_BASE, STRIPE_RATE, UNKNOWN_CUSTOMERS, UNPAID_SUBSCRIPTIONS,
    },
    origins::{ALLOWED_ORIGINS, AllowedOrigins},
    placement::Placement,
    source::{Source, UnknownCustomers},
    tokens::{
        Issuer, JWKS_URL, JWT_AUDIENCE, JWT_CUSTOMER_CLAIM, JWT_ISSUER, JWT_LIVEMODE, SIGNING_KEY,
        TOKEN_SECRETS,
    },
    value::Error,
};

/// The problem of a setting about what Stripe decides itself.
const CATALOG_ONLY: &str =
    "is set, which works with ENTGATE_SOURCE=catalog only: Stripe decides it itself";

/// The operator's settings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the Worker runs: a deployment by default.
    pub environment: Environment,
    /// The server keys; empty by default.
    pub api_keys: Vec<ApiKey>,
    /// The secrets of the webhook endpoints; empty by default.
    pub webhook_secrets: Vec<EndpointSecret>,
    /// The keys for Stripe's API, at most one per mode; empty by default.
    pub stripe_keys: Vec<ApiKey>,
    /// The origin of Stripe's API, without a trailing slash.
    pub stripe_base: Box<str>,
    /// The seconds between two polls of Stripe's events, or 0 if they are not polled; 60 by default.
    pub event_poll: u32,
    /// The most reads of Stripe a second in each mode. By default the mode decides.
    pub stripe_rate: Option<u32>,
    /// The source of entitlements.
    pub source: Source,
    /// What applies to a customer without any data if the source cannot be read.
    pub unknown_customers: UnknownCustomers,
    /// Whether a subscription at Stripe that the end of a trial paused grants its features.
    pub paused: GrantRule,
    /// What each subscription status of the catalog grants.
    pub policy: StatusPolicy,
    /// Which failed payment of a renewal pauses a subscription of the catalog; none by default.
    pub pause_on_payment_failure: PauseOnPaymentFailure,
    /// The secrets of customer tokens; the first one signs. Empty by default.
    pub token_secrets: Vec<token::TokenSecret>,
    /// Another issuer whose tokens are accepted; none by default.
    pub issuer: Option<Issuer>,
    /// How long a cached record may grant a feature, in milliseconds; 5,000 by default.
    pub memory_ttl: u64,
    /// The features whose checks only the ledger answers; none by default.
    pub strict_features: Vec<LookupKey>,
    /// The features that every customer has, known or not, unless an override denies it; none by default.
    pub default_features: Vec<LookupKey>,
    /// The keys of snapshots; the first one signs. Empty by default.
    pub signing_keys: Vec<token::SigningKey>,
    /// The origins that may send cross-origin requests; none by default.
    pub allowed_origins: AllowedOrigins,
    /// Where the Durable Objects live; Cloudflare decides by default.
    pub placement: Placement,
    /// Names with the prefix of a setting that are not settings, each with the setting that was probably meant.
    pub unknown_settings: Vec<String>,
}

impl Settings {
    /// Parses the Worker's bindings.
    ///
    /// # Errors
    ///
    /// Names the first setting that is invalid, or that is a binding without a text.
    pub fn from_bindings(bindings: &Bindings) -> Result<Self, Error> {
        bindings.require_texts()?;
        Self::parse(|name| bindings.text(name))
    }

    /// Parses the settings; `lookup` returns the value of a name.
    ///
    /// # Errors
    ///
    /// Names the first setting that is invalid.
    pub fn parse(lookup: impl Fn(&'static str) -> Option<String>) -> Result<Self, Error> {
        let environment = Environment::parse(lookup(DEVELOPMENT))?;
        let source = source::parse_source(lookup(SOURCE))?;
        let api_keys = keys::parse_api_keys(lookup(API_KEYS), &environment)?;
        let stripe_keys = keys::parse_stripe_keys(lookup(STRIPE_API_KEY), &environment)?;
        if source != Source::Stripe && !stripe_keys.is_empty() {
            let problem =
                "is set, and ENTGATE_SOURCE=catalog does not use it: unset one of the two";
            return Err(Error { name: STRIPE_API_KEY, problem });
        }
        let webhook_secrets = keys::parse_webhook_secrets(
            lookup(WEBHOOK_SECRETS),
            api_keys.iter().chain(&stripe_keys),
            &environment,
        )?;
        let rule = |name| parse_grant_rule(name, lookup(name));
        let (past_due, unpaid) = (rule(PAST_DUE_SUBSCRIPTIONS)?, rule(UNPAID_SUBSCRIPTIONS)?);
        let paused = rule(PAUSED_SUBSCRIPTIONS)?;
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
                // The catalog's lists already follow its policy.
                (policy, GrantRule::Keep)
            }
        };
        check_metrics_customers(lookup(METRICS_CUSTOMERS))?;
        Ok(Self {
            api_keys,
            webhook_secrets,
            stripe_base: source::parse_stripe_base(lookup(STRIPE_API_BASE))?,
            stripe_keys,
            event_poll: source::parse_event_poll(lookup(EVENT_POLL))?,
            stripe_rate: source::parse_stripe_rate(lookup(STRIPE_RATE))?,
            source,
            unknown_customers: source::parse_unknown_customers(lookup(UNKNOWN_CUSTOMERS))?,
            paused,
            policy,
            pause_on_payment_failure: parse_pause_on_payment_failure(
                source,
                lookup(PAUSE_ON_PAYMENT_FAILURE),
            )?,
            token_secrets: tokens::parse_secrets(lookup(TOKEN_SECRETS), &environment)?,
            issuer: tokens::parse_issuer(&lookup)?,
            signing_keys: tokens::parse_signing_keys(lookup(SIGNING_KEY), &environment)?,
            memory_ttl: parse_memory_ttl(lookup(MEMORY_TTL))?,
            strict_features: features::parse_features(STRICT_FEATURES, lookup(STRICT_FEATURES))?,
            default_features: features::parse_features(DEFAULT_FEATURES, lookup(DEFAULT_FEATURES))?,
            allowed_origins: AllowedOrigins::parse(lookup(ALLOWED_ORIGINS))?,
            placement: Placement::parse(lookup(JURISDICTION), lookup(LOCATION_HINT))?,
            unknown_settings: Vec::new(),
            environment,
        })
    }

    /// The value of `Access-Control-Allow-Origin` for a page of this origin, if it may send requests.
    #[must_use]
    pub fn allow_origin<'a>(&self, origin: &'a str) -> Option<&'a str> {
        let allowed = self.allowed_origins.allow_origin(origin);
        allowed.or_else(|| self.environment.permits_origin(origin).then_some(origin))
    }

    /// The source, and the status policy under which it is read.
    #[must_use]
    pub fn source_policy(&self) -> SourcePolicy {
        match self.source {
            Source::Stripe => SourcePolicy::Stripe(self.paused),
            #[cfg(feature = "catalog")]
            Source::Catalog => SourcePolicy::Catalog(self.policy),
        }
    }

    /// Whether entitlements of this mode can be read from the source.
    #[must_use]
    pub fn has_source(&self, livemode: Livemode) -> bool {
        match self.source {
            Source::Stripe => self.stripe_key(livemode).is_some(),
            #[cfg(feature = "catalog")]
            Source::Catalog => true,
        }
    }

    /// Whether events of this mode can be received from Stripe.
    #[must_use]
    pub fn has_webhook_secret(&self, livemode: Livemode) -> bool {
        self.webhook_secrets.iter().any(|secret| secret.livemode == livemode)
    }

    /// Whether Stripe's events of this mode are polled.
    #[must_use]
    pub fn has_event_poll(&self, livemode: Livemode) -> bool {
        self.source == Source::Stripe && self.event_poll > 0 && self.stripe_key(livemode).is_some()
    }

    /// Whether this mode has a server key, a source or a webhook secret.
    #[must_use]
    pub fn is_used(&self, livemode: Livemode) -> bool {
        self.api_keys.iter().any(|key| key.livemode == livemode)
            || self.stripe_key(livemode).is_some()
            || self.has_webhook_secret(livemode)
    }

    /// The most reads of Stripe a second in this mode. Stripe documents 25 a second for one endpoint and
    /// for a sandbox: <https://docs.stripe.com/rate-limits>.
    #[must_use]
    pub fn stripe_rate(&self, livemode: Livemode) -> u32 {
        self.stripe_rate.unwrap_or(match livemode {
            Livemode::Test => 5,
            Livemode::Live => 10,
        })
    }

    /// Whether a customer of this mode without any data may be denied: the source has been asked, or the
    /// operator chose so.
    #[must_use]
    pub fn can_deny_unknown(&self, livemode: Livemode) -> bool {
        self.has_source(livemode) || self.unknown_customers == UnknownCustomers::Deny
    }

    /// What it means that no source set is known, where no source can be read: the operator's choice.
    #[must_use]
    pub fn missing_source(&self) -> MissingSource {
        match self.unknown_customers {
            UnknownCustomers::Indeterminate => MissingSource::Undetermined,
            UnknownCustomers::Deny => MissingSource::UnknownCustomer,
        }
    }

    /// What an answer of this time depends on beside the record of the customer.
    #[must_use]
    pub fn answer_context(&self, now: Timestamp) -> AnswerContext<'_> {
        let (policy, default_features) = (self.source_policy(), &self.default_features[..]);
        AnswerContext { policy, default_features, now }
    }

    /// Whether only the ledger may answer for these features, or for all features if the list is empty.
    #[must_use]
    pub fn needs_ledger(&self, features: &[LookupKey]) -> bool {
        !self.strict_features.is_empty()
            && (features.is_empty()
                || features.iter().any(|feature| self.strict_features.contains(feature)))
    }

    /// The key for Stripe's API in this mode.
    #[must_use]
    pub fn stripe_key(&self, livemode: Livemode) -> Option<&ApiKey> {
        self.stripe_keys.iter().find(|key| key.livemode == livemode)
    }
}

fn parse_grant_rule(name: &'static str, value: Option<String>) -> Result<Option<GrantRule>, Error> {
    match value.unwrap_or_default().trim() {
        "" => Ok(None),
        "keep" => Ok(Some(GrantRule::Keep)),
        "revoke" => Ok(Some(GrantRule::Revoke)),
        _ => Err(Error { name, problem: "is neither `keep` nor `revoke`" }),
    }
}

fn parse_pause_on_payment_failure(
    source: Source,
    value: Option<String>,
) -> Result<PauseOnPaymentFailure, Error> {
    let name = PAUSE_ON_PAYMENT_FAILURE;
    let failure = match value.unwrap_or_default().trim() {
        "" => PauseOnPaymentFailure::Never,
        "first" => PauseOnPaymentFailure::First,
        "final" => PauseOnPaymentFailure::Final,
        _ => return Err(Error { name, problem: "is neither `first` nor `final`" }),
    };
    match (source, failure) {
        (_, PauseOnPaymentFailure::Never) => Ok(failure),
        (Source::Stripe, _) => Err(Error { name, problem: CATALOG_ONLY }),
        #[cfg(feature = "catalog")]
        (Source::Catalog, _) => Ok(failure),
    }
}

/// Rejects a rule for statuses that Stripe evaluates itself.
fn reject_outside_catalog(name: &'static str, rule: Option<GrantRule>) -> Result<(), Error> {
    rule.map_or(Ok(()), |_| Err(Error { name, problem: CATALOG_ONLY }))
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

/// Rejects what `worker/decisions.js`, which reads this setting, would take for `false`.
fn check_metrics_customers(value: Option<String>) -> Result<(), Error> {
    match value.unwrap_or_default().as_str() {
        "" | "true" | "false" => Ok(()),
        _ => Err(Error { name: METRICS_CUSTOMERS, problem: "is neither `true` nor `false`" }),
    }
}

fn parse_memory_ttl(value: Option<String>) -> Result<u64, Error> {
    let Some(value) = value.filter(|value| !value.is_empty()) else { return Ok(5_000) };
    match value.parse::<u64>() {
        Ok(seconds @ 0..=60) => Ok(seconds * 1_000),
        _ => Err(Error { name: MEMORY_TTL, problem: "is not a number of seconds from 0 to 60" }),
    }
}

#[cfg(all(test, not(feature = "catalog")))]
mod tests {
    use super::*;

    #[test]
    fn a_build_without_the_catalog_accepts_only_stripe_as_source() {
        let source = |value: &str| {
            let settings = Settings::parse(|name| (name == SOURCE).then(|| value.to_owned()));
            settings.map(|settings| settings.source)
        };
        for value in ["", "stripe"] {
            assert_eq!(source(value), Ok(Source::Stripe));
        }
        let problem = "is `catalog`, which this build does not include: unset it, or build without ENTGATE_CATALOG=no";
        assert_eq!(source("catalog"), Err(Error { name: SOURCE, problem }));
    }
}
