//! Tokens for tests: signed with a secret, or by an issuer whose keys are in memory.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use entgate::{store::memory::MemoryCrypto, token::TokenSecret};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::support::{Answer, NOW, Service, configured, event};

pub(crate) const TOKEN_SECRET: &str = "secret-of-32-characters-number-1";
pub(crate) const OLD_TOKEN_SECRET: &str = "secret-of-32-characters-number-0";

/// A check with a customer token.
pub(crate) const CHECK: &str = "/v1/check?feature=sms";

/// The minimal header of a token that is signed with a secret.
pub(crate) const HS256: &str = r#"{"alg":"HS256"}"#;

/// The claim `iss` of the issuer's tokens.
pub(crate) const ISSUER: &str = "https://login.example";

/// RFC 8037, appendix A.1; its thumbprint is in A.3.
pub(crate) const SIGNING_KEY: &str = r#"{"kty":"OKP","crv":"Ed25519",
    "d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
    "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

/// A service that signs customer tokens and snapshots, and accepts tokens of the issuer.
pub(crate) fn with_tokens(settings: &[(&'static str, &'static str)]) -> Service {
    let defaults = [
        ("ENTGATE_API_KEYS", "sk_test_entgate,sk_live_entgate"),
        ("STRIPE_WEBHOOK_SECRETS", "test:whsec_test_entgate,live:whsec_live_entgate"),
        ("ENTGATE_TOKEN_SECRETS", TOKEN_SECRET),
        ("ENTGATE_SIGNING_KEY", SIGNING_KEY),
        ("ENTGATE_JWKS_URL", "https://login.example/jwks.json"),
        ("ENTGATE_JWT_ISSUER", ISSUER),
        ("ENTGATE_JWT_LIVEMODE", "false"),
    ];
    // The first value of a setting is used.
    let service = configured(&[settings, &defaults].concat());
    service.store.crypto.jwks.replace(jwks(&["one"]));
    service
}

/// The same service, where `cus_ada` has the feature `sms`.
pub(crate) fn with_ada(settings: &[(&'static str, &'static str)]) -> Service {
    let service = with_tokens(settings);
    service.stripe_sends(&event("cus_ada", 1_700_000_000, &["sms"], false));
    service
}

/// A JWK Set of ES256 keys with these ids.
pub(crate) fn jwks(kids: &[&str]) -> String {
    let keys: Vec<_> = kids.iter().map(|kid| ec_key(&json!({ "kid": kid }))).collect();
    json!({ "keys": keys }).to_string()
}

/// An ES256 key (RFC 7515, appendix A.3) with other members.
pub(crate) fn ec_key(members: &Value) -> Value {
    let mut key = json!({
        "kty": "EC",
        "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    });
    key.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    key
}

/// The claims of our token for `cus_ada`, with changes.
pub(crate) fn claims(changes: &Value) -> Value {
    let claims = json!({
        "sub": "cus_ada", "aud": "entgate", "iat": NOW, "exp": NOW.0 + 900, "livemode": false,
    });
    with_changes(claims, changes)
}

/// The claims of the issuer's token for `cus_ada`, with changes.
pub(crate) fn issuers_claims(changes: &Value) -> Value {
    with_changes(
        json!({ "iss": ISSUER, "sub": "cus_ada", "iat": NOW, "exp": NOW.0 + 900 }),
        changes,
    )
}

/// Sets claims; `null` removes one.
fn with_changes(mut claims: Value, changes: &Value) -> Value {
    let members = claims.as_object_mut().unwrap();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            members.remove(name);
        } else {
            members.insert(name.clone(), value.clone());
        }
    }
    claims
}

/// A token that is signed with the first secret.
pub(crate) fn token(changes: &Value) -> String {
    hs256(TOKEN_SECRET, HS256, &claims(changes).to_string())
}

/// A token that is signed with a secret, with exactly this header and these claims.
pub(crate) fn hs256(secret: &str, header: &str, claims: &str) -> String {
    let message = format!("{}.{}", base64url(header), base64url(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(message.as_bytes());
    let signature: [u8; 32] = mac.finalize().into_bytes().into();
    format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

/// A token of the issuer, signed with the key of this id.
pub(crate) fn issued(kid: &str, changes: &Value) -> String {
    let header = json!({ "alg": "ES256", "kid": kid }).to_string();
    issued_as(kid, &header, &issuers_claims(changes).to_string())
}

/// A token that is signed with a key of the issuer, with exactly this header and these claims.
pub(crate) fn issued_as(kid: &str, header: &str, claims: &str) -> String {
    let message = format!("{}.{}", base64url(header), base64url(claims));
    let signature = MemoryCrypto::fake_signature(kid, &message);
    format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

pub(crate) fn base64url(string: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(string)
}

/// Status, code and message of a response; [`ACCEPTED`] if the token is accepted.
pub(crate) fn status_and_error(answer: &Answer) -> (u16, &str, &str) {
    (answer.status, answer.error("code"), answer.error("message"))
}

pub(crate) const ACCEPTED: (u16, &str, &str) = (200, "", "");

/// The error of a token that is not accepted.
pub(crate) fn invalid(message: &str) -> (u16, &str, &str) {
    (401, "token_invalid", message)
}

/// Decodes a part of a token.
pub(crate) fn part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// The key id of a secret.
pub(crate) fn kid(secret: &str) -> String {
    TokenSecret::new(secret).unwrap().kid().to_owned()
}

impl Service {
    /// Sends a `GET` request with a customer token or a server key.
    pub(crate) fn get_with(&self, token: &str, target: &str) -> Answer {
        self.request("GET", target, &[("authorization", &format!("Bearer {token}"))], b"")
    }
}
