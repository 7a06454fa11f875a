//! What a running instance of a ledger keeps in memory, and its alarm.
//!
//! At most one read of the source and one write of the replica are in flight. A caller that needs
//! one joins it. Everything here may be lost: after a restart, the stored tasks and the alarm start
//! the work again.
//!
//! Not here: the operations, which are functions in the files that use this one.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use futures_util::FutureExt as _;

use crate::{
    id::{CustomerKey, EventId, UnixMillis},
    ledger::{
        activity::Activity,
        outbox::Task,
        ports::{LedgerPorts, LedgerStorage as _, LogLevel, PortError, StepError},
        reconcile::Reconciliation,
        rules::Dedup,
        state::LedgerState,
    },
    waiting::{ChangeSignal, SharedFuture},
};

/// The alarm of a read, write or report in flight, in milliseconds from now. It starts the task again
/// if the instance is lost.
const WATCHDOG: u64 = 5_000;

/// How long an instance that may not change what is stored postpones its alarm, in milliseconds.
const NEWER_RELEASE_BACKOFF: u64 = 60_000;

/// A read of the source in flight.
pub(super) type SharedRead = SharedFuture<Result<Reconciliation, String>>;

/// A running instance of a ledger.
pub(super) struct Instance<P> {
    pub(super) ports: P,
    alarm: Cell<AlarmState>,
    /// The write of the replica in flight.
    pub(super) replica_write: RefCell<Option<SharedFuture<()>>>,
    /// The read of the source in flight.
    pub(super) source_read: RefCell<Option<SharedRead>>,
    /// The background read that waits for its slot.
    pub(super) slot_request: RefCell<Option<SharedFuture<()>>>,
    /// How many reads were started. A caller that needs a fresh read ignores one that started
    /// before.
    pub(super) reads_started: Cell<u64>,
    /// Until when loads do not read the source again, since it has no such customer.
    pub(super) unknown_until: Cell<UnixMillis>,
    /// Until when loads do not read the source, and the error of the last read.
    pub(super) source_backoff: RefCell<Option<(UnixMillis, String)>>,
    /// Wakes callers that wait for another set.
    pub(super) set_changed: ChangeSignal,
    /// The activities that are not sent to the customer index yet.
    pub(super) activities: RefCell<Vec<Activity>>,
    /// The messages to the customer index in flight.
    pub(super) index_messages: RefCell<Option<SharedFuture<()>>>,
}

/// When the alarm is due.
#[derive(Clone, Copy, Default, Eq, PartialEq)]
enum AlarmState {
    #[default]
    Unknown,
    /// At this time, or there is no alarm.
    Known(Option<UnixMillis>),
}

/// The result of a step.
pub(super) struct UpdateResult<T> {
    pub(super) value: T,
    /// Whether the record has a new version.
    pub(super) has_changed: bool,
}

impl<P: LedgerPorts> Instance<P> {
    pub(super) fn new(ports: P) -> Rc<Self> {
        Rc::new(Self {
            ports,
            alarm: Cell::default(),
            replica_write: RefCell::default(),
            source_read: RefCell::default(),
            slot_request: RefCell::default(),
            reads_started: Cell::default(),
            unknown_until: Cell::default(),
            source_backoff: RefCell::default(),
            set_changed: ChangeSignal::default(),
            activities: RefCell::default(),
            index_messages: RefCell::default(),
        })
    }

    pub(super) fn log_error(&self, line: &str) {
        self.ports.log(LogLevel::Error, line);
    }

    /// Starts a future that runs to its end, even if no caller waits for it.
    pub(super) fn spawn_shared<T: Clone + 'static>(
        &self,
        future: impl Future<Output = T> + 'static,
    ) -> SharedFuture<T> {
        let shared = future.boxed_local().shared();
        self.ports.spawn(shared.clone().map(drop).boxed_local());
        shared
    }

    /// Runs a step and stores what it changed. The step takes the time of now. What is due is carried out
    /// first. Notifies the subscribers of a new version.
    pub(super) fn update<T>(
        &self,
        customer: &CustomerKey,
        step: impl FnOnce(&mut LedgerState, UnixMillis) -> Result<T, StepError>,
    ) -> Result<T, StepError> {
        let UpdateResult { value, has_changed } = self.update_silently(customer, step)?;
        if has_changed {
            self.notify_changed();
        }
        Ok(value)
    }

    /// As [`Self::update()`], but the caller notifies the subscribers.
    pub(super) fn update_silently<T>(
        &self,
        customer: &CustomerKey,
        step: impl FnOnce(&mut LedgerState, UnixMillis) -> Result<T, StepError>,
    ) -> Result<UpdateResult<T>, StepError> {
        self.ports.storage().update(customer, |ledger| self.run_step(ledger, step))
    }

    /// As [`Self::update()`], for the step of an event. The step of a duplicate changes nothing.
    pub(super) fn update_with_event<T>(
        &self,
        customer: &CustomerKey,
        event: &EventId,
        step: impl FnOnce(&mut LedgerState, Dedup, UnixMillis) -> Result<T, StepError>,
    ) -> Result<T, StepError> {
        let now = self.ports.now().to_timestamp();
        let storage = self.ports.storage();
        let result = storage.update_with_event(customer, event, now, |ledger, dedup| match dedup {
            Dedup::New => self.run_step(ledger, |ledger, now| step(ledger, dedup, now)),
            Dedup::Duplicate => {
                let value = step(ledger, dedup, self.ports.now())?;
                Ok(UpdateResult { value, has_changed: false })
            }
        });
        let UpdateResult { value, has_changed } = result?;
        if has_changed {
            self.notify_changed();
        }
        Ok(value)
    }

    /// The only function that runs a step, so that none is run on a state that is behind its time.
    fn run_step<T>(
        &self,
        ledger: &mut LedgerState,
        step: impl FnOnce(&mut LedgerState, UnixMillis) -> Result<T, StepError>,
    ) -> Result<UpdateResult<T>, StepError> {
        let (before, now) = (ledger.version(), self.ports.now());
        ledger.advance(&self.ports.default_features(), now);
        let value = step(ledger, now)?;
        ledger.end_step();
        Ok(UpdateResult { value, has_changed: ledger.version() != before })
    }

    /// Notifies the subscribers, and the callers that wait for another set.
    pub(super) fn notify_changed(&self) {
        self.ports.notify_subscribers();
        self.set_changed.notify_waiters();
    }

    /// Notes that the alarm went off: the platform deletes it, or runs it again if it fails.
    pub(super) fn alarm_fired(&self) {
        self.alarm.set(AlarmState::Known(None));
    }

    /// Sets the alarm again, for an instance that may not change what is stored.
    pub(super) async fn postpone_alarm(&self) -> Result<(), PortError> {
        let at = self.ports.now().saturating_add(NEWER_RELEASE_BACKOFF);
        self.ports.set_alarm(Some(at)).await
    }

    /// Sets the alarm as [`Self::schedule_alarm()`] does, for work without a caller.
    pub(super) async fn schedule_alarm_or_log(&self, customer: &CustomerKey) {
        if let Err(error) = self.schedule_alarm().await {
            let customer = customer.to_key();
            self.log_error(&format!("{customer}: failed to set the alarm: {error}"));
        }
    }

    /// Sets the alarm for the next pending task or the next start or end of an override, or deletes it.
    pub(super) async fn schedule_alarm(&self) -> Result<(), PortError> {
        let storage = self.ports.storage();
        if storage.customer()?.is_none() {
            return Ok(());
        }
        let (mut outbox, reconcile_at, edge_at) = storage.read(|ledger| {
            let edge_at = ledger.record.next_edge().map(UnixMillis::from);
            (ledger.outbox.clone(), ledger.reconcile_timer.due_at, edge_at)
        })?;
        let watchdog = self.ports.now().saturating_add(WATCHDOG);
        if self.source_read.borrow().is_some() || self.slot_request.borrow().is_some() {
            outbox.defer_until(Task::Read, watchdog);
            outbox.defer_until(Task::Confirm, watchdog);
        }
        if self.replica_write.borrow().is_some() {
            outbox.defer_until(Task::Replica, watchdog);
        }
        if self.index_messages.borrow().is_some() {
            outbox.defer_until(Task::Report, watchdog);
        }
        let due = [outbox.next_due(), reconcile_at, edge_at].into_iter().flatten().min();
        let set = self.alarm.replace(AlarmState::Known(due));
        // An alarm that a lost instance has set for nothing may go off.
        if set == AlarmState::Known(due) || set == AlarmState::Unknown && due.is_none() {
            return Ok(());
        }
        let result = self.ports.set_alarm(due).await;
        if result.is_err() {
            self.alarm.take();
        }
        result
    }
}
