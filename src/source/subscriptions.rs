//! A customer's subscriptions, and the products and features that they lead to, as Stripe's JSON.
//!
//! Not here: how many pages are read, and what they mean.
//!
//! Specification: <https://docs.stripe.com/api/subscriptions/object#subscription_object-status_details>,
//! <https://docs.stripe.com/api/product-feature/list>.

use super::{
    client::Error,
    pagination::StripePage,
    request::{path_segment, percent_encode},
};
use crate::{id::CustomerId, json::json_type};

json_type! {
    /// A subscription.
    pub(super) struct StripeSubscription {
        pub(super) id: String,
        pub(super) status: String,
        status_details: Option<StripeStatusDetails>,
        pub(super) items: StripePage<StripeSubscriptionItem>,
    }

    struct StripeStatusDetails {
        paused: Option<StripePause>,
    }

    struct StripePause {
        subscription: Option<StripePauseReason>,
    }

    struct StripePauseReason {
        r#type: String,
    }

    /// An item of a subscription.
    pub(super) struct StripeSubscriptionItem {
        pub(super) price: StripePrice,
    }

    /// The price of an item.
    pub(super) struct StripePrice {
        pub(super) product: String,
    }

    /// A product.
    pub(super) struct StripeProduct {
        pub(super) id: String,
        pub(super) name: String,
        pub(super) active: bool,
    }

    /// A feature of a product.
    pub(super) struct StripeProductFeature {
        pub(super) id: String,
        pub(super) entitlement_feature: StripeFeatureRef,
    }

    /// The feature that a product includes.
    pub(super) struct StripeFeatureRef {
        pub(super) id: String,
        pub(super) lookup_key: Option<String>,
    }
}

/// The reason of a pause that keeps the entitlements at Stripe.
const TRIAL_ENDED: &str = "trial_end_without_payment_method";

impl StripeSubscription {
    /// Whether the end of its trial paused it, if its status is `paused`. Before 2026-09-30.endive nothing
    /// else did, and no reason was given.
    pub(super) fn is_trial_pause(&self) -> bool {
        let details = self.status_details.as_ref();
        let reason = details.and_then(|it| it.paused.as_ref()?.subscription.as_ref());
        reason.is_none_or(|reason| reason.r#type == TRIAL_ENDED)
    }
}

/// The list of all subscriptions of a customer, also of those that have ended.
pub(super) fn subscriptions_target(customer: &CustomerId) -> String {
    let customer = percent_encode(customer.as_str());
    format!("/v1/subscriptions?customer={customer}&status=all&limit=100")
}

/// The list of the features of a product.
pub(super) fn product_features_target(product: &str) -> Result<String, Error> {
    let Some(segment) = path_segment(product) else {
        return Err(Error::Malformed(format!("a product has the id `{product}`")));
    };
    Ok(format!("/v1/products/{segment}/features?limit=100"))
}
