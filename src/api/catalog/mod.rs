//! The API of the built-in catalog: Stripe's API around entitlements, with a few extensions.
//!
//! | file                  | what it has                                                    |
//! |-----------------------|----------------------------------------------------------------|
//! | `context`             | the context of a request                                       |
//! | `params`              | parameters of Stripe's types                                   |
//! | `price_params` · `product_params` | parameters of prices and products                  |
//! | `expand` · `expandable` | the `expand` parameter · the properties that it accepts      |
//! | `features` · `products` · `prices` | handlers of the product catalog                   |
//! | `plans`               | handlers of plans, the older form of prices                    |
//! | `customers` · `subscriptions` · `subscription_items` · `subscription_pauses` | handlers of customers and what they bought |
//! | `payment_methods`     | handlers of payment methods                                    |
//! | `search`              | handlers that search customers, subscriptions, products, prices |
//! | `accounts`            | handlers of the account                                        |
//! | `entitlements`        | handlers of active entitlements                                |
//! | `test_clocks`         | handlers of test clocks                                        |
//! | `events` · `webhook_endpoints` | handlers of events and their delivery                 |
//! | `endpoint_url`        | the target URL of a webhook endpoint                           |
//! | `absent`              | what Stripe has and the catalog has not                        |
//!
//! The edge checks the key and forwards the request with `forward()`. The catalog object runs it
//! with [`handle()`] in one transaction: a rejected request changes nothing. The rules are in
//! [`crate::catalog`]. Statuses of errors are in `api::error::catalog`.
//!
//! Specification: <https://docs.stripe.com/api>.

mod absent;
mod accounts;
mod context;
mod customers;
mod endpoint_url;
mod entitlements;
mod events;
mod expand;
mod expandable;
mod features;
mod params;
mod payment_methods;
mod plans;
mod price_params;
mod prices;
mod product_params;
mod products;
mod search;
mod subscription_items;
mod subscription_pauses;
mod subscriptions;
mod test_clocks;
mod webhook_endpoints;

use std::iter;

use http::{HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use serde_json::Value;

use self::context::RequestContext;
use super::{
    app::{App, REQUEST_ID, Request, Response, STRIPE_VERSION, header_str, raw_json_response},
    auth,
    body::{self, MAX_CATALOG_BYTES, MAX_CATALOG_GET_BYTES, RequestBody},
    error::Error,
    form::{Params, has_json_body},
    idempotency::{self, IDEMPOTENCY_KEY, IDEMPOTENT_REPLAYED},
    router::{Access, Route, RouteMatch, nearest_path},
};
use crate::{
    catalog::{
        RequestInfo, Tx,
        engine::idempotency::{self as responses, NewResponse, StoredReplay},
        objects::api_version::ApiVersion,
    },
    json,
    store::{CatalogClient as _, Store},
};

/// The id of the request that the replayed response first responded to.
const ORIGINAL_REQUEST: HeaderName = HeaderName::from_static("original-request");

/// The headers that a response can have. The catalog object sends no others to the edge.
pub const RESPONSE_HEADERS: [HeaderName; 8] = [
    header::CONTENT_TYPE,
    header::CACHE_CONTROL,
    header::ALLOW,
    header::RETRY_AFTER,
    STRIPE_VERSION,
    IDEMPOTENCY_KEY,
    IDEMPOTENT_REPLAYED,
    ORIGINAL_REQUEST,
];

/// A handler of a route.
pub(super) type CatalogHandler = fn(&mut RequestContext<'_>) -> Result<Value, Error>;

/// A row of the route table.
const fn route(
    method: Method,
    path: &'static str,
    handler: CatalogHandler,
) -> Route<CatalogHandler> {
    Route { method, path, access: Access::ServerKey, operation: handler }
}

/// The route table of the catalog.
pub(super) const ROUTES: &[Route<CatalogHandler>] = &[
    route(Method::GET, "/v1/entitlements/features", features::list),
    route(Method::POST, "/v1/entitlements/features", features::create),
    route(Method::GET, "/v1/entitlements/features/{id}", features::retrieve),
    route(Method::POST, "/v1/entitlements/features/{id}", features::update),
    route(Method::GET, "/v1/entitlements/active_entitlements", entitlements::list),
    route(Method::GET, "/v1/entitlements/active_entitlements/{id}", entitlements::retrieve),
    route(Method::GET, "/v1/customer/{id}/entitlements", entitlements::list_for_customer),
    route(Method::GET, "/v1/products", products::list),
    route(Method::POST, "/v1/products", products::create),
    route(Method::GET, "/v1/products/search", search::products),
    route(Method::GET, "/v1/products/{id}", products::retrieve),
    route(Method::POST, "/v1/products/{id}", products::update),
    route(Method::DELETE, "/v1/products/{id}", products::delete),
    route(Method::GET, "/v1/products/{product}/features", features::list_for_product),
    route(Method::POST, "/v1/products/{product}/features", features::attach),
    route(Method::POST, "/v1/products/{product}/features/apply", features::apply),
    route(Method::GET, "/v1/products/{product}/features/{id}", features::retrieve_for_product),
    route(Method::DELETE, "/v1/products/{product}/features/{id}", features::detach),
    route(Method::GET, "/v1/prices", prices::list),
    route(Method::POST, "/v1/prices", prices::create),
    route(Method::GET, "/v1/prices/search", search::prices),
    route(Method::GET, "/v1/prices/{id}", prices::retrieve),
    route(Method::POST, "/v1/prices/{id}", prices::update),
    route(Method::GET, "/v1/plans", plans::list),
    route(Method::GET, "/v1/plans/{id}", plans::retrieve),
    route(Method::GET, "/v1/customers", customers::list),
    route(Method::POST, "/v1/customers", customers::create),
    route(Method::GET, "/v1/customers/search", search::customers),
    route(Method::GET, "/v1/customers/{id}", customers::retrieve),
    route(Method::POST, "/v1/customers/{id}", customers::update),
    route(Method::DELETE, "/v1/customers/{id}", customers::delete),
    route(Method::GET, "/v1/customers/{id}/payment_methods", payment_methods::list_for_customer),
    route(
        Method::GET,
        "/v1/customers/{customer}/payment_methods/{id}",
        payment_methods::retrieve_for_customer,
    ),
    route(Method::GET, "/v1/customers/{id}/sources", payment_methods::list_none),
    route(Method::GET, "/v1/customers/{id}/subscriptions", subscriptions::list_for_customer),
    route(Method::GET, "/v1/customers/{id}/tax_ids", payment_methods::list_none),
    route(Method::GET, "/v1/payment_methods", payment_methods::list),
    route(Method::GET, "/v1/payment_methods/{id}", payment_methods::retrieve),
    route(Method::GET, "/v1/subscriptions", subscriptions::list),
    route(Method::POST, "/v1/subscriptions", subscriptions::create),
    route(Method::GET, "/v1/subscriptions/search", search::subscriptions),
    route(Method::GET, "/v1/subscriptions/{id}", subscriptions::retrieve),
    route(Method::POST, "/v1/subscriptions/{id}", subscriptions::update),
    route(Method::DELETE, "/v1/subscriptions/{id}", subscriptions::cancel),
    route(Method::POST, "/v1/subscriptions/{id}/pause", subscription_pauses::pause),
    route(Method::POST, "/v1/subscriptions/{id}/resume", subscription_pauses::resume),
    route(Method::GET, "/v1/subscription_items", subscription_items::list),
    route(Method::POST, "/v1/subscription_items", subscription_items::create),
    route(Method::GET, "/v1/subscription_items/{id}", subscription_items::retrieve),
    route(Method::POST, "/v1/subscription_items/{id}", subscription_items::update),
    route(Method::DELETE, "/v1/subscription_items/{id}", subscription_items::delete),
    route(Method::GET, "/v1/account", accounts::retrieve_own),
    route(Method::GET, "/v1/accounts", accounts::list),
    route(Method::GET, "/v1/accounts/{id}", accounts::retrieve),
    route(Method::GET, "/v1/test_helpers/test_clocks", test_clocks::list),
    route(Method::POST, "/v1/test_helpers/test_clocks", test_clocks::create),
    route(Method::GET, "/v1/test_helpers/test_clocks/{id}", test_clocks::retrieve),
    route(Method::DELETE, "/v1/test_helpers/test_clocks/{id}", test_clocks::delete),
    route(Method::POST, "/v1/test_helpers/test_clocks/{id}/advance", test_clocks::advance),
    route(Method::GET, "/v1/events", events::list),
    route(Method::GET, "/v1/events/{id}", events::retrieve),
    route(Method::POST, "/v1/events/{id}/retry", events::retry),
    route(Method::GET, "/v1/webhook_endpoints", webhook_endpoints::list),
    route(Method::POST, "/v1/webhook_endpoints", webhook_endpoints::create),
    route(Method::GET, "/v1/webhook_endpoints/{id}", webhook_endpoints::retrieve),
    route(Method::POST, "/v1/webhook_endpoints/{id}", webhook_endpoints::update),
    route(Method::DELETE, "/v1/webhook_endpoints/{id}", webhook_endpoints::delete),
    route(Method::POST, "/v1/webhook_endpoints/{id}/roll_secret", webhook_endpoints::roll_secret),
    route(Method::GET, "/v1/webhook_endpoints/{id}/deliveries", webhook_endpoints::list_deliveries),
];

/// The method and path of every route.
pub fn routes() -> impl Iterator<Item = (&'static Method, &'static str)> {
    ROUTES.iter().map(|route| (&route.method, route.path))
}

/// Forwards a request that matches no route of the edge to the catalog. `edge_paths` are the paths of the
/// edge, for a message.
pub(super) async fn forward<S: Store>(
    app: &App<'_, S>,
    request: &mut Request,
    body: &impl RequestBody,
    edge_paths: impl Iterator<Item = &'static str>,
) -> Result<Response, Error> {
    let (method, path) = (request.method(), request.uri().path());
    match Route::match_request(ROUTES, method, path)? {
        RouteMatch::Operation(..) => {}
        RouteMatch::Options(response) => return Ok(response),
        RouteMatch::NotFound => {
            return Err(no_route(method, path, edge_paths, app.store.catalog().is_some()));
        }
    }
    let livemode = auth::authenticate_server(app.settings, request)?;
    idempotency::key(request)?;
    requested_version(request)?;
    let Some(catalog) = app.store.catalog() else {
        return Err(Error::catalog_disabled(method, path));
    };
    if !method.is_safe() {
        body::receive(request, body, MAX_CATALOG_BYTES).await?;
        return Ok(catalog.send(livemode, request).await?);
    }
    body::receive(request, body, MAX_CATALOG_GET_BYTES).await?;
    if request.body().is_empty() {
        return Ok(catalog.send(livemode, request).await?);
    }
    Ok(catalog.send(livemode, &with_body_in_query(request)?).await?)
}

/// 404: what the catalog has not and Stripe has, or else the route that is probably meant.
fn no_route(
    method: &Method,
    path: &str,
    edge_paths: impl Iterator<Item = &'static str>,
    is_source: bool,
) -> Error {
    if is_source && let Some(advice) = absent::advice(path) {
        return Error::no_catalog_route(method, path, None, Some(advice));
    }
    let catalog = ROUTES.iter().map(|route| route.path).filter(|_| is_source);
    let meant = nearest_path(edge_paths.chain(catalog), path);
    let advice =
        (meant.is_none() && is_source && path.starts_with("/v1/")).then_some(absent::OTHER);
    Error::no_catalog_route(method, path, meant, advice)
}

/// The same request with its body, which is a form, at the end of its query string. A platform may
/// refuse to send a `GET` request with a body.
fn with_body_in_query(request: &Request) -> Result<Request, Error> {
    let invalid = || {
        Error::invalid("The body of a GET request must be a form. Use the query string instead.")
    };
    let form = std::str::from_utf8(request.body()).ok().filter(|_| !has_json_body(request));
    let query = request.uri().query().unwrap_or_default();
    let target = format!("{}?{query}&{}", request.uri().path(), form.ok_or_else(invalid)?);
    let mut moved = Request::default();
    *moved.method_mut() = request.method().clone();
    *moved.uri_mut() = Uri::try_from(target).map_err(|_| invalid())?;
    for name in [REQUEST_ID, STRIPE_VERSION] {
        if let Some(value) = request.headers().get(&name) {
            moved.headers_mut().insert(name, value.clone());
        }
    }
    Ok(moved)
}

/// A failed request. The caller must roll its transaction back.
#[derive(Debug)]
pub struct Rejected {
    error: Error,
    version: ApiVersion,
}

impl Rejected {
    /// The response to the client.
    #[must_use]
    pub fn response(&self) -> Response {
        with_version(self.error.to_response(), self.version.as_str())
    }

    /// The cause for the operator's log, if there is one.
    #[must_use]
    pub fn cause(&self) -> Option<&str> {
        self.error.cause()
    }
}

/// Runs a request to the catalog.
///
/// # Errors
///
/// When the request is invalid, or the storage fails.
pub fn handle(tx: Tx<'_>, request: &Request) -> Result<Response, Rejected> {
    let version = requested_version(request)
        .map_err(|error| Rejected { error, version: ApiVersion::latest() })?;
    try_handle(tx, request, &version).map_err(|error| Rejected { error, version })
}

/// The response to a request whose idempotency key is in use by a request in progress.
#[must_use]
pub fn key_in_use(key: &str) -> Response {
    Error::idempotency_key_in_use(key).to_response()
}

/// The response to a request that this release may not run on the stored catalog.
#[must_use]
pub fn newer_schema() -> Response {
    Error::newer_schema().to_response()
}

fn try_handle(tx: Tx<'_>, request: &Request, version: &ApiVersion) -> Result<Response, Error> {
    let (method, path) = (request.method(), request.uri().path());
    let (handler, ids) = match Route::match_request(ROUTES, method, path)? {
        RouteMatch::Operation(handler, ids) => (handler, ids),
        RouteMatch::Options(response) => return Ok(response),
        RouteMatch::NotFound => return Err(no_route(method, path, iter::empty(), true)),
    };
    if request.body().len() > MAX_CATALOG_BYTES {
        return Err(body::Error::TooLarge { limit: MAX_CATALOG_BYTES }.into());
    }
    let key = idempotency::key(request)?;
    // Events name the request as their cause.
    let id = header_str(request, REQUEST_ID).map(str::to_owned);
    let tx = tx.with_request(RequestInfo { id, idempotency_key: key.map(str::to_owned) });
    let params = Params::from_body_and_query(request)?;
    let fingerprint = key.map(|_| idempotency::fingerprint(path, &params));
    if let (Some(key), Some(fingerprint)) = (key, &fingerprint) {
        match responses::get(&tx, key, fingerprint)? {
            StoredReplay::Miss => {}
            StoredReplay::Mismatch => return Err(Error::idempotency_mismatch(key)),
            StoredReplay::Hit(stored) => {
                let status = StatusCode::from_u16(stored.status).unwrap_or(StatusCode::OK);
                let mut response =
                    build_response(status, stored.body, Some(key), &stored.api_version);
                let headers = response.headers_mut();
                headers.insert(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
                if let Some(Ok(original)) = stored.request_id.as_deref().map(HeaderValue::from_str)
                {
                    headers.insert(ORIGINAL_REQUEST, original);
                }
                return Ok(response);
            }
        }
    }
    let mut context = RequestContext { tx, params, version, path, ids };
    let paths = context.params.take_list("expand")?;
    let mut value = handler(&mut context)?;
    expand::expand(&context.tx, &mut value, &paths)?;
    version.convert(&mut value);
    let body = json::to_string(&value);
    if let (Some(key), Some(fingerprint)) = (key, fingerprint) {
        let stored = NewResponse {
            fingerprint,
            status: StatusCode::OK.as_u16(),
            body: body.clone(),
            api_version: version.as_str().to_owned(),
        };
        responses::put(&context.tx, key, stored)?;
    }
    Ok(build_response(StatusCode::OK, body, key, version.as_str()))
}

/// The version of Stripe's API that a request asks for; the latest without the header.
fn requested_version(request: &Request) -> Result<ApiVersion, Error> {
    let Some(version) = request.headers().get(STRIPE_VERSION) else {
        return Ok(ApiVersion::latest());
    };
    let version = String::from_utf8_lossy(version.as_bytes());
    ApiVersion::parse(&version).ok_or_else(|| Error::invalid_api_version(&version))
}

fn build_response(status: StatusCode, body: String, key: Option<&str>, version: &str) -> Response {
    let mut response = with_version(raw_json_response(status, body.into_bytes()), version);
    if let Some(Ok(key)) = key.map(HeaderValue::from_str) {
        response.headers_mut().insert(IDEMPOTENCY_KEY, key);
    }
    response
}

fn with_version(mut response: Response, version: &str) -> Response {
    if let Ok(version) = HeaderValue::from_str(version) {
        response.headers_mut().insert(STRIPE_VERSION, version);
    }
    response
}
