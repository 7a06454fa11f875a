//! Removes entitlements that only subscriptions grant whose trial ended paused, under
//! [`GrantRule::Revoke`](crate::policy::GrantRule::Revoke).
//!
//! | a `paused` subscription                       | at Stripe                                  | here            |
//! |-----------------------------------------------|--------------------------------------------|-----------------|
//! | `trial_end_without_payment_method`            | keeps its entitlements, without an event   | its features are removed |
//! | without `status_details`, of an older version | the same                                   | the same        |
//! | any other reason                              | ends its entitlements, and sends a summary | grants nothing  |
//!
//! A feature is removed if a product of such a trial has it and no product of a granting subscription
//! has it. If Stripe's responses do not show which subscription grants a feature, it stays.
//!
//! Specification: <https://docs.stripe.com/api/subscriptions/object#subscription_object-status_details>,
//! <https://docs.stripe.com/api/product-feature/list>.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    client::{Error, StripeClient, Transport},
    pagination::read_pages,
    subscriptions::{
        StripeProductFeature, StripeSubscription, product_features_target, subscriptions_target,
    },
};
use crate::{
    entitlement::ActiveEntitlement,
    id::{CustomerId, UnixMillis},
    json::FromJson,
};

/// The maximum pages of subscriptions, or of one product's features.
const MAX_PAGES: usize = 20;

/// Returns the list without the entitlements that only trials grant that ended paused.
pub(super) async fn exclude<T: Transport>(
    client: &StripeClient<T>,
    customer: &CustomerId,
    list: Vec<ActiveEntitlement>,
    deadline: UnixMillis,
) -> Result<Vec<ActiveEntitlement>, Error> {
    let target = subscriptions_target(customer);
    let subscriptions =
        read_all(client, &target, |subscription: &StripeSubscription| &subscription.id, deadline)
            .await?;
    let mut products: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut paused = BTreeSet::new();
    let mut granting = BTreeSet::new();
    for subscription in subscriptions {
        let is_trial_pause = subscription.is_trial_pause();
        let StripeSubscription { status, items, .. } = subscription;
        let ids = items.data.into_iter().map(|item| item.price.product);
        match status.as_str() {
            "paused" if is_trial_pause => paused.extend(ids),
            "paused" | "canceled" | "incomplete" | "incomplete_expired" => {}
            // A truncated list of items may include any product, so any feature may be granted.
            _ if items.has_more => return Ok(list),
            _ => granting.extend(ids),
        }
    }
    if paused.is_empty() || list.is_empty() {
        return Ok(list);
    }
    for product in paused.union(&granting) {
        let target = product_features_target(product)?;
        let features =
            read_all(client, &target, |feature: &StripeProductFeature| &feature.id, deadline)
                .await?;
        let ids = features.into_iter().map(|feature| feature.entitlement_feature.id);
        products.insert(product.clone(), ids.collect());
    }
    let features_of = |product_ids: &BTreeSet<String>| -> BTreeSet<&str> {
        let products = product_ids.iter().filter_map(|product| products.get(product));
        let mut features = BTreeSet::new();
        features.extend(products.flatten().map(String::as_str));
        features
    };
    let (paused, granting) = (features_of(&paused), features_of(&granting));
    let is_kept = |entitlement: &ActiveEntitlement| {
        let feature = entitlement.feature.as_str();
        !paused.contains(feature) || granting.contains(feature)
    };
    Ok(list.into_iter().filter(is_kept).collect())
}

/// Reads a complete list.
async fn read_all<T: Transport, Item: FromJson>(
    client: &StripeClient<T>,
    target: &str,
    id: impl Fn(&Item) -> &str,
    deadline: UnixMillis,
) -> Result<Vec<Item>, Error> {
    let list = read_pages(client, target, MAX_PAGES, |item| Some(id(item)), deadline).await?;
    if list.has_more { Err(Error::TooManyPages { pages: MAX_PAGES }) } else { Ok(list.data) }
}
