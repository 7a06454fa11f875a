//! A platform in memory below a catalog's process: storage, alarm, ledgers, endpoints and crashes.
//!
//! The storage and the alarm survive a crash; tasks and the process do not. As on Cloudflare, the
//! alarm is unset while its handler runs, and a handler that fails or crashes is started again.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use entgate::{
    api::{Request, catalog},
    catalog::{
        Tx,
        deliveries::{self, AttemptOutcome, WebhookRequest},
        ledger_updates,
        memory::MemoryStorage,
        ports::CatalogPorts,
        process::{CatalogProcess, RequestKind},
        scheduler,
        storage::{IndexEntry, IndexRange, IndexedObject, Storage, StorageError, StoredObject},
    },
    entitlement::Summary,
    id::{Livemode, UnixMillis},
    policy::StatusPolicy,
    store::{Ledger as _, memory::VirtualTime},
};
use futures_util::future::LocalBoxFuture;
use serde_json::Value;

use super::observed::{
    EndpointResponse, Faults, LedgerResponse, LedgerUpdateResponse, Observed, Response,
};
use crate::support::{NOW, Service, configured};

/// How late an alarm may be: the back-off after a failed transaction.
const MAX_DELAY: u64 = 30_000;

/// The steps of a history that ends.
const MAX_STEPS: usize = 100_000;

/// One day, in milliseconds.
const DAY: u64 = 86_400_000;

/// When the platform starts an alarm handler again, in milliseconds.
const ALARM_RETRY: u64 = 2_000;

/// The platform. Clones share it.
#[derive(Clone)]
pub(super) struct Platform(Rc<State>);

struct State {
    time: VirtualTime,
    storage: MemoryStorage,
    alarm: Cell<Option<UnixMillis>>,
    handles_alarm: Cell<bool>,
    process: RefCell<Option<Rc<CatalogProcess<Platform>>>>,
    seed: Cell<u64>,
    steps: Cell<usize>,
    edge: Service,
    faults: Faults,
    endpoint: RefCell<Box<EndpointResponse>>,
    ledger: RefCell<Box<LedgerUpdateResponse>>,
    observed: Rc<Observed>,
}

impl Platform {
    /// A platform whose endpoints and ledgers respond at once.
    pub(super) fn new() -> Self {
        let settings = [("ENTGATE_API_KEYS", "sk_test_entgate"), ("ENTGATE_SOURCE", "catalog")];
        let platform = Self(Rc::new(State {
            time: VirtualTime::starting_at(NOW.into()),
            storage: MemoryStorage::default(),
            alarm: Cell::default(),
            handles_alarm: Cell::default(),
            process: RefCell::default(),
            seed: Cell::new(1),
            steps: Cell::default(),
            edge: configured(&settings),
            faults: Faults::default(),
            endpoint: RefCell::new(Box::new(|_| (0, AttemptOutcome::Responded(200)))),
            ledger: RefCell::new(Box::new(|_| (0, LedgerResponse::Applied))),
            observed: Rc::default(),
        }));
        platform.start_process();
        platform
    }

    pub(super) fn endpoints_respond(
        &self,
        respond: impl FnMut(&WebhookRequest) -> Response<AttemptOutcome> + 'static,
    ) {
        *self.0.endpoint.borrow_mut() = Box::new(respond);
    }

    pub(super) fn ledgers_respond(
        &self,
        respond: impl FnMut(&Summary) -> Response<LedgerResponse> + 'static,
    ) {
        *self.0.ledger.borrow_mut() = Box::new(respond);
    }

    pub(super) fn faults(&self) -> &Faults {
        &self.0.faults
    }

    pub(super) fn observed(&self) -> &Observed {
        &self.0.observed
    }

    pub(super) fn alarm(&self) -> Option<UnixMillis> {
        self.0.alarm.get()
    }

    pub(super) fn elapsed(&self) -> u64 {
        self.now().0 - UnixMillis::from(NOW).0
    }

    /// Whether `/v1/check` grants a feature to a customer.
    #[track_caller]
    pub(super) fn check(&self, customer: &str, feature: &str) -> bool {
        let answer = self.0.edge.get(&format!("/v1/check?customer={customer}&feature={feature}"));
        answer.body["entitled"].as_bool().unwrap_or_default()
    }

    /// Starts a request to the process.
    pub(super) fn send(&self, method: &str, target: &str, form: &str) {
        let (platform, request) = (self.clone(), request(method, target, form));
        let kind = if request.method().is_safe() { RequestKind::Read } else { RequestKind::Write };
        self.0.observed.sends.set(0);
        let process = self.process();
        self.0.time.spawn(async move {
            let handled = process.handle_request(kind, |tx| catalog::handle(tx, &request)).await;
            if let Ok(Ok(response)) = handled {
                let body = serde_json::from_slice(response.body()).unwrap();
                platform.0.observed.responses.borrow_mut().push(body);
            }
        });
    }

    /// Sends a request, runs everything that follows, and returns the id of the object.
    #[track_caller]
    pub(super) fn create(&self, target: &str, form: &str) -> String {
        self.0.observed.responses.borrow_mut().clear();
        self.send("POST", target, form);
        self.run();
        let responses = self.0.observed.responses.borrow();
        responses.first().unwrap()["id"].as_str().unwrap().to_owned()
    }

    /// Stores the result of a request without the process, as if it had crashed afterwards.
    pub(super) fn store(&self, target: &str, form: &str) {
        let request = request("POST", target, form);
        assert!(self.with(|tx| catalog::handle(tx, &request)).is_ok());
    }

    /// Reads a list of the API without the process. It is empty if it is a list of no object.
    pub(super) fn list(&self, target: &str) -> Vec<Value> {
        let request = request("GET", target, "");
        let Ok(response) = self.with(|tx| catalog::handle(tx, &request)) else { return Vec::new() };
        let body: Value = serde_json::from_slice(response.body()).unwrap();
        body["data"].as_array().unwrap().clone()
    }

    /// Runs until no task can continue, and no timer and no alarm ends within a day.
    pub(super) fn run(&self) {
        while self.step() {}
    }

    /// Runs until a time.
    pub(super) fn run_until(&self, at: UnixMillis) {
        while self.step_until(at) {}
        self.0.time.advance_to(at);
    }

    /// Polls one task, or advances the clock if none can continue. Returns false if nothing happens
    /// within a day.
    pub(super) fn step(&self) -> bool {
        self.step_until(self.now().saturating_add(DAY))
    }

    fn step_until(&self, latest: UnixMillis) -> bool {
        let steps = self.0.steps.get() + 1;
        self.0.steps.set(steps);
        assert!(steps < MAX_STEPS, "it never ends: {:?}", self.0.observed.log.borrow().last());
        let continues = self.0.time.poll_next() || self.advance(latest);
        self.assert_alarm();
        continues
    }

    /// Polls one task, even if no alarm is set.
    pub(super) fn poll_unchecked(&self) {
        self.0.time.poll_next();
    }

    /// Whether nothing is due within a day.
    pub(super) fn is_idle(&self) -> bool {
        self.alarm().is_none_or(|alarm| alarm > self.now().saturating_add(DAY))
    }

    /// Loses the process and all its tasks. The next one starts at once.
    pub(super) fn crash(&self) {
        self.0.time.abort_all();
        if self.0.handles_alarm.replace(false) {
            self.retry_alarm();
        }
        self.start_process();
    }

    /// When work is due in the storage, whatever the limits.
    pub(super) fn next_due(&self) -> Option<UnixMillis> {
        let due = self.with(|tx| {
            let next = [
                scheduler::next_due(&tx).unwrap(),
                deliveries::next_due(&tx, &|_| 1).unwrap(),
                ledger_updates::next_due(&tx).unwrap(),
            ];
            next.into_iter().flatten().min()
        });
        due.map(UnixMillis::from)
    }

    pub(super) fn random(&self, limit: u64) -> u64 {
        // SplitMix64: <https://prng.di.unimi.it/splitmix64.c>.
        let seed = self.0.seed.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.0.seed.set(seed);
        let mixed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }

    pub(super) fn set_seed(&self, seed: u64) {
        self.0.seed.set(seed);
    }

    fn process(&self) -> Rc<CatalogProcess<Self>> {
        self.0.process.borrow().clone().unwrap()
    }

    fn start_process(&self) {
        self.0.process.replace(Some(Rc::new(CatalogProcess::new(self.clone()))));
    }

    fn next_time(&self) -> Option<UnixMillis> {
        let alarm = self.0.alarm.get().filter(|_| !self.0.handles_alarm.get());
        self.0.time.next_timer().into_iter().chain(alarm).min()
    }

    fn advance(&self, latest: UnixMillis) -> bool {
        let Some(next) = self.next_time().filter(|next| *next <= latest) else { return false };
        self.0.time.advance_to(next);
        let is_due = self.0.alarm.get().is_some_and(|alarm| alarm <= self.now());
        if is_due && !self.0.handles_alarm.get() {
            self.fire_alarm();
        }
        true
    }

    fn fire_alarm(&self) {
        self.0.alarm.take();
        self.0.handles_alarm.set(true);
        self.0.observed.sends.set(0);
        self.0.observed.alarms_fired.borrow_mut().push(self.now());
        let (platform, process) = (self.clone(), self.process());
        self.0.time.spawn(async move {
            let handled = process.handle_alarm().await;
            platform.0.handles_alarm.set(false);
            if handled.is_err() {
                platform.retry_alarm();
            }
        });
    }

    fn retry_alarm(&self) {
        let retry = self.now().saturating_add(ALARM_RETRY);
        self.0.alarm.update(|alarm| Some(alarm.map_or(retry, |alarm| alarm.min(retry))));
    }

    /// Work that is due must start soon, even if the process is lost now.
    fn assert_alarm(&self) {
        let Some(due) = self.next_due() else { return };
        let latest = due.max(self.now()).saturating_add(MAX_DELAY);
        let is_set = self.alarm().is_some_and(|alarm| alarm <= latest);
        let is_safe = is_set || self.0.handles_alarm.get() || self.0.faults.read_only.get();
        assert!(is_safe, "due at {due:?}, the alarm is {:?}, now {:?}", self.alarm(), self.now());
    }

    fn with<T>(&self, work: impl FnOnce(Tx<'_>) -> T) -> T {
        let random = || self.random(u64::MAX);
        let (policy, now) = (StatusPolicy::default(), self.now().to_timestamp());
        work(Tx::new(self, Livemode::Test, policy, &random, now))
    }
}

impl Storage for Platform {
    fn read(&self, key: &str) -> Result<Option<StoredObject>, StorageError> {
        self.0.storage.read(key)
    }

    fn write(
        &self,
        key: &str,
        body: &str,
        removed: &[IndexEntry],
        added: &[IndexEntry],
    ) -> Result<(), StorageError> {
        let fails = self.now() < self.0.faults.no_write_until.get();
        if fails { Err(out_of_order()) } else { self.0.storage.write(key, body, removed, added) }
    }

    fn remove(&self, key: &str, removed: &[IndexEntry]) -> Result<(), StorageError> {
        self.0.storage.remove(key, removed)
    }

    fn list(&self, index: &str, range: IndexRange) -> Result<Vec<IndexedObject>, StorageError> {
        self.0.storage.list(index, range)
    }
}

impl CatalogPorts for Platform {
    fn transact(&self, work: &mut dyn FnMut(Tx<'_>) -> bool) -> Result<(), StorageError> {
        let number = self.0.observed.transactions.get();
        self.0.observed.transactions.set(number + 1);
        if self.0.faults.transactions.borrow().contains(&number) {
            return Err(out_of_order());
        }
        let commit = || if self.with(&mut *work) { Ok(()) } else { Err(()) };
        self.0.storage.transact(commit).ok();
        Ok(())
    }

    fn may_write(&self) -> Result<bool, StorageError> {
        Ok(!self.0.faults.read_only.get())
    }

    async fn set_alarm(&self, at: Option<UnixMillis>) -> Result<(), StorageError> {
        if self.0.faults.alarms.get() > 0 {
            self.0.faults.alarms.update(|count| count - 1);
            return Err(StorageError("no alarm".to_owned()));
        }
        self.0.alarm.set(at);
        self.0.time.sleep(0).await;
        Ok(())
    }

    async fn send_webhook(&self, request: &WebhookRequest) -> AttemptOutcome {
        let _in_flight = self.0.observed.start_sending(&request.endpoint);
        let (millis, outcome) = (self.0.endpoint.borrow_mut())(request);
        self.0.time.sleep(millis).await;
        if matches!(outcome, AttemptOutcome::Responded(200..300)) {
            self.0.observed.acknowledge(request);
        }
        outcome
    }

    async fn apply_summary(&self, summary: &Summary) -> Result<(), String> {
        self.0.observed.count_send();
        self.0.observed.updates.borrow_mut().push((self.now(), summary.clone()));
        let (millis, response) = (self.0.ledger.borrow_mut())(summary);
        self.0.time.sleep(millis).await;
        if response != LedgerResponse::FailedBefore {
            let ledger = &self.0.edge.store.ledger;
            let applied = ledger.apply(summary, self.now().to_timestamp()).await;
            self.0.edge.store.replicate();
            applied.map_err(|error| error.to_string())?;
        }
        if response == LedgerResponse::Applied { Ok(()) } else { Err("no ledger".to_owned()) }
    }

    fn now(&self) -> UnixMillis {
        self.0.time.now()
    }

    async fn sleep(&self, millis: u64) {
        self.0.time.sleep(millis).await;
    }

    fn spawn(&self, task: LocalBoxFuture<'static, ()>) {
        self.0.time.spawn(task);
    }

    fn log(&self, line: &str) {
        self.0.observed.log.borrow_mut().push(line.to_owned());
    }
}

fn request(method: &str, target: &str, form: &str) -> Request {
    let request = http::Request::builder().method(method).uri(target);
    request.body(form.as_bytes().to_vec()).unwrap()
}

fn out_of_order() -> StorageError {
    StorageError("out of order".to_owned())
}
