//! The state of one customer's ledger, and the steps that change it.
//!
//! | event                                | step                                                    |
//! |--------------------------------------|---------------------------------------------------------|
//! | time has passed                      | [`LedgerState::advance()`], before each other step      |
//! | a webhook event arrived              | [`LedgerState::apply_event()`]                          |
//! | an operator changes an override      | [`LedgerState::change_overrides()`]                     |
//! | a read of the source starts          | [`LedgerState::begin_source_read()`]                    |
//! | the source responded or failed       | [`LedgerState::apply_source_list()`], [`LedgerState::source_failed()`] |
//! | the source cannot be read any more   | [`LedgerState::cancel_source_tasks()`]                  |
//! | the set needs a confirmation         | [`LedgerState::schedule_reconcile()`], [`LedgerState::reconcile_if_due()`] |
//! | a background read has a later slot   | [`LedgerState::defer_reads()`]                          |
//! | a background read is late            | [`LedgerState::spread_late_reads()`]                    |
//! | a write of the replica starts        | [`LedgerState::begin_replica_write()`]                  |
//! | the write succeeded or failed        | [`LedgerState::replica_write_succeeded()`], [`LedgerState::replica_write_failed()`] |
//! | a report to the customer index starts | [`LedgerState::begin_report()`]                        |
//! | the report succeeded or failed       | [`LedgerState::report_succeeded()`], [`LedgerState::report_failed()`] |
//!
//! Three rules span two steps:
//!
//! - A source list is discarded if an event arrived during the read: it may be older than the event.
//! - A successful write of the replica does not complete its task if the set changed meanwhile, or if
//!   an earlier failed write may still take effect.
//! - A status report stays pending until the customer index acknowledges it.
//!
//! The steps of a read of the source are in `source_steps`. Not here: the event ids for deduplication,
//! which the caller stores.

use super::{
    change::KeyChange,
    history::ChangeCause,
    index_reports::IndexReports,
    outbox::{Jitter, Outbox, Task},
    override_commands,
    overrides::{OverrideCommand, OverrideReply, StoredOverride},
    receipt::{AppliedEvent, ApplyOutcome, ApplyReceipt, EventOrigin},
    reconcile::SourceAccess,
    reconcile_timer::ReconcileTimer,
    replica_writes::{ReplicaWrite, ReplicaWrites},
    rules::{self, Dedup, Error, SetUpdate},
    sync_status::{StatusReport, SyncProblem, SyncStatus},
    versioned_record::VersionedRecord,
};
use crate::{
    entitlement::{SourceSet, Summary, SummaryPage, Version},
    id::{LookupKey, Timestamp, UnixMillis},
    policy::SourcePolicy,
};

/// The pause between a customer's last event and the confirmation of its set, in milliseconds.
const CONFIRM_DEBOUNCE: u64 = 2_000;

/// How long a series of events can postpone the confirmation, in milliseconds.
const MAX_CONFIRM_DEBOUNCE: u64 = 10_000;

/// The state of one customer's ledger, except for the ids of its events.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct LedgerState {
    /// The record of the customer, and what its changes need.
    pub record: VersionedRecord,
    /// When the source set was last equal to the source's list.
    pub confirmed_at: Option<UnixMillis>,
    /// The number of events received, without duplicates.
    pub events_received: u64,
    /// The creation of the newest event that deleted the customer.
    pub deleted_at: Option<Timestamp>,
    /// The writes of the replica.
    pub replica_writes: ReplicaWrites,
    /// When the set is read again without any other reason.
    pub reconcile_timer: ReconcileTimer,
    /// Until when the source must not be read, as it requested.
    pub source_backoff_until: UnixMillis,
    /// The time of the slot that was reserved for the next background read.
    pub read_slot: Option<UnixMillis>,
    /// A problem of the source that requires operator action.
    pub sync_problem: Option<SyncProblem>,
    /// The reports to the customer index.
    pub index_reports: IndexReports,
    /// The pending tasks.
    pub outbox: Outbox,
}

impl LedgerState {
    /// Returns the version of the current record.
    #[must_use]
    pub fn version(&self) -> Version {
        self.record.version()
    }

    /// Carries out what is due: starts and ends of overrides, and a change of the default features.
    pub fn advance(&mut self, default_features: &[LookupKey], now: UnixMillis) {
        let before = self.version();
        self.record.advance(default_features, now.to_timestamp());
        if self.version() != before {
            self.record_changed(now);
        }
    }

    /// Discards what [`Self::advance()`] noted, if nothing is stored about the customer.
    pub fn end_step(&mut self) {
        if self.is_unknown() {
            self.record = VersionedRecord::default();
        }
    }

    /// Carries out a command of an operator. `existing` is the override of the command, or the one that was
    /// created with its idempotency key. `None` for a command that changes nothing.
    pub fn change_overrides(
        &mut self,
        command: &OverrideCommand,
        existing: Option<&StoredOverride>,
        now: UnixMillis,
    ) -> Option<OverrideReply> {
        let (before, at) = (self.version(), now.to_timestamp());
        let reply = override_commands::carry_out(&mut self.record, command, existing, at);
        if self.version() != before {
            self.record_changed(now);
        }
        reply
    }

    /// Applies an event.
    ///
    /// # Errors
    ///
    /// When the new set would be too large: the state is unchanged.
    pub fn apply_event(
        &mut self,
        summary: &Summary,
        (dedup, origin): (Dedup, EventOrigin),
        access: SourceAccess,
        policy: SourcePolicy,
        now: UnixMillis,
    ) -> Result<AppliedEvent, Error> {
        if dedup == Dedup::Duplicate {
            return Ok(self.applied(ApplyOutcome::Duplicate, None));
        }
        let known = self.known_set(policy);
        let is_deletion = summary.page == Some(SummaryPage::Deleted);
        let is_not_after =
            |at: Option<Timestamp>| known.is_some() && at.is_some_and(|at| summary.created <= at);
        // A list that was read in the second of the event, or later, most likely includes the event.
        // The list is read again to be certain. A list in an event of the second of a deletion is older.
        let is_stale = access == SourceAccess::Available
            && is_not_after(self.confirmed_at.map(UnixMillis::to_timestamp))
            || !is_deletion && is_not_after(self.deleted_at);
        let tie = known.is_some_and(|set| summary.created == set.as_of);
        let update = if is_stale {
            SetUpdate::Stale
        } else {
            rules::apply(self.record.source(), dedup, summary, policy)?
        };
        self.events_received = self.events_received.saturating_add(1);
        self.reconcile_timer.note_change(now);
        let (outcome, change) = match update {
            _ if summary.page.is_none() => (ApplyOutcome::Deferred, None),
            SetUpdate::Changed(set) => {
                self.deleted_at = is_deletion.then_some(summary.created);
                let cause = ChangeCause::of_event(origin, &summary.event);
                (ApplyOutcome::Applied, Some(self.replace_set(set, cause, now)))
            }
            SetUpdate::Unchanged(set) => {
                self.deleted_at = is_deletion.then_some(summary.created);
                self.confirm_set(set, now);
                (ApplyOutcome::Unchanged, None)
            }
            SetUpdate::Duplicate => (ApplyOutcome::Duplicate, None),
            SetUpdate::Stale => (ApplyOutcome::Stale, None),
        };
        if access == SourceAccess::Available {
            if !summary.is_complete() || tie || outcome == ApplyOutcome::Stale {
                self.outbox.schedule(Task::Read, now, now);
            }
            self.outbox.debounce(Task::Confirm, CONFIRM_DEBOUNCE, MAX_CONFIRM_DEBOUNCE, now);
            self.apply_backoff();
        }
        self.schedule_report_if_changed(now);
        Ok(self.applied(outcome, change))
    }

    /// Starts a write of the replica, or returns `None` if none is pending.
    pub fn begin_replica_write(&mut self, now: UnixMillis) -> Option<ReplicaWrite> {
        self.outbox.pending(Task::Replica)?;
        self.replica_writes.begin(&mut self.outbox, now);
        self.record.to_write()
    }

    /// Records that the replica has this record.
    pub fn replica_write_succeeded(&mut self, written: ReplicaWrite, now: UnixMillis) {
        let current = self.record.to_write();
        self.replica_writes.succeeded(&mut self.outbox, written, current, now);
        self.schedule_report_if_changed(now);
    }

    /// Records that a write of the replica failed. It may have taken effect all the same.
    pub fn replica_write_failed(&mut self, now: UnixMillis, jitter: Jitter) {
        self.replica_writes.failed(&mut self.outbox, now, jitter);
        self.schedule_report_if_changed(now);
    }

    /// Starts a report to the customer index, or returns `None` if there is nothing to report.
    pub fn begin_report(&mut self) -> Option<StatusReport> {
        let status = self.sync_status();
        self.index_reports.begin(&mut self.outbox, status)
    }

    /// Records that the customer index acknowledged the report.
    pub fn report_succeeded(&mut self, report: &StatusReport, now: UnixMillis) {
        self.index_reports.succeeded(&mut self.outbox, report);
        self.schedule_report_if_changed(now);
    }

    /// Records that a report failed. It may have taken effect all the same.
    pub fn report_failed(&mut self, now: UnixMillis, jitter: Jitter) {
        self.outbox.back_off(Task::Report, now, jitter);
    }

    /// Returns the source set, unless it is of another source: then nothing is known of it.
    #[must_use]
    pub fn known_set(&self, policy: SourcePolicy) -> Option<&SourceSet> {
        self.record.source().filter(|set| set.policy.has_same_source(policy))
    }

    fn applied(&self, outcome: ApplyOutcome, change: Option<KeyChange>) -> AppliedEvent {
        AppliedEvent { receipt: ApplyReceipt { outcome, version: self.version() }, change }
    }

    /// Stores the same set as of a later time, perhaps under another policy.
    pub(super) fn confirm_set(&mut self, set: SourceSet, now: UnixMillis) {
        let is_other_policy = self.record.source().map(|set| set.policy) != Some(set.policy);
        self.record.confirm_source(set);
        if is_other_policy {
            let record = self.record.entitlements.as_ref();
            self.replica_writes.follow(&mut self.outbox, record, now);
        }
    }

    /// Stores a source set with a new version, and returns what changed in the effective set.
    pub(super) fn replace_set(
        &mut self,
        set: SourceSet,
        cause: ChangeCause,
        now: UnixMillis,
    ) -> KeyChange {
        self.reconcile_timer.note_change(now);
        self.index_reports.observed_features.record(set.data.iter().map(|grant| &grant.lookup_key));
        let change = self.record.replace_source(set, cause, now.to_timestamp());
        self.record_changed(now);
        change
    }

    /// Lets the replica and the customer index follow a new version.
    fn record_changed(&mut self, now: UnixMillis) {
        self.index_reports.observed_features.record(self.record.local_features());
        let record = self.record.entitlements.as_ref();
        self.replica_writes.follow(&mut self.outbox, record, now);
        self.schedule_report_if_changed(now);
    }

    /// Returns whether nothing was ever received for the customer, nor any override made, so that nothing
    /// is stored.
    pub(super) fn is_unknown(&self) -> bool {
        self.record.entitlements.is_none() && self.events_received == 0
    }

    pub(super) fn apply_backoff(&mut self) {
        let not_before = self.source_backoff_until.max(self.read_slot.unwrap_or_default());
        self.outbox.defer_until(Task::Read, not_before);
        self.outbox.defer_until(Task::Confirm, not_before);
    }

    pub(super) fn schedule_report_if_changed(&mut self, now: UnixMillis) {
        let status = self.sync_status();
        self.index_reports.schedule_if_changed(&mut self.outbox, status, now);
    }

    fn sync_status(&self) -> SyncStatus {
        let (pending, pending_since) = self.outbox.failed_tasks();
        SyncStatus {
            confirmed_at: self.confirmed_at,
            pending,
            pending_since,
            problem: self.sync_problem,
            next_override_end: self.record.next_override_end(),
        }
    }
}
