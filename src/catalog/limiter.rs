//! Limits concurrent webhook deliveries: 6 in total, 3 per endpoint, 1 for an endpoint whose last
//! response was slow or failed.
//!
//! So an endpoint that responds slowly delays only its own events. The state is in memory: an
//! evicted object starts with every endpoint at 3.

use std::{cell::RefCell, collections::HashMap};

use crate::{catalog::deliveries::AttemptOutcome, id::UnixMillis};

/// The most deliveries in flight: as many connections as a Worker may have open
/// (<https://developers.cloudflare.com/workers/platform/limits/#simultaneous-open-connections>).
const MAX_IN_FLIGHT: usize = 6;

/// The most deliveries in flight to one endpoint.
const MAX_PER_ENDPOINT: usize = 3;

/// The response time from which an endpoint is slow, in milliseconds.
const SLOW_THRESHOLD: u64 = 2_000;

/// The deliveries in flight of one catalog, by endpoint.
#[derive(Default)]
pub(super) struct DeliveryLimiter(RefCell<HashMap<String, EndpointLoad>>);

#[derive(Clone, Copy, Default)]
struct EndpointLoad {
    in_flight: usize,
    slow: bool,
}

impl DeliveryLimiter {
    pub(super) fn in_flight(&self) -> usize {
        self.0.borrow().values().map(|endpoint| endpoint.in_flight).sum()
    }

    /// How many more deliveries may start.
    pub(super) fn available(&self) -> usize {
        MAX_IN_FLIGHT.saturating_sub(self.in_flight())
    }

    /// How many more deliveries to this endpoint may start.
    pub(super) fn capacity_for(&self, endpoint: &str) -> usize {
        let EndpointLoad { in_flight, slow } =
            self.0.borrow().get(endpoint).copied().unwrap_or_default();
        let limit = if slow { 1 } else { MAX_PER_ENDPOINT };
        limit.saturating_sub(in_flight).min(self.available())
    }

    pub(super) fn start(&self, endpoint: &str) {
        let mut endpoints = self.0.borrow_mut();
        let load = endpoints.entry(endpoint.to_owned()).or_default();
        load.in_flight = load.in_flight.saturating_add(1);
    }

    pub(super) fn finish(
        &self,
        endpoint: &str,
        outcome: &AttemptOutcome,
        started_at: UnixMillis,
        now: UnixMillis,
    ) {
        let mut endpoints = self.0.borrow_mut();
        let Some(load) = endpoints.get_mut(endpoint) else { return };
        load.in_flight = load.in_flight.saturating_sub(1);
        load.slow = match outcome {
            AttemptOutcome::Responded(_) => now > started_at.saturating_add(SLOW_THRESHOLD),
            AttemptOutcome::Failed(_) => true,
        };
        // An entry without information is removed, so that the map does not grow.
        if load.in_flight == 0 && !load.slow {
            endpoints.remove(endpoint);
        }
    }
}
