//! The pending tasks of all customers, as the public answer of `GET /healthz` needs them.
//!
//! Any client may send that request, and one object counts the tasks. So an instance asks for them at most
//! once in [`TTL`], however many requests it receives: concurrent requests wait for one result.

use std::cell::Cell;

use crate::{id::Timestamp, store::Backlogs, waiting::poll_while};

/// How long a result is used, in seconds.
const TTL: i64 = 10;

/// How long a request waits for the load of another one before it loads itself, in milliseconds. The other
/// request may have been canceled.
const LOAD_WAIT_TIMEOUT: u64 = 2_000;

/// The last result, and the load in progress.
#[derive(Debug, Default)]
pub struct HealthCache {
    last: Cell<Option<CachedBacklogs>>,
    /// The number of loads that were started.
    loads: Cell<u32>,
    is_loading: Cell<bool>,
}

#[derive(Clone, Copy, Debug)]
struct CachedBacklogs {
    loaded_at: Timestamp,
    /// `None` if the customer index failed.
    backlogs: Option<Backlogs>,
}

impl HealthCache {
    /// Returns a result that is less than [`TTL`] old: the last one, else that of the load in progress, else
    /// that of `load`.
    pub(super) async fn get_or_load<S: Future<Output = ()>>(
        &self,
        load: impl Future<Output = Option<Backlogs>>,
        sleep: impl Fn(u64) -> S,
        now: Timestamp,
    ) -> Option<Backlogs> {
        let is_fresh =
            |cached: &CachedBacklogs| (0..TTL).contains(&now.seconds_since(cached.loaded_at));
        loop {
            if let Some(CachedBacklogs { backlogs, .. }) = self.last.get().filter(is_fresh) {
                return backlogs;
            }
            let awaited = self.loads.get();
            let is_in_flight = |_| self.is_loading.get() && self.loads.get() == awaited;
            let has_ended = poll_while(&sleep, LOAD_WAIT_TIMEOUT, is_in_flight).await;
            let is_stale = self.last.get().is_none_or(|cached| !is_fresh(&cached));
            if !has_ended || !self.is_loading.get() && is_stale {
                break;
            }
        }
        self.loads.set(self.loads.get().wrapping_add(1));
        self.is_loading.set(true);
        let backlogs = load.await;
        self.is_loading.set(false);
        self.insert(backlogs, now);
        backlogs
    }

    /// Stores a result.
    pub(super) fn insert(&self, backlogs: Option<Backlogs>, loaded_at: Timestamp) {
        self.last.set(Some(CachedBacklogs { loaded_at, backlogs }));
    }
}
