//! Features as Stripe tells them, kept for a while: they change rarely, and every page of an
//! expanded list needs up to a hundred.

use std::{cell::RefCell, collections::HashMap};

use futures_util::future::try_join_all;

use super::error::Error;
use crate::{
    entitlement::ActiveEntitlement,
    id::{FeatureId, Livemode, Timestamp},
    source::{Feature, Stripe, Transport},
};

/// How long a feature is kept, in seconds. Its name or metadata may be that old in an answer.
const TIME: i64 = 300;

/// The most features that are kept: a catalog has some dozens, an isolate 128 MB.
const LIMIT: usize = 2_000;

/// Requests side by side: as many as a Worker may have open.
const AT_ONCE: usize = 6;

/// The features that this instance has read.
#[derive(Debug, Default)]
pub struct Features(RefCell<HashMap<(Livemode, FeatureId), (Timestamp, Feature)>>);

impl Features {
    fn known(&self, livemode: Livemode, id: &FeatureId, now: Timestamp) -> Option<Feature> {
        let features = self.0.borrow();
        let (read, feature) = features.get(&(livemode, id.clone()))?;
        (now.0.abs_diff(read.0) < TIME.unsigned_abs()).then(|| feature.clone())
    }

    fn keep(&self, livemode: Livemode, feature: Feature, now: Timestamp) {
        let Some(id) = id(&feature) else { return };
        let mut features = self.0.borrow_mut();
        if features.len() >= LIMIT {
            features.clear();
        }
        features.insert((livemode, id), (now, feature));
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
