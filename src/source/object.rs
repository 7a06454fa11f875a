//! One entitlement or feature, as Stripe writes it: what only Stripe knows.
//!
//! <https://docs.stripe.com/api/entitlements/active-entitlement/retrieve>,
//! <https://docs.stripe.com/api/entitlements/feature/retrieve>

use std::pin::pin;

use futures_util::future::{Either, select};
use serde_json::{Map, Value};

use super::{
    Error, Stripe, Transport,
    list::{encoded, segment},
};
use crate::{
    id::{EntitlementId, FeatureId, LookupKey, Millis},
    json::readable,
};

/// How long an object may take to read, in milliseconds: somebody waits for it.
const TIME: u64 = 10_000;

/// The most pages of the list of features that are read in search of some.
const PAGES: usize = 10;

/// The most pages of it that are read for the keys of all: two thousand features, where a catalog has
/// some dozens.
const PAGES_OF_KEYS: usize = 20;

/// How long that may take, in milliseconds: OpenFeature's Python provider waits for five seconds, and
/// what was read before will do.
const TIME_FOR_KEYS: u64 = 3_000;

/// A feature, with all that Stripe tells of it.
pub type Feature = Map<String, Value>;

/// Whether an entitlement has its feature in it, or the feature's id.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Expand {
    /// The feature.
    Feature,
    /// Its id.
    Nothing,
}

impl<T: Transport> Stripe<T> {
    /// Reads one active entitlement.
    ///
    /// # Errors
    ///
    /// When Stripe does not tell.
    pub async fn entitlement(
        &self,
        id: &EntitlementId,
        expand: Expand,
    ) -> Result<Map<String, Value>, Error> {
        let expand = match expand {
            Expand::Feature => "?expand%5B%5D=feature",
            Expand::Nothing => "",
        };
        let Some(segment) = segment(id.as_str()) else {
            let message = format!("No such active entitlement: '{id}'");
            return Err(Error::Missing { param: "id".to_owned(), message });
        };
        let target = format!("/v1/entitlements/active_entitlements/{segment}{expand}");
        self.read(&target, self.soon()).await
    }

    /// Reads one feature, archived or not.
    ///
    /// # Errors
    ///
    /// When Stripe does not tell.
    pub async fn feature(&self, id: &FeatureId) -> Result<Feature, Error> {
        let target = format!("/v1/entitlements/features/{}", encoded(id.as_str()));
        self.read(&target, self.soon()).await
    }

    /// Reads the features that are not archived: a thousand of them at most.
    ///
    /// # Errors
    ///
    /// When Stripe does not tell.
    pub async fn features(&self) -> Result<Vec<Feature>, Error> {
        self.listed(PAGES, self.soon()).await
    }

    /// Reads the lookup keys of the features that are not archived: of two thousand at most.
    ///
    /// # Errors
    ///
    /// When Stripe does not tell within three seconds.
    pub async fn lookup_keys(&self) -> Result<Vec<LookupKey>, Error> {
        let deadline = self.transport.now().plus(TIME_FOR_KEYS);
        let read = pin!(self.listed(PAGES_OF_KEYS, deadline));
        // A deadline is looked at between two requests: it ends none that is under way.
        let features = match select(read, pin!(self.transport.pause(TIME_FOR_KEYS))).await {
            Either::Left((features, _)) => features?,
            Either::Right(_) => {
                let cause = "its features take longer than there is time for".to_owned();
                return Err(Error::Unavailable { cause, pause: 0 });
            }
        };
        let key =
            |feature: &Feature| LookupKey::try_from(feature.get("lookup_key")?.as_str()?).ok();
        Ok(features.iter().filter_map(key).collect())
    }

    async fn listed(&self, pages: usize, deadline: Millis) -> Result<Vec<Feature>, Error> {
        struct List {
            data: Vec<Feature>,
            has_more: bool,
        }
        readable! { struct List { data, has_more } }
        let mut features: Vec<Feature> = Vec::new();
        for _ in 0..pages {
            let last = features.last().and_then(|feature| feature.get("id")?.as_str());
            let after =
                last.map_or(String::new(), |last| format!("&starting_after={}", encoded(last)));
            let target = format!("/v1/entitlements/features?limit=100{after}");
            let List { data, has_more } = self.read(&target, deadline).await?;
            let end = data.is_empty() || !has_more;
            features.extend(data);
            if end {
                break;
            }
        }
        Ok(features)
    }

    fn soon(&self) -> Millis {
        self.transport.now().plus(TIME)
    }
}
