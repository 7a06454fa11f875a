//! Which features exist, and Stripe's feature objects.
//!
//! A feature exists if the source lists it, or if any customer ever had it: the source does not list
//! archived features. If one of the two sources fails, its cached keys are used, of any age; without
//! them, the other source's keys. The functions fail only if neither source has ever answered.
//!
//! Results are cached in [`super::feature_cache`].

use std::collections::HashMap;

use futures_util::future::{join, try_join_all};
use serde_json::json;

use super::{
    app::App,
    error::Error,
    feature_cache::{
        FeatureCache, FeatureSource, FetchTurn, KEYS_TTL, KeySet, KnownFeatures, MIN_REFETCH,
    },
    nearest,
};
use crate::{
    effective_set::{EffectiveSet, LOCAL_FEATURE_PREFIX},
    entitlement::ActiveEntitlement,
    id::{CustomerKey, FeatureId, Livemode, LookupKey, Timestamp},
    source::{self, FeatureObject, StripeClient, Transport},
    store::{Coordinator as _, Store},
    waiting::poll_while,
};

/// The maximum number of concurrent requests to Stripe: a Worker's limit of open connections.
const MAX_CONCURRENT: usize = 6;

/// How long a request waits for lookup keys that another one fetches, in milliseconds: a little longer
/// than that fetch may take.
const KEYS_WAIT_TIMEOUT: u64 = 4_000;

/// How long a request waits for the list of features that another one reads, in milliseconds: as long
/// as such a list may start to read pages.
const LIST_WAIT_TIMEOUT: u64 = 10_000;

/// Loads the lookup keys of all features, at most a minute old if both sources are available.
pub(super) async fn load<S: Store>(
    app: &App<'_, S>,
    livemode: Livemode,
    now: Timestamp,
) -> Result<KnownFeatures, Error> {
    fetch(app, livemode, [KEYS_TTL, KEYS_TTL], now).await
}

/// Loads the lookup keys of all features for an evaluation of this set. The default features exist.
///
/// Keys that are new in the set are cached, so that a later revocation does not remove them from the
/// list. The observed keys are fetched again if they may not include the set yet.
pub(super) async fn load_for_set<S: Store>(
    app: &App<'_, S>,
    customer: &CustomerKey,
    set: EffectiveSet<'_>,
    now: Timestamp,
) -> Result<KnownFeatures, Error> {
    let livemode = customer.livemode;
    let cache = app.feature_cache;
    let as_of = set.source().map(|source| source.as_of);
    let observed_max_age =
        if cache.is_observed_before(livemode, as_of) { MIN_REFETCH } else { KEYS_TTL };
    let known = fetch(app, livemode, [KEYS_TTL, observed_max_age], now).await?;
    let features = set.features();
    cache.add_observed(livemode, features.filter(|key| !known.contains(key)));
    Ok(known)
}

/// Whether a feature with this lookup key exists.
pub(super) async fn exists<S: Store>(
    app: &App<'_, S>,
    livemode: Livemode,
    key: &LookupKey,
    now: Timestamp,
) -> Result<bool, Error> {
    if is_cached(app, livemode, key) {
        return Ok(true);
    }
    Ok(fetch(app, livemode, [MIN_REFETCH, MIN_REFETCH], now).await?.contains(key))
}

/// Whether it needs no request that a feature exists: the default features exist, and cached keys of any age
/// prove it.
fn is_cached<S: Store>(app: &App<'_, S>, livemode: Livemode, key: &LookupKey) -> bool {
    let is_in =
        |source| app.feature_cache.keys(livemode, source).is_some_and(|keys| keys.contains(key));
    app.settings.default_features.contains(key)
        || is_in(FeatureSource::Source)
        || is_in(FeatureSource::Coordinator)
}

/// Whether the source lists its features and no feature has this lookup key. If the source cannot be read, a
/// feature is not unknown.
pub(super) async fn is_unknown<S: Store>(
    app: &App<'_, S>,
    livemode: Livemode,
    key: &LookupKey,
    now: Timestamp,
) -> bool {
    if app.store.source(livemode).is_none() || is_cached(app, livemode, key) {
        return false;
    }
    // A failure was logged.
    let known = fetch(app, livemode, [MIN_REFETCH, MIN_REFETCH], now).await;
    known.is_ok_and(|known| known.is_listed && !known.contains(key))
}

/// The cached feature that an unknown key probably means. Only in development: a page of a customer must
/// not learn which other features exist.
pub(super) fn nearest<S: Store>(
    app: &App<'_, S>,
    livemode: Livemode,
    key: &LookupKey,
) -> Option<LookupKey> {
    if !app.settings.environment.is_development() {
        return None;
    }
    let sources = [FeatureSource::Source, FeatureSource::Coordinator];
    let known: Vec<_> =
        sources.into_iter().filter_map(|source| app.feature_cache.keys(livemode, source)).collect();
    let keys = known.iter().flat_map(|keys| keys.iter()).chain(&app.settings.default_features);
    let nearest = nearest::nearest(key.as_str(), keys.map(LookupKey::as_str))?;
    LookupKey::try_from(nearest.to_owned()).ok()
}

async fn fetch<S: Store>(
    app: &App<'_, S>,
    livemode: Livemode,
    [source_max_age, observed_max_age]: [i64; 2],
    now: Timestamp,
) -> Result<KnownFeatures, Error> {
    let unreachable = |error: source::Error| Error::source_unavailable(error.to_string());
    let from_source = async {
        let stripe = app.store.source(livemode)?;
        let request = async { stripe.list_lookup_keys().await.map_err(unreachable) };
        let source = (livemode, FeatureSource::Source);
        Some(fetch_keys(app, source, source_max_age, request, now).await)
    };
    let request = async { Ok(app.store.coordinator().list_features(livemode).await?) };
    let coordinator = (livemode, FeatureSource::Coordinator);
    let observed = fetch_keys(app, coordinator, observed_max_age, request, now);
    match join(from_source, observed).await {
        (None | Some(Err(_)), Err(error)) => Err(error),
        (None | Some(Err(_)), Ok(observed)) => {
            Ok(KnownFeatures { observed, ..KnownFeatures::default() })
        }
        (Some(Ok(from_source)), observed) => {
            let observed = observed.unwrap_or_default();
            Ok(KnownFeatures { is_listed: true, from_source, observed })
        }
    }
}

/// The lookup keys of one source: fetched if they are due, else cached. While none are cached, a caller
/// waits for the fetch of another one.
async fn fetch_keys<S: Store>(
    app: &App<'_, S>,
    (livemode, source): (Livemode, FeatureSource),
    max_age: i64,
    request: impl Future<Output = Result<Vec<LookupKey>, Error>>,
    now: Timestamp,
) -> Result<KeySet, Error> {
    let cache = app.feature_cache;
    let mut turn = cache.start_fetch(livemode, source, max_age, now);
    if turn == FetchTurn::Wait {
        poll_while(app.sleep, KEYS_WAIT_TIMEOUT, |waited| {
            let now = now.saturating_add_unsigned(waited / 1_000);
            turn = cache.start_fetch(livemode, source, max_age, now);
            turn == FetchTurn::Wait
        })
        .await;
    }
    if turn == FetchTurn::Fetch {
        match request.await {
            Ok(keys) => cache.insert_keys(livemode, source, keys, now),
            Err(error) => {
                cache.record_failure(livemode, source, now);
                let cause = error.cause().unwrap_or_default();
                (app.log)(&format!("failed to fetch features: {cause}"));
            }
        }
    }
    cache
        .keys(livemode, source)
        .ok_or_else(|| Error::source_unavailable("no list of features is available".to_owned()))
}

/// Loads the feature objects of these entitlements, in their order. A feature that is known by its key only
/// has an object with that. Waits for a list that another caller
/// is reading.
pub(super) async fn load_objects<'d, T: Transport>(
    cache: &FeatureCache,
    stripe: &StripeClient<T>,
    livemode: Livemode,
    data: &'d [ActiveEntitlement],
    now: Timestamp,
) -> Result<Vec<FeatureObject>, Error> {
    let mut loaded: HashMap<&FeatureId, FeatureObject> = HashMap::new();
    let local = data.iter().filter(|row| row.feature.as_str().starts_with(LOCAL_FEATURE_PREFIX));
    loaded.extend(local.map(|row| (&row.feature, local_feature(livemode, row))));
    let load_cached = |loaded: &mut HashMap<&'d FeatureId, FeatureObject>| {
        for entitlement in data {
            let cached = cache.get(livemode, &entitlement.feature, now);
            loaded.extend(cached.map(|feature| (&entitlement.feature, feature)));
        }
    };
    let missing = |loaded: &HashMap<&FeatureId, FeatureObject>| -> Vec<&'d FeatureId> {
        let ids = data.iter().map(|entitlement| &entitlement.feature);
        ids.filter(|id| !loaded.contains_key(id)).collect()
    };
    load_cached(&mut loaded);
    let failed_lists = cache.failed_lists();
    if missing(&loaded).len() > 1 {
        let sleep = |millis| stripe.transport().sleep(millis);
        let is_in_flight =
            |waited| cache.is_list_in_flight(livemode, now.saturating_add_unsigned(waited / 1_000));
        poll_while(sleep, LIST_WAIT_TIMEOUT, is_in_flight).await;
        load_cached(&mut loaded);
    }
    // One page of all features costs less than two single features.
    if missing(&loaded).len() > 1 {
        let has_failed = cache.failed_lists() != failed_lists;
        if has_failed || !cache.start_list(livemode, now) {
            let cause = "the list of features of another request failed or takes long";
            return Err(Error::source_unavailable(cause.to_owned()));
        }
        let listed = stripe.list_features().await;
        cache.end_list(livemode, &listed);
        for feature in listed? {
            let Some(id) = feature_id(&feature) else { continue };
            let requested =
                data.iter().map(|entitlement| &entitlement.feature).find(|other| **other == id);
            loaded.extend(requested.map(|requested| (requested, feature.clone())));
            cache.insert(livemode, id, feature, now);
        }
    }
    // No list contains archived features.
    for ids in missing(&loaded).chunks(MAX_CONCURRENT) {
        let features = try_join_all(ids.iter().map(|id| stripe.retrieve_feature(id))).await?;
        for (requested, feature) in ids.iter().zip(features) {
            let id = feature_id(&feature).filter(|id| id == *requested).ok_or_else(|| {
                let cause = format!("the response for feature {requested} has another id");
                Error::source_unavailable(cause)
            })?;
            loaded.insert(requested, feature.clone());
            cache.insert(livemode, id, feature, now);
        }
    }
    Ok(data.iter().filter_map(|entitlement| loaded.get(&entitlement.feature).cloned()).collect())
}

/// The object of a feature that only an override or a default grants.
pub(super) fn local_feature(livemode: Livemode, row: &ActiveEntitlement) -> FeatureObject {
    let mut object = FeatureObject::new();
    for (name, value) in [
        ("id", json!(row.feature)),
        ("object", json!("entitlements.feature")),
        ("active", json!(true)),
        ("livemode", json!(livemode)),
        ("lookup_key", json!(row.lookup_key)),
        ("metadata", json!({})),
        ("name", json!(row.lookup_key)),
    ] {
        object.insert(name.to_owned(), value);
    }
    object
}

fn feature_id(feature: &FeatureObject) -> Option<FeatureId> {
    FeatureId::try_from(feature.get("id")?.as_str()?).ok()
}
