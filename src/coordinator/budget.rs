//! The budget of reads: when a read of Stripe may start.
//!
//! Half of the rate is for reads in the background, and half is for reads that a caller waits for, which
//! include the event poll. So a long queue of one half delays no read of the other. The budget is not
//! stored: a restart forgets the slots that it has granted.
//!
//! Not here: how long a ledger waits for a slot ([`crate::ledger`]).

use crate::{id::UnixMillis, ledger::ReadPriority};

/// How long the rate is halved after Stripe has limited it, in milliseconds.
const RATE_LIMIT_PERIOD: u64 = 60_000;

/// The slots that were granted.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReadBudget {
    next_background: UnixMillis,
    next_interactive: UnixMillis,
    /// Until when the rate is halved.
    limited_until: UnixMillis,
}

impl ReadBudget {
    /// Grants the next slot of one half of the rate, and returns its time. `rate` is the number of reads a
    /// second of both halves.
    pub fn reserve(&mut self, priority: ReadPriority, rate: u32, now: UnixMillis) -> UnixMillis {
        let interval = 2_000_u64.div_ceil(u64::from(rate.max(1)));
        let interval = if now < self.limited_until { interval.saturating_mul(2) } else { interval };
        let next = match priority {
            ReadPriority::Background => &mut self.next_background,
            ReadPriority::Interactive => &mut self.next_interactive,
        };
        let slot = now.max(*next);
        *next = slot.saturating_add(interval);
        slot
    }

    /// Notes that Stripe has rejected a request with a 429.
    pub fn rate_limited(&mut self, now: UnixMillis) {
        self.limited_until = now.saturating_add(RATE_LIMIT_PERIOD);
    }
}
