//! Who carries what: how many parcels are under way, and to whom.
//!
//! Nobody gets all hands, so that an endpoint that keeps one waiting holds up itself alone. One that
//! did so last has a single hand until it answers in time. What is known of that ends with the
//! object.

use std::{cell::RefCell, collections::HashMap};

use crate::{catalog::outbox::Outcome, id::Millis};

/// Parcels under way at once: as many requests as a Worker may have open
/// (<https://developers.cloudflare.com/workers/platform/limits/#simultaneous-open-connections>).
const AT_ONCE: usize = 6;

/// Parcels under way to one endpoint.
const SHARE: usize = 3;

/// How long an endpoint may take until it counts as slow, in milliseconds.
const PATIENCE: u64 = 2_000;

/// The hands of one catalog.
#[derive(Default)]
pub(super) struct Hands(RefCell<HashMap<String, Endpoint>>);

#[derive(Clone, Copy, Default)]
struct Endpoint {
    under_way: usize,
    slow: bool,
}

impl Hands {
    pub(super) fn under_way(&self) -> usize {
        self.0.borrow().values().map(|endpoint| endpoint.under_way).sum()
    }

    pub(super) fn free(&self) -> usize {
        AT_ONCE.saturating_sub(self.under_way())
    }

    /// How many more may be under way to an endpoint.
    pub(super) fn room(&self, id: &str) -> usize {
        let Endpoint { under_way, slow } = self.0.borrow().get(id).copied().unwrap_or_default();
        let share = if slow { 1 } else { SHARE };
        share.saturating_sub(under_way).min(self.free())
    }

    pub(super) fn goes(&self, id: &str) {
        let mut endpoints = self.0.borrow_mut();
        let endpoint = endpoints.entry(id.to_owned()).or_default();
        endpoint.under_way = endpoint.under_way.saturating_add(1);
    }

    pub(super) fn comes_back(&self, id: &str, outcome: &Outcome, left: Millis, now: Millis) {
        let mut endpoints = self.0.borrow_mut();
        let Some(endpoint) = endpoints.get_mut(id) else { return };
        endpoint.under_way = endpoint.under_way.saturating_sub(1);
        endpoint.slow = match outcome {
            Outcome::Answered(_) => now > left.plus(PATIENCE),
            Outcome::Failed(_) => true,
        };
        // Of whom there is nothing to remember: the map holds no more than is going on.
        if endpoint.under_way == 0 && !endpoint.slow {
            endpoints.remove(id);
        }
    }
}
