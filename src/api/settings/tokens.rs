//! What the operator set about tokens: our own secrets, another issuer, and the keys of snapshots.

use serde_json::Value;

use super::{Error, MAX_ITEMS, parse_list, parse_url};
use crate::{
    id::Livemode,
    token::{SigningKey, TokenSecret},
};

/// The secrets that make customers' tokens; the first one signs.
pub const TOKEN_SECRETS: &str = "ENTGATE_TOKEN_SECRETS";

/// Where the keys of another issuer are.
pub const JWKS_URL: &str = "ENTGATE_JWKS_URL";

/// What that issuer calls itself.
pub const JWT_ISSUER: &str = "ENTGATE_JWT_ISSUER";

/// For whom its tokens are.
pub const JWT_AUDIENCE: &str = "ENTGATE_JWT_AUDIENCE";

/// Where the customer stands in them.
pub const JWT_CUSTOMER_CLAIM: &str = "ENTGATE_JWT_CUSTOMER_CLAIM";

/// The mode of those customers.
pub const JWT_LIVEMODE: &str = "ENTGATE_JWT_LIVEMODE";

/// The keys that sign snapshots.
pub const SIGNING_KEY: &str = "ENTGATE_SIGNING_KEY";

/// Another issuer, whose tokens are taken.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Issuer {
    /// Where its keys are.
    pub jwks_url: Box<str>,
    /// What it calls itself in `iss`.
    pub name: Box<str>,
    /// What has to be in `aud`; where nothing is set, a token must have none.
    pub audience: Option<Box<str>>,
    /// Where the customer stands.
    pub customer_claim: Box<str>,
    /// The mode of its customers: its tokens do not say.
    pub livemode: Livemode,
}

pub(super) fn parse_secrets(text: Option<String>) -> Result<Vec<TokenSecret>, Error> {
    parse_list(TOKEN_SECRETS, text, |item| {
        TokenSecret::new(item)
            .ok_or("has a secret of fewer than 32 characters: make one with `openssl rand -hex 32`")
    })
}

pub(super) fn parse_issuer(
    text: &impl Fn(&'static str) -> Option<String>,
) -> Result<Option<Issuer>, Error> {
    let set = |name| {
        let text = text(name).unwrap_or_default();
        Some(Box::<str>::from(text.trim())).filter(|text| !text.is_empty())
    };
    let Some(jwks_url) = set(JWKS_URL) else {
        let others = [JWT_ISSUER, JWT_AUDIENCE, JWT_CUSTOMER_CLAIM, JWT_LIVEMODE];
        let alone = others.into_iter().find(|name| set(name).is_some());
        return match alone {
            None => Ok(None),
            Some(name) => {
                Err(Error { name, problem: "is set, which needs ENTGATE_JWKS_URL beside it" })
            }
        };
    };
    parse_url(&jwks_url).map_err(|problem| Error { name: JWKS_URL, problem })?;
    let missing =
        "is missing: with ENTGATE_JWKS_URL, set it to what the issuer's tokens have in `iss`";
    let livemode = match set(JWT_LIVEMODE).as_deref() {
        None | Some("true") => Livemode::Live,
        Some("false") => Livemode::Test,
        Some(_) => {
            return Err(Error { name: JWT_LIVEMODE, problem: "is neither `true` nor `false`" });
        }
    };
    Ok(Some(Issuer {
        jwks_url,
        name: set(JWT_ISSUER).ok_or(Error { name: JWT_ISSUER, problem: missing })?,
        audience: set(JWT_AUDIENCE),
        customer_claim: set(JWT_CUSTOMER_CLAIM).unwrap_or_else(|| "sub".into()),
        livemode,
    }))
}

/// The keys of snapshots: the first one signs, the others are only shown.
pub(super) fn parse_signing_keys(text: Option<String>) -> Result<Vec<SigningKey>, Error> {
    let text = text.unwrap_or_default();
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let failed = |problem| Error { name: SIGNING_KEY, problem };
    let value: Value = serde_json::from_slice(text.as_bytes())
        .map_err(|_| failed("is no JSON: give a JWK, {\"kty\":\"OKP\",\"crv\":\"Ed25519\",…}"))?;
    let jwks = match value.get("keys").and_then(Value::as_array) {
        Some(keys) => keys.clone(),
        None => vec![value],
    };
    let keys: Option<Vec<_>> = jwks.iter().map(SigningKey::from_jwk).collect();
    let keys = keys.ok_or(failed("has a key that is no JWK of Ed25519"))?;
    if keys.len() > MAX_ITEMS {
        return Err(failed("has more than 16 items"));
    }
    if !keys.first().is_some_and(SigningKey::can_sign) {
        return Err(failed("has a first key without `d`, which cannot sign"));
    }
    let twice = |key: &SigningKey| keys.iter().filter(|other| other.kid() == key.kid()).count() > 1;
    if keys.iter().any(twice) {
        return Err(failed("has two keys with one `kid`"));
    }
    Ok(keys)
}
