//! The state of one customer: current state + input → new state and pending tasks.
//!
//! | file                | content                                                              |
//! |---------------------|----------------------------------------------------------------------|
//! | `rules`             | how an event or a source list changes a set: [`apply()`], [`replace()`] |
//! | `reconcile`         | the response of the source and its result: [`SourceState`], [`Reconciliation`] |
//! | `outbox`            | pending tasks and their retries: [`Outbox`]                          |
//! | `replica_writes`    | when the replica is written, and again: [`ReplicaWrites`]            |
//! | `reconcile_timer`   | when the set is read again without a reason: [`ReconcileTimer`]      |
//! | `sync_status`       | the status that the customer index stores: [`SyncStatus`]            |
//! | `observed_features` | the features of all sets of a customer: [`ObservedFeatures`]         |
//! | `index_reports`     | when both are reported to the customer index: [`IndexReports`]       |
//! | `receipt`           | the result of an event: [`ApplyReceipt`]                             |
//! | `activity`          | decisions, for operators to read: [`Activity`]                       |
//! | `change`            | what changed in the effective set: [`KeyChange`], [`SetChange`]      |
//! | `history`           | each change of the record, with its cause: [`HistoryEntry`]          |
//! | `overrides`         | the overrides of a customer: [`Override`], [`OverrideCommand`]       |
//! | `versioned_record`  | the record, its versions and its history: [`VersionedRecord`]        |
//! | `override_commands` | what a request of an operator changes in the overrides               |
//! | `explanation`       | why a feature is or was granted: [`explain()`]                       |
//! | `state`             | the state of one customer and its steps: [`LedgerState`]             |
//! | `source_steps`      | the steps of a read of the source                                    |
//! | `request`           | requests to a ledger and its responses: [`LedgerRequest`]            |
//! | `ports`             | what a process needs from its platform: [`LedgerPorts`]              |
//! | `process`           | the order of steps, waiting and retries: [`LedgerProcess`]           |
//!
//! A step reads no clock and no store. The process loads the state, runs one step, and stores the
//! state in one transaction. A slow operation (a read of the source, a write of the replica) has one
//! step before it and one after it. Other steps may run in between.
//!
//! Not here: I/O, which the platform does.

mod rules;

mod reconcile;

mod outbox;

mod replica_writes;

mod reconcile_timer;

mod sync_status;

mod observed_features;

mod index_reports;

mod receipt;

mod state;

mod source_steps;

mod change;

mod history;

mod overrides;

mod versioned_record;

mod override_commands;

mod explanation;

mod activity;

mod request;

mod ports;

mod process;

pub use self::{
    activity::{Activity, ActivityKind, ActivityOutcome},
    change::{ChangeNotification, KeyChange, SetChange, source_difference},
    explanation::{
        Evidence, ExplainQuery, ExplainReply, Explanation, FeatureChange, FeatureHistoryEntry,
        KeyEffect, SourceEvidence, explain,
    },
    history::{
        CauseType, ChangeCause, HISTORY_MAX_AGE, HISTORY_RETENTION, HistoryEntry, HistoryPage,
        HistoryQuery, notifications_since, retained_history,
    },
    index_reports::IndexReports,
    observed_features::ObservedFeatures,
    outbox::{Jitter, Outbox, PendingTask, Task},
    overrides::{
        MAX_OVERRIDES, MAX_STORED_OVERRIDES, NewOverride, OVERRIDE_IDEMPOTENCY_RETENTION,
        OVERRIDE_RETENTION, Override, OverrideCommand, OverrideDeletion, OverrideEnd,
        OverrideIdempotency, OverrideRefusal, OverrideReply, OverrideRequest, OverrideSelection,
        OverrideUpdate, StoredOverride,
    },
    ports::{
        LedgerPorts, LedgerStorage, LogLevel, NotFoundAdvice, PortError, SourceFailure, StepError,
    },
    process::LedgerProcess,
    receipt::{AppliedEvent, ApplyOutcome, ApplyReceipt, EventOrigin},
    reconcile::{ReadPriority, ReadReason, Reconciliation, SourceAccess, SourceRead, SourceState},
    reconcile_timer::ReconcileTimer,
    replica_writes::{ReplicaWrite, ReplicaWrites},
    request::{LedgerRequest, LedgerResponse, SetOrigin, UnreadableEvent, WaitFor},
    rules::{Dedup, EVENT_RETENTION, Error, SetUpdate, apply, replace},
    state::LedgerState,
    sync_status::{IndexMessage, StatusReport, SyncProblem, SyncStatus},
    versioned_record::{UnsavedRows, VersionedRecord},
};
