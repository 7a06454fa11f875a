//! Paused subscriptions, for those who do not want them to grant anything.
//!
//! A trial that ends without a payment method leaves a subscription `paused`, and Stripe keeps its
//! entitlements and sends no event about them. Under [`Paused::Revoke`](crate::entitlement::Paused::Revoke) a feature is taken out of
//! the list if a product of a paused subscription has it, and no product of a subscription that
//! grants has it too. Whatever cannot be told from Stripe's answers stays granted.
//!
//! <https://docs.stripe.com/api/subscriptions/object#subscription_object-status>,
//! <https://docs.stripe.com/api/product-feature/list>

use std::collections::{BTreeMap, BTreeSet};

use super::{Error, Stripe, Transport, list::encoded};
use crate::{
    entitlement::ActiveEntitlement,
    id::{CustomerId, Millis},
    json::{Read, readable},
};

/// The most pages of subscriptions, or of one product's features.
const PAGES: usize = 20;

struct Page<T> {
    data: Vec<T>,
    has_more: bool,
}

readable! { struct Page<T> { data, has_more } }

struct Subscription {
    id: String,
    status: String,
    items: Page<Item>,
}

readable! { struct Subscription { id, status, items } }

struct Item {
    price: Price,
}

readable! { struct Item { price } }

struct Price {
    product: String,
}

readable! { struct Price { product } }

struct ProductFeature {
    id: String,
    entitlement_feature: Feature,
}

readable! { struct ProductFeature { id, entitlement_feature } }

struct Feature {
    id: String,
}

readable! { struct Feature { id } }

impl<T: Transport> Stripe<T> {
    /// What is left of a list without what only paused subscriptions grant.
    pub(super) async fn without_paused(
        &self,
        customer: &CustomerId,
        list: Vec<ActiveEntitlement>,
        deadline: Millis,
    ) -> Result<Vec<ActiveEntitlement>, Error> {
        let target = format!(
            "/v1/subscriptions?customer={}&status=all&limit=100",
            encoded(customer.as_str())
        );
        let subscriptions =
            self.all(&target, |subscription: &Subscription| &subscription.id, deadline).await?;
        let mut products: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut paused = BTreeSet::new();
        let mut granting = BTreeSet::new();
        for Subscription { status, items, .. } in subscriptions {
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
            let target = format!("/v1/products/{}/features?limit=100", encoded(product));
            let features =
                self.all(&target, |feature: &ProductFeature| &feature.id, deadline).await?;
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
    async fn all<A: Read>(
        &self,
        target: &str,
        id: impl Fn(&A) -> &str,
        deadline: Millis,
    ) -> Result<Vec<A>, Error> {
        let mut all: Vec<A> = Vec::new();
        for _ in 0..PAGES {
            let after = all
                .last()
                .map_or(String::new(), |last| format!("&starting_after={}", encoded(id(last))));
            let Page { data, has_more } = self.read(&format!("{target}{after}"), deadline).await?;
            let end = data.is_empty() || !has_more;
            all.extend(data);
            if end {
                return Ok(all);
            }
        }
        Err(Error::Endless { pages: PAGES })
    }
}
