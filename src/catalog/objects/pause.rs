//! A pause of a subscription: why it is paused, and since when; and a pause of its collection.
//!
//! | Stripe's reason                    | in the catalog                          | grants the features |
//! |------------------------------------|-----------------------------------------|---------------------|
//! | `pause_requested`                  | a request                               | no: "your customer loses access" |
//! | `first_payment_failure`            | [`PauseOnPaymentFailure::First`]        | no                  |
//! | `final_payment_failure`            | [`PauseOnPaymentFailure::Final`]        | no                  |
//! | `trial_end_without_payment_method` | the end of a trial                      | [`StatusPolicy::paused`] |
//! | `system`                           | never: Stripe's own decision            |                     |
//!
//! A resume that requires a payment waits for one: see [`PendingResume`].
//!
//! [`PauseOnPaymentFailure::First`]: crate::policy::PauseOnPaymentFailure::First
//! [`PauseOnPaymentFailure::Final`]: crate::policy::PauseOnPaymentFailure::Final
//! [`StatusPolicy::paused`]: crate::policy::StatusPolicy::paused
//!
//! Specification: <https://docs.stripe.com/billing/subscriptions/pause>.

use serde::Serialize;
use serde_json::{Value, json};

use crate::{catalog::objects::calendar::SECONDS_PER_DAY, id::Timestamp, json::json_type};

/// How long a resume waits for its payment, in seconds: a year, as at Stripe.
const RESUME_WINDOW: i64 = 365 * SECONDS_PER_DAY;

json_type! {
    /// A pause of a subscription.
    #[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
    pub(crate) struct Pause {
        pub(crate) reason: PauseReason,
        pub(crate) since: Timestamp,
    }

    /// Stripe's `status_details.paused.subscription.type`.
    #[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
    pub(crate) enum PauseReason {
        Requested = "pause_requested",
        FirstPaymentFailure = "first_payment_failure",
        FinalPaymentFailure = "final_payment_failure",
        TrialEnded = "trial_end_without_payment_method",
    }

    /// A resume that was requested, and whose payment has not succeeded yet.
    #[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
    pub(crate) struct PendingResume {
        pub(crate) requested_at: Timestamp,
        /// Whether its period starts when the payment succeeds.
        pub(crate) resets_cycle: bool,
    }

    /// Invoices are not collected for a while. The status stays.
    #[derive(Clone, Debug, Eq, PartialEq, Serialize)]
    pub(crate) struct PauseCollection {
        pub(crate) behavior: String,
        pub(crate) resumes_at: Option<Timestamp>,
    }
}

impl PauseReason {
    /// Whether the features depend on the operator's policy. Every other pause grants nothing.
    pub(crate) fn follows_policy(self) -> bool {
        match self {
            Self::TrialEnded => true,
            Self::Requested | Self::FirstPaymentFailure | Self::FinalPaymentFailure => false,
        }
    }
}

impl PendingResume {
    /// Whether a payment still resumes the subscription.
    pub(crate) fn is_valid(self, now: Timestamp) -> bool {
        now < self.requested_at.saturating_add(RESUME_WINDOW)
    }
}

impl Pause {
    /// Stripe's `status_details`.
    pub(crate) fn to_status_details(self) -> Value {
        json!({
            "paused": {
                "subscription": { "type": self.reason },
                "transitioned_at": self.since,
                "type": "subscription",
            },
        })
    }
}
