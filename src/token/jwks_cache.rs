//! The keys of an issuer, kept in memory, and when they are fetched anew.
//!
//! | what is held                       | what is asked of the issuer                                |
//! |------------------------------------|------------------------------------------------------------|
//! | nothing                            | its keys; not for 10 s after that failed                   |
//! | keys, read within ten minutes      | nothing, but for a `kid` that is not among them            |
//! | older ones                         | its keys; should that fail, the old ones go on             |
//!
//! Whatever tokens come in, an issuer whose keys are held is asked once a minute at most, or after
//! 10 s if no answer was heard: anybody can make up a `kid`, and hang up. Until it has answered, that
//! may be a new one, which is neither yes nor no. A key that the issuer has withdrawn is taken until
//! the next reading. Fetching is the platform's.

use std::cell::RefCell;

use serde_json::Value;

use super::{Algorithm, Jws, PublicKey};
use crate::id::Timestamp;

/// How long keys count as fresh, in seconds: as long as issuers have theirs cached.
pub const JWKS_TTL: i64 = 600;

/// The shortest time between two fetches while there are keys, in seconds.
pub const MIN_REFETCH_INTERVAL: i64 = 60;

/// How long an issuer is left alone after a failure while there are no keys, and how long an answer is
/// waited for, in seconds. It counts from when the request came that asked, and that may itself wait
/// for five.
pub const FAILURE_BACKOFF: i64 = 10;

/// The most keys of an issuer: each may have to be tried for a token without `kid`.
pub const MAX_KEYS: usize = 32;

/// The keys of one issuer, as far as this instance knows them.
#[derive(Debug, Default)]
pub struct JwksCache(RefCell<CachedJwks>);

#[derive(Debug, Default)]
struct CachedJwks {
    keys: Option<Vec<PublicKey>>,
    fetched_at: Option<Timestamp>,
    last_fetch: Option<Timestamp>,
    /// When it was asked what it has not answered yet.
    in_flight_since: Option<Timestamp>,
    /// When it was last asked in vain; nothing since it answered.
    failed_at: Option<Timestamp>,
}

/// What to do about a token's key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum KeyLookup {
    /// One of these signed it, or nobody known did.
    Candidates(Vec<PublicKey>),
    /// The issuer has to be asked, and [`Keyring::fetched()`] or [`Keyring::failed()`] told.
    Fetch,
    /// The issuer alone can tell, and has been asked a moment ago.
    Backoff,
}

impl JwksCache {
    /// Which keys may have signed the token, or that the issuer has to be asked first.
    pub fn lookup(&self, token: &Jws<'_>, now: Timestamp) -> KeyLookup {
        let mut held = self.0.borrow_mut();
        let since = |moment: Option<Timestamp>| {
            moment.map_or(i64::MAX, |moment| now.0.saturating_sub(moment.0).max(0))
        };
        let Some(keys) = &held.keys else {
            let left_alone = since(held.failed_at) < FAILURE_BACKOFF;
            return if left_alone { KeyLookup::Backoff } else { KeyLookup::Fetch };
        };
        let fitting = matching_keys(keys, token.algorithm, token.kid.as_deref());
        let stale = since(held.fetched_at) >= JWKS_TTL;
        // Who asked may have hung up, and then nobody hears the answer.
        let due = match held.in_flight_since {
            Some(_) => since(held.in_flight_since) >= FAILURE_BACKOFF,
            None => since(held.last_fetch) >= MIN_REFETCH_INTERVAL,
        };
        if (stale || fitting.is_empty()) && due {
            // Before the answer is there, so that those who come meanwhile do not ask too.
            held.last_fetch = Some(now);
            held.in_flight_since = Some(now);
            return KeyLookup::Fetch;
        }
        if fitting.is_empty() && (held.in_flight_since.is_some() || held.failed_at.is_some()) {
            return KeyLookup::Backoff;
        }
        KeyLookup::Candidates(fitting)
    }

    /// The keys that may have signed the token, whatever their age: after a fetch.
    #[must_use]
    pub fn cached_keys(&self, token: &Jws<'_>) -> Vec<PublicKey> {
        let held = self.0.borrow();
        matching_keys(
            held.keys.as_deref().unwrap_or_default(),
            token.algorithm,
            token.kid.as_deref(),
        )
    }

    /// Takes in what the issuer answered, a JWK Set. Keys of other kinds are passed over.
    ///
    /// # Errors
    ///
    /// When it is no such set; what was held stays.
    pub fn store(&self, document: &[u8], now: Timestamp) -> Result<(), &'static str> {
        let document: Value = serde_json::from_slice(document).map_err(|_| "it is no JSON")?;
        let keys = document.get("keys").and_then(Value::as_array);
        let keys = keys.ok_or("it is no JWK Set: it lacks `keys`")?;
        let keys: Vec<_> = keys.iter().filter_map(PublicKey::from_jwk).take(MAX_KEYS).collect();
        if keys.is_empty() {
            return Err("it has no key for RS256, ES256 or EdDSA");
        }
        let now = Some(now);
        self.0.replace(CachedJwks {
            keys: Some(keys),
            fetched_at: now,
            last_fetch: now,
            in_flight_since: None,
            failed_at: None,
        });
        Ok(())
    }

    /// Notes that the issuer could not be asked.
    pub fn record_failure(&self, now: Timestamp) {
        let mut held = self.0.borrow_mut();
        held.in_flight_since = None;
        held.failed_at = Some(now);
    }
}

/// The keys for this algorithm with this name. Where either has no name, any will have to be tried.
fn matching_keys(keys: &[PublicKey], algorithm: Algorithm, kid: Option<&str>) -> Vec<PublicKey> {
    let alike = |key: &&PublicKey| {
        key.algorithm == algorithm
            && match (key.kid.as_deref(), kid) {
                (Some(its), Some(named)) => its == named,
                (None, _) | (_, None) => true,
            }
    };
    keys.iter().filter(alike).cloned().collect()
}
