//! The process of one ledger: in which order its steps run, when they wait, share, retry and give up.
//!
//! | file       | contents                                                                |
//! |------------|-------------------------------------------------------------------------|
//! | `instance` | what a running instance keeps in memory, and its alarm                  |
//! | `writes`   | writes to the replica and to the customer index                         |
//! | `slots`    | when a read may start, within the budget of its mode                    |
//! | `reads`    | reads of the source, shared by all that need one                        |
//! | `refresh`  | who waits for a read: a check, a sync, the sweep                        |
//! | `overrides` | requests of operators: overrides, the history, explanations            |
//!
//! An event is applied in one transaction, together with the tasks that follow from it. The alarm
//! is set before the response. So a crash leaves either an event that was not acknowledged, which
//! Stripe sends again, or a task that the alarm runs. A task runs at once if it can, and by the
//! alarm if it is not due yet or fails.
//!
//! Not here: the steps, which are methods of [`LedgerState`](super::LedgerState), and I/O, which is
//! behind [`LedgerPorts`].

mod instance;

mod writes;

mod slots;

mod reads;

mod refresh;

mod overrides;

use std::rc::Rc;

use self::instance::Instance;
use super::{
    activity::Activity,
    outbox::Task,
    overrides::{OverrideCommand, OverrideRequest},
    ports::{LedgerPorts, LedgerStorage as _, StepError},
    receipt::{ApplyOutcome, ApplyReceipt, EventOrigin},
    reconcile::SourceAccess,
    request::{LedgerRequest, LedgerResponse, UnreadableEvent},
};
use crate::{entitlement::Summary, id::UnixMillis, waiting::within};

/// How long an event waits for the write of the replica before it is acknowledged, in milliseconds.
const ACKNOWLEDGE_TIMEOUT: u64 = 2_000;

/// How often the replica's task is checked during a read of the source, in milliseconds.
const POLL_INTERVAL: u64 = 1_000;

/// A running ledger of one customer. A clone is the same ledger.
pub struct LedgerProcess<P>(Rc<Instance<P>>);

impl<P> Clone for LedgerProcess<P> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<P> std::fmt::Debug for LedgerProcess<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LedgerProcess").finish_non_exhaustive()
    }
}

impl<P: LedgerPorts> LedgerProcess<P> {
    /// Starts the process of a ledger on its platform.
    #[must_use]
    pub fn new(ports: P) -> Self {
        Self(Instance::new(ports))
    }

    /// The platform.
    #[must_use]
    pub fn ports(&self) -> &P {
        &self.0.ports
    }

    /// Handles a request.
    ///
    /// # Errors
    ///
    /// When a step or the storage fails.
    pub async fn handle(&self, request: &LedgerRequest) -> Result<LedgerResponse, StepError> {
        let storage = self.0.ports.storage();
        let allowed = match request {
            LedgerRequest::Load { .. }
            | LedgerRequest::ListHistory(_)
            | LedgerRequest::Explain(_)
            | LedgerRequest::ManageOverrides(OverrideRequest {
                command: OverrideCommand::Retrieve(_) | OverrideCommand::List { .. },
                ..
            }) => storage.may_read()?,
            LedgerRequest::Apply(_)
            | LedgerRequest::ApplyPolled(_)
            | LedgerRequest::NoteUnreadable(_)
            | LedgerRequest::Sync { .. }
            | LedgerRequest::Reconcile(_)
            | LedgerRequest::ManageOverrides(_)
            | LedgerRequest::Rearm => storage.may_write()?,
        };
        if !allowed {
            return Ok(LedgerResponse::NewerRelease);
        }
        let response = match request {
            LedgerRequest::Apply(summary) => self.apply(summary, EventOrigin::Delivery).await,
            LedgerRequest::ApplyPolled(summary) => self.apply(summary, EventOrigin::Poll).await,
            LedgerRequest::NoteUnreadable(event) => self.note_unreadable(event).await,
            LedgerRequest::Load { customer, features } => {
                refresh::load(&self.0, customer, features).await
            }
            LedgerRequest::Sync { customer, wait_for } => {
                refresh::sync(&self.0, customer, wait_for.as_ref()).await
            }
            LedgerRequest::Reconcile(customer) => refresh::reconcile(&self.0, customer).await,
            LedgerRequest::ManageOverrides(request) => overrides::manage(&self.0, request).await,
            LedgerRequest::ListHistory(query) => overrides::list_history(&self.0, query).await,
            LedgerRequest::Explain(query) => overrides::explain_answer(&self.0, query).await,
            LedgerRequest::Rearm => {
                self.0.schedule_alarm().await?;
                Ok(LedgerResponse::Rearmed)
            }
        };
        // A transaction that failed may have been committed. Its tasks need the alarm.
        if response.is_err()
            && let Err(error) = self.0.schedule_alarm().await
        {
            self.0.log_error(&format!("failed to set the alarm: {error}"));
        }
        response
    }

    /// Applies an event. Returns once its effect is stored, and waits a little for the replica.
    async fn apply(
        &self,
        summary: &Summary,
        origin: EventOrigin,
    ) -> Result<LedgerResponse, StepError> {
        let instance = &self.0;
        let (ports, customer) = (&instance.ports, &summary.customer);
        let access = if ports.has_source(customer.livemode) {
            SourceAccess::Available
        } else {
            SourceAccess::None
        };
        let may_begin = instance.replica_write.borrow().is_none();
        let (applied, begun, now) =
            instance.update_with_event(customer, &summary.event, |ledger, dedup, now| {
                let policy = ports.source_policy();
                let applied = ledger.apply_event(summary, (dedup, origin), access, policy, now)?;
                // The same transaction stores that the write of the replica starts.
                let begins = may_begin
                    && applied.receipt.outcome == ApplyOutcome::Applied
                    && ledger.outbox.is_due(Task::Replica, now);
                let begun = begins.then(|| ledger.begin_replica_write(now)).flatten();
                Ok((applied, begun, now))
            })?;
        let receipt = applied.receipt;
        instance.unknown_until.set(UnixMillis::default());
        // Before any await, so that activities have the order of the transactions.
        writes::log_activity(
            instance,
            customer,
            Activity::from_event(summary, applied, origin, now),
        );
        let write = match receipt.outcome {
            ApplyOutcome::Applied => writes::join_replica_write(instance, customer, begun),
            _ => None,
        };
        // No await since the transaction: the platform commits the alarm together with it. The alarm
        // is late enough for the write in flight.
        instance.schedule_alarm().await?;
        if let Some(write) = write {
            within(ports.sleep(ACKNOWLEDGE_TIMEOUT), write).await;
        }
        Ok(LedgerResponse::Receipt(receipt))
    }

    /// Logs an event that cannot be read, and lets the alarm read the source.
    async fn note_unreadable(&self, event: &UnreadableEvent) -> Result<LedgerResponse, StepError> {
        let instance = &self.0;
        let (version, now) = instance.update(&event.customer, |ledger, now| {
            ledger.note_unreadable_event(now);
            Ok((ledger.version(), now))
        })?;
        let activity = Activity::from_unreadable(event, version, now);
        writes::log_activity(instance, &event.customer, activity);
        instance.schedule_alarm().await?;
        Ok(LedgerResponse::Receipt(ApplyReceipt { outcome: ApplyOutcome::Failed, version }))
    }

    /// Runs the pending tasks that are due. The platform calls this when the alarm goes off.
    ///
    /// # Errors
    ///
    /// When a step or the storage fails. The platform then calls it again.
    pub async fn run_due_tasks(&self) -> Result<(), StepError> {
        let instance = &self.0;
        instance.alarm_fired();
        let storage = instance.ports.storage();
        if !storage.may_write()? {
            return Ok(instance.postpone_alarm().await?);
        }
        let Some(customer) = storage.customer()? else { return Ok(()) };
        let now = instance.ports.now();
        refresh::catch_up(instance, &customer).await?;
        if storage.read(|ledger| ledger.reconcile_timer.due_at.is_some_and(|at| at <= now))? {
            instance.update(&customer, |ledger, now| {
                ledger.reconcile_if_due(now, instance.ports.jitter());
                Ok(())
            })?;
        }
        let mut is_due = storage.read(|ledger| ledger.outbox.is_read_due(now))?;
        if is_due && !reads::is_reading(instance) {
            is_due = instance.update(&customer, |ledger, now| {
                ledger.spread_late_reads(now, instance.ports.jitter());
                Ok(ledger.outbox.is_read_due(now))
            })?;
        }
        let mut read = is_due.then(|| reads::start_background_read(instance, &customer));
        loop {
            if let Some(write) = writes::start_replica_write(instance, &customer) {
                write.await;
            }
            // Not awaited: an index that does not respond must not delay the replica.
            drop(writes::start_report_if_due(instance, &customer)?);
            let Some(pending) = read.take() else { break };
            let result = within(instance.ports.sleep(POLL_INTERVAL), pending.clone()).await;
            read = result.is_none().then_some(pending);
        }
        Ok(instance.schedule_alarm().await?)
    }

    /// Carries out what is due for a new subscriber, who receives the version of now.
    ///
    /// # Errors
    ///
    /// When a step or the storage fails.
    pub async fn catch_up(&self) -> Result<(), StepError> {
        match self.0.ports.storage().customer()? {
            Some(customer) => refresh::catch_up(&self.0, &customer).await,
            None => Ok(()),
        }
    }

    /// Writes to the replica and to the customer index what is due, but reads no source.
    pub(crate) async fn run_due_writes(&self) -> Result<(), StepError> {
        let Some(customer) = self.0.ports.storage().customer()? else { return Ok(()) };
        if let Some(write) = writes::start_replica_write(&self.0, &customer) {
            write.await;
        }
        if let Some(report) = writes::start_report_if_due(&self.0, &customer)? {
            report.await;
        }
        Ok(())
    }
}
