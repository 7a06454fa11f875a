//! HS256: the operator's secrets, which sign and verify customer tokens.
//!
//! Several secrets may be valid at once, so that they can be rotated. The first one signs. Each has a
//! `kid` that is derived from the secret, so the operator need not name them.
//!
//! Specification: <https://www.rfc-editor.org/rfc/rfc7518#section-3.2>.

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::{
    error::Error,
    jws::{Algorithm, Jws, serialize_compact, signing_input},
};
use crate::id::{CustomerKey, Timestamp};

/// The minimum length of a secret in bytes: that of the hash (RFC 7518, section 3.2).
pub const MIN_SECRET_LEN: usize = 32;

/// The audience of a token with access to everything that its customer may read.
pub const AUDIENCE: &str = "entgate";

/// The audience of a token with access to the refetch stream of OpenFeature only, because it is part of
/// a URL.
pub const REFETCH_STREAM_AUDIENCE: &str = "entgate:stream";

/// A secret that signs and verifies customer tokens.
#[derive(Clone)]
pub struct TokenSecret {
    mac: Hmac<Sha256>,
    kid: Box<str>,
}

/// The claims of a new token.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NewToken<'a> {
    /// `sub` and `livemode`.
    pub customer: &'a CustomerKey,
    /// `aud`.
    pub audience: &'static str,
    /// `iat`.
    pub issued_at: Timestamp,
    /// `exp`.
    pub expires_at: Timestamp,
    /// `jti`, unique per token.
    pub jti: &'a str,
}

impl TokenSecret {
    /// Creates a secret. Returns `None` if it has fewer than [`MIN_SECRET_LEN`] bytes.
    #[must_use]
    pub fn new(secret: &str) -> Option<Self> {
        if secret.len() < MIN_SECRET_LEN {
            return None;
        }
        let mac = Hmac::new_from_slice(secret.as_bytes()).ok()?;
        let mut digest = Sha256::new();
        digest.update(b"entgate kid\n");
        digest.update(secret.as_bytes());
        let kid = hex::encode(digest.finalize().get(..8)?);
        Some(Self { mac, kid: kid.into() })
    }

    /// The id of the secret in tokens: a hash, from which the secret cannot be derived.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Signs a token. Equal claims give the same token.
    #[must_use]
    pub fn sign(&self, token: &NewToken<'_>) -> String {
        let header = json!({ "alg": Algorithm::Hs256.name(), "typ": "JWT", "kid": self.kid });
        let claims = json!({
            "sub": token.customer.id,
            "aud": token.audience,
            "iat": token.issued_at,
            "exp": token.expires_at,
            "jti": token.jti,
            "livemode": token.customer.livemode,
        });
        let input = signing_input(&header, &claims);
        let signature = self.mac.clone().chain_update(input.as_bytes()).finalize().into_bytes();
        serialize_compact(&input, &signature)
    }

    /// Whether this secret signed the token, compared in constant time.
    fn verifies(&self, token: &Jws<'_>) -> bool {
        let mac = self.mac.clone().chain_update(token.signing_input.as_bytes());
        mac.verify_slice(&token.signature).is_ok()
    }
}

/// Verifies that one of the secrets signed the token.
///
/// # Errors
///
/// Fails if there are no secrets, if none has the `kid` of the token, or if the signature is invalid.
pub fn verify(secrets: &[TokenSecret], token: &Jws<'_>) -> Result<(), Error> {
    if secrets.is_empty() {
        return Err(Error::NoSecrets);
    }
    let matches =
        |secret: &&TokenSecret| token.kid.as_deref().is_none_or(|kid| *kid == *secret.kid);
    let mut candidates = secrets.iter().filter(matches).peekable();
    if candidates.peek().is_none() {
        return Err(Error::UnknownKey);
    }
    let verified = candidates.any(|secret| secret.verifies(token));
    if verified { Ok(()) } else { Err(Error::InvalidSignature) }
}

/// Omits the secret, because debug output is logged.
impl std::fmt::Debug for TokenSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenSecret").field("kid", &self.kid).finish_non_exhaustive()
    }
}
