//! What each status of a subscription grants, and on what evidence.
//!
//! | status               | grants  | because                                                            |
//! |----------------------|---------|--------------------------------------------------------------------|
//! | `active`             | yes     | "When a subscription becomes `active`, Stripe creates an active entitlement for each feature", docs, Subscriptions overview |
//! | `trialing`           | yes     | docs: safe to provision; the event is seen at a trial's start      |
//! | `past_due`           | [`Policy::past_due`], by default yes | docs take entitlements away on cancellation only |
//! | `paused`             | [`Policy::paused`], by default yes | seen: a trial that ends without a payment method takes nothing away |
//! | `unpaid`             | [`Policy::unpaid`], by default no | docs: "revoke access to your product"              |
//! | `incomplete`         | no      | it was never active                                                |
//! | `incomplete_expired` | no      | it was never active                                                |
//! | `canceled`           | no      | docs: removed, and the event fires                                 |
//!
//! <https://docs.stripe.com/billing/subscriptions/overview#subscription-statuses>,
//! <https://docs.stripe.com/billing/entitlements>. What Stripe does with the three in the middle it
//! does not document; an operator may know better what is right for the product.

use serde::Serialize;

use crate::{
    json::readable,
    policy::{Policy, Standing},
};

/// Where a subscription stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    Active,
    Canceled,
    Incomplete,
    IncompleteExpired,
    PastDue,
    Paused,
    Trialing,
    Unpaid,
}

readable! {
    enum Status {
        Active = "active", Canceled = "canceled", Incomplete = "incomplete",
        IncompleteExpired = "incomplete_expired", PastDue = "past_due", Paused = "paused",
        Trialing = "trialing", Unpaid = "unpaid",
    }
}

impl Status {
    pub(crate) const ALL: [Self; 8] = [
        Self::Active,
        Self::Canceled,
        Self::Incomplete,
        Self::IncompleteExpired,
        Self::PastDue,
        Self::Paused,
        Self::Trialing,
        Self::Unpaid,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Canceled => "canceled",
            Self::Incomplete => "incomplete",
            Self::IncompleteExpired => "incomplete_expired",
            Self::PastDue => "past_due",
            Self::Paused => "paused",
            Self::Trialing => "trialing",
            Self::Unpaid => "unpaid",
        }
    }

    /// Whether it can never change again.
    pub(crate) fn is_final(self) -> bool {
        matches!(self, Self::Canceled | Self::IncompleteExpired)
    }

    /// Whether a subscription of this status grants what is in it.
    pub(crate) fn grants(self, policy: Policy) -> bool {
        match self {
            Self::Active | Self::Trialing => true,
            Self::PastDue => policy.past_due == Standing::Keep,
            Self::Paused => policy.paused == Standing::Keep,
            Self::Unpaid => policy.unpaid == Standing::Keep,
            Self::Incomplete | Self::IncompleteExpired | Self::Canceled => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_grants_what_the_table_says() {
        let grants = |policy| Status::ALL.map(|status| status.grants(policy));
        let keep =
            Policy { past_due: Standing::Keep, unpaid: Standing::Keep, paused: Standing::Keep };
        let revoke = Policy {
            past_due: Standing::Revoke,
            unpaid: Standing::Revoke,
            paused: Standing::Revoke,
        };
        // In the order of `ALL`: by the alphabet.
        assert_eq!(grants(Policy::default()), [true, false, false, false, true, true, true, false]);
        assert_eq!(grants(keep), [true, false, false, false, true, true, true, true]);
        assert_eq!(grants(revoke), [true, false, false, false, false, false, true, false]);
    }
}
