//! What every route works with: the application context, requests and responses.
//!
//! [`App`] bundles the store, the settings, the caches, randomness and the log. A shell builds it;
//! nothing here reads a clock, the environment or a secret store. Responses are complete in memory,
//! except for streams: see [`super::stream`]. Statuses of failures are in [`super::error`].

use futures_util::future::LocalBoxFuture;
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;

use super::{
    feature_cache::FeatureCache, health_cache::HealthCache, refused_origins::RefusedOrigins,
    settings::Settings,
};
use crate::token::JwksCache;

/// The header with the version of Stripe's API: of a request to the catalog, and of its response.
pub const STRIPE_VERSION: HeaderName = HeaderName::from_static("stripe-version");

/// The header with the id of a request, as Stripe's SDKs expect it. The shell sets it.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");

/// A request with its complete body. The body is empty until a handler receives it: see
/// [`super::body`].
pub type Request = http::Request<Vec<u8>>;

/// A complete response, or the head of a stream if its extensions contain a
/// [`StreamRequest`](super::stream::StreamRequest).
pub type Response = http::Response<Vec<u8>>;

/// The context of a request.
#[derive(Debug)]
pub struct App<'a, S> {
    /// The stores of entitlements.
    pub store: &'a S,
    /// The operator's settings.
    pub settings: &'a Settings,
    /// The pending tasks of all customers, as this instance last knew them.
    pub health_cache: &'a HealthCache,
    /// Origins whose pages this instance has refused.
    pub refused_origins: &'a RefusedOrigins,
    /// Features that this instance has read.
    pub feature_cache: &'a FeatureCache,
    /// Public keys of the configured token issuer.
    pub jwks_cache: &'a JwksCache,
    /// Resolves after this many milliseconds.
    pub sleep: fn(u64) -> LocalBoxFuture<'static, ()>,
    /// Returns an unpredictable number.
    pub random: fn() -> u128,
    /// Writes a line to the operator's log. A line never contains a secret.
    pub log: fn(&str),
}

/// A JSON response.
pub(super) fn json_response(status: StatusCode, body: &impl Serialize) -> Response {
    // Serialization cannot fail: every map key in a body is a string.
    raw_json_response(status, serde_json::to_vec(body).unwrap_or_default())
}

/// A JSON response whose body is already serialized. It is never cacheable, because an answer may
/// change at any time.
pub(super) fn raw_json_response(status: StatusCode, body: Vec<u8>) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The value of a header, if it is present and visible ASCII.
pub(super) fn header_str(request: &Request, name: HeaderName) -> Option<&str> {
    request.headers().get(name)?.to_str().ok()
}
