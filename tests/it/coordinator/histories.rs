//! Model test of the event poll: in any history, each ledger ends in Stripe's state, and no event is lost.
//!
//! Random histories of three customers become events. Half of the webhooks are lost, and the others arrive
//! in any order. Stripe lists events late. Pages, requests to ledgers and responses of ledgers fail. The
//! coordinator crashes between any two steps. Ledgers read nothing from Stripe, so that only webhooks and
//! the poll bring events. `PROPTEST_CASES` sets the number of histories.

use std::{collections::BTreeMap, rc::Rc};

use entgate::{
    coordinator::{CoordinatorProcess, CoordinatorRequest, CoordinatorSettings},
    entitlement::{Summary, SummaryPage},
    id::{EventId, Timestamp},
    ledger::LedgerRequest,
    source::Error,
    store::{Ledger as _, memory::MemoryLedger},
};
use proptest::{
    collection::vec,
    prelude::{Strategy, any},
    prop_oneof,
    test_runner::{Config, TestRunner},
};
use serde_json::{Value, json};

use super::{
    START,
    world::{SETTINGS, World, WorldPorts},
};
use crate::support::{self, customer, grants};

/// The number of histories, unless `PROPTEST_CASES` sets another.
const CASES: u32 = 30_000;

const CUSTOMERS: [&str; 3] = ["cus_a", "cus_b", "cus_c"];
const FEATURES: [&str; 4] = ["sms", "sso", "export", "audit"];

/// The time between two polls, in seconds.
const INTERVAL: u64 = 300;

/// How late Stripe lists an event at most, in seconds: less than the overlap.
const MAX_LISTING_DELAY: u64 = 500;

#[derive(Clone, Copy, Debug)]
enum Step {
    /// A customer gets the features of these bits, and Stripe lists the event after so many seconds.
    Change {
        customer: usize,
        features: u8,
        listed_after: u64,
    },
    Deliver(usize),
    Lose(usize),
    /// Continues the first task that can continue.
    Poll,
    PassTime(u64),
    FailLists(usize),
    FailLedger(usize),
    RepairLedgers,
    LoseResponses(u32),
    PollSoon,
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    let any = any::<usize>;
    let seconds = prop_oneof![8 => 0_u64..10, 8 => 10_u64..120, 1 => 600_u64..4_000];
    let delay = prop_oneof![3 => 0_u64..1, 1 => 0..MAX_LISTING_DELAY];
    prop_oneof![
        8 => (any(), 0_u8..16, delay).prop_map(|(customer, features, listed_after)| {
            Step::Change { customer, features, listed_after }
        }),
        3 => any().prop_map(Step::Deliver),
        3 => any().prop_map(Step::Lose),
        12 => (0..1_u8).prop_map(|_| Step::Poll),
        8 => seconds.prop_map(Step::PassTime),
        1 => (1_usize..5).prop_map(Step::FailLists),
        1 => any().prop_map(Step::FailLedger),
        1 => (0..1_u8).prop_map(|_| Step::RepairLedgers),
        1 => (1_u32..4).prop_map(Step::LoseResponses),
        1 => (0..1_u8).prop_map(|_| Step::PollSoon),
        2 => (0..1_u8).prop_map(|_| Step::Crash),
    ]
}

struct History {
    world: Rc<World>,
    process: Rc<CoordinatorProcess<WorldPorts>>,
    /// The events whose webhooks were not sent yet.
    unsent: Vec<Summary>,
    /// Events that Stripe does not list yet, and from when it does.
    unlisted: Vec<(Timestamp, Value)>,
    /// The features that each customer has at Stripe.
    features: BTreeMap<&'static str, u8>,
    events: Vec<EventId>,
    last_created: i64,
}

impl History {
    fn new() -> Self {
        let ledger = Some(MemoryLedger::default());
        let world = Rc::new(World::with_ledger(ledger, Timestamp(START).into()));
        let poll_interval = Some(INTERVAL * 1_000);
        world.settings.set(CoordinatorSettings { poll_interval, ..SETTINGS });
        let process = Rc::new(CoordinatorProcess::new(WorldPorts(Rc::clone(&world))));
        let mut history = Self {
            world,
            process,
            unsent: Vec::new(),
            unlisted: Vec::new(),
            features: BTreeMap::new(),
            events: Vec::new(),
            last_created: 0,
        };
        history.request(CoordinatorRequest::Arm);
        history.settle();
        history
    }

    fn now(&self) -> Timestamp {
        self.world.time.now().to_timestamp()
    }

    fn request(&mut self, request: CoordinatorRequest) {
        let process = Rc::clone(&self.process);
        self.world.time.spawn(async move { drop(process.handle(request).await) });
    }

    fn change(&mut self, which: usize, bits: u8, listed_after: u64) {
        let id = CUSTOMERS[which % CUSTOMERS.len()];
        let keys: Vec<&str> = (0..FEATURES.len())
            .filter(|bit| bits & (1 << bit) != 0)
            .map(|bit| FEATURES[bit])
            .collect();
        // No two events share a second: without a read, a tie could not be settled.
        let created = self.now().0.max(self.last_created + 1);
        self.last_created = created;
        let event_id = format!("evt_{}", self.events.len());
        let mut event = support::event(id, created, &keys, false);
        event["id"] = json!(event_id);
        let event_id = EventId::try_from(event_id).unwrap();
        self.unlisted.push((self.now().saturating_add_unsigned(listed_after), event));
        self.unsent.push(Summary {
            event: event_id.clone(),
            customer: customer(id),
            created: Timestamp(created),
            page: Some(SummaryPage::Complete(grants(&keys))),
        });
        self.events.push(event_id);
        self.features.insert(id, bits);
        self.list_events();
    }

    /// Lists the events whose delay has passed.
    fn list_events(&mut self) {
        let now = self.now();
        for (_, event) in self.unlisted.extract_if(.., |(from, _)| *from <= now) {
            self.world.stripe.transport().add_event(event);
        }
    }

    /// Starts the alarm if it is due, as the platform does: never twice at a time.
    fn start_alarm(&mut self) {
        let is_due = self.world.alarm.get().is_some_and(|at| at <= self.world.time.now());
        if is_due && self.world.time.is_idle() {
            self.world.alarm.take();
            let process = Rc::clone(&self.process);
            self.world.time.spawn(async move { process.run_alarm().await.unwrap() });
        }
    }

    fn pass_time(&mut self, seconds: u64) {
        let end = self.world.time.now().saturating_add(seconds * 1_000);
        loop {
            self.start_alarm();
            if self.world.time.poll_next() {
                continue;
            }
            let alarm = self.world.alarm.get().filter(|_| self.world.time.is_idle());
            let listing = self.unlisted.iter().map(|(from, _)| (*from).into()).min();
            let next = [self.world.time.next_timer(), alarm, listing];
            match next.into_iter().flatten().min().filter(|next| *next <= end) {
                Some(next) => self.world.time.advance_to(next),
                None => break,
            }
            self.list_events();
        }
        self.world.time.advance_to(end);
        self.list_events();
    }

    fn settle(&mut self) {
        self.pass_time(0);
    }

    fn crash(&mut self) {
        let is_working = !self.world.time.is_idle();
        self.world.time.abort_all();
        self.process = Rc::new(CoordinatorProcess::new(WorldPorts(Rc::clone(&self.world))));
        if is_working && self.world.alarm.get().is_none() {
            // The platform runs a lost alarm again.
            self.world.alarm.set(Some(self.world.time.now().saturating_add(2_000)));
        }
    }

    fn run(&mut self, step: Step) {
        match step {
            Step::Change { customer, features, listed_after } => {
                self.change(customer, features, listed_after);
            }
            Step::Deliver(which) if !self.unsent.is_empty() => {
                let summary = self.unsent.swap_remove(which % self.unsent.len());
                if !self.world.failing.borrow().contains(summary.customer.id.as_str()) {
                    self.world.receive(&LedgerRequest::Apply(summary));
                }
            }
            Step::Lose(which) if !self.unsent.is_empty() => {
                self.unsent.swap_remove(which % self.unsent.len());
            }
            Step::Deliver(_) | Step::Lose(_) => {}
            Step::Poll => {
                self.start_alarm();
                if !self.world.time.poll_next()
                    && let Some(next) = self.world.time.next_timer()
                {
                    self.world.time.advance_to(next);
                }
            }
            Step::PassTime(seconds) => self.pass_time(seconds),
            Step::FailLists(count) => {
                let error = || Error::Unavailable { cause: "down".to_owned(), retry_after_ms: 0 };
                self.world.list_faults.borrow_mut().extend((0..count).map(|_| error()));
            }
            Step::FailLedger(which) => {
                let failing = CUSTOMERS[which % CUSTOMERS.len()].to_owned();
                self.world.failing.borrow_mut().insert(failing);
            }
            Step::RepairLedgers => self.world.failing.borrow_mut().clear(),
            Step::LoseResponses(count) => self.world.lost_responses.set(count),
            Step::PollSoon => self.request(CoordinatorRequest::PollSoon),
            Step::Crash => self.crash(),
        }
    }

    /// Ends all failures, loses the remaining webhooks, and waits for the poll.
    fn drain(&mut self) {
        self.world.list_faults.take();
        self.world.failing.take();
        self.world.lost_responses.take();
        self.unsent.clear();
        // The delay of the list, two polls, and the longest back-off of an event.
        self.pass_time(MAX_LISTING_DELAY + 2 * INTERVAL + 1_200);
    }

    fn assert_final_state(&self) {
        let known = self.world.known_events.borrow();
        for event in &self.events {
            assert!(known.contains(event), "{event} is lost");
        }
        assert!(self.world.tables.retries.borrow().is_empty());
        let state = self.world.tables.state.borrow();
        assert_eq!((&state.poll.gap, &state.poll.failure), (&None, &None));
        let ledger = self.world.ledger.as_ref().unwrap();
        for (id, bits) in &self.features {
            let loaded = pollster::block_on(ledger.load(&customer(id), &[])).unwrap();
            let set = loaded.entitlements.unwrap().source.unwrap();
            let has = |key: &str| set.data.iter().any(|grant| grant.lookup_key.as_str() == key);
            for (bit, key) in FEATURES.iter().enumerate() {
                assert_eq!(has(key), bits & (1 << bit) != 0, "{key} of {id}");
            }
        }
    }
}

#[test]
fn every_history_with_lost_webhooks_ends_in_stripes_state() {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    let cases = cases.unwrap_or(CASES);
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(&vec(step(), 1..60), |steps| {
            let mut history = History::new();
            for step in steps {
                history.run(step);
            }
            history.drain();
            history.assert_final_state();
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
}
