//! The requests to a coordinator, and its responses.
//!
//! A request reaches a coordinator in another process as JSON. `entry.js` sends `"arm"` itself.

use std::collections::BTreeSet;

use serde::Serialize;

use super::status::CoordinatorStatus;
use crate::{
    id::{LookupKey, UnixMillis},
    json::json_type,
    ledger::ReadPriority,
};

json_type! {
    /// A request to a coordinator.
    #[derive(Clone, Debug, Eq, PartialEq, Serialize)]
    pub enum CoordinatorRequest {
        /// Set the alarm, if it is lost.
        Arm = "arm",
        /// Return the status. A new problem is in its backlog after about a minute.
        Status = "status",
        /// Add up the customer index, and return the status.
        FreshStatus = "fresh_status",
        /// A shard of the customer index has a problem: add up the index soon.
        SurveySoon = "survey_soon",
        /// Poll for events now.
        PollSoon = "poll_soon",
        /// Return when a read of Stripe may start.
        ReserveRead(ReadPriority) = "reserve_read",
        /// Return when so many routine reads of Stripe may start.
        ReserveRoutineReads(u32) = "reserve_routine_reads",
        /// Stripe has limited the rate.
        RateLimited = "rate_limited",
        /// Store features that the customer index observed.
        AddFeatures(BTreeSet<LookupKey>) = "add_features",
        /// Return the lookup keys of the features that were observed.
        Features = "features",
    }
}

/// The response to a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum CoordinatorResponse {
    /// The request is carried out.
    Done,
    /// The status.
    Status(CoordinatorStatus),
    /// When the read may start.
    Slot(UnixMillis),
    /// When each of several reads may start, in order.
    Slots(Vec<UnixMillis>),
    /// Lookup keys, in order.
    Features(BTreeSet<LookupKey>),
    /// A newer release wrote the storage: nothing is stored.
    NewerRelease,
}
