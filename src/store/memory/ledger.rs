//! The ledgers in memory: the process of the Durable Object, on storage and time in memory.
//!
//! A call runs until it has its result. Pauses take virtual time only. The replica is not written
//! and no alarm goes off until [`MemoryLedger::run_pending_writes()`].

use std::{
    cell::{Cell, RefCell},
    collections::{HashMap, VecDeque},
    future::poll_fn,
    rc::Rc,
    task::{Poll, Waker},
};

use futures_util::future::LocalBoxFuture;

use super::{
    fault::{Fault, with_fault},
    tables::MemoryTables,
    virtual_time::VirtualTime,
};
use crate::{
    effective_set::MissingSource,
    entitlement::{Entitlements, Summary},
    id::{CustomerKey, Livemode, LookupKey, Timestamp, UnixMillis},
    ledger::{
        ApplyReceipt, ExplainQuery, ExplainReply, HistoryPage, HistoryQuery, IndexMessage, Jitter,
        LedgerPorts, LedgerProcess, LedgerRequest, LedgerResponse, LedgerStorage, LogLevel,
        NotFoundAdvice, OverrideReply, OverrideRequest, PortError, ReadPriority, SourceFailure,
        SourceState, StepError, Task, WaitFor,
    },
    policy::SourcePolicy,
    source::{self, StripeClient, Transport as _, fake::FakeStripe},
    store::{Error, Ledger, LoadedSet, ServedBy, SourceCoverage, record},
};

/// The ledgers of all customers in memory.
#[derive(Debug, Default)]
pub struct MemoryLedger {
    /// The client for the source, if there is one.
    pub source: Option<Rc<StripeClient<FakeStripe>>>,
    pub(super) setting: Rc<LedgerSettings>,
    pub(super) sent: Rc<SentWrites>,
    time: VirtualTime,
    processes: RefCell<HashMap<CustomerKey, LedgerProcess<MemoryPlatform>>>,
    faults: RefCell<VecDeque<Fault>>,
}

/// The operator's settings, as far as ledgers use them.
#[derive(Debug)]
pub(super) struct LedgerSettings {
    /// The source, and the status policy under which it is read.
    pub(super) policy: Cell<SourcePolicy>,
    pub(super) default_features: RefCell<Vec<LookupKey>>,
    pub(super) missing_source: Cell<MissingSource>,
}

impl Default for LedgerSettings {
    fn default() -> Self {
        Self {
            policy: Cell::default(),
            default_features: RefCell::default(),
            missing_source: Cell::new(MissingSource::Undetermined),
        }
    }
}

/// What the ledgers have sent to other stores.
#[derive(Debug, Default)]
pub(super) struct SentWrites {
    /// Whether writes of the replica proceed.
    is_replicating: Cell<bool>,
    /// The writes that wait until they may proceed.
    waiting: RefCell<Vec<Waker>>,
    pub(super) sets: RefCell<HashMap<CustomerKey, Entitlements>>,
    pub(super) messages: RefCell<Vec<IndexMessage>>,
}

impl MemoryLedger {
    /// Makes the next call fail.
    pub fn fail_next(&self, fault: Fault) {
        self.faults.borrow_mut().push_back(fault);
    }

    /// Lets time pass until no ledger has a pending write. Reads of the source stay pending.
    pub fn run_pending_writes(&self) {
        self.sent.is_replicating.set(true);
        self.sent.waiting.take().into_iter().for_each(Waker::wake);
        for process in self.processes.borrow().values() {
            while let Some(due) = next_write(process) {
                self.time.advance_to(due);
                self.time.run_until(process.run_due_writes());
            }
        }
        // Activities are sent in the background.
        self.time.run_ready();
        self.sent.is_replicating.set(false);
    }

    /// Sets the time of the ledgers. A source has its own time, which wins.
    pub fn set_time(&self, now: Timestamp) {
        self.time.set(now.into());
    }

    /// The current time.
    pub(super) fn now(&self) -> UnixMillis {
        self.time.now()
    }

    fn process(&self, customer: &CustomerKey) -> LedgerProcess<MemoryPlatform> {
        let mut processes = self.processes.borrow_mut();
        let process = processes.entry(customer.clone()).or_insert_with(|| {
            LedgerProcess::new(MemoryPlatform {
                tables: MemoryTables::default(),
                source: self.source.clone(),
                setting: Rc::clone(&self.setting),
                time: self.time.clone(),
                sent: Rc::clone(&self.sent),
            })
        });
        process.clone()
    }

    /// Handles a request, as of the source's time.
    fn call(
        &self,
        customer: &CustomerKey,
        request: &LedgerRequest,
        now: Option<UnixMillis>,
    ) -> Result<LedgerResponse, Error> {
        let now = now.or_else(|| Some(self.source.as_ref()?.transport().now()));
        self.time.set(now.unwrap_or_else(|| self.time.now()));
        let unreachable = |cause: String| Error::Unreachable { port: "ledger", cause };
        with_fault(&self.faults, "ledger", || {
            let response = self.time.run_until(self.process(customer).handle(request));
            match response {
                Some(Ok(response)) => Ok(response),
                Some(Err(StepError::Rule(error))) => Err(error.into()),
                Some(Err(StepError::Port(error))) => Err(unreachable(error.to_string())),
                None => Err(unreachable("the call waits forever".to_owned())),
            }
        })
    }

    fn load_set(
        &self,
        customer: &CustomerKey,
        request: &LedgerRequest,
    ) -> Result<LoadedSet, Error> {
        let (served_by, coverage) = match self.call(customer, request, None)? {
            LedgerResponse::Set(origin) => (origin.into(), SourceCoverage::Asked),
            LedgerResponse::KnownPart(_) => (ServedBy::Ledger, SourceCoverage::Failed),
            LedgerResponse::SourceFailed(cause) => {
                return Err(Error::Unreachable { port: "source", cause });
            }
            response => return Err(unexpected(&response)),
        };
        let entitlements = self.process(customer).ports().tables.state().record.entitlements;
        Ok(LoadedSet { entitlements, served_by, coverage })
    }
}

/// When the next write of a ledger is due.
fn next_write(process: &LedgerProcess<MemoryPlatform>) -> Option<UnixMillis> {
    let outbox = process.ports().tables.state().outbox;
    let writes = [Task::Replica, Task::Report].map(|task| outbox.pending(task));
    writes.into_iter().flatten().map(|pending| pending.due_at).min()
}

fn unexpected(response: &LedgerResponse) -> Error {
    Error::Unreadable { port: "ledger", cause: format!("unexpected response {response:?}") }
}

impl Ledger for MemoryLedger {
    async fn apply(&self, summary: &Summary, now: Timestamp) -> Result<ApplyReceipt, Error> {
        let request = LedgerRequest::Apply(summary.clone());
        match self.call(&summary.customer, &request, Some(now.into()))? {
            LedgerResponse::Receipt(receipt) => Ok(receipt),
            response => Err(unexpected(&response)),
        }
    }

    async fn load(
        &self,
        customer: &CustomerKey,
        features: &[LookupKey],
    ) -> Result<LoadedSet, Error> {
        let (customer, features) = (customer.clone(), features.to_vec());
        self.load_set(&customer.clone(), &LedgerRequest::Load { customer, features })
    }

    async fn sync(
        &self,
        customer: &CustomerKey,
        wait_for: Option<&WaitFor>,
    ) -> Result<LoadedSet, Error> {
        let (customer, wait_for) = (customer.clone(), wait_for.cloned());
        self.load_set(&customer.clone(), &LedgerRequest::Sync { customer, wait_for })
    }

    async fn manage_overrides(&self, request: &OverrideRequest) -> Result<OverrideReply, Error> {
        let message = LedgerRequest::ManageOverrides(request.clone());
        match self.call(&request.customer, &message, None)? {
            LedgerResponse::Overrides(reply) => Ok(reply),
            response => Err(unexpected(&response)),
        }
    }

    async fn list_history(&self, query: &HistoryQuery) -> Result<HistoryPage, Error> {
        let message = LedgerRequest::ListHistory(query.clone());
        match self.call(&query.customer, &message, None)? {
            LedgerResponse::History(page) => Ok(page),
            response => Err(unexpected(&response)),
        }
    }

    async fn explain(&self, query: &ExplainQuery) -> Result<ExplainReply, Error> {
        match self.call(&query.customer, &LedgerRequest::Explain(query.clone()), None)? {
            LedgerResponse::Explained(reply) => Ok(reply),
            response => Err(unexpected(&response)),
        }
    }
}

/// The platform of one ledger in memory.
struct MemoryPlatform {
    tables: MemoryTables,
    source: Option<Rc<StripeClient<FakeStripe>>>,
    setting: Rc<LedgerSettings>,
    time: VirtualTime,
    sent: Rc<SentWrites>,
}

impl LedgerPorts for MemoryPlatform {
    fn storage(&self) -> &impl LedgerStorage {
        &self.tables
    }

    fn has_source(&self, _: Livemode) -> bool {
        self.source.is_some()
    }

    fn source_policy(&self) -> SourcePolicy {
        self.setting.policy.get()
    }

    fn default_features(&self) -> Vec<LookupKey> {
        self.setting.default_features.borrow().clone()
    }

    fn missing_source(&self) -> MissingSource {
        self.setting.missing_source.get()
    }

    async fn reserve_read(
        &self,
        _: &CustomerKey,
        _: ReadPriority,
    ) -> Result<Option<UnixMillis>, PortError> {
        Ok(None)
    }

    async fn report_rate_limit(&self, _: Livemode) {}

    async fn read_source(
        &self,
        customer: &CustomerKey,
    ) -> Option<Result<SourceState, SourceFailure>> {
        let listed = self.source.as_ref()?.list_entitlements(&customer.id).await;
        Some(listed.map_err(source::Error::into_failure))
    }

    fn not_found_advice(&self) -> NotFoundAdvice {
        NotFoundAdvice { cause: "Stripe has no such customer", advice: "" }
    }

    async fn write_replica(&self, customer: &CustomerKey, record: &[u8]) -> Result<(), PortError> {
        let set = record::decode(record).map_err(|error| PortError(error.to_string()))?;
        poll_fn(|context| {
            if self.sent.is_replicating.get() {
                return Poll::Ready(());
            }
            self.sent.waiting.borrow_mut().push(context.waker().clone());
            Poll::Pending
        })
        .await;
        self.sent.sets.borrow_mut().insert(customer.clone(), set);
        Ok(())
    }

    async fn send_to_index(&self, message: &IndexMessage) -> Result<(), PortError> {
        self.sent.messages.borrow_mut().push(message.clone());
        Ok(())
    }

    fn notify_subscribers(&self) {}

    async fn set_alarm(&self, _: Option<UnixMillis>) -> Result<(), PortError> {
        Ok(())
    }

    fn spawn(&self, future: LocalBoxFuture<'static, ()>) {
        self.time.spawn(future);
    }

    fn sleep(&self, millis: u64) -> impl Future<Output = ()> {
        self.time.sleep(millis)
    }

    fn now(&self) -> UnixMillis {
        self.time.now()
    }

    fn jitter(&self) -> Jitter {
        Jitter(0.5)
    }

    fn log(&self, _: LogLevel, _: &str) {}
}
