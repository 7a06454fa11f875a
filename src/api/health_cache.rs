//! The pending tasks of all customers, as the public answer of `GET /healthz` needs them.
//!
//! Any client may send that request, and one object counts the tasks. So an instance asks for them at most
//! once in [`TTL`], however many requests it receives: concurrent requests wait for one result. A waiting
//! request polls, because the platform does not let it await the I/O of another request.

use std::cell::Cell;

use crate::{id::Timestamp, store::Backlogs};

/// How long a result is used, in seconds.
const TTL: i64 = 10;

/// How often a waiting request looks for the result, in milliseconds.
const POLL_INTERVAL: u64 = 25;

/// How many times it looks before it asks itself: for two seconds. The request that it waits for may have
/// been canceled.
const MAX_POLLS: u32 = 80;

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
    pub(super) async fn get_or_load(
        &self,
        load: impl Future<Output = Option<Backlogs>>,
        sleep: impl AsyncFn(u64),
        now: Timestamp,
    ) -> Option<Backlogs> {
        let (mut awaited, mut polls) = (self.loads.get(), 0);
        loop {
            if let Some(CachedBacklogs { loaded_at, backlogs }) = self.last.get()
                && (0..TTL).contains(&now.seconds_since(loaded_at))
            {
                return backlogs;
            }
            if self.loads.get() != awaited {
                (awaited, polls) = (self.loads.get(), 0);
            }
            if !self.is_loading.get() || polls == MAX_POLLS {
                break;
            }
            polls += 1;
            sleep(POLL_INTERVAL).await;
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
