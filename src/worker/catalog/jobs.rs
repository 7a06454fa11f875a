//! Background work of a catalog object: runs due transitions and delivers webhooks.
//!
//! ```text
//! request or alarm ──▶ run ──▶ batch: run transitions ─▶ lease deliveries ─▶ send, record each
//!                                ▲                                              │
//!                                └──────── until nothing is due, or a limit ◀───┘
//! ```
//!
//! A run ends when nothing is due and nothing is in flight, when [`RUN_BUDGET`] is used, or when
//! [`MAX_SENDS_PER_EVENT`] is used. It then sets the alarm for what is due next. Requests to the
//! object run between two batches. Deliveries run concurrently with batches: each one that finishes
//! starts the next batch. If the object is evicted during a run, the alarm that was set before
//! ([`WATCHDOG`]) starts another.
//!
//! Not here: what is due ([`crate::catalog::scheduler`]), the retry schedule of a delivery
//! ([`crate::catalog::deliveries`]), and the limits per endpoint (`limiter`).

use std::{
    cell::{Cell, OnceCell, RefCell},
    pin::pin,
    rc::Rc,
    task::{Poll, Waker},
};

use futures_util::{
    FutureExt as _,
    future::{poll_fn, select},
};
use worker::{Env, Result, State, console_error};

use super::{limiter::DeliveryLimiter, sender, storage::SqliteStorage, stub::CatalogStub};
use crate::{
    catalog::{self, Tx, deliveries, deliveries::WebhookRequest, scheduler, storage::Storage},
    id::{Livemode, Timestamp, UnixMillis},
    policy::StatusPolicy,
    worker::{
        random::random_u64,
        rpc::NEWER_RELEASE_BACKOFF,
        runtime::{SharedFuture, load_settings, now_millis, scheduled_time, sleep},
    },
};

/// The most transitions of one batch. Requests wait for a batch: some tens of milliseconds.
const BATCH_SIZE: usize = 100;

/// How long a run starts new batches, in milliseconds.
const RUN_BUDGET: u64 = 10_000;

/// The most webhook requests for one request or alarm: fewer than the 50 subrequests that the free
/// plan allows each (<https://developers.cloudflare.com/workers/platform/limits/#subrequests>).
const MAX_SENDS_PER_EVENT: usize = 40;

/// The alarm of a run in progress, in milliseconds from its start. It starts another run if the
/// object is evicted.
const WATCHDOG: u64 = 5_000;

/// The back-off after a failed transaction, in milliseconds.
const FAILURE_BACKOFF: u64 = 30_000;

/// The background work of one catalog object.
pub(super) struct CatalogJobs {
    state: State,
    env: Env,
    storage: SqliteStorage,
    livemode: OnceCell<Livemode>,
    current_run: RefCell<Option<SharedFuture<std::result::Result<(), String>>>>,
    notify: Notify,
    limiter: DeliveryLimiter,
    /// How many more webhook requests may be sent until the next request or alarm.
    sends_left: Cell<usize>,
    /// No transitions run until then, because the last batch failed.
    work_backoff_until: Cell<UnixMillis>,
    /// No deliveries are leased until then, because the last lease failed.
    send_backoff_until: Cell<UnixMillis>,
    /// Whether this instance of the object has set an alarm.
    alarm_set: Cell<bool>,
}

impl CatalogJobs {
    pub(super) fn new(state: State, env: Env) -> Self {
        Self {
            storage: SqliteStorage::new(&state),
            state,
            env,
            livemode: OnceCell::new(),
            current_run: RefCell::default(),
            notify: Notify::default(),
            limiter: DeliveryLimiter::default(),
            sends_left: Cell::new(MAX_SENDS_PER_EVENT),
            work_backoff_until: Cell::default(),
            send_backoff_until: Cell::default(),
            alarm_set: Cell::default(),
        }
    }

    /// Runs `work` in a transaction, which is rolled back if `work` fails, or if this code may not
    /// write the tables.
    pub(super) fn transact<T, E>(
        &self,
        work: impl FnOnce(Tx<'_>) -> std::result::Result<T, E>,
    ) -> Result<std::result::Result<T, E>> {
        let (policy, livemode, now) =
            (self.policy()?, self.livemode()?, now_millis().to_timestamp());
        let work =
            |storage: &dyn Storage| work(Tx::new(storage, livemode, policy, &random_u64, now));
        if self.may_write()? { self.storage.transact(work) } else { self.storage.read(work) }
    }

    /// Returns whether this code may read the tables.
    pub(super) fn may_read(&self) -> Result<bool> {
        self.storage.may_read()
    }

    /// Returns whether this code may write the tables.
    pub(super) fn may_write(&self) -> Result<bool> {
        self.storage.may_write()
    }

    fn policy(&self) -> Result<StatusPolicy> {
        let settings = load_settings(&self.env).map_err(|error| error.to_string())?;
        Ok(settings.policy)
    }

    fn livemode(&self) -> Result<Livemode> {
        if let Some(livemode) = self.livemode.get() {
            return Ok(*livemode);
        }
        let livemode = CatalogStub::from_env(&self.env)?.livemode_of(&self.state)?;
        Ok(*self.livemode.get_or_init(|| livemode))
    }

    /// Whether this instance has not set an alarm yet. The platform drops an alarm that failed too
    /// often, so the first request sets one again.
    pub(super) fn alarm_unset(&self) -> bool {
        !self.alarm_set.get()
    }

    /// Sets the alarm for the work that a request has postponed, and starts a run without waiting
    /// for it.
    pub(super) async fn schedule_background_work(self: &Rc<Self>) -> Result<()> {
        if !self.may_write()? {
            self.postpone_alarm().await?;
            self.alarm_set.set(true);
            return Ok(());
        }
        self.sends_left.set(MAX_SENDS_PER_EVENT);
        self.schedule_alarm(now_millis().saturating_add(WATCHDOG)).await?;
        self.alarm_set.set(true);
        drop(self.start());
        Ok(())
    }

    /// Starts a run and waits for its end.
    pub(super) async fn run_to_end(self: &Rc<Self>) -> Result<()> {
        if !self.may_write()? {
            return self.postpone_alarm().await;
        }
        self.sends_left.set(MAX_SENDS_PER_EVENT);
        Ok(self.start().await?)
    }

    /// Starts a run, or notifies the current one that there is more to do.
    fn start(self: &Rc<Self>) -> SharedFuture<std::result::Result<(), String>> {
        self.notify.notify_one();
        if let Some(run) = self.current_run.borrow().as_ref() {
            return run.clone();
        }
        let jobs = Rc::clone(self);
        let run = async move {
            // Lets the current response be sent first.
            sleep(0).await;
            jobs.run().await;
            // No await until the alarm is set: a later request starts another run.
            jobs.current_run.take();
            jobs.schedule_alarm(now_millis()).await.map_err(|error| {
                console_error!("failed to set the alarm of the catalog: {error}");
                error.to_string()
            })
        };
        let run = run.boxed_local().shared();
        self.current_run.replace(Some(run.clone()));
        self.state.wait_until(run.clone().map(drop));
        run
    }

    async fn run(self: &Rc<Self>) {
        let end = now_millis().saturating_add(RUN_BUDGET);
        loop {
            self.run_batch();
            let now = now_millis();
            if now >= end || self.sends_left.get() == 0 {
                return;
            }
            let next = self.next_due();
            if next.is_some_and(|next| next <= now) {
                sleep(0).await;
            } else if self.limiter.in_flight() == 0 {
                return;
            } else {
                let until = next.map_or(end, |next| next.min(end));
                select(pin!(self.notify.notified()), sleep(until.0.saturating_sub(now.0))).await;
            }
        }
    }

    /// Runs a batch of due transitions, and starts as many deliveries as the limits allow.
    fn run_batch(self: &Rc<Self>) {
        self.try_run(&self.work_backoff_until, |tx| scheduler::run_due(&tx, BATCH_SIZE));
        let slots = self.limiter.available().min(self.sends_left.get());
        let capacity = |endpoint: &str| self.limiter.capacity_for(endpoint);
        let requests = self
            .try_run(&self.send_backoff_until, |tx| deliveries::lease_due(&tx, slots, &capacity));
        requests.into_iter().flatten().for_each(|request| self.send_webhook(request));
    }

    fn send_webhook(self: &Rc<Self>, request: WebhookRequest) {
        let started_at = now_millis();
        self.limiter.start(&request.endpoint);
        self.sends_left.update(|left| left.saturating_sub(1));
        let jobs = Rc::clone(self);
        self.state.wait_until(async move {
            let outcome = sender::send(&request).await;
            jobs.limiter.finish(&request.endpoint, &outcome, started_at, now_millis());
            let record = |tx: Tx<'_>| deliveries::record_attempt(&tx, &request.delivery, outcome);
            if let Err(error) = jobs.run_tx(record) {
                // The delivery is due again when its lease ends.
                console_error!("failed to record an attempt of {}: {error}", request.delivery);
            }
            drop(jobs.start());
        });
    }

    /// Runs `work` in a transaction, unless it is in back-off. A failure starts a back-off.
    fn try_run<T>(
        &self,
        backoff_until: &Cell<UnixMillis>,
        work: impl FnOnce(Tx<'_>) -> std::result::Result<T, catalog::Error>,
    ) -> Option<T> {
        if now_millis() < backoff_until.get() {
            return None;
        }
        match self.run_tx(work) {
            Ok(result) => Some(result),
            Err(error) => {
                console_error!(
                    "failed to run due work of the catalog, retrying in {} s: {error}",
                    FAILURE_BACKOFF / 1_000
                );
                backoff_until.set(now_millis().saturating_add(FAILURE_BACKOFF));
                None
            }
        }
    }

    fn run_tx<T>(
        &self,
        work: impl FnOnce(Tx<'_>) -> std::result::Result<T, catalog::Error>,
    ) -> Result<T> {
        self.transact(work)?.map_err(|error| error.to_string().into())
    }

    /// When the next transition is due, or the next delivery that the limits allow.
    fn next_due(&self) -> Option<UnixMillis> {
        // An endpoint at its limit is skipped: a delivery that finishes notifies the run.
        let capacity = |endpoint: &str| self.limiter.capacity_for(endpoint);
        let due = |backoff_until: &Cell<UnixMillis>, query: &dyn Fn(&Tx<'_>) -> NextDue| {
            let next = match self.run_tx(|tx| query(&tx)) {
                Ok(next) => next.map(UnixMillis::from),
                Err(error) => {
                    console_error!("failed to read the next due work of the catalog: {error}");
                    Some(now_millis().saturating_add(FAILURE_BACKOFF))
                }
            };
            next.map(|next| next.max(backoff_until.get()))
        };
        let delivery = due(&self.send_backoff_until, &|tx| deliveries::next_due(tx, &capacity));
        due(&self.work_backoff_until, &|tx| scheduler::next_due(tx))
            .into_iter()
            .chain(delivery)
            .min()
    }

    /// Sets the alarm again, for an object that may not write its tables.
    async fn postpone_alarm(&self) -> Result<()> {
        let at = now_millis().saturating_add(NEWER_RELEASE_BACKOFF);
        self.state.storage().set_alarm(scheduled_time(at)).await
    }

    /// Sets the alarm for what is due next, but not before `earliest`.
    async fn schedule_alarm(&self, earliest: UnixMillis) -> Result<()> {
        // If the object is evicted while deliveries are in flight, the alarm starts those that wait
        // for a slot.
        let watchdog =
            (self.limiter.in_flight() > 0).then(|| now_millis().saturating_add(WATCHDOG));
        match self.next_due().into_iter().chain(watchdog).min() {
            Some(next) => self.state.storage().set_alarm(scheduled_time(next.max(earliest))).await,
            None => self.state.storage().delete_alarm().await,
        }
    }
}

type NextDue = std::result::Result<Option<Timestamp>, catalog::Error>;

/// Notifies the current run. Has the semantics of `tokio::sync::Notify` with one waiter.
#[derive(Default)]
struct Notify {
    is_notified: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Notify {
    fn notify_one(&self) {
        self.is_notified.set(true);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Resolves at the next notification, or at once if there was one since the last call resolved.
    fn notified(&self) -> impl Future<Output = ()> {
        poll_fn(|context| {
            if self.is_notified.take() {
                return Poll::Ready(());
            }
            self.waker.replace(Some(context.waker().clone()));
            Poll::Pending
        })
    }
}
