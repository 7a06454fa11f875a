//! Who carries what: how many parcels are under way, and to whom.
//!
//! Nobody gets all hands, so that an endpoint that keeps one waiting holds up itself alone. One that
//! did so last has a single hand until it answers in time. What is known of that ends with the
//! object.

use std::{cell::RefCell, collections::HashMap};

use crate::{catalog::deliveries::AttemptOutcome, id::UnixMillis};

/// Parcels under way at once: as many requests as a Worker may have open
/// (<https://developers.cloudflare.com/workers/platform/limits/#simultaneous-open-connections>).
const MAX_IN_FLIGHT: usize = 6;

/// Parcels under way to one endpoint.
const MAX_PER_ENDPOINT: usize = 3;

/// How long an endpoint may take until it counts as slow, in milliseconds.
const SLOW_THRESHOLD: u64 = 2_000;

/// The hands of one catalog.
#[derive(Default)]
pub(in crate::worker) struct DeliveryLimiter(RefCell<HashMap<String, EndpointLoad>>);

#[derive(Clone, Copy, Default)]
struct EndpointLoad {
    in_flight: usize,
    slow: bool,
}

impl DeliveryLimiter {
    pub(in crate::worker) fn in_flight(&self) -> usize {
        self.0.borrow().values().map(|endpoint| endpoint.in_flight).sum()
    }

    pub(in crate::worker) fn available(&self) -> usize {
        MAX_IN_FLIGHT.saturating_sub(self.in_flight())
    }

    /// How many more may be under way to an endpoint.
    pub(in crate::worker) fn capacity_for(&self, id: &str) -> usize {
        let EndpointLoad { in_flight: under_way, slow } =
            self.0.borrow().get(id).copied().unwrap_or_default();
        let share = if slow { 1 } else { MAX_PER_ENDPOINT };
        share.saturating_sub(under_way).min(self.available())
    }

    pub(in crate::worker) fn start(&self, id: &str) {
        let mut endpoints = self.0.borrow_mut();
        let endpoint = endpoints.entry(id.to_owned()).or_default();
        endpoint.in_flight = endpoint.in_flight.saturating_add(1);
    }

    pub(in crate::worker) fn finish(
        &self,
        id: &str,
        outcome: &AttemptOutcome,
        left: UnixMillis,
        now: UnixMillis,
    ) {
        let mut endpoints = self.0.borrow_mut();
        let Some(endpoint) = endpoints.get_mut(id) else { return };
        endpoint.in_flight = endpoint.in_flight.saturating_sub(1);
        endpoint.slow = match outcome {
            AttemptOutcome::Responded(_) => now > left.saturating_add(SLOW_THRESHOLD),
            AttemptOutcome::Failed(_) => true,
        };
        // Of whom there is nothing to remember: the map holds no more than is going on.
        if endpoint.in_flight == 0 && !endpoint.slow {
            endpoints.remove(id);
        }
    }
}
