//! Is the body genuine? Stripe's scheme v1: <https://docs.stripe.com/webhooks#verify-manually>.
//!
//! The header is `t=<unix seconds>,v1=<hex>[,v1=<hex>]…`; each `v1` is the HMAC-SHA256 of
//! `<t>.<body>` under one of the endpoint's secrets, the whole `whsec_…` text being the key.
//!
//! | rule                                  | because                                              |
//! |---------------------------------------|------------------------------------------------------|
//! | the raw bytes are signed              | a body need not be UTF-8 to be genuine               |
//! | any `v1` by any secret will do        | while a secret is rolled, Stripe signs with both     |
//! | [`TOLERANCE`] both ways               | a date in the future would be good for ever          |
//! | what is not `t` or `v1` is skipped    | `v0` is a decoy, and schemes will be added           |
//! | no `t`, two different `t`, or no `v1` | is malformed: nothing says what was signed           |
//!
//! Other schemes (Standard Webhooks) are not here.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq as _};

use crate::id::Timestamp;

/// How far from now a signature may be dated, in seconds: what Stripe's SDKs accept of the past.
pub const TOLERANCE: u64 = 300;

/// The most bytes of a header that are looked at. Two secrets make some 200 bytes.
pub const MAX_HEADER_LEN: usize = 4096;

/// A secret that signs the events of one endpoint, `whsec_…`; as key the whole text counts.
#[derive(Clone)]
pub struct SigningSecret(Box<str>);

/// A body that was signed with one of our secrets, not long ago. Only [`verify()`] makes one.
#[derive(Clone, Copy, Debug)]
pub struct Verified<'a> {
    body: &'a [u8],
}

/// Why a signature was not accepted.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The header is not `t=…,v1=…`.
    #[error("malformed signature header")]
    Malformed,
    /// No `v1` signature was made over this body by any of our secrets.
    #[error("no signature matches")]
    Mismatch,
    /// The signature is genuine and dated too far from now.
    #[error("signed at {signed_at}, more than {TOLERANCE} s from {now}")]
    Stale {
        /// When it was signed, by its own account.
        signed_at: Timestamp,
        /// When it was checked.
        now: Timestamp,
    },
}

impl SigningSecret {
    /// A secret as Stripe shows it; none if the text is empty, since anybody can sign with that.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self(text.into()))
    }

    fn sign(&self, signed_at: &str, body: &[u8]) -> Option<[u8; 32]> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.as_bytes()).ok()?;
        mac.update(signed_at.as_bytes());
        mac.update(b".");
        mac.update(body);
        Some(mac.finalize().into_bytes().into())
    }
}

/// Never the secret itself: what is debugged is logged.
impl std::fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl<'a> Verified<'a> {
    /// The signed bytes.
    #[must_use]
    pub fn body(self) -> &'a [u8] {
        self.body
    }
}

/// Verifies that `body` was signed by one of `secrets`, at most [`TOLERANCE`] seconds from `now`.
///
/// # Errors
///
/// Says whether the header, the signature or its date is at fault, in this order.
pub fn verify<'a>(
    header: &str,
    body: &'a [u8],
    secrets: &[SigningSecret],
    now: Timestamp,
) -> Result<Verified<'a>, Error> {
    let SignatureHeader { signed_at, raw_timestamp: text, signatures } =
        SignatureHeader::parse(header)?;
    // Every pair is compared to its end, so that time does not tell which secret was close.
    let mut genuine = Choice::from(0);
    for secret in secrets {
        let Some(expected) = secret.sign(text, body) else { continue };
        for signature in &signatures {
            genuine |= expected.ct_eq(signature);
        }
    }
    if !bool::from(genuine) {
        return Err(Error::Mismatch);
    }
    if signed_at.0.abs_diff(now.0) > TOLERANCE {
        return Err(Error::Stale { signed_at, now });
    }
    Ok(Verified { body })
}

/// The header that [`verify()`] takes for `body`: dated `now`, and signed with each of `secrets`.
pub fn sign(body: &[u8], secrets: impl Iterator<Item = SigningSecret>, now: Timestamp) -> String {
    let signed_at = now.to_string();
    let signatures = secrets.filter_map(|secret| secret.sign(&signed_at, body));
    signatures.fold(format!("t={signed_at}"), |header, signature| {
        format!("{header},v1={}", hex::encode(signature))
    })
}

struct SignatureHeader<'a> {
    signed_at: Timestamp,
    /// The digits as they stand: they are what was signed.
    raw_timestamp: &'a str,
    /// Those `v1` that are 32 bytes in lower-case hex; others cannot match.
    signatures: Vec<[u8; 32]>,
}

impl<'a> SignatureHeader<'a> {
    fn parse(header: &'a str) -> Result<Self, Error> {
        if header.len() > MAX_HEADER_LEN {
            return Err(Error::Malformed);
        }
        let mut time = None;
        let mut signatures = Vec::new();
        let mut schemes = 0_usize;
        for element in header.split(',') {
            match element.split_once('=') {
                Some(("t", text)) if time.is_none_or(|known| known == text) => time = Some(text),
                Some(("t", _)) => return Err(Error::Malformed),
                Some(("v1", text)) => {
                    schemes += 1;
                    signatures.extend(parse_lower_hex(text));
                }
                _ => {}
            }
        }
        let text = time.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        let text = text.ok_or(Error::Malformed)?;
        let signed_at = text.parse().map(Timestamp).map_err(|_| Error::Malformed)?;
        if schemes == 0 {
            return Err(Error::Malformed);
        }
        Ok(Self { signed_at, raw_timestamp: text, signatures })
    }
}

fn parse_lower_hex(text: &str) -> Option<[u8; 32]> {
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return None;
    }
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    Some(bytes)
}
