//! HTTP over any store: [`ROUTES`] is the table of all routes, [`handle()`] the way through it.
//!
//! | file                    | answers                                                         |
//! |-------------------------|-----------------------------------------------------------------|
//! | `webhooks`              | one event in                                                    |
//! | `active_entitlements`   | Stripe's list, and one of it                                    |
//! | `features`              | what only Stripe knows of a feature, kept for a while           |
//! | `checks`                | may this customer use this feature?                             |
//! | `sync`                  | the set, read at its source now                                 |
//! | `health`                | is the deployment set up, and does it keep up?                  |
//! | [`catalog`]             | Stripe's API around entitlements, where we are the source        |
//! | `auth` · `form` · `page` | who asks · parameters · a part of a list                       |
//! | `route`                 | a table of routes, and the way through it                       |
//! | `error`                 | the only place with the statuses of failures                    |
//! | [`settings`]            | what the operator set                                           |
//!
//! A request comes in and an answer goes out; time, secrets and stores are handed in. What runs this
//! on Cloudflare is in the Workers shell.

mod active_entitlements;
mod auth;
pub mod catalog;
mod checks;
mod error;
mod features;
mod form;
mod health;
mod page;
mod route;
pub mod settings;
mod sync;
mod webhooks;

use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use serde::Serialize;

use self::{error::Error, route::Found, settings::Settings};
pub use self::{features::Features, route::Route};
use crate::{
    id::Timestamp,
    store::{Catalog as _, Store},
};

/// The most bytes of a body that are read: 1 MiB. A summary with ten entitlements has some 3 KiB,
/// and a thousand previous ones in it 200 KiB. Who hands a request over need not read further than
/// one byte past it.
pub const BODY_LIMIT: usize = 1 << 20;

/// The headers of a request that are looked at; no other needs to be handed over.
pub const HEADERS: [HeaderName; 4] = [
    header::AUTHORIZATION,
    header::CONTENT_TYPE,
    HeaderName::from_static("stripe-signature"),
    catalog::IDEMPOTENCY_KEY,
];

/// A request with its body read.
pub type Request = http::Request<Vec<u8>>;

/// An answer, whole.
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
    /// One customer.
    Check,
    /// Many customers.
    CheckBatch,
    /// The state of the deployment.
    Health,
}

/// Every route there is. The page at `/` is a file that the platform serves.
pub const ROUTES: &[Route<Endpoint>] = &[
    Route { method: Method::POST, path: "/webhooks/stripe", endpoint: Endpoint::Webhook },
    Route {
        method: Method::GET,
        path: "/v1/entitlements/active_entitlements",
        endpoint: Endpoint::ListActiveEntitlements,
    },
    Route {
        method: Method::GET,
        path: "/v1/customer/{id}/entitlements",
        endpoint: Endpoint::ListOfSummary,
    },
    Route {
        method: Method::GET,
        path: "/v1/entitlements/active_entitlements/{id}",
        endpoint: Endpoint::RetrieveActiveEntitlement,
    },
    Route { method: Method::POST, path: "/v1/customers/{id}/sync", endpoint: Endpoint::Sync },
    Route { method: Method::GET, path: "/v1/check", endpoint: Endpoint::Check },
    Route { method: Method::POST, path: "/v1/check", endpoint: Endpoint::CheckBatch },
    Route { method: Method::GET, path: "/healthz", endpoint: Endpoint::Health },
];

/// Answers a request.
pub async fn handle<S: Store>(app: &App<'_, S>, request: &Request, now: Timestamp) -> Response {
    let mut response = match answer(app, request, now).await {
        Ok(response) => response,
        Err(error) => {
            if let Some(cause) = error.cause() {
                (app.log)(cause);
            }
            error.response()
        }
    };
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
        Found::Nothing => return ask_catalog(app, request).await,
    };
    if request.body().len() > BODY_LIMIT {
        return Err(Error::too_large(BODY_LIMIT));
    }
    match endpoint {
        Endpoint::Webhook => webhooks::stripe(app, request, now).await,
        Endpoint::ListActiveEntitlements => active_entitlements::list(app, request, now).await,
        Endpoint::ListOfSummary => {
            active_entitlements::list_of_summary(app, request, &id, now).await
        }
        Endpoint::RetrieveActiveEntitlement => {
            active_entitlements::retrieve(app, request, &id).await
        }
        Endpoint::Sync => sync::sync(app, request, &id).await,
        Endpoint::Check => checks::one_customer(app, request).await,
        Endpoint::CheckBatch => checks::batch(app, request).await,
        Endpoint::Health => Ok(health::health(app, now).await),
    }
}

/// The answer of a route that is none of the edge's.
async fn ask_catalog<S: Store>(app: &App<'_, S>, request: &Request) -> Result<Response, Error> {
    let (method, path) = (request.method(), request.uri().path());
    match Route::find(catalog::ROUTES, method, path)? {
        Found::Endpoint(..) => {}
        Found::Options(response) => return Ok(response),
        Found::Nothing => return Err(Error::no_route(method, path)),
    }
    let livemode = auth::authenticate(app.settings, request)?;
    catalog::key(request)?;
    match app.store.catalog() {
        Some(catalog) => Ok(catalog.ask(livemode, request).await?),
        None => Err(Error::no_catalog(method, path)),
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
fn text(request: &Request, name: impl header::AsHeaderName) -> Option<&str> {
    request.headers().get(name)?.to_str().ok()
}
