//! The sync status of a customer, as the customer index stores it.
//!
//! It shows failed tasks, how long ago the source was compared, and when the next override ends. The
//! ledger reports it only when it changes, and a mere confirmation at most once an hour. A report that is
//! not acknowledged stays a pending task. The activity travels in the same message, but is not sent again.

use std::collections::BTreeSet;

use serde::Serialize;

use super::activity::Activity;
use crate::{
    id::{LookupKey, Timestamp, UnixMillis},
    json::json_type,
};

/// How much later a confirmation must be than the reported one to cause a report, in milliseconds. The
/// customer index looks for sets without a confirmation for a day.
const CONFIRMATION_REPORT_INTERVAL: u64 = 60 * 60 * 1_000;

json_type! {
    /// The sync status of a customer.
    #[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
    pub struct SyncStatus {
        /// When the set was last confirmed by the source.
        pub confirmed_at: Option<UnixMillis>,
        /// The number of tasks with failed attempts.
        pub pending: u32,
        /// When the oldest of these tasks was created.
        pub pending_since: Option<UnixMillis>,
        /// A problem that requires operator action.
        pub problem: Option<SyncProblem>,
        /// When the first of the customer's overrides ends that have an end.
        pub next_override_end: Option<Timestamp>,
    }
}

json_type! {
    /// One report to the customer index.
    #[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
    pub struct StatusReport {
        /// The current sync status.
        pub status: SyncStatus,
        /// The features that appeared in the customer's sets since the last report.
        pub features: BTreeSet<LookupKey>,
    }

    /// One message to the customer index.
    #[derive(Clone, Debug, Eq, PartialEq, Serialize)]
    pub struct IndexMessage {
        /// The key of the customer, or that of a mode (`live:`) for a problem of its API key.
        pub key: String,
        /// The report, if one is pending.
        pub report: Option<StatusReport>,
        /// What happened since the last message, in order.
        pub activities: Vec<Activity>,
    }

    /// A failure of the source that requires operator action.
    #[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
    pub enum SyncProblem {
        /// The source rejects the API key.
        KeyRefused = "key_refused",
        /// The source does not know a customer for which it sent events.
        UnknownCustomer = "unknown_customer",
    }
}

impl SyncStatus {
    /// Whether a task has failed, or an operator must act.
    #[must_use]
    pub fn is_problem(&self) -> bool {
        self.pending > 0 || self.problem.is_some()
    }

    /// Returns whether the status differs enough from the last report to send a new one.
    pub(super) fn differs_from_reported(&self, reported: Option<Self>) -> bool {
        let Some(reported) = reported else { return true };
        let is_confirmed_later = match (self.confirmed_at, reported.confirmed_at) {
            (Some(at), Some(before)) => at.millis_since(before) >= CONFIRMATION_REPORT_INTERVAL,
            (at, before) => at != before,
        };
        is_confirmed_later || Self { confirmed_at: reported.confirmed_at, ..*self } != reported
    }
}
