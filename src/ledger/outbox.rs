//! Pending tasks of one ledger (transactional outbox).
//!
//! A task is stored with the change that causes it, so a crash does not lose it. A failed task is
//! retried until it succeeds. Its back-off doubles with each attempt, up to [`Task::max_backoff()`].
//! Jitter within the second half of the back-off spreads the retries of many customers.
//!
//! Not here: running the tasks.

use serde::Serialize;

use crate::{id::UnixMillis, json::json_type};

/// A kind of task. A ledger has at most one pending task of each kind.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Task {
    /// Writes the current set to the replica.
    Replica,
    /// Reads the source because the set is uncertain: after a truncated page, a tie or a late event.
    Read,
    /// Reads the source to verify the set.
    Confirm,
    /// Reports the sync status and new features to the customer index.
    Report,
}

impl Task {
    /// All tasks.
    pub const ALL: [Self; 4] = [Self::Replica, Self::Read, Self::Confirm, Self::Report];

    /// The longest pause between two attempts after so many milliseconds of failures, in milliseconds.
    ///
    /// The replica has to follow within ten seconds after a short outage: this pause and the second write
    /// after a failed one fit into that. The source limits the rate of requests.
    #[must_use]
    pub fn max_backoff(self, failing_for: u64) -> u64 {
        match self {
            Self::Replica if failing_for < LONG_FAILURE => 4_000,
            Self::Replica | Self::Report => 60_000,
            Self::Read | Self::Confirm => 300_000,
        }
    }
}

/// After this time of failures, in milliseconds, the replica is written less often.
const LONG_FAILURE: u64 = 300_000;

/// The pause after the first failure, in milliseconds.
const INITIAL_BACKOFF: u64 = 1_000;

/// A random number from 0 to 1, supplied by the caller.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Jitter(pub f64);

impl Jitter {
    /// Returns a duration between half of `millis` and all of it.
    #[must_use]
    pub fn apply(self, millis: u64) -> u64 {
        (millis / 2).saturating_add(self.spread(millis / 2))
    }

    /// Returns a duration between none and all of `millis`.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "a pause of days is exact enough, and not negative"
    )]
    pub fn spread(self, millis: u64) -> u64 {
        (millis as f64 * self.0.clamp(0.0, 1.0)) as u64
    }
}

json_type! {
    /// A task to run.
    #[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
    pub struct PendingTask {
        /// When the task was created.
        pub created_at: UnixMillis,
        /// When the next attempt is due.
        pub due_at: UnixMillis,
        /// The number of attempts that failed, or that started and never reported a result.
        pub attempts: u32,
    }

    /// The pending tasks of one ledger.
    #[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
    pub struct Outbox {
        replica: Option<PendingTask>,
        read: Option<PendingTask>,
        confirm: Option<PendingTask>,
        report: Option<PendingTask>,
    }
}

impl Outbox {
    /// Creates the outbox with these tasks.
    #[must_use]
    pub fn from_tasks(tasks: impl IntoIterator<Item = (Task, PendingTask)>) -> Self {
        let mut outbox = Self::default();
        for (task, pending) in tasks {
            *outbox.slot_mut(task) = Some(pending);
        }
        outbox
    }

    /// Returns the pending task of this kind.
    #[must_use]
    pub fn pending(&self, task: Task) -> Option<PendingTask> {
        match task {
            Task::Replica => self.replica,
            Task::Read => self.read,
            Task::Confirm => self.confirm,
            Task::Report => self.report,
        }
    }

    fn slot_mut(&mut self, task: Task) -> &mut Option<PendingTask> {
        match task {
            Task::Replica => &mut self.replica,
            Task::Read => &mut self.read,
            Task::Confirm => &mut self.confirm,
            Task::Report => &mut self.report,
        }
    }

    /// Schedules a task for `due_at`. An earlier due time stays.
    pub fn schedule(&mut self, task: Task, due_at: UnixMillis, now: UnixMillis) {
        let pending =
            self.slot_mut(task).get_or_insert(PendingTask { created_at: now, due_at, attempts: 0 });
        pending.due_at = pending.due_at.min(due_at);
    }

    /// Schedules a task `debounce` milliseconds after the last call, but at the latest `max_debounce`
    /// milliseconds after the first call.
    pub fn debounce(&mut self, task: Task, debounce: u64, max_debounce: u64, now: UnixMillis) {
        let due_at = now.saturating_add(debounce);
        let pending =
            self.slot_mut(task).get_or_insert(PendingTask { created_at: now, due_at, attempts: 0 });
        if pending.attempts == 0 {
            pending.due_at = due_at.min(pending.created_at.saturating_add(max_debounce));
        } else {
            pending.due_at = pending.due_at.min(due_at);
        }
    }

    /// Counts an attempt that is about to start.
    pub fn record_attempt(&mut self, task: Task) {
        if let Some(pending) = self.slot_mut(task) {
            pending.attempts = pending.attempts.saturating_add(1);
        }
    }

    /// Postpones the next attempt by the back-off for the attempts so far.
    pub fn back_off(&mut self, task: Task, now: UnixMillis, jitter: Jitter) {
        if let Some(pending) = self.slot_mut(task) {
            let doublings = pending.attempts.saturating_sub(1).min(16);
            let backoff = INITIAL_BACKOFF.saturating_mul(1 << doublings);
            let backoff = backoff.min(task.max_backoff(now.millis_since(pending.created_at)));
            pending.due_at = now.saturating_add(jitter.apply(backoff));
        }
    }

    /// Replaces a pending task that was run by a new one.
    pub fn reschedule(&mut self, task: Task, due_at: UnixMillis, now: UnixMillis) {
        if let Some(pending) = self.slot_mut(task) {
            *pending = PendingTask { created_at: now, due_at, attempts: 0 };
        }
    }

    /// Postpones a pending task to `not_before` at the earliest.
    pub fn defer_until(&mut self, task: Task, not_before: UnixMillis) {
        if let Some(pending) = self.slot_mut(task) {
            pending.due_at = pending.due_at.max(not_before);
        }
    }

    /// Removes a task.
    pub fn complete(&mut self, task: Task) {
        *self.slot_mut(task) = None;
    }

    /// Returns whether a task is due.
    #[must_use]
    pub fn is_due(&self, task: Task, now: UnixMillis) -> bool {
        self.pending(task).is_some_and(|pending| pending.due_at <= now)
    }

    /// Returns whether a read of the source is due.
    #[must_use]
    pub fn is_read_due(&self, now: UnixMillis) -> bool {
        self.is_due(Task::Read, now) || self.is_due(Task::Confirm, now)
    }

    /// Returns whether a read of the source is scheduled that has not failed.
    #[must_use]
    pub fn is_read_scheduled(&self) -> bool {
        [self.read, self.confirm].into_iter().flatten().any(|pending| pending.attempts == 0)
    }

    /// Returns when the next task is due.
    #[must_use]
    pub fn next_due(&self) -> Option<UnixMillis> {
        let pending = Task::ALL.into_iter().filter_map(|task| self.pending(task));
        pending.map(|pending| pending.due_at).min()
    }

    /// Returns the number of tasks with failed attempts, and when the oldest of them was created.
    /// [`Task::Report`] does not count, because it transmits this number.
    #[must_use]
    pub fn failed_tasks(&self) -> (u32, Option<UnixMillis>) {
        let failed = || {
            let counted = [self.replica, self.read, self.confirm];
            counted.into_iter().flatten().filter(|pending| pending.attempts > 0)
        };
        let count = u32::try_from(failed().count()).unwrap_or(u32::MAX);
        (count, failed().map(|pending| pending.created_at).min())
    }
}
