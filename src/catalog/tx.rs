//! One transaction.

use std::{cell::RefCell, collections::HashMap, rc::Rc};

use serde_json::Value;

use crate::{
    catalog::storage::Storage,
    id::{Livemode, Timestamp},
    policy::StatusPolicy,
};

/// The catalog of one mode, at one moment, for one request or one piece of work.
pub struct Tx<'a> {
    pub(super) storage: &'a dyn Storage,
    /// Which mode it is of.
    pub livemode: Livemode,
    /// What each status grants.
    pub policy: StatusPolicy,
    /// What time it is outside of all test clocks.
    pub now: Timestamp,
    /// 64 bits that nobody can guess.
    pub(super) random: &'a dyn Fn() -> u64,
    /// The request that causes what happens, if one does.
    pub(super) request: RequestInfo,
    /// Prices as they are shown in the subscriptions of this request, which changes none of them:
    /// a page of a hundred has the same few again and again.
    pub(super) rendered_prices: RefCell<HashMap<String, Rc<RenderedPrice>>>,
}

/// The request that caused an event: Stripe's `request` in it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct RequestInfo {
    /// The request's id, `req_…`.
    pub id: Option<String>,
    /// The `Idempotency-Key` that it was sent with.
    pub idempotency_key: Option<String>,
}

impl<'a> Tx<'a> {
    /// The catalog on a shelf.
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
            now,
            random,
            request: RequestInfo::default(),
            rendered_prices: RefCell::default(),
        }
    }

    /// The same, on behalf of a request.
    #[must_use]
    pub fn with_request(self, cause: RequestInfo) -> Self {
        Self { request: cause, ..self }
    }

    /// The same catalog for what no request caused.
    pub(super) fn without_request(&self) -> Self {
        Self::new(self.storage, self.livemode, self.policy, self.random, self.now)
    }
}

impl std::fmt::Debug for Tx<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Catalog").field("livemode", &self.livemode).finish_non_exhaustive()
    }
}

/// A price as a subscription shows it: itself, and in the form that it had before there were prices.
#[derive(Debug)]
pub(crate) struct RenderedPrice {
    pub(super) price: Value,
    pub(super) plan: Value,
}
