//! One entitlement or feature, as Stripe writes it: what only Stripe knows.
//!
//! <https://docs.stripe.com/api/entitlements/active-entitlement/retrieve>,
//! <https://docs.stripe.com/api/entitlements/feature/retrieve>

use std::pin::pin;

use futures_util::future::{Either, select};
use serde_json::{Map, Value};

use super::{
    Error, StripeClient, Transport,
    list::{path_segment, percent_encode},
};
use crate::{
    id::{EntitlementId, FeatureId, LookupKey, UnixMillis},
    json::impl_from_json,
};

/// How long an object may take to read, in milliseconds: somebody waits for it.
const RETRIEVE_TIMEOUT: u64 = 10_000;

/// The most pages of the list of features that are read in search of some.
const MAX_FEATURE_PAGES: usize = 10;

/// The most pages of it that are read for the keys of all: two thousand features, where a catalog has
/// some dozens.
const MAX_KEY_PAGES: usize = 20;

/// How long that may take, in milliseconds: OpenFeature's Python provider waits for five seconds, and
/// what was read before will do.
const LOOKUP_KEYS_TIMEOUT: u64 = 3_000;

/// A feature, with all that Stripe tells of it.
pub type FeatureObject = Map<String, Value>;

/// Whether an entitlement has its feature in it, or the feature's id.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Expand {
    /// The feature.
    Feature,
    /// Its id.
    None,
}

impl<T: Transport> StripeClient<T> {
    /// Reads one active entitlement.
    ///
    /// # Errors
    ///
    /// When Stripe does not tell.
    pub async fn retrieve_entitlement(
        &self,
        id: &EntitlementId,
        expand: Expand,
    ) -> Result<Map<String, Value>, Error> {
        let expand = match expand {
            Expand::Feature => "?expand%5B%5D=feature",
            Expand::None => "",
        };
        let Some(segment) = path_segment(id.as_str()) else {
            let message = format!("No such active entitlement: '{id}'");
            return Err(Error::NotFound { param: "id".to_owned(), message });
        };
        let target = format!("/v1/entitlements/active_entitlements/{segment}{expand}");
        self.fetch_json(&target, self.retrieve_deadline()).await
    }

    /// Reads one feature, archived or not.
    ///
    /// # Errors
    ///
    /// When Stripe does not tell.
    pub async fn retrieve_feature(&self, id: &FeatureId) -> Result<FeatureObject, Error> {
        let target = format!("/v1/entitlements/features/{}", percent_encode(id.as_str()));
        self.fetch_json(&target, self.retrieve_deadline()).await
    }

    /// Reads the features that are not archived: a thousand of them at most.
    ///
    /// # Errors
    ///
    /// When Stripe does not tell.
    pub async fn list_features(&self) -> Result<Vec<FeatureObject>, Error> {
        self.list_features_within(MAX_FEATURE_PAGES, self.retrieve_deadline()).await
    }

    /// Reads the lookup keys of the features that are not archived: of two thousand at most.
    ///
    /// # Errors
    ///
    /// When Stripe does not tell within three seconds.
    pub async fn list_lookup_keys(&self) -> Result<Vec<LookupKey>, Error> {
        let deadline = self.transport.now().saturating_add(LOOKUP_KEYS_TIMEOUT);
        let read = pin!(self.list_features_within(MAX_KEY_PAGES, deadline));
        // A deadline is looked at between two requests: it ends none that is under way.
        let features = match select(read, pin!(self.transport.sleep(LOOKUP_KEYS_TIMEOUT))).await {
            Either::Left((features, _)) => features?,
            Either::Right(_) => {
                let cause = "its features take longer than there is time for".to_owned();
                return Err(Error::Unavailable { cause, retry_after_ms: 0 });
            }
        };
        let key = |feature: &FeatureObject| {
            LookupKey::try_from(feature.get("lookup_key")?.as_str()?).ok()
        };
        Ok(features.iter().filter_map(key).collect())
    }

    async fn list_features_within(
        &self,
        pages: usize,
        deadline: UnixMillis,
    ) -> Result<Vec<FeatureObject>, Error> {
        struct FeatureListPage {
            data: Vec<FeatureObject>,
            has_more: bool,
        }
        impl_from_json! { struct FeatureListPage { data, has_more } }
        let mut features: Vec<FeatureObject> = Vec::new();
        for _ in 0..pages {
            let last = features.last().and_then(|feature| feature.get("id")?.as_str());
            let after = last
                .map_or(String::new(), |last| format!("&starting_after={}", percent_encode(last)));
            let target = format!("/v1/entitlements/features?limit=100{after}");
            let FeatureListPage { data, has_more } = self.fetch_json(&target, deadline).await?;
            let end = data.is_empty() || !has_more;
            features.extend(data);
            if end {
                break;
            }
        }
        Ok(features)
    }

    fn retrieve_deadline(&self) -> UnixMillis {
        self.transport.now().saturating_add(RETRIEVE_TIMEOUT)
    }
}
