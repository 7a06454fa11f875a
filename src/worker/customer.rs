//! One customer's Durable Object: the one writer of its set, and of its copy in the replica.
//!
//! An event is applied in one transaction, together with what it makes us owe, and an alarm is set
//! before anything leaves this object. So a crash at any moment leaves either an event that was not
//! acknowledged or a debt that is paid later. What is owed is paid at once where that is possible,
//! and by the alarm where it fails or comes too soon.
//!
//! `messages` tells what can be asked of it; the rules are in [`crate::ledger`]; who listens is in
//! `listeners`. At most one read of the source and one write of the replica are under way: whoever
//! needs one shares it.

use std::{
    cell::{Cell, RefCell},
    pin::pin,
    rc::Rc,
    task::Waker,
};

use futures_util::{
    FutureExt as _,
    future::{Either, select},
};
use wasm_bindgen::prelude::wasm_bindgen;
use worker::{
    DurableObject, Env, Method, Request, Response, Result, State, console_error, durable_object,
};

use super::{
    Work, at,
    journal::Notes,
    listeners,
    messages::{self, Message},
    millis, object,
    replica::KvReplica,
    roster::DurableRoster,
    settings, sleep,
    source::source,
    tables::Tables,
};
use crate::{
    api::settings::Source,
    entitlement::{Summary, Version},
    id::{self, Livemode, Millis},
    ledger::{Activity, Effect, Finding, Jitter, List, Occasion, Outbox, Receipt, Task},
};

/// How long an event waits for its copy to be written before it is acknowledged all the same, in
/// milliseconds.
const WRITE_PATIENCE: u64 = 2_000;

/// How long a write may take before it counts as failed, in milliseconds.
const WRITE_TIME: u64 = 30_000;

/// How long until a read or a write that is under way is looked after, in milliseconds: should it
/// have died with its object, it is begun again then.
const BACKSTOP: u64 = 5_000;

/// How often the replica is looked after during a read, in milliseconds.
const TICK: u64 = 1_000;

/// The ledger of one customer.
#[durable_object(alarm)]
pub struct Customer {
    desk: Rc<Desk>,
}

impl std::fmt::Debug for Customer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Customer").finish_non_exhaustive()
    }
}

impl DurableObject for Customer {
    fn new(state: State, env: Env) -> Self {
        Self { desk: Rc::new(Desk::new(state, env)) }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let desk = &self.desk;
        if request.method() == Method::Get {
            return desk.attend(&request).or_else(|error| object::failed(&error));
        }
        let message = object::heard(&mut request).await;
        let answer = match message {
            Ok(Message::Apply(summary)) => desk.receive(&summary).await.and_then(messages::receipt),
            Ok(Message::Find { customer, features }) => {
                desk.find(&customer, &features).await.and_then(messages::answer)
            }
            Ok(Message::Sync { customer, until }) => {
                desk.sync(&customer, until.as_ref()).await.and_then(messages::answer)
            }
            Ok(Message::Confirm(customer)) => {
                desk.confirm(&customer).await.and_then(messages::answer)
            }
            Ok(Message::Wake) => desk.arm().await.and_then(|()| Response::empty()),
            Err(error) => Err(error),
        };
        answer.or_else(|error| object::failed(&error))
    }

    async fn alarm(&self) -> Result<Response> {
        self.desk.wake().await?;
        Response::empty()
    }
}

/// What the trait has for this comes with a way for sockets that nobody takes here.
#[wasm_bindgen]
impl Customer {
    /// Who listens says nothing.
    #[wasm_bindgen(js_name = webSocketMessage)]
    pub fn web_socket_message(&self) {}

    /// Who listens went away.
    #[wasm_bindgen(js_name = webSocketClose)]
    pub fn web_socket_close(&self, socket: web_sys::WebSocket) {
        listeners::dismiss(&socket.into(), listeners::DONE);
    }

    /// Who listens is gone.
    #[wasm_bindgen(js_name = webSocketError)]
    pub fn web_socket_error(&self, socket: web_sys::WebSocket) {
        listeners::dismiss(&socket.into(), listeners::DONE);
    }
}

/// When the object is woken.
#[derive(Clone, Copy, Default, Eq, PartialEq)]
enum Alarm {
    #[default]
    Unknown,
    /// Then, or not at all.
    For(Option<Millis>),
}

/// What works on one customer's account.
pub(super) struct Desk {
    pub(super) state: State,
    env: Env,
    tables: Tables,
    alarm: Cell<Alarm>,
    writing: RefCell<Option<Work<()>>>,
    pub(super) reading: RefCell<Option<Work<std::result::Result<Finding, String>>>>,
    /// How many reads were begun: who has to have a new one does not take one begun before.
    pub(super) readings: Cell<u64>,
    /// Until when the source need not be asked again whether there is such a customer.
    pub(super) nobody: Cell<Millis>,
    /// Until when the source is left alone by those who ask about this customer, and why.
    pub(super) left_alone: RefCell<Option<(Millis, String)>>,
    /// How often the set became another one, and those who wait for that.
    pub(super) changes: Cell<u64>,
    pub(super) waiting: RefCell<Vec<Waker>>,
    notes: Rc<Notes>,
}

impl Desk {
    fn new(state: State, env: Env) -> Self {
        Self {
            tables: Tables::of(&state),
            state,
            env,
            alarm: Cell::default(),
            writing: RefCell::default(),
            reading: RefCell::default(),
            readings: Cell::default(),
            nobody: Cell::default(),
            left_alone: RefCell::default(),
            changes: Cell::default(),
            waiting: RefCell::default(),
            notes: Rc::default(),
        }
    }

    pub(super) fn tables(&self) -> &Tables {
        &self.tables
    }

    pub(super) fn stripe(
        &self,
        livemode: Livemode,
    ) -> Option<crate::source::Stripe<impl crate::source::Transport + use<>>> {
        let settings = settings(&self.env).ok()?;
        source(&self.env, &settings, livemode).ok()?
    }

    /// What the source is.
    pub(super) fn source(&self) -> Source {
        settings(&self.env).map(|settings| settings.source).unwrap_or_default()
    }

    pub(super) fn roster(&self) -> Result<DurableRoster> {
        DurableRoster::open(&self.env)
    }

    /// Lets work run to its end, whoever waits for it or not.
    pub(super) fn share<T: Clone + 'static>(
        &self,
        work: impl Future<Output = T> + 'static,
    ) -> Work<T> {
        let work = work.boxed_local().shared();
        self.state.wait_until(work.clone().map(drop));
        work
    }

    /// Has the journal told what was decided. Nobody waits for that.
    pub(super) fn note(&self, customer: &id::Customer, activity: Activity) {
        if let Some(telling) = self.notes.add(&self.env, customer, activity) {
            self.state.wait_until(telling);
        }
    }

    async fn receive(self: &Rc<Self>, summary: &Summary) -> Result<Receipt> {
        let list = match self.stripe(summary.customer.livemode) {
            Some(_) => List::Confirms,
            None => List::Absent,
        };
        let now = millis();
        let receipt = self.tables().step(&summary.customer, |tables, account| {
            let sighting = tables.sighting(&summary.event)?;
            let receipt = account.receive(summary, sighting, list, now);
            let receipt = receipt.map_err(|error| error.to_string())?;
            tables.saw(&summary.event, now.second())?;
            Ok(receipt)
        })?;
        self.nobody.set(Millis::default());
        if receipt.effect == Effect::Applied {
            self.tell();
        }
        // In the order of the transactions.
        self.note(&summary.customer, Activity::of(summary, receipt, now));
        // No await since the transaction: the alarm is committed together with it.
        self.arm().await?;
        if receipt.effect == Effect::Applied {
            let copied = self.write_if_due(&summary.customer);
            select(copied.boxed_local(), sleep(WRITE_PATIENCE)).await;
        }
        Ok(receipt)
    }

    /// Pays what is due.
    async fn wake(self: &Rc<Self>) -> Result<()> {
        // The alarm that woke us is no longer set.
        self.alarm.take();
        let tables = self.tables();
        let Some(customer) = tables.owner()? else { return Ok(()) };
        let outbox = tables.outbox()?;
        let due = |task| outbox.is_due(task, millis());
        let mut read = (due(Task::Read) || due(Task::Confirm))
            .then(|| self.read(&customer, Occasion::Confirm));
        loop {
            self.write_if_due(&customer).await;
            self.report_if_due(&customer).await?;
            let Some(reading) = read.take() else { break };
            if let Either::Right(((), reading)) = select(reading, sleep(TICK)).await {
                read = Some(reading);
            }
        }
        self.arm().await
    }

    /// Sets the alarm to when the next debt is due.
    pub(super) async fn arm(&self) -> Result<()> {
        let tables = self.tables();
        if tables.owner()?.is_none() {
            return Ok(());
        }
        let mut outbox = tables.outbox()?;
        let later = millis().plus(BACKSTOP);
        if self.reading.borrow().is_some() {
            outbox.leave_until(Task::Read, later);
            outbox.leave_until(Task::Confirm, later);
        }
        if self.writing.borrow().is_some() {
            outbox.leave_until(Task::Replica, later);
        }
        let due = outbox.next();
        if self.alarm.replace(Alarm::For(due)) == Alarm::For(due) {
            return Ok(());
        }
        let set = match due {
            Some(due) => self.state.storage().set_alarm(at(due)).await,
            None => self.state.storage().delete_alarm().await,
        };
        if set.is_err() {
            self.alarm.take();
        }
        set
    }

    /// Writes the replica's copy if it is due, or waits for the write that is under way.
    async fn write_if_due(self: &Rc<Self>, customer: &id::Customer) {
        let under_way = self.writing.borrow().clone();
        if let Some(write) = under_way {
            return write.await;
        }
        let due =
            self.tables().outbox().map(|outbox: Outbox| outbox.is_due(Task::Replica, millis()));
        match due {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => return console_error!("{error}"),
        }
        let (desk, customer) = (Rc::clone(self), customer.clone());
        let write = self.share(async move {
            if let Err(error) = desk.write(&customer).await {
                console_error!("{}: the replica is not written: {error}", customer.key());
            }
            desk.writing.take();
            if let Err(error) = desk.arm().await {
                console_error!("{}: no alarm is set: {error}", customer.key());
            }
        });
        self.writing.replace(Some(write.clone()));
        write.await;
    }

    async fn write(&self, customer: &id::Customer) -> Result<()> {
        let tables = self.tables();
        let begun: Option<(Version, Vec<u8>)> = tables.step(customer, |tables, account| {
            let Some(version) = account.writing(millis()).map(|set| set.version) else {
                return Ok(None);
            };
            Ok(tables.record()?.map(|record| (version, record)))
        })?;
        let Some((version, record)) = begun else { return Ok(()) };
        let put = pin!(self.put(customer, &record));
        let put = match select(put, sleep(WRITE_TIME)).await {
            Either::Left((put, _)) => put.map_err(|error| error.to_string()),
            Either::Right(_) => Err("the replica does not answer".to_owned()),
        };
        tables.step(customer, |_, account| {
            match &put {
                Ok(()) => account.written(version, millis()),
                Err(_) => account.unwritten(millis(), jitter()),
            }
            Ok(())
        })?;
        put.map_err(|cause| format!("{cause} (and is tried again)").into())
    }

    async fn put(&self, customer: &id::Customer, record: &[u8]) -> Result<()> {
        let put = KvReplica::open(&self.env)?.put(&customer.key(), record).await;
        put.map_err(|error| error.to_string().into())
    }

    async fn report_if_due(&self, customer: &id::Customer) -> Result<()> {
        let tables = self.tables();
        if !tables.outbox()?.is_due(Task::Report, millis()) {
            return Ok(());
        }
        let Some(report) = tables.step(customer, |_, account| Ok(account.reporting()))? else {
            return Ok(());
        };
        let told = match self.roster() {
            Ok(roster) => roster.report(&customer.key(), &report).await,
            Err(error) => Err(error),
        };
        tables.step(customer, |_, account| {
            match &told {
                Ok(()) => account.reported(&report, millis()),
                Err(_) => account.unreported(millis(), jitter()),
            }
            Ok(())
        })?;
        if let Err(error) = told {
            console_error!("{}: the roster is not told: {error}", customer.key());
        }
        Ok(())
    }

    /// Tells those who wait and those who listen that the set is another one.
    pub(super) fn tell(&self) {
        self.publish();
        self.changes.set(self.changes.get().wrapping_add(1));
        for waker in self.waiting.take() {
            waker.wake();
        }
    }
}

/// A random number for a pause.
pub(super) fn jitter() -> Jitter {
    Jitter(js_sys::Math::random())
}
