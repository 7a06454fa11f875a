//! HTTP over any store: [`ROUTES`] is the table of all routes, [`handle()`] the way through it.
//!
//! | file                    | answers                                                         |
//! |-------------------------|-----------------------------------------------------------------|
//! | `webhooks`              | one event in                                                    |
//! | `active_entitlements`   | Stripe's list, and one of it                                    |
//! | `features`              | which features there are, and what only Stripe knows of them    |
//! | `checks`                | may this customer use this feature?                             |
//! | `authorize`             | the same, for a proxy                                           |
//! | [`hot`]                 | these two and the list, asked plainly, without the way below    |
//! | `ofrep`                 | the same, for OpenFeature's clients                             |
//! | `sync`                  | the set, read at its source now                                 |
//! | `activity` · `roster`   | what was decided lately · who there is                          |
//! | `tokens`                | a token that opens one customer                                 |
//! | `snapshots`             | a set that proves itself, and the keys for that                 |
//! | [`stream`]              | live changes: who listens, and what is told                     |
//! | `health`                | is the deployment set up, and does it keep up?                  |
//! | [`catalog`]             | Stripe's API around entitlements, where we are the source        |
//! | `auth` · `form` · `page` | who asks · parameters · a part of a list                       |
//! | `route`                 | a table of routes, who may take each, and the way through it    |
//! | `cors`                  | what a browser may let pages of other origins ask               |
//! | `error`                 | the only place with the statuses of failures                    |
//! | [`settings`]            | what the operator set                                           |
//!
//! A request comes in and an answer goes out; time, secrets and stores are handed in. What runs this
//! on Cloudflare is in the Workers shell.

mod active_entitlements;
mod activity;
mod auth;
mod authorize;
#[cfg(feature = "catalog")]
pub mod catalog;
mod checks;
mod cors;
mod error;
pub mod fast_path;
mod feature_cache;
mod form;
mod health;
mod ofrep;
mod page;
mod router;
pub mod settings;
mod snapshots;
pub mod stream;
mod sync;
mod sync_status;
mod tokens;
mod webhooks;

use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use serde::Serialize;

use self::{
    active_entitlements::LIST_PATH as LIST, error::Error, router::RouteMatch, settings::Settings,
};
pub use self::{
    feature_cache::FeatureCache,
    router::{Access, Route},
};
use crate::{id::Timestamp, store::Store, token::JwksCache};

/// The most bytes of a body that are read: 1 MiB. A summary with ten entitlements has some 3 KiB,
/// and a thousand previous ones in it 200 KiB. Who hands a request over need not read further than
/// one byte past it.
pub const MAX_BODY_BYTES: usize = 1 << 20;

/// The headers of a request that are looked at; no other needs to be handed over.
pub const REQUEST_HEADERS: [HeaderName; 11] = [
    header::AUTHORIZATION,
    header::CONTENT_TYPE,
    header::IF_NONE_MATCH,
    header::ORIGIN,
    header::ACCESS_CONTROL_REQUEST_METHOD,
    auth::API_KEY_HEADER,
    webhooks::SIGNATURE_HEADER,
    authorize::CUSTOMER_HEADER,
    IDEMPOTENCY_KEY,
    header::UPGRADE,
    stream::LAST_EVENT_ID,
];

/// The key under which the catalog does a request once.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// A request with its body read.
pub type Request = http::Request<Vec<u8>>;

/// An answer, whole; or the head of one, if it carries a [`stream::Listen`] among its extensions.
pub type Response = http::Response<Vec<u8>>;

/// What every route works with.
#[derive(Debug)]
pub struct App<'a, S> {
    /// Where the sets are.
    pub store: &'a S,
    /// What the operator set.
    pub settings: &'a Settings,
    /// The features that were read before.
    pub feature_cache: &'a FeatureCache,
    /// The keys of another issuer, as far as they are known.
    pub jwks_cache: &'a JwksCache,
    /// A number that nobody can guess.
    pub random: fn() -> u128,
    /// Takes a line that the operator should see. It never holds a secret.
    pub log: fn(&str),
}

/// What answers a request.
#[derive(Clone, Copy, Debug)]
pub enum Operation {
    /// One event in.
    Webhook,
    /// Stripe's list.
    ListActiveEntitlements,
    /// The same, under the path in a summary.
    ListCustomerEntitlements,
    /// One of the list.
    RetrieveActiveEntitlement,
    /// The set, read at its source now.
    Sync,
    /// What was decided lately.
    ListActivity,
    /// Who there is.
    ListSyncStatus,
    /// One customer.
    Check,
    /// Many customers.
    CheckBatch,
    /// One customer, for a proxy.
    Authorize,
    /// One customer and one feature, for OpenFeature.
    EvaluateFlag,
    /// One customer and all features, for OpenFeature.
    EvaluateFlags,
    /// A token for a customer.
    CreateToken,
    /// A set that proves itself.
    RetrieveSnapshot,
    /// The keys for that.
    RetrieveJwks,
    /// Changes of one customer, as they happen.
    Stream,
    /// The same, as OpenFeature's clients hear of them.
    OfrepStream,
    /// The state of the deployment.
    Health,
}

/// Every route there is. The page at `/` is a file that the platform serves.
pub const ROUTES: &[Route<Operation>] = &[
    route(Method::POST, "/webhooks/stripe", Access::WebhookSignature, Operation::Webhook),
    route(Method::GET, LIST, Access::CustomerToken, Operation::ListActiveEntitlements),
    route(
        Method::GET,
        "/v1/customer/{id}/entitlements",
        Access::ServerKey,
        Operation::ListCustomerEntitlements,
    ),
    route(
        Method::GET,
        "/v1/entitlements/active_entitlements/{id}",
        Access::ServerKey,
        Operation::RetrieveActiveEntitlement,
    ),
    route(Method::POST, "/v1/customers/{id}/sync", Access::ServerKey, Operation::Sync),
    route(Method::GET, "/v1/activity", Access::ServerKey, Operation::ListActivity),
    route(Method::GET, "/v1/sync_status", Access::ServerKey, Operation::ListSyncStatus),
    route(Method::GET, "/v1/check", Access::CustomerToken, Operation::Check),
    route(Method::POST, "/v1/check", Access::ServerKey, Operation::CheckBatch),
    route(Method::GET, "/v1/authorize", Access::CustomerToken, Operation::Authorize),
    route(
        Method::POST,
        "/ofrep/v1/evaluate/flags",
        Access::CustomerToken,
        Operation::EvaluateFlags,
    ),
    route(
        Method::POST,
        "/ofrep/v1/evaluate/flags/{key*}",
        Access::CustomerToken,
        Operation::EvaluateFlag,
    ),
    route(Method::POST, "/v1/tokens", Access::ServerKey, Operation::CreateToken),
    route(Method::GET, "/v1/snapshot", Access::CustomerToken, Operation::RetrieveSnapshot),
    route(Method::GET, "/.well-known/jwks.json", Access::Public, Operation::RetrieveJwks),
    route(Method::GET, "/v1/stream", Access::CustomerToken, Operation::Stream),
    route(Method::GET, "/ofrep/v1/stream", Access::CustomerToken, Operation::OfrepStream),
    route(Method::GET, "/healthz", Access::Public, Operation::Health),
];

/// A line of the table, short enough for one.
const fn route(
    method: Method,
    path: &'static str,
    who: Access,
    endpoint: Operation,
) -> Route<Operation> {
    Route { method, path, access: who, operation: endpoint }
}

/// Answers a request.
pub async fn handle<S: Store>(app: &App<'_, S>, request: &Request, now: Timestamp) -> Response {
    let mut response = match dispatch(app, request, now).await {
        Ok(response) => response,
        Err(error) => error.log_and_respond(app.log),
    };
    cors::apply(app.settings, request, &mut response);
    if request.method() == Method::HEAD {
        response.body_mut().clear();
    }
    response
}

/// The answer to every request while a setting is malformed.
#[must_use]
pub fn misconfigured(error: &settings::Error) -> Response {
    Error::from(error).to_response()
}

async fn dispatch<S: Store>(
    app: &App<'_, S>,
    request: &Request,
    now: Timestamp,
) -> Result<Response, Error> {
    let (method, path) = (request.method(), request.uri().path());
    let (endpoint, id) = match Route::match_request(ROUTES, method, path)? {
        RouteMatch::Operation(endpoint, ids) => {
            (endpoint, ids.into_iter().next().unwrap_or_default())
        }
        RouteMatch::Options(response) => return Ok(response),
        #[cfg(feature = "catalog")]
        RouteMatch::NotFound => return catalog::forward(app, request).await,
        #[cfg(not(feature = "catalog"))]
        RouteMatch::NotFound => return Err(Error::no_route(method, path)),
    };
    match endpoint {
        // These two say in words of their own what is wrong.
        Operation::EvaluateFlag => Ok(ofrep::evaluate(app, request, &id, now).await),
        Operation::EvaluateFlags => Ok(ofrep::evaluate_all(app, request, now).await),
        _ if request.body().len() > MAX_BODY_BYTES => Err(Error::too_large(MAX_BODY_BYTES)),
        Operation::Webhook => webhooks::receive_stripe(app, request, now).await,
        Operation::ListActiveEntitlements => active_entitlements::list(app, request, now).await,
        Operation::ListCustomerEntitlements => {
            active_entitlements::list_by_customer(app, request, &id, now).await
        }
        Operation::RetrieveActiveEntitlement => {
            active_entitlements::retrieve(app, request, &id).await
        }
        Operation::Sync => sync::sync(app, request, &id).await,
        Operation::ListActivity => activity::list(app, request).await,
        Operation::ListSyncStatus => sync_status::list(app, request).await,
        Operation::Check => checks::check(app, request, now).await,
        Operation::CheckBatch => checks::check_batch(app, request).await,
        Operation::Authorize => authorize::authorize(app, request, now).await,
        Operation::CreateToken => tokens::create(app, request, now),
        Operation::RetrieveSnapshot => snapshots::retrieve(app, request, now).await,
        Operation::RetrieveJwks => Ok(snapshots::jwks(app)),
        Operation::Stream => stream::change_stream(app, request, now).await,
        Operation::OfrepStream => stream::refetch_stream(app, request, now).await,
        Operation::Health => Ok(health::health(app, now).await),
    }
}

/// A JSON answer.
fn json_response(status: StatusCode, body: &impl Serialize) -> Response {
    // Nothing that is answered here fails to serialise: no map has a key that is no text.
    raw_json_response(status, serde_json::to_vec(body).unwrap_or_default())
}

/// A JSON answer that is written already. None is ever kept by a cache: a no may be a yes a second
/// later.
fn raw_json_response(status: StatusCode, body: Vec<u8>) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A header's text, if it is one.
fn header_str(request: &Request, name: HeaderName) -> Option<&str> {
    request.headers().get(name)?.to_str().ok()
}
