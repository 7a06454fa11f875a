//! The history of a customer: each change of the record, with its cause.
//!
//! Each version has one entry. `added` and `removed` are lookup keys of the effective set: what the
//! source grants and overrides and default features add, without what is denied. A ledger keeps
//! [`HISTORY_RETENTION`] entries, and none longer than [`HISTORY_MAX_AGE`].

use serde::Serialize;

use super::{
    change::{ChangeNotification, KeyChange, SetChange},
    receipt::EventOrigin,
};
use crate::{
    entitlement::Version,
    id::{CustomerKey, EventId, OverrideId, Timestamp},
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
        /// What it changed in the source set, if that is not the same. Only an event or a read changes
        /// the source set: see [`Self::source_change()`].
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

impl ChangeCause {
    /// An event.
    #[must_use]
    pub fn of_event(origin: EventOrigin, event: &EventId) -> Self {
        let kind = match origin {
            EventOrigin::Delivery => CauseType::Event,
            EventOrigin::Poll => CauseType::Poll,
        };
        Self { kind, id: Some(event.to_string()), actor: None }
    }

    /// A read of the source.
    #[must_use]
    pub fn of_read(kind: CauseType) -> Self {
        Self { kind, id: None, actor: None }
    }

    /// An override, by this actor or by itself.
    #[must_use]
    pub fn of_override(kind: CauseType, id: &OverrideId, actor: Option<&str>) -> Self {
        Self { kind, id: Some(id.to_string()), actor: actor.map(str::to_owned) }
    }

    /// The setting of the default features.
    #[must_use]
    pub fn setting() -> Self {
        Self { kind: CauseType::Setting, id: None, actor: None }
    }
}

impl HistoryEntry {
    /// Returns what the entry changed in the source set; `None` if it cannot have changed it.
    #[must_use]
    pub fn source_change(&self) -> Option<&KeyChange> {
        match self.cause.kind {
            CauseType::Event | CauseType::Poll | CauseType::Read | CauseType::Reconcile => {
                Some(self.source_change.as_ref().unwrap_or(&self.change))
            }
            CauseType::Override
            | CauseType::OverrideStart
            | CauseType::OverrideEnd
            | CauseType::Setting => None,
        }
    }
}

impl HistoryQuery {
    /// Returns whether the entries are read from the oldest one on.
    #[must_use]
    pub fn reads_forward(&self) -> bool {
        self.after.is_some() && self.before.is_none()
    }

    /// Returns whether an entry is among those that the query asks for.
    #[must_use]
    pub fn matches(&self, entry: &HistoryEntry) -> bool {
        self.after.is_none_or(|after| entry.version > after)
            && self.before.is_none_or(|before| entry.version < before)
            && self.first.is_none_or(|first| entry.created >= first)
            && self.last.is_none_or(|last| entry.created <= last)
    }
}

/// Returns what a subscriber receives that has `since`: the changes after it, or only the current version
/// if one of them is not stored or was only counted. `stored` is in the order of versions.
#[must_use]
pub fn notifications_since(
    since: Version,
    current: Version,
    stored: &[HistoryEntry],
) -> Vec<ChangeNotification> {
    let mut next = since;
    let mut notifications = Vec::new();
    for entry in stored.iter().filter(|entry| entry.version > since) {
        next = next.next();
        match &entry.change {
            KeyChange::Keys { added, removed } if entry.version == next => {
                let (added, removed) = (added.clone(), removed.clone());
                let change = SetChange { version: entry.version, added, removed };
                notifications.push(ChangeNotification::Change(change));
            }
            KeyChange::Keys { .. } | KeyChange::Counts { .. } => {
                return vec![ChangeNotification::Version(current)];
            }
        }
    }
    // A client with a version later than the current one missed nothing.
    if next >= current { notifications } else { vec![ChangeNotification::Version(current)] }
}

/// Returns the first version that is kept, and the earliest time of an entry that is kept.
#[must_use]
pub fn retained_history(current: Version, now: Timestamp) -> (Version, Timestamp) {
    let first = Version(current.0.saturating_sub(HISTORY_RETENTION).saturating_add(1));
    (first, now.saturating_sub(HISTORY_MAX_AGE))
}
