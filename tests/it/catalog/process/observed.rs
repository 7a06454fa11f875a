//! What fails on the platform, and what a test observes of it.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use entgate::{
    catalog::deliveries::{AttemptOutcome, WebhookRequest},
    entitlement::Summary,
    id::UnixMillis,
};
use serde_json::Value;

/// A response time in milliseconds, and an outcome.
pub(super) type Response<T> = (u64, T);

pub(super) type EndpointResponse = dyn FnMut(&WebhookRequest) -> Response<AttemptOutcome>;

pub(super) type LedgerUpdateResponse = dyn FnMut(&Summary) -> Response<LedgerResponse>;

/// What a ledger does with a summary.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum LedgerResponse {
    Applied,
    FailedBefore,
    FailedAfter,
}

/// What fails.
#[derive(Default)]
pub(super) struct Faults {
    /// The numbers of the transactions that fail.
    pub(super) transactions: RefCell<BTreeSet<usize>>,
    /// Every write fails until then.
    pub(super) no_write_until: Cell<UnixMillis>,
    /// The next alarms that cannot be set.
    pub(super) alarms: Cell<usize>,
    /// A newer release wrote the tables.
    pub(super) read_only: Cell<bool>,
}

/// What happened.
#[derive(Default)]
pub(super) struct Observed {
    pub(super) transactions: Cell<usize>,
    pub(super) alarms_fired: RefCell<Vec<UnixMillis>>,
    /// The ids of the events that an endpoint has acknowledged, by its id.
    pub(super) acknowledged: RefCell<BTreeMap<String, BTreeSet<String>>>,
    pub(super) updates: RefCell<Vec<(UnixMillis, Summary)>>,
    /// The deliveries in flight by endpoint, and the most at once: in total and by endpoint.
    pub(super) in_flight: RefCell<BTreeMap<String, usize>>,
    pub(super) max_in_flight: Cell<usize>,
    pub(super) max_per_endpoint: RefCell<BTreeMap<String, usize>>,
    /// The deliveries since the last request or alarm, and the most of them.
    pub(super) sends: Cell<usize>,
    pub(super) max_sends: Cell<usize>,
    pub(super) log: RefCell<Vec<String>>,
    pub(super) responses: RefCell<Vec<Value>>,
}

impl Observed {
    /// Counts a delivery to an endpoint, until the result is dropped.
    pub(super) fn start_sending(self: &Rc<Self>, endpoint: &str) -> InFlight {
        self.count_send();
        let mut in_flight = self.in_flight.borrow_mut();
        *in_flight.entry(endpoint.to_owned()).or_default() += 1;
        self.max_in_flight.update(|max| max.max(in_flight.values().sum()));
        let mut per_endpoint = self.max_per_endpoint.borrow_mut();
        let max = per_endpoint.entry(endpoint.to_owned()).or_default();
        *max = in_flight[endpoint].max(*max);
        InFlight(Rc::clone(self), endpoint.to_owned())
    }

    pub(super) fn count_send(&self) {
        self.sends.update(|sends| sends + 1);
        self.max_sends.update(|max| max.max(self.sends.get()));
    }

    pub(super) fn acknowledge(&self, request: &WebhookRequest) {
        let event: Value = serde_json::from_str(&request.body).unwrap();
        let mut acknowledged = self.acknowledged.borrow_mut();
        let events = acknowledged.entry(request.endpoint.clone()).or_default();
        events.insert(event["id"].as_str().unwrap().to_owned());
    }
}

/// A delivery in flight, until it is dropped.
pub(super) struct InFlight(Rc<Observed>, String);

impl Drop for InFlight {
    fn drop(&mut self) {
        *self.0.in_flight.borrow_mut().get_mut(&self.1).unwrap() -= 1;
    }
}
