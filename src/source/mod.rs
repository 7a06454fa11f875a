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

mod call;
mod list;
pub mod memory;
mod object;
mod paused;

use crate::{entitlement::Paused, id::Millis, ledger::Trouble};

pub use self::object::{Expand, Feature};

/// The version of Stripe's API that every request asks for: the one whose answers the
/// tests know from Stripe's own description.
pub const API_VERSION: &str = "2026-07-29.dahlia";

/// The most bytes of an answer that are read: a page of a hundred entitlements has some 30 KB.
pub const BODY_LIMIT: usize = 4 << 20;

/// The way to Stripe, for one key.
#[expect(async_fn_in_trait, reason = "a Worker has one thread: futures need not be `Send`")]
pub trait Transport {
    /// Sends a `GET` of a path with its query, under [`API_VERSION`] and the key, and reads the
    /// whole answer. Follows no redirect, which could take the key elsewhere.
    ///
    /// # Errors
    ///
    /// Says why there was no whole answer.
    async fn get(&self, target: &str) -> Result<Reply, String>;

    /// Waits.
    async fn pause(&self, millis: u64);

    /// What time it is.
    fn now(&self) -> Millis;

    /// A random number, 0 to 1.
    fn random(&self) -> f64;
}

/// An answer of Stripe.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Reply {
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
    KeyRefused {
        /// 401 for a key that is none, 403 for one that may not read this.
        status: u16,
    },
    /// There is no such thing.
    #[error("Stripe knows no such thing: {message}")]
    Missing {
        /// Which parameter named it.
        param: String,
        /// Stripe's words.
        message: String,
    },
    /// It does not take the request.
    #[error("Stripe refuses the request with status {status}: {message}")]
    Refused {
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
        pause: u64,
    },
    /// Its answer is none.
    #[error("Stripe's answer cannot be read: {0}")]
    Malformed(String),
    /// Its list has no end that we would reach.
    #[error("Stripe's list does not end within {pages} pages")]
    Endless {
        /// How many were read.
        pages: usize,
    },
    /// Its list was another one each time that it was read, or shows one thing again and again.
    #[error("Stripe's list repeats itself, or changed at each of {0} readings")]
    Unsteady(u32),
}

impl Error {
    /// What the operator has to see to, if that is it.
    #[must_use]
    pub fn trouble(&self) -> Option<Trouble> {
        matches!(self, Self::KeyRefused { .. }).then_some(Trouble::KeyRefused)
    }

    /// How long Stripe wants to be left alone, in milliseconds.
    #[must_use]
    pub fn pause(&self) -> u64 {
        if let Self::Unavailable { pause, .. } = self { *pause } else { 0 }
    }
}

/// Stripe's API, read with one key.
#[derive(Debug)]
pub struct Stripe<T> {
    transport: T,
    paused: Paused,
}

impl<T: Transport> Stripe<T> {
    /// Stripe behind a transport.
    #[must_use]
    pub fn new(transport: T) -> Self {
        Self { transport, paused: Paused::Keep }
    }

    /// The same, and what its paused subscriptions grant.
    #[must_use]
    pub fn with_paused(self, paused: Paused) -> Self {
        Self { paused, ..self }
    }

    /// The way to it.
    #[must_use]
    pub fn transport(&self) -> &T {
        &self.transport
    }
}
