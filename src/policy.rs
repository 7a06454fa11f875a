//! What the operator has decided that a subscription grants, where the catalog is the source.
//!
//! Which status grants what, and on what evidence, is in the catalog.

use serde::Serialize;

use crate::json::impl_from_json;

/// Whether a status leaves what was granted, or takes it away.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantRule {
    /// It grants.
    Keep,
    /// It does not.
    Revoke,
}

impl_from_json! { enum GrantRule { Keep = "keep", Revoke = "revoke" } }

/// What the statuses grant about which nothing is documented.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct StatusPolicy {
    /// A payment failed, and is tried again.
    pub past_due: GrantRule,
    /// Payments failed, and are not tried any more.
    pub unpaid: GrantRule,
    /// The trial ended without a payment method, or the subscription was paused.
    pub paused: GrantRule,
}

impl_from_json! { struct StatusPolicy { past_due, unpaid, paused } }

impl Default for StatusPolicy {
    fn default() -> Self {
        Self { past_due: GrantRule::Keep, unpaid: GrantRule::Revoke, paused: GrantRule::Keep }
    }
}
