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
    source::{Feature, Stripe, Transport},
    store::{Roster as _, Store},
};

/// How long a feature is kept, in seconds. Its name or metadata may be that old in an answer.
const TIME: i64 = 300;

/// The most features that are kept: a catalog has some dozens, an isolate 128 MB.
const LIMIT: usize = 2_000;

/// Requests side by side: as many as a Worker may have open.
const AT_ONCE: usize = 6;

/// How old the lookup keys of all may be where all are told, in seconds.
const FRESH: i64 = 60;

/// How old they may be where one is not among them; and how long nobody is asked again, by this
/// instance, after a question that failed or is not answered yet. In seconds.
const RECENT: i64 = 5;

/// The features that this instance has read.
#[derive(Debug, Default)]
pub struct Features {
    told: RefCell<HashMap<(Livemode, FeatureId), (Timestamp, Feature)>>,
    keys: RefCell<HashMap<(Livemode, Place), Kept>>,
}

/// Who tells of features.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Place {
    /// The source: those that are sold.
    Source,
    /// The roster: those that anybody held.
    Roster,
}

/// Lookup keys from one place.
type Keys = Rc<BTreeSet<LookupKey>>;

/// What is kept from one place.
#[derive(Debug, Default)]
struct Kept {
    keys: Option<(Timestamp, Keys)>,
    begun: Option<Timestamp>,
    failed: Option<Timestamp>,
}

impl Kept {
    /// Whether the place is asked now, for keys that are not as old as that.
    fn begins(&mut self, age: i64, now: Timestamp) -> bool {
        let due = self.is_due(age, now);
        if due {
            self.begun = Some(now);
        }
        due
    }

    fn is_due(&self, age: i64, now: Timestamp) -> bool {
        let over = |moment: Option<Timestamp>, age: i64| {
            moment.is_none_or(|moment| now.0.abs_diff(moment.0) >= age.unsigned_abs())
        };
        match &self.keys {
            None => over(self.failed, RECENT),
            Some((read, _)) => over(Some(*read), age) && over(self.begun, RECENT),
        }
    }
}

/// The lookup keys of all features there are.
#[derive(Debug, Default)]
pub(super) struct Known {
    sold: Keys,
    seen: Keys,
}

impl Known {
    /// All of them; one may come twice.
    pub(super) fn iter(&self) -> impl Iterator<Item = &LookupKey> {
        self.sold.iter().chain(self.seen.iter())
    }

    /// Whether there is one with this key.
    pub(super) fn has(&self, key: &LookupKey) -> bool {
        self.sold.contains(key) || self.seen.contains(key)
    }
}

impl Features {
    fn known(&self, livemode: Livemode, id: &FeatureId, now: Timestamp) -> Option<Feature> {
        let features = self.told.borrow();
        let (read, feature) = features.get(&(livemode, id.clone()))?;
        (now.0.abs_diff(read.0) < TIME.unsigned_abs()).then(|| feature.clone())
    }

    fn keep(&self, livemode: Livemode, feature: Feature, now: Timestamp) {
        let Some(id) = id(&feature) else { return };
        let mut features = self.told.borrow_mut();
        if features.len() >= LIMIT {
            features.clear();
        }
        features.insert((livemode, id), (now, feature));
    }

    /// The lookup keys that are kept, however old.
    fn kept(&self, livemode: Livemode) -> Known {
        let keys = self.keys.borrow();
        let of = |place| {
            let (_, keys) = keys.get(&(livemode, place))?.keys.as_ref()?;
            Some(Rc::clone(keys))
        };
        let [sold, seen] =
            [Place::Source, Place::Roster].map(|place| of(place).unwrap_or_default());
        Known { sold, seen }
    }

    /// Whether what the roster told is from before the moment, or too soon after it to have heard.
    fn is_older(&self, livemode: Livemode, moment: Option<Timestamp>) -> bool {
        let keys = self.keys.borrow();
        let kept = keys.get(&(livemode, Place::Roster)).and_then(|kept| kept.keys.as_ref());
        kept.zip(moment).is_some_and(|((read, _), moment)| read.0.saturating_sub(moment.0) < RECENT)
    }

    /// Keeps lookup keys beside those that the roster told, until it tells others.
    fn note<'a>(&self, livemode: Livemode, fresh: impl Iterator<Item = &'a LookupKey>) {
        let mut keys = self.keys.borrow_mut();
        let Some(kept) = keys.get_mut(&(livemode, Place::Roster)) else { return };
        let Some((_, kept)) = &mut kept.keys else { return };
        for key in fresh {
            if kept.len() >= LIMIT {
                return;
            }
            Rc::make_mut(kept).insert(key.clone());
        }
    }

    /// The lookup keys that one place tells of, asked where it is due, or else those kept.
    async fn keys(
        &self,
        place: (Livemode, Place),
        age: i64,
        now: Timestamp,
        log: fn(&str),
        asked: impl Future<Output = Result<Vec<LookupKey>, Error>>,
    ) -> Result<Keys, Error> {
        if self.keys.borrow_mut().entry(place).or_default().begins(age, now) {
            let answer = asked.await;
            let mut keys = self.keys.borrow_mut();
            let kept = keys.entry(place).or_default();
            match answer {
                Ok(told) => {
                    let mut keys = BTreeSet::new();
                    keys.extend(told);
                    kept.keys = Some((now, Rc::new(keys)));
                }
                Err(error) => {
                    kept.failed = Some(now);
                    log(&format!("features: {}", error.cause().unwrap_or_default()));
                }
            }
        }
        let keys = self.keys.borrow();
        let kept = keys.get(&place).and_then(|kept| kept.keys.as_ref());
        kept.map(|(_, keys)| Rc::clone(keys))
            .ok_or_else(|| Error::source("which features there are is not known".to_owned()))
    }
}

/// The lookup keys of all features there are, told within a minute where that can be.
pub(super) async fn known<S: Store>(
    app: &App<'_, S>,
    livemode: Livemode,
    now: Timestamp,
) -> Result<Known, Error> {
    asked(app, livemode, [FRESH, FRESH], now).await
}

/// The same beside a set that is held: what is new in it is known from now on, so that it does not go
/// from the list when it is revoked, and a set that is newer than what the roster told has it asked.
pub(super) async fn known_beside<S: Store>(
    app: &App<'_, S>,
    livemode: Livemode,
    held: Option<&Entitlements>,
    now: Timestamp,
) -> Result<Known, Error> {
    let since = held.map(|held| held.as_of);
    let age = if app.features.is_older(livemode, since) { RECENT } else { FRESH };
    let known = asked(app, livemode, [FRESH, age], now).await?;
    let granted = held.iter().flat_map(|held| &held.data).map(|granted| &granted.lookup_key);
    app.features.note(livemode, granted.filter(|key| !known.has(key)));
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
    if app.features.kept(livemode).has(key) {
        return Ok(true);
    }
    Ok(asked(app, livemode, [RECENT, RECENT], now).await?.has(key))
}

async fn asked<S: Store>(
    app: &App<'_, S>,
    livemode: Livemode,
    [of_source, of_roster]: [i64; 2],
    now: Timestamp,
) -> Result<Known, Error> {
    let (features, log) = (app.features, app.log);
    let unreachable = |error: crate::source::Error| Error::source(error.to_string());
    let sold = async {
        let stripe = app.store.source(livemode)?;
        let told = async { stripe.lookup_keys().await.map_err(unreachable) };
        Some(features.keys((livemode, Place::Source), of_source, now, log, told).await)
    };
    let roster = async { Ok(app.store.roster().features(livemode).await?) };
    let seen = features.keys((livemode, Place::Roster), of_roster, now, log, roster);
    match join(sold, seen).await {
        (None | Some(Err(_)), Err(error)) => Err(error),
        (None | Some(Err(_)), Ok(seen)) => Ok(Known { seen, ..Known::default() }),
        (Some(Ok(sold)), seen) => Ok(Known { sold, seen: seen.unwrap_or_default() }),
    }
}

/// The features of these grants, in their order.
pub(super) async fn of<T: Transport>(
    features: &Features,
    stripe: &Stripe<T>,
    livemode: Livemode,
    data: &[ActiveEntitlement],
    now: Timestamp,
) -> Result<Vec<Feature>, Error> {
    let mut told: HashMap<&FeatureId, Feature> = HashMap::new();
    for granted in data {
        let known = features.known(livemode, &granted.feature, now);
        told.extend(known.map(|feature| (&granted.feature, feature)));
    }
    let missing = |told: &HashMap<&FeatureId, Feature>| -> Vec<&FeatureId> {
        data.iter().map(|granted| &granted.feature).filter(|id| !told.contains_key(id)).collect()
    };
    // One page of all features is cheaper than two of them singly.
    if missing(&told).len() > 1 {
        for feature in stripe.features().await? {
            let id = id(&feature);
            let named = data
                .iter()
                .map(|granted| &granted.feature)
                .find(|named| id.as_ref() == Some(*named));
            told.extend(named.map(|named| (named, feature.clone())));
            features.keep(livemode, feature, now);
        }
    }
    // The archived ones are in no list.
    for ids in missing(&told).chunks(AT_ONCE) {
        let each = try_join_all(ids.iter().map(|id| stripe.feature(id))).await?;
        for (named, feature) in ids.iter().zip(each) {
            if id(&feature).as_ref() != Some(*named) {
                return Err(Error::source(format!("feature {named} is another one")));
            }
            told.insert(named, feature.clone());
            features.keep(livemode, feature, now);
        }
    }
    Ok(data.iter().filter_map(|granted| told.get(&granted.feature).cloned()).collect())
}

fn id(feature: &Feature) -> Option<FeatureId> {
    FeatureId::try_from(feature.get("id")?.as_str()?).ok()
}
