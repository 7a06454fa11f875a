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
//! | `auth` · `form` · `page` | who asks · parameters · a part of a list                       |
//! | `error`                 | the only place with the statuses of failures                    |
//! | [`settings`]            | what the operator set                                           |
//!
//! A request comes in and an answer goes out; time, secrets and stores are handed in. What runs this
//! on Cloudflare is in the Workers shell.

mod active_entitlements;
mod auth;
mod checks;
mod error;
mod features;
mod form;
mod health;
mod page;
pub mod settings;
mod sync;
mod webhooks;

use std::borrow::Cow;

use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use percent_encoding::percent_decode_str;
use serde::Serialize;

pub use self::features::Features;
use self::{error::Error, settings::Settings};
use crate::{id::Timestamp, store::Store};

/// The most bytes of a body that are read: 1 MiB. A summary with ten entitlements has some 3 KiB,
/// and a thousand previous ones in it 200 KiB. Who hands a request over need not read further than
/// one byte past it.
pub const BODY_LIMIT: usize = 1 << 20;

/// The headers that are looked at; no other needs to be handed over.
pub const HEADERS: [HeaderName; 3] =
    [header::AUTHORIZATION, header::CONTENT_TYPE, HeaderName::from_static("stripe-signature")];

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

/// One line of the route table.
#[derive(Debug)]
pub struct Route {
    /// The method; a `GET` answers `HEAD` too.
    pub method: Method,
    /// The path; `{id}` stands for one segment.
    pub path: &'static str,
    endpoint: Endpoint,
}

#[derive(Clone, Copy, Debug)]
enum Endpoint {
    Webhook,
    ListActiveEntitlements,
    ListOfSummary,
    RetrieveActiveEntitlement,
    Sync,
    Check,
    CheckBatch,
    Health,
}

/// Every route there is. The page at `/` is a file that the platform serves.
pub const ROUTES: &[Route] = &[
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
    let (endpoint, id) = match find(request.method(), request.uri().path())? {
        Found::Endpoint(endpoint, id) => (endpoint, id),
        Found::Options(response) => return Ok(response),
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

enum Found {
    /// The endpoint, and what stands for `{id}` in its path.
    Endpoint(Endpoint, String),
    /// The answer to an `OPTIONS`.
    Options(Response),
}

fn find(method: &Method, path: &str) -> Result<Found, Error> {
    let matching: Vec<_> =
        ROUTES.iter().filter_map(|route| Some((route, captured(route.path, path)?))).collect();
    if matching.is_empty() {
        return Err(Error::no_route(method, path));
    }
    let wanted = if method == Method::HEAD { &Method::GET } else { method };
    if let Some((route, id)) = matching.iter().find(|(route, _)| route.method == *wanted) {
        return Ok(Found::Endpoint(route.endpoint, id.clone().into_owned()));
    }
    let mut allowed = vec![Method::OPTIONS.as_str()];
    for (route, _) in &matching {
        allowed.push(route.method.as_str());
        if route.method == Method::GET {
            allowed.push(Method::HEAD.as_str());
        }
    }
    let allowed = allowed.join(", ");
    if method != Method::OPTIONS {
        return Err(Error::method_not_allowed(method, path, allowed));
    }
    let mut response = Response::default();
    *response.status_mut() = StatusCode::NO_CONTENT;
    if let Ok(allowed) = HeaderValue::from_str(&allowed) {
        response.headers_mut().insert(header::ALLOW, allowed);
    }
    Ok(Found::Options(response))
}

/// What stands for `{id}`, decoded, if the path has the route's form.
fn captured<'a>(route: &str, path: &'a str) -> Option<Cow<'a, str>> {
    let mut captured = Cow::Borrowed("");
    let mut segments = path.split('/');
    for expected in route.split('/') {
        let segment = segments.next()?;
        if expected == "{id}" {
            captured = percent_decode_str(segment).decode_utf8().ok()?;
        } else if expected != segment {
            return None;
        }
    }
    segments.next().is_none().then_some(captured)
}

/// A JSON answer. None is ever kept by a cache: a no may be a yes a second later.
fn json(status: StatusCode, body: &impl Serialize) -> Response {
    // Nothing that is answered here fails to serialise: no map has a key that is no text.
    let mut response = Response::new(serde_json::to_vec(body).unwrap_or_default());
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
