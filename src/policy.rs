//! The operator's settings for the subscription statuses: which ones grant features.
//!
//! | type             | what it is                                                       |
//! |------------------|------------------------------------------------------------------|
//! | [`StatusPolicy`] | the rules of the catalog                                         |
//! | [`SourcePolicy`] | the source of a set, and the rules under which the set was read  |
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

/// The source of a set, and the status policy under which the set was read. A set that was read under
/// another one is read again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SourcePolicy {
    /// Stripe, with the rule for paused subscriptions.
    Stripe(GrantRule),
    /// The catalog.
    Catalog(StatusPolicy),
}

impl Default for SourcePolicy {
    fn default() -> Self {
        Self::Stripe(GrantRule::Keep)
    }
}

impl SourcePolicy {
    /// Returns whether both have the same source, perhaps with another status policy.
    #[must_use]
    pub fn has_same_source(self, other: Self) -> bool {
        match (self, other) {
            (Self::Stripe(_), Self::Stripe(_)) | (Self::Catalog(_), Self::Catalog(_)) => true,
            (Self::Stripe(_), Self::Catalog(_)) | (Self::Catalog(_), Self::Stripe(_)) => false,
        }
    }

    /// The name in a record: the source, and the rules in the order of the fields.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        use GrantRule::{Keep, Revoke};
        match self {
            Self::Stripe(Keep) => "stripe/keep",
            Self::Stripe(Revoke) => "stripe/revoke",
            Self::Catalog(StatusPolicy { past_due, unpaid, paused }) => {
                match (past_due, unpaid, paused) {
                    (Keep, Keep, Keep) => "catalog/keep,keep,keep",
                    (Keep, Keep, Revoke) => "catalog/keep,keep,revoke",
                    (Keep, Revoke, Keep) => "catalog/keep,revoke,keep",
                    (Keep, Revoke, Revoke) => "catalog/keep,revoke,revoke",
                    (Revoke, Keep, Keep) => "catalog/revoke,keep,keep",
                    (Revoke, Keep, Revoke) => "catalog/revoke,keep,revoke",
                    (Revoke, Revoke, Keep) => "catalog/revoke,revoke,keep",
                    (Revoke, Revoke, Revoke) => "catalog/revoke,revoke,revoke",
                }
            }
        }
    }

    /// Parses a name of [`Self::as_str()`].
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let rule = |name| match name {
            "keep" => Some(GrantRule::Keep),
            "revoke" => Some(GrantRule::Revoke),
            _ => None,
        };
        match name.split_once('/')? {
            ("stripe", paused) => Some(Self::Stripe(rule(paused)?)),
            ("catalog", rules) => {
                let mut rules = rules.split(',').map(rule);
                let mut next = || rules.next().flatten();
                let policy = StatusPolicy { past_due: next()?, unpaid: next()?, paused: next()? };
                rules.next().is_none().then_some(Self::Catalog(policy))
            }
            _ => None,
        }
    }
}
