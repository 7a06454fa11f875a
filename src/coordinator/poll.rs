//! The event poll: lists the events of the account, and applies those that no webhook brought.
//!
//! | event                                              | what happens                                     |
//! |----------------------------------------------------|--------------------------------------------------|
//! | listed before                                      | nothing                                          |
//! | about entitlements                                 | its customer's ledger applies it                 |
//! | about entitlements, and cannot be read             | its customer's ledger notes it, and reads Stripe |
//! | the ledger fails                                   | a [`RetryTask`], until it succeeds               |
//! | of the other mode                                  | logged, not applied                              |
//! | created more than five minutes from now            | not applied until then                           |
//!
//! A pass lists the events since the cursor, newest first, and applies each page from its end. The cursor
//! moves when each event is applied or has a task. A pass that exceeds the requests of one alarm is
//! continued by the next one: it skips the events whose ids are stored. Not here: when a pass begins
//! ([`PollState`](super::state::PollState)).

use std::cell::{Cell, RefCell};

use serde_json::Value;

use super::{
    budget::ReadBudget,
    ports::{CoordinatorPorts, CoordinatorSettings, CoordinatorStorage},
    state::{PollPass, RetryTask},
    status::PollFailure,
};
use crate::{
    id::{CustomerId, CustomerKey, EventId, Timestamp},
    ledger::{ApplyOutcome, LedgerRequest, LogLevel, PortError, ReadPriority, UnreadableEvent},
    source::{self, EventPage, EventQuery},
    webhook::{
        signature::Verified,
        stripe::{self, Incoming},
    },
};

/// The most tasks. While there are as many, no pass continues: the events stay in Stripe's list.
pub(super) const MAX_RETRIES: u32 = 1_000;

/// The back-off after the first failure of a task, in milliseconds. It doubles with each attempt.
const INITIAL_RETRY_BACKOFF: u64 = 10_000;

/// The longest back-off of a task, in milliseconds.
const MAX_RETRY_BACKOFF: u64 = 600_000;

/// How long a task is retried, in milliseconds: as long as Stripe retries a webhook.
const RETRY_WINDOW: u64 = 3 * 24 * 60 * 60 * 1_000;

/// Counts the requests that an alarm may still send.
#[derive(Debug)]
pub(super) struct RequestAllowance(Cell<u32>);

impl RequestAllowance {
    pub(super) fn new(requests: u32) -> Self {
        Self(Cell::new(requests))
    }

    pub(super) fn left(&self) -> u32 {
        self.0.get()
    }

    /// Takes one request. Returns whether there was one.
    pub(super) fn take(&self) -> bool {
        let left = self.0.get();
        self.0.set(left.saturating_sub(1));
        left > 0
    }
}

/// How far an attempt came.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum PollProgress {
    /// The pass is complete.
    Completed,
    /// The next alarm continues the pass at once.
    OutOfRequests,
    /// The pass is continued when the next one is due.
    Waiting,
}

/// One attempt to poll.
pub(super) struct Poll<'a, P> {
    pub(super) ports: &'a P,
    pub(super) budget: &'a RefCell<ReadBudget>,
    pub(super) settings: CoordinatorSettings,
    pub(super) allowance: &'a RequestAllowance,
    /// How many events only the poll has brought.
    pub(super) found: Cell<u32>,
}

impl<P: CoordinatorPorts> Poll<'_, P> {
    /// Runs the tasks that are due, with at most half of the allowance.
    pub(super) async fn run_retries(&self) -> Result<(), PortError> {
        let (storage, now) = (self.ports.storage(), self.ports.now());
        for task in storage.due_retries(self.allowance.left() / 2, now)? {
            if !self.allowance.take() {
                break;
            }
            match self.ports.send_event(&task.customer, &task.request).await {
                Ok(receipt) => {
                    self.count(receipt.outcome, task.event_created)?;
                    storage.delete_retry(&task.event)?;
                }
                Err(error) => self.postpone(task, &error)?,
            }
        }
        Ok(())
    }

    fn postpone(&self, mut task: RetryTask, error: &PortError) -> Result<(), PortError> {
        let (storage, now) = (self.ports.storage(), self.ports.now());
        if now.millis_since(task.created_at) > RETRY_WINDOW {
            let customer = task.customer.to_key();
            self.log_error(&format!(
                "{customer}: failed to apply the event {} for three days: {error}. Every customer is read \
                 again",
                task.event
            ));
            storage.update(|state| state.poll.note_gap(now.to_timestamp()))?;
            return storage.delete_retry(&task.event);
        }
        let doublings = task.attempts.min(16);
        let backoff = INITIAL_RETRY_BACKOFF.saturating_mul(1 << doublings).min(MAX_RETRY_BACKOFF);
        task.attempts = task.attempts.saturating_add(1);
        task.due_at = now.saturating_add(backoff);
        storage.put_retry(&task)
    }

    /// Begins or continues a pass.
    pub(super) async fn run_pass(&self) -> Result<PollProgress, PortError> {
        let (ports, storage) = (self.ports, self.ports.storage());
        let types = stripe::event_types(self.settings.paused);
        loop {
            if storage.retries()?.0 >= MAX_RETRIES {
                self.log_error(&format!(
                    "the event poll waits: {MAX_RETRIES} events could not be applied yet"
                ));
                return Ok(PollProgress::Waiting);
            }
            if !self.allowance.take() {
                return Ok(PollProgress::OutOfRequests);
            }
            self.wait_for_slot().await;
            let now = ports.now().to_timestamp();
            let pass = storage.update(|state| state.poll.current_pass(&types, now))?;
            let query = EventQuery {
                types: &pass.types,
                created_from: pass.from,
                after: pass.after.as_ref(),
                limit: pass.limit,
            };
            match ports.list_events(query).await {
                Ok(page) => {
                    if let Some(progress) = self.apply_page(pass, page).await? {
                        return Ok(progress);
                    }
                }
                Err(error) => {
                    if !self.handle_failure(pass, &error)? {
                        return Ok(PollProgress::Waiting);
                    }
                }
            }
        }
    }

    async fn wait_for_slot(&self) {
        let now = self.ports.now();
        let slot =
            self.budget.borrow_mut().reserve(ReadPriority::Interactive, self.settings.rate, now);
        let wait = slot.millis_since(now);
        if wait > 0 {
            self.ports.sleep(wait).await;
        }
    }

    /// Stores why a page could not be read. Returns whether another request may succeed at once.
    fn handle_failure(&self, mut pass: PollPass, error: &source::Error) -> Result<bool, PortError> {
        let (storage, now) = (self.ports.storage(), self.ports.now());
        match error {
            source::Error::TooLong if pass.limit > 1 => {
                pass.limit /= 2;
                storage.update(|state| state.poll.pass = Some(pass))?;
                return Ok(true);
            }
            // The event of the cursor is no longer listed.
            source::Error::NotFound { param, .. }
                if param == "starting_after" && pass.after.is_some() =>
            {
                pass.after = None;
                storage.update(|state| state.poll.pass = Some(pass))?;
                return Ok(true);
            }
            _ => {}
        }
        if error.is_rate_limited() {
            self.budget.borrow_mut().rate_limited(now);
        }
        self.log_error(&format!("failed to poll for events: {error}"));
        let failure = match error {
            source::Error::KeyRejected { status: 403, permission } => {
                PollFailure::MissingPermission(permission.as_deref().map(str::to_owned))
            }
            source::Error::KeyRejected { .. } => PollFailure::KeyRefused,
            _ => PollFailure::Unavailable(error.to_string()),
        };
        storage.update(|state| {
            state.poll.failure = Some(failure);
            let retry_at = now.saturating_add(error.retry_after_ms());
            state.poll.due_at = state.poll.due_at.max(retry_at);
            if *error == source::Error::TooLong {
                // One event alone is too long. Reading every customer replaces it.
                state.poll.note_gap(now.to_timestamp());
                state.poll.complete_pass(now);
            }
        })?;
        Ok(false)
    }

    /// Applies a page, oldest event first. Returns how far the attempt came, if it ends.
    async fn apply_page(
        &self,
        mut pass: PollPass,
        page: EventPage,
    ) -> Result<Option<PollProgress>, PortError> {
        let storage = self.ports.storage();
        let last = page.events.last().and_then(event_id);
        for event in page.events.iter().rev() {
            let Some(id) = event_id(event) else {
                self.log_error("skipped an event without a valid `id` in Stripe's list of events");
                continue;
            };
            let created = event_created(event);
            let now = self.ports.now().to_timestamp();
            let is_early = created.seconds_since(now) > MAX_EVENT_AHEAD;
            if !is_early {
                pass.newest = pass.newest.max(Some(created));
            }
            if is_early || storage.has_event(&id)? {
                continue;
            }
            if self.allowance.left() == 0 {
                return Ok(Some(PollProgress::OutOfRequests));
            }
            if storage.retries()?.0 >= MAX_RETRIES {
                return Ok(Some(PollProgress::Waiting));
            }
            self.apply_event(event, &id, created).await?;
        }
        let is_repeated = last.is_none() || last == pass.after;
        let now = self.ports.now();
        if page.has_more && is_repeated {
            let error = source::Error::Malformed("a list of events that repeats a page".to_owned());
            self.handle_failure(pass, &error)?;
            return Ok(Some(PollProgress::Waiting));
        }
        pass.after = last;
        let purge_before = storage.update(|state| {
            state.poll.pass = Some(pass);
            if page.has_more { None } else { state.poll.complete_pass(now) }
        })?;
        if let Some(before) = purge_before {
            storage.purge_events(before)?;
        }
        Ok((!page.has_more).then_some(PollProgress::Completed))
    }

    async fn apply_event(
        &self,
        event: &Value,
        id: &EventId,
        created: Timestamp,
    ) -> Result<(), PortError> {
        let storage = self.ports.storage();
        let CoordinatorSettings { livemode, paused, .. } = self.settings;
        let body = event.to_string();
        let listed = Verified::listed(body.as_bytes(), livemode, self.ports.now().to_timestamp());
        let (customer, request) = match stripe::parse(listed, paused) {
            Ok(Incoming::Summary(summary)) => {
                (summary.customer.clone(), LedgerRequest::ApplyPolled(summary))
            }
            Ok(Incoming::Thin { .. } | Incoming::Ignored { .. }) => {
                return storage.record_event(id, created);
            }
            Err(error @ stripe::Error::WrongMode { .. }) => {
                self.log_error(&format!("did not apply the event {id} of Stripe's list: {error}"));
                return storage.record_event(id, created);
            }
            Err(error) => {
                let Some(customer) = customer_of(event) else {
                    self.log_error(&format!(
                        "failed to read the event {id}, which names no customer: {error}"
                    ));
                    return storage.record_event(id, created);
                };
                let customer = CustomerKey { livemode, id: customer };
                let key = customer.to_key();
                self.log_error(&format!(
                    "{key}: failed to read the event {id}: {error}. The customer is read from Stripe"
                ));
                let event =
                    UnreadableEvent { customer: customer.clone(), event: id.clone(), created };
                (customer, LedgerRequest::NoteUnreadable(event))
            }
        };
        self.allowance.take();
        let sent = self.ports.send_event(&customer, &request).await;
        storage.record_event(id, created)?;
        match sent {
            Ok(receipt) => self.count(receipt.outcome, created),
            Err(error) => {
                let key = customer.to_key();
                self.log_error(&format!(
                    "{key}: failed to apply the event {id}, retrying: {error}"
                ));
                let now = self.ports.now();
                let task = RetryTask {
                    event: id.clone(),
                    event_created: created,
                    customer,
                    request,
                    created_at: now,
                    attempts: 0,
                    due_at: now,
                };
                self.postpone(task, &error)
            }
        }
    }

    /// Counts an event that the ledger did not know, if a webhook would have brought it.
    fn count(&self, outcome: ApplyOutcome, created: Timestamp) -> Result<(), PortError> {
        if outcome == ApplyOutcome::Duplicate {
            return Ok(());
        }
        let now = self.ports.now();
        let is_found = self.ports.storage().update(|state| state.poll.count_found(created, now))?;
        self.found.set(self.found.get().saturating_add(u32::from(is_found)));
        Ok(())
    }

    fn log_error(&self, line: &str) {
        self.ports.log(LogLevel::Error, line);
    }
}

/// How far in the future an event may be created, in seconds: the tolerance of a webhook's timestamp.
const MAX_EVENT_AHEAD: i64 = 300;

fn event_id(event: &Value) -> Option<EventId> {
    EventId::try_from(event.get("id")?.as_str()?).ok()
}

/// When an event was created. One without a time is as old as possible: it delays no other one.
fn event_created(event: &Value) -> Timestamp {
    Timestamp(event.get("created").and_then(Value::as_i64).unwrap_or(0))
}

/// The customer of an event that cannot be parsed.
fn customer_of(event: &Value) -> Option<CustomerId> {
    let object = event.get("data")?.get("object")?;
    let id = match object.get("object").and_then(Value::as_str) {
        Some("customer") => object.get("id"),
        _ => object.get("customer"),
    };
    CustomerId::try_from(id?.as_str()?).ok()
}
