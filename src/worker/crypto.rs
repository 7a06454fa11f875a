//! Public-key signatures with WebCrypto, and the client of an issuer's JWKS.
//!
//! | algorithm | parameters in WebCrypto                            |
//! |-----------|----------------------------------------------------|
//! | RS256     | `RSASSA-PKCS1-v1_5` with `SHA-256`                 |
//! | ES256     | `ECDSA` on `P-256` with `SHA-256`, `r` and `s` raw |
//! | EdDSA     | `Ed25519`                                          |
//!
//! A key is imported for each use, since a request verifies at most one token. Not here: which keys
//! and tokens are valid, and the cache of the keys ([`crate::token`]).
//!
//! Specification: <https://www.w3.org/TR/webcrypto/>.

use js_sys::{Array, JSON, Object, Uint8Array, global};
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    AbortSignal, CryptoKey, Headers, RequestInit, RequestRedirect, Response, SubtleCrypto,
    WorkerGlobalScope,
};
use worker::console_error;

use super::http;
use crate::{
    json,
    store::{Crypto, Error},
    token::{Algorithm, PublicKey, SigningKey},
};

/// Timeout of a JWKS request, in milliseconds. The client's request waits for it.
const JWKS_TIMEOUT: u32 = 5_000;

/// The largest JWKS that is read, in bytes: three times the size of thirty RSA keys with
/// certificates.
const MAX_JWKS_BYTES: usize = 256 << 10;

/// The platform's cryptography, and the issuer's JWKS if an issuer is set.
pub(super) struct WebCrypto {
    jwks_url: Option<Box<str>>,
}

impl WebCrypto {
    pub(super) fn new(jwks_url: Option<Box<str>>) -> Self {
        Self { jwks_url }
    }
}

impl Crypto for WebCrypto {
    async fn verify(
        &self,
        key: &PublicKey,
        message: &str,
        signature: &[u8],
    ) -> Result<bool, Error> {
        let verification = async {
            let algorithm = algorithm_params(key.algorithm)?;
            let jwk = json::to_string(&key.to_jwk());
            let imported = import_jwk(&jwk, &algorithm, "verify").await?;
            let verified = subtle_crypto()?.verify_with_object_and_u8_array_and_u8_array(
                &algorithm,
                &imported,
                signature,
                message.as_bytes(),
            )?;
            Ok::<_, JsValue>(JsFuture::from(verified).await?.is_truthy())
        };
        Ok(verification.await.unwrap_or_else(|error| {
            // Another key may have signed the token.
            console_error!("failed to use a key of the issuer: {}", worker::Error::from(error));
            false
        }))
    }

    async fn sign(&self, key: &SigningKey, message: &str) -> Result<Vec<u8>, Error> {
        let signing = async {
            let jwk = key.expose_private_jwk().ok_or("the key cannot sign")?;
            let algorithm = algorithm_params(key.public.algorithm)?;
            let imported = import_jwk(&json::to_string(&jwk), &algorithm, "sign").await?;
            let signature = subtle_crypto()?.sign_with_object_and_u8_array(
                &algorithm,
                &imported,
                message.as_bytes(),
            )?;
            let signature = JsFuture::from(signature).await?;
            Ok::<_, JsValue>(Uint8Array::new(&signature).to_vec())
        };
        let signature = signing.await.map_err(|error| unreachable("signing key", error))?;
        // WebCrypto signs with `d` without a look at `x`, but clients verify with `x`.
        if self.verify(&key.public, message, &signature).await? {
            Ok(signature)
        } else {
            Err(unreachable("signing key", "`d` and `x` do not match".into()))
        }
    }

    async fn fetch_jwks(&self) -> Result<Vec<u8>, Error> {
        let request = async {
            let url = self.jwks_url.as_deref().ok_or("no issuer is set")?;
            let headers = Headers::new()?;
            headers.set("Accept", "application/json")?;
            headers.set("User-Agent", concat!("entgate/", env!("CARGO_PKG_VERSION")))?;
            let init = RequestInit::new();
            init.set_headers_headers(&headers);
            init.set_redirect(RequestRedirect::Manual);
            init.set_signal(Some(&AbortSignal::timeout_with_u32(JWKS_TIMEOUT)));
            let promise = global_scope().fetch_with_str_and_init(url, &init);
            let response: Response = JsFuture::from(promise).await?.dyn_into()?;
            if response.status() != 200 {
                return Err(format!("unexpected status {}", response.status()).into());
            }
            let body = http::read_response(&response, MAX_JWKS_BYTES).await?;
            body.ok_or_else(|| format!("the JWKS is larger than {MAX_JWKS_BYTES} bytes").into())
        };
        request.await.map_err(|error: JsValue| unreachable("issuer", error))
    }
}

fn global_scope() -> WorkerGlobalScope {
    global().unchecked_into()
}

fn subtle_crypto() -> Result<SubtleCrypto, JsValue> {
    Ok(global_scope().crypto()?.subtle())
}

fn algorithm_params(algorithm: Algorithm) -> Result<Object, JsValue> {
    parse_object(match algorithm {
        Algorithm::Hs256 => return Err("HS256 has no public key".into()),
        Algorithm::Rs256 => r#"{"name":"RSASSA-PKCS1-v1_5","hash":"SHA-256"}"#,
        Algorithm::Es256 => r#"{"name":"ECDSA","namedCurve":"P-256","hash":"SHA-256"}"#,
        Algorithm::EdDsa => r#"{"name":"Ed25519"}"#,
    })
}

fn parse_object(json: &str) -> Result<Object, JsValue> {
    Ok(JSON::parse(json)?.unchecked_into())
}

async fn import_jwk(jwk: &str, algorithm: &Object, usage: &str) -> Result<CryptoKey, JsValue> {
    let (jwk, usages) = (parse_object(jwk)?, Array::of1(&usage.into()));
    let imported =
        subtle_crypto()?.import_key_with_object("jwk", &jwk, algorithm, false, &usages)?;
    Ok(JsFuture::from(imported).await?.unchecked_into())
}

fn unreachable(port: &'static str, error: JsValue) -> Error {
    Error::Unreachable { port, cause: worker::Error::from(error).to_string() }
}
