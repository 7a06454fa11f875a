//! The catalog's own API: Stripe's around entitlements, and a little more.
//!
//! | file             | answers                                                                     |
//! |------------------|-----------------------------------------------------------------------------|
//! | `features` · `products` · `prices` | what is sold                                              |
//! | `customers` · `subscriptions` · `items` | who has bought what                                  |
//! | `entitlements`   | what a customer may use                                                     |
//! | `clocks`         | time, for tests                                                             |
//! | `events` · `endpoints` | what happened, and who is told                                        |
//! | `fields` · `expand` | parameters of Stripe's kinds · an id, or the whole thing                  |
//!
//! <https://docs.stripe.com/api>. A request is answered at once and as a whole: what is refused has
//! changed nothing. It runs where the catalog is kept; the way to there is
//! [`crate::store::Catalog`]. The rules are in [`crate::catalog`].

mod customers;
mod entitlements;
mod events;
mod expand;
mod features;
mod params;
mod prices;
mod products;
mod subscription_items;
mod subscriptions;
mod test_clocks;
mod webhook_endpoints;

use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{
    app::{App, IDEMPOTENCY_KEY, Request, Response, header_str, raw_json_response},
    auth,
    error::Error,
    form::Params,
    router::{Access, Route, RouteMatch},
};
use crate::{
    catalog::{
        RequestInfo, Tx,
        idempotency::{self, Replay},
        page::ListQuery,
    },
    json,
    source::API_VERSION,
    store::{CatalogClient as _, Store},
};

/// The most bytes of a body: the largest request, of 20 items with 50 notes each, has half as many,
/// and an event with its object twice in it still fits a row of 2 MB.
pub const MAX_BODY_BYTES: usize = 256 << 10;

/// The name that whoever hands a request over has given it, by which events tell what caused them.
const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");

/// That an answer was given before.
const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// The request that it was first given to.
const ORIGINAL_REQUEST: HeaderName = HeaderName::from_static("original-request");

const STRIPE_VERSION: HeaderName = HeaderName::from_static("stripe-version");

/// The headers that an answer may have; no other needs to be handed over.
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

/// A request under way.
pub(super) struct RequestContext<'a> {
    tx: Tx<'a>,
    params: Params,
    /// The path, as a list's `url` repeats it.
    path: &'a str,
    /// What stands for the `{…}` in it.
    ids: Vec<String>,
}

/// What answers a request.
pub(super) type CatalogHandler = fn(&mut RequestContext<'_>) -> Result<Value, Error>;

/// A line of the table, short enough for one.
const fn route(
    method: Method,
    path: &'static str,
    endpoint: CatalogHandler,
) -> Route<CatalogHandler> {
    Route { method, path, access: Access::ServerKey, operation: endpoint }
}

/// Every route of the catalog.
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
    route(Method::GET, "/v1/prices/{id}", prices::retrieve),
    route(Method::POST, "/v1/prices/{id}", prices::update),
    route(Method::GET, "/v1/customers", customers::list),
    route(Method::POST, "/v1/customers", customers::create),
    route(Method::GET, "/v1/customers/{id}", customers::retrieve),
    route(Method::POST, "/v1/customers/{id}", customers::update),
    route(Method::DELETE, "/v1/customers/{id}", customers::delete),
    route(Method::GET, "/v1/subscriptions", subscriptions::list),
    route(Method::POST, "/v1/subscriptions", subscriptions::create),
    route(Method::GET, "/v1/subscriptions/{id}", subscriptions::retrieve),
    route(Method::POST, "/v1/subscriptions/{id}", subscriptions::update),
    route(Method::DELETE, "/v1/subscriptions/{id}", subscriptions::cancel),
    route(Method::POST, "/v1/subscriptions/{id}/pause", subscriptions::pause),
    route(Method::POST, "/v1/subscriptions/{id}/resume", subscriptions::resume),
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

/// The method and the path of every route of the catalog.
pub fn routes() -> impl Iterator<Item = (&'static Method, &'static str)> {
    ROUTES.iter().map(|route| (&route.method, route.path))
}

/// The answer of a route that is none of the edge's.
pub(super) async fn forward<S: Store>(
    app: &App<'_, S>,
    request: &Request,
) -> Result<Response, Error> {
    let (method, path) = (request.method(), request.uri().path());
    match Route::match_request(ROUTES, method, path)? {
        RouteMatch::Operation(..) => {}
        RouteMatch::Options(response) => return Ok(response),
        RouteMatch::NotFound => return Err(Error::no_route(method, path)),
    }
    let livemode = auth::authenticate_server(app.settings, request)?;
    idempotency_key(request)?;
    match app.store.catalog() {
        Some(catalog) => Ok(catalog.send(livemode, request).await?),
        None => Err(Error::catalog_disabled(method, path)),
    }
}

/// That a request came to nothing: nothing may be kept of what was done for it.
#[derive(Debug)]
pub struct Rejected(Error);

impl Rejected {
    /// The answer.
    #[must_use]
    pub fn response(&self) -> Response {
        self.0.to_response()
    }

    /// What the operator's log should hold of it, if anything.
    #[must_use]
    pub fn cause(&self) -> Option<&str> {
        self.0.cause()
    }
}

/// Answers a request to the catalog.
///
/// # Errors
///
/// Where it is refused, or fails.
pub fn handle(catalog: Tx<'_>, request: &Request) -> Result<Response, Rejected> {
    try_handle(catalog, request).map_err(Rejected)
}

/// The answer to a request whose key belongs to one that is not answered yet.
#[must_use]
pub fn key_in_use(key: &str) -> Response {
    Error::idempotency_key_in_use(key).to_response()
}

fn try_handle(catalog: Tx<'_>, request: &Request) -> Result<Response, Error> {
    let (method, path) = (request.method(), request.uri().path());
    let (endpoint, ids) = match Route::match_request(ROUTES, method, path)? {
        RouteMatch::Operation(endpoint, ids) => (endpoint, ids),
        RouteMatch::Options(response) => return Ok(response),
        RouteMatch::NotFound => return Err(Error::no_route(method, path)),
    };
    if request.body().len() > MAX_BODY_BYTES {
        return Err(Error::too_large(MAX_BODY_BYTES));
    }
    let key = idempotency_key(request)?;
    let id = header_str(request, REQUEST_ID).map(str::to_owned);
    let catalog = catalog.with_request(RequestInfo { id, idempotency_key: key.map(str::to_owned) });
    let asked = key.map(|_| fingerprint(request));
    if let (Some(key), Some(asked)) = (key, &asked) {
        match idempotency::get(&catalog, key, asked)? {
            Replay::Miss => {}
            Replay::Mismatch => return Err(Error::idempotency_mismatch(key)),
            Replay::Hit(answer) => {
                let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
                let mut response = build_response(status, answer.body, Some(key));
                let headers = response.headers_mut();
                headers.insert(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
                if let Some(Ok(first)) = answer.request_id.as_deref().map(HeaderValue::from_str) {
                    headers.insert(ORIGINAL_REQUEST, first);
                }
                return Ok(response);
            }
        }
    }
    let params = match *method {
        Method::POST => Params::from_body_and_query(request)?,
        _ => Params::from_query_or_body(request)?,
    };
    let mut visit = RequestContext { tx: catalog, params, path, ids };
    let paths = visit.params.take_list("expand")?;
    let mut shown = endpoint(&mut visit)?;
    expand::expand(&visit.tx, &mut shown, &paths)?;
    let body = json::to_string(&shown);
    if let (Some(key), Some(asked)) = (key, asked) {
        idempotency::put(&visit.tx, key, asked, StatusCode::OK.as_u16(), body.clone())?;
    }
    Ok(build_response(StatusCode::OK, body, key))
}

/// The key under which a request is to be done once: only where it does something.
///
/// # Errors
///
/// When it is none. To do without it would be to do the request twice.
pub(super) fn idempotency_key(request: &Request) -> Result<Option<&str>, Error> {
    let Some(given) = request.headers().get(IDEMPOTENCY_KEY) else { return Ok(None) };
    if *request.method() != Method::POST {
        return Ok(None);
    }
    let fits = |key: &&str| !key.is_empty() && key.len() <= idempotency::MAX_KEY_LEN;
    given.to_str().ok().filter(fits).map(Some).ok_or_else(|| {
        Error::invalid(format!(
            "The Idempotency-Key must have 1 to {} characters, all of them ASCII.",
            idempotency::MAX_KEY_LEN
        ))
    })
}

/// What was asked for under a key, so that two requests for the same are alike.
fn fingerprint(request: &Request) -> String {
    let mut asked = Sha256::new();
    asked.update(request.uri().path());
    asked.update([0]);
    asked.update(request.uri().query().unwrap_or_default());
    asked.update([0]);
    asked.update(request.body());
    hex::encode(asked.finalize())
}

fn build_response(status: StatusCode, body: String, key: Option<&str>) -> Response {
    let mut response = raw_json_response(status, body.into_bytes());
    let headers = response.headers_mut();
    headers.insert(STRIPE_VERSION, HeaderValue::from_static(API_VERSION));
    if let Some(Ok(key)) = key.map(HeaderValue::from_str) {
        headers.insert(IDEMPOTENCY_KEY, key);
    }
    response
}

impl RequestContext<'_> {
    /// The last `{…}` of the path.
    fn id(&self) -> &str {
        self.ids.last().map_or("", String::as_str)
    }

    /// The first `{…}` of the path.
    fn first_id(&self) -> &str {
        self.ids.first().map_or("", String::as_str)
    }

    /// Refuses what is no parameter of this request, before anything is done for it.
    fn reject_unknown(&mut self) -> Result<(), Error> {
        std::mem::take(&mut self.params).reject_unknown()
    }

    /// A page of objects, as Stripe's lists show them.
    fn page_response<T: crate::catalog::Entity>(
        &self,
        lists: &[String],
        page: &ListQuery,
        keep: impl Fn(&T) -> bool,
        shown: impl FnMut(&T) -> Result<Value, Error>,
    ) -> Result<Value, Error> {
        let (objects, has_more) = self.tx.list_page(lists, page, keep)?;
        let data: Vec<_> = objects.iter().map(shown).collect::<Result<_, _>>()?;
        Ok(self.list_response(&data, has_more))
    }

    fn list_response(&self, data: &[Value], has_more: bool) -> Value {
        json!({ "object": "list", "data": data, "has_more": has_more, "url": self.path })
    }
}

/// What Stripe says of a thing that is gone.
fn deleted_object(id: &str, object: &str) -> Value {
    json!({ "id": id, "object": object, "deleted": true })
}
