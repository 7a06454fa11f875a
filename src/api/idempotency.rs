//! Idempotency keys: how a request has one, and which requests are equal.
//!
//! Not here: how a response is stored and repeated. The catalog and the ledger do that.
//!
//! Specification: <https://docs.stripe.com/api/idempotent_requests>.

use http::{HeaderName, Method};
use sha2::{Digest as _, Sha256};

use super::{
    app::Request,
    error::Error,
    form::{Params, write_canonical},
};

/// The header that makes a request idempotent.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Marks a repeated response.
pub(super) const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// The most characters of a key: Stripe's limit.
const MAX_KEY_LEN: usize = 255;

/// The idempotency key of a request. Only `POST` requests have one.
///
/// # Errors
///
/// When the key is not valid. Without this error the request could run twice.
pub(super) fn key(request: &Request) -> Result<Option<&str>, Error> {
    let Some(header_value) = request.headers().get(IDEMPOTENCY_KEY) else { return Ok(None) };
    if *request.method() != Method::POST {
        return Ok(None);
    }
    let is_valid_length = |key: &&str| !key.is_empty() && key.len() <= MAX_KEY_LEN;
    header_value.to_str().ok().filter(is_valid_length).map(Some).ok_or_else(|| {
        Error::invalid(format!(
            "The Idempotency-Key must have 1 to {MAX_KEY_LEN} characters, all of them ASCII."
        ))
    })
}

/// The hash of a request under a key. It is equal for equal paths and parameters, whatever the order
/// and the encoding of the parameters.
pub(super) fn fingerprint(path: &str, params: &Params) -> String {
    let mut canonical = Vec::new();
    write_canonical(&params.remaining, &mut canonical);
    let mut hash = Sha256::new();
    hash.update(path);
    hash.update([0]);
    hash.update(canonical);
    hex::encode(hash.finalize())
}
