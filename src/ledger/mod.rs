//! What is held + what came in → what changes, and what is owed to others since.
//!
//! | file      | holds                                                                          |
//! |-----------|--------------------------------------------------------------------------------|
//! | `rules`   | what one event or the source's list makes of a set: [`apply()`], [`replace()`] |
//! | `outbox`  | what is owed to others, since when, and when it is tried next: [`Outbox`]      |
//! | `finding` | what the source says, and what it comes to: [`Told`], [`Finding`]              |
//! | `standing` | where a customer stands, as others have to know: [`Standing`], [`Report`]     |
//! | `seen`    | which features came in its sets, and which of them others know: [`Seen`]       |
//! | `change`  | what a version changed, for those who listen: [`Change`], [`Notice`]           |
//! | `activity` | what was decided, for those who look: [`Activity`]                            |
//! | `account` | all that is kept of one customer, and its steps: [`Account`]                   |
//!
//! No step here reads a clock or a store, and none is left half done: whoever keeps the ledger loads
//! the account, takes one step, and writes the account down in one transaction. What takes time (a
//! read of the source, a write of the replica) has a step before it and one after it, and anything
//! may happen in between.

mod activity;
mod change;
mod observed_features;
mod outbox;
mod reconcile;
mod rules;
mod state;
mod sync_status;

pub use self::{
    activity::{ACTIVITY_RETENTION, Activity, ActivityKind},
    change::{CHANGE_RETENTION, ChangeNotification, MAX_CHANGE_BYTES, SetChange, changes_since},
    observed_features::ObservedFeatures,
    outbox::{Jitter, Outbox, PendingTask, Task},
    reconcile::{Drift, ReadReason, Reconciliation, SourceRead, SourceState},
    rules::{Dedup, EVENT_RETENTION, Error, SetUpdate, apply, replace},
    state::{ApplyOutcome, ApplyReceipt, LedgerState, SourceAccess},
    sync_status::{StatusReport, SyncProblem, SyncStatus},
};
