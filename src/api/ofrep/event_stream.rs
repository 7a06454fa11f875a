//! The URL of a customer's refetch stream, as part of a bulk evaluation.
//!
//! A browser opens the stream without headers, so the URL contains a token. The token gives access to
//! refetch streams only. A client that receives another URL reconnects, so the URL is the same for an
//! epoch of one hour. The token is valid for two hours: a URL from the end of an epoch is usable for
//! another hour. The epoch's start depends on the customer, so that clients do not reconnect all at once.
//!
//! The token of a caller ends the stream's token too. An application may send a new token with each
//! request, so the end is rounded down to a quarter of the lifetime: such a client keeps its URL.

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::{
    id::{CustomerKey, Timestamp},
    token::{
        TokenSecret,
        claims::TokenSubject,
        hs256::{NewToken, REFETCH_STREAM_AUDIENCE},
    },
};

/// How long a URL stays the same, in seconds.
const EPOCH_LENGTH: i64 = 3_600;

/// The lifetime of a token from the start of its epoch, in seconds.
const STREAM_TOKEN_TTL: i64 = 2 * EPOCH_LENGTH;

/// How often the end of a stream changes within the lifetime of the callers' tokens.
const STEPS_PER_LIFETIME: i64 = 4;

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
    /// Creates the entry for a customer. `token` is that of the caller, if the caller has no server key.
    /// `None` if that token is accepted only by its leeway.
    pub(super) fn for_customer(
        customer: &CustomerKey,
        token: Option<&TokenSubject>,
        secret: &TokenSecret,
        now: Timestamp,
    ) -> Option<Self> {
        let start = epoch_start(customer, EPOCH_LENGTH, now);
        let epoch_end = start.saturating_add(STREAM_TOKEN_TTL);
        let expires_at = token.map_or(epoch_end, |token| stream_end(token, now).min(epoch_end));
        if now >= expires_at {
            return None;
        }
        let key = customer.to_key();
        let name = if expires_at == epoch_end {
            format!("entgate stream\n{key}\n{start}")
        } else {
            format!("entgate stream\n{key}\n{start}\n{expires_at}")
        };
        let digest = Sha256::digest(name);
        let jti = format!("str_{}", hex::encode(digest.get(..16).unwrap_or_default()));
        let token = secret.sign(&NewToken {
            customer,
            audience: REFETCH_STREAM_AUDIENCE,
            issued_at: start,
            expires_at,
            jti: &jti,
        });
        let endpoint = StreamEndpoint { request_uri: format!("/ofrep/v1/stream?token={token}") };
        Some(Self { r#type: "sse", endpoint, inactivity_delay_sec: INACTIVITY_DELAY })
    }
}

/// When a stream ends that a caller with this token opens: not after the token.
fn stream_end(token: &TokenSubject, now: Timestamp) -> Timestamp {
    let issued_at = token.issued_at.filter(|issued_at| *issued_at < token.expires_at);
    let lifetime =
        issued_at.map_or(EPOCH_LENGTH, |issued_at| token.expires_at.seconds_since(issued_at));
    let step = (lifetime / STEPS_PER_LIFETIME).clamp(1, EPOCH_LENGTH);
    let rounded = epoch_start(&token.customer, step, token.expires_at);
    if rounded > now { rounded } else { token.expires_at }
}

/// The start of the customer's epoch that includes this time. `length` is that of the epochs in seconds.
fn epoch_start(customer: &CustomerKey, length: i64, at: Timestamp) -> Timestamp {
    let digest = Sha256::digest(format!("entgate epoch\n{}", customer.to_key()));
    let [first, second, ..]: [u8; 32] = digest.into();
    let offset = i64::from(u16::from_be_bytes([first, second])) % length;
    at.saturating_sub(at.0.saturating_sub(offset).rem_euclid(length))
}
