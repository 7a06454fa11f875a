//! The history of a customer: each change of the record, with its cause.
//!
//! Each version has one entry. `added` and `removed` are lookup keys of the effective set: what the
//! source grants and overrides and default features add, without what is denied. A ledger keeps
//! [`HISTORY_RETENTION`] entries, and none longer than [`HISTORY_MAX_AGE`].

use serde::Serialize;

use super::change::KeyChange;
use crate::{
    entitlement::Version,
    id::{CustomerKey, Timestamp},
    json::json_type,
};

/// How many entries of a customer are kept.
pub const HISTORY_RETENTION: u64 = 1_000;

/// How long an entry is kept, in seconds: 400 days.
pub const HISTORY_MAX_AGE: i64 = 400 * 24 * 60 * 60;

json_type! {
    /// What caused a change.
    #[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
    pub enum CauseType {
        /// An event that was delivered.
        Event = "event",
        /// An event that the event poll has found.
        Poll = "poll",
        /// A read of the source for a request, or after an event.
        Read = "read",
        /// A read of the source that verifies the set.
        Reconcile = "reconcile",
        /// A request of an operator to create, update or delete an override.
        Override = "override",
        /// An override became active.
        OverrideStart = "override_start",
        /// An override expired.
        OverrideEnd = "override_end",
        /// The setting of the default features changed.
        Setting = "setting",
    }

    /// What caused a change, and who.
    #[derive(Clone, Debug, Eq, PartialEq, Serialize)]
    pub struct ChangeCause {
        /// The kind of cause.
        pub kind: CauseType,
        /// The id of the event or of the override.
        pub id: Option<String>,
        /// Who changed an override.
        pub actor: Option<String>,
    }

    /// One change of the record.
    #[derive(Clone, Debug, Eq, PartialEq, Serialize)]
    pub struct HistoryEntry {
        /// The version after the change.
        pub version: Version,
        /// When it took effect: an override's start or end, or when the ledger made it.
        pub created: Timestamp,
        /// What caused it.
        pub cause: ChangeCause,
        /// What it changed in the effective set.
        pub change: KeyChange,
        /// What it changed in the source set, if that is not the same.
        pub source_change: Option<KeyChange>,
    }

    /// A request for a page of the history, newest first.
    #[derive(Clone, Debug, Eq, PartialEq, Serialize)]
    pub struct HistoryQuery {
        /// The customer.
        pub customer: CustomerKey,
        /// Only entries after this version.
        pub after: Option<Version>,
        /// Only entries before this version.
        pub before: Option<Version>,
        /// Only entries that took effect at this time or later.
        pub first: Option<Timestamp>,
        /// Only entries that took effect at this time or earlier.
        pub last: Option<Timestamp>,
        /// The most entries. With `after` alone, these are the ones next to it.
        pub limit: u32,
    }

    /// A page of the history, newest first.
    #[derive(Clone, Debug, Eq, PartialEq, Serialize)]
    pub struct HistoryPage {
        /// The entries.
        pub entries: Vec<HistoryEntry>,
        /// Whether there are more in the direction of the query.
        pub has_more: bool,
        /// The oldest version that is kept; `None` if there is no entry.
        pub complete_since: Option<Version>,
    }
}
