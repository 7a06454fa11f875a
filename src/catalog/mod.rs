//! The catalog: Stripe's objects around entitlements, kept by entgate itself.
//!
//! | file             | is                                                                          |
//! |------------------|-----------------------------------------------------------------------------|
//! | [`shelf`]        | where objects are kept: the port, and ranges of lists                       |
//! | [`memory`]       | a shelf for tests                                                           |
//! | `object` · `page` | what all objects share: to load and save them · to list them, a page at a time |
//! | `id` · `metadata` | new names · the caller's own notes on an object                            |
//! | `feature` · `product` · `price` · `product_feature` | what is sold                             |
//! | `customer` · `clock` | who buys, and by which time they live                                   |
//! | `calendar` · `status` | when a period ends · what each status grants                           |
//! | `subscription`   | what was bought                                                             |
//! | `purchase` · `amendment` · `interruption` | by which request, and what others did to it        |
//! | `lifecycle`      | what time does to it                                                        |
//! | `derive` · `settle` | subscriptions → entitlements · what a customer holds, brought in line with that |
//! | `event` · `endpoint` | what happened · who wants to know                                       |
//! | `outbox` · `attempt` | telling them · how that went                                            |
//! | `idempotency`    | answers that are given again                                                |
//! | `application`    | what is done to very many, a few at a time                                   |
//! | `work`           | what is due                                                                 |
//!
//! <https://docs.stripe.com/billing/entitlements>. Values in, values out, over a [`Shelf`]: time and
//! chance are handed in with it. No money moves. How parameters are written, and what status a failure has, is not
//! here.

pub mod memory;
pub mod storage;

mod ids;
pub(crate) mod page;
pub(crate) mod repository;

pub(crate) mod objects;

pub(crate) mod engine;

pub(crate) mod operations;

pub mod scheduler;

use std::{cell::RefCell, collections::HashMap, rc::Rc};

use self::objects::subscription::RenderedPrice;
use crate::{
    id::{Livemode, Timestamp},
    policy::StatusPolicy,
};

pub use self::{engine::deliveries, storage::Storage};

/// The catalog of one mode, at one moment, for one request or one piece of work.
pub struct Tx<'a> {
    storage: &'a dyn Storage,
    /// Which mode it is of.
    pub livemode: Livemode,
    /// What each status grants.
    pub policy: StatusPolicy,
    /// What time it is outside of all test clocks.
    pub now: Timestamp,
    /// 64 bits that nobody can guess.
    random: &'a dyn Fn() -> u64,
    /// The request that causes what happens, if one does.
    request: RequestInfo,
    /// Prices as they are shown in the subscriptions of this request, which changes none of them:
    /// a page of a hundred has the same few again and again.
    rendered_prices: RefCell<HashMap<String, Rc<RenderedPrice>>>,
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
}

impl std::fmt::Debug for Tx<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Catalog").field("livemode", &self.livemode).finish_non_exhaustive()
    }
}

/// Why something cannot be done.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no such thing.
    #[error("No such {kind}: '{id}'")]
    NotFound {
        /// What it is called.
        kind: &'static str,
        /// What it was looked for by.
        id: String,
        /// Which parameter named it; `id` for the path.
        param: String,
    },
    /// There is such a thing already.
    #[error("{message}")]
    AlreadyExists {
        /// Which parameter asked for it.
        param: &'static str,
        /// Which thing it is.
        message: String,
    },
    /// A parameter is at fault.
    #[error("{message}")]
    InvalidParameter {
        /// Which one.
        param: String,
        /// What is wrong with it.
        message: String,
    },
    /// The thing is in no state for this.
    #[error("{0}")]
    InvalidState(String),
    /// The payment method fails.
    #[error("Your card was declined.")]
    CardDeclined,
    /// The shelf failed.
    #[error(transparent)]
    Storage(#[from] storage::StorageError),
}

impl Error {
    pub(crate) fn invalid_parameter(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self::InvalidParameter { param: param.into(), message: message.into() }
    }
}
