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
    rpc::{self as messages, LedgerRequest},
    storage::LedgerStorage,
    websockets as listeners,
};
use crate::worker::{
    SharedFuture, activity_log::ActivityBuffer, customer_index::CustomerIndexStub, load_settings,
    now_millis, replica::KvReplica, rpc, scheduled_time, sleep, source::open_source,
};
use crate::{
    api::settings::Source,
    entitlement::{Summary, Version},
    id::{self, Livemode, UnixMillis},
    ledger::{
        Activity, ApplyOutcome, ApplyReceipt, Jitter, ReadReason, Reconciliation, SourceAccess,
        Task,
    },
};

/// How long an event waits for its copy to be written before it is acknowledged all the same, in
/// milliseconds.
const ACKNOWLEDGE_TIMEOUT: u64 = 2_000;

/// How long a write may take before it counts as failed, in milliseconds.
const REPLICA_WRITE_TIMEOUT: u64 = 30_000;

/// How long until a read or a write that is under way is looked after, in milliseconds: should it
/// have died with its object, it is begun again then.
const WATCHDOG: u64 = 5_000;

/// How often the replica is looked after during a read, in milliseconds.
const POLL_INTERVAL: u64 = 1_000;

/// The ledger of one customer.
#[durable_object(alarm)]
pub struct LedgerObject {
    desk: Rc<CustomerState>,
}

impl std::fmt::Debug for LedgerObject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LedgerObject").finish_non_exhaustive()
    }
}

impl DurableObject for LedgerObject {
    fn new(state: State, env: Env) -> Self {
        Self { desk: Rc::new(CustomerState::new(state, env)) }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let desk = &self.desk;
        if request.method() == Method::Get {
            return desk.accept(&request).or_else(|error| rpc::error_response(&error));
        }
        let message = rpc::read_request(&mut request).await;
        let answer = match message {
            Ok(LedgerRequest::Apply(summary)) => {
                desk.apply(&summary).await.and_then(messages::receipt_response)
            }
            Ok(LedgerRequest::Load { customer, features }) => {
                desk.load(&customer, &features).await.and_then(messages::to_http_response)
            }
            Ok(LedgerRequest::Sync { customer, wait_for: until }) => {
                desk.sync(&customer, until.as_ref()).await.and_then(messages::to_http_response)
            }
            Ok(LedgerRequest::Reconcile(customer)) => {
                desk.reconcile(&customer).await.and_then(messages::to_http_response)
            }
            Ok(LedgerRequest::Rearm) => {
                desk.schedule_alarm().await.and_then(|()| Response::empty())
            }
            Err(error) => Err(error),
        };
        answer.or_else(|error| rpc::error_response(&error))
    }

    async fn alarm(&self) -> Result<Response> {
        self.desk.run_due_tasks().await?;
        Response::empty()
    }
}

/// What the trait has for this comes with a way for sockets that nobody takes here.
#[wasm_bindgen]
impl LedgerObject {
    /// Who listens says nothing.
    #[wasm_bindgen(js_name = webSocketMessage)]
    pub fn web_socket_message(&self) {}

    /// Who listens went away.
    #[wasm_bindgen(js_name = webSocketClose)]
    pub fn web_socket_close(&self, socket: web_sys::WebSocket) {
        listeners::close(&socket.into(), listeners::NORMAL_CLOSURE);
    }

    /// Who listens is gone.
    #[wasm_bindgen(js_name = webSocketError)]
    pub fn web_socket_error(&self, socket: web_sys::WebSocket) {
        listeners::close(&socket.into(), listeners::NORMAL_CLOSURE);
    }
}

/// When the object is woken.
#[derive(Clone, Copy, Default, Eq, PartialEq)]
enum AlarmState {
    #[default]
    Unknown,
    /// Then, or not at all.
    Known(Option<UnixMillis>),
}

/// What works on one customer's account.
pub(in crate::worker) struct CustomerState {
    pub(in crate::worker) state: State,
    env: Env,
    storage: LedgerStorage,
    alarm: Cell<AlarmState>,
    replica_write: RefCell<Option<SharedFuture<()>>>,
    pub(in crate::worker) source_read:
        RefCell<Option<SharedFuture<std::result::Result<Reconciliation, String>>>>,
    /// How many reads were begun: who has to have a new one does not take one begun before.
    pub(in crate::worker) reads_started: Cell<u64>,
    /// Until when the source need not be asked again whether there is such a customer.
    pub(in crate::worker) unknown_until: Cell<UnixMillis>,
    /// Until when the source is left alone by those who ask about this customer, and why.
    pub(in crate::worker) source_backoff: RefCell<Option<(UnixMillis, String)>>,
    /// How often the set became another one, and those who wait for that.
    pub(in crate::worker) change_count: Cell<u64>,
    pub(in crate::worker) wakers: RefCell<Vec<Waker>>,
    activity_buffer: Rc<ActivityBuffer>,
}

impl CustomerState {
    fn new(state: State, env: Env) -> Self {
        Self {
            storage: LedgerStorage::new(&state),
            state,
            env,
            alarm: Cell::default(),
            replica_write: RefCell::default(),
            source_read: RefCell::default(),
            reads_started: Cell::default(),
            unknown_until: Cell::default(),
            source_backoff: RefCell::default(),
            change_count: Cell::default(),
            wakers: RefCell::default(),
            activity_buffer: Rc::default(),
        }
    }

    pub(in crate::worker) fn storage(&self) -> &LedgerStorage {
        &self.storage
    }

    pub(in crate::worker) fn source_client(
        &self,
        livemode: Livemode,
    ) -> Option<crate::source::StripeClient<impl crate::source::Transport + use<>>> {
        let settings = load_settings(&self.env).ok()?;
        open_source(&self.env, &settings, livemode).ok()?
    }

    /// What the source is.
    pub(in crate::worker) fn source_kind(&self) -> Source {
        load_settings(&self.env).map(|settings| settings.source).unwrap_or_default()
    }

    pub(in crate::worker) fn customer_index(&self) -> Result<CustomerIndexStub> {
        CustomerIndexStub::from_env(&self.env)
    }

    /// Lets work run to its end, whoever waits for it or not.
    pub(in crate::worker) fn spawn_shared<T: Clone + 'static>(
        &self,
        work: impl Future<Output = T> + 'static,
    ) -> SharedFuture<T> {
        let work = work.boxed_local().shared();
        self.state.wait_until(work.clone().map(drop));
        work
    }

    /// Has the journal told what was decided. Nobody waits for that.
    pub(in crate::worker) fn log_activity(&self, customer: &id::CustomerKey, activity: Activity) {
        if let Some(telling) = self.activity_buffer.push(&self.env, customer, activity) {
            self.state.wait_until(telling);
        }
    }

    async fn apply(self: &Rc<Self>, summary: &Summary) -> Result<ApplyReceipt> {
        let list = match self.source_client(summary.customer.livemode) {
            Some(_) => SourceAccess::Available,
            None => SourceAccess::None,
        };
        let now = now_millis();
        let receipt = self.storage().update(&summary.customer, |tables, account| {
            let sighting = tables.check_duplicate(&summary.event)?;
            let receipt = account.apply_event(summary, sighting, list, now);
            let receipt = receipt.map_err(|error| error.to_string())?;
            tables.record_event(&summary.event, now.to_timestamp())?;
            Ok(receipt)
        })?;
        self.unknown_until.set(UnixMillis::default());
        if receipt.outcome == ApplyOutcome::Applied {
            self.notify_changed();
        }
        // In the order of the transactions.
        self.log_activity(&summary.customer, Activity::from_event(summary, receipt, now));
        let write = match receipt.outcome {
            ApplyOutcome::Applied => self.start_replica_write(&summary.customer),
            _ => None,
        };
        // No await since the transaction: the alarm is committed together with it. It leaves the write
        // its time.
        self.schedule_alarm().await?;
        if let Some(write) = write {
            select(write, sleep(ACKNOWLEDGE_TIMEOUT)).await;
        }
        Ok(receipt)
    }

    /// Pays what is due.
    async fn run_due_tasks(self: &Rc<Self>) -> Result<()> {
        // The alarm that woke us is no longer set.
        self.alarm.take();
        let tables = self.storage();
        let Some(customer) = tables.customer()? else { return Ok(()) };
        let outbox = tables.outbox()?;
        let due = |task| outbox.is_due(task, now_millis());
        let mut read = (due(Task::Read) || due(Task::Confirm))
            .then(|| self.join_read(&customer, ReadReason::Reconcile));
        loop {
            if let Some(write) = self.start_replica_write(&customer) {
                write.await;
            }
            self.report_if_due(&customer).await?;
            let Some(reading) = read.take() else { break };
            if let Either::Right(((), reading)) = select(reading, sleep(POLL_INTERVAL)).await {
                read = Some(reading);
            }
        }
        self.schedule_alarm().await
    }

    /// Sets the alarm to when the next debt is due.
    pub(in crate::worker) async fn schedule_alarm(&self) -> Result<()> {
        let tables = self.storage();
        if tables.customer()?.is_none() {
            return Ok(());
        }
        let mut outbox = tables.outbox()?;
        let later = now_millis().saturating_add(WATCHDOG);
        if self.source_read.borrow().is_some() {
            outbox.defer_until(Task::Read, later);
            outbox.defer_until(Task::Confirm, later);
        }
        if self.replica_write.borrow().is_some() {
            outbox.defer_until(Task::Replica, later);
        }
        let due = outbox.next_due();
        if self.alarm.replace(AlarmState::Known(due)) == AlarmState::Known(due) {
            return Ok(());
        }
        let set = match due {
            Some(due) => self.state.storage().set_alarm(scheduled_time(due)).await,
            None => self.state.storage().delete_alarm().await,
        };
        if set.is_err() {
            self.alarm.take();
        }
        set
    }

    /// The write of the replica's copy that is under way, or is begun since it is due.
    fn start_replica_write(
        self: &Rc<Self>,
        customer: &id::CustomerKey,
    ) -> Option<SharedFuture<()>> {
        let under_way = self.replica_write.borrow().clone();
        if under_way.is_some() {
            return under_way;
        }
        match self.storage().outbox() {
            Ok(outbox) if outbox.is_due(Task::Replica, now_millis()) => {}
            Ok(_) => return None,
            Err(error) => {
                console_error!("{error}");
                return None;
            }
        }
        let (desk, customer) = (Rc::clone(self), customer.clone());
        let write = self.spawn_shared(async move {
            if let Err(error) = desk.write_replica(&customer).await {
                console_error!("{}: the replica is not written: {error}", customer.to_key());
            }
            desk.replica_write.take();
            if let Err(error) = desk.schedule_alarm().await {
                console_error!("{}: no alarm is set: {error}", customer.to_key());
            }
        });
        self.replica_write.replace(Some(write.clone()));
        Some(write)
    }

    async fn write_replica(&self, customer: &id::CustomerKey) -> Result<()> {
        let tables = self.storage();
        let begun: Option<(Version, Vec<u8>)> = tables.update(customer, |tables, account| {
            let Some(version) = account.begin_replica_write(now_millis()).map(|set| set.version)
            else {
                return Ok(None);
            };
            Ok(tables.read_record()?.map(|record| (version, record)))
        })?;
        let Some((version, record)) = begun else { return Ok(()) };
        let put = pin!(self.put_record(customer, &record));
        let put = match select(put, sleep(REPLICA_WRITE_TIMEOUT)).await {
            Either::Left((put, _)) => put.map_err(|error| error.to_string()),
            Either::Right(_) => Err("the replica does not answer".to_owned()),
        };
        tables.update(customer, |_, account| {
            match &put {
                Ok(()) => account.replica_write_succeeded(version, now_millis()),
                Err(_) => account.replica_write_failed(now_millis(), random_jitter()),
            }
            Ok(())
        })?;
        put.map_err(|cause| format!("{cause} (and is tried again)").into())
    }

    async fn put_record(&self, customer: &id::CustomerKey, record: &[u8]) -> Result<()> {
        let put = KvReplica::from_env(&self.env)?.put(&customer.to_key(), record).await;
        put.map_err(|error| error.to_string().into())
    }

    async fn report_if_due(&self, customer: &id::CustomerKey) -> Result<()> {
        let tables = self.storage();
        if !tables.outbox()?.is_due(Task::Report, now_millis()) {
            return Ok(());
        }
        let Some(report) = tables.update(customer, |_, account| Ok(account.begin_report()))? else {
            return Ok(());
        };
        let told = match self.customer_index() {
            Ok(roster) => roster.report(&customer.to_key(), &report).await,
            Err(error) => Err(error),
        };
        tables.update(customer, |_, account| {
            match &told {
                Ok(()) => account.report_succeeded(&report, now_millis()),
                Err(_) => account.report_failed(now_millis(), random_jitter()),
            }
            Ok(())
        })?;
        if let Err(error) = told {
            console_error!("{}: the roster is not told: {error}", customer.to_key());
        }
        Ok(())
    }

    /// Tells those who wait and those who listen that the set is another one.
    pub(in crate::worker) fn notify_changed(&self) {
        self.broadcast();
        self.change_count.set(self.change_count.get().wrapping_add(1));
        for waker in self.wakers.take() {
            waker.wake();
        }
    }
}

/// A random number for a pause.
pub(in crate::worker) fn random_jitter() -> Jitter {
    Jitter(js_sys::Math::random())
}
