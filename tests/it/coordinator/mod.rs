//! The coordinator over ports in memory, in virtual time.

mod budget;
mod duties;
mod features;
mod histories;
mod poll;
mod poll_failures;
mod world;

use std::rc::Rc;

use entgate::{
    coordinator::{
        CoordinatorProcess, CoordinatorRequest, CoordinatorResponse, CoordinatorStatus, PollStatus,
    },
    id::{Timestamp, UnixMillis},
    ledger::LedgerRequest,
};
use serde_json::{Value, json};

use self::world::{World, WorldPorts};
use crate::support;

/// When the tests begin.
const START: i64 = 1_700_000_000;

/// A coordinator and its world.
struct Coordinator {
    world: Rc<World>,
    process: CoordinatorProcess<WorldPorts>,
}

impl Coordinator {
    fn new() -> Self {
        let world = World::new(Timestamp(START).into());
        let process = CoordinatorProcess::new(WorldPorts(Rc::clone(&world)));
        Self { world, process }
    }

    /// A coordinator whose alarm is set.
    fn armed() -> Self {
        let coordinator = Self::new();
        coordinator.request(CoordinatorRequest::Arm);
        coordinator
    }

    fn request(&self, request: CoordinatorRequest) -> CoordinatorResponse {
        self.world.time.run_until(self.process.handle(request)).unwrap().unwrap()
    }

    /// Loses everything that is not stored.
    fn restart(&mut self) {
        self.world.time.abort_all();
        self.process = CoordinatorProcess::new(WorldPorts(Rc::clone(&self.world)));
    }

    /// Runs the alarm now, as the platform does.
    fn run_alarm(&self) {
        self.world.alarm.take();
        self.world.requests.set(0);
        self.world.time.run_until(self.process.run_alarm()).unwrap().unwrap();
    }

    /// Lets this many seconds pass, and runs each alarm at its time.
    fn pass(&self, seconds: u64) {
        let end = self.world.time.now().saturating_add(seconds * 1_000);
        while let Some(at) = self.world.alarm.get().filter(|at| *at <= end) {
            self.world.time.advance_to(at);
            self.run_alarm();
        }
        self.world.time.advance_to(end);
    }

    fn now(&self) -> i64 {
        self.world.time.now().to_timestamp().0
    }

    fn status(&self) -> CoordinatorStatus {
        match self.request(CoordinatorRequest::Status) {
            CoordinatorResponse::Status(status) => status,
            response => panic!("{response:?}"),
        }
    }

    fn poll_status(&self) -> PollStatus {
        self.status().poll.unwrap()
    }

    /// Adds an event to Stripe's list.
    fn add_event(&self, event: Value) {
        self.world.stripe.transport().add_event(event);
    }

    /// The ids of the events that the poll has sent to ledgers, in this order.
    fn applied(&self) -> Vec<String> {
        let sent = self.world.sent.borrow();
        let ids = sent.iter().map(|(_, request)| match request {
            LedgerRequest::ApplyPolled(summary) => summary.event.to_string(),
            LedgerRequest::NoteUnreadable(event) => format!("unreadable {}", event.event),
            other => panic!("{other:?}"),
        });
        ids.collect()
    }

    /// The requests for pages of events, without the types.
    fn listings(&self) -> Vec<String> {
        let requests = self.world.stripe.transport().requests();
        let targets = requests.iter().map(|target| {
            target.strip_prefix("/v1/events?").unwrap().replace("&types%5B%5D=entitlements%2Eactive%5Fentitlement%5Fsummary%2Eupdated&types%5B%5D=customer%2Edeleted", "").replace("created%5Bgte%5D", "from")
        });
        targets.collect()
    }
}

/// An event of a customer with this id and time.
fn event(id: &str, customer: &str, created: i64) -> Value {
    let mut event = support::event(customer, created, &["sms"], false);
    event["id"] = json!(id);
    event
}

fn millis(seconds: i64) -> UnixMillis {
    Timestamp(seconds).into()
}
