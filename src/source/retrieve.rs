//! Retrieves one entitlement or feature as Stripe's JSON, and lists the features.
//!
//! These objects have members that entgate does not store, such as a feature's name.
//!
//! Specification: <https://docs.stripe.com/api/entitlements/active-entitlement/retrieve>,
//! <https://docs.stripe.com/api/entitlements/feature/retrieve>,
//! <https://docs.stripe.com/api/entitlements/feature/list>.

use serde_json::{Map, Value};

use super::{
    client::{Error, StripeClient, Transport},
    pagination::read_pages,
    request::{fetch_json, path_segment},
};
use crate::{
    id::{EntitlementId, FeatureId, LookupKey, UnixMillis},
    waiting::within,
};

/// The timeout for an object or a list of features, in milliseconds: a client waits for the response.
const RETRIEVE_TIMEOUT: u64 = 10_000;

/// The maximum pages of the list of features.
const MAX_FEATURE_PAGES: usize = 10;

/// The maximum pages for the lookup keys of all features: 2,000 features. Most accounts have less than
/// a hundred.
const MAX_KEY_PAGES: usize = 20;

/// The timeout for the lookup keys, in milliseconds. The OpenFeature provider for Python waits five
/// seconds, and cached keys can be used instead.
const LOOKUP_KEYS_TIMEOUT: u64 = 3_000;

/// A feature as Stripe's JSON object.
pub type FeatureObject = Map<String, Value>;

/// Whether an entitlement includes its feature as an object or as an id.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Expand {
    /// The feature is an object.
    Feature,
    /// The feature is an id.
    None,
}

impl<T: Transport> StripeClient<T> {
    /// Retrieves one active entitlement.
    ///
    /// # Errors
    ///
    /// Fails if Stripe cannot be read or has no such entitlement.
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
        fetch_json(self, &target, retrieve_deadline(self)).await
    }

    /// Retrieves one feature, archived or not.
    ///
    /// # Errors
    ///
    /// Fails if Stripe cannot be read or has no such feature.
    pub async fn retrieve_feature(&self, id: &FeatureId) -> Result<FeatureObject, Error> {
        let Some(segment) = path_segment(id.as_str()) else {
            let message = format!("No such feature: '{id}'");
            return Err(Error::NotFound { param: "id".to_owned(), message });
        };
        let target = format!("/v1/entitlements/features/{segment}");
        fetch_json(self, &target, retrieve_deadline(self)).await
    }

    /// Lists the features that are not archived, at most a thousand.
    ///
    /// # Errors
    ///
    /// Fails if Stripe cannot be read.
    pub async fn list_features(&self) -> Result<Vec<FeatureObject>, Error> {
        list_features_within(self, MAX_FEATURE_PAGES, retrieve_deadline(self)).await
    }

    /// Lists the lookup keys of the features that are not archived, at most two thousand.
    ///
    /// # Errors
    ///
    /// Fails if Stripe cannot be read within three seconds.
    pub async fn list_lookup_keys(&self) -> Result<Vec<LookupKey>, Error> {
        let deadline = self.transport().now().saturating_add(LOOKUP_KEYS_TIMEOUT);
        let list = list_features_within(self, MAX_KEY_PAGES, deadline);
        // The deadline is checked only between requests; the timer also ends a request in flight.
        let listed = within(self.transport().sleep(LOOKUP_KEYS_TIMEOUT), list).await;
        let features = listed.unwrap_or_else(|| {
            let cause = "the deadline passed".to_owned();
            Err(Error::Unavailable { cause, retry_after_ms: 0 })
        })?;
        let key = |feature: &FeatureObject| {
            LookupKey::try_from(feature.get("lookup_key")?.as_str()?).ok()
        };
        Ok(features.iter().filter_map(key).collect())
    }
}

async fn list_features_within<T: Transport>(
    client: &StripeClient<T>,
    max_pages: usize,
    deadline: UnixMillis,
) -> Result<Vec<FeatureObject>, Error> {
    let target = "/v1/entitlements/features?limit=100";
    let list = read_pages(
        client,
        target,
        max_pages,
        |feature: &FeatureObject| feature.get("id")?.as_str(),
        deadline,
    );
    Ok(list.await?.data)
}

fn retrieve_deadline<T: Transport>(client: &StripeClient<T>) -> UnixMillis {
    client.transport().now().saturating_add(RETRIEVE_TIMEOUT)
}
