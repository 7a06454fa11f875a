//! The requests to a coordinator, and its responses.
//!
//! A request reaches a coordinator in another process as JSON. `entry.js` sends `"arm"` itself.

use serde::Serialize;

use super::status::CoordinatorStatus;
use crate::{id::UnixMillis, json::json_type, ledger::ReadPriority};

json_type! {
    /// A request to a coordinator.
    #[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
    pub enum CoordinatorRequest {
        /// Set the alarm, if it is lost.
        Arm = "arm",
        /// Return the status. The backlog is at most about a minute old.
        Status = "status",
        /// Add up the customer index, and return the status.
        FreshStatus = "fresh_status",
        /// Poll for events now.
        PollSoon = "poll_soon",
        /// Return when a read of Stripe may start.
        ReserveRead(ReadPriority) = "reserve_read",
        /// Stripe has limited the rate.
        RateLimited = "rate_limited",
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
}
