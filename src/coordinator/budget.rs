//! The budget of reads: when a read of Stripe may start.
//!
//! | reads                                         | share of the rate                                      |
//! |-----------------------------------------------|--------------------------------------------------------|
//! | that a caller waits for, and the event poll   | half                                                   |
//! | in the background, after an event             | the other half; a quarter while routine reads wait too |
//! | in the background, routine                    | a quarter                                              |
//!
//! So a long queue of one kind delays no read of another one. A queue of background reads may be days long:
//! each ledger asks once, and stores its slot. So the ends of these queues are stored too. A caller does not
//! wait for long, so a slot that is too late for it is not granted.
//!
//! Not here: how long a ledger waits for a slot ([`crate::ledger`]).

use serde::Serialize;

use crate::{id::UnixMillis, json::json_type, ledger::ReadPriority};

/// How long the rate is halved after Stripe has limited it, in milliseconds.
const RATE_LIMIT_PERIOD: u64 = 60_000;

/// How far the end of a queue may be from the stored one, in milliseconds. A restart skips as much of a
/// queue.
const MAX_UNSAVED: u64 = 60_000;

json_type! {
    /// The slots that were granted.
    #[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
    pub struct ReadBudget {
        next_interactive: UnixMillis,
        next_background: UnixMillis,
        next_routine: UnixMillis,
        /// Until when reads after events use the half of the rate alone.
        background_alone_until: UnixMillis,
        /// Until when the rate is halved.
        limited_until: UnixMillis,
    }
}

impl ReadBudget {
    /// Grants the next slot of one kind of reads, and returns its time. `rate` is the number of reads a
    /// second of all kinds. A slot that is too late for a caller is returned, but not granted.
    pub fn reserve(&mut self, priority: ReadPriority, rate: u32, now: UnixMillis) -> UnixMillis {
        let interval = 2_000_u64.div_ceil(u64::from(rate.max(1)));
        let interval = if now < self.limited_until { interval.saturating_mul(2) } else { interval };
        let shared_interval = interval.saturating_mul(2);
        let slot = self.next_slot(priority, now);
        match priority {
            ReadPriority::Interactive
                if slot.millis_since(now) > ReadPriority::MAX_CALLER_DELAY => {}
            ReadPriority::Interactive => self.next_interactive = slot.saturating_add(interval),
            ReadPriority::Background if self.next_routine <= slot => {
                self.next_background = slot.saturating_add(interval);
                self.background_alone_until = self.next_background;
            }
            ReadPriority::Background => self.next_background = slot.saturating_add(shared_interval),
            ReadPriority::Routine => self.next_routine = slot.saturating_add(shared_interval),
        }
        slot
    }

    /// Returns the time of the next slot of one kind of reads.
    #[must_use]
    pub fn next_slot(&self, priority: ReadPriority, now: UnixMillis) -> UnixMillis {
        let next = match priority {
            ReadPriority::Interactive => self.next_interactive,
            ReadPriority::Background => self.next_background,
            ReadPriority::Routine => self.next_routine.max(self.background_alone_until),
        };
        next.max(now)
    }

    /// Notes that Stripe has rejected a request with a 429.
    pub fn rate_limited(&mut self, now: UnixMillis) {
        self.limited_until = now.saturating_add(RATE_LIMIT_PERIOD);
    }

    /// Returns the budget after a restart, with what was stored last.
    #[must_use]
    pub fn restore(stored: Self) -> Self {
        let skip = |end: UnixMillis| end.saturating_add(MAX_UNSAVED);
        Self {
            next_background: skip(stored.next_background),
            next_routine: skip(stored.next_routine),
            background_alone_until: skip(stored.background_alone_until),
            ..Self::default()
        }
    }

    /// Whether a queue is so much longer than the stored one that it must be stored. A queue that ends within
    /// a minute is not worth it.
    #[must_use]
    pub fn must_save(&self, stored: &Self, now: UnixMillis) -> bool {
        let is_longer =
            |end: UnixMillis, stored: UnixMillis| end.millis_since(stored.max(now)) > MAX_UNSAVED;
        is_longer(self.next_background, stored.next_background)
            || is_longer(self.next_routine, stored.next_routine)
    }
}
