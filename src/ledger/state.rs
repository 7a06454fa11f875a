//! The state of one customer's ledger, and the steps that change it.
//!
//! | event                                | step                                                    |
//! |--------------------------------------|---------------------------------------------------------|
//! | a webhook event arrived              | [`LedgerState::apply_event()`]                          |
//! | a read of the source starts          | [`LedgerState::begin_source_read()`]                    |
//! | the source responded or failed       | [`LedgerState::apply_source_list()`], [`LedgerState::source_failed()`] |
//! | the source cannot be read any more   | [`LedgerState::cancel_source_tasks()`]                  |
//! | the set needs a confirmation         | [`LedgerState::schedule_reconcile()`]                   |
//! | a background read has a later slot   | [`LedgerState::defer_reads()`]                          |
//! | a write of the replica starts        | [`LedgerState::begin_replica_write()`]                  |
//! | the write succeeded or failed        | [`LedgerState::replica_write_succeeded()`], [`LedgerState::replica_write_failed()`] |
//! | a report to the customer index starts | [`LedgerState::begin_report()`]                        |
//! | the report succeeded or failed       | [`LedgerState::report_succeeded()`], [`LedgerState::report_failed()`] |
//!
//! Three rules span two steps:
//!
//! - A source list is discarded if an event arrived during the read. The list may be older than the
//!   event.
//! - A successful write of the replica does not complete its task if the set changed meanwhile. Nor
//!   does it if an earlier failed write may still take effect later.
//! - A status report stays pending until the customer index acknowledges it.
//!
//! Not here: the event ids for deduplication, which the caller stores.

use super::{
    observed_features::ObservedFeatures,
    outbox::{Jitter, Outbox, Task},
    receipt::{ApplyOutcome, ApplyReceipt},
    reconcile::{Drift, ReadReason, Reconciliation, SourceRead, SourceState},
    rules::{self, Dedup, Error, SetUpdate},
    sync_status::{StatusReport, SyncProblem, SyncStatus},
};
use crate::{
    entitlement::{Completeness, Entitlements, Summary, SummaryPage, Version},
    id::{Timestamp, UnixMillis},
};

/// The pause between a customer's last event and the confirmation of its set, in milliseconds.
const CONFIRM_DEBOUNCE: u64 = 2_000;

/// How long a series of events can postpone the confirmation, in milliseconds.
const MAX_CONFIRM_DEBOUNCE: u64 = 10_000;

/// KV accepts one write a second per key, in milliseconds
/// (<https://developers.cloudflare.com/kv/platform/limits/>).
const MIN_WRITE_INTERVAL: u64 = 1_000;

/// How long after its failure a write may still take effect, in milliseconds. This is our assumption:
/// KV documents no limit.
const LATE_WRITE_WINDOW: u64 = 4_000;

/// Changes of one customer within this time are reported together, in milliseconds.
const REPORT_DEBOUNCE: u64 = 1_000;

/// The state of one customer's ledger, except for the ids of its events.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct LedgerState {
    /// The current set, or `None` if nothing was ever received.
    pub entitlements: Option<Entitlements>,
    /// When the set was last equal to the source's list.
    pub confirmed_at: Option<Timestamp>,
    /// The number of events received, without duplicates.
    pub events_received: u64,
    /// When the last write of the replica started.
    pub last_replica_write: UnixMillis,
    /// Until when an earlier write may still take effect and overwrite a later one.
    pub late_write_until: Option<UnixMillis>,
    /// Until when the source must not be read, as it requested.
    pub source_backoff_until: UnixMillis,
    /// The time of the slot that was reserved for the next background read.
    pub read_slot: Option<UnixMillis>,
    /// A problem of the source that requires operator action.
    pub sync_problem: Option<SyncProblem>,
    /// The last status that the customer index acknowledged.
    pub last_report: Option<SyncStatus>,
    /// The features that appeared in the customer's sets, reported or not.
    pub observed_features: ObservedFeatures,
    /// The pending tasks.
    pub outbox: Outbox,
}

/// Whether the ledger can read the source.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SourceAccess {
    /// The source cannot be read. Events are the only input.
    None,
    /// The source is read after events, and its list wins.
    Available,
}

impl LedgerState {
    /// Returns the version of the current set.
    #[must_use]
    pub fn version(&self) -> Version {
        self.entitlements.as_ref().map_or(Version::default(), |set| set.version)
    }

    /// Applies an event.
    ///
    /// # Errors
    ///
    /// When the new set would be too large: the state is unchanged.
    pub fn apply_event(
        &mut self,
        summary: &Summary,
        dedup: Dedup,
        access: SourceAccess,
        now: UnixMillis,
    ) -> Result<ApplyReceipt, Error> {
        if dedup == Dedup::Duplicate {
            return Ok(self.new_receipt(ApplyOutcome::Duplicate));
        }
        // A list that was read in the second of the event, or later, most likely includes the event.
        // The list is read again to be certain.
        let confirmed_since = access == SourceAccess::Available
            && self.confirmed_at.is_some_and(|confirmed| summary.created <= confirmed);
        let update = if confirmed_since {
            SetUpdate::Stale
        } else {
            rules::apply(self.entitlements.as_ref(), dedup, summary)?
        };
        let tie = self.entitlements.as_ref().is_some_and(|set| summary.created == set.as_of);
        self.events_received = self.events_received.saturating_add(1);
        let outcome = match update {
            _ if summary.page.is_none() => ApplyOutcome::Deferred,
            SetUpdate::Changed(set) => {
                self.set_entitlements(set, now);
                ApplyOutcome::Applied
            }
            SetUpdate::Unchanged(set) => {
                self.entitlements = Some(set);
                ApplyOutcome::Unchanged
            }
            SetUpdate::Duplicate => ApplyOutcome::Duplicate,
            SetUpdate::Stale => ApplyOutcome::Stale,
        };
        if access == SourceAccess::Available {
            let complete = matches!(summary.page, Some(SummaryPage::Complete(_)));
            if !complete || tie || outcome == ApplyOutcome::Stale {
                self.outbox.schedule(Task::Read, now, now);
            }
            self.outbox.debounce(Task::Confirm, CONFIRM_DEBOUNCE, MAX_CONFIRM_DEBOUNCE, now);
            self.apply_backoff();
        }
        self.schedule_report_if_changed(now);
        Ok(self.new_receipt(outcome))
    }

    /// Starts a read of the source.
    #[must_use]
    pub fn begin_source_read(&self) -> SourceRead {
        SourceRead { events_received: self.events_received }
    }

    /// Applies the response of the source.
    ///
    /// # Errors
    ///
    /// When the list is too large: the state is unchanged.
    pub fn apply_source_list(
        &mut self,
        read: SourceRead,
        reason: ReadReason,
        source: &SourceState,
        now: UnixMillis,
    ) -> Result<Reconciliation, Error> {
        // The read has used the slot.
        self.read_slot = None;
        if read.events_received != self.events_received {
            return Ok(Reconciliation::Superseded);
        }
        let is_empty = self
            .entitlements
            .as_ref()
            .is_none_or(|set| set.data.is_empty() && set.completeness == Completeness::Complete);
        let list = match source {
            SourceState::List(list) => &list[..],
            SourceState::Deleted => &[],
            SourceState::NotFound if self.entitlements.is_none() => {
                self.cancel_source_tasks(now);
                return Ok(Reconciliation::UnknownCustomer);
            }
            SourceState::NotFound if is_empty => &[],
            SourceState::NotFound => return Ok(Reconciliation::NotFoundAtSource),
        };
        let update = rules::replace(self.entitlements.as_ref(), list, now.to_timestamp())?;
        // After a truncated page, a tie or a late event, a difference is expected.
        let expected = reason == ReadReason::OnDemand
            || self.outbox.pending(Task::Read).is_some()
            || self
                .entitlements
                .as_ref()
                .is_none_or(|set| set.completeness == Completeness::Partial);
        let reconciliation = match update {
            SetUpdate::Changed(set) => {
                let reconciliation = if expected {
                    Reconciliation::Updated
                } else {
                    Reconciliation::Drifted(Drift::between(self.entitlements.as_ref(), &set))
                };
                self.set_entitlements(set, now);
                reconciliation
            }
            SetUpdate::Unchanged(set) => {
                self.entitlements = Some(set);
                Reconciliation::InSync
            }
            SetUpdate::Duplicate | SetUpdate::Stale => Reconciliation::InSync,
        };
        self.confirmed_at = Some(now.to_timestamp());
        self.sync_problem = None;
        self.outbox.complete(Task::Read);
        self.outbox.complete(Task::Confirm);
        self.schedule_report_if_changed(now);
        Ok(reconciliation)
    }

    /// Records a failed read of the source. The next read starts at `not_before` at the earliest.
    pub fn source_failed(
        &mut self,
        problem: Option<SyncProblem>,
        not_before: UnixMillis,
        now: UnixMillis,
        jitter: Jitter,
    ) {
        if self.is_unknown() {
            return;
        }
        self.read_slot = None;
        // A problem stays until the source responds again.
        self.sync_problem = problem.or(self.sync_problem);
        self.source_backoff_until = not_before;
        for task in [Task::Read, Task::Confirm] {
            self.outbox.record_attempt(task);
            self.outbox.back_off(task, now, jitter);
        }
        self.apply_backoff();
        self.schedule_report_if_changed(now);
    }

    /// Removes the tasks that read the source, because it has no list to read.
    pub fn cancel_source_tasks(&mut self, now: UnixMillis) {
        if self.is_unknown() {
            return;
        }
        self.sync_problem = None;
        self.read_slot = None;
        self.outbox.complete(Task::Read);
        self.outbox.complete(Task::Confirm);
        self.schedule_report_if_changed(now);
    }

    /// Returns whether a read of the source is due.
    #[must_use]
    pub fn is_read_due(&self, now: UnixMillis) -> bool {
        self.outbox.is_due(Task::Read, now) || self.outbox.is_due(Task::Confirm, now)
    }

    /// Postpones the background reads to the slot that was reserved for them.
    pub fn defer_reads(&mut self, slot: UnixMillis) {
        self.read_slot = Some(slot);
        self.apply_backoff();
    }

    /// Schedules a confirmation now, because the last one is too old.
    pub fn schedule_reconcile(&mut self, now: UnixMillis) {
        self.outbox.schedule(Task::Confirm, now, now);
        self.apply_backoff();
    }

    /// Starts a write of the replica and returns the set to write, or `None` if no write is pending.
    pub fn begin_replica_write(&mut self, now: UnixMillis) -> Option<&Entitlements> {
        let pending = self.outbox.pending(Task::Replica)?;
        // An earlier write that failed, or never reported a result, may take effect after this one.
        if pending.attempts > 0 {
            self.late_write_until = Some(now.saturating_add(LATE_WRITE_WINDOW));
        }
        self.outbox.record_attempt(Task::Replica);
        self.last_replica_write = now;
        self.entitlements.as_ref()
    }

    /// Records that the replica has this version.
    pub fn replica_write_succeeded(&mut self, version: Version, now: UnixMillis) {
        let next_write = self.last_replica_write.saturating_add(MIN_WRITE_INTERVAL);
        let late_write_until =
            self.late_write_until.filter(|until| self.last_replica_write < *until);
        match late_write_until {
            Some(until) => self.outbox.reschedule(Task::Replica, next_write.max(until)),
            None => self.late_write_until = None,
        }
        if version != self.version() {
            self.outbox.reschedule(Task::Replica, next_write);
        } else if late_write_until.is_none() {
            self.outbox.complete(Task::Replica);
        }
        self.schedule_report_if_changed(now);
    }

    /// Records that a write of the replica failed. It may have taken effect all the same.
    pub fn replica_write_failed(&mut self, now: UnixMillis, jitter: Jitter) {
        let next_write = self.last_replica_write.saturating_add(MIN_WRITE_INTERVAL);
        self.outbox.back_off(Task::Replica, now, jitter);
        self.outbox.defer_until(Task::Replica, next_write);
        self.schedule_report_if_changed(now);
    }

    /// Starts a report to the customer index, or returns `None` if there is nothing to report.
    pub fn begin_report(&mut self) -> Option<StatusReport> {
        if !self.needs_report() {
            self.outbox.complete(Task::Report);
            return None;
        }
        Some(StatusReport {
            status: self.sync_status(),
            features: self.observed_features.unreported().clone(),
        })
    }

    /// Records that the customer index acknowledged the report.
    pub fn report_succeeded(&mut self, report: &StatusReport, now: UnixMillis) {
        self.last_report = Some(report.status);
        self.observed_features.mark_reported(&report.features);
        self.outbox.complete(Task::Report);
        self.schedule_report_if_changed(now);
    }

    /// Records that a report failed. It may have taken effect all the same.
    pub fn report_failed(&mut self, now: UnixMillis, jitter: Jitter) {
        self.outbox.record_attempt(Task::Report);
        self.outbox.back_off(Task::Report, now, jitter);
    }

    fn new_receipt(&self, outcome: ApplyOutcome) -> ApplyReceipt {
        ApplyReceipt { outcome, version: self.version() }
    }

    fn set_entitlements(&mut self, set: Entitlements, now: UnixMillis) {
        // A customer without a replica is answered by the ledger. An empty first set is therefore not
        // written: the first purchase is then visible everywhere at once.
        let first = self.entitlements.is_none() && self.outbox.pending(Task::Replica).is_none();
        let is_empty = set.data.is_empty() && set.completeness == Completeness::Complete;
        self.observed_features.record(set.data.iter().map(|grant| &grant.lookup_key));
        self.entitlements = Some(set);
        if !(first && is_empty) {
            self.outbox.schedule(
                Task::Replica,
                now.max(self.last_replica_write.saturating_add(MIN_WRITE_INTERVAL)),
                now,
            );
        }
    }

    /// Returns whether nothing was ever received for the customer, so that nothing is stored.
    fn is_unknown(&self) -> bool {
        self.entitlements.is_none() && self.events_received == 0
    }

    fn apply_backoff(&mut self) {
        let not_before = self.source_backoff_until.max(self.read_slot.unwrap_or_default());
        self.outbox.defer_until(Task::Read, not_before);
        self.outbox.defer_until(Task::Confirm, not_before);
    }

    fn schedule_report_if_changed(&mut self, now: UnixMillis) {
        if self.needs_report() {
            self.outbox.schedule(Task::Report, now.saturating_add(REPORT_DEBOUNCE), now);
        }
    }

    fn needs_report(&self) -> bool {
        !self.observed_features.unreported().is_empty()
            || self.sync_status().differs_from_reported(self.last_report)
    }

    fn sync_status(&self) -> SyncStatus {
        let (pending, pending_since) = self.outbox.failed_tasks();
        SyncStatus {
            confirmed_at: self.confirmed_at,
            pending,
            pending_since,
            problem: self.sync_problem,
        }
    }
}
