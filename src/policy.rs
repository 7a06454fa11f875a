//! The operator's settings for the subscription statuses: which ones grant features.
//!
//! When a failed payment pauses a subscription is set here too. Here are only the rules. The settings' names are in `api::settings`, and the statuses and their
//! evidence in `catalog`.

use serde::Serialize;

use crate::json::json_type;

json_type! {
    /// Whether a subscription with a certain status grants its features.
    #[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
    pub enum GrantRule {
        /// It grants its features.
        Keep = "keep",
        /// It grants nothing.
        Revoke = "revoke",
    }

    /// The rules of the catalog for those statuses whose effect on entitlements Stripe does not document.
    #[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
    pub struct StatusPolicy {
        /// `past_due`: a payment failed and is retried.
        pub past_due: GrantRule,
        /// `unpaid`: payments failed and are not retried.
        pub unpaid: GrantRule,
        /// `paused`: the trial ended without a payment method. Every other pause grants nothing.
        pub paused: GrantRule,
    }
}

/// Which failed payment of a renewal pauses a subscription of the catalog. At Stripe, it is a setting of
/// the account: <https://docs.stripe.com/billing/revenue-recovery/smart-retries/pause-on-payment-failure>.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum PauseOnPaymentFailure {
    /// None: the subscription is past due, and is canceled if no retry succeeds.
    #[default]
    Never,
    /// The first one: the subscription is paused instead of past due.
    First,
    /// The last retry: the subscription is paused instead of canceled.
    Final,
}

impl Default for StatusPolicy {
    fn default() -> Self {
        Self { past_due: GrantRule::Keep, unpaid: GrantRule::Revoke, paused: GrantRule::Keep }
    }
}
