//! The catalog over a shelf in memory: its rules, asked for as clients ask for them.

mod bulk_jobs;
mod cancellation;
mod charges;
mod customers;
mod deliveries;
mod delivery_status;
mod end_to_end;
mod event_list;
mod events;
mod expand;
mod feature_snapshots;
mod features;
mod fixture;
mod idempotency;
mod model;
mod overdue_transitions;
mod pagination;
mod parameters;
mod pause;
mod prices;
mod product_features;
mod products;
mod reported_status;
mod statuses;
mod storage;
mod test_clocks;
mod trials;
mod webhook_endpoints;

use std::cell::Cell;

use entgate::{
    api::{Request, Response, catalog},
    catalog::{
        Tx,
        deliveries::{AttemptOutcome, WebhookRequest, lease_due, next_due, record_attempt},
        memory::MemoryStorage,
        scheduler,
    },
    id::{Livemode, Timestamp},
    policy::StatusPolicy,
};
use serde_json::Value;

use crate::support::NOW;

/// A catalog, and those who ask it.
pub(crate) struct Shop {
    shelf: MemoryStorage,
    pub(crate) policy: StatusPolicy,
    /// What time it is outside of all test clocks.
    pub(crate) now: Timestamp,
    pub(crate) livemode: Livemode,
    /// Whether what is refused is undone: it costs a copy of all that there is.
    pub(crate) rolls_back: bool,
    /// Where the random numbers are: the same in each run.
    seed: Cell<u64>,
}

/// An answer, its body read.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
    pub(crate) response: Response,
}

pub(crate) fn shop() -> Shop {
    let seed = Cell::new(1);
    let livemode = Livemode::Test;
    let (shelf, policy) = (MemoryStorage::default(), StatusPolicy::default());
    Shop { shelf, policy, now: NOW, livemode, rolls_back: true, seed }
}

impl Shop {
    fn with<T>(&self, work: impl FnOnce(Tx<'_>) -> T) -> T {
        // SplitMix64.
        let chance = || {
            let seed = self.seed.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
            self.seed.set(seed);
            let mixed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^ (mixed >> 31)
        };
        work(Tx::new(&self.shelf, self.livemode, self.policy, &chance, self.now))
    }

    /// Does some work as a whole, or, where nothing is refused, just does it.
    fn transact<T, E>(&self, work: impl FnOnce(Tx<'_>) -> Result<T, E>) -> Result<T, E> {
        if self.rolls_back { self.shelf.transact(|| self.with(work)) } else { self.with(work) }
    }

    /// A request with a form in its body, as Stripe's SDKs write it.
    pub(crate) fn request(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        form: &str,
    ) -> Answer {
        let mut request = http::Request::builder().method(method).uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request: Request = request.body(form.as_bytes().to_vec()).unwrap();
        let answer = self.transact(|catalog| catalog::handle(catalog, &request));
        let response = answer.unwrap_or_else(|refusal| refusal.response());
        let handed_over = |name| catalog::RESPONSE_HEADERS.contains(name);
        assert!(response.headers().keys().all(handed_over), "{:?}", response.headers());
        let body = serde_json::from_slice(response.body()).unwrap_or(Value::Null);
        Answer { status: response.status().as_u16(), body, response }
    }

    pub(crate) fn get(&self, target: &str) -> Answer {
        self.request("GET", target, &[], "")
    }

    pub(crate) fn delete(&self, target: &str) -> Answer {
        self.request("DELETE", target, &[], "")
    }

    pub(crate) fn post(&self, target: &str, form: &str) -> Answer {
        self.request("POST", target, &[], form)
    }

    /// Creates what has to be created for a test, and tells its id.
    #[track_caller]
    pub(crate) fn make(&self, target: &str, form: &str) -> String {
        let answer = self.post(target, form);
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body["id"].as_str().unwrap_or_default().to_owned()
    }

    /// Does all that is due.
    pub(crate) fn work(&self) {
        while self
            .with(|catalog| scheduler::next_due(&catalog))
            .unwrap()
            .is_some_and(|due| due <= self.now)
        {
            self.transact(|catalog| scheduler::run_due(&catalog, 7)).unwrap();
        }
    }

    /// Moves a test clock, and does what falls due on the way.
    #[track_caller]
    pub(crate) fn advance(&self, clock: &str, to: Timestamp) {
        let path = format!("/v1/test_helpers/test_clocks/{clock}/advance");
        let answer = self.post(&path, &format!("frozen_time={to}"));
        assert_eq!(answer.status, 200, "{}", answer.body);
        self.work();
    }

    /// Takes up to so many deliveries that are due.
    pub(crate) fn take(&self, limit: usize) -> Vec<WebhookRequest> {
        self.transact(|catalog| lease_due(&catalog, limit, &|_| limit)).unwrap()
    }

    /// When the next delivery is due.
    pub(crate) fn next_delivery(&self) -> Option<Timestamp> {
        self.with(|catalog| next_due(&catalog, &|_| 1)).unwrap()
    }

    pub(crate) fn report(&self, delivery: &str, outcome: AttemptOutcome) {
        self.transact(|catalog| record_attempt(&catalog, delivery, outcome)).unwrap();
    }

    /// The lookup keys that a customer is entitled to, newest first.
    #[track_caller]
    pub(crate) fn keys(&self, customer: &str) -> Vec<String> {
        let path = format!("/v1/entitlements/active_entitlements?customer={customer}&limit=100");
        let answer = self.get(&path);
        assert_eq!(answer.status, 200, "{}", answer.body);
        let data = answer.body["data"].as_array().unwrap();
        data.iter().map(|item| item["lookup_key"].as_str().unwrap().to_owned()).collect()
    }
}
