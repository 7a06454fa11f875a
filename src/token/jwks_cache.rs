//! In-memory cache of an issuer's public keys (JWKS), which decides when they are fetched.
//!
//! | cached keys              | fetch                                                                |
//! |--------------------------|----------------------------------------------------------------------|
//! | none                     | yes, but not for 10 s after a failure                                |
//! | younger than ten minutes | only for a `kid` that is not cached                                  |
//! | older                    | yes; if that fails, the old keys stay in use                         |
//!
//! At most one fetch is in flight, and while keys are cached there is at most one a minute, whatever
//! tokens arrive: anyone can send an unknown `kid`. A caller whose key is not known waits for the fetch
//! in flight. A fetch without a result is repeated after 10 s, because its request may have been
//! cancelled. A key that the issuer withdrew is accepted until the next fetch. The platform does the
//! fetching, and the caller the waiting.
//!
//! Specification: <https://www.rfc-editor.org/rfc/rfc7517#section-5>.

use std::cell::RefCell;

use serde_json::Value;

use super::{
    jwk::PublicKey,
    jws::{Algorithm, Jws},
};
use crate::{id::Timestamp, json};

/// How long keys are fresh, in seconds: as long as issuers usually let them be cached.
pub const JWKS_TTL: i64 = 600;

/// The minimum time between two fetches while keys are cached, in seconds.
pub const MIN_REFETCH_INTERVAL: i64 = 60;

/// The JWKS fetch timeout, and the back-off after a failed fetch while the cache is empty, in seconds.
/// It starts when the request arrives, which may itself wait up to five seconds before the fetch.
pub const FAILURE_BACKOFF: i64 = 10;

/// The maximum number of keys of an issuer. For a token without `kid` each of them may be tried.
pub const MAX_KEYS: usize = 32;

/// The cached keys of one issuer.
#[derive(Debug, Default)]
pub struct JwksCache(RefCell<CachedJwks>);

#[derive(Debug, Default)]
struct CachedJwks {
    keys: Option<Vec<PublicKey>>,
    fetched_at: Option<Timestamp>,
    last_fetch: Option<Timestamp>,
    /// When the current fetch started.
    in_flight_since: Option<Timestamp>,
    /// When the last fetch failed; `None` after a successful one.
    failed_at: Option<Timestamp>,
}

/// The result of a lookup of the keys for a token.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum KeyLookup {
    /// The keys to try. If none of them verifies the signature, the token is not valid.
    Candidates(Vec<PublicKey>),
    /// The caller must fetch the keys, and then call [`JwksCache::store()`] or
    /// [`JwksCache::record_failure()`].
    Fetch,
    /// The keys are not known, and another caller is fetching them.
    InFlight,
    /// The keys are not known, and it is too early for another fetch.
    Backoff,
}

impl JwksCache {
    /// Returns the keys that may have signed the token, or whether a fetch is needed first.
    pub fn lookup(&self, token: &Jws<'_>, now: Timestamp) -> KeyLookup {
        let mut cache = self.0.borrow_mut();
        let elapsed = |since: Option<Timestamp>| {
            since.map_or(i64::MAX, |since| now.seconds_since(since).max(0))
        };
        // A cancelled request never reports the result of its fetch.
        let is_in_flight = elapsed(cache.in_flight_since) < FAILURE_BACKOFF;
        let (candidates, may_fetch) = match &cache.keys {
            None => (Vec::new(), elapsed(cache.failed_at) >= FAILURE_BACKOFF),
            Some(keys) => {
                let candidates = matching_keys(keys, token.algorithm, token.kid.as_deref());
                let is_due = candidates.is_empty() || elapsed(cache.fetched_at) >= JWKS_TTL;
                let has_paused = cache.in_flight_since.is_some()
                    || elapsed(cache.last_fetch) >= MIN_REFETCH_INTERVAL;
                (candidates, is_due && has_paused)
            }
        };
        if may_fetch && !is_in_flight {
            // Set before the response arrives, so that concurrent requests do not fetch too.
            cache.last_fetch = Some(now);
            cache.in_flight_since = Some(now);
            return KeyLookup::Fetch;
        }
        let is_unknown = candidates.is_empty();
        if is_unknown && is_in_flight {
            KeyLookup::InFlight
        } else if is_unknown && (cache.keys.is_none() || cache.failed_at.is_some()) {
            KeyLookup::Backoff
        } else {
            KeyLookup::Candidates(candidates)
        }
    }

    /// Returns the keys that may have signed the token, whatever their age: for use after a fetch.
    #[must_use]
    pub fn cached_keys(&self, token: &Jws<'_>) -> Vec<PublicKey> {
        let cache = self.0.borrow();
        matching_keys(
            cache.keys.as_deref().unwrap_or_default(),
            token.algorithm,
            token.kid.as_deref(),
        )
    }

    /// Stores a JWK Set, the response of the issuer. Keys of other kinds are ignored.
    ///
    /// # Errors
    ///
    /// Fails if the response is not a JWK Set with a supported key. The cached keys then stay.
    pub fn store(&self, jwk_set: &[u8], now: Timestamp) -> Result<(), &'static str> {
        let jwk_set: Value = json::from_slice(jwk_set).map_err(|_| "it is not valid JSON")?;
        let keys = jwk_set.get("keys").and_then(Value::as_array);
        let keys = keys.ok_or("it is not a JWK Set: it has no `keys`")?;
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

    /// Records that a fetch failed.
    pub fn record_failure(&self, now: Timestamp) {
        let mut cache = self.0.borrow_mut();
        cache.in_flight_since = None;
        cache.failed_at = Some(now);
    }
}

/// The keys with this algorithm and `kid`. If the key or the token has no `kid`, the key matches.
fn matching_keys(keys: &[PublicKey], algorithm: Algorithm, kid: Option<&str>) -> Vec<PublicKey> {
    let matches = |key: &&PublicKey| {
        key.algorithm == algorithm
            && match (key.kid.as_deref(), kid) {
                (Some(key_kid), Some(kid)) => key_kid == kid,
                (None, _) | (_, None) => true,
            }
    };
    keys.iter().filter(matches).cloned().collect()
}
