//! Reconciliation with the source: what the source returns, and the result of the comparison.
//!
//! The comparison itself is [`LedgerState::apply_source_list()`](super::LedgerState::apply_source_list).

use serde::Serialize;

use super::change::KeyChange;
use crate::{entitlement::ActiveEntitlement, json::json_type, policy::SourcePolicy};

/// Whether the ledger can read the source.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SourceAccess {
    /// The source cannot be read. Events are the only input.
    None,
    /// The source is read after events, and its list wins.
    Available,
}

/// A read of the source in progress: how many events had arrived when it started, and the source and
/// policy under which it reads.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SourceRead {
    pub(super) events_received: u64,
    pub(super) policy: SourcePolicy,
}

/// What the source returns for a customer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SourceState {
    /// The complete list of the customer's entitlements.
    List(Vec<ActiveEntitlement>),
    /// The customer was deleted and has no entitlements.
    Deleted,
    /// The source has no such customer.
    NotFound,
}

/// Why the source is read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ReadReason {
    /// To verify the current set: a difference is drift.
    Reconcile,
    /// To answer a request: a difference may be an event that is still in flight.
    OnDemand,
}

json_type! {
    /// Which part of the source's budget a read uses.
    #[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
    pub enum ReadPriority {
        /// No caller waits for the read, and an event or a failure is the reason for it.
        Background = "background",
        /// The set is read without any other reason than its age.
        Routine = "routine",
        /// A caller waits for the read.
        Interactive = "interactive",
    }
}

impl ReadPriority {
    /// The latest slot of a read that a caller waits for, in milliseconds from now. The caller needs time
    /// for the read itself.
    pub const MAX_CALLER_DELAY: u64 = 8_000;
}

/// The result of a read of the source.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Reconciliation {
    /// The current set was correct. Nothing changed.
    InSync,
    /// The set was corrected. A difference was expected: after a tie, a late event or a truncated page,
    /// or in a read for a request.
    Corrected(KeyChange),
    /// The set was corrected. No event had announced the difference.
    Drifted(KeyChange),
    /// An event arrived during the read, so the list may be outdated. Nothing changed.
    Superseded,
    /// Neither the source nor the ledger knows the customer.
    UnknownCustomer,
    /// The source does not know the customer, but the ledger has entitlements. Nothing changed: the
    /// key may belong to another account.
    NotFoundAtSource,
}
