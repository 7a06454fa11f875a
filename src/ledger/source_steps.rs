//! The steps of a ledger around a read of its source: when it is due, what its response changes, and what
//! follows from a failure.
//!
//! A read waits for a slot of its mode's budget. Reads after events have priority over routine ones. Not
//! here: the read itself, which the process does, and the comparison with the list ([`rules::replace()`]).

use super::{
    history::{CauseType, ChangeCause},
    outbox::{Jitter, PendingTask, Task},
    reconcile::{ReadPriority, ReadReason, Reconciliation, SourceRead, SourceState},
    reconcile_timer::{LATE_SPREAD, MAX_LATENESS},
    rules::{self, Error, SetUpdate},
    state::LedgerState,
    sync_status::SyncProblem,
};
use crate::{
    entitlement::{Completeness, SourceSet},
    id::UnixMillis,
    policy::SourcePolicy,
};

impl LedgerState {
    /// Starts a read of the source.
    #[must_use]
    pub fn begin_source_read(&self, policy: SourcePolicy) -> SourceRead {
        SourceRead { events_received: self.events_received, policy }
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
        jitter: Jitter,
    ) -> Result<Reconciliation, Error> {
        // The read has used the slot.
        self.read_slot = None;
        if read.events_received != self.events_received {
            return Ok(Reconciliation::Superseded);
        }
        let known = self.known_set(read.policy);
        let is_empty = known.is_none_or(SourceSet::is_empty);
        let list = match source {
            SourceState::List(list) => &list[..],
            SourceState::Deleted => &[],
            SourceState::NotFound if self.record.source().is_none() => {
                self.cancel_source_tasks(now);
                return Ok(Reconciliation::UnknownCustomer);
            }
            SourceState::NotFound if is_empty => &[],
            SourceState::NotFound => return Ok(Reconciliation::NotFoundAtSource),
        };
        // After a truncated page, a tie, a late event or another policy, a difference is expected.
        let expected = reason == ReadReason::OnDemand
            || self.outbox.pending(Task::Read).is_some()
            || known.is_none_or(|set| {
                set.completeness == Completeness::Partial || set.policy != read.policy
            });
        let update = rules::replace(self.record.source(), list, read.policy, now.to_timestamp())?;
        let reconciliation = match update {
            SetUpdate::Changed(set) if expected => {
                let cause = ChangeCause::of_read(CauseType::Read);
                Reconciliation::Corrected(self.replace_set(set, cause, now))
            }
            SetUpdate::Changed(set) => {
                let cause = ChangeCause::of_read(CauseType::Reconcile);
                Reconciliation::Drifted(self.replace_set(set, cause, now))
            }
            SetUpdate::Unchanged(set) => {
                self.confirm_set(set, now);
                Reconciliation::InSync
            }
            SetUpdate::Duplicate | SetUpdate::Stale => Reconciliation::InSync,
        };
        self.confirmed_at = Some(now);
        self.sync_problem = None;
        self.reconcile_timer.note_read();
        self.reconcile_timer.restart(self.record.entitlements.as_ref(), now, jitter);
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

    /// Returns the budget of the next background read.
    #[must_use]
    pub fn read_priority(&self) -> ReadPriority {
        let has_failed = |task: PendingTask| task.attempts > 0;
        let is_routine = self.outbox.pending(Task::Read).is_none()
            && !self.outbox.pending(Task::Confirm).is_some_and(has_failed)
            && !self.reconcile_timer.has_news;
        if is_routine { ReadPriority::Routine } else { ReadPriority::Background }
    }

    /// Returns whether a slot was reserved for a read that starts now. One that is a minute ago is lost.
    #[must_use]
    pub fn has_current_slot(&self, now: UnixMillis) -> bool {
        self.read_slot.is_some_and(|slot| slot <= now && now.millis_since(slot) <= MAX_LATENESS)
    }

    /// Postpones the background reads to the slot that was reserved for them. A routine read waits as part of
    /// the timer, so that an event can cause an earlier one.
    pub fn defer_reads(&mut self, slot: UnixMillis, priority: ReadPriority) {
        match priority {
            ReadPriority::Routine => {
                self.outbox.complete(Task::Confirm);
                self.reconcile_timer.wait_for_slot(slot);
            }
            ReadPriority::Background | ReadPriority::Interactive => {
                self.read_slot = Some(slot);
                self.apply_backoff();
            }
        }
    }

    /// Spreads reads that are more than a minute late over the next hour: after an outage, those of many
    /// ledgers are late together.
    pub fn spread_late_reads(&mut self, now: UnixMillis, jitter: Jitter) {
        let due_at = |task| self.outbox.pending(task).map(|pending| pending.due_at);
        let due = [due_at(Task::Read), due_at(Task::Confirm)].into_iter().flatten().min();
        if due.is_some_and(|due| now.millis_since(due) > MAX_LATENESS) {
            self.read_slot = None;
            self.source_backoff_until = now.saturating_add(jitter.spread(LATE_SPREAD));
            self.apply_backoff();
        }
    }

    /// Schedules a read after an event that cannot be read itself.
    pub fn note_unreadable_event(&mut self, now: UnixMillis) {
        self.reconcile_timer.note_change(now);
        self.schedule_reconcile(now);
    }

    /// Schedules a confirmation if the time for one has come.
    pub fn reconcile_if_due(&mut self, now: UnixMillis, jitter: Jitter) {
        let has_slot = self.reconcile_timer.has_slot;
        if self.reconcile_timer.fires(self.record.entitlements.as_ref(), now, jitter) {
            if has_slot {
                self.read_slot = Some(now);
            }
            self.schedule_reconcile(now);
        }
    }

    /// Returns whether a confirmation is pending, or waits for its slot.
    #[must_use]
    pub fn will_read(&self) -> bool {
        self.outbox.pending(Task::Confirm).is_some() || self.reconcile_timer.has_slot
    }

    /// Schedules a confirmation now, because the last one is too old.
    pub fn schedule_reconcile(&mut self, now: UnixMillis) {
        self.outbox.schedule(Task::Confirm, now, now);
        self.apply_backoff();
    }
}
