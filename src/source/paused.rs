//! Paused subscriptions, for those who do not want them to grant anything.
//!
//! A trial that ends without a payment method leaves a subscription `paused`, and Stripe keeps its
//! entitlements and sends no event about them. Under [`GrantRule::Revoke`](crate::policy::GrantRule) a feature is taken out of
//! the list if a product of a paused subscription has it, and no product of a subscription that
//! grants has it too. Whatever cannot be told from Stripe's answers stays granted.
//!
//! <https://docs.stripe.com/api/subscriptions/object#subscription_object-status>,
//! <https://docs.stripe.com/api/product-feature/list>

use std::collections::{BTreeMap, BTreeSet};

use super::{Error, StripeClient, Transport, list::percent_encode};
use crate::{
    entitlement::ActiveEntitlement,
    id::{CustomerId, UnixMillis},
    json::{FromJson, impl_from_json},
};

/// The most pages of subscriptions, or of one product's features.
const MAX_PAGES: usize = 20;

struct StripePage<T> {
    data: Vec<T>,
    has_more: bool,
}

impl_from_json! { struct StripePage<T> { data, has_more } }

struct StripeSubscription {
    id: String,
    status: String,
    items: StripePage<StripeSubscriptionItem>,
}

impl_from_json! { struct StripeSubscription { id, status, items } }

struct StripeSubscriptionItem {
    price: StripePrice,
}

impl_from_json! { struct StripeSubscriptionItem { price } }

struct StripePrice {
    product: String,
}

impl_from_json! { struct StripePrice { product } }

struct StripeProductFeature {
    id: String,
    entitlement_feature: StripeFeatureRef,
}

impl_from_json! { struct StripeProductFeature { id, entitlement_feature } }

struct StripeFeatureRef {
    id: String,
}

impl_from_json! { struct StripeFeatureRef { id } }

impl<T: Transport> StripeClient<T> {
    /// What is left of a list without what only paused subscriptions grant.
    pub(super) async fn exclude_paused(
        &self,
        customer: &CustomerId,
        list: Vec<ActiveEntitlement>,
        deadline: UnixMillis,
    ) -> Result<Vec<ActiveEntitlement>, Error> {
        let target = format!(
            "/v1/subscriptions?customer={}&status=all&limit=100",
            percent_encode(customer.as_str())
        );
        let subscriptions = self
            .read_all(&target, |subscription: &StripeSubscription| &subscription.id, deadline)
            .await?;
        let mut products: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut paused = BTreeSet::new();
        let mut granting = BTreeSet::new();
        for StripeSubscription { status, items, .. } in subscriptions {
            let ids = items.data.into_iter().map(|item| item.price.product);
            match status.as_str() {
                "paused" => paused.extend(ids),
                "canceled" | "incomplete" | "incomplete_expired" => {}
                // Of a subscription with items that are not told, any feature may be granted.
                _ if items.has_more => return Ok(list),
                _ => granting.extend(ids),
            }
        }
        if paused.is_empty() || list.is_empty() {
            return Ok(list);
        }
        for product in paused.union(&granting) {
            let target = format!("/v1/products/{}/features?limit=100", percent_encode(product));
            let features = self
                .read_all(&target, |feature: &StripeProductFeature| &feature.id, deadline)
                .await?;
            let ids = features.into_iter().map(|feature| feature.entitlement_feature.id);
            products.insert(product.clone(), ids.collect());
        }
        let features = |of: &BTreeSet<String>| -> BTreeSet<&str> {
            let products = of.iter().filter_map(|product| products.get(product));
            let mut features = BTreeSet::new();
            features.extend(products.flatten().map(String::as_str));
            features
        };
        let (paused, granting) = (features(&paused), features(&granting));
        let stays = |granted: &ActiveEntitlement| {
            let feature = granted.feature.as_str();
            !paused.contains(feature) || granting.contains(feature)
        };
        Ok(list.into_iter().filter(stays).collect())
    }

    /// A list of Stripe's, whole.
    async fn read_all<A: FromJson>(
        &self,
        target: &str,
        id: impl Fn(&A) -> &str,
        deadline: UnixMillis,
    ) -> Result<Vec<A>, Error> {
        let mut all: Vec<A> = Vec::new();
        for _ in 0..MAX_PAGES {
            let after = all.last().map_or(String::new(), |last| {
                format!("&starting_after={}", percent_encode(id(last)))
            });
            let StripePage { data, has_more } =
                self.fetch_json(&format!("{target}{after}"), deadline).await?;
            let end = data.is_empty() || !has_more;
            all.extend(data);
            if end {
                return Ok(all);
            }
        }
        Err(Error::TooManyPages { pages: MAX_PAGES })
    }
}
