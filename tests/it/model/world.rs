//! The environment of the ledger in the model: its storage, Stripe, KV, the customer index, and time.
//!
//! Everything here survives a crash of the ledger, except for the tasks that run in [`World::time`].

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeSet, VecDeque},
    future::poll_fn,
    rc::Rc,
    task::{Poll, Waker},
};

use entgate::{
    effective_set::MissingSource,
    entitlement::{ActiveEntitlement, Entitlements},
    id::{CustomerId, CustomerKey, Livemode, LookupKey, UnixMillis},
    ledger::{
        IndexMessage, Jitter, LedgerPorts, LedgerStorage, LogLevel, NotFoundAdvice, PortError,
        ReadPriority, SourceAccess, SourceFailure, SourceState, SyncStatus,
    },
    policy::SourcePolicy,
    source::{self, StripeClient, StripeResponse, Transport, fake::FakeStripe},
    store::{
        memory::{Fault, MemoryTables, VirtualTime},
        record,
    },
};

pub(crate) const CUSTOMER: &str = "cus_ada";

/// How long after its failure a write takes effect, if the ledger has stopped waiting for it: the
/// longest time that the ledger assumes.
const LATEST_EFFECT: u64 = 299_999;

/// The pause before the platform runs a failed alarm again, in milliseconds.
pub(crate) const ALARM_RETRY: u64 = 2_000;

/// The result of a write of the replica.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum WriteResult {
    Succeeded,
    FailedBefore,
    FailedAfter,
    /// The write fails, and takes effect so many milliseconds later all the same.
    FailedWithLateEffect(u64),
}

/// How a request to Stripe fails.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum RequestFault {
    ConnectionLost,
    Status(u16),
    Malformed,
}

/// The slot of a read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Slot {
    /// It begins so many milliseconds after the reservation.
    After(u64),
    /// The reservation is never answered.
    NoAnswer,
    /// The reservation fails.
    Fails,
}

/// A write of the replica in progress.
struct PendingWrite {
    set: Entitlements,
    result: Option<WriteResult>,
    /// Wakes the ledger.
    waker: Option<Waker>,
}

pub(crate) struct World {
    pub(crate) access: SourceAccess,
    pub(crate) tables: MemoryTables,
    /// When the alarm goes off.
    pub(crate) alarm: Cell<Option<UnixMillis>>,
    /// Whether the alarm cannot be set.
    pub(crate) alarm_fails: Cell<bool>,
    /// Whether the alarm has gone off, and its tasks run.
    pub(crate) is_alarm_running: Cell<bool>,
    pub(crate) time: VirtualTime,

    /// The source, and the status policy under which it is read.
    pub(crate) policy: Cell<SourcePolicy>,
    /// The features that every customer has.
    pub(crate) default_features: RefCell<Vec<LookupKey>>,
    pub(crate) stripe: FakeStripe,
    pub(crate) request_faults: RefCell<Vec<RequestFault>>,
    /// All states of the customer at Stripe. The last one is the current state.
    pub(crate) states: RefCell<Vec<Vec<ActiveEntitlement>>>,
    /// The index of the newest state that a read has returned.
    pub(crate) last_read: Cell<usize>,
    /// The index of the oldest state that the ledger may have. It follows `last_read` after each step.
    pub(crate) oldest_state: Cell<usize>,

    /// Whether a write of the replica succeeds at once, without [`World::finish_write()`].
    pub(crate) writes_succeed: Cell<bool>,
    write: RefCell<Option<PendingWrite>>,
    pub(crate) replica: RefCell<Option<Entitlements>>,
    /// Failed writes that take effect later, each with its time.
    late_writes: RefCell<Vec<(UnixMillis, Entitlements)>>,

    /// The slots of the next reservations. Without one, a read may start at once.
    pub(crate) slots: RefCell<VecDeque<Slot>>,
    /// The reservations, oldest first.
    pub(crate) reservations: RefCell<Vec<ReadPriority>>,
    /// How many rate limits were reported.
    pub(crate) rate_limits: Cell<u32>,

    pub(crate) reported_status: Cell<Option<SyncStatus>>,
    pub(crate) reported_features: RefCell<BTreeSet<LookupKey>>,
    pub(crate) report_faults: RefCell<VecDeque<Fault>>,
    /// The messages that the customer index received, oldest first.
    pub(crate) index_messages: RefCell<Vec<IndexMessage>>,
}

impl World {
    pub(crate) fn new(access: SourceAccess) -> Rc<Self> {
        let world = Self {
            access,
            tables: MemoryTables::default(),
            alarm: Cell::default(),
            alarm_fails: Cell::default(),
            is_alarm_running: Cell::default(),
            time: VirtualTime::default(),
            policy: Cell::default(),
            default_features: RefCell::default(),
            stripe: FakeStripe::default(),
            request_faults: RefCell::default(),
            states: RefCell::new(vec![Vec::new()]),
            last_read: Cell::default(),
            oldest_state: Cell::default(),
            writes_succeed: Cell::default(),
            write: RefCell::default(),
            replica: RefCell::default(),
            late_writes: RefCell::default(),
            slots: RefCell::default(),
            reservations: RefCell::default(),
            rate_limits: Cell::default(),
            reported_status: Cell::default(),
            reported_features: RefCell::default(),
            report_faults: RefCell::default(),
            index_messages: RefCell::default(),
        };
        world.time.set(UnixMillis(1_700_000_000_000));
        world.stripe.set_entitlements(CUSTOMER, Vec::new());
        Rc::new(world)
    }

    /// The alarm failed: the platform runs it again, unless it was set to another time.
    pub(crate) fn retry_alarm(&self) {
        let retry = self.time.now().saturating_add(ALARM_RETRY);
        self.alarm.set(self.alarm.get().or(Some(retry)));
    }

    /// Ends the write of the replica in progress.
    pub(crate) fn finish_write(&self, result: WriteResult) {
        let mut write = self.write.borrow_mut();
        let Some(PendingWrite { set, result: pending, waker }) = &mut *write else { return };
        if pending.is_none() {
            *pending = Some(result);
            waker.take().into_iter().for_each(Waker::wake);
            match result {
                WriteResult::Succeeded | WriteResult::FailedAfter => {
                    self.replica.replace(Some(set.clone()));
                }
                WriteResult::FailedBefore => {}
                WriteResult::FailedWithLateEffect(millis) => {
                    let at = self.time.now().saturating_add(millis);
                    self.late_writes.borrow_mut().push((at, set.clone()));
                }
            }
        }
    }

    /// Lets the write in progress take effect late, after the ledger stopped waiting for it.
    pub(crate) fn abandon_write(&self, late_effect: Option<u64>) {
        let write = self.write.take();
        if let (Some(PendingWrite { set, result: None, .. }), Some(millis)) = (write, late_effect) {
            self.late_writes.borrow_mut().push((self.time.now().saturating_add(millis), set));
        }
    }

    /// Sets our clock back. A late write takes effect after the same real time.
    pub(crate) fn set_clock_back(&self, millis: u64) {
        for (at, _) in &mut *self.late_writes.borrow_mut() {
            *at = at.saturating_sub(millis);
        }
        self.time.set(self.time.now().saturating_sub(millis));
    }

    /// Applies the late writes that are due.
    pub(crate) fn apply_late_writes(&self) {
        let now = self.time.now();
        for (_, set) in self.late_writes.borrow_mut().extract_if(.., |(at, _)| *at <= now) {
            self.replica.replace(Some(set));
        }
    }

    pub(crate) fn next_late_write(&self) -> Option<UnixMillis> {
        self.late_writes.borrow().iter().map(|(at, _)| *at).min()
    }

    /// Notes that a read has returned this list, unless the ledger will not apply it.
    fn note_read(&self, started_at: usize, list: &[ActiveEntitlement]) {
        let states = self.states.borrow();
        let mut indexes = started_at..states.len();
        let returned = indexes.find(|index| same(&states[*index], list)).unwrap();
        self.last_read.set(self.last_read.get().max(returned));
    }
}

/// The ports of the ledger to the world.
pub(crate) struct WorldPorts(pub(crate) Rc<World>);

impl LedgerPorts for WorldPorts {
    fn storage(&self) -> &impl LedgerStorage {
        &self.0.tables
    }

    fn has_source(&self, _: Livemode) -> bool {
        self.0.access == SourceAccess::Available
    }

    fn source_policy(&self) -> SourcePolicy {
        self.0.policy.get()
    }

    async fn reserve_read(
        &self,
        _: &CustomerKey,
        priority: ReadPriority,
    ) -> Result<Option<UnixMillis>, PortError> {
        let world = &self.0;
        world.reservations.borrow_mut().push(priority);
        let Some(slot) = world.slots.borrow_mut().pop_front() else { return Ok(None) };
        yield_once().await;
        match slot {
            Slot::After(millis) => Ok(Some(world.time.now().saturating_add(millis))),
            Slot::NoAnswer => std::future::pending().await,
            Slot::Fails => Err(PortError("the coordinator failed".to_owned())),
        }
    }

    fn default_features(&self) -> Vec<LookupKey> {
        self.0.default_features.borrow().clone()
    }

    fn missing_source(&self) -> MissingSource {
        MissingSource::Undetermined
    }

    async fn report_rate_limit(&self, _: Livemode) {
        yield_once().await;
        self.0.rate_limits.set(self.0.rate_limits.get() + 1);
    }

    async fn read_source(
        &self,
        customer: &CustomerKey,
    ) -> Option<Result<SourceState, SourceFailure>> {
        let world = &self.0;
        if !self.has_source(customer.livemode) {
            return None;
        }
        let events_before = world.tables.state().events_received;
        let started_at = world.states.borrow().len() - 1;
        let client = StripeClient::new(FlakyStripe(Rc::clone(world)));
        let listed = client.list_entitlements(&CustomerId::try_from(CUSTOMER).unwrap()).await;
        // The ledger applies the list before anything else can happen.
        let is_current = world.tables.state().events_received == events_before;
        if let (Ok(SourceState::List(list)), true, false) =
            (&listed, is_current, world.tables.has_fault())
        {
            world.note_read(started_at, list);
        }
        Some(listed.map_err(source::Error::into_failure))
    }

    fn not_found_advice(&self) -> NotFoundAdvice {
        NotFoundAdvice { cause: "not found", advice: "" }
    }

    async fn write_replica(&self, _: &CustomerKey, record: &[u8]) -> Result<(), PortError> {
        let world = &self.0;
        let set = record::decode(record).unwrap();
        let before = world.write.replace(Some(PendingWrite { set, result: None, waker: None }));
        assert!(before.is_none(), "two writes are in progress");
        let guard = AbandonOnDrop(world);
        if world.writes_succeed.get() {
            world.finish_write(WriteResult::Succeeded);
        }
        let result = poll_fn(|context| match &mut *world.write.borrow_mut() {
            Some(PendingWrite { result: Some(result), .. }) => Poll::Ready(*result),
            Some(PendingWrite { waker, .. }) => {
                *waker = Some(context.waker().clone());
                Poll::Pending
            }
            None => Poll::Pending,
        })
        .await;
        drop(guard);
        match result {
            WriteResult::Succeeded => Ok(()),
            _ => Err(failure()),
        }
    }

    async fn send_to_index(&self, message: &IndexMessage) -> Result<(), PortError> {
        yield_once().await;
        self.0.index_messages.borrow_mut().push(message.clone());
        let Some(report) = &message.report else { return Ok(()) };
        let fault = self.0.report_faults.borrow_mut().pop_front();
        if fault != Some(Fault::Before) && message.key.ends_with(CUSTOMER) {
            self.0.reported_status.set(Some(report.status));
            self.0.reported_features.borrow_mut().extend(report.features.iter().cloned());
        }
        yield_once().await;
        if fault.is_some() { Err(failure()) } else { Ok(()) }
    }

    fn notify_subscribers(&self) {}

    async fn set_alarm(&self, at: Option<UnixMillis>) -> Result<(), PortError> {
        if self.0.alarm_fails.get() {
            return Err(PortError("the alarm cannot be set".to_owned()));
        }
        self.0.alarm.set(at);
        yield_once().await;
        Ok(())
    }

    fn spawn(&self, future: futures_util::future::LocalBoxFuture<'static, ()>) {
        self.0.time.spawn(future);
    }

    fn sleep(&self, millis: u64) -> impl Future<Output = ()> {
        self.0.time.sleep(millis)
    }

    fn now(&self) -> UnixMillis {
        self.0.time.now()
    }

    fn jitter(&self) -> Jitter {
        Jitter(0.5)
    }

    fn log(&self, _: LogLevel, _: &str) {}
}

/// A write that the ledger stops waiting for takes effect as late as it can.
struct AbandonOnDrop<'a>(&'a World);

impl Drop for AbandonOnDrop<'_> {
    fn drop(&mut self) {
        self.0.abandon_write(Some(LATEST_EFFECT));
    }
}

/// A transport to Stripe on which each response takes a step, with injected faults.
struct FlakyStripe(Rc<World>);

impl Transport for FlakyStripe {
    async fn get(&self, target: &str) -> Result<StripeResponse, String> {
        let fault = self.0.request_faults.borrow_mut().pop();
        let response = match fault {
            None => self.0.stripe.get(target).await,
            Some(RequestFault::ConnectionLost) => Err("the connection was cut".to_owned()),
            Some(RequestFault::Status(status)) => {
                Ok(StripeResponse { status, ..StripeResponse::default() })
            }
            Some(RequestFault::Malformed) => Ok(StripeResponse {
                status: 200,
                body: b"{\"data\":[".to_vec(),
                ..StripeResponse::default()
            }),
        };
        yield_once().await;
        response
    }

    async fn sleep(&self, millis: u64) {
        self.0.time.sleep(millis).await;
    }

    fn now(&self) -> UnixMillis {
        self.0.time.now()
    }

    fn random(&self) -> f64 {
        0.5
    }
}

fn failure() -> PortError {
    PortError("injected fault".to_owned())
}

/// Lets other tasks run.
async fn yield_once() {
    let mut yielded = false;
    poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Whether two lists contain the same grants, in any order.
pub(crate) fn same(one: &[ActiveEntitlement], other: &[ActiveEntitlement]) -> bool {
    let ids = |list: &[ActiveEntitlement]| {
        list.iter().map(|grant| grant.id.as_str().to_owned()).collect::<BTreeSet<_>>()
    };
    one.len() == other.len() && ids(one) == ids(other)
}
