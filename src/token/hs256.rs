//! HS256: secrets of our own, which make customers' tokens and know them again.
//!
//! <https://www.rfc-editor.org/rfc/rfc7518#section-3.2>. Several are valid at once, so that they can be
//! changed: the first one signs, and each is found by the `kid` that comes of itself, so that nobody
//! has to name them.

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::{
    Algorithm, Error, Jws,
    jws::{serialize_compact, signing_input},
};
use crate::id::{CustomerKey, Timestamp};

/// The fewest bytes of a secret: as many as the hash has (RFC 7518, section 3.2).
pub const MIN_SECRET_LEN: usize = 32;

/// The audience of a token that opens what its customer may see.
pub const AUDIENCE: &str = "entgate";

/// The audience of a token that opens a stream of notices, and nothing else: it stands in URLs.
pub const STREAM_AUDIENCE: &str = "entgate:stream";

/// A secret.
#[derive(Clone)]
pub struct TokenSecret {
    mac: Hmac<Sha256>,
    kid: Box<str>,
}

/// What a token of ours says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NewToken<'a> {
    /// Whom it opens.
    pub customer: &'a CustomerKey,
    /// What for.
    pub audience: &'static str,
    /// From when.
    pub issued_at: Timestamp,
    /// Until when.
    pub expires_at: Timestamp,
    /// What tells it from others.
    pub jti: &'a str,
}

impl TokenSecret {
    /// A secret of at least [`LEAST`] bytes.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        if text.len() < MIN_SECRET_LEN {
            return None;
        }
        let mac = Hmac::new_from_slice(text.as_bytes()).ok()?;
        let mut digest = Sha256::new();
        digest.update(b"entgate kid\n");
        digest.update(text.as_bytes());
        let kid = hex::encode(digest.finalize().get(..8)?);
        Some(Self { mac, kid: kid.into() })
    }

    /// The name by which tokens refer to it: a hash of it, which tells nothing else.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Makes a token. The same words make the same token.
    #[must_use]
    pub fn sign(&self, words: &NewToken<'_>) -> String {
        let header = json!({ "alg": Algorithm::Hs256.name(), "typ": "JWT", "kid": self.kid });
        let claims = json!({
            "sub": words.customer.id,
            "aud": words.audience,
            "iat": words.issued_at,
            "exp": words.expires_at,
            "jti": words.jti,
            "livemode": words.customer.livemode,
        });
        let message = signing_input(&header, &claims);
        let signature = self.mac.clone().chain_update(message.as_bytes()).finalize().into_bytes();
        serialize_compact(&message, &signature)
    }

    /// Whether it signed the token, in a time that does not tell how much of the signature is right.
    fn verifies(&self, token: &Jws<'_>) -> bool {
        let mac = self.mac.clone().chain_update(token.signing_input.as_bytes());
        mac.verify_slice(&token.signature).is_ok()
    }
}

/// Whether one of the secrets signed the token.
///
/// # Errors
///
/// When none is set, none is the one that the token names, or none made the signature.
pub fn verify(secrets: &[TokenSecret], token: &Jws<'_>) -> Result<(), Error> {
    if secrets.is_empty() {
        return Err(Error::NoSecrets);
    }
    let named = |secret: &&TokenSecret| token.kid.as_deref().is_none_or(|kid| *kid == *secret.kid);
    let mut named = secrets.iter().filter(named).peekable();
    if named.peek().is_none() {
        return Err(Error::UnknownKey);
    }
    if named.any(|secret| secret.verifies(token)) { Ok(()) } else { Err(Error::InvalidSignature) }
}

/// Never the secret itself: what is debugged is logged.
impl std::fmt::Debug for TokenSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secret").field("kid", &self.kid).finish_non_exhaustive()
    }
}
