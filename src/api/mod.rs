//! The HTTP API over any store: [`ROUTES`] lists every route, [`handle()`] answers a request.
//!
//! | file                             | content                                                      |
//! |----------------------------------|--------------------------------------------------------------|
//! | `app`                            | the request context, requests, responses                     |
//! | `router`                         | matches a method and a path against a route table            |
//! | [`body`]                         | request bodies: their limits, and when they are read         |
//! | `auth` · `credential`            | callers · the key or token of a request                      |
//! | `form` · `page`                  | parameters · pagination                                      |
//! | `idempotency`                    | idempotency keys                                             |
//! | `error` · `nearest`              | every failure and its status · the name that was meant       |
//! | [`settings`]                     | the operator's settings                                      |
//! | [`deployment`]                   | the jurisdiction in which the objects were created           |
//! | `cors` · `refused_origins`       | cross-origin requests from browsers · those that were logged |
//! | `webhooks`                       | `POST /webhooks/stripe`                                      |
//! | `active_entitlements`            | Stripe's list and retrieve                                   |
//! | `catalog_list`                   | the list where the catalog is the source                     |
//! | `feature_cache`, `known_features` | which features exist, and Stripe's feature objects          |
//! | `customer_set`                   | loads the record of one customer, and decides about it       |
//! | `checks` · `authorize`           | checks for backends and browsers · for proxies               |
//! | [`fast_path`]                    | the most frequent requests, answered without a full request |
//! | `ofrep`                          | OpenFeature Remote Evaluation Protocol                       |
//! | `sync`                           | reads a customer's entitlements from the source now          |
//! | `overrides`                      | grants and denials by an operator                            |
//! | `history` · `explain`            | the changes of one customer · why a check has its answer     |
//! | `activity` · `sync_status`       | recent decisions · known customers                           |
//! | `tokens` · `snapshots`           | customer tokens · signed entitlement snapshots               |
//! | [`stream`] · `last_event_id`     | live changes over server-sent events or a WebSocket          |
//! | `health` · `health_cache`        | the state of the deployment                                  |
//! | [`catalog`]                      | Stripe's API around entitlements, for the built-in catalog   |
//!
//! The caller passes the time, the secrets and the stores. The Workers shell, which runs this code on
//! Cloudflare, is not here.

mod app;
pub mod body;
mod router;

mod nearest;

mod error;
mod form;
mod idempotency;
mod page;
pub mod settings;

pub mod deployment;

mod auth;
mod cors;
mod credential;

mod refused_origins;

mod customer_set;

mod activity;
mod authorize;
mod checks;
mod explain;
mod health;
mod health_cache;
mod history;
mod override_params;
mod overrides;
mod snapshots;
mod sync;
mod sync_status;
mod tokens;
mod webhooks;

mod active_entitlements;
mod catalog_list;
mod feature_cache;
mod known_features;

mod last_event_id;
pub mod stream;

pub mod stream_relay;

mod ofrep;

#[cfg(feature = "catalog")]
pub mod catalog;

pub mod fast_path;

use http::{HeaderName, HeaderValue, Method, header};

use self::{
    active_entitlements::LIST_PATH, body::RequestBody, deployment::JurisdictionChanged,
    error::Error, router::RouteMatch,
};
pub use self::{
    app::{App, REQUEST_ID, Request, Response, STRIPE_VERSION},
    auth::BoundCaller,
    checks::DeniedFeature,
    error::CODES as ERROR_CODES,
    feature_cache::FeatureCache,
    health_cache::HealthCache,
    idempotency::IDEMPOTENCY_KEY,
    last_event_id::LAST_EVENT_ID,
    refused_origins::RefusedOrigins,
    router::{Access, Route},
};
use crate::{id::Timestamp, store::Store};

/// The request headers that a handler may read. A shell passes these and may drop all others.
pub const REQUEST_HEADERS: [HeaderName; 12] = [
    header::AUTHORIZATION,
    header::CONTENT_TYPE,
    header::IF_NONE_MATCH,
    header::ORIGIN,
    header::ACCESS_CONTROL_REQUEST_METHOD,
    credential::API_KEY_HEADER,
    webhooks::SIGNATURE_HEADER,
    authorize::CUSTOMER_HEADER,
    IDEMPOTENCY_KEY,
    STRIPE_VERSION,
    header::UPGRADE,
    LAST_EVENT_ID,
];

/// What a route does.
#[derive(Clone, Copy, Debug)]
pub enum Operation {
    /// Receives one event of Stripe.
    Webhook,
    /// Lists active entitlements, as Stripe does.
    ListActiveEntitlements,
    /// The same list, under the `url` in a summary event.
    ListCustomerEntitlements,
    /// Retrieves one active entitlement.
    RetrieveActiveEntitlement,
    /// Reads a customer's entitlements from the source now.
    Sync,
    /// Creates an override.
    CreateOverride,
    /// Lists the overrides of one customer.
    ListOverrides,
    /// Retrieves an override.
    RetrieveOverride,
    /// Updates an override.
    UpdateOverride,
    /// Ends an override now.
    DeleteOverride,
    /// Lists the changes of one customer's entitlements.
    ListHistory,
    /// Explains the answer of a check.
    Explain,
    /// Lists recent decisions.
    ListActivity,
    /// Lists known customers and their sync status.
    ListSyncStatus,
    /// Checks features of one customer.
    Check,
    /// Checks features of several customers.
    CheckBatch,
    /// Checks features of one customer for a proxy.
    Authorize,
    /// Evaluates one flag for OpenFeature.
    EvaluateFlag,
    /// Evaluates all flags of one customer for OpenFeature.
    EvaluateFlags,
    /// Creates a customer token.
    CreateToken,
    /// Returns a customer's entitlements as a signed JWT.
    RetrieveSnapshot,
    /// Returns the public keys that verify snapshots.
    RetrieveJwks,
    /// Streams the changes of one customer.
    Stream,
    /// Streams refetch notifications to OpenFeature clients.
    OfrepStream,
    /// Reports the state of the deployment.
    Health,
}

/// Every route except those of the catalog. The platform serves the page at `/` from a file.
pub const ROUTES: &[Route<Operation>] = &[
    route(Method::POST, "/webhooks/stripe", Access::WebhookSignature, Operation::Webhook),
    route(Method::GET, LIST_PATH, Access::CustomerToken, Operation::ListActiveEntitlements),
    route(
        Method::GET,
        "/v1/customer/{id}/entitlements",
        Access::ReadKey,
        Operation::ListCustomerEntitlements,
    ),
    route(
        Method::GET,
        "/v1/entitlements/active_entitlements/{id}",
        Access::ReadKey,
        Operation::RetrieveActiveEntitlement,
    ),
    route(Method::POST, "/v1/customers/{id}/sync", Access::ServerKey, Operation::Sync),
    route(
        Method::GET,
        "/v1/customers/{customer}/overrides",
        Access::ServerKey,
        Operation::ListOverrides,
    ),
    route(
        Method::POST,
        "/v1/customers/{customer}/overrides",
        Access::ServerKey,
        Operation::CreateOverride,
    ),
    route(
        Method::GET,
        "/v1/customers/{customer}/overrides/{id}",
        Access::ServerKey,
        Operation::RetrieveOverride,
    ),
    route(
        Method::POST,
        "/v1/customers/{customer}/overrides/{id}",
        Access::ServerKey,
        Operation::UpdateOverride,
    ),
    route(
        Method::DELETE,
        "/v1/customers/{customer}/overrides/{id}",
        Access::ServerKey,
        Operation::DeleteOverride,
    ),
    route(
        Method::GET,
        "/v1/customers/{customer}/history",
        Access::ServerKey,
        Operation::ListHistory,
    ),
    route(Method::GET, "/v1/explain", Access::ServerKey, Operation::Explain),
    route(Method::GET, "/v1/activity", Access::ServerKey, Operation::ListActivity),
    route(Method::GET, "/v1/sync_status", Access::ServerKey, Operation::ListSyncStatus),
    route(Method::GET, "/v1/check", Access::CustomerToken, Operation::Check),
    route(Method::POST, "/v1/check", Access::ReadKey, Operation::CheckBatch),
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

/// A row of the table. It keeps one row on one line.
const fn route(
    method: Method,
    path: &'static str,
    access: Access,
    operation: Operation,
) -> Route<Operation> {
    Route { method, path, access, operation }
}

/// The value of `X-Content-Type-Options` in every response: a browser must not guess another type.
const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");

/// Answers a request. Its body is read once the caller is authenticated: see [`body`].
pub async fn handle<S: Store, B: RequestBody>(
    app: &App<'_, S>,
    request: http::Request<B>,
    now: Timestamp,
) -> Response {
    let (head, body) = request.into_parts();
    let mut request = Request::from_parts(head, Vec::new());
    let mut response = match dispatch(app, &mut request, &body, now).await {
        Ok(response) => response,
        Err(error) => error.log_and_respond(app.log),
    };
    cors::apply(app, ROUTES, &request, &mut response);
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    if request.method() == Method::HEAD {
        response.body_mut().clear();
    }
    response
}

/// The response to every request while a setting is malformed.
#[must_use]
pub fn misconfigured(error: &settings::Error) -> Response {
    stopped(&Error::from(error))
}

/// The response to every request while the objects are in another jurisdiction than the settings say.
#[must_use]
pub fn jurisdiction_changed(changed: &JurisdictionChanged) -> Response {
    stopped(&Error::jurisdiction_changed(changed))
}

/// The response to every request on a runtime that has no jurisdictions, while one is set.
#[must_use]
pub fn jurisdiction_unsupported() -> Response {
    let problem = "is set, and this runtime has no jurisdictions: unset it here, and set it on Cloudflare only";
    misconfigured(&settings::Error { name: settings::JURISDICTION, problem })
}

fn stopped(error: &Error) -> Response {
    let mut response = error.to_response();
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    response
}

async fn dispatch<S: Store>(
    app: &App<'_, S>,
    request: &mut Request,
    body: &impl RequestBody,
    now: Timestamp,
) -> Result<Response, Error> {
    if let Some(authority) = request.uri().authority() {
        auth::check_host(app.settings, authority.as_str())?;
    }
    let (method, path) = (request.method(), request.uri().path());
    let (operation, mut ids) = match Route::match_request(ROUTES, method, path)? {
        RouteMatch::Operation(operation, ids) => (operation, ids.into_iter()),
        RouteMatch::Options(response) => return Ok(response),
        #[cfg(feature = "catalog")]
        RouteMatch::NotFound => {
            let paths = ROUTES.iter().map(|route| route.path);
            return catalog::forward(app, request, body, paths).await;
        }
        #[cfg(not(feature = "catalog"))]
        RouteMatch::NotFound => {
            let meant = router::nearest_path(ROUTES.iter().map(|route| route.path), path);
            return Err(Error::no_route(method, path, meant));
        }
    };
    let id = ids.next().unwrap_or_default();
    let second_id = ids.next().unwrap_or_default();
    match operation {
        Operation::Webhook => webhooks::receive_stripe(app, request, body, now).await,
        Operation::ListActiveEntitlements => active_entitlements::list(app, request, now).await,
        Operation::ListCustomerEntitlements => {
            active_entitlements::list_by_customer(app, request, &id, now).await
        }
        Operation::RetrieveActiveEntitlement => {
            active_entitlements::retrieve(app, request, &id).await
        }
        Operation::Sync => sync::sync(app, request, body, &id, now).await,
        Operation::CreateOverride => overrides::create(app, request, body, &id, now).await,
        Operation::ListOverrides => overrides::list(app, request, &id).await,
        Operation::RetrieveOverride => overrides::retrieve(app, request, &id, &second_id).await,
        Operation::UpdateOverride => overrides::update(app, request, body, &id, &second_id).await,
        Operation::DeleteOverride => overrides::delete(app, request, body, &id, &second_id).await,
        Operation::ListHistory => history::list(app, request, &id).await,
        Operation::Explain => explain::explain(app, request, now).await,
        Operation::ListActivity => activity::list(app, request).await,
        Operation::ListSyncStatus => sync_status::list(app, request).await,
        Operation::Check => checks::check(app, request, now).await,
        Operation::CheckBatch => checks::check_batch(app, request, body, now).await,
        Operation::Authorize => authorize::authorize(app, request, now).await,
        Operation::EvaluateFlag => Ok(ofrep::evaluate(app, request, body, &id, now).await),
        Operation::EvaluateFlags => Ok(ofrep::evaluate_all(app, request, body, now).await),
        Operation::CreateToken => tokens::create(app, request, body, now).await,
        Operation::RetrieveSnapshot => snapshots::retrieve(app, request, now).await,
        Operation::RetrieveJwks => Ok(snapshots::jwks(app)),
        Operation::Stream => stream::change_stream(app, request, now).await,
        Operation::OfrepStream => stream::refetch_stream(app, request, now).await,
        Operation::Health => Ok(health::health(app, request, now).await),
    }
}
