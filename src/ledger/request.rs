//! The requests to a customer's ledger, and its responses.
//!
//! A request reaches a ledger in another process as JSON: `{"apply":{…}}`.

use serde::Serialize;

use super::{
    explanation::{ExplainQuery, ExplainReply},
    history::{HistoryPage, HistoryQuery},
    overrides::{OverrideReply, OverrideRequest},
    receipt::ApplyReceipt,
};
use crate::{
    entitlement::Summary,
    id::{CustomerKey, EventId, LookupKey, Timestamp},
    json::json_type,
};

json_type! {
    /// A request to a customer's ledger.
    #[derive(Clone, Debug, Eq, PartialEq, Serialize)]
    pub enum LedgerRequest {
        /// Apply an event.
        Apply(Summary) = "apply",
        /// Apply an event that the event poll has found.
        ApplyPolled(Summary) = "apply_polled",
        /// Note an event that cannot be read, and read the source.
        NoteUnreadable(UnreadableEvent) = "note_unreadable",
        /// Return the record, and read the source first if the record cannot answer for the features.
        Load {
            /// The customer.
            customer: CustomerKey,
            /// The features to answer for, or none for all.
            features: Vec<LookupKey>,
        } = "load",
        /// Read the source now.
        Sync {
            /// The customer.
            customer: CustomerKey,
            /// The condition that ends the sync early.
            wait_for: Option<WaitFor>,
        } = "sync",
        /// Compare the set with the source.
        Reconcile(CustomerKey) = "reconcile",
        /// Create, update, delete or return overrides.
        ManageOverrides(OverrideRequest) = "manage_overrides",
        /// Return a page of the history.
        ListHistory(HistoryQuery) = "list_history",
        /// Explain an answer. For an answer of now, read the source first as for a load.
        Explain(ExplainQuery) = "explain",
        /// Set the alarm again if tasks are pending and no alarm is set.
        Rearm = "rearm",
    }

    /// An event that cannot be read, except for these members.
    #[derive(Clone, Debug, Eq, PartialEq, Serialize)]
    pub struct UnreadableEvent {
        /// The customer.
        pub customer: CustomerKey,
        /// The event's id.
        pub event: EventId,
        /// The event's creation time.
        pub created: Timestamp,
    }

    /// The condition that ends a sync early.
    #[derive(Clone, Debug, Eq, PartialEq, Serialize)]
    pub struct WaitFor {
        /// The feature that must be granted.
        pub feature: LookupKey,
        /// The longest wait, in seconds.
        pub max_seconds: u32,
    }
}

/// The response to a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum LedgerResponse {
    /// The event is stored.
    Receipt(ApplyReceipt),
    /// The stored record is the response. The caller reads it before anything else can change it. If it
    /// has no source set, the source has no such customer, or there is no source.
    Set(SetOrigin),
    /// The source failed, for this reason. The stored record answers for what it decides.
    KnownPart(String),
    /// The result of a command for overrides.
    Overrides(OverrideReply),
    /// A page of the history.
    History(HistoryPage),
    /// The explanation.
    Explained(ExplainReply),
    /// The set was compared with the source.
    Reconciled {
        /// Whether they differed, and no event had announced that.
        drifted: bool,
    },
    /// The alarm is set.
    Rearmed,
    /// The source failed, for this reason, and the stored record decides nothing.
    SourceFailed(String),
    /// A newer release wrote the stored data, and this code may not use it as requested.
    NewerRelease,
}

/// Where a ledger found the set of a response.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SetOrigin {
    /// In its storage.
    Ledger,
    /// At the source, which was read for this response.
    Source,
}
