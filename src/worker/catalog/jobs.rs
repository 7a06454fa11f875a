//! What a catalog does besides answering: what time makes due, and telling others.
//!
//! It works in shifts. A shift takes a batch at a time, so that those who ask are let in between
//! two, and keeps a few parcels under way beside that; each that comes back makes room for the next,
//! and an endpoint holds up itself alone. A shift begins with whatever makes work, or with the alarm,
//! and sets the alarm when it ends. Should it die, the alarm that was set before is there.

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

use super::{
    limiter::DeliveryLimiter, object::CatalogStub, sender as courier, storage::SqliteStorage,
};
use crate::worker::{
    SharedFuture, load_settings, now_millis, random::random_u64, scheduled_time, sleep,
};
use crate::{
    catalog::{self, Tx, deliveries, deliveries::WebhookRequest, scheduler},
    id::{Livemode, Timestamp, UnixMillis},
    policy::StatusPolicy,
};

/// The most things of one batch, for which whoever asks waits: some tens of milliseconds.
const BATCH_SIZE: usize = 100;

/// How long a shift takes things on, in milliseconds.
const RUN_BUDGET: u64 = 10_000;

/// Parcels for one request or alarm: below the fifty requests that each may make on the free plan
/// (<https://developers.cloudflare.com/workers/platform/limits/#subrequests>).
const MAX_SENDS_PER_EVENT: usize = 40;

/// How long until a shift that was begun is looked after, in milliseconds: should it have died with
/// its object, another one begins then.
const WATCHDOG: u64 = 5_000;

/// How long what failed is left alone, in milliseconds.
const FAILURE_BACKOFF: u64 = 30_000;

/// What works on one catalog.
pub(in crate::worker) struct CatalogJobs {
    state: State,
    env: Env,
    storage: SqliteStorage,
    livemode: OnceCell<Livemode>,
    current_run: RefCell<Option<SharedFuture<std::result::Result<(), String>>>>,
    notify: Notify,
    limiter: DeliveryLimiter,
    /// How many more may be sent until the next request or alarm.
    sends_left: Cell<usize>,
    /// Until when what is due is left alone, because it failed; and likewise what is to be sent.
    work_backoff_until: Cell<UnixMillis>,
    send_backoff_until: Cell<UnixMillis>,
    /// Whether this object has set an alarm before.
    alarm_set: Cell<bool>,
}

impl CatalogJobs {
    pub(in crate::worker) fn new(state: State, env: Env) -> Self {
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

    /// Does some work on the catalog as it is now: all of it, or none if it fails.
    pub(in crate::worker) fn transact<T, E>(
        &self,
        work: impl FnOnce(Tx<'_>) -> std::result::Result<T, E>,
    ) -> Result<std::result::Result<T, E>> {
        let (policy, livemode, now) =
            (self.policy()?, self.livemode()?, now_millis().to_timestamp());
        self.storage.transact(|storage| work(Tx::new(storage, livemode, policy, &random_u64, now)))
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

    /// Whether this object has not set an alarm yet. One that failed too often is not repeated by
    /// the platform, so that whoever comes first sees to it.
    pub(in crate::worker) fn alarm_unset(&self) -> bool {
        !self.alarm_set.get()
    }

    /// Sees to what a request put off: sets the alarm, and begins without waiting for it.
    pub(in crate::worker) async fn schedule_background_work(self: &Rc<Self>) -> Result<()> {
        self.sends_left.set(MAX_SENDS_PER_EVENT);
        self.schedule_alarm(now_millis().saturating_add(WATCHDOG)).await?;
        self.alarm_set.set(true);
        drop(self.start());
        Ok(())
    }

    /// Does what is due.
    pub(in crate::worker) async fn run_to_end(self: &Rc<Self>) -> Result<()> {
        self.sends_left.set(MAX_SENDS_PER_EVENT);
        Ok(self.start().await?)
    }

    /// Begins a shift, or tells the one that is at work that there is more to do.
    fn start(self: &Rc<Self>) -> SharedFuture<std::result::Result<(), String>> {
        self.notify.notify_one();
        if let Some(shift) = self.current_run.borrow().as_ref() {
            return shift.clone();
        }
        let desk = Rc::clone(self);
        let shift = async move {
            // What is answered now leaves first.
            sleep(0).await;
            desk.run().await;
            // No await until the alarm is set: whoever comes later begins another shift.
            desk.current_run.take();
            desk.schedule_alarm(now_millis()).await.map_err(|error| {
                console_error!("no alarm is set: {error}");
                error.to_string()
            })
        };
        let shift = shift.boxed_local().shared();
        self.current_run.replace(Some(shift.clone()));
        self.state.wait_until(shift.clone().map(drop));
        shift
    }

    /// One shift.
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

    /// A batch of what is due, and as many parcels as there are hands.
    fn run_batch(self: &Rc<Self>) {
        self.try_run(&self.work_backoff_until, |catalog| scheduler::run_due(&catalog, BATCH_SIZE));
        let hands = self.limiter.available().min(self.sends_left.get());
        let room = |endpoint: &str| self.limiter.capacity_for(endpoint);
        let parcels = self.try_run(&self.send_backoff_until, |catalog| {
            deliveries::lease_due(&catalog, hands, &room)
        });
        parcels.into_iter().flatten().for_each(|parcel| self.send_webhook(parcel));
    }

    fn send_webhook(self: &Rc<Self>, parcel: WebhookRequest) {
        let left = now_millis();
        self.limiter.start(&parcel.endpoint);
        self.sends_left.update(|sendable| sendable.saturating_sub(1));
        let desk = Rc::clone(self);
        self.state.wait_until(async move {
            let outcome = courier::send(&parcel).await;
            desk.limiter.finish(&parcel.endpoint, &outcome, left, now_millis());
            let report =
                |catalog: Tx<'_>| deliveries::record_attempt(&catalog, &parcel.delivery, outcome);
            if let Err(error) = desk.run_tx(report) {
                // It counts as not sent once the time that it was given out for is over.
                console_error!("{} is not noted: {error}", parcel.delivery);
            }
            drop(desk.start());
        });
    }

    /// Does some work, unless it failed just before.
    fn try_run<T>(
        &self,
        rests: &Cell<UnixMillis>,
        work: impl FnOnce(Tx<'_>) -> std::result::Result<T, catalog::Error>,
    ) -> Option<T> {
        if now_millis() < rests.get() {
            return None;
        }
        match self.run_tx(work) {
            Ok(done) => Some(done),
            Err(error) => {
                console_error!("the catalog's work is left alone for a while: {error}");
                rests.set(now_millis().saturating_add(FAILURE_BACKOFF));
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

    /// When there is something to do, or to send by a hand that is free.
    fn next_due(&self) -> Option<UnixMillis> {
        // Of an endpoint that has no more room, the next one who comes back rings.
        let room = |endpoint: &str| self.limiter.capacity_for(endpoint);
        let when = |rests: &Cell<UnixMillis>, next: &dyn Fn(&Tx<'_>) -> NextDue| {
            let next = match self.run_tx(|catalog| next(&catalog)) {
                Ok(next) => next.map(UnixMillis::from),
                Err(error) => {
                    console_error!("it is not known what is due next: {error}");
                    Some(now_millis().saturating_add(FAILURE_BACKOFF))
                }
            };
            next.map(|next| next.max(rests.get()))
        };
        let sendable =
            when(&self.send_backoff_until, &|catalog| deliveries::next_due(catalog, &room));
        when(&self.work_backoff_until, &|catalog| scheduler::next_due(catalog))
            .into_iter()
            .chain(sendable)
            .min()
    }

    /// Sets the alarm to when there is something to do, at this moment at the earliest.
    async fn schedule_alarm(&self, earliest: UnixMillis) -> Result<()> {
        // A parcel that is under way keeps an object here that nobody asks anything; and should it die
        // with its object, what waits for its hand is looked after soon.
        let under_way =
            (self.limiter.in_flight() > 0).then(|| now_millis().saturating_add(WATCHDOG));
        match self.next_due().into_iter().chain(under_way).min() {
            Some(next) => self.state.storage().set_alarm(scheduled_time(next.max(earliest))).await,
            None => self.state.storage().delete_alarm().await,
        }
    }
}

type NextDue = std::result::Result<Option<Timestamp>, catalog::Error>;

/// What the one shift that is at work listens for.
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

    /// Waits until somebody rings, or has since it was waited for last.
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
