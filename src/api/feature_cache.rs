//! Features, kept for a while: they change rarely.
//!
//! | what                         | is kept for                                                         |
//! |------------------------------|---------------------------------------------------------------------|
//! | a feature as Stripe tells it | 300 s: every page of an expanded list needs up to a hundred         |
//! | the lookup keys of all       | 60 s where all are told, and longer while nobody tells newer ones   |
//! | that there is no such key, and what the roster told before a set changed | 5 s                     |
//!
//! All there are: those that the source sells, and those that anybody ever held, since an archived
//! feature is in no list of the source's. Where neither can be read, it is not known which there are.

use std::{
    cell::RefCell,
    collections::{BTreeSet, HashMap},
    rc::Rc,
};

use futures_util::future::{join, try_join_all};

use super::{App, error::Error};
use crate::{
    entitlement::{ActiveEntitlement, Entitlements},
    id::{FeatureId, Livemode, LookupKey, Timestamp},
    source::{FeatureObject, StripeClient, Transport},
    store::{CustomerIndex as _, Store},
};

/// How long a feature is kept, in seconds. Its name or metadata may be that old in an answer.
const FEATURE_TTL: i64 = 300;

/// The most features that are kept: a catalog has some dozens, an isolate 128 MB.
const MAX_FEATURES: usize = 2_000;

/// Requests side by side: as many as a Worker may have open.
const MAX_CONCURRENT: usize = 6;

/// How old the lookup keys of all may be where all are told, in seconds.
const KEYS_TTL: i64 = 60;

/// How old they may be where one is not among them; and how long nobody is asked again, by this
/// instance, after a question that failed or is not answered yet. In seconds.
const MIN_REFETCH: i64 = 5;

/// The features that this instance has read.
#[derive(Debug, Default)]
pub struct FeatureCache {
    by_id: RefCell<HashMap<(Livemode, FeatureId), (Timestamp, FeatureObject)>>,
    key_sets: RefCell<HashMap<(Livemode, FeatureSource), CacheEntry>>,
}

/// Who tells of features.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum FeatureSource {
    /// The source: those that are sold.
    Source,
    /// The roster: those that anybody held.
    CustomerIndex,
}

/// Lookup keys from one place.
type KeySet = Rc<BTreeSet<LookupKey>>;

/// What is kept from one place.
#[derive(Debug, Default)]
struct CacheEntry {
    keys: Option<(Timestamp, KeySet)>,
    fetch_started: Option<Timestamp>,
    failed_at: Option<Timestamp>,
}

impl CacheEntry {
    /// Whether the place is asked now, for keys that are not as old as that.
    fn start_fetch(&mut self, age: i64, now: Timestamp) -> bool {
        let due = self.is_due(age, now);
        if due {
            self.fetch_started = Some(now);
        }
        due
    }

    fn is_due(&self, age: i64, now: Timestamp) -> bool {
        let over = |moment: Option<Timestamp>, age: i64| {
            moment.is_none_or(|moment| now.0.abs_diff(moment.0) >= age.unsigned_abs())
        };
        match &self.keys {
            None => over(self.failed_at, MIN_REFETCH),
            Some((read, _)) => over(Some(*read), age) && over(self.fetch_started, MIN_REFETCH),
        }
    }
}

/// The lookup keys of all features there are.
#[derive(Debug, Default)]
pub(super) struct KnownFeatures {
    from_source: KeySet,
    observed: KeySet,
}

impl KnownFeatures {
    /// All of them; one may come twice.
    pub(super) fn iter(&self) -> impl Iterator<Item = &LookupKey> {
        self.from_source.iter().chain(self.observed.iter())
    }

    /// Whether there is one with this key.
    pub(super) fn contains(&self, key: &LookupKey) -> bool {
        self.from_source.contains(key) || self.observed.contains(key)
    }
}

impl FeatureCache {
    fn get(&self, livemode: Livemode, id: &FeatureId, now: Timestamp) -> Option<FeatureObject> {
        let features = self.by_id.borrow();
        let (read, feature) = features.get(&(livemode, id.clone()))?;
        (now.0.abs_diff(read.0) < FEATURE_TTL.unsigned_abs()).then(|| feature.clone())
    }

    fn insert(&self, livemode: Livemode, feature: FeatureObject, now: Timestamp) {
        let Some(id) = feature_id(&feature) else { return };
        let mut features = self.by_id.borrow_mut();
        if features.len() >= MAX_FEATURES {
            features.clear();
        }
        features.insert((livemode, id), (now, feature));
    }

    /// The lookup keys that are kept, however old.
    fn cached_keys(&self, livemode: Livemode) -> KnownFeatures {
        let keys = self.key_sets.borrow();
        let of = |place| {
            let (_, keys) = keys.get(&(livemode, place))?.keys.as_ref()?;
            Some(Rc::clone(keys))
        };
        let [sold, seen] = [FeatureSource::Source, FeatureSource::CustomerIndex]
            .map(|place| of(place).unwrap_or_default());
        KnownFeatures { from_source: sold, observed: seen }
    }

    /// Whether what the roster told is from before the moment, or too soon after it to have heard.
    fn is_index_older_than(&self, livemode: Livemode, moment: Option<Timestamp>) -> bool {
        let keys = self.key_sets.borrow();
        let kept =
            keys.get(&(livemode, FeatureSource::CustomerIndex)).and_then(|kept| kept.keys.as_ref());
        kept.zip(moment)
            .is_some_and(|((read, _), moment)| read.0.saturating_sub(moment.0) < MIN_REFETCH)
    }

    /// Keeps lookup keys beside those that the roster told, until it tells others.
    fn add_observed<'a>(&self, livemode: Livemode, fresh: impl Iterator<Item = &'a LookupKey>) {
        let mut keys = self.key_sets.borrow_mut();
        let Some(kept) = keys.get_mut(&(livemode, FeatureSource::CustomerIndex)) else { return };
        let Some((_, kept)) = &mut kept.keys else { return };
        for key in fresh {
            if kept.len() >= MAX_FEATURES {
                return;
            }
            Rc::make_mut(kept).insert(key.clone());
        }
    }

    /// The lookup keys that one place tells of, asked where it is due, or else those kept.
    async fn fetch_keys(
        &self,
        place: (Livemode, FeatureSource),
        age: i64,
        now: Timestamp,
        log: fn(&str),
        asked: impl Future<Output = Result<Vec<LookupKey>, Error>>,
    ) -> Result<KeySet, Error> {
        if self.key_sets.borrow_mut().entry(place).or_default().start_fetch(age, now) {
            let answer = asked.await;
            let mut keys = self.key_sets.borrow_mut();
            let kept = keys.entry(place).or_default();
            match answer {
                Ok(told) => {
                    let mut keys = BTreeSet::new();
                    keys.extend(told);
                    kept.keys = Some((now, Rc::new(keys)));
                }
                Err(error) => {
                    kept.failed_at = Some(now);
                    log(&format!("features: {}", error.cause().unwrap_or_default()));
                }
            }
        }
        let keys = self.key_sets.borrow();
        let kept = keys.get(&place).and_then(|kept| kept.keys.as_ref());
        kept.map(|(_, keys)| Rc::clone(keys)).ok_or_else(|| {
            Error::source_unavailable("which features there are is not known".to_owned())
        })
    }
}

/// The lookup keys of all features there are, told within a minute where that can be.
pub(super) async fn all<S: Store>(
    app: &App<'_, S>,
    livemode: Livemode,
    now: Timestamp,
) -> Result<KnownFeatures, Error> {
    fetch(app, livemode, [KEYS_TTL, KEYS_TTL], now).await
}

/// The same beside a set that is held: what is new in it is known from now on, so that it does not go
/// from the list when it is revoked, and a set that is newer than what the roster told has it asked.
pub(super) async fn all_for_set<S: Store>(
    app: &App<'_, S>,
    livemode: Livemode,
    held: Option<&Entitlements>,
    now: Timestamp,
) -> Result<KnownFeatures, Error> {
    let since = held.map(|held| held.as_of);
    let age =
        if app.feature_cache.is_index_older_than(livemode, since) { MIN_REFETCH } else { KEYS_TTL };
    let known = fetch(app, livemode, [KEYS_TTL, age], now).await?;
    let granted = held.iter().flat_map(|held| &held.data).map(|granted| &granted.lookup_key);
    app.feature_cache.add_observed(livemode, granted.filter(|key| !known.contains(key)));
    Ok(known)
}

/// Whether there is a feature with this lookup key.
pub(super) async fn is_known<S: Store>(
    app: &App<'_, S>,
    livemode: Livemode,
    key: &LookupKey,
    now: Timestamp,
) -> Result<bool, Error> {
    // What was there stays known, however long ago that was told.
    if app.feature_cache.cached_keys(livemode).contains(key) {
        return Ok(true);
    }
    Ok(fetch(app, livemode, [MIN_REFETCH, MIN_REFETCH], now).await?.contains(key))
}

async fn fetch<S: Store>(
    app: &App<'_, S>,
    livemode: Livemode,
    [of_source, of_roster]: [i64; 2],
    now: Timestamp,
) -> Result<KnownFeatures, Error> {
    let (features, log) = (app.feature_cache, app.log);
    let unreachable = |error: crate::source::Error| Error::source_unavailable(error.to_string());
    let sold = async {
        let stripe = app.store.source(livemode)?;
        let told = async { stripe.list_lookup_keys().await.map_err(unreachable) };
        Some(
            features.fetch_keys((livemode, FeatureSource::Source), of_source, now, log, told).await,
        )
    };
    let roster = async { Ok(app.store.customer_index().list_features(livemode).await?) };
    let seen =
        features.fetch_keys((livemode, FeatureSource::CustomerIndex), of_roster, now, log, roster);
    match join(sold, seen).await {
        (None | Some(Err(_)), Err(error)) => Err(error),
        (None | Some(Err(_)), Ok(seen)) => {
            Ok(KnownFeatures { observed: seen, ..KnownFeatures::default() })
        }
        (Some(Ok(sold)), seen) => {
            Ok(KnownFeatures { from_source: sold, observed: seen.unwrap_or_default() })
        }
    }
}

/// The features of these grants, in their order.
pub(super) async fn load_for_entitlements<T: Transport>(
    features: &FeatureCache,
    stripe: &StripeClient<T>,
    livemode: Livemode,
    data: &[ActiveEntitlement],
    now: Timestamp,
) -> Result<Vec<FeatureObject>, Error> {
    let mut told: HashMap<&FeatureId, FeatureObject> = HashMap::new();
    for granted in data {
        let known = features.get(livemode, &granted.feature, now);
        told.extend(known.map(|feature| (&granted.feature, feature)));
    }
    let missing = |told: &HashMap<&FeatureId, FeatureObject>| -> Vec<&FeatureId> {
        data.iter().map(|granted| &granted.feature).filter(|id| !told.contains_key(id)).collect()
    };
    // One page of all features is cheaper than two of them singly.
    if missing(&told).len() > 1 {
        for feature in stripe.list_features().await? {
            let id = feature_id(&feature);
            let named = data
                .iter()
                .map(|granted| &granted.feature)
                .find(|named| id.as_ref() == Some(*named));
            told.extend(named.map(|named| (named, feature.clone())));
            features.insert(livemode, feature, now);
        }
    }
    // The archived ones are in no list.
    for ids in missing(&told).chunks(MAX_CONCURRENT) {
        let each = try_join_all(ids.iter().map(|id| stripe.retrieve_feature(id))).await?;
        for (named, feature) in ids.iter().zip(each) {
            if feature_id(&feature).as_ref() != Some(*named) {
                return Err(Error::source_unavailable(format!("feature {named} is another one")));
            }
            told.insert(named, feature.clone());
            features.insert(livemode, feature, now);
        }
    }
    Ok(data.iter().filter_map(|granted| told.get(&granted.feature).cloned()).collect())
}

fn feature_id(feature: &FeatureObject) -> Option<FeatureId> {
    FeatureId::try_from(feature.get("id")?.as_str()?).ok()
}
