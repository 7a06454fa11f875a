//! The client for Stripe's API: its transport, its settings and its errors.
//!
//! The requests are in the modules next to this one.

use crate::{
    id::UnixMillis,
    ledger::{SourceFailure, SyncProblem},
    policy::GrantRule,
};

/// The version of Stripe's API in every request, and the one of the catalog's objects: that of
/// Stripe's SDKs in the tests.
pub const API_VERSION: &str = "2026-10-28.endive";

/// The maximum size of a response in bytes. A page of a hundred entitlements has about 30 KB.
pub const MAX_RESPONSE_LEN: usize = 4 << 20;

/// Sends requests to Stripe with one API key.
#[expect(async_fn_in_trait, reason = "a Worker has one thread: futures need not be `Send`")]
pub trait Transport {
    /// Sends a `GET` request for a path and query, with [`API_VERSION`] and the API key. Returns the
    /// complete response. Follows no redirect, which could send the key to another host.
    ///
    /// # Errors
    ///
    /// Returns why there is no complete response.
    async fn get(&self, target: &str) -> Result<StripeResponse, String>;

    /// Waits so many milliseconds.
    async fn sleep(&self, millis: u64);

    /// Returns the current time.
    fn now(&self) -> UnixMillis;

    /// Returns a random number from 0 to 1.
    fn random(&self) -> f64;
}

/// A response of Stripe.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct StripeResponse {
    /// The HTTP status.
    pub status: u16,
    /// `Retry-After`, in seconds.
    pub retry_after: Option<u32>,
    /// `Stripe-Should-Retry`.
    pub should_retry: Option<bool>,
    /// The body.
    pub body: Vec<u8>,
    /// Whether the body exceeds [`MAX_RESPONSE_LEN`]. It is then left out.
    pub is_too_long: bool,
}

/// Why a read from Stripe failed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Stripe rejected the API key. The operator must change it.
    #[error("Stripe rejected STRIPE_API_KEY with status {status}{}", name_permission(permission.as_deref()))]
    KeyRejected {
        /// 401 for an invalid key, 403 for one without the permission.
        status: u16,
        /// The missing permission of a restricted key, `rak_…`, if Stripe names it.
        permission: Option<Box<str>>,
    },
    /// The object does not exist.
    #[error("not found at Stripe: {message}")]
    NotFound {
        /// The parameter with the id.
        param: String,
        /// Stripe's message.
        message: String,
    },
    /// Stripe rejected the request.
    #[error("Stripe rejected the request with status {status}: {message}")]
    Rejected {
        /// The HTTP status.
        status: u16,
        /// Stripe's message.
        message: String,
    },
    /// Stripe limits the rate of requests.
    #[error("failed to read from Stripe: status 429")]
    RateLimited {
        /// The minimum delay before the next request, in milliseconds.
        retry_after_ms: u64,
    },
    /// Stripe is not reachable, or failed.
    #[error("failed to read from Stripe: {cause}")]
    Unavailable {
        /// The cause of the last failure.
        cause: String,
        /// The minimum delay before the next request, in milliseconds.
        retry_after_ms: u64,
    },
    /// The response has more than [`MAX_RESPONSE_LEN`] bytes.
    #[error("the response of Stripe is larger than {MAX_RESPONSE_LEN} bytes")]
    TooLong,
    /// The response is malformed.
    #[error("failed to parse Stripe's response: {0}")]
    Malformed(String),
    /// The list has more pages than are read.
    #[error("Stripe's list is longer than {pages} pages")]
    TooManyPages {
        /// The number of pages read.
        pages: usize,
    },
    /// The list was different in each pass, or it repeats entries.
    #[error("Stripe's list repeats entries or changed in each of {0} passes")]
    Unstable(u32),
}

fn name_permission(permission: Option<&str>) -> String {
    permission.map_or(String::new(), |name| format!(": it lacks the permission {name}"))
}

impl Error {
    /// The problem that requires operator action, if the error is one.
    #[must_use]
    pub fn operator_problem(&self) -> Option<SyncProblem> {
        matches!(self, Self::KeyRejected { .. }).then_some(SyncProblem::KeyRefused)
    }

    /// Whether Stripe rejected the last request because of its rate limit.
    #[must_use]
    pub fn is_rate_limited(&self) -> bool {
        matches!(self, Self::RateLimited { .. } | Self::Rejected { status: 429, .. })
    }

    /// The minimum delay before the next request, in milliseconds.
    #[must_use]
    pub fn retry_after_ms(&self) -> u64 {
        match self {
            Self::Unavailable { retry_after_ms, .. } | Self::RateLimited { retry_after_ms } => {
                *retry_after_ms
            }
            Self::KeyRejected { .. }
            | Self::NotFound { .. }
            | Self::Rejected { .. }
            | Self::Malformed(_)
            | Self::TooLong
            | Self::TooManyPages { .. }
            | Self::Unstable(_) => 0,
        }
    }

    /// The failure of a read, for a ledger.
    #[must_use]
    pub fn into_failure(self) -> SourceFailure {
        SourceFailure {
            problem: self.operator_problem(),
            retry_after_ms: self.retry_after_ms(),
            is_rate_limited: self.is_rate_limited(),
            cause: self.to_string(),
        }
    }
}

/// Client for Stripe's API with one API key.
#[derive(Debug)]
pub struct StripeClient<T> {
    transport: T,
    pub(super) paused_rule: GrantRule,
}

impl<T: Transport> StripeClient<T> {
    /// Creates a client in which subscriptions whose trial ended paused keep their entitlements.
    #[must_use]
    pub fn new(transport: T) -> Self {
        Self { transport, paused_rule: GrantRule::Keep }
    }

    /// Sets what subscriptions grant whose trial ended paused.
    #[must_use]
    pub fn with_paused_rule(self, paused_rule: GrantRule) -> Self {
        Self { paused_rule, ..self }
    }

    /// The transport.
    #[must_use]
    pub fn transport(&self) -> &T {
        &self.transport
    }
}
