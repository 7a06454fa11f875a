//! The process of a catalog: runs requests and due transitions, and sends deliveries.
//!
//! ```text
//! request or alarm ──▶ run ──▶ batch: run transitions ─▶ lease deliveries ─▶ send, record each
//!                                ▲                                              │
//!                                └──────── until nothing is due, or a limit ◀───┘
//! ```
//!
//! A run ends when nothing is due and nothing is in flight, when `RUN_BUDGET` is used, or when
//! [`MAX_SENDS_PER_EVENT`] is used. It then sets the alarm for what is due next. Requests to the
//! catalog run between two batches. Deliveries run concurrently with batches: each one that finishes
//! starts the next batch. If the process is lost during a run, the alarm that was set before
//! (`WATCHDOG`) starts another.
//!
//! A delivery is a webhook to an endpoint, or an update of a customer's ledger. Not here: what is due
//! ([`scheduler`]), the retry schedules ([`deliveries`], [`ledger_updates`]), the limits per endpoint
//! (`limiter`), and the platform ([`CatalogPorts`]).

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use futures_util::FutureExt as _;

use crate::{
    catalog::{
        deliveries::{self, WebhookRequest},
        error::Error,
        ledger_updates,
        limiter::DeliveryLimiter,
        ports::CatalogPorts,
        scheduler,
        storage::StorageError,
        tx::Tx,
    },
    entitlement::Summary,
    id::{Timestamp, UnixMillis},
    waiting::{ChangeSignal, SharedFuture, within},
};

/// The most transitions of one batch. Requests wait for a batch: some tens of milliseconds.
const BATCH_SIZE: usize = 100;

/// How long a run starts new batches, in milliseconds.
const RUN_BUDGET: u64 = 10_000;

/// The most deliveries for one request or alarm: fewer than the 50 subrequests that the free plan
/// allows each (<https://developers.cloudflare.com/workers/platform/limits/#subrequests>).
pub const MAX_SENDS_PER_EVENT: usize = 40;

/// The most ledger updates in flight. Webhooks that are in flight do not delay them.
pub const MAX_UPDATES_IN_FLIGHT: usize = 6;

/// Timeout of a ledger update, in milliseconds: the same as of a webhook.
const UPDATE_TIMEOUT: u64 = 20_000;

/// The alarm of a run in progress, in milliseconds from its start. It starts another run if the
/// process is lost.
const WATCHDOG: u64 = 5_000;

/// The back-off after a failed transaction, in milliseconds.
const FAILURE_BACKOFF: u64 = 30_000;

/// How long the alarm is postponed while this code may not write the tables, in milliseconds.
const READ_ONLY_BACKOFF: u64 = 60_000;

/// Whether a request may change the catalog.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RequestKind {
    /// It changes nothing.
    Read,
    /// It may change something.
    Write,
}

/// The process of one catalog.
pub struct CatalogProcess<P> {
    /// What the process runs on.
    pub ports: P,
    current_run: RefCell<Option<SharedRun>>,
    /// Wakes the current run: there is more to do.
    more_to_do: ChangeSignal,
    limiter: DeliveryLimiter,
    updates_in_flight: Cell<usize>,
    /// How many more deliveries may be sent until the next request or alarm.
    sends_left: Cell<usize>,
    /// No transitions run until then, because the last batch failed.
    work_backoff_until: Cell<UnixMillis>,
    /// No deliveries are leased until then, because the last lease failed.
    send_backoff_until: Cell<UnixMillis>,
    /// Whether this process has set an alarm. The platform drops an alarm that failed too often, so
    /// the first request sets one again.
    alarm_set: Cell<bool>,
}

/// A run, for all that wait for its end.
type SharedRun = SharedFuture<Result<(), StorageError>>;

impl<P> std::fmt::Debug for CatalogProcess<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CatalogProcess").finish_non_exhaustive()
    }
}

impl<P: CatalogPorts> CatalogProcess<P> {
    /// A process that has not run anything.
    #[must_use]
    pub fn new(ports: P) -> Self {
        Self {
            ports,
            current_run: RefCell::default(),
            more_to_do: ChangeSignal::default(),
            limiter: DeliveryLimiter::default(),
            updates_in_flight: Cell::default(),
            sends_left: Cell::default(),
            work_backoff_until: Cell::default(),
            send_backoff_until: Cell::default(),
            alarm_set: Cell::default(),
        }
    }

    /// Runs the transaction of a request. Sets the alarm for the work that it has postponed, and
    /// starts a run without waiting for it.
    ///
    /// # Errors
    ///
    /// When the storage fails.
    pub async fn handle_request<T, E>(
        self: &Rc<Self>,
        kind: RequestKind,
        work: impl FnOnce(Tx<'_>) -> Result<T, E>,
    ) -> Result<Result<T, E>, StorageError> {
        let result = self.run_transaction(work)?;
        let changed = kind == RequestKind::Write && result.is_ok();
        // No await until the alarm is set: the platform commits it together with the transaction.
        if !changed && self.alarm_set.get() {
            return Ok(result);
        }
        if self.ports.may_write()? {
            self.sends_left.set(MAX_SENDS_PER_EVENT);
            self.set_alarm(Some(self.in_millis(WATCHDOG))).await?;
            drop(self.start());
        } else {
            self.set_alarm(Some(self.in_millis(READ_ONLY_BACKOFF))).await?;
        }
        Ok(result)
    }

    /// Handles the alarm: starts a run and waits for its end.
    ///
    /// # Errors
    ///
    /// When the next alarm cannot be set.
    pub async fn handle_alarm(self: &Rc<Self>) -> Result<(), StorageError> {
        if !self.ports.may_write()? {
            return self.set_alarm(Some(self.in_millis(READ_ONLY_BACKOFF))).await;
        }
        self.sends_left.set(MAX_SENDS_PER_EVENT);
        self.start().await
    }

    /// Starts a run, or notifies the current one that there is more to do.
    fn start(self: &Rc<Self>) -> SharedRun {
        self.more_to_do.notify_waiters();
        if let Some(run) = self.current_run.borrow().as_ref() {
            return run.clone();
        }
        let process = Rc::clone(self);
        let run = async move {
            // Lets the current response be sent first.
            process.ports.sleep(0).await;
            process.run().await;
            // No await until the alarm is set: a later request starts another run.
            process.current_run.take();
            let next = process.next_alarm();
            process.set_alarm(next).await.inspect_err(|error| {
                process.ports.log(&format!("failed to set the alarm of the catalog: {error}"));
            })
        };
        let run = run.boxed_local().shared();
        self.current_run.replace(Some(run.clone()));
        self.ports.spawn(run.clone().map(drop).boxed_local());
        run
    }

    async fn run(self: &Rc<Self>) {
        let end = self.in_millis(RUN_BUDGET);
        loop {
            // Before the batch, so that no later notification is lost.
            let more_to_do = self.more_to_do.changed();
            self.run_batch();
            let now = self.ports.now();
            if now >= end || self.sends_left.get() == 0 {
                return;
            }
            let next = self.next_due();
            if next.is_some_and(|next| next <= now) {
                self.ports.sleep(0).await;
            } else if !self.is_sending() {
                return;
            } else {
                let wait = next.map_or(end, |next| next.min(end)).0.saturating_sub(now.0);
                within(self.ports.sleep(wait), more_to_do).await;
            }
        }
    }

    /// Runs a batch of due transitions, and starts as many deliveries as the limits allow.
    fn run_batch(self: &Rc<Self>) {
        self.try_run(&self.work_backoff_until, |tx| scheduler::run_due(&tx, BATCH_SIZE));
        let leased = self.try_run(&self.send_backoff_until, |tx| {
            let sends_left = self.sends_left.get();
            let updates = ledger_updates::lease_due(&tx, self.update_slots().min(sends_left))?;
            let sends_left = sends_left.saturating_sub(updates.len());
            let slots = self.limiter.available().min(sends_left);
            let capacity = |endpoint: &str| self.limiter.capacity_for(endpoint);
            Ok((updates, deliveries::lease_due(&tx, slots, &capacity)?))
        });
        let Some((updates, requests)) = leased else { return };
        for summary in updates {
            self.update_ledger(summary);
        }
        for request in requests {
            self.send_webhook(request);
        }
    }

    fn update_ledger(self: &Rc<Self>, summary: Summary) {
        self.updates_in_flight.update(|count| count.saturating_add(1));
        let process = Rc::clone(self);
        self.spawn_send(async move {
            let timeout = process.ports.sleep(UPDATE_TIMEOUT);
            let applied = within(timeout, process.ports.apply_summary(&summary)).await;
            let applied = applied
                .unwrap_or_else(|| Err(format!("no response within {} s", UPDATE_TIMEOUT / 1_000)));
            process.updates_in_flight.update(|count| count.saturating_sub(1));
            let customer = summary.customer.id.as_str();
            if let Err(cause) = &applied {
                let line = format!("failed to update the ledger of {customer}, retrying: {cause}");
                process.ports.log(&line);
            }
            process.record(customer, |tx| match applied {
                Ok(()) => ledger_updates::complete(&tx, &summary),
                Err(_) => ledger_updates::retry(&tx, &summary),
            });
        });
    }

    fn send_webhook(self: &Rc<Self>, request: WebhookRequest) {
        let started_at = self.ports.now();
        self.limiter.start(&request.endpoint);
        let process = Rc::clone(self);
        self.spawn_send(async move {
            let outcome = process.ports.send_webhook(&request).await;
            process.limiter.finish(&request.endpoint, &outcome, started_at, process.ports.now());
            process.record(&request.delivery, |tx| {
                deliveries::record_attempt(&tx, &request.delivery, outcome)
            });
        });
    }

    /// Runs a task that sends a delivery and records the outcome, then starts the next batch.
    fn spawn_send(self: &Rc<Self>, send: impl Future<Output = ()> + 'static) {
        self.sends_left.update(|left| left.saturating_sub(1));
        let process = Rc::clone(self);
        let task = async move {
            send.await;
            drop(process.start());
        };
        self.ports.spawn(task.boxed_local());
    }

    fn record(&self, delivery: &str, work: impl FnOnce(Tx<'_>) -> Result<(), Error>) {
        if let Err(error) = self.transact(work) {
            // The delivery is due again when its lease ends.
            self.ports.log(&format!("failed to record an attempt of {delivery}: {error}"));
        }
    }

    fn is_sending(&self) -> bool {
        self.limiter.in_flight() > 0 || self.updates_in_flight.get() > 0
    }

    /// How many more ledger updates may be in flight.
    fn update_slots(&self) -> usize {
        MAX_UPDATES_IN_FLIGHT.saturating_sub(self.updates_in_flight.get())
    }

    /// Runs `work` in a transaction, unless it is in back-off. A failure starts a back-off.
    fn try_run<T>(
        &self,
        backoff_until: &Cell<UnixMillis>,
        work: impl FnOnce(Tx<'_>) -> Result<T, Error>,
    ) -> Option<T> {
        if self.ports.now() < backoff_until.get() {
            return None;
        }
        let result = self.transact(work).inspect_err(|error| {
            let seconds = FAILURE_BACKOFF / 1_000;
            self.ports.log(&format!(
                "failed to run due work of the catalog, retrying in {seconds} s: {error}"
            ));
            backoff_until.set(self.in_millis(FAILURE_BACKOFF));
        });
        result.ok()
    }

    fn transact<T>(&self, work: impl FnOnce(Tx<'_>) -> Result<T, Error>) -> Result<T, Error> {
        self.run_transaction(work)?
    }

    /// Runs `work` in a transaction, which is rolled back if `work` fails. The outer result is the
    /// transaction's.
    fn run_transaction<T, E>(
        &self,
        work: impl FnOnce(Tx<'_>) -> Result<T, E>,
    ) -> Result<Result<T, E>, StorageError> {
        let (mut work, mut result) = (Some(work), None);
        self.ports.transact(&mut |tx| {
            result = work.take().map(|work| work(tx));
            matches!(result, Some(Ok(_)))
        })?;
        result.ok_or_else(|| StorageError("the transaction did not run".to_owned()))
    }

    /// When the next transition is due, or the next delivery that the limits allow.
    fn next_due(&self) -> Option<UnixMillis> {
        // An endpoint at its limit is skipped: a delivery that finishes notifies the run.
        let capacity = |endpoint: &str| self.limiter.capacity_for(endpoint);
        let delivery = self.due(&self.send_backoff_until, |tx| {
            let webhook = deliveries::next_due(&tx, &capacity)?;
            let is_open = self.update_slots() > 0;
            let update = if is_open { ledger_updates::next_due(&tx)? } else { None };
            Ok(webhook.into_iter().chain(update).min())
        });
        let work = self.due(&self.work_backoff_until, |tx| scheduler::next_due(&tx));
        work.into_iter().chain(delivery).min()
    }

    /// When work is due, but not before the end of its back-off.
    fn due(
        &self,
        backoff_until: &Cell<UnixMillis>,
        query: impl FnOnce(Tx<'_>) -> Result<Option<Timestamp>, Error>,
    ) -> Option<UnixMillis> {
        let next = self.transact(query).map(|next| next.map(UnixMillis::from));
        let next = next.unwrap_or_else(|error| {
            self.ports.log(&format!("failed to read the next due work of the catalog: {error}"));
            Some(self.in_millis(FAILURE_BACKOFF))
        });
        next.map(|next| next.max(backoff_until.get()))
    }

    /// When the next run has to start.
    fn next_alarm(&self) -> Option<UnixMillis> {
        // If the process is lost while deliveries are in flight, the alarm starts those that wait for
        // a slot.
        let watchdog = self.is_sending().then(|| self.in_millis(WATCHDOG));
        let next = self.next_due().into_iter().chain(watchdog).min();
        next.map(|next| next.max(self.ports.now()))
    }

    async fn set_alarm(&self, at: Option<UnixMillis>) -> Result<(), StorageError> {
        self.ports.set_alarm(at).await?;
        self.alarm_set.set(true);
        Ok(())
    }

    fn in_millis(&self, millis: u64) -> UnixMillis {
        self.ports.now().saturating_add(millis)
    }
}
