//! What a coordinator stores, and the decisions about it: passes, gaps and counts.
//!
//! Nothing here waits or sends.

use serde::Serialize;

use super::{
    budget::ReadBudget,
    status::{Backlog, PollFailure, PollGap, PollStatus},
};
use crate::{
    id::{CustomerKey, EventId, Timestamp, UnixMillis},
    json::json_type,
    ledger::LedgerRequest,
    source::MAX_EVENT_PAGE,
};

/// How far before the cursor a pass begins, in seconds. Stripe may list an event later than one that was
/// created after it.
const OVERLAP: i64 = 600;

/// How long Stripe lists events, in seconds: <https://docs.stripe.com/api/events>.
const EVENT_LIST_RETENTION: i64 = 30 * DAY;

/// How often the last day is listed again, in seconds, and how much of it.
const DAY: i64 = 24 * 60 * 60;

/// How long the ids of listed events are kept, in seconds: those of the last day, and an hour for a pass
/// that takes long.
const ID_RETENTION: i64 = DAY + 60 * 60;

/// How long without a completed pass the poll counts as behind, in milliseconds.
const BEHIND_AFTER: u64 = 60 * 60 * 1_000;

/// The least time between two passes that thin events start, in milliseconds.
const MIN_POLL_PAUSE: u64 = 5_000;

/// How old an event must be so that a webhook would have brought it, in seconds.
const WEBHOOK_DELAY: i64 = 60;

const HOUR_MILLIS: u64 = 60 * 60 * 1_000;

/// The hours of the count of found events.
const FOUND_HOURS: u64 = 24;

json_type! {
    /// The state of one coordinator.
    #[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
    pub struct CoordinatorState {
        /// The settings for which the alarm is set.
        pub armed_for: String,
        /// When the duties are due.
        pub duties_due_at: UnixMillis,
        /// When the duties last began.
        pub duties_began_at: UnixMillis,
        /// When a shard of the customer index last reported a problem.
        pub problem_reported_at: UnixMillis,
        /// Whether the last duties looked for ledgers that must be read.
        pub has_swept: bool,
        /// The failed tasks of all customers, as the customer index last added them up.
        pub backlog: Option<Backlog>,
        /// The event poll.
        pub poll: PollState,
        /// The budget of reads, as it was last stored.
        pub budget: ReadBudget,
    }

    /// The state of the event poll.
    #[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
    pub struct PollState {
        /// `created` of the newest event of a completed pass.
        pub cursor: Option<Timestamp>,
        /// The types for which the cursor is valid.
        pub types: Vec<String>,
        /// The pass in progress.
        pub pass: Option<PollPass>,
        /// When the next pass is due.
        pub due_at: UnixMillis,
        /// When the poll was turned on.
        pub enabled_at: Option<UnixMillis>,
        /// When a pass or a part of it last began.
        pub attempted_at: UnixMillis,
        /// When a pass was last completed.
        pub completed_at: Option<UnixMillis>,
        /// When a pass over the last day last began.
        pub listed_day_at: Option<Timestamp>,
        /// Events that may be missing.
        pub gap: Option<PollGap>,
        /// Why the last attempt failed.
        pub failure: Option<PollFailure>,
        /// The events that only the poll has brought, by hour, oldest first.
        pub found: Vec<FoundEvents>,
    }

    /// A pass over the list of events, newest first.
    #[derive(Clone, Debug, Eq, PartialEq, Serialize)]
    pub struct PollPass {
        /// The types of the events.
        pub types: Vec<String>,
        /// `created` of the oldest event that is listed.
        pub from: Timestamp,
        /// The last event of the last page that was applied.
        pub after: Option<EventId>,
        /// `created` of the newest event so far.
        pub newest: Option<Timestamp>,
        /// The size of the next page.
        pub limit: u32,
        /// When the pass began.
        pub began_at: Timestamp,
    }

    /// An event that a ledger could not store yet.
    #[derive(Clone, Debug, Eq, PartialEq, Serialize)]
    pub struct RetryTask {
        /// The event.
        pub event: EventId,
        /// When the event was created.
        pub event_created: Timestamp,
        /// The customer.
        pub customer: CustomerKey,
        /// The request to the customer's ledger.
        pub request: LedgerRequest,
        /// When the first attempt failed.
        pub created_at: UnixMillis,
        /// The number of failed attempts.
        pub attempts: u32,
        /// When the next attempt is due.
        pub due_at: UnixMillis,
    }

    /// How many events of one hour only the poll has brought.
    #[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
    pub struct FoundEvents {
        /// The number of the hour since 1970.
        pub hour: u64,
        /// The number of events.
        pub count: u32,
    }
}

/// How often the duties are due while they find something, in milliseconds.
const DUTY_INTERVAL: u64 = 60_000;

/// How often the duties are due while they find nothing, in milliseconds. A shard with a problem asks for
/// them at once: this is for a request that was lost, and for ledgers that become unread.
const QUIET_DUTY_INTERVAL: u64 = 10 * 60_000;

impl CoordinatorState {
    /// Notes that the duties begin. `must_sweep` is whether ledgers may miss events.
    pub(super) fn begin_duties(&mut self, must_sweep: bool, now: UnixMillis) {
        self.duties_began_at = now;
        self.duties_due_at = now.saturating_add(DUTY_INTERVAL);
        self.has_swept = must_sweep;
    }

    /// Notes that the duties found nothing to do. A problem that was reported since they began is found by the
    /// next ones.
    pub(super) fn note_quiet(&mut self) {
        if self.problem_reported_at < self.duties_began_at {
            self.duties_due_at = self.duties_began_at.saturating_add(QUIET_DUTY_INTERVAL);
        }
    }

    /// Notes that a shard has a problem: the duties are due, but not within a minute of the last ones.
    pub(super) fn note_problem(&mut self, now: UnixMillis) {
        self.problem_reported_at = now;
        self.hasten_duties();
    }

    /// Makes the duties due if ledgers may miss events since the last ones.
    pub(super) fn hasten_sweep(&mut self) {
        if !self.has_swept {
            self.hasten_duties();
        }
    }

    fn hasten_duties(&mut self) {
        let earliest = self.duties_began_at.saturating_add(DUTY_INTERVAL);
        self.duties_due_at = self.duties_due_at.min(earliest);
    }
}

impl PollState {
    /// Returns the pass in progress, or begins one.
    pub(super) fn current_pass(&mut self, types: &[&'static str], now: Timestamp) -> PollPass {
        let types: Vec<String> = types.iter().map(|kind| (*kind).to_owned()).collect();
        let is_current = |pass: &PollPass| {
            pass.types == types && now.seconds_since(pass.began_at) < EVENT_LIST_RETENTION
        };
        let pass = match self.pass.take() {
            Some(pass) if is_current(&pass) => pass,
            // The settings have changed, or the list no longer has the rest of the pass.
            Some(_) | None => self.new_pass(types, now),
        };
        self.pass = Some(pass.clone());
        pass
    }

    fn new_pass(&mut self, types: Vec<String>, now: Timestamp) -> PollPass {
        let Some(cursor) = self.cursor else {
            self.listed_day_at = Some(now);
            return PollPass::new(types, now.saturating_sub(OVERLAP), now);
        };
        // An account without events has an old cursor: what counts is when it was last valid.
        let checked_at = self.completed_at.map_or(cursor, UnixMillis::to_timestamp).max(cursor);
        let is_lost = now.seconds_since(checked_at) > EVENT_LIST_RETENTION;
        if is_lost || types.iter().any(|kind| !self.types.contains(kind)) {
            self.note_gap(now);
        }
        let mut from = cursor.saturating_sub(OVERLAP);
        if self.listed_day_at.is_none_or(|at| now.seconds_since(at) >= DAY) {
            from = from.min(now.saturating_sub(DAY));
        }
        PollPass::new(types, from, now)
    }

    /// Notes that events before now may be missing.
    pub(super) fn note_gap(&mut self, now: Timestamp) {
        self.gap = Some(PollGap { found_at: now, unread: None });
    }

    /// Completes the pass. Returns the time before which no id of an event is needed any more.
    pub(super) fn complete_pass(&mut self, now: UnixMillis) -> Option<Timestamp> {
        let PollPass { types, from, newest, began_at, .. } = self.pass.take()?;
        // Without any event, the next pass begins where this one began, less the overlap.
        let cursor = self.cursor.max(newest).unwrap_or(began_at);
        self.cursor = Some(cursor);
        self.types = types;
        if began_at.seconds_since(from) >= DAY {
            self.listed_day_at = Some(began_at);
        }
        self.completed_at = Some(now);
        self.failure = None;
        let oldest_listed = cursor.saturating_sub(OVERLAP);
        Some(oldest_listed.min(now.to_timestamp().saturating_sub(ID_RETENTION)))
    }

    /// Notes that an attempt begins.
    pub(super) fn begin_attempt(&mut self, interval: u64, now: UnixMillis) {
        self.attempted_at = now;
        self.due_at = now.saturating_add(interval);
    }

    /// Makes the next pass due at once, but not within [`MIN_POLL_PAUSE`] of the last one.
    pub(super) fn poll_soon(&mut self, now: UnixMillis) {
        let earliest = self.attempted_at.saturating_add(MIN_POLL_PAUSE).max(now);
        self.due_at = self.due_at.min(earliest);
    }

    /// Counts an event that was first seen now. Returns whether a webhook would have brought it.
    pub(super) fn count_found(&mut self, created: Timestamp, now: UnixMillis) -> bool {
        if now.to_timestamp().seconds_since(created) <= WEBHOOK_DELAY {
            return false;
        }
        let hour = now.0 / HOUR_MILLIS;
        self.found.retain(|found| found.hour.saturating_add(FOUND_HOURS) > hour);
        match self.found.last_mut() {
            Some(last) if last.hour == hour => last.count = last.count.saturating_add(1),
            _ => self.found.push(FoundEvents { hour, count: 1 }),
        }
        true
    }

    /// Whether no pass was completed for an hour.
    pub(super) fn is_behind(&self, now: UnixMillis) -> bool {
        let since = self.completed_at.max(self.enabled_at);
        since.is_some_and(|since| now.millis_since(since) > BEHIND_AFTER)
    }

    /// Whether events may be missing, so that ledgers must be read.
    pub(super) fn may_miss_events(&self, now: UnixMillis) -> bool {
        let is_refused = self.failure.as_ref().is_some_and(PollFailure::is_refusal);
        is_refused || self.gap.is_some() || self.is_behind(now)
    }

    /// The status for `/healthz`.
    pub(super) fn status(&self, retries: u32, now: UnixMillis) -> PollStatus {
        let hour = now.0 / HOUR_MILLIS;
        let recent =
            self.found.iter().filter(|found| found.hour.saturating_add(FOUND_HOURS) > hour);
        PollStatus {
            completed_at: self.completed_at,
            is_behind: self.is_behind(now),
            failure: self.failure.clone(),
            gap: self.gap,
            found: recent.fold(0, |sum, found| sum.saturating_add(found.count)),
            retries,
        }
    }
}

impl PollPass {
    fn new(types: Vec<String>, from: Timestamp, began_at: Timestamp) -> Self {
        Self { types, from, after: None, newest: None, limit: MAX_EVENT_PAGE, began_at }
    }
}
