//! The operator's settings for the subscription statuses: which ones grant features.
//!
//! Here are only the rules. The settings' names are in `api::settings`, and the statuses and their
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
        /// `paused`: the trial ended without a payment method. A requested pause grants nothing.
        pub paused: GrantRule,
    }
}

impl Default for StatusPolicy {
    fn default() -> Self {
        Self { past_due: GrantRule::Keep, unpaid: GrantRule::Revoke, paused: GrantRule::Keep }
    }
}
