//! All that is kept of one customer, and the steps that change it.
//!
//! | what happens                       | step                                                      |
//! |------------------------------------|-----------------------------------------------------------|
//! | an event came in                   | [`Account::receive()`]                                    |
//! | the source's list is about to be read | [`Account::reading()`]                                 |
//! | the source told, or did not        | [`Account::told()`], [`Account::unanswered()`]            |
//! | the replica is about to be written | [`Account::writing()`]                                    |
//! | the replica was written, or was not | [`Account::written()`], [`Account::unwritten()`]         |
//! | the roster is told, or was not     | [`Account::reporting()`], [`Account::reported()`], [`Account::unreported()`] |
//!
//! The three rules that need two steps: an answer of the source does not count if an event came in
//! while it was read, since it may be older than that event; a write of the replica settles nothing
//! if the set changed meanwhile, or if an earlier write that failed may still land after it; and a
//! standing is told until the roster has it.

use serde::Serialize;

use super::{
    observed_features::ObservedFeatures,
    outbox::{Jitter, Outbox, Task},
    reconcile::{Drift, ReadReason, Reconciliation, SourceRead, SourceState},
    rules::{self, Dedup, Error, SetUpdate},
    sync_status::{StatusReport, SyncProblem, SyncStatus},
};
use crate::{
    entitlement::{Completeness, Entitlements, Summary, SummaryPage, Version},
    id::{Timestamp, UnixMillis},
    json::impl_from_json,
};

/// How long after a customer's last event its set is confirmed, in milliseconds.
const CONFIRM_DEBOUNCE: u64 = 2_000;

/// How long events that keep coming can put a confirmation off, in milliseconds.
const MAX_CONFIRM_DEBOUNCE: u64 = 10_000;

/// KV takes one write a second per key, in milliseconds
/// (<https://developers.cloudflare.com/kv/platform/limits/>).
const MIN_WRITE_INTERVAL: u64 = 1_000;

/// How long after its failure a write may still land, in milliseconds: our assumption, since KV
/// says nothing of it.
const LATE_WRITE_WINDOW: u64 = 4_000;

/// Changes of one customer are told to the roster together, in milliseconds.
const REPORT_DEBOUNCE: u64 = 1_000;

/// All that is kept of one customer, but for the ids of its events.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct LedgerState {
    /// The set, or none before anything was heard.
    pub entitlements: Option<Entitlements>,
    /// When the source's list last was what is held.
    pub confirmed_at: Option<Timestamp>,
    /// How many events came in, duplicates not counted.
    pub events_received: u64,
    /// When the last write of the replica was begun.
    pub last_replica_write: UnixMillis,
    /// Until when an earlier write may still land, and what is written before that may be undone.
    pub late_write_until: Option<UnixMillis>,
    /// Until when the source wants not to be asked.
    pub source_backoff_until: UnixMillis,
    /// What the operator has to see to before the source tells again.
    pub sync_problem: Option<SyncProblem>,
    /// What the roster knows.
    pub last_report: Option<SyncStatus>,
    /// The features that came in the customer's sets, and whether the roster knows them.
    pub observed_features: ObservedFeatures,
    /// What is owed to others.
    pub outbox: Outbox,
}

/// What the source's list is to the ledger.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SourceAccess {
    /// It cannot be read: events are all there is.
    None,
    /// It is read after events, and what it says counts.
    Available,
}

/// What became of an event, and where the customer stands since.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct ApplyReceipt {
    /// What became of it.
    pub outcome: ApplyOutcome,
    /// The version held since.
    pub version: Version,
}

impl_from_json! { struct ApplyReceipt { outcome, version } }

/// What became of an event.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ApplyOutcome {
    /// The set changed.
    Applied,
    /// The set was this already.
    Unchanged,
    /// The event was applied before.
    Duplicate,
    /// Something newer was held.
    Stale,
    /// It does not say what is held: the list is read.
    Deferred,
}

impl_from_json! {
    enum ApplyOutcome {
        Applied = "applied", Unchanged = "unchanged", Duplicate = "duplicate", Stale = "stale",
        Deferred = "deferred",
    }
}

impl LedgerState {
    /// The version held.
    #[must_use]
    pub fn version(&self) -> Version {
        self.entitlements.as_ref().map_or(Version::default(), |held| held.version)
    }

    /// Takes an event in.
    ///
    /// # Errors
    ///
    /// When the event does not fit: it was not taken in.
    pub fn apply_event(
        &mut self,
        summary: &Summary,
        sighting: Dedup,
        list: SourceAccess,
        now: UnixMillis,
    ) -> Result<ApplyReceipt, Error> {
        if sighting == Dedup::Duplicate {
            return Ok(self.new_receipt(ApplyOutcome::Duplicate));
        }
        // A list that was read in the second of the event, or later, most likely holds the event
        // already. It is read again to be sure.
        let known = list == SourceAccess::Available
            && self.confirmed_at.is_some_and(|confirmed| summary.created <= confirmed);
        let outcome = if known {
            SetUpdate::Stale
        } else {
            rules::apply(self.entitlements.as_ref(), sighting, summary)?
        };
        let tie = self.entitlements.as_ref().is_some_and(|held| summary.created == held.as_of);
        self.events_received = self.events_received.saturating_add(1);
        let effect = match outcome {
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
        if list == SourceAccess::Available {
            let whole = matches!(summary.page, Some(SummaryPage::Complete(_)));
            if !whole || tie || effect == ApplyOutcome::Stale {
                self.outbox.schedule(Task::Read, now, now);
            }
            self.outbox.debounce(Task::Confirm, CONFIRM_DEBOUNCE, MAX_CONFIRM_DEBOUNCE, now);
            self.apply_backoff();
        }
        self.schedule_report_if_changed(now);
        Ok(self.new_receipt(effect))
    }

    /// Begins to read the source's list.
    #[must_use]
    pub fn begin_source_read(&self) -> SourceRead {
        SourceRead { events_received: self.events_received }
    }

    /// Takes in what the source said.
    ///
    /// # Errors
    ///
    /// When the list does not fit: what is held stays.
    pub fn apply_source_list(
        &mut self,
        reading: SourceRead,
        occasion: ReadReason,
        told: &SourceState,
        now: UnixMillis,
    ) -> Result<Reconciliation, Error> {
        if reading.events_received != self.events_received {
            return Ok(Reconciliation::Superseded);
        }
        let holds_nothing = self
            .entitlements
            .as_ref()
            .is_none_or(|held| held.data.is_empty() && held.completeness == Completeness::Complete);
        let list = match told {
            SourceState::List(list) => &list[..],
            SourceState::Deleted => &[],
            SourceState::NotFound if self.entitlements.is_none() => {
                self.cancel_source_tasks(now);
                return Ok(Reconciliation::UnknownCustomer);
            }
            SourceState::NotFound if holds_nothing => &[],
            SourceState::NotFound => return Ok(Reconciliation::NotFoundAtSource),
        };
        let outcome = rules::replace(self.entitlements.as_ref(), list, now.to_timestamp())?;
        // A page, a tie and a late event let a difference be expected.
        let expected = occasion == ReadReason::OnDemand
            || self.outbox.pending(Task::Read).is_some()
            || self
                .entitlements
                .as_ref()
                .is_none_or(|held| held.completeness == Completeness::Partial);
        let finding = match outcome {
            SetUpdate::Changed(set) => {
                let finding = if expected {
                    Reconciliation::Updated
                } else {
                    Reconciliation::Drifted(Drift::between(self.entitlements.as_ref(), &set))
                };
                self.set_entitlements(set, now);
                finding
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
        Ok(finding)
    }

    /// The source did not tell, and wants to be left alone until then.
    pub fn source_failed(
        &mut self,
        trouble: Option<SyncProblem>,
        not_before: UnixMillis,
        now: UnixMillis,
        jitter: Jitter,
    ) {
        if self.is_unknown() {
            return;
        }
        // What the operator has to see to stays until the source tells again.
        self.sync_problem = trouble.or(self.sync_problem);
        self.source_backoff_until = not_before;
        for task in [Task::Read, Task::Confirm] {
            self.outbox.record_attempt(task);
            self.outbox.back_off(task, now, jitter);
        }
        self.apply_backoff();
        self.schedule_report_if_changed(now);
    }

    /// Owes no read any more: there is no list to be read.
    pub fn cancel_source_tasks(&mut self, now: UnixMillis) {
        if self.is_unknown() {
            return;
        }
        self.sync_problem = None;
        self.outbox.complete(Task::Read);
        self.outbox.complete(Task::Confirm);
        self.schedule_report_if_changed(now);
    }

    /// Owes a confirmation now: the set was not confirmed for long.
    pub fn schedule_reconcile(&mut self, now: UnixMillis) {
        self.outbox.schedule(Task::Confirm, now, now);
        self.apply_backoff();
    }

    /// Begins to write the replica, if it is owed a copy.
    pub fn begin_replica_write(&mut self, now: UnixMillis) -> Option<&Entitlements> {
        let debt = self.outbox.pending(Task::Replica)?;
        // A write that failed, or was begun and never heard of, may land after this one.
        if debt.attempts > 0 {
            self.late_write_until = Some(now.saturating_add(LATE_WRITE_WINDOW));
        }
        self.outbox.record_attempt(Task::Replica);
        self.last_replica_write = now;
        self.entitlements.as_ref()
    }

    /// The replica has the copy of that version.
    pub fn replica_write_succeeded(&mut self, version: Version, now: UnixMillis) {
        let next = self.last_replica_write.saturating_add(MIN_WRITE_INTERVAL);
        let doubtful = self.late_write_until.filter(|until| self.last_replica_write < *until);
        match doubtful {
            Some(until) => self.outbox.reschedule(Task::Replica, next.max(until)),
            None => self.late_write_until = None,
        }
        if version != self.version() {
            self.outbox.reschedule(Task::Replica, next);
        } else if doubtful.is_none() {
            self.outbox.complete(Task::Replica);
        }
        self.schedule_report_if_changed(now);
    }

    /// The replica may or may not have the copy.
    pub fn replica_write_failed(&mut self, now: UnixMillis, jitter: Jitter) {
        let next = self.last_replica_write.saturating_add(MIN_WRITE_INTERVAL);
        self.outbox.back_off(Task::Replica, now, jitter);
        self.outbox.defer_until(Task::Replica, next);
        self.schedule_report_if_changed(now);
    }

    /// Begins to tell the roster, unless it knows by now.
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

    /// The roster knows.
    pub fn report_succeeded(&mut self, report: &StatusReport, now: UnixMillis) {
        self.last_report = Some(report.status);
        self.observed_features.mark_reported(&report.features);
        self.outbox.complete(Task::Report);
        self.schedule_report_if_changed(now);
    }

    /// The roster may or may not know.
    pub fn report_failed(&mut self, now: UnixMillis, jitter: Jitter) {
        self.outbox.record_attempt(Task::Report);
        self.outbox.back_off(Task::Report, now, jitter);
    }

    fn new_receipt(&self, effect: ApplyOutcome) -> ApplyReceipt {
        ApplyReceipt { outcome: effect, version: self.version() }
    }

    fn set_entitlements(&mut self, set: Entitlements, now: UnixMillis) {
        // Where there is no copy the ledger answers: the first purchase of a customer who held
        // nothing is seen at once, everywhere.
        let first = self.entitlements.is_none() && self.outbox.pending(Task::Replica).is_none();
        let nothing = set.data.is_empty() && set.completeness == Completeness::Complete;
        self.observed_features.record(set.data.iter().map(|granted| &granted.lookup_key));
        self.entitlements = Some(set);
        if !(first && nothing) {
            self.outbox.schedule(
                Task::Replica,
                now.max(self.last_replica_write.saturating_add(MIN_WRITE_INTERVAL)),
                now,
            );
        }
    }

    /// Nothing was ever heard of the customer, and nothing is kept.
    fn is_unknown(&self) -> bool {
        self.entitlements.is_none() && self.events_received == 0
    }

    fn apply_backoff(&mut self) {
        self.outbox.defer_until(Task::Read, self.source_backoff_until);
        self.outbox.defer_until(Task::Confirm, self.source_backoff_until);
    }

    /// Owes the roster a report if it would learn something.
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
        let (pending, since) = self.outbox.failed_tasks();
        SyncStatus {
            confirmed_at: self.confirmed_at,
            pending,
            pending_since: since,
            problem: self.sync_problem,
        }
    }
}
