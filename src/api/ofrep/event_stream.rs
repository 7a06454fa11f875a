//! Where a client hears of changes: a stream of notices, whose URL has a token of its own.
//!
//! A browser opens the stream without any header, so that the token stands in the URL; it opens nothing
//! else. A client that is told another URL leaves the stream it has, so that the URL stays the same for an
//! epoch of an hour; and its token lives for two, so that one that was told at the end of an epoch is good
//! for another hour. Epochs begin at another moment for each customer, or all would come back at once.

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::{
    id::{CustomerKey, Timestamp},
    token::{
        TokenSecret,
        hs256::{NewToken, STREAM_AUDIENCE},
    },
};

/// How long a URL stays the same, in seconds.
const EPOCH_LENGTH: i64 = 3_600;

/// How long its token lives from the beginning of its epoch, in seconds.
const STREAM_TOKEN_TTL: i64 = 2 * EPOCH_LENGTH;

/// How long a client that nobody looks at keeps the stream, in seconds: the protocol's default.
const INACTIVITY_DELAY: u32 = 120;

/// A stream as a client is told of it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EventStream {
    r#type: &'static str,
    endpoint: StreamEndpoint,
    inactivity_delay_sec: u32,
}

/// A place without an origin: a client takes its own base URL's, and so finds the way through any proxy.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StreamEndpoint {
    request_uri: String,
}

impl EventStream {
    /// The stream of a customer's notices, at this moment.
    pub(super) fn for_customer(
        customer: &CustomerKey,
        secret: &TokenSecret,
        now: Timestamp,
    ) -> Self {
        let start = epoch_start(customer, now);
        let digest = Sha256::digest(format!("entgate stream\n{}\n{start}", customer.to_key()));
        let jti = format!("str_{}", hex::encode(digest.get(..16).unwrap_or_default()));
        let token = secret.sign(&NewToken {
            customer,
            audience: STREAM_AUDIENCE,
            issued_at: start,
            expires_at: Timestamp(start.0.saturating_add(STREAM_TOKEN_TTL)),
            jti: &jti,
        });
        let endpoint = StreamEndpoint { request_uri: format!("/ofrep/v1/stream?token={token}") };
        Self { r#type: "sse", endpoint, inactivity_delay_sec: INACTIVITY_DELAY }
    }
}

/// When the customer's epoch began.
fn epoch_start(customer: &CustomerKey, now: Timestamp) -> Timestamp {
    let digest = Sha256::digest(format!("entgate epoch\n{}", customer.to_key()));
    let [first, second, ..]: [u8; 32] = digest.into();
    let shift = i64::from(u16::from_be_bytes([first, second])) % EPOCH_LENGTH;
    Timestamp(now.0.saturating_sub(now.0.saturating_sub(shift).rem_euclid(EPOCH_LENGTH)))
}
