//! The event poll of one coordinator in virtual time: entgate's own process, over ports with a fixed latency.
//!
//! Stripe's list and the ledgers are stand-ins: the list has events at a constant rate, and each ledger knows
//! its event already, as after a webhook.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeSet, HashMap},
    rc::Rc,
};

use entgate::{
    coordinator::{
        CoordinatorPorts, CoordinatorProcess, CoordinatorRequest, CoordinatorSettings,
        CoordinatorState, CoordinatorStorage, IndexQuery, IndexReport, RetryTask,
    },
    entitlement::Version,
    id::{CustomerKey, EventId, Livemode, LookupKey, Timestamp, UnixMillis},
    ledger::{ApplyOutcome, ApplyReceipt, LedgerRequest, LogLevel, PortError},
    policy::GrantRule,
    source::{self, EventPage, EventQuery},
    store::memory::VirtualTime,
};
use serde_json::json;

/// How long a list of Stripe takes, in milliseconds.
const LIST_LATENCY: u64 = 300;

/// How long a request to a Durable Object takes, in milliseconds.
const OBJECT_LATENCY: u64 = 30;

const BEGIN: i64 = 1_700_000_000;

/// What a poll did.
#[derive(Clone, Copy, Debug)]
pub struct PollResult {
    /// The requests to Stripe.
    pub listings: u64,
    /// The requests to ledgers.
    pub sent: u64,
    /// The questions to the customer index, of 32 shards each.
    pub surveys: u64,
    /// The alarms.
    pub alarms: u64,
    /// How much of the time an alarm works.
    pub busy_millis: u64,
    /// When the last pass was completed, from the begin.
    pub completed_at: Option<u64>,
}

/// Polls for so many seconds an account with one event in so many milliseconds.
#[must_use]
pub fn poll(seconds: u64, millis_per_event: f64, rate: u32) -> PollResult {
    run(Account { first: BEGIN, millis_per_event, count: u64::MAX }, rate, seconds, None)
}

/// Lists this many events that nothing else has brought, and returns how many of them are applied in a second.
///
/// # Panics
///
/// If the poll does not end within a day.
#[must_use]
pub fn capacity(count: u32, rate: u32) -> f64 {
    let account = Account { first: BEGIN - 1, millis_per_event: 0.001, count: count.into() };
    let result = run(account, rate, 24 * 60 * 60, Some(count.into()));
    f64::from(count) * 1_000.0 / crate::usage::to_f64(result.busy_millis)
}

/// The events of an account, at equal distances.
struct Account {
    first: i64,
    millis_per_event: f64,
    count: u64,
}

struct World {
    time: VirtualTime,
    account: Account,
    rate: u32,
    alarm: Cell<Option<UnixMillis>>,
    state: RefCell<CoordinatorState>,
    events: RefCell<HashMap<EventId, Timestamp>>,
    listings: Cell<u64>,
    sent: Cell<u64>,
    surveys: Cell<u64>,
}

fn run(account: Account, rate: u32, seconds: u64, until_sent: Option<u64>) -> PollResult {
    let begin = UnixMillis::from(Timestamp(BEGIN));
    let world = Rc::new(World {
        time: VirtualTime::starting_at(begin),
        account,
        rate,
        alarm: Cell::default(),
        state: RefCell::default(),
        events: RefCell::default(),
        listings: Cell::default(),
        sent: Cell::default(),
        surveys: Cell::default(),
    });
    let process = CoordinatorProcess::new(WorldPorts(Rc::clone(&world)));
    let armed = world.time.run_until(process.handle(CoordinatorRequest::Arm));
    assert!(matches!(armed, Some(Ok(_))), "{armed:?}");
    let (mut alarms, mut busy_millis) = (0, 0);
    let end = begin.saturating_add(seconds * 1_000);
    while let Some(at) = world.alarm.take().filter(|at| *at < end) {
        world.time.advance_to(at);
        let began = world.time.now();
        let worked = world.time.run_until(process.run_alarm());
        assert!(matches!(worked, Some(Ok(()))), "{worked:?}");
        alarms += 1;
        busy_millis += world.time.now().millis_since(began);
        if until_sent.is_some_and(|count| world.sent.get() >= count) {
            break;
        }
    }
    let completed_at = world.state.borrow().poll.completed_at;
    PollResult {
        listings: world.listings.get(),
        sent: world.sent.get(),
        surveys: world.surveys.get(),
        alarms,
        busy_millis,
        completed_at: completed_at.map(|at| at.millis_since(begin)),
    }
}

impl World {
    #[expect(clippy::cast_possible_truncation, reason = "a time within days")]
    fn created(&self, number: u64) -> i64 {
        let millis = crate::usage::to_f64(number) * self.account.millis_per_event;
        self.account.first + (millis / 1_000.0) as i64
    }

    /// The number of events so far.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative")]
    fn count(&self) -> u64 {
        let elapsed = self.time.now().millis_since(Timestamp(self.account.first).into());
        let count = crate::usage::to_f64(elapsed) / self.account.millis_per_event;
        (count as u64).min(self.account.count)
    }
}

fn event(number: u64, created: i64) -> serde_json::Value {
    let customer = format!("cus_{:014}", number % 1_000_000);
    json!({
        "id": format!("evt_1{number:020}"),
        "object": "event",
        "created": created,
        "livemode": true,
        "type": "entitlements.active_entitlement_summary.updated",
        "data": { "object": {
            "object": "entitlements.active_entitlement_summary",
            "customer": customer,
            "livemode": true,
            "entitlements": { "object": "list", "data": [], "has_more": false, "url": "/" },
        } },
    })
}

struct WorldPorts(Rc<World>);

impl CoordinatorStorage for World {
    fn may_write(&self) -> Result<bool, PortError> {
        Ok(true)
    }

    fn read<T>(&self, select: impl FnOnce(&CoordinatorState) -> T) -> Result<T, PortError> {
        Ok(select(&self.state.borrow()))
    }

    fn update<T>(&self, step: impl FnOnce(&mut CoordinatorState) -> T) -> Result<T, PortError> {
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

    fn due_retries(&self, _: u32, _: UnixMillis) -> Result<Vec<RetryTask>, PortError> {
        Ok(Vec::new())
    }

    fn retries(&self) -> Result<(u32, Option<UnixMillis>), PortError> {
        Ok((0, None))
    }

    fn put_retry(&self, task: &RetryTask) -> Result<(), PortError> {
        Err(PortError(format!("no ledger fails, but {} is retried", task.event)))
    }

    fn features(&self) -> Result<BTreeSet<LookupKey>, PortError> {
        Ok(BTreeSet::new())
    }

    fn add_feature(&self, _: &LookupKey) -> Result<(), PortError> {
        Ok(())
    }

    fn delete_retry(&self, _: &EventId) -> Result<(), PortError> {
        Ok(())
    }
}

impl CoordinatorPorts for WorldPorts {
    fn storage(&self) -> &impl CoordinatorStorage {
        &*self.0
    }

    fn settings(&self) -> Result<CoordinatorSettings, PortError> {
        Ok(CoordinatorSettings {
            livemode: Livemode::Live,
            is_used: true,
            has_source: true,
            has_webhook_secret: true,
            poll_interval: Some(60_000),
            rate: self.0.rate,
            paused: GrantRule::Keep,
        })
    }

    async fn list_events(&self, query: EventQuery<'_>) -> Result<EventPage, source::Error> {
        let world = &self.0;
        world.listings.set(world.listings.get() + 1);
        world.time.sleep(LIST_LATENCY).await;
        let number = |id: &EventId| id.as_str()[5..].parse::<u64>().unwrap_or(0);
        let end = query.after.map_or_else(|| world.count(), number);
        let is_listed = |number: &u64| world.created(*number) >= query.created_from.0;
        let listed = (0..end).rev().take_while(is_listed);
        let events: Vec<_> = listed
            .take(query.limit as usize)
            .map(|number| event(number, world.created(number)))
            .collect();
        let last = events.last().and_then(|event| event["id"].as_str()).unwrap_or("");
        let last = last.get(5..).and_then(|number| number.parse::<u64>().ok()).unwrap_or(0);
        let has_more = last > 0 && is_listed(&(last - 1));
        Ok(EventPage { events, has_more })
    }

    async fn send_event(
        &self,
        _: &CustomerKey,
        _: &LedgerRequest,
    ) -> Result<ApplyReceipt, PortError> {
        self.0.sent.set(self.0.sent.get() + 1);
        self.0.time.sleep(OBJECT_LATENCY).await;
        Ok(ApplyReceipt { outcome: ApplyOutcome::Duplicate, version: Version(1) })
    }

    async fn reconcile(&self, _: &CustomerKey) -> Result<(), PortError> {
        self.0.time.sleep(OBJECT_LATENCY).await;
        Ok(())
    }

    async fn rearm(&self, _: &CustomerKey) -> Result<(), PortError> {
        self.0.time.sleep(OBJECT_LATENCY).await;
        Ok(())
    }

    async fn query_index(&self, _: IndexQuery) -> Result<IndexReport, PortError> {
        self.0.surveys.set(self.0.surveys.get() + 1);
        self.0.time.sleep(OBJECT_LATENCY).await;
        Ok(IndexReport::default())
    }

    async fn alarm(&self) -> Result<Option<UnixMillis>, PortError> {
        Ok(self.0.alarm.get())
    }

    async fn set_alarm(&self, at: UnixMillis) -> Result<(), PortError> {
        self.0.alarm.set(Some(at));
        Ok(())
    }

    async fn sleep(&self, millis: u64) {
        self.0.time.sleep(millis).await;
    }

    fn now(&self) -> UnixMillis {
        self.0.time.now()
    }

    fn log(&self, _: LogLevel, _: &str) {}
}
