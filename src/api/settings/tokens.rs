//! Settings of customer tokens and snapshots: secrets, another token issuer, and signing keys.
//!
//! Formats and verification are in [`crate::token`].

use serde_json::Value;

use super::{
    environment::Environment,
    value::{Error, MAX_ITEMS, parse_list, parse_url},
};
use crate::{
    id::Livemode,
    json,
    token::{SigningKey, TokenSecret},
};

/// The secrets of customer tokens; the first one signs.
pub const TOKEN_SECRETS: &str = "ENTGATE_TOKEN_SECRETS";

/// The URL of another issuer's JWK Set.
pub const JWKS_URL: &str = "ENTGATE_JWKS_URL";

/// The `iss` claim of that issuer's tokens.
pub const JWT_ISSUER: &str = "ENTGATE_JWT_ISSUER";

/// The `aud` claim of that issuer's tokens.
pub const JWT_AUDIENCE: &str = "ENTGATE_JWT_AUDIENCE";

/// The claim that contains the customer's id.
pub const JWT_CUSTOMER_CLAIM: &str = "ENTGATE_JWT_CUSTOMER_CLAIM";

/// The mode of that issuer's customers.
pub const JWT_LIVEMODE: &str = "ENTGATE_JWT_LIVEMODE";

/// The keys that sign snapshots.
pub const SIGNING_KEY: &str = "ENTGATE_SIGNING_KEY";

/// The secret in `.dev.vars.example`, which everybody knows.
const EXAMPLE_TOKEN_SECRET: &str = "token_test_entgate_not_for_production";

/// The thumbprint of the signing key in `.dev.vars.example`: that of RFC 8037, appendix A.
const EXAMPLE_SIGNING_KEY: &str = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k";

/// Another issuer whose tokens are accepted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Issuer {
    /// The URL of its JWK Set.
    pub jwks_url: Box<str>,
    /// Its name, in `iss`.
    pub name: Box<str>,
    /// The required `aud`; if absent, a token must not have an audience.
    pub audience: Option<Box<str>>,
    /// The claim that contains the customer's id.
    pub customer_claim: Box<str>,
    /// The mode of its customers, which its tokens do not contain.
    pub livemode: Livemode,
}

/// Parses the secrets of customer tokens.
pub(super) fn parse_secrets(
    value: Option<String>,
    environment: &Environment,
) -> Result<Vec<TokenSecret>, Error> {
    parse_list(TOKEN_SECRETS, value, |item| {
        if item == EXAMPLE_TOKEN_SECRET && *environment == Environment::Deployed {
            return Err(
                "has the published secret of .dev.vars.example: generate one with `openssl rand -hex 32`",
            );
        }
        TokenSecret::new(item).ok_or(
            "has a secret of fewer than 32 characters: generate one with `openssl rand -hex 32`",
        )
    })
}

/// Parses the settings of another issuer.
pub(super) fn parse_issuer(
    lookup: &impl Fn(&'static str) -> Option<String>,
) -> Result<Option<Issuer>, Error> {
    let non_empty = |name| {
        let value = lookup(name).unwrap_or_default();
        Some(Box::<str>::from(value.trim())).filter(|value| !value.is_empty())
    };
    let Some(jwks_url) = non_empty(JWKS_URL) else {
        let dependents = [JWT_ISSUER, JWT_AUDIENCE, JWT_CUSTOMER_CLAIM, JWT_LIVEMODE];
        return match dependents.into_iter().find(|name| non_empty(name).is_some()) {
            None => Ok(None),
            Some(name) => Err(Error { name, problem: "is set, which requires ENTGATE_JWKS_URL" }),
        };
    };
    parse_url(&jwks_url).map_err(|problem| Error { name: JWKS_URL, problem })?;
    let missing =
        "is missing: with ENTGATE_JWKS_URL, set it to what the issuer's tokens have in `iss`";
    let livemode = match non_empty(JWT_LIVEMODE).as_deref() {
        None | Some("true") => Livemode::Live,
        Some("false") => Livemode::Test,
        Some(_) => {
            return Err(Error { name: JWT_LIVEMODE, problem: "is neither `true` nor `false`" });
        }
    };
    let customer_claim = non_empty(JWT_CUSTOMER_CLAIM).unwrap_or_else(|| "sub".into());
    if is_user_writable(&customer_claim) {
        let problem = "names a claim that users can change themselves, and so become any customer: use one that only your backend can change, such as app_metadata";
        return Err(Error { name: JWT_CUSTOMER_CLAIM, problem });
    }
    Ok(Some(Issuer {
        jwks_url,
        name: non_empty(JWT_ISSUER).ok_or(Error { name: JWT_ISSUER, problem: missing })?,
        audience: non_empty(JWT_AUDIENCE),
        customer_claim,
        livemode,
    }))
}

/// What identity providers call the data that a user can write: Supabase and Auth0 the first, Clerk the
/// second, Stytch the third. Supabase's database has the fourth.
const USER_WRITABLE: [&str; 4] =
    ["usermetadata", "unsafemetadata", "untrustedmetadata", "rawusermetadata"];

/// Whether a part of a claim's path is data that a user can write. A path has dots, and a name may be a
/// URL. Templates of tokens spell these names in several ways.
fn is_user_writable(claim: &str) -> bool {
    let is_separator = |byte: &u8| !byte.is_ascii_alphanumeric() && !matches!(byte, b'_' | b'-');
    claim.as_bytes().split(is_separator).any(|part| {
        let letters = part.iter().filter(|byte| byte.is_ascii_alphanumeric());
        let name: Vec<_> = letters.map(u8::to_ascii_lowercase).collect();
        USER_WRITABLE.iter().any(|known| *known.as_bytes() == *name)
    })
}

/// Parses the keys of snapshots: the first one signs, the others are only published.
pub(super) fn parse_signing_keys(
    value: Option<String>,
    environment: &Environment,
) -> Result<Vec<SigningKey>, Error> {
    let value = value.unwrap_or_default();
    if value.trim().is_empty() {
        return Ok(Vec::new());
    }
    let error = |problem| Error { name: SIGNING_KEY, problem };
    let key_or_set: Value = json::from_slice(value.as_bytes()).map_err(|_| {
        error("is not valid JSON: give a JWK, {\"kty\":\"OKP\",\"crv\":\"Ed25519\",…}")
    })?;
    let jwks = match key_or_set.get("keys").and_then(Value::as_array) {
        Some(keys) => keys.clone(),
        None => vec![key_or_set],
    };
    let keys: Option<Vec<_>> = jwks.iter().map(SigningKey::from_jwk).collect();
    let keys = keys.ok_or(error("has a key that is not an Ed25519 JWK"))?;
    if keys.len() > MAX_ITEMS {
        return Err(error("has more than 16 items"));
    }
    let is_example = |key: &SigningKey| key.public.thumbprint() == EXAMPLE_SIGNING_KEY;
    if *environment == Environment::Deployed && keys.iter().any(is_example) {
        return Err(error("has the published key of .dev.vars.example: generate another one"));
    }
    if !keys.first().is_some_and(SigningKey::can_sign) {
        return Err(error("has a first key without `d`, which cannot sign"));
    }
    let is_duplicate =
        |key: &SigningKey| keys.iter().filter(|other| other.kid() == key.kid()).count() > 1;
    if keys.iter().any(is_duplicate) {
        return Err(error("has two keys with one `kid`"));
    }
    Ok(keys)
}
