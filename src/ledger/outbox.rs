//! What is owed to others: a debt a task, paid when it is due, tried again without end.
//!
//! A crash leaves the debt, and so does a failure, which puts off the next try: twice as long each
//! time, up to the task's longest pause, and at random within the second half of it, so that a
//! thousand customers do not come back in one moment. Paying is not here.

use crate::id::UnixMillis;

/// What may be owed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Task {
    /// The replica's next copy.
    Replica,
    /// A read of the source's list without which the set is not known: a page, a tie, a late event.
    Read,
    /// A read of the source's list to see that the set is right.
    Confirm,
    /// The word to the roster of where this customer stands.
    Report,
}

impl Task {
    /// All there are.
    pub const ALL: [Self; 4] = [Self::Replica, Self::Read, Self::Confirm, Self::Report];

    /// Its name, where it is written down.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Replica => "replica",
            Self::Read => "read",
            Self::Confirm => "confirm",
            Self::Report => "report",
        }
    }

    /// The longest pause between two tries, in milliseconds. The replica's, together with the
    /// second write after a failed one, is below the ten seconds in which it has to follow; the
    /// source limits how often it may be asked.
    #[must_use]
    pub fn max_backoff(self) -> u64 {
        match self {
            Self::Replica => 4_000,
            Self::Read | Self::Confirm => 300_000,
            Self::Report => 60_000,
        }
    }
}

/// The pause after the first failure, in milliseconds.
const INITIAL_BACKOFF: u64 = 1_000;

/// A random number, 0 to 1, handed in by whoever keeps the ledger.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Jitter(pub f64);

impl Jitter {
    /// At random between a half and the whole of it.
    #[must_use]
    pub fn apply(self, millis: u64) -> u64 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            clippy::cast_sign_loss,
            reason = "a pause of minutes is exact enough, and not negative"
        )]
        let spread = (millis as f64 / 2.0 * self.0.clamp(0.0, 1.0)) as u64;
        (millis / 2).saturating_add(spread)
    }
}

/// One thing owed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PendingTask {
    /// Since when.
    pub created_at: UnixMillis,
    /// When it is tried next.
    pub due_at: UnixMillis,
    /// How often it was tried in vain, or was begun and never heard of again.
    pub attempts: u32,
}

/// All that is owed.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Outbox {
    replica: Option<PendingTask>,
    read: Option<PendingTask>,
    confirm: Option<PendingTask>,
    report: Option<PendingTask>,
}

impl Outbox {
    /// The debts as they were written down.
    #[must_use]
    pub fn from_tasks(debts: impl IntoIterator<Item = (Task, PendingTask)>) -> Self {
        let mut outbox = Self::default();
        for (task, debt) in debts {
            *outbox.slot_mut(task) = Some(debt);
        }
        outbox
    }

    /// What is owed of this task, if anything.
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

    /// Owes a task, to be tried at `due` or at an earlier time set before.
    pub fn schedule(&mut self, task: Task, due: UnixMillis, now: UnixMillis) {
        let debt = self.slot_mut(task).get_or_insert(PendingTask {
            created_at: now,
            due_at: due,
            attempts: 0,
        });
        debt.due_at = debt.due_at.min(due);
    }

    /// Owes a task, to be tried `quiet` milliseconds after the last time that this is called, but
    /// at the latest `longest` milliseconds after the first.
    pub fn debounce(&mut self, task: Task, quiet: u64, longest: u64, now: UnixMillis) {
        let due = now.saturating_add(quiet);
        let debt = self.slot_mut(task).get_or_insert(PendingTask {
            created_at: now,
            due_at: due,
            attempts: 0,
        });
        if debt.attempts == 0 {
            debt.due_at = due.min(debt.created_at.saturating_add(longest));
        } else {
            debt.due_at = debt.due_at.min(due);
        }
    }

    /// Counts a try that is about to be made.
    pub fn record_attempt(&mut self, task: Task) {
        if let Some(debt) = self.slot_mut(task) {
            debt.attempts = debt.attempts.saturating_add(1);
        }
    }

    /// Puts the next try off, after so many as were counted.
    pub fn back_off(&mut self, task: Task, now: UnixMillis, jitter: Jitter) {
        if let Some(debt) = self.slot_mut(task) {
            let doublings = debt.attempts.saturating_sub(1).min(16);
            let pause = INITIAL_BACKOFF.saturating_mul(1 << doublings).min(task.max_backoff());
            debt.due_at = now.saturating_add(jitter.apply(pause));
        }
    }

    /// Owes the task once more, as if it had never been tried.
    pub fn reschedule(&mut self, task: Task, due: UnixMillis) {
        if let Some(debt) = self.slot_mut(task) {
            (debt.due_at, debt.attempts) = (due, 0);
        }
    }

    /// Leaves a task alone until then, if it is owed.
    pub fn defer_until(&mut self, task: Task, due: UnixMillis) {
        if let Some(debt) = self.slot_mut(task) {
            debt.due_at = debt.due_at.max(due);
        }
    }

    /// Nothing of this task is owed any more.
    pub fn complete(&mut self, task: Task) {
        *self.slot_mut(task) = None;
    }

    /// Whether a task is due.
    #[must_use]
    pub fn is_due(&self, task: Task, now: UnixMillis) -> bool {
        self.pending(task).is_some_and(|debt| debt.due_at <= now)
    }

    /// When the next task is due.
    #[must_use]
    pub fn next_due(&self) -> Option<UnixMillis> {
        Task::ALL.into_iter().filter_map(|task| self.pending(task)).map(|debt| debt.due_at).min()
    }

    /// How many tasks were tried in vain, and since when the oldest of them is owed. The report
    /// does not count: it is what tells.
    #[must_use]
    pub fn failed_tasks(&self) -> (u32, Option<UnixMillis>) {
        let overdue = || {
            let told = [self.replica, self.read, self.confirm];
            told.into_iter().flatten().filter(|debt| debt.attempts > 0)
        };
        let count = u32::try_from(overdue().count()).unwrap_or(u32::MAX);
        (count, overdue().map(|debt| debt.created_at).min())
    }
}
