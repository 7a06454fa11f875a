//! The URL of a customer's refetch stream, as part of a bulk evaluation.
//!
//! A browser opens the stream without headers, so the URL contains a token. The token gives access to
//! streams only. A client that receives another URL reconnects, so the URL is the same for an epoch of
//! one hour. The token is valid for two hours: a URL from the end of an epoch is usable for another
//! hour. The epoch's start depends on the customer, so that clients do not reconnect all at once.

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

/// The lifetime of a token from the start of its epoch, in seconds.
const STREAM_TOKEN_TTL: i64 = 2 * EPOCH_LENGTH;

/// How long a hidden page keeps its stream, in seconds: the protocol's default.
const INACTIVITY_DELAY: u32 = 120;

/// An entry of `eventStreams`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EventStream {
    r#type: &'static str,
    endpoint: StreamEndpoint,
    inactivity_delay_sec: u32,
}

/// A URL without an origin: a client resolves it against its base URL, so that it works through any
/// proxy.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StreamEndpoint {
    request_uri: String,
}

impl EventStream {
    /// Creates the entry for a customer.
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
            expires_at: start.saturating_add(STREAM_TOKEN_TTL),
            jti: &jti,
        });
        let endpoint = StreamEndpoint { request_uri: format!("/ofrep/v1/stream?token={token}") };
        Self { r#type: "sse", endpoint, inactivity_delay_sec: INACTIVITY_DELAY }
    }
}

/// The start of the customer's current epoch.
fn epoch_start(customer: &CustomerKey, now: Timestamp) -> Timestamp {
    let digest = Sha256::digest(format!("entgate epoch\n{}", customer.to_key()));
    let [first, second, ..]: [u8; 32] = digest.into();
    let offset = i64::from(u16::from_be_bytes([first, second])) % EPOCH_LENGTH;
    now.saturating_sub(now.0.saturating_sub(offset).rem_euclid(EPOCH_LENGTH))
}
