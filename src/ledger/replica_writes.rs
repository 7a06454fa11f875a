//! When the replica is written, and when it is written again.
//!
//! | outcome of a write                        | next write                                            |
//! |-------------------------------------------|-------------------------------------------------------|
//! | acknowledged, and the set is the same     | none: an acknowledged write is final                  |
//! | acknowledged, and the set changed         | 1.5 s after the start of that write                   |
//! | failed, or without a response             | with back-off                                         |
//! | acknowledged after one that was not       | 4 s and 5 min after the start of that one             |
//!
//! A failed write may take effect late, and undo a later one. Its outcome is unknown, so the replica is
//! written twice more. Not here: the write itself.

use serde::Serialize;

use super::outbox::{Jitter, Outbox, Task};
use crate::{
    entitlement::{Entitlements, Version},
    id::UnixMillis,
    json::json_type,
    policy::SourcePolicy,
};

/// The time between two writes, in milliseconds. KV accepts one write a second per key
/// (<https://developers.cloudflare.com/kv/platform/limits/>), and writes do not arrive at the times at which
/// they start.
const MIN_WRITE_INTERVAL: u64 = 1_500;

/// When the replica is written again after a write of unknown outcome, in milliseconds. Most late writes
/// take effect within the first, and we assume that none takes effect after the last. KV documents no
/// limit.
const REWRITE_DELAYS: [u64; 2] = [4_000, 300_000];

/// A write of the replica: what identifies its record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ReplicaWrite {
    /// The version of the record.
    pub version: Version,
    /// The source and the policy under which the source set was read, if there is one.
    pub policy: Option<SourcePolicy>,
}

json_type! {
    /// The writes of the replica so far.
    #[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
    pub struct ReplicaWrites {
        /// When the last write started.
        pub last_started_at: UnixMillis,
        /// The start of the first write after one of unknown outcome, while that one may still take
        /// effect.
        pub rewrites_from: Option<UnixMillis>,
    }
}

impl ReplicaWrites {
    /// Schedules a write of a changed record. A customer without a replica is answered by the ledger, so a
    /// record without a grant is not the first one that is written: the first purchase is then visible
    /// everywhere at once.
    pub(super) fn follow(
        &self,
        outbox: &mut Outbox,
        record: Option<&Entitlements>,
        now: UnixMillis,
    ) {
        let was_written = self.last_started_at != UnixMillis::default()
            || outbox.pending(Task::Replica).is_some();
        if was_written || !record.is_none_or(Entitlements::is_blank) {
            self.schedule(outbox, now);
        }
    }

    /// Schedules a write of a changed record.
    fn schedule(&self, outbox: &mut Outbox, now: UnixMillis) {
        outbox.schedule(Task::Replica, now.max(self.next_allowed()), now);
    }

    /// Notes that a pending write starts.
    pub(super) fn begin(&mut self, outbox: &mut Outbox, now: UnixMillis) {
        // An earlier write that failed, or never reported a result, may take effect after this one.
        if outbox.pending(Task::Replica).is_some_and(|pending| pending.attempts > 0) {
            self.rewrites_from = Some(now);
        }
        outbox.record_attempt(Task::Replica);
        self.last_started_at = now;
    }

    /// Notes that a write succeeded. It wrote `written`, and the record is `current` now.
    pub(super) fn succeeded(
        &mut self,
        outbox: &mut Outbox,
        written: ReplicaWrite,
        current: Option<ReplicaWrite>,
        now: UnixMillis,
    ) {
        let rewrite = self.rewrites_from.and_then(|since| {
            let rewrites = REWRITE_DELAYS.map(|delay| since.saturating_add(delay));
            rewrites.into_iter().find(|at| self.last_started_at < *at)
        });
        if rewrite.is_none() {
            self.rewrites_from = None;
        }
        let next = if current == Some(written) {
            rewrite.map(|at| at.max(self.next_allowed()))
        } else {
            Some(self.next_allowed())
        };
        match next {
            Some(at) => outbox.reschedule(Task::Replica, at, now),
            None => outbox.complete(Task::Replica),
        }
    }

    /// Notes that a write failed. It may have taken effect all the same.
    pub(super) fn failed(&self, outbox: &mut Outbox, now: UnixMillis, jitter: Jitter) {
        outbox.back_off(Task::Replica, now, jitter);
        outbox.defer_until(Task::Replica, self.next_allowed());
    }

    fn next_allowed(&self) -> UnixMillis {
        self.last_started_at.saturating_add(MIN_WRITE_INTERVAL)
    }
}
