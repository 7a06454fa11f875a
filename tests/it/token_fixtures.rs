//! Tokens, as their makers make them: by our secret, and by an issuer whose keys are in memory.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use entgate::{store::memory::MemoryCrypto, token::TokenSecret};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::support::{Answer, NOW, Service, configured, event};

pub(crate) const TOKEN_SECRET: &str = "secret-of-32-characters-number-1";
pub(crate) const OLD_TOKEN_SECRET: &str = "secret-of-32-characters-number-0";

/// What a customer asks with a token.
pub(crate) const CHECK: &str = "/v1/check?feature=sms";

/// The least header of a token of ours.
pub(crate) const HS256: &str = r#"{"alg":"HS256"}"#;

/// What the issuer calls itself.
pub(crate) const ISSUER: &str = "https://login.example";

/// RFC 8037, appendix A.1; its thumbprint is in A.3.
pub(crate) const SIGNING_KEY: &str = r#"{"kty":"OKP","crv":"Ed25519",
    "d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
    "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

/// A deployment that makes tokens and takes them, an issuer's too, and makes snapshots.
pub(crate) fn with_tokens(more: &[(&'static str, &'static str)]) -> Service {
    let basic = [
        ("ENTGATE_API_KEYS", "sk_test_entgate,sk_live_entgate"),
        ("STRIPE_WEBHOOK_SECRETS", "whsec_test_entgate"),
        ("ENTGATE_TOKEN_SECRETS", TOKEN_SECRET),
        ("ENTGATE_SIGNING_KEY", SIGNING_KEY),
        ("ENTGATE_JWKS_URL", "https://login.example/jwks.json"),
        ("ENTGATE_JWT_ISSUER", ISSUER),
        ("ENTGATE_JWT_LIVEMODE", "false"),
    ];
    // What comes first counts.
    let service = configured(&[more, &basic].concat());
    service.store.crypto.jwks.replace(jwks(&["one"]));
    service
}

/// The same, where Ada holds `sms`.
pub(crate) fn with_ada(more: &[(&'static str, &'static str)]) -> Service {
    let service = with_tokens(more);
    service.stripe_sends(&event("cus_ada", 1_700_000_000, &["sms"], false));
    service
}

/// An issuer's keys of ES256, with these names.
pub(crate) fn jwks(kids: &[&str]) -> String {
    let keys: Vec<_> = kids.iter().map(|kid| ec_key(&json!({ "kid": kid }))).collect();
    json!({ "keys": keys }).to_string()
}

/// A key of ES256 and what else it says of itself: RFC 7515, appendix A.3.
pub(crate) fn ec_key(more: &Value) -> Value {
    let mut key = json!({
        "kty": "EC",
        "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    });
    key.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    key
}

/// What a token of ours says of Ada.
pub(crate) fn claims(more: &Value) -> Value {
    let words = json!({
        "sub": "cus_ada", "aud": "entgate", "iat": NOW, "exp": NOW.0 + 900, "livemode": false,
    });
    with(words, more)
}

/// What a token of the issuer says of Ada.
pub(crate) fn issuers_claims(more: &Value) -> Value {
    with(json!({ "iss": ISSUER, "sub": "cus_ada", "iat": NOW, "exp": NOW.0 + 900 }), more)
}

/// The same words and these; without those that are `null` here.
fn with(mut words: Value, more: &Value) -> Value {
    let members = words.as_object_mut().unwrap();
    for (name, value) in more.as_object().unwrap() {
        if value.is_null() {
            members.remove(name);
        } else {
            members.insert(name.clone(), value.clone());
        }
    }
    words
}

/// A token of ours, by the first secret.
pub(crate) fn token(more: &Value) -> String {
    hs256(TOKEN_SECRET, HS256, &claims(more).to_string())
}

/// A token by a secret, its header and claims to the letter.
pub(crate) fn hs256(secret: &str, header: &str, claims: &str) -> String {
    let message = format!("{}.{}", encoded(header), encoded(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(message.as_bytes());
    let signature: [u8; 32] = mac.finalize().into_bytes().into();
    format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

/// A token of the issuer, by its key of this name.
pub(crate) fn issued(kid: &str, more: &Value) -> String {
    let header = json!({ "alg": "ES256", "kid": kid }).to_string();
    issued_as(kid, &header, &issuers_claims(more).to_string())
}

/// A token by a key of the issuer, its header and claims to the letter.
pub(crate) fn issued_as(kid: &str, header: &str, claims: &str) -> String {
    let message = format!("{}.{}", encoded(header), encoded(claims));
    let signature = MemoryCrypto::fake_signature(kid, &message);
    format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

pub(crate) fn encoded(text: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(text)
}

/// Status, code and message of a refusal; [`TAKEN`] is a yes.
pub(crate) fn told(answer: &Answer) -> (u16, &str, &str) {
    (answer.status, answer.error("code"), answer.error("message"))
}

pub(crate) const TAKEN: (u16, &str, &str) = (200, "", "");

/// What is told of a token that is not taken.
pub(crate) fn invalid(message: &str) -> (u16, &str, &str) {
    (401, "token_invalid", message)
}

/// A part of a token, as JSON.
pub(crate) fn part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// The name of a secret.
pub(crate) fn kid(secret: &str) -> String {
    TokenSecret::new(secret).unwrap().kid().to_owned()
}

impl Service {
    /// Asks with a token, or with any other key.
    pub(crate) fn get_with(&self, token: &str, target: &str) -> Answer {
        self.request("GET", target, &[("authorization", &format!("Bearer {token}"))], b"")
    }
}
