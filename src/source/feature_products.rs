//! Finds the subscriptions of a customer, and the products, that include one feature.
//!
//! Stripe has no such list, so the features of one product after the other are read: first of the products
//! that the customer has, then of the others that are for sale. The number of requests is limited, and
//! [`FeatureProducts::gap`] says why something may be missing. A failure leaves what is already known.
//!
//! Not here: which status of a subscription grants its features.

use futures_util::future::{join, join_all};

use super::{
    client::{Error, StripeClient, Transport},
    pagination::StripePage,
    request::{fetch_json, single_attempt_deadline},
    subscriptions::{
        StripeProduct, StripeProductFeature, StripeSubscription, product_features_target,
        subscriptions_target,
    },
};
use crate::{
    id::{CustomerId, LookupKey, UnixMillis},
    json::FromJson,
};

/// The maximum number of concurrent requests: a Worker's limit of open connections.
const MAX_CONCURRENT: usize = 6;

/// The time in which requests may begin, in milliseconds: a person waits for the answer.
const TIMEOUT: u64 = 8_000;

/// The subscriptions and products that include a feature.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct FeatureProducts {
    /// The subscriptions of the customer to such a product, in the order of the source: newest first.
    pub subscriptions: Vec<FeatureSubscription>,
    /// The products: first those that the customer has or had.
    pub products: Vec<FeatureProduct>,
    /// Why subscriptions or products may be missing; `None` if none is.
    pub gap: Option<String>,
}

/// A subscription to a product that includes the feature.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FeatureSubscription {
    /// The id.
    pub id: String,
    /// The id of the product.
    pub product: String,
    /// The status, as the source names it.
    pub status: String,
    /// Whether a subscription of the status `paused` was paused by the end of its trial.
    pub is_trial_pause: bool,
}

/// A product that includes the feature.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FeatureProduct {
    /// The id.
    pub id: String,
    /// The name, if the product was listed.
    pub name: Option<String>,
    /// Whether the customer has a subscription to it that has not ended.
    pub is_subscribed: bool,
}

/// A product whose features are read.
struct Candidate {
    id: String,
    name: Option<String>,
    is_subscribed: bool,
}

impl<T: Transport> StripeClient<T> {
    /// Finds the subscriptions of a customer, and the products, that include a feature. Sends at most
    /// `max_requests` requests.
    pub async fn find_feature_products(
        &self,
        customer: &CustomerId,
        feature: &LookupKey,
        max_requests: usize,
    ) -> FeatureProducts {
        let deadline = self.transport().now().saturating_add(TIMEOUT);
        let (subscriptions, products) = join(
            fetch_page::<T, StripeSubscription>(self, Ok(subscriptions_target(customer)), deadline),
            fetch_page::<T, StripeProduct>(self, Ok("/v1/products?limit=100".to_owned()), deadline),
        )
        .await;
        let mut gap = None;
        let subscriptions = match subscriptions {
            // The source does not know the customer.
            Err(Error::NotFound { param, .. }) if param == "customer" => Vec::new(),
            listed => take_page(listed, "subscriptions", &mut gap),
        };
        if subscriptions.iter().any(|subscription| subscription.items.has_more) {
            note(&mut gap, || "a subscription has more items than its first page".to_owned());
        }
        let products = take_page(products, "products", &mut gap);
        let candidates = order_candidates(&subscriptions, products);
        let readable = max_requests.saturating_sub(2).min(candidates.len());
        if readable < candidates.len() {
            note(&mut gap, || {
                format!("the features of {readable} of {} products were read", candidates.len())
            });
        }
        let mut including = Vec::new();
        for chunk in candidates.get(..readable).unwrap_or_default().chunks(MAX_CONCURRENT) {
            let reads = chunk.iter().map(|candidate| {
                let target = product_features_target(&candidate.id);
                fetch_page::<T, StripeProductFeature>(self, target, deadline)
            });
            let mut has_failed = false;
            for (candidate, read) in chunk.iter().zip(join_all(reads).await) {
                has_failed |= read.is_err();
                let features = take_page(read, "features of a product", &mut gap);
                let is_feature = |item: &StripeProductFeature| {
                    item.entitlement_feature.lookup_key.as_deref() == Some(feature.as_str())
                };
                if features.iter().any(is_feature) {
                    including.push(candidate);
                }
            }
            // The next requests would probably fail too.
            if has_failed {
                break;
            }
        }
        let subscriptions = subscriptions.iter().flat_map(|subscription| {
            let products = including.iter().filter(|product| has_item(subscription, &product.id));
            products.map(|product| FeatureSubscription {
                id: subscription.id.clone(),
                product: product.id.clone(),
                status: subscription.status.clone(),
                is_trial_pause: subscription.is_trial_pause(),
            })
        });
        let subscriptions = subscriptions.collect();
        let products = including.into_iter().map(|Candidate { id, name, is_subscribed }| {
            FeatureProduct { id: id.clone(), name: name.clone(), is_subscribed: *is_subscribed }
        });
        FeatureProducts { subscriptions, products: products.collect(), gap }
    }
}

/// Reads the first page of a list with one request.
async fn fetch_page<T: Transport, Item: FromJson>(
    client: &StripeClient<T>,
    target: Result<String, Error>,
    deadline: UnixMillis,
) -> Result<StripePage<Item>, Error> {
    fetch_json(client, &target?, deadline.min(single_attempt_deadline(client))).await
}

/// The items of a page. Notes a failure, and a list that has more pages.
fn take_page<Item>(
    page: Result<StripePage<Item>, Error>,
    what: &str,
    gap: &mut Option<String>,
) -> Vec<Item> {
    match page {
        Ok(StripePage { data, has_more }) => {
            if has_more {
                note(gap, || format!("only the first {} {what} were read", data.len()));
            }
            data
        }
        Err(error) => {
            note(gap, || error.to_string());
            Vec::new()
        }
    }
}

/// Notes why something may be missing. The first reason counts.
fn note(gap: &mut Option<String>, reason: impl FnOnce() -> String) {
    gap.get_or_insert_with(reason);
}

/// The products whose features are read, in this order: those that the customer has, those that the
/// customer had, and others that are for sale.
fn order_candidates(
    subscriptions: &[StripeSubscription],
    products: Vec<StripeProduct>,
) -> Vec<Candidate> {
    let mut candidates: Vec<Candidate> = Vec::new();
    for wants_ended in [false, true] {
        for subscription in subscriptions.iter().filter(|it| has_ended(it) == wants_ended) {
            for item in &subscription.items.data {
                let id = &item.price.product;
                if !candidates.iter().any(|candidate| candidate.id == *id) {
                    let id = id.clone();
                    candidates.push(Candidate { id, name: None, is_subscribed: !wants_ended });
                }
            }
        }
    }
    for StripeProduct { id, name, active } in products {
        match candidates.iter_mut().find(|candidate| candidate.id == id) {
            Some(candidate) => candidate.name = Some(name),
            None if active => {
                candidates.push(Candidate { id, name: Some(name), is_subscribed: false });
            }
            None => {}
        }
    }
    candidates
}

fn has_ended(subscription: &StripeSubscription) -> bool {
    matches!(subscription.status.as_str(), "canceled" | "incomplete_expired")
}

fn has_item(subscription: &StripeSubscription, product: &str) -> bool {
    subscription.items.data.iter().any(|item| item.price.product == product)
}
