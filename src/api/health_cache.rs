//! The status of the deployment, as the public answer of `GET /healthz` has it.
//!
//! Any client may send that request, and one object knows the status of a mode. So an instance asks for it at
//! most once in [`TTL`], however many requests it receives: concurrent requests wait for one result.

use std::cell::Cell;

use serde::Serialize;

use crate::{id::Timestamp, waiting::poll_while};

/// How long a result is used, in seconds.
const TTL: i64 = 10;

/// How long a request waits for the load of another one before it loads itself, in milliseconds. The other
/// request may have been canceled.
const LOAD_WAIT_TIMEOUT: u64 = 2_000;

/// From the best to the worst.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum HealthStatus {
    Ok,
    Degraded,
    Unconfigured,
}

/// The last result, and the load in progress.
#[derive(Debug, Default)]
pub struct HealthCache {
    last: Cell<Option<CachedStatus>>,
    /// The number of loads that were started.
    loads: Cell<u32>,
    is_loading: Cell<bool>,
}

#[derive(Clone, Copy, Debug)]
struct CachedStatus {
    loaded_at: Timestamp,
    status: HealthStatus,
}

impl HealthCache {
    /// Returns a result that is less than [`TTL`] old: the last one, else that of the load in progress, else
    /// that of `load`.
    pub(super) async fn get_or_load<S: Future<Output = ()>>(
        &self,
        load: impl Future<Output = HealthStatus>,
        sleep: impl Fn(u64) -> S,
        now: Timestamp,
    ) -> HealthStatus {
        let is_fresh =
            |cached: &CachedStatus| (0..TTL).contains(&now.seconds_since(cached.loaded_at));
        loop {
            if let Some(CachedStatus { status, .. }) = self.last.get().filter(is_fresh) {
                return status;
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
        let status = load.await;
        self.is_loading.set(false);
        self.last.set(Some(CachedStatus { loaded_at: now, status }));
        status
    }
}
