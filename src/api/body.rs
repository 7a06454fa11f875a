//! Request bodies: when a body is read, how much of it, and for how long.
//!
//! A handler authenticates its caller by the headers, and then calls `receive()`. So a request that
//! matches no route, or whose caller is not authenticated, is answered without its body. `GET` and
//! `HEAD` have no body, except for the catalog: as at Stripe, it may have their parameters.
//!
//! | route                          | limit                     |
//! |--------------------------------|---------------------------|
//! | `POST /webhooks/stripe`        | [`MAX_WEBHOOK_BYTES`]     |
//! | `POST /v1/check`               | [`MAX_BATCH_BYTES`]       |
//! | a `GET` of the catalog         | [`MAX_CATALOG_GET_BYTES`] |
//! | another route of the catalog   | [`MAX_CATALOG_BYTES`]     |
//! | a change of an override        | [`MAX_OVERRIDE_BYTES`]    |
//! | any other `POST`               | [`MAX_BODY_BYTES`]        |
//!
//! A shell implements [`RequestBody`]: it has the stream and the timer of [`BODY_TIMEOUT`]. Statuses are
//! in `api::error`.

use super::app::Request;

/// The maximum size of an event: 1 MiB. A summary with ten entitlements has about 3 KiB, and 200 KiB if
/// it also lists a thousand previous ones.
pub const MAX_WEBHOOK_BYTES: usize = 1 << 20;

/// The maximum size of a batch of checks: 1 MiB. A hundred checks have 100 KiB at Stripe's longest ids
/// and lookup keys.
pub const MAX_BATCH_BYTES: usize = 1 << 20;

/// The maximum size of a request to the catalog: 256 KiB. The largest valid request, 20 items with 50
/// metadata keys each, has half as many. An event that contains its object twice still fits into a row
/// of 2 MB.
pub const MAX_CATALOG_BYTES: usize = 256 << 10;

/// The maximum size of the body of a `GET` to the catalog, whose parameters are moved to its query
/// string: 16 KiB, the limit of a URL on Cloudflare.
pub const MAX_CATALOG_GET_BYTES: usize = 16 << 10;

/// The maximum size of a request that changes an override: 256 KiB. A lookup key, a reason, an actor and 50
/// metadata keys at their limits have 130 KiB, or twice as many percent-encoded if half of them is ASCII.
pub const MAX_OVERRIDE_BYTES: usize = 256 << 10;

/// The maximum size of any other body: 64 KiB. The longest customer id and lookup key have 20 KiB, or
/// 60 KiB percent-encoded.
pub const MAX_BODY_BYTES: usize = 64 << 10;

/// How long a client may take to send a body, in milliseconds. A mebibyte at 1 Mbit/s takes eight
/// seconds.
pub const BODY_TIMEOUT: u32 = 10_000;

/// Why a body was not received.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The body exceeds the limit of its route.
    #[error("body is longer than {limit} bytes, the maximum")]
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The body did not arrive within [`BODY_TIMEOUT`].
    #[error("body did not arrive within {} s", BODY_TIMEOUT / 1_000)]
    TimedOut,
    /// The connection ended before the body did.
    #[error("body ended early")]
    Interrupted,
}

/// A body that is not read yet.
#[expect(async_fn_in_trait, reason = "a Worker has one thread: futures need not be `Send`")]
pub trait RequestBody {
    /// Reads the body, of at most `limit` bytes.
    ///
    /// # Errors
    ///
    /// When the body is longer, takes longer than [`BODY_TIMEOUT`], or ends early.
    async fn read(&self, limit: usize) -> Result<Vec<u8>, Error>;
}

/// A body that is complete in memory.
impl RequestBody for Vec<u8> {
    async fn read(&self, limit: usize) -> Result<Vec<u8>, Error> {
        if self.len() > limit { Err(Error::TooLarge { limit }) } else { Ok(self.clone()) }
    }
}

/// Reads the body of a request whose caller is authenticated, of at most `limit` bytes.
pub(super) async fn receive(
    request: &mut Request,
    body: &impl RequestBody,
    limit: usize,
) -> Result<(), Error> {
    *request.body_mut() = body.read(limit).await?;
    Ok(())
}
