//! Whether the status of a subscription grants features, and which setting decides that.
//!
//! | status                         | with Stripe                        | with the catalog                   |
//! |--------------------------------|------------------------------------|------------------------------------|
//! | `paused` by the end of a trial | [`PAUSED_SUBSCRIPTIONS`]           | [`PAUSED_SUBSCRIPTIONS`]           |
//! | `past_due`, `unpaid`           | Stripe decides                     | [`PAST_DUE_SUBSCRIPTIONS`], [`UNPAID_SUBSCRIPTIONS`] |
//! | any other `paused`             | no                                 | no                                 |
//! | `incomplete`, `incomplete_expired`, `canceled` | no                 | no                                 |
//! | `active`, `trialing`           | yes                                | yes                                |
//!
//! The statuses with their evidence are in `catalog::objects::status`.

use serde::Serialize;

use crate::{
    api::settings::{PAST_DUE_SUBSCRIPTIONS, PAUSED_SUBSCRIPTIONS, Settings, UNPAID_SUBSCRIPTIONS},
    policy::{GrantRule, SourcePolicy, StatusPolicy},
    source::FeatureSubscription,
};

/// The setting that decides, and its value.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub(super) struct DecidingSetting {
    name: &'static str,
    value: GrantRule,
}

/// What a status means.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct StatusRule {
    /// Whether a subscription of the status grants features.
    pub(super) may_grant: bool,
    /// The setting that decides it.
    pub(super) setting: Option<DecidingSetting>,
}

impl StatusRule {
    /// The rule for the status of a subscription.
    pub(super) fn of(settings: &Settings, subscription: &FeatureSubscription) -> Self {
        let FeatureSubscription { status, is_trial_pause, .. } = subscription;
        let by_setting = |name, value| Self {
            may_grant: value == GrantRule::Keep,
            setting: Some(DecidingSetting { name, value }),
        };
        match (status.as_str(), settings.source_policy()) {
            (
                "paused",
                SourcePolicy::Stripe(paused) | SourcePolicy::Catalog(StatusPolicy { paused, .. }),
            ) if *is_trial_pause => by_setting(PAUSED_SUBSCRIPTIONS, paused),
            ("past_due", SourcePolicy::Catalog(policy)) => {
                by_setting(PAST_DUE_SUBSCRIPTIONS, policy.past_due)
            }
            ("unpaid", SourcePolicy::Catalog(policy)) => {
                by_setting(UNPAID_SUBSCRIPTIONS, policy.unpaid)
            }
            ("paused" | "canceled" | "incomplete" | "incomplete_expired", _) => {
                Self { may_grant: false, setting: None }
            }
            // With Stripe, the source set shows what another status grants.
            _ => Self { may_grant: true, setting: None },
        }
    }
}
