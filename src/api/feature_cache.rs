//! The features that one instance has read, kept for a while because features change rarely.
//!
//! | cached                              | maximum age                                                  |
//! |-------------------------------------|--------------------------------------------------------------|
//! | a feature object of Stripe          | 300 s: a page of an expanded list needs up to a hundred      |
//! | the lookup keys of one source       | 60 s; older keys stay valid while the source is unavailable  |
//! | the absence of a lookup key         | 5 s                                                          |
//! | the index's keys after a set change | 5 s                                                          |
//!
//! The cache takes the time as a parameter and fetches nothing: [`super::known_features`] does.

use std::{
    cell::RefCell,
    collections::{BTreeSet, HashMap},
    rc::Rc,
};

use crate::{
    id::{FeatureId, Livemode, LookupKey, Timestamp},
    source::FeatureObject,
};

/// How long a feature object is cached, in seconds. A name or metadata in a response may be that old.
const FEATURE_TTL: i64 = 300;

/// The maximum number of cached feature objects, and of cached lookup keys from the index. A catalog
/// has dozens; an isolate has 128 MB.
const MAX_FEATURES: usize = 2_000;

/// The maximum age of a source's lookup keys, in seconds.
pub(super) const KEYS_TTL: i64 = 60;

/// The maximum age of a source's lookup keys when a key is missing from them, in seconds. It is also
/// the minimum time between two fetches after a failure or while a fetch is in progress.
pub(super) const MIN_REFETCH: i64 = 5;

/// The features that this instance has read.
#[derive(Debug, Default)]
pub struct FeatureCache {
    by_id: RefCell<HashMap<(Livemode, FeatureId), (Timestamp, FeatureObject)>>,
    key_sets: RefCell<HashMap<(Livemode, FeatureSource), CacheEntry>>,
}

/// Where lookup keys come from.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) enum FeatureSource {
    /// The source of entitlements: its active features.
    Source,
    /// The customer index: features that any customer ever had.
    CustomerIndex,
}

/// The lookup keys from one source.
pub(super) type KeySet = Rc<BTreeSet<LookupKey>>;

/// The cached lookup keys of one source.
#[derive(Debug, Default)]
struct CacheEntry {
    keys: Option<(Timestamp, KeySet)>,
    fetch_started: Option<Timestamp>,
    failed_at: Option<Timestamp>,
}

impl CacheEntry {
    fn is_due(&self, max_age: i64, now: Timestamp) -> bool {
        let is_past = |since: Option<Timestamp>, max_age: i64| {
            since.is_none_or(|since| now.0.abs_diff(since.0) >= max_age.unsigned_abs())
        };
        match &self.keys {
            None => is_past(self.failed_at, MIN_REFETCH),
            Some((fetched_at, _)) => {
                is_past(Some(*fetched_at), max_age) && is_past(self.fetch_started, MIN_REFETCH)
            }
        }
    }
}

/// The lookup keys of all features that are known to exist.
#[derive(Debug, Default)]
pub(super) struct KnownFeatures {
    pub(super) from_source: KeySet,
    pub(super) observed: KeySet,
}

impl KnownFeatures {
    /// Iterates over all keys. A key may occur twice.
    pub(super) fn iter(&self) -> impl Iterator<Item = &LookupKey> {
        self.from_source.iter().chain(self.observed.iter())
    }

    /// Whether a feature with this key exists.
    pub(super) fn contains(&self, key: &LookupKey) -> bool {
        self.from_source.contains(key) || self.observed.contains(key)
    }
}

/// Feature objects.
impl FeatureCache {
    /// The cached object of a feature, unless it is too old.
    pub(super) fn get(
        &self,
        livemode: Livemode,
        id: &FeatureId,
        now: Timestamp,
    ) -> Option<FeatureObject> {
        let features = self.by_id.borrow();
        let (read_at, feature) = features.get(&(livemode, id.clone()))?;
        (now.0.abs_diff(read_at.0) < FEATURE_TTL.unsigned_abs()).then(|| feature.clone())
    }

    /// Caches a feature object. A full cache is cleared first.
    pub(super) fn insert(
        &self,
        livemode: Livemode,
        id: FeatureId,
        feature: FeatureObject,
        now: Timestamp,
    ) {
        let mut features = self.by_id.borrow_mut();
        if features.len() >= MAX_FEATURES {
            features.clear();
        }
        features.insert((livemode, id), (now, feature));
    }
}

/// Lookup keys.
impl FeatureCache {
    /// The cached lookup keys of a source, of any age.
    pub(super) fn keys(&self, livemode: Livemode, source: FeatureSource) -> Option<KeySet> {
        let key_sets = self.key_sets.borrow();
        let (_, keys) = key_sets.get(&(livemode, source))?.keys.as_ref()?;
        Some(Rc::clone(keys))
    }

    /// Whether the caller must fetch a source's keys now, because the cached ones are older than
    /// `max_age` seconds. If so, the fetch counts as started.
    pub(super) fn start_fetch(
        &self,
        livemode: Livemode,
        source: FeatureSource,
        max_age: i64,
        now: Timestamp,
    ) -> bool {
        let mut key_sets = self.key_sets.borrow_mut();
        let entry = key_sets.entry((livemode, source)).or_default();
        let is_due = entry.is_due(max_age, now);
        if is_due {
            entry.fetch_started = Some(now);
        }
        is_due
    }

    /// Caches the lookup keys that a fetch returned.
    pub(super) fn insert_keys(
        &self,
        livemode: Livemode,
        source: FeatureSource,
        keys: Vec<LookupKey>,
        now: Timestamp,
    ) {
        let mut set = BTreeSet::new();
        set.extend(keys);
        let mut key_sets = self.key_sets.borrow_mut();
        key_sets.entry((livemode, source)).or_default().keys = Some((now, Rc::new(set)));
    }

    /// Records that a fetch failed.
    pub(super) fn record_failure(&self, livemode: Livemode, source: FeatureSource, now: Timestamp) {
        self.key_sets.borrow_mut().entry((livemode, source)).or_default().failed_at = Some(now);
    }

    /// Whether the index's keys may not include a set of this time: they were fetched earlier, or too
    /// soon afterwards for the index to have received the set.
    pub(super) fn is_index_older_than(&self, livemode: Livemode, as_of: Option<Timestamp>) -> bool {
        let key_sets = self.key_sets.borrow();
        let entry = key_sets.get(&(livemode, FeatureSource::CustomerIndex));
        entry
            .and_then(|entry| entry.keys.as_ref())
            .zip(as_of)
            .is_some_and(|((fetched_at, _), as_of)| fetched_at.seconds_since(as_of) < MIN_REFETCH)
    }

    /// Adds lookup keys to the index's cached ones, until the next fetch replaces them.
    pub(super) fn add_observed<'a>(
        &self,
        livemode: Livemode,
        new_keys: impl Iterator<Item = &'a LookupKey>,
    ) {
        let mut key_sets = self.key_sets.borrow_mut();
        let entry = key_sets.get_mut(&(livemode, FeatureSource::CustomerIndex));
        let Some((_, keys)) = entry.and_then(|entry| entry.keys.as_mut()) else { return };
        for key in new_keys {
            if keys.len() >= MAX_FEATURES {
                return;
            }
            Rc::make_mut(keys).insert(key.clone());
        }
    }
}
