//! What the operator has decided that a subscription grants, where the catalog is the source.
//!
//! Which status grants what, and on what evidence, is in the catalog.

use serde::Serialize;

use crate::json::readable;

/// Whether a status leaves what was granted, or takes it away.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It grants.
    Keep,
    /// It does not.
    Revoke,
}

readable! { enum Standing { Keep = "keep", Revoke = "revoke" } }

/// What the statuses grant about which nothing is documented.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct Policy {
    /// A payment failed, and is tried again.
    pub past_due: Standing,
    /// Payments failed, and are not tried any more.
    pub unpaid: Standing,
    /// The trial ended without a payment method, or the subscription was paused.
    pub paused: Standing,
}

readable! { struct Policy { past_due, unpaid, paused } }

impl Default for Policy {
    fn default() -> Self {
        Self { past_due: Standing::Keep, unpaid: Standing::Revoke, paused: Standing::Keep }
    }
}
