//! Runs the ledgers of the sample in virtual time, in the order of their events and alarms.
//!
//! Each customer of the sample stands for many: what it uses counts as often, and a read reserves as many slots.
//! All of that is linear in the number of customers, except for the budget of reads, which stays the same.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
};

use entgate::{
    coordinator::ReadBudget,
    customer_index::{Shard, SlotBlock},
    entitlement::Summary,
    id::UnixMillis,
    ledger::{ReadPriority, Task},
    policy::{GrantRule, SourcePolicy},
};

use crate::{
    ledger::{self, Environment, Message, Service},
    population::{Behavior, Customer, DAY, Plans, SAMPLE},
    random::Random,
    usage::{Counter, Usage},
};

/// When the simulated history begins.
const BEGIN: u64 = 1_700_000_000_000;

/// The days before the measured ones. The queue of routine reads needs them to become as long as it gets.
const HISTORY: u64 = 400;

/// In how many days the first customers subscribe.
const SIGN_UP_DAYS: u64 = 250;

/// When the customers leave who do, at the latest: 95 days before the measured ones.
const LEFT_BEFORE: u64 = 305;

/// The time from a change to its event, in milliseconds.
const WEBHOOK_DELAY: u64 = 5_000;

/// The time over which Stripe sends the events of an outage, in milliseconds.
const RESEND_SPREAD: u64 = 60 * 60 * 1_000;

/// The checks of one customer with entitlements in a day.
pub const CHECKS_A_DAY: u64 = 20;

/// The length of an outage, and the time in which a change of a product reaches its customers, in milliseconds.
pub const SIX_HOURS: u64 = 6 * 60 * 60 * 1_000;

/// What is special about a day.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scenario {
    /// Nothing.
    Normal,
    /// No Durable Object runs for six hours.
    ObjectsDown,
    /// KV rejects writes for six hours.
    KvDown,
    /// Stripe rejects reads for six hours.
    StripeDown,
    /// The entitlements of every tenth customer change within six hours.
    ProductChange,
    /// Every set was read under another status policy.
    PolicyChange,
}

/// A number of customers, and the state of those of the sample.
#[derive(Clone, Debug)]
pub struct Simulation {
    /// How many customers one of the sample stands for.
    pub weight: u64,
    /// The customers of the sample.
    pub customers: Vec<Customer>,
    /// The budget of reads of the coordinator.
    pub budget: ReadBudget,
    /// What is used, since the last reset.
    pub usage: Usage,
    /// The least time between two writes of one customer's record, in milliseconds.
    pub least_write_pause: u64,
    /// The time.
    pub now: UnixMillis,
    blocks: HashMap<Shard, SlotBlock>,
    rate: u32,
    scenario: Scenario,
    /// When the special part of the day ends.
    special_until: UnixMillis,
    policy: SourcePolicy,
    random: Random,
    queue: BinaryHeap<Reverse<(u64, u32, Step)>>,
    arriving: HashMap<u32, Summary>,
}

/// What happens to a customer.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Step {
    /// The plan changes at Stripe.
    Change,
    /// The customer leaves.
    Leave,
    /// The plan changes because a product has changed.
    ProductChange,
    /// The event of the last change arrives.
    Event,
    /// The alarm of the ledger goes off.
    Alarm,
    /// The customer is checked.
    Check,
}

impl Simulation {
    /// Runs the history of this many customers for each of the sample, with this rate of reads.
    #[must_use]
    pub fn with_history(weight: u64, rate: u32) -> Self {
        let mut random = Random::new(2026);
        let now = UnixMillis(BEGIN);
        let mut queue = BinaryHeap::new();
        let customers = (0..SAMPLE).map(|number| {
            let customer = Customer::new(number, &mut random);
            let subscribed = BEGIN + random.below(SIGN_UP_DAYS * DAY);
            queue.push(Reverse((subscribed, number, Step::Change)));
            if customer.behavior == Behavior::Dormant {
                let left = subscribed + 1 + random.below(BEGIN + LEFT_BEFORE * DAY - subscribed);
                queue.push(Reverse((left, number, Step::Leave)));
            }
            customer
        });
        let mut simulation = Self {
            weight,
            customers: customers.collect(),
            budget: ReadBudget::default(),
            usage: Usage::new(UnixMillis(u64::MAX)),
            least_write_pause: u64::MAX,
            now,
            blocks: HashMap::new(),
            rate,
            scenario: Scenario::Normal,
            special_until: now,
            policy: SourcePolicy::default(),
            random,
            queue,
            arriving: HashMap::new(),
        };
        simulation.advance(HISTORY);
        simulation
    }

    /// Runs this many days, and counts what they use.
    pub fn run(&mut self, days: u64, scenario: Scenario) {
        self.usage = Usage::new(self.now);
        self.least_write_pause = u64::MAX;
        self.scenario = scenario;
        self.special_until = self.now.saturating_add(SIX_HOURS);
        self.begin_scenario();
        self.advance(days);
    }

    /// Runs this many days.
    fn advance(&mut self, days: u64) {
        let plans = Plans::default();
        let end = self.now.saturating_add(days * DAY);
        while let Some(Reverse((at, number, step))) = self.queue.peek().copied() {
            if at >= end.0 {
                break;
            }
            self.queue.pop();
            self.now = UnixMillis(at);
            self.take_step(number, step, &plans);
        }
        self.now = end;
    }

    fn begin_scenario(&mut self) {
        match self.scenario {
            Scenario::ProductChange => {
                for number in (0..SAMPLE).filter(|number| number % 10 == 7) {
                    let at = self.now.0 + self.random.below(SIX_HOURS);
                    self.queue.push(Reverse((at, number, Step::ProductChange)));
                }
            }
            Scenario::PolicyChange => {
                self.policy = SourcePolicy::Stripe(GrantRule::Revoke);
                for number in 0..SAMPLE {
                    self.push_check(number);
                }
            }
            Scenario::Normal | Scenario::ObjectsDown | Scenario::KvDown | Scenario::StripeDown => {}
        }
    }

    fn push_check(&mut self, number: u32) {
        if self.customers[number as usize].behavior != Behavior::Dormant {
            let at = self.now.0 + self.random.exponential(DAY / CHECKS_A_DAY);
            self.queue.push(Reverse((at, number, Step::Check)));
        }
    }

    fn is_down(&self, scenario: Scenario) -> Service {
        let is_down = self.scenario == scenario && self.now < self.special_until;
        if is_down { Service::Down } else { Service::Up }
    }

    fn take_step(&mut self, number: u32, step: Step, plans: &Plans) {
        let now = self.now;
        match step {
            Step::Change | Step::Leave | Step::ProductChange => {
                let customer = &mut self.customers[number as usize];
                match step {
                    Step::Leave => customer.plan = 0,
                    _ => customer.change_plan(&mut self.random),
                }
                let summary = customer.event(now.to_timestamp(), plans);
                if step == Step::Change
                    && let Some(mean) = customer.behavior.change_interval()
                {
                    let next = now.0 + self.random.exponential(mean);
                    self.queue.push(Reverse((next, number, Step::Change)));
                }
                let mut arrival = now.0 + 1 + self.random.below(WEBHOOK_DELAY);
                if self.is_down(Scenario::ObjectsDown) == Service::Down {
                    arrival = self.special_until.0 + self.random.below(RESEND_SPREAD);
                }
                // Of two events at once, the later one has the plan of both.
                self.arriving.insert(number, summary);
                self.queue.push(Reverse((arrival, number, Step::Event)));
            }
            Step::Event => {
                let Some(summary) = self.arriving.remove(&number) else { return };
                self.with(number, |customer, environment| {
                    ledger::apply(customer, &summary, environment, now);
                });
                self.set_alarm(number);
            }
            Step::Alarm => {
                if self.customers[number as usize].alarm != Some(now) {
                    return;
                }
                self.customers[number as usize].alarm = None;
                if self.is_down(Scenario::ObjectsDown) == Service::Down {
                    // The platform runs the alarms that it has missed, all of them within a minute.
                    let late = self.special_until.saturating_add(self.random.below(60_000));
                    self.customers[number as usize].alarm = Some(late);
                    self.queue.push(Reverse((late.0, number, Step::Alarm)));
                    return;
                }
                self.run_alarm(number, plans);
                self.set_alarm(number);
            }
            Step::Check => self.check(number),
        }
    }

    fn run_alarm(&mut self, number: u32, plans: &Plans) {
        let now = self.now;
        let is_read_due = self.with(number, |customer, environment| {
            environment.count(Counter::LedgerAlarms, 1, now);
            ledger::run_timers(customer, environment, now);
            customer.state.outbox.is_read_due(now)
        });
        if is_read_due && self.reserve(number) {
            self.with(number, |customer, environment| {
                ledger::read_source(customer, plans.at_stripe(customer.plan), environment, now);
            });
        }
        self.with(number, |customer, environment| {
            ledger::write_if_due(customer, environment, now);
            ledger::send_message(customer, Message::ReportOnly, environment, now);
        });
    }

    /// Reserves the slot of a background read. Returns whether it may start now.
    fn reserve(&mut self, number: u32) -> bool {
        let now = self.now;
        let customer = &self.customers[number as usize];
        if customer.state.has_current_slot(now) {
            return true;
        }
        let priority = customer.state.read_priority();
        let shard = Shard::of(customer.key.id.as_str());
        let mut slots = Vec::new();
        for _ in 0..self.weight {
            slots.push(match priority {
                ReadPriority::Routine => {
                    self.usage.add(Counter::IndexReservations, 1, now);
                    self.reserve_routine(shard)
                }
                ReadPriority::Background | ReadPriority::Interactive => {
                    self.usage.add(Counter::CoordinatorRequests, 1, now);
                    self.budget.reserve(priority, self.rate, now)
                }
            });
        }
        // The sample stands for customers that ask at other times, so it has any slot of theirs.
        let slot = slots[usize::try_from(self.random.below(self.weight)).unwrap_or(0)];
        if slot <= now {
            return true;
        }
        self.with(number, |customer, environment| {
            ledger::defer_read(customer, slot, priority, environment, now);
        });
        false
    }

    fn reserve_routine(&mut self, shard: Shard) -> UnixMillis {
        let now = self.now;
        let block = self.blocks.entry(shard).or_default();
        if let Some(slot) = block.take(now) {
            return slot;
        }
        self.usage.add(Counter::CoordinatorRequests, 1, now);
        let reserved = (0..block.next_size())
            .map(|_| self.budget.reserve(ReadPriority::Routine, self.rate, now))
            .collect();
        block.add(reserved, now).unwrap_or(now)
    }

    /// A check that the replica cannot answer, because its record is of another policy.
    fn check(&mut self, number: u32) {
        let (now, policy) = (self.now, self.policy);
        let set = self.customers[number as usize].state.record.source();
        if set.is_some_and(|set| set.policy != policy) {
            self.with(number, |customer, environment| {
                environment.count(Counter::LedgerChecks, 1, now);
                ledger::schedule_reread(customer, environment, now);
            });
            self.set_alarm(number);
            self.push_check(number);
        }
    }

    fn set_alarm(&mut self, number: u32) {
        let customer = &mut self.customers[number as usize];
        let tasks = customer.state.outbox.next_due();
        let due = [tasks, customer.state.reconcile_timer.due_at].into_iter().flatten().min();
        let due = due.map(|due| due.max(self.now.saturating_add(1)));
        if due != customer.alarm {
            customer.alarm = due;
            self.usage.add(Counter::LedgerRows, self.weight, self.now);
            if let Some(due) = due {
                self.queue.push(Reverse((due.0, number, Step::Alarm)));
            }
        }
    }

    fn with<T>(
        &mut self,
        number: u32,
        run: impl FnOnce(&mut Customer, &mut Environment<'_>) -> T,
    ) -> T {
        let (kv, stripe) = (self.is_down(Scenario::KvDown), self.is_down(Scenario::StripeDown));
        let mut environment = Environment {
            usage: &mut self.usage,
            random: &mut self.random,
            policy: self.policy,
            weight: self.weight,
            kv,
            stripe,
            least_write_pause: &mut self.least_write_pause,
        };
        run(&mut self.customers[number as usize], &mut environment)
    }

    /// The ages of the last reads of customers with entitlements, in milliseconds, in order.
    #[must_use]
    pub fn read_ages(&self) -> Vec<u64> {
        let behaves = |customer: &&Customer| customer.behavior != Behavior::Dormant;
        let read_at = |customer: &Customer| customer.state.confirmed_at;
        let mut ages: Vec<u64> = self
            .customers
            .iter()
            .filter(behaves)
            .map(|customer| self.now.millis_since(read_at(customer).unwrap_or_default()))
            .collect();
        ages.sort_unstable();
        ages
    }

    /// How long the queue of this kind of reads is, in milliseconds.
    #[must_use]
    pub fn queue_length(&self, priority: ReadPriority) -> u64 {
        self.budget.next_slot(priority, self.now).millis_since(self.now)
    }

    /// How many customers of the real number have a read after an event pending.
    #[must_use]
    pub fn pending_reads(&self) -> u64 {
        let is_pending = |customer: &&Customer| {
            let outbox = &customer.state.outbox;
            outbox.pending(Task::Read).or(outbox.pending(Task::Confirm)).is_some()
        };
        self.customers.iter().filter(is_pending).count() as u64 * self.weight
    }
}
