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
    Work, at, catalog::DurableCatalog, chance::chance, courier, hands::Hands, millis, settings,
    shelf::SqlShelf, sleep,
};
use crate::{
    catalog::{self, Catalog, outbox, outbox::Parcel, work},
    id::{Livemode, Millis, Timestamp},
    policy::Policy,
};

/// The most things of one batch, for which whoever asks waits: some tens of milliseconds.
const BATCH: usize = 100;

/// How long a shift takes things on, in milliseconds.
const SHIFT: u64 = 10_000;

/// Parcels for one request or alarm: below the fifty requests that each may make on the free plan
/// (<https://developers.cloudflare.com/workers/platform/limits/#subrequests>).
const PARCELS: usize = 40;

/// How long until a shift that was begun is looked after, in milliseconds: should it have died with
/// its object, another one begins then.
const BACKSTOP: u64 = 5_000;

/// How long what failed is left alone, in milliseconds.
const REST: u64 = 30_000;

/// What works on one catalog.
pub(super) struct Desk {
    state: State,
    env: Env,
    shelf: SqlShelf,
    livemode: OnceCell<Livemode>,
    shift: RefCell<Option<Work<std::result::Result<(), String>>>>,
    bell: Bell,
    hands: Hands,
    /// How many more may be sent until the next request or alarm.
    sendable: Cell<usize>,
    /// Until when what is due is left alone, because it failed; and likewise what is to be sent.
    work_rests: Cell<Millis>,
    sending_rests: Cell<Millis>,
    /// Whether this object has set an alarm before.
    awake: Cell<bool>,
}

impl Desk {
    pub(super) fn new(state: State, env: Env) -> Self {
        Self {
            shelf: SqlShelf::of(&state),
            state,
            env,
            livemode: OnceCell::new(),
            shift: RefCell::default(),
            bell: Bell::default(),
            hands: Hands::default(),
            sendable: Cell::new(PARCELS),
            work_rests: Cell::default(),
            sending_rests: Cell::default(),
            awake: Cell::default(),
        }
    }

    /// Does some work on the catalog as it is now: all of it, or none if it fails.
    pub(super) fn transact<T, E>(
        &self,
        work: impl FnOnce(Catalog<'_>) -> std::result::Result<T, E>,
    ) -> Result<std::result::Result<T, E>> {
        let (policy, livemode, now) = (self.policy()?, self.livemode()?, millis().second());
        self.shelf.transact(|shelf| work(Catalog::open(shelf, livemode, policy, &chance, now)))
    }

    fn policy(&self) -> Result<Policy> {
        let settings = settings(&self.env).map_err(|error| error.to_string())?;
        Ok(settings.policy)
    }

    fn livemode(&self) -> Result<Livemode> {
        if let Some(livemode) = self.livemode.get() {
            return Ok(*livemode);
        }
        let livemode = DurableCatalog::open(&self.env)?.mode(&self.state)?;
        Ok(*self.livemode.get_or_init(|| livemode))
    }

    /// Whether this object has not set an alarm yet. One that failed too often is not repeated by
    /// the platform, so that whoever comes first sees to it.
    pub(super) fn is_new(&self) -> bool {
        !self.awake.get()
    }

    /// Sees to what a request put off: sets the alarm, and begins without waiting for it.
    pub(super) async fn see_to_the_rest(self: &Rc<Self>) -> Result<()> {
        self.sendable.set(PARCELS);
        self.arm(millis().plus(BACKSTOP)).await?;
        self.awake.set(true);
        drop(self.begin());
        Ok(())
    }

    /// Does what is due.
    pub(super) async fn wake(self: &Rc<Self>) -> Result<()> {
        self.sendable.set(PARCELS);
        Ok(self.begin().await?)
    }

    /// Begins a shift, or tells the one that is at work that there is more to do.
    fn begin(self: &Rc<Self>) -> Work<std::result::Result<(), String>> {
        self.bell.ring();
        if let Some(shift) = self.shift.borrow().as_ref() {
            return shift.clone();
        }
        let desk = Rc::clone(self);
        let shift = async move {
            // What is answered now leaves first.
            sleep(0).await;
            desk.work().await;
            // No await until the alarm is set: whoever comes later begins another shift.
            desk.shift.take();
            desk.arm(millis()).await.map_err(|error| {
                console_error!("no alarm is set: {error}");
                error.to_string()
            })
        };
        let shift = shift.boxed_local().shared();
        self.shift.replace(Some(shift.clone()));
        self.state.wait_until(shift.clone().map(drop));
        shift
    }

    /// One shift.
    async fn work(self: &Rc<Self>) {
        let end = millis().plus(SHIFT);
        loop {
            self.batch();
            let now = millis();
            if now >= end || self.sendable.get() == 0 {
                return;
            }
            let next = self.due();
            if next.is_some_and(|next| next <= now) {
                sleep(0).await;
            } else if self.hands.under_way() == 0 {
                return;
            } else {
                let until = next.map_or(end, |next| next.min(end));
                select(pin!(self.bell.rung()), sleep(until.0.saturating_sub(now.0))).await;
            }
        }
    }

    /// A batch of what is due, and as many parcels as there are hands.
    fn batch(self: &Rc<Self>) {
        self.attempt(&self.work_rests, |catalog| work::work(&catalog, BATCH));
        let hands = self.hands.free().min(self.sendable.get());
        let room = |endpoint: &str| self.hands.room(endpoint);
        let parcels =
            self.attempt(&self.sending_rests, |catalog| outbox::take(&catalog, hands, &room));
        parcels.into_iter().flatten().for_each(|parcel| self.send(parcel));
    }

    fn send(self: &Rc<Self>, parcel: Parcel) {
        let left = millis();
        self.hands.goes(&parcel.endpoint);
        self.sendable.update(|sendable| sendable.saturating_sub(1));
        let desk = Rc::clone(self);
        self.state.wait_until(async move {
            let outcome = courier::carry(&parcel).await;
            desk.hands.comes_back(&parcel.endpoint, &outcome, left, millis());
            let report = |catalog: Catalog<'_>| outbox::report(&catalog, &parcel.delivery, outcome);
            if let Err(error) = desk.try_to(report) {
                // It counts as not sent once the time that it was given out for is over.
                console_error!("{} is not noted: {error}", parcel.delivery);
            }
            drop(desk.begin());
        });
    }

    /// Does some work, unless it failed just before.
    fn attempt<T>(
        &self,
        rests: &Cell<Millis>,
        work: impl FnOnce(Catalog<'_>) -> std::result::Result<T, catalog::Error>,
    ) -> Option<T> {
        if millis() < rests.get() {
            return None;
        }
        match self.try_to(work) {
            Ok(done) => Some(done),
            Err(error) => {
                console_error!("the catalog's work is left alone for a while: {error}");
                rests.set(millis().plus(REST));
                None
            }
        }
    }

    fn try_to<T>(
        &self,
        work: impl FnOnce(Catalog<'_>) -> std::result::Result<T, catalog::Error>,
    ) -> Result<T> {
        self.transact(work)?.map_err(|error| error.to_string().into())
    }

    /// When there is something to do, or to send by a hand that is free.
    fn due(&self) -> Option<Millis> {
        // Of an endpoint that has no more room, the next one who comes back rings.
        let room = |endpoint: &str| self.hands.room(endpoint);
        let when = |rests: &Cell<Millis>, next: &dyn Fn(&Catalog<'_>) -> Next| {
            let next = match self.try_to(|catalog| next(&catalog)) {
                Ok(next) => next.map(Millis::from),
                Err(error) => {
                    console_error!("it is not known what is due next: {error}");
                    Some(millis().plus(REST))
                }
            };
            next.map(|next| next.max(rests.get()))
        };
        let sendable = when(&self.sending_rests, &|catalog| outbox::next(catalog, &room));
        when(&self.work_rests, &|catalog| work::next(catalog)).into_iter().chain(sendable).min()
    }

    /// Sets the alarm to when there is something to do, at this moment at the earliest.
    async fn arm(&self, earliest: Millis) -> Result<()> {
        // A parcel that is under way keeps an object here that nobody asks anything; and should it die
        // with its object, what waits for its hand is looked after soon.
        let under_way = (self.hands.under_way() > 0).then(|| millis().plus(BACKSTOP));
        match self.due().into_iter().chain(under_way).min() {
            Some(next) => self.state.storage().set_alarm(at(next.max(earliest))).await,
            None => self.state.storage().delete_alarm().await,
        }
    }
}

type Next = std::result::Result<Option<Timestamp>, catalog::Error>;

/// What the one shift that is at work listens for.
#[derive(Default)]
struct Bell {
    rung: Cell<bool>,
    waiting: RefCell<Option<Waker>>,
}

impl Bell {
    fn ring(&self) {
        self.rung.set(true);
        if let Some(waker) = self.waiting.take() {
            waker.wake();
        }
    }

    /// Waits until somebody rings, or has since it was waited for last.
    fn rung(&self) -> impl Future<Output = ()> {
        poll_fn(|context| {
            if self.rung.take() {
                return Poll::Ready(());
            }
            self.waiting.replace(Some(context.waker().clone()));
            Poll::Pending
        })
    }
}
