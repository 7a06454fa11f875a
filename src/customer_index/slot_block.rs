//! The slots of routine reads that a shard has reserved for the ledgers of its customers.
//!
//! After a change of the status policy, every ledger that is asked wants to read its set. One coordinator cannot
//! answer all of them, but 32 shards can. While the queue of routine reads is short, a shard reserves a slot for
//! each ledger. While it is long, a shard reserves a block of them.
//!
//! A block is not stored: a restart of the shard loses at most its slots. Not here: reads after events, for which
//! a ledger asks the coordinator ([`crate::coordinator`]).

use std::collections::VecDeque;

use crate::id::UnixMillis;

/// The most slots of a block. At one in 160 ms, they are 16 s of the queue.
pub const MAX_SLOT_BLOCK: u32 = 100;

/// How far from now a slot must be so that the queue is long, in milliseconds.
const LONG_QUEUE: u64 = 60_000;

/// The slots that a shard may assign.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct SlotBlock {
    slots: VecDeque<UnixMillis>,
    is_queue_long: bool,
}

impl SlotBlock {
    /// Assigns the next slot. Returns `None` if the shard must reserve others first. A slot that is over is lost.
    pub fn take(&mut self, now: UnixMillis) -> Option<UnixMillis> {
        while let Some(slot) = self.slots.pop_front() {
            if slot >= now {
                return Some(slot);
            }
        }
        None
    }

    /// How many slots the shard reserves next.
    #[must_use]
    pub fn next_size(&self) -> u32 {
        if self.is_queue_long { MAX_SLOT_BLOCK } else { 1 }
    }

    /// Adds slots that the shard has reserved, and assigns the first one.
    pub fn add(&mut self, reserved: Vec<UnixMillis>, now: UnixMillis) -> Option<UnixMillis> {
        let mut reserved = reserved.into_iter();
        let first = reserved.next()?;
        self.is_queue_long = first.millis_since(now) > LONG_QUEUE;
        self.slots.extend(reserved);
        Some(first)
    }
}
