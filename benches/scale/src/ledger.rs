//! The steps of one ledger, in the order of its process, and what they use.
//!
//! The steps, the rows and the bytes are entgate's own. Not here: the order of the customers' steps
//! ([`crate::simulation`]).

use entgate::{
    entitlement::Summary,
    id::{EventId, Timestamp, UnixMillis},
    ledger::{
        ApplyOutcome, Dedup, EventOrigin, LedgerState, ReadPriority, ReadReason, ReplicaWrite,
        SourceAccess, SourceState, Task, UnsavedRows,
    },
    policy::SourcePolicy,
    store::{
        ledger_rows::{RECORD_CHUNK, RecordWrite, StepWrites},
        record,
    },
};

use crate::{
    population::Customer,
    random::Random,
    usage::{Counter, Usage},
};

/// How long a write of KV takes, in milliseconds.
const KV_LATENCY: u64 = 100;

/// How long a read of Stripe takes, in milliseconds.
const STRIPE_LATENCY: u64 = 300;

/// Whether a service responds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Service {
    /// It responds.
    Up,
    /// It rejects every request.
    Down,
}

/// What the steps of a ledger need.
pub struct Environment<'a> {
    /// What is used.
    pub usage: &'a mut Usage,
    /// The generator.
    pub random: &'a mut Random,
    /// The source and the policy of now.
    pub policy: SourcePolicy,
    /// How many customers one of the sample stands for.
    pub weight: u64,
    /// Whether KV accepts writes.
    pub kv: Service,
    /// Whether Stripe responds.
    pub stripe: Service,
    /// The least time between two writes of one customer's record, in milliseconds.
    pub least_write_pause: &'a mut u64,
}

impl std::fmt::Debug for Environment<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Environment").finish_non_exhaustive()
    }
}

impl Environment<'_> {
    /// Counts something that this customer and all others like it use.
    pub fn count(&mut self, counter: Counter, count: u64, now: UnixMillis) {
        self.usage.add(counter, count * self.weight, now);
    }

    /// Runs a step, and counts what it stores.
    fn step<T>(
        &mut self,
        state: &mut LedgerState,
        event: Option<(&EventId, Timestamp)>,
        now: UnixMillis,
        step: impl FnOnce(&mut LedgerState, &mut Random) -> T,
    ) -> T {
        if !self.usage.is_counting(now) {
            state.advance(&[], now);
            let result = step(state, self.random);
            state.record.unsaved = UnsavedRows::default();
            return result;
        }
        let before = state.clone();
        state.advance(&[], now);
        let result = step(state, self.random);
        if event.is_some() || *state != before {
            let stored = (before.events_received > 0).then_some(&before);
            let writes = StepWrites::between(stored, state, event).unwrap_or_else(|error| {
                panic!("a state that cannot be encoded: {error}");
            });
            let rows = rows(&writes);
            self.count(Counter::LedgerRows, rows, now);
            // An event is looked up first.
            let statements = rows + u64::from(event.is_some());
            self.count(Counter::LedgerStatements, statements, now);
        }
        result
    }
}

/// The rows that a step writes, each with one statement.
fn rows(writes: &StepWrites) -> u64 {
    let StepWrites { state: _, record, event, history, changed_override } = writes;
    let chunks = match record {
        RecordWrite::Keep | RecordWrite::Row(_) => 0,
        RecordWrite::Chunks(record) => record.len().div_ceil(RECORD_CHUNK),
    };
    let others =
        history.len() + usize::from(event.is_some()) + usize::from(changed_override.is_some());
    1 + (chunks + others) as u64
}

/// Applies an event.
pub fn apply(
    customer: &mut Customer,
    summary: &Summary,
    environment: &mut Environment<'_>,
    now: UnixMillis,
) {
    environment.count(Counter::Webhooks, 1, now);
    let (policy, access) = (environment.policy, SourceAccess::Available);
    let event = Some((&summary.event, now.to_timestamp()));
    let begun = environment.step(&mut customer.state, event, now, |state, _| {
        let applied =
            state.apply_event(summary, (Dedup::New, EventOrigin::Delivery), access, policy, now);
        let applied = applied.unwrap_or_else(|error| panic!("{error}"));
        let begins = applied.receipt.outcome == ApplyOutcome::Applied
            && state.outbox.is_due(Task::Replica, now);
        begins.then(|| state.begin_replica_write(now)).flatten()
    });
    if let Some(begun) = begun {
        write_replica(customer, begun, environment, now);
    }
    send_message(customer, Message::WithActivity, environment, now);
}

/// Writes the replica, if that is due.
pub fn write_if_due(customer: &mut Customer, environment: &mut Environment<'_>, now: UnixMillis) {
    if customer.state.outbox.is_due(Task::Replica, now) {
        let begun = environment
            .step(&mut customer.state, None, now, |state, _| state.begin_replica_write(now));
        if let Some(begun) = begun {
            write_replica(customer, begun, environment, now);
        }
    }
}

fn write_replica(
    customer: &mut Customer,
    begun: ReplicaWrite,
    environment: &mut Environment<'_>,
    now: UnixMillis,
) {
    if environment.usage.is_counting(now) {
        let record = customer.state.record.entitlements.as_ref().map(record::encode);
        let record = record.and_then(Result::ok).unwrap_or_default();
        environment.count(Counter::KvBytes, record.len() as u64, now);
    }
    environment.count(Counter::KvWrites, 1, now);
    if let Some(before) = customer.written_at.replace(now) {
        *environment.least_write_pause =
            now.millis_since(before).min(*environment.least_write_pause);
    }
    let (end, kv) = (now.saturating_add(KV_LATENCY), environment.kv);
    environment.step(&mut customer.state, None, end, |state, random| match kv {
        Service::Up => state.replica_write_succeeded(begun, end),
        Service::Down => state.replica_write_failed(end, random.jitter()),
    });
}

/// Schedules the read of a timer that is due, and spreads late reads.
pub fn run_timers(customer: &mut Customer, environment: &mut Environment<'_>, now: UnixMillis) {
    environment.step(&mut customer.state, None, now, |state, random| {
        state.reconcile_if_due(now, random.jitter());
        if state.outbox.is_read_due(now) {
            state.spread_late_reads(now, random.jitter());
        }
    });
}

/// Postpones a read to its slot.
pub fn defer_read(
    customer: &mut Customer,
    slot: UnixMillis,
    priority: ReadPriority,
    environment: &mut Environment<'_>,
    now: UnixMillis,
) {
    environment.step(&mut customer.state, None, now, |state, _| state.defer_reads(slot, priority));
}

/// Schedules the read of a set of another policy, unless a read is scheduled.
pub fn schedule_reread(
    customer: &mut Customer,
    environment: &mut Environment<'_>,
    now: UnixMillis,
) {
    if !customer.state.will_read() {
        environment.step(&mut customer.state, None, now, |state, _| state.schedule_reconcile(now));
    }
}

/// Reads the entitlements from Stripe. Each list has one page.
pub fn read_source(
    customer: &mut Customer,
    list: &SourceState,
    environment: &mut Environment<'_>,
    now: UnixMillis,
) {
    environment.count(Counter::StripeReads, 1, now);
    let read = customer.state.begin_source_read(environment.policy);
    let end = now.saturating_add(STRIPE_LATENCY);
    match environment.stripe {
        Service::Up => {
            environment
                .step(&mut customer.state, None, end, |state, random| {
                    state.apply_source_list(read, ReadReason::Reconcile, list, end, random.jitter())
                })
                .unwrap_or_else(|error| panic!("{error}"));
            send_message(customer, Message::WithActivity, environment, end);
        }
        Service::Down => {
            environment.step(&mut customer.state, None, end, |state, random| {
                state.source_failed(None, end, end, random.jitter());
            });
        }
    }
    write_if_due(customer, environment, end);
}

/// What a message to the customer index has besides a report.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Message {
    /// A decision.
    WithActivity,
    /// Nothing.
    ReportOnly,
}

/// Sends a message to the customer index, if there is something to send.
pub fn send_message(
    customer: &mut Customer,
    message: Message,
    environment: &mut Environment<'_>,
    now: UnixMillis,
) {
    let task = customer.state.outbox.pending(Task::Report);
    let has_activity = message == Message::WithActivity;
    let must_report =
        task.is_some_and(|task| task.due_at <= now || has_activity && task.attempts == 0);
    let report = if must_report {
        environment.step(&mut customer.state, None, now, |state, _| state.begin_report())
    } else {
        None
    };
    if report.is_none() && !has_activity {
        return;
    }
    environment.count(Counter::IndexMessages, 1, now);
    // A decision is one row. A report is one, and one of the index by the last read.
    let rows = u64::from(has_activity) + if report.is_some() { 2 } else { 0 };
    environment.count(Counter::IndexRows, rows, now);
    if let Some(report) = report {
        environment.step(&mut customer.state, None, now, |state, _| {
            state.report_succeeded(&report, now);
        });
    }
}
