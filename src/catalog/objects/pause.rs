//! A pause of a subscription: why it is paused, and since when.
//!
//! A requested pause grants nothing: "your customer loses access". The end of a trial without a
//! payment method keeps the entitlements, unless the operator's policy says otherwise.
//!
//! Specification: <https://docs.stripe.com/billing/subscriptions/pause>.

use serde::Serialize;
use serde_json::{Value, json};

use crate::{id::Timestamp, json::json_type};

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
        TrialEnded = "trial_end_without_payment_method",
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
