//! When a ledger reads its set again without any other reason: drift heals.
//!
//! | the set                                            | is read again                               |
//! |----------------------------------------------------|---------------------------------------------|
//! | changed, or had an event, within the last day      | within a day                                |
//! | did not change for longer                          | after as long again, at most 30 days        |
//! | is empty, without overrides, and did not change for 90 days | not                                |
//!
//! Each ledger draws its own time in the second half of the interval. While more sets are due than the source
//! may be asked for, a timer waits for its slot. After an outage the timers of many ledgers are late together:
//! a late timer is first set to a random time of the next hour.

use serde::Serialize;

use super::outbox::Jitter;
use crate::{entitlement::Entitlements, id::UnixMillis, json::json_type};

/// A day, in milliseconds: the shortest interval.
const MIN_INTERVAL: u64 = 24 * 60 * 60 * 1_000;

/// The longest interval, in milliseconds.
const MAX_INTERVAL: u64 = 30 * MIN_INTERVAL;

/// How long an empty set without events is read again, in milliseconds.
const EMPTY_RETENTION: u64 = 90 * MIN_INTERVAL;

/// How late a timer or a read may be without being spread, in milliseconds.
pub(super) const MAX_LATENESS: u64 = 60_000;

/// The time over which late ones are spread, in milliseconds.
pub(super) const LATE_SPREAD: u64 = 60 * 60 * 1_000;

json_type! {
    /// The timer of the next read without any other reason.
    #[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
    pub struct ReconcileTimer {
        /// When the set is read again, if it is.
        pub due_at: Option<UnixMillis>,
        /// When the set changed last, or had its last event.
        pub unchanged_since: UnixMillis,
        /// Whether the set changed, or had an event, since it was last read.
        pub has_news: bool,
        /// Whether the timer waits for the slot of a read, which it has reserved.
        pub has_slot: bool,
    }
}

impl ReconcileTimer {
    /// Notes an event, or a change of the set.
    pub(super) fn note_change(&mut self, now: UnixMillis) {
        self.unchanged_since = now;
        self.has_news = true;
    }

    /// Notes that the set was read.
    pub(super) fn note_read(&mut self) {
        self.has_news = false;
    }

    /// Sets the timer to the slot that was reserved for a read of the set.
    pub(super) fn wait_for_slot(&mut self, slot: UnixMillis) {
        self.due_at = Some(slot);
        self.has_slot = true;
    }

    /// Sets the timer after a read of the set.
    pub(super) fn restart(
        &mut self,
        record: Option<&Entitlements>,
        now: UnixMillis,
        jitter: Jitter,
    ) {
        self.has_slot = false;
        let unchanged = now.millis_since(self.unchanged_since);
        let is_blank = record.is_none_or(Entitlements::is_blank);
        self.due_at = if is_blank && unchanged >= EMPTY_RETENTION {
            None
        } else {
            let interval = unchanged.clamp(MIN_INTERVAL, MAX_INTERVAL);
            Some(now.saturating_add(jitter.apply(interval)))
        };
    }

    /// Returns whether the timer fires. A timer that is too late is spread first. A timer that fires is
    /// set again, in case the read fails.
    pub(super) fn fires(
        &mut self,
        record: Option<&Entitlements>,
        now: UnixMillis,
        jitter: Jitter,
    ) -> bool {
        let Some(due_at) = self.due_at.filter(|due_at| *due_at <= now) else { return false };
        if now.millis_since(due_at) > MAX_LATENESS {
            self.due_at = Some(now.saturating_add(jitter.spread(LATE_SPREAD)));
            self.has_slot = false;
            return false;
        }
        self.restart(record, now, jitter);
        true
    }
}
