//! One entitlement or feature, as Stripe writes it: what only Stripe knows.
//!
//! <https://docs.stripe.com/api/entitlements/active-entitlement/retrieve>,
//! <https://docs.stripe.com/api/entitlements/feature/retrieve>

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Error, Stripe, Transport, list::encoded};
use crate::id::{EntitlementId, FeatureId};

/// How long an object may take to read, in milliseconds: somebody waits for it.
const TIME: u64 = 10_000;

/// The most pages of the list of features that are read in search of some.
const PAGES: usize = 10;

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
        let id = encoded(id.as_str());
        let target = format!("/v1/entitlements/active_entitlements/{id}{expand}");
        self.get(&target, self.soon()).await
    }

    /// Reads one feature, archived or not.
    ///
    /// # Errors
    ///
    /// When Stripe does not tell.
    pub async fn feature(&self, id: &FeatureId) -> Result<Feature, Error> {
        let target = format!("/v1/entitlements/features/{}", encoded(id.as_str()));
        self.get(&target, self.soon()).await
    }

    /// Reads the features that are not archived: a thousand of them at most.
    ///
    /// # Errors
    ///
    /// When Stripe does not tell.
    pub async fn features(&self) -> Result<Vec<Feature>, Error> {
        #[derive(Deserialize)]
        struct List {
            data: Vec<Feature>,
            has_more: bool,
        }
        let deadline = self.soon();
        let mut features: Vec<Feature> = Vec::new();
        for _ in 0..PAGES {
            let last = features.last().and_then(|feature| feature.get("id")?.as_str());
            let after =
                last.map_or(String::new(), |last| format!("&starting_after={}", encoded(last)));
            let target = format!("/v1/entitlements/features?limit=100{after}");
            let List { data, has_more } = self.get(&target, deadline).await?;
            let end = data.is_empty() || !has_more;
            features.extend(data);
            if end {
                break;
            }
        }
        Ok(features)
    }

    fn soon(&self) -> crate::id::Millis {
        self.transport.now().plus(TIME)
    }
}
