//! A catalog in memory, and the requests that tests send to it.
//!
//! Requests pass through [`catalog::handle`], as in the Worker. Background work and deliveries run
//! when a test calls them. Time is the field `now`, and random numbers are the same in each run.

use std::cell::Cell;

use entgate::{
    api::{Request, Response, catalog},
    catalog::{
        Tx,
        deliveries::{self, AttemptOutcome, WebhookRequest},
        memory::MemoryStorage,
        scheduler,
    },
    id::{Livemode, Timestamp},
    policy::{PauseOnPaymentFailure, StatusPolicy},
};
use serde_json::{Value, json};

use crate::support::NOW;

/// The time that test clocks begin at: 2027-01-15T08:00:00Z.
pub(crate) const CLOCK_START: i64 = 1_800_000_000;

/// How many due items one batch of background work processes.
const BATCH: usize = 7;

/// A catalog over a storage in memory.
pub(crate) struct TestCatalog {
    pub(crate) storage: MemoryStorage,
    pub(crate) policy: StatusPolicy,
    pub(crate) pause_on_payment_failure: PauseOnPaymentFailure,
    /// The current time outside of all test clocks.
    pub(crate) now: Timestamp,
    pub(crate) livemode: Livemode,
    /// Whether the writes of a rejected request are rolled back, which copies the whole storage.
    pub(crate) rolls_back: bool,
    /// The state of the random number generator.
    seed: Cell<u64>,
}

/// A response of the API, with its body decoded.
#[derive(Debug)]
pub(crate) struct ApiResponse {
    pub(crate) status: u16,
    pub(crate) body: Value,
    pub(crate) http: Response,
}

impl TestCatalog {
    /// An empty catalog of test mode.
    pub(crate) fn new() -> Self {
        Self {
            storage: MemoryStorage::default(),
            policy: StatusPolicy::default(),
            pause_on_payment_failure: PauseOnPaymentFailure::default(),
            now: NOW,
            livemode: Livemode::Test,
            rolls_back: true,
            seed: Cell::new(1),
        }
    }

    /// Runs an operation without a transaction.
    pub(crate) fn with<T>(&self, operation: impl FnOnce(Tx<'_>) -> T) -> T {
        // SplitMix64: <https://prng.di.unimi.it/splitmix64.c>.
        let random = || {
            let seed = self.seed.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
            self.seed.set(seed);
            let mixed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^ (mixed >> 31)
        };
        let tx = Tx::new(&self.storage, self.livemode, self.policy, &random, self.now);
        operation(tx.with_pause_on_payment_failure(self.pause_on_payment_failure))
    }

    /// Runs an operation, in a transaction if `rolls_back` is set.
    fn transact<T, E>(&self, operation: impl FnOnce(Tx<'_>) -> Result<T, E>) -> Result<T, E> {
        if self.rolls_back {
            self.storage.transact(|| self.with(operation))
        } else {
            self.with(operation)
        }
    }

    /// Sends a request with a form in its body, as Stripe's SDKs encode it.
    pub(crate) fn request(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        form: &str,
    ) -> ApiResponse {
        let mut request = http::Request::builder().method(method).uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request: Request = request.body(form.as_bytes().to_vec()).unwrap();
        let result = self.transact(|tx| catalog::handle(tx, &request));
        let http = result.unwrap_or_else(|rejected| rejected.response());
        let is_forwarded = |name| catalog::RESPONSE_HEADERS.contains(name);
        assert!(http.headers().keys().all(is_forwarded), "{:?}", http.headers());
        let body = serde_json::from_slice(http.body()).unwrap_or(Value::Null);
        ApiResponse { status: http.status().as_u16(), body, http }
    }

    pub(crate) fn get(&self, target: &str) -> ApiResponse {
        self.request("GET", target, &[], "")
    }

    pub(crate) fn delete(&self, target: &str) -> ApiResponse {
        self.request("DELETE", target, &[], "")
    }

    pub(crate) fn post(&self, target: &str, form: &str) -> ApiResponse {
        self.request("POST", target, &[], form)
    }

    /// Creates an object, and returns its id.
    #[track_caller]
    pub(crate) fn create(&self, target: &str, form: &str) -> String {
        let object = self.post(target, form).expect_ok();
        object["id"].as_str().unwrap_or_default().to_owned()
    }

    /// The ids of a list, newest first.
    #[track_caller]
    pub(crate) fn list_ids(&self, target: &str) -> Vec<String> {
        let list = self.get(target).expect_ok();
        let items = list["data"].as_array().unwrap().iter();
        items.map(|item| item["id"].as_str().unwrap().to_owned()).collect()
    }

    /// All events that match a query, newest first.
    #[track_caller]
    pub(crate) fn list_events(&self, query: &str) -> Vec<Value> {
        let list = self.get(&format!("/v1/events?limit=100&{query}")).expect_ok();
        assert_eq!(list["has_more"], json!(false));
        list["data"].as_array().unwrap().clone()
    }

    /// The events after the first `count`, oldest first.
    #[track_caller]
    pub(crate) fn events_after(&self, count: usize) -> Vec<Value> {
        let mut events = self.list_events("");
        events.reverse();
        events.split_off(count)
    }

    /// The lookup keys of the features that a customer is entitled to, newest first.
    #[track_caller]
    pub(crate) fn entitled_keys(&self, customer: &str) -> Vec<String> {
        let path = format!("/v1/entitlements/active_entitlements?customer={customer}&limit=100");
        let list = self.get(&path).expect_ok();
        let items = list["data"].as_array().unwrap().iter();
        items.map(|item| item["lookup_key"].as_str().unwrap().to_owned()).collect()
    }

    /// Creates a feature whose name is its lookup key.
    #[track_caller]
    pub(crate) fn create_feature(&self, key: &str) -> String {
        self.create("/v1/entitlements/features", &format!("lookup_key={key}&name={key}"))
    }

    /// Creates a product with these features.
    #[track_caller]
    pub(crate) fn create_product(&self, features: &[&str]) -> String {
        let product = self.create("/v1/products", "name=Plan");
        for feature in features {
            self.attach(&product, feature);
        }
        product
    }

    /// Attaches a feature to a product, and returns the id of the product feature.
    #[track_caller]
    pub(crate) fn attach(&self, product: &str, feature: &str) -> String {
        let form = format!("entitlement_feature={feature}");
        self.create(&format!("/v1/products/{product}/features"), &form)
    }

    /// Creates a recurring price of $5.
    #[track_caller]
    pub(crate) fn create_price(&self, product: &str, interval: &str) -> String {
        let form = "currency=usd&unit_amount=500&recurring[interval]";
        self.create("/v1/prices", &format!("product={product}&{form}={interval}"))
    }

    /// Creates a test clock that is frozen at [`CLOCK_START`].
    #[track_caller]
    pub(crate) fn create_clock(&self) -> String {
        self.create("/v1/test_helpers/test_clocks", &format!("frozen_time={CLOCK_START}"))
    }

    /// Advances a test clock, and runs what is due by then.
    #[track_caller]
    pub(crate) fn advance_clock(&self, clock: &str, to: Timestamp) {
        let path = format!("/v1/test_helpers/test_clocks/{clock}/advance");
        self.post(&path, &format!("frozen_time={to}")).expect_ok();
        self.run_due();
    }

    /// When background work is due next.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.with(|tx| scheduler::next_due(&tx)).unwrap()
    }

    /// Runs background work until nothing is due.
    pub(crate) fn run_due(&self) {
        while self.next_due().is_some_and(|due| due <= self.now) {
            self.transact(|tx| scheduler::run_due(&tx, BATCH)).unwrap();
        }
    }

    /// Leases up to `limit` due deliveries, whatever their endpoints.
    pub(crate) fn lease_due(&self, limit: usize) -> Vec<WebhookRequest> {
        self.transact(|tx| deliveries::lease_due(&tx, limit, &|_| limit)).unwrap()
    }

    /// When a delivery is due next.
    pub(crate) fn next_delivery_due(&self) -> Option<Timestamp> {
        self.with(|tx| deliveries::next_due(&tx, &|_| 1)).unwrap()
    }

    /// Records the outcome of a delivery attempt.
    pub(crate) fn record_attempt(&self, delivery: &str, outcome: AttemptOutcome) {
        self.transact(|tx| deliveries::record_attempt(&tx, delivery, outcome)).unwrap();
    }
}

impl ApiResponse {
    /// The body of a response of status 200.
    #[track_caller]
    pub(crate) fn expect_ok(self) -> Value {
        assert_eq!(self.status, 200, "{}", self.body);
        self.body
    }

    /// The status, code, parameter and message of an error; absent members are empty.
    pub(crate) fn error(&self) -> (u16, &str, &str, &str) {
        let member = |name: &str| self.body["error"][name].as_str().unwrap_or_default();
        (self.status, member("code"), member("param"), member("message"))
    }
}

/// These members of an object, as an array.
pub(crate) fn members(object: &Value, names: &[&str]) -> Value {
    json!(names.iter().map(|name| &object[*name]).collect::<Vec<_>>())
}

/// The types of these events.
pub(crate) fn event_types(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().unwrap()).collect()
}
