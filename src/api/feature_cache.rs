//! The features that one instance has read, kept for a while because features change rarely.
//!
//! | cached                              | maximum age                                                  |
//! |-------------------------------------|--------------------------------------------------------------|
//! | a feature object of Stripe          | 300 s: a page of an expanded list needs up to a hundred      |
//! | the lookup keys of one source       | 60 s; older keys stay valid while the source is unavailable  |
//! | the absence of a lookup key         | 5 s                                                          |
//! | observed keys after a set change    | 5 s                                                          |
//!
//! The cache takes the time as a parameter and fetches nothing: [`super::known_features`] does.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeSet, HashMap},
    rc::Rc,
};

use crate::{
    id::{FeatureId, Livemode, LookupKey, Timestamp},
    source::FeatureObject,
};

/// How long a feature object is cached, in seconds. A name or metadata in a response may be that old.
const FEATURE_TTL: i64 = 300;

/// The maximum number of cached feature objects, and of cached observed lookup keys. A catalog
/// has dozens; an isolate has 128 MB.
const MAX_FEATURES: usize = 2_000;

/// The maximum age of a source's lookup keys, in seconds.
pub(super) const KEYS_TTL: i64 = 60;

/// The maximum age of a source's lookup keys when a key is missing from them, in seconds. It is also
/// the minimum time between two fetches after a failure or while a fetch is in progress.
pub(super) const MIN_REFETCH: i64 = 5;

/// After how many seconds a fetch without a result counts as cancelled. A fetch takes 3 s at most.
const FETCH_LEASE: i64 = 10;

/// The same for a list of feature objects, which takes 18 s at most.
const LIST_LEASE: i64 = 20;

/// The features that this instance has read.
#[derive(Debug, Default)]
pub struct FeatureCache {
    by_id: RefCell<HashMap<(Livemode, FeatureId), (Timestamp, FeatureObject)>>,
    /// When a list of feature objects was started that is still read.
    lists_in_flight: RefCell<HashMap<Livemode, Timestamp>>,
    /// How many lists of feature objects have failed.
    failed_lists: Cell<u64>,
    key_sets: RefCell<HashMap<(Livemode, FeatureSource), CacheEntry>>,
}

/// Where lookup keys come from.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) enum FeatureSource {
    /// The source of entitlements: its active features.
    Source,
    /// The coordinator: features that any customer ever had.
    Coordinator,
}

/// The lookup keys from one source.
pub(super) type KeySet = Rc<BTreeSet<LookupKey>>;

/// What a caller that needs lookup keys must do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum FetchTurn {
    /// Fetch the keys: the fetch counts as started.
    Fetch,
    /// Wait for the fetch of another caller: no keys are cached.
    Wait,
    /// Use the cached keys. There may be none after a failure.
    UseCached,
}

/// The cached lookup keys of one source.
#[derive(Debug, Default)]
struct CacheEntry {
    keys: Option<(Timestamp, KeySet)>,
    fetch_started: Option<Timestamp>,
    is_in_flight: bool,
    failed_at: Option<Timestamp>,
}

impl CacheEntry {
    fn turn(&self, max_age: i64, now: Timestamp) -> FetchTurn {
        match &self.keys {
            // A cancelled request never reports the result of its fetch.
            None if self.is_in_flight && !is_past(self.fetch_started, FETCH_LEASE, now) => {
                FetchTurn::Wait
            }
            None if is_past(self.failed_at, MIN_REFETCH, now) => FetchTurn::Fetch,
            Some((fetched_at, _))
                if is_past(Some(*fetched_at), max_age, now)
                    && is_past(self.fetch_started, MIN_REFETCH, now) =>
            {
                FetchTurn::Fetch
            }
            None | Some(_) => FetchTurn::UseCached,
        }
    }
}

fn is_past(since: Option<Timestamp>, max_age: i64, now: Timestamp) -> bool {
    since.is_none_or(|since| now.0.abs_diff(since.0) >= max_age.unsigned_abs())
}

/// The lookup keys of all features that are known to exist.
#[derive(Debug, Default)]
pub(super) struct KnownFeatures {
    /// Whether the source has listed its features.
    pub(super) is_listed: bool,
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

    /// Starts a list of feature objects. Returns false if another caller is reading one.
    pub(super) fn start_list(&self, livemode: Livemode, now: Timestamp) -> bool {
        if self.is_list_in_flight(livemode, now) {
            return false;
        }
        self.lists_in_flight.borrow_mut().insert(livemode, now);
        true
    }

    /// Ends the list that the caller has started.
    pub(super) fn end_list<T, E>(&self, livemode: Livemode, result: &Result<T, E>) {
        self.lists_in_flight.borrow_mut().remove(&livemode);
        if result.is_err() {
            self.failed_lists.set(self.failed_lists.get().wrapping_add(1));
        }
    }

    /// How many lists of feature objects have failed. A caller that waited shares a failure.
    pub(super) fn failed_lists(&self) -> u64 {
        self.failed_lists.get()
    }

    /// Whether a list of feature objects is being read.
    pub(super) fn is_list_in_flight(&self, livemode: Livemode, now: Timestamp) -> bool {
        let lists = self.lists_in_flight.borrow();
        lists.get(&livemode).is_some_and(|started| !is_past(Some(*started), LIST_LEASE, now))
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

    /// What a caller must do that accepts keys of a source that are at most `max_age` seconds old.
    pub(super) fn start_fetch(
        &self,
        livemode: Livemode,
        source: FeatureSource,
        max_age: i64,
        now: Timestamp,
    ) -> FetchTurn {
        let mut key_sets = self.key_sets.borrow_mut();
        let entry = key_sets.entry((livemode, source)).or_default();
        let turn = entry.turn(max_age, now);
        if turn == FetchTurn::Fetch {
            entry.fetch_started = Some(now);
            entry.is_in_flight = true;
        }
        turn
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
        let entry = key_sets.entry((livemode, source)).or_default();
        entry.keys = Some((now, Rc::new(set)));
        entry.is_in_flight = false;
    }

    /// Records that a fetch failed.
    pub(super) fn record_failure(&self, livemode: Livemode, source: FeatureSource, now: Timestamp) {
        let mut key_sets = self.key_sets.borrow_mut();
        let entry = key_sets.entry((livemode, source)).or_default();
        entry.failed_at = Some(now);
        entry.is_in_flight = false;
    }

    /// Whether the observed keys may not include a set of this time: they were fetched earlier, or too
    /// soon afterwards for the coordinator to have received them.
    pub(super) fn is_observed_before(&self, livemode: Livemode, as_of: Option<Timestamp>) -> bool {
        let key_sets = self.key_sets.borrow();
        let entry = key_sets.get(&(livemode, FeatureSource::Coordinator));
        entry
            .and_then(|entry| entry.keys.as_ref())
            .zip(as_of)
            .is_some_and(|((fetched_at, _), as_of)| fetched_at.seconds_since(as_of) < MIN_REFETCH)
    }

    /// Adds lookup keys to the cached observed ones, until the next fetch replaces them.
    pub(super) fn add_observed<'a>(
        &self,
        livemode: Livemode,
        new_keys: impl Iterator<Item = &'a LookupKey>,
    ) {
        let mut key_sets = self.key_sets.borrow_mut();
        let entry = key_sets.get_mut(&(livemode, FeatureSource::Coordinator));
        let Some((_, keys)) = entry.and_then(|entry| entry.keys.as_mut()) else { return };
        for key in new_keys {
            if keys.len() >= MAX_FEATURES {
                return;
            }
            Rc::make_mut(keys).insert(key.clone());
        }
    }
}
