//! The status of a subscription, and whether it grants the features.
//!
//! | status               | grants                      | evidence                             |
//! |----------------------|-----------------------------|--------------------------------------|
//! | `active`             | yes                         | Subscriptions overview: "When a subscription becomes `active`, Stripe creates an active entitlement for each feature" |
//! | `trialing`           | yes                         | documented as safe to provision; Stripe sends the event when a trial starts |
//! | `past_due`           | [`StatusPolicy::past_due`], default yes | documented: Stripe removes entitlements on cancellation only |
//! | `paused`             | [`StatusPolicy::paused`], default yes | observed: a trial that ends without a payment method removes nothing. Every other pause grants nothing, see [`pause`](super::pause) |
//! | `unpaid`             | [`StatusPolicy::unpaid`], default no | documented: "revoke access to your product" |
//! | `incomplete`         | no                          | it was never active                  |
//! | `incomplete_expired` | no                          | it was never active                  |
//! | `canceled`           | no                          | documented: entitlements are removed, and the event is sent |
//!
//! Stripe does not document its own behavior for the three statuses with a policy. The operator
//! decides.
//!
//! Specification: <https://docs.stripe.com/billing/subscriptions/overview#subscription-statuses>,
//! <https://docs.stripe.com/billing/entitlements>.

use serde::Serialize;

use crate::{
    json::string_enum,
    policy::{GrantRule, StatusPolicy},
};

string_enum! {
    /// The status of a subscription.
    #[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
    pub(crate) enum Status {
        Active = "active",
        Canceled = "canceled",
        Incomplete = "incomplete",
        IncompleteExpired = "incomplete_expired",
        PastDue = "past_due",
        Paused = "paused",
        Trialing = "trialing",
        Unpaid = "unpaid",
    }
}

impl Status {
    /// Whether it never changes again.
    pub(crate) fn is_final(self) -> bool {
        matches!(self, Self::Canceled | Self::IncompleteExpired)
    }

    /// Whether a subscription of this status grants its features.
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
        let grants = |policy| {
            Status::ALL.iter().map(|(_, status)| status.grants(policy)).collect::<Vec<_>>()
        };
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
        // In the order of `ALL`.
        assert_eq!(
            grants(StatusPolicy::default()),
            [true, false, false, false, true, true, true, false]
        );
        assert_eq!(grants(keep), [true, false, false, false, true, true, true, true]);
        assert_eq!(grants(revoke), [true, false, false, false, false, false, true, false]);
    }
}
