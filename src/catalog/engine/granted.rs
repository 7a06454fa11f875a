//! Subscriptions → what their customer may use.
//!
//! Each item of a subscription remembers the features that its product had when the period began, or
//! the price was changed: so a product may change without anybody's entitlements changing under them.
//! The customer holds what all subscriptions grant together, each feature once.

use std::collections::HashSet;

use crate::{catalog::objects::subscription::Subscription, policy::StatusPolicy};

/// The ids of the features that these subscriptions grant, in the order in which they came.
pub(crate) fn granted_feature_ids(
    policy: StatusPolicy,
    subscriptions: &[Subscription],
) -> Vec<&str> {
    let mut known = HashSet::new();
    let granting = subscriptions.iter().filter(|subscription| subscription.status.grants(policy));
    let features =
        granting.flat_map(|subscription| &subscription.items).flat_map(|item| &item.features);
    features.map(String::as_str).filter(|feature| known.insert(*feature)).collect()
}
