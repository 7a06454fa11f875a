//! Settings that are keys: server keys, keys for Stripe's API, and the signing secrets of webhooks.
//!
//! The mode of a key is in its prefix. A signing secret is `whsec_…` in both modes, so that its mode
//! is written before it: `test:whsec_…`.

use subtle::ConstantTimeEq as _;

use super::{
    environment::Environment,
    value::{Error, parse_list},
};
use crate::{
    id::Livemode,
    webhook::signature::{EndpointSecret, SigningSecret},
};

/// The server keys.
pub const API_KEYS: &str = "ENTGATE_API_KEYS";

/// The secrets that sign Stripe's events.
pub const WEBHOOK_SECRETS: &str = "STRIPE_WEBHOOK_SECRETS";

/// The keys for Stripe's API.
pub const STRIPE_API_KEY: &str = "STRIPE_API_KEY";

/// The fewest characters of a key or secret after its prefix, in a deployment: those of Stripe's
/// shortest keys. 24 hex digits are 96 random bits.
const MIN_SECRET_CHARS: usize = 24;

/// A key of this deployment or of Stripe.
#[derive(Clone)]
pub struct ApiKey {
    key: Box<str>,
    /// What the key gives access to.
    pub kind: KeyKind,
    /// The mode that the key gives access to.
    pub livemode: Livemode,
}

/// What a key gives access to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum KeyKind {
    /// `sk_…`: everything.
    Secret,
    /// `rk_…`: as a server key, reading the entitlements of customers; at Stripe, what the operator
    /// selected.
    Restricted,
}

impl ApiKey {
    /// Parses a key that begins with a kind and a mode: `sk_test_…`.
    fn parse(value: &str, environment: &Environment) -> Result<Self, &'static str> {
        let (kind, livemode, secret) = split_key(value)
            .ok_or("has a key that does not begin with sk_test_, sk_live_, rk_test_ or rk_live_")?;
        if !value.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("has a key with a character that is not visible ASCII");
        }
        if is_too_short(secret, environment) {
            return Err(
                "has a key of fewer than 24 characters after its prefix: generate one with `openssl rand -hex 24`. Short keys require ENTGATE_DEVELOPMENT",
            );
        }
        Ok(Self { key: value.into(), kind, livemode })
    }

    /// The key itself. It must only be sent to Stripe.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.key
    }

    /// Whether the candidate equals the key. The comparison time reveals only the length.
    #[must_use]
    pub fn matches(&self, candidate: &[u8]) -> bool {
        self.key.as_bytes().ct_eq(candidate).into()
    }
}

/// Omits the key, because debug output may be logged.
impl std::fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiKey").field("livemode", &self.livemode).finish_non_exhaustive()
    }
}

/// Splits a key into its kind, its mode and its secret part, which is not empty.
fn split_key(value: &str) -> Option<(KeyKind, Livemode, &str)> {
    let (kind, rest) = value.split_once('_')?;
    let (mode, secret) = rest.split_once('_')?;
    let kind = match kind {
        "sk" => KeyKind::Secret,
        "rk" => KeyKind::Restricted,
        _ => return None,
    };
    (!secret.is_empty()).then_some((kind, parse_mode(mode)?, secret))
}

fn parse_mode(mode: &str) -> Option<Livemode> {
    match mode {
        "test" => Some(Livemode::Test),
        "live" => Some(Livemode::Live),
        _ => None,
    }
}

fn is_too_short(secret: &str, environment: &Environment) -> bool {
    *environment == Environment::Deployed && secret.chars().count() < MIN_SECRET_CHARS
}

/// Parses the server keys.
pub(super) fn parse_api_keys(
    value: Option<String>,
    environment: &Environment,
) -> Result<Vec<ApiKey>, Error> {
    parse_list(API_KEYS, value, |item| ApiKey::parse(item, environment))
}

/// Parses the keys for Stripe's API, at most one per mode.
pub(super) fn parse_stripe_keys(
    value: Option<String>,
    environment: &Environment,
) -> Result<Vec<ApiKey>, Error> {
    let keys = parse_list(STRIPE_API_KEY, value, |item| ApiKey::parse(item, environment))?;
    let count = |livemode| keys.iter().filter(|key| key.livemode == livemode).count();
    if count(Livemode::Test) > 1 || count(Livemode::Live) > 1 {
        let problem = "has two keys of one mode: give one for test and one for live";
        return Err(Error { name: STRIPE_API_KEY, problem });
    }
    Ok(keys)
}

/// Parses the secrets of the webhook endpoints. One without a mode belongs to the only mode of `keys`.
pub(super) fn parse_webhook_secrets<'a>(
    value: Option<String>,
    keys: impl Iterator<Item = &'a ApiKey>,
    environment: &Environment,
) -> Result<Vec<EndpointSecret>, Error> {
    let (mut has_test, mut has_live) = (false, false);
    for key in keys {
        match key.livemode {
            Livemode::Test => has_test = true,
            Livemode::Live => has_live = true,
        }
    }
    let unmarked = match (has_test, has_live) {
        (true, false) => Ok(Livemode::Test),
        (false, true) => Ok(Livemode::Live),
        (true, true) => Err(
            "has a secret without a mode, and the keys are of both modes: write test:whsec_… for the test endpoint and live:whsec_… for the live one",
        ),
        (false, false) => Err(
            "has a secret without a mode, and neither ENTGATE_API_KEYS nor STRIPE_API_KEY has a key of one: set a key, or write test:whsec_… or live:whsec_…",
        ),
    };
    let secrets = parse_list(WEBHOOK_SECRETS, value, |item| {
        let malformed = "has a secret that does not begin with whsec_, test:whsec_ or live:whsec_";
        let (mode, secret) = match item.split_once(':') {
            Some((mode, secret)) => (Some(parse_mode(mode).ok_or(malformed)?), secret),
            None => (None, item),
        };
        let random = secret.strip_prefix("whsec_").filter(|rest| !rest.is_empty());
        let random = random.ok_or(malformed)?;
        if is_too_short(random, environment) {
            return Err(
                "has a secret of fewer than 24 characters after whsec_: copy the whole secret of the endpoint. Short secrets require ENTGATE_DEVELOPMENT",
            );
        }
        let livemode = mode.map_or(unmarked, Ok)?;
        let signing = SigningSecret::new(secret).ok_or(malformed)?;
        Ok((secret.to_owned(), EndpointSecret { livemode, secret: signing }))
    })?;
    let is_shared = |(secret, endpoint): &(String, EndpointSecret)| {
        let mut others = secrets.iter();
        others.any(|(other, of)| other == secret && of.livemode != endpoint.livemode)
    };
    if secrets.iter().any(is_shared) {
        let problem = "has one secret in both modes: give the secret of the test endpoint and that of the live one";
        return Err(Error { name: WEBHOOK_SECRETS, problem });
    }
    Ok(secrets.into_iter().map(|(_, endpoint)| endpoint).collect())
}
