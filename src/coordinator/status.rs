//! What a coordinator reports to `/healthz`.

use serde::Serialize;

use crate::{
    id::{Timestamp, UnixMillis},
    json::json_type,
    ledger::SyncProblem,
};

json_type! {
    /// The state of one mode.
    #[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
    pub struct CoordinatorStatus {
        /// The failed tasks of all customers, or `None` if the customer index is unavailable.
        pub backlog: Option<Backlog>,
        /// The event poll, or `None` if no poll runs.
        pub poll: Option<PollStatus>,
    }

    /// The failed tasks of all customers of one mode.
    #[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
    pub struct Backlog {
        /// The number of tasks with failed attempts.
        pub pending: u32,
        /// When the oldest of these tasks was created.
        pub pending_since: Option<UnixMillis>,
        /// A problem that requires operator action.
        pub problem: Option<SyncProblem>,
    }

    /// The state of the event poll.
    #[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
    pub struct PollStatus {
        /// When a pass was last completed.
        pub completed_at: Option<UnixMillis>,
        /// Whether no pass was completed for an hour.
        pub is_behind: bool,
        /// Why the last pass failed.
        pub failure: Option<PollFailure>,
        /// Events that may be missing.
        pub gap: Option<PollGap>,
        /// How many events of the last day only the poll has brought.
        pub found: u32,
        /// How many events could not be applied yet.
        pub retries: u32,
    }

    /// Why a pass of the poll failed.
    #[derive(Clone, Debug, Eq, PartialEq, Serialize)]
    pub enum PollFailure {
        /// Stripe rejects the API key.
        KeyRefused = "key_refused",
        /// The restricted key may not list events. Stripe's name of the permission, `rak_…`, if known.
        MissingPermission(Option<String>) = "missing_permission",
        /// Stripe cannot be read, or its response is not valid.
        Unavailable(String) = "unavailable",
    }

    /// A time from which events may be missing.
    #[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
    pub struct PollGap {
        /// When the gap was found. A ledger that was read later is not affected.
        pub found_at: Timestamp,
        /// How many customers were not read since then, if that was counted.
        pub unread: Option<u32>,
    }
}

impl PollFailure {
    /// Whether the operator must change the key or its permissions.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::KeyRefused | Self::MissingPermission(_) => true,
            Self::Unavailable(_) => false,
        }
    }
}
