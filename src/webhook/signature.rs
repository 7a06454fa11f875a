//! Verifies webhook signatures of Stripe's scheme `v1`, and signs for tests and the catalog.
//!
//! The header is `t=<unix seconds>,v1=<hex>[,v1=<hex>]…`. Each `v1` is the HMAC-SHA256 of `<t>.<body>`
//! with one secret of the endpoint. The key is the whole string `whsec_…`.
//!
//! | rule                                             | reason                                            |
//! |--------------------------------------------------|---------------------------------------------------|
//! | the raw bytes are signed                         | a valid body need not be UTF-8                    |
//! | any `v1` may match any secret                    | during a rotation Stripe signs with both secrets  |
//! | each secret has one mode, and so has the body    | a test secret is known to every developer         |
//! | [`TOLERANCE`] applies to past and future         | a future timestamp would allow replays for longer |
//! | elements other than `t` and `v1` are ignored     | `v0` is a decoy, and there may be new schemes     |
//! | no `t`, two different `t` or no `v1` is an error | the signed payload is then not defined            |
//!
//! Other schemes (Standard Webhooks) are not here.
//!
//! Specification: <https://docs.stripe.com/webhooks#verify-manually>.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq as _};

use crate::id::{Livemode, Timestamp, Utc};

/// The maximum difference between a signature's timestamp and now, in seconds: the default of Stripe's
/// SDKs.
pub const TOLERANCE: u64 = 300;

/// The maximum length of a header in bytes. With two secrets it has about 200 bytes.
pub const MAX_HEADER_LEN: usize = 4096;

/// The secret of one webhook endpoint, `whsec_…`. The key is the whole string.
#[derive(Clone)]
pub struct SigningSecret(Box<str>);

/// A signing secret and the mode of its endpoint: Stripe gives the test endpoint and the live endpoint a
/// secret each.
#[derive(Clone, Debug)]
pub struct EndpointSecret {
    /// The mode of the events that the secret may sign.
    pub livemode: Livemode,
    /// The secret.
    pub secret: SigningSecret,
}

/// A body that Stripe created: it has a valid, recent signature, or Stripe's API returned it. Only
/// [`verify()`] and [`Verified::listed()`] create one.
#[derive(Clone, Copy, Debug)]
pub struct Verified<'a> {
    body: &'a [u8],
    signed_at: Timestamp,
    modes: MatchedModes,
}

/// The modes of the secrets that match a signature.
#[derive(Clone, Copy, Debug)]
struct MatchedModes {
    test: bool,
    live: bool,
}

/// Why a signature was not accepted.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The header is not `t=…,v1=…`.
    #[error("malformed signature header")]
    Malformed,
    /// No `v1` signature matches this body under any configured secret.
    #[error("no signature matches")]
    Mismatch,
    /// The timestamp is outside the tolerance.
    #[error("signed at {}, more than {TOLERANCE} s from {}", Utc(*signed_at), Utc(*now))]
    Stale {
        /// The timestamp in the header.
        signed_at: Timestamp,
        /// The time of verification.
        now: Timestamp,
    },
}

impl SigningSecret {
    /// Creates a secret from Stripe's string. Returns `None` if it is empty, since anyone could sign
    /// with that.
    #[must_use]
    pub fn new(secret: &str) -> Option<Self> {
        (!secret.is_empty()).then(|| Self(secret.into()))
    }

    fn sign(&self, signed_at: &str, body: &[u8]) -> Option<[u8; 32]> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.as_bytes()).ok()?;
        mac.update(signed_at.as_bytes());
        mac.update(b".");
        mac.update(body);
        Some(mac.finalize().into_bytes().into())
    }
}

/// Omits the secret, because debug output is logged.
impl std::fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningSecret(…)")
    }
}

impl<'a> Verified<'a> {
    /// Creates the proof for an event that Stripe's API returned at this time for a key of this mode.
    #[must_use]
    pub fn listed(body: &'a [u8], livemode: Livemode, at: Timestamp) -> Self {
        let modes =
            MatchedModes { test: livemode == Livemode::Test, live: livemode == Livemode::Live };
        Self { body, signed_at: at, modes }
    }

    /// The signed bytes.
    #[must_use]
    pub fn body(self) -> &'a [u8] {
        self.body
    }

    /// When the body was signed, at most [`TOLERANCE`] seconds from the time of verification.
    #[must_use]
    pub fn signed_at(self) -> Timestamp {
        self.signed_at
    }

    /// Whether a secret of this mode signed the body.
    #[must_use]
    pub fn is_signed_for(self, livemode: Livemode) -> bool {
        match livemode {
            Livemode::Test => self.modes.test,
            Livemode::Live => self.modes.live,
        }
    }
}

/// Verifies that `body` was signed with one of `secrets`, at most [`TOLERANCE`] seconds from `now`.
///
/// # Errors
///
/// Returns whether the header, the signature or its timestamp is not valid; checked in this order.
pub fn verify<'a>(
    header: &str,
    body: &'a [u8],
    secrets: &[EndpointSecret],
    now: Timestamp,
) -> Result<Verified<'a>, Error> {
    let header = SignatureHeader::parse(header)?;
    // Constant time: every pair is compared completely.
    let (mut test, mut live) = (Choice::from(0), Choice::from(0));
    for EndpointSecret { livemode, secret } in secrets {
        let Some(expected) = secret.sign(header.raw_timestamp, body) else { continue };
        let matches = match livemode {
            Livemode::Test => &mut test,
            Livemode::Live => &mut live,
        };
        for signature in &header.signatures {
            *matches |= expected.ct_eq(signature);
        }
    }
    let modes = MatchedModes { test: test.into(), live: live.into() };
    if !modes.test && !modes.live {
        return Err(Error::Mismatch);
    }
    header.require_recent(now)?;
    Ok(Verified { body, signed_at: header.signed_at, modes })
}

/// Checks the header alone: its form, and that its timestamp is at most [`TOLERANCE`] seconds from
/// `now`. So a caller need not read a body that [`verify()`] would not accept.
///
/// # Errors
///
/// Returns whether the header or its timestamp is not valid.
pub fn check_header(header: &str, now: Timestamp) -> Result<(), Error> {
    SignatureHeader::parse(header)?.require_recent(now)
}

/// Creates the header that [`verify()`] accepts for `body`: with the timestamp `now`, and signed with
/// each of `secrets`.
pub fn sign(body: &[u8], secrets: impl Iterator<Item = SigningSecret>, now: Timestamp) -> String {
    let signed_at = now.to_string();
    let signatures = secrets.filter_map(|secret| secret.sign(&signed_at, body));
    signatures.fold(format!("t={signed_at}"), |header, signature| {
        format!("{header},v1={}", hex::encode(signature))
    })
}

struct SignatureHeader<'a> {
    signed_at: Timestamp,
    /// The digits exactly as in the header, because they are part of the signed payload.
    raw_timestamp: &'a str,
    /// Each `v1` that is 32 bytes in lower-case hex. Others cannot match.
    signatures: Vec<[u8; 32]>,
}

impl<'a> SignatureHeader<'a> {
    fn parse(header: &'a str) -> Result<Self, Error> {
        if header.len() > MAX_HEADER_LEN {
            return Err(Error::Malformed);
        }
        let mut timestamp = None;
        let mut signatures = Vec::new();
        let mut v1_count = 0_usize;
        for element in header.split(',') {
            match element.split_once('=') {
                Some(("t", digits)) if timestamp.is_none_or(|first| first == digits) => {
                    timestamp = Some(digits);
                }
                Some(("t", _)) => return Err(Error::Malformed),
                Some(("v1", hex)) => {
                    v1_count += 1;
                    signatures.extend(parse_lower_hex(hex));
                }
                _ => {}
            }
        }
        let digits = timestamp.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
        let raw_timestamp = digits.ok_or(Error::Malformed)?;
        let signed_at = raw_timestamp.parse().map(Timestamp).map_err(|_| Error::Malformed)?;
        if v1_count == 0 {
            return Err(Error::Malformed);
        }
        Ok(Self { signed_at, raw_timestamp, signatures })
    }

    fn require_recent(&self, now: Timestamp) -> Result<(), Error> {
        let signed_at = self.signed_at;
        if signed_at.0.abs_diff(now.0) > TOLERANCE {
            return Err(Error::Stale { signed_at, now });
        }
        Ok(())
    }
}

fn parse_lower_hex(hex: &str) -> Option<[u8; 32]> {
    if hex.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return None;
    }
    let mut bytes = [0; 32];
    hex::decode_to_slice(hex, &mut bytes).ok()?;
    Some(bytes)
}
