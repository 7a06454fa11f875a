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
    json::impl_from_json,
    policy::{GrantRule, StatusPolicy},
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

impl_from_json! {
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

    pub(crate) fn as_str(self) -> &'static str {
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
    pub(crate) fn grants(self, policy: StatusPolicy) -> bool {
        match self {
            Self::Active | Self::Trialing => true,
            Self::PastDue => policy.past_due == GrantRule::Keep,
            Self::Paused => policy.paused == GrantRule::Keep,
            Self::Unpaid => policy.unpaid == GrantRule::Keep,
            Self::Incomplete | Self::IncompleteExpired | Self::Canceled => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_grants_as_documented_in_the_table() {
        let grants = |policy| Status::ALL.map(|status| status.grants(policy));
        let keep = StatusPolicy {
            past_due: GrantRule::Keep,
            unpaid: GrantRule::Keep,
            paused: GrantRule::Keep,
        };
        let revoke = StatusPolicy {
            past_due: GrantRule::Revoke,
            unpaid: GrantRule::Revoke,
            paused: GrantRule::Revoke,
        };
        // In the order of `ALL`: by the alphabet.
        assert_eq!(
            grants(StatusPolicy::default()),
            [true, false, false, false, true, true, true, false]
        );
        assert_eq!(grants(keep), [true, false, false, false, true, true, true, true]);
        assert_eq!(grants(revoke), [true, false, false, false, false, false, true, false]);
    }
}
