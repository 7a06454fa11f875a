//! Where entitlements come from: Stripe's API, read over any transport.
//!
//! | file     | reads                                                                          |
//! |----------|--------------------------------------------------------------------------------|
//! | `call`   | one request, tried again as Stripe asks for it                                 |
//! | `list`   | all that one customer holds, page by page                                      |
//! | `paused` | what of that only paused subscriptions grant, if that is not to count          |
//! | `object` | one entitlement or feature, as Stripe writes it                                |
//! | [`memory`] | a transport for tests, without a Stripe behind it                            |
//!
//! The transport is handed in, and with it the key, the clock, chance and the patience of waiting:
//! nothing here can be anything but asked to read. Nothing is ever written at Stripe. What the
//! answers change is decided by [`crate::ledger`].

pub mod fake;
mod list;
mod paused;
mod request;
mod retrieve;

use crate::{id::UnixMillis, ledger::SyncProblem, policy::GrantRule};

pub use self::retrieve::{Expand, FeatureObject};

/// The version of Stripe's API that every request asks for: the one whose answers the
/// tests know from Stripe's own description.
pub const API_VERSION: &str = "2026-07-29.dahlia";

/// The most bytes of an answer that are read: a page of a hundred entitlements has some 30 KB.
pub const MAX_RESPONSE_LEN: usize = 4 << 20;

/// The way to Stripe, for one key.
#[expect(async_fn_in_trait, reason = "a Worker has one thread: futures need not be `Send`")]
pub trait Transport {
    /// Sends a `GET` of a path with its query, under [`API_VERSION`] and the key, and reads the
    /// whole answer. Follows no redirect, which could take the key elsewhere.
    ///
    /// # Errors
    ///
    /// Says why there was no whole answer.
    async fn get(&self, target: &str) -> Result<StripeResponse, String>;

    /// Waits.
    async fn sleep(&self, millis: u64);

    /// What time it is.
    fn now(&self) -> UnixMillis;

    /// A random number, 0 to 1.
    fn random(&self) -> f64;
}

/// An answer of Stripe.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct StripeResponse {
    /// The status.
    pub status: u16,
    /// `Retry-After`, in seconds.
    pub retry_after: Option<u32>,
    /// `Stripe-Should-Retry`.
    pub should_retry: Option<bool>,
    /// The body.
    pub body: Vec<u8>,
}

/// Why Stripe did not tell.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It does not take our key: the operator has to change it.
    #[error("Stripe refuses STRIPE_API_KEY with status {status}")]
    KeyRejected {
        /// 401 for a key that is none, 403 for one that may not read this.
        status: u16,
    },
    /// There is no such thing.
    #[error("Stripe knows no such thing: {message}")]
    NotFound {
        /// Which parameter named it.
        param: String,
        /// Stripe's words.
        message: String,
    },
    /// It does not take the request.
    #[error("Stripe refuses the request with status {status}: {message}")]
    Rejected {
        /// The status.
        status: u16,
        /// Stripe's words.
        message: String,
    },
    /// It is out of reach, or asks for less.
    #[error("Stripe cannot be read now: {cause}")]
    Unavailable {
        /// What happened at the last try.
        cause: String,
        /// How long it wants to be left alone, in milliseconds.
        retry_after_ms: u64,
    },
    /// Its answer is none.
    #[error("Stripe's answer cannot be read: {0}")]
    Malformed(String),
    /// Its list has no end that we would reach.
    #[error("Stripe's list does not end within {pages} pages")]
    TooManyPages {
        /// How many were read.
        pages: usize,
    },
    /// Its list was another one each time that it was read, or shows one thing again and again.
    #[error("Stripe's list repeats itself, or changed at each of {0} readings")]
    Unstable(u32),
}

impl Error {
    /// What the operator has to see to, if that is it.
    #[must_use]
    pub fn operator_problem(&self) -> Option<SyncProblem> {
        matches!(self, Self::KeyRejected { .. }).then_some(SyncProblem::KeyRefused)
    }

    /// How long Stripe wants to be left alone, in milliseconds.
    #[must_use]
    pub fn retry_after_ms(&self) -> u64 {
        if let Self::Unavailable { retry_after_ms: pause, .. } = self { *pause } else { 0 }
    }
}

/// Stripe's API, read with one key.
#[derive(Debug)]
pub struct StripeClient<T> {
    transport: T,
    paused_rule: GrantRule,
}

impl<T: Transport> StripeClient<T> {
    /// Stripe behind a transport.
    #[must_use]
    pub fn new(transport: T) -> Self {
        Self { transport, paused_rule: GrantRule::Keep }
    }

    /// The same, and what its paused subscriptions grant.
    #[must_use]
    pub fn with_paused_rule(self, paused: GrantRule) -> Self {
        Self { paused_rule: paused, ..self }
    }

    /// The way to it.
    #[must_use]
    pub fn transport(&self) -> &T {
        &self.transport
    }
}
