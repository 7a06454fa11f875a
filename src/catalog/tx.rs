//! The context of one transaction: storage, mode, policy, time, randomness and the causing request.
//!
//! Every function of the catalog takes a [`Tx`] first. It does not begin or commit anything: the
//! shell runs the transaction around it.

use std::{cell::RefCell, collections::HashMap, rc::Rc};

use serde_json::Value;

use crate::{
    catalog::storage::Storage,
    id::{Livemode, Timestamp},
    policy::{PauseOnPaymentFailure, StatusPolicy},
};

/// One transaction on the catalog of one mode: for one request, or for one batch of background
/// work.
pub struct Tx<'a> {
    pub(super) storage: &'a dyn Storage,
    /// The mode.
    pub livemode: Livemode,
    /// What each status grants.
    pub policy: StatusPolicy,
    /// Which failed payment pauses a subscription.
    pub(super) pause_on_payment_failure: PauseOnPaymentFailure,
    /// The real time, for everything that has no test clock.
    pub now: Timestamp,
    /// Returns 64 unpredictable bits.
    pub(super) random: &'a dyn Fn() -> u64,
    /// The request that causes the changes, if there is one.
    pub(super) request: RequestInfo,
    /// Prices as the subscriptions of this transaction render them. No transaction changes a
    /// rendered price, and a page of a hundred subscriptions repeats the same few.
    pub(super) rendered_prices: RefCell<HashMap<String, Rc<RenderedPrice>>>,
}

/// The request that caused an event: `request` in Stripe's events.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct RequestInfo {
    /// The request's id, `req_…`.
    pub id: Option<String>,
    /// Its `Idempotency-Key`.
    pub idempotency_key: Option<String>,
}

impl<'a> Tx<'a> {
    /// A transaction without a request.
    #[must_use]
    pub fn new(
        storage: &'a dyn Storage,
        livemode: Livemode,
        policy: StatusPolicy,
        random: &'a dyn Fn() -> u64,
        now: Timestamp,
    ) -> Self {
        Self {
            storage,
            livemode,
            policy,
            pause_on_payment_failure: PauseOnPaymentFailure::default(),
            now,
            random,
            request: RequestInfo::default(),
            rendered_prices: RefCell::default(),
        }
    }

    /// The same transaction, in which a failed payment of a renewal pauses a subscription.
    #[must_use]
    pub fn with_pause_on_payment_failure(self, failure: PauseOnPaymentFailure) -> Self {
        Self { pause_on_payment_failure: failure, ..self }
    }

    /// The same transaction, on behalf of a request.
    #[must_use]
    pub fn with_request(self, request: RequestInfo) -> Self {
        Self { request, ..self }
    }

    /// The same transaction without a request, for changes that time causes.
    pub(super) fn without_request(&self) -> Self {
        Self::new(self.storage, self.livemode, self.policy, self.random, self.now)
            .with_pause_on_payment_failure(self.pause_on_payment_failure)
    }
}

impl std::fmt::Debug for Tx<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tx").field("livemode", &self.livemode).finish_non_exhaustive()
    }
}

/// A price as a subscription renders it: as a price, and as the older plan.
#[derive(Debug)]
pub(crate) struct RenderedPrice {
    pub(super) price: Value,
    pub(super) plan: Value,
}
