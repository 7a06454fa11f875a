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
mod features;
mod form;
mod health;
pub mod hot;
mod ofrep;
mod page;
mod roster;
mod route;
pub mod settings;
mod snapshots;
pub mod stream;
mod sync;
mod tokens;
mod webhooks;

use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use serde::Serialize;

use self::{active_entitlements::PATH as LIST, error::Error, route::Found, settings::Settings};
pub use self::{
    features::Features,
    route::{Route, Who},
};
use crate::{id::Timestamp, store::Store, token::Keyring};

/// The most bytes of a body that are read: 1 MiB. A summary with ten entitlements has some 3 KiB,
/// and a thousand previous ones in it 200 KiB. Who hands a request over need not read further than
/// one byte past it.
pub const BODY_LIMIT: usize = 1 << 20;

/// The headers of a request that are looked at; no other needs to be handed over.
pub const HEADERS: [HeaderName; 11] = [
    header::AUTHORIZATION,
    header::CONTENT_TYPE,
    header::IF_NONE_MATCH,
    header::ORIGIN,
    header::ACCESS_CONTROL_REQUEST_METHOD,
    auth::API_KEY,
    webhooks::SIGNATURE,
    authorize::CUSTOMER,
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
    pub features: &'a Features,
    /// The keys of another issuer, as far as they are known.
    pub keyring: &'a Keyring,
    /// A number that nobody can guess.
    pub random: fn() -> u128,
    /// Takes a line that the operator should see. It never holds a secret.
    pub log: fn(&str),
}

/// What answers a request.
#[derive(Clone, Copy, Debug)]
pub enum Endpoint {
    /// One event in.
    Webhook,
    /// Stripe's list.
    ListActiveEntitlements,
    /// The same, under the path in a summary.
    ListOfSummary,
    /// One of the list.
    RetrieveActiveEntitlement,
    /// The set, read at its source now.
    Sync,
    /// What was decided lately.
    ListActivity,
    /// Who there is.
    ListRoster,
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
    Snapshot,
    /// The keys for that.
    SnapshotKeys,
    /// Changes of one customer, as they happen.
    Stream,
    /// The same, as OpenFeature's clients hear of them.
    OfrepStream,
    /// The state of the deployment.
    Health,
}

/// Every route there is. The page at `/` is a file that the platform serves.
pub const ROUTES: &[Route<Endpoint>] = &[
    route(Method::POST, "/webhooks/stripe", Who::Signer, Endpoint::Webhook),
    route(Method::GET, LIST, Who::Customer, Endpoint::ListActiveEntitlements),
    route(Method::GET, "/v1/customer/{id}/entitlements", Who::Server, Endpoint::ListOfSummary),
    route(
        Method::GET,
        "/v1/entitlements/active_entitlements/{id}",
        Who::Server,
        Endpoint::RetrieveActiveEntitlement,
    ),
    route(Method::POST, "/v1/customers/{id}/sync", Who::Server, Endpoint::Sync),
    route(Method::GET, "/v1/activity", Who::Server, Endpoint::ListActivity),
    route(Method::GET, "/v1/roster", Who::Server, Endpoint::ListRoster),
    route(Method::GET, "/v1/check", Who::Customer, Endpoint::Check),
    route(Method::POST, "/v1/check", Who::Server, Endpoint::CheckBatch),
    route(Method::GET, "/v1/authorize", Who::Customer, Endpoint::Authorize),
    route(Method::POST, "/ofrep/v1/evaluate/flags", Who::Customer, Endpoint::EvaluateFlags),
    route(Method::POST, "/ofrep/v1/evaluate/flags/{key*}", Who::Customer, Endpoint::EvaluateFlag),
    route(Method::POST, "/v1/tokens", Who::Server, Endpoint::CreateToken),
    route(Method::GET, "/v1/snapshot", Who::Customer, Endpoint::Snapshot),
    route(Method::GET, "/.well-known/jwks.json", Who::Anyone, Endpoint::SnapshotKeys),
    route(Method::GET, "/v1/stream", Who::Customer, Endpoint::Stream),
    route(Method::GET, "/ofrep/v1/stream", Who::Customer, Endpoint::OfrepStream),
    route(Method::GET, "/healthz", Who::Anyone, Endpoint::Health),
];

/// A line of the table, short enough for one.
const fn route(
    method: Method,
    path: &'static str,
    who: Who,
    endpoint: Endpoint,
) -> Route<Endpoint> {
    Route { method, path, who, endpoint }
}

/// Answers a request.
pub async fn handle<S: Store>(app: &App<'_, S>, request: &Request, now: Timestamp) -> Response {
    let mut response = match answer(app, request, now).await {
        Ok(response) => response,
        Err(error) => error.logged(app.log),
    };
    cors::admit(app.settings, request, &mut response);
    if request.method() == Method::HEAD {
        response.body_mut().clear();
    }
    response
}

/// The answer to every request while a setting is malformed.
#[must_use]
pub fn misconfigured(error: &settings::Error) -> Response {
    Error::from(error).response()
}

async fn answer<S: Store>(
    app: &App<'_, S>,
    request: &Request,
    now: Timestamp,
) -> Result<Response, Error> {
    let (method, path) = (request.method(), request.uri().path());
    let (endpoint, id) = match Route::find(ROUTES, method, path)? {
        Found::Endpoint(endpoint, ids) => (endpoint, ids.into_iter().next().unwrap_or_default()),
        Found::Options(response) => return Ok(response),
        #[cfg(feature = "catalog")]
        Found::Nothing => return catalog::ask(app, request).await,
        #[cfg(not(feature = "catalog"))]
        Found::Nothing => return Err(Error::no_route(method, path)),
    };
    match endpoint {
        // These two say in words of their own what is wrong.
        Endpoint::EvaluateFlag => Ok(ofrep::evaluate(app, request, &id, now).await),
        Endpoint::EvaluateFlags => Ok(ofrep::evaluate_all(app, request, now).await),
        _ if request.body().len() > BODY_LIMIT => Err(Error::too_large(BODY_LIMIT)),
        Endpoint::Webhook => webhooks::stripe(app, request, now).await,
        Endpoint::ListActiveEntitlements => active_entitlements::list(app, request, now).await,
        Endpoint::ListOfSummary => {
            active_entitlements::list_of_summary(app, request, &id, now).await
        }
        Endpoint::RetrieveActiveEntitlement => {
            active_entitlements::retrieve(app, request, &id).await
        }
        Endpoint::Sync => sync::sync(app, request, &id).await,
        Endpoint::ListActivity => activity::list(app, request).await,
        Endpoint::ListRoster => roster::list(app, request).await,
        Endpoint::Check => checks::one_customer(app, request, now).await,
        Endpoint::CheckBatch => checks::batch(app, request).await,
        Endpoint::Authorize => authorize::authorize(app, request, now).await,
        Endpoint::CreateToken => tokens::create(app, request, now),
        Endpoint::Snapshot => snapshots::retrieve(app, request, now).await,
        Endpoint::SnapshotKeys => Ok(snapshots::keys(app)),
        Endpoint::Stream => stream::changes(app, request, now).await,
        Endpoint::OfrepStream => stream::refetches(app, request, now).await,
        Endpoint::Health => Ok(health::health(app, now).await),
    }
}

/// A JSON answer.
fn json(status: StatusCode, body: &impl Serialize) -> Response {
    // Nothing that is answered here fails to serialise: no map has a key that is no text.
    json_text(status, serde_json::to_vec(body).unwrap_or_default())
}

/// A JSON answer that is written already. None is ever kept by a cache: a no may be a yes a second
/// later.
fn json_text(status: StatusCode, body: Vec<u8>) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A header's text, if it is one.
fn text(request: &Request, name: HeaderName) -> Option<&str> {
    request.headers().get(name)?.to_str().ok()
}
