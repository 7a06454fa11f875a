//! The environment of a coordinator: its storage, Stripe, ledgers, the customer index, and time.
//!
//! Everything here survives a crash of the coordinator. A call of a port takes [`LATENCY`], so that a crash
//! can happen in the middle of any work.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet, VecDeque},
    rc::Rc,
};

use entgate::{
    coordinator::{
        CoordinatorPorts, CoordinatorSettings, CoordinatorState, CoordinatorStorage, IndexQuery,
        IndexReport, RetryTask,
    },
    entitlement::Version,
    id::{CustomerKey, EventId, Livemode, LookupKey, Timestamp, UnixMillis},
    ledger::{ApplyOutcome, ApplyReceipt, LedgerRequest, LogLevel, PortError},
    policy::GrantRule,
    source::{self, EventPage, EventQuery, StripeClient, fake::FakeStripe},
    store::{
        Ledger as _,
        memory::{MemoryLedger, VirtualTime},
    },
};

/// How long a call of a port takes, in milliseconds.
pub(crate) const LATENCY: u64 = 10;

/// The settings of test mode with a poll each minute.
pub(crate) const SETTINGS: CoordinatorSettings = CoordinatorSettings {
    livemode: Livemode::Test,
    is_used: true,
    has_source: true,
    has_webhook_secret: true,
    poll_interval: Some(60_000),
    rate: 5,
    paused: GrantRule::Keep,
};

pub(crate) struct World {
    pub(crate) time: VirtualTime,
    pub(crate) stripe: StripeClient<FakeStripe>,
    pub(crate) settings: Cell<CoordinatorSettings>,
    pub(crate) tables: Tables,
    pub(crate) alarm: Cell<Option<UnixMillis>>,
    /// Each alarm that was set.
    pub(crate) alarms: RefCell<Vec<UnixMillis>>,
    pub(crate) ledger: Option<MemoryLedger>,
    /// What ledgers received, oldest first.
    pub(crate) sent: RefCell<Vec<(CustomerKey, LedgerRequest)>>,
    /// The events that ledgers know.
    pub(crate) known_events: RefCell<BTreeSet<EventId>>,
    /// The customers whose ledgers fail.
    pub(crate) failing: RefCell<BTreeSet<String>>,
    /// Whether each of the next requests to a ledger fails after its effect.
    pub(crate) lost_responses: Cell<u32>,
    pub(crate) index: RefCell<Result<IndexReport, PortError>>,
    pub(crate) index_queries: RefCell<Vec<IndexQuery>>,
    pub(crate) reconciled: RefCell<Vec<String>>,
    pub(crate) rearmed: RefCell<Vec<String>>,
    pub(crate) requests: Cell<u32>,
    pub(crate) log: RefCell<Vec<String>>,
    /// The results of the next listings of events. The rest succeed.
    pub(crate) list_faults: RefCell<VecDeque<source::Error>>,
}

impl World {
    pub(crate) fn new(now: UnixMillis) -> Rc<Self> {
        Rc::new(Self::with_ledger(None, now))
    }

    /// A world whose events are applied by ledgers. Otherwise they only note the ids.
    pub(crate) fn with_ledger(ledger: Option<MemoryLedger>, now: UnixMillis) -> Self {
        Self {
            ledger,
            time: VirtualTime::starting_at(now),
            stripe: StripeClient::new(FakeStripe::default()),
            settings: Cell::new(SETTINGS),
            tables: Tables::default(),
            alarm: Cell::default(),
            alarms: RefCell::default(),
            sent: RefCell::default(),
            known_events: RefCell::default(),
            failing: RefCell::default(),
            lost_responses: Cell::default(),
            index: RefCell::new(Ok(IndexReport::default())),
            index_queries: RefCell::default(),
            reconciled: RefCell::default(),
            rearmed: RefCell::default(),
            requests: Cell::default(),
            log: RefCell::default(),
            list_faults: RefCell::default(),
        }
    }

    /// A ledger applies or notes an event.
    pub(crate) fn receive(&self, request: &LedgerRequest) -> ApplyReceipt {
        if let (Some(ledger), LedgerRequest::Apply(summary) | LedgerRequest::ApplyPolled(summary)) =
            (&self.ledger, request)
        {
            self.known_events.borrow_mut().insert(summary.event.clone());
            let now = self.time.now().to_timestamp();
            return pollster::block_on(ledger.apply(summary, now)).unwrap();
        }
        let (event, outcome) = match request {
            LedgerRequest::Apply(summary) | LedgerRequest::ApplyPolled(summary) => {
                (&summary.event, ApplyOutcome::Applied)
            }
            LedgerRequest::NoteUnreadable(event) => (&event.event, ApplyOutcome::Failed),
            other => panic!("{other:?}"),
        };
        let is_new = self.known_events.borrow_mut().insert(event.clone());
        let outcome = if is_new { outcome } else { ApplyOutcome::Duplicate };
        ApplyReceipt { outcome, version: Version(1) }
    }

    async fn request(&self) {
        self.requests.set(self.requests.get() + 1);
        self.time.sleep(LATENCY).await;
    }
}

/// What a coordinator stores.
#[derive(Default)]
pub(crate) struct Tables {
    pub(crate) state: RefCell<CoordinatorState>,
    pub(crate) events: RefCell<BTreeMap<EventId, Timestamp>>,
    pub(crate) retries: RefCell<BTreeMap<EventId, RetryTask>>,
    pub(crate) features: RefCell<BTreeSet<LookupKey>>,
    pub(crate) read_only: Cell<bool>,
}

impl CoordinatorStorage for Tables {
    fn may_write(&self) -> Result<bool, PortError> {
        Ok(!self.read_only.get())
    }

    fn read<T>(&self, select: impl FnOnce(&CoordinatorState) -> T) -> Result<T, PortError> {
        Ok(select(&self.state.borrow()))
    }

    fn update<T>(&self, step: impl FnOnce(&mut CoordinatorState) -> T) -> Result<T, PortError> {
        assert!(!self.read_only.get(), "a newer release's data is changed");
        Ok(step(&mut self.state.borrow_mut()))
    }

    fn has_event(&self, event: &EventId) -> Result<bool, PortError> {
        Ok(self.events.borrow().contains_key(event))
    }

    fn record_event(&self, event: &EventId, created: Timestamp) -> Result<(), PortError> {
        self.events.borrow_mut().insert(event.clone(), created);
        Ok(())
    }

    fn purge_events(&self, before: Timestamp) -> Result<(), PortError> {
        self.events.borrow_mut().retain(|_, created| *created >= before);
        Ok(())
    }

    fn due_retries(&self, limit: u32, now: UnixMillis) -> Result<Vec<RetryTask>, PortError> {
        let retries = self.retries.borrow();
        let mut due: Vec<_> = retries.values().filter(|task| task.due_at <= now).cloned().collect();
        due.sort_by_key(|task| task.due_at);
        due.truncate(limit.try_into().unwrap());
        Ok(due)
    }

    fn retries(&self) -> Result<(u32, Option<UnixMillis>), PortError> {
        let retries = self.retries.borrow();
        let next = retries.values().map(|task| task.due_at).min();
        Ok((retries.len().try_into().unwrap(), next))
    }

    fn put_retry(&self, task: &RetryTask) -> Result<(), PortError> {
        self.retries.borrow_mut().insert(task.event.clone(), task.clone());
        Ok(())
    }

    fn features(&self) -> Result<BTreeSet<LookupKey>, PortError> {
        Ok(self.features.borrow().clone())
    }

    fn add_feature(&self, feature: &LookupKey) -> Result<(), PortError> {
        assert!(!self.read_only.get(), "a newer release's data is changed");
        assert!(self.features.borrow_mut().insert(feature.clone()), "{feature} is stored twice");
        Ok(())
    }

    fn delete_retry(&self, event: &EventId) -> Result<(), PortError> {
        self.retries.borrow_mut().remove(event);
        Ok(())
    }
}

/// The ports of a coordinator to the world.
pub(crate) struct WorldPorts(pub(crate) Rc<World>);

impl CoordinatorPorts for WorldPorts {
    fn storage(&self) -> &impl CoordinatorStorage {
        &self.0.tables
    }

    fn settings(&self) -> Result<CoordinatorSettings, PortError> {
        Ok(self.0.settings.get())
    }

    async fn list_events(&self, query: EventQuery<'_>) -> Result<EventPage, source::Error> {
        self.0.request().await;
        let fault = self.0.list_faults.borrow_mut().pop_front();
        match fault {
            Some(error) => Err(error),
            None => self.0.stripe.list_events(query).await,
        }
    }

    async fn send_event(
        &self,
        customer: &CustomerKey,
        request: &LedgerRequest,
    ) -> Result<ApplyReceipt, PortError> {
        let world = &self.0;
        world.request().await;
        if world.failing.borrow().contains(customer.id.as_str()) {
            return Err(PortError("the ledger failed".to_owned()));
        }
        world.sent.borrow_mut().push((customer.clone(), request.clone()));
        let receipt = world.receive(request);
        // A crash here loses the response.
        world.time.sleep(LATENCY).await;
        let lost = world.lost_responses.get();
        world.lost_responses.set(lost.saturating_sub(1));
        if lost > 0 { Err(PortError("the response was lost".to_owned())) } else { Ok(receipt) }
    }

    async fn reconcile(&self, customer: &CustomerKey) -> Result<(), PortError> {
        self.0.request().await;
        self.0.reconciled.borrow_mut().push(customer.to_key());
        Ok(())
    }

    async fn rearm(&self, customer: &CustomerKey) -> Result<(), PortError> {
        self.0.request().await;
        self.0.rearmed.borrow_mut().push(customer.to_key());
        Ok(())
    }

    async fn query_index(&self, query: IndexQuery) -> Result<IndexReport, PortError> {
        self.0.request().await;
        self.0.index_queries.borrow_mut().push(query);
        let mut report = self.0.index.borrow().clone()?;
        report.overdue.truncate(query.max_overdue.try_into().unwrap());
        report.unread.truncate(query.max_unread.try_into().unwrap());
        Ok(report)
    }

    async fn alarm(&self) -> Result<Option<UnixMillis>, PortError> {
        Ok(self.0.alarm.get())
    }

    async fn set_alarm(&self, at: UnixMillis) -> Result<(), PortError> {
        self.0.alarm.set(Some(at));
        self.0.alarms.borrow_mut().push(at);
        Ok(())
    }

    async fn sleep(&self, millis: u64) {
        self.0.time.sleep(millis).await;
    }

    fn now(&self) -> UnixMillis {
        self.0.time.now()
    }

    fn log(&self, _: LogLevel, line: &str) {
        self.0.log.borrow_mut().push(line.to_owned());
    }
}
