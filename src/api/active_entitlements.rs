//! Stripe's list of a customer's active entitlements, under both of its paths, and Stripe's retrieve.
//!
//! The bodies are exactly Stripe's. Additional data is in headers: `Entgate-Version`, `Entgate-As-Of`
//! and `Entgate-Served-By`. The parameters `at_least` and `fresh` are extensions; an unknown parameter
//! is an error. The list is that of the effective set: a feature that only an override or a default grants
//! has ids that entgate makes. Single entitlements and feature objects are read from Stripe. If the source is the built-in catalog, it answers these requests.
//!
//! Specification: <https://docs.stripe.com/api/entitlements/active-entitlement>.

use http::{HeaderName, HeaderValue, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;

use super::{
    app::{App, Request, Response, json_response},
    auth::{self, Principal},
    catalog_list, checks,
    customer_set::{self, CustomerSet},
    error::{Error, excerpt},
    form::Params,
    known_features, page,
};
use crate::{
    effective_set::LOCAL_ENTITLEMENT_PREFIX,
    entitlement::ActiveEntitlement,
    id::{CustomerId, CustomerKey, EntitlementId, Livemode, Timestamp},
    source::{self, Expand, FeatureObject},
    store::{CatalogClient as _, Store},
};

/// The path of the list.
pub(super) const LIST_PATH: &str = "/v1/entitlements/active_entitlements";

/// The version of the set.
const VERSION_HEADER: HeaderName = HeaderName::from_static("entgate-version");

/// When the source confirmed the set.
const AS_OF_HEADER: HeaderName = HeaderName::from_static("entgate-as-of");

/// The store that answered.
const SERVED_BY_HEADER: HeaderName = HeaderName::from_static("entgate-served-by");

/// Handles `GET /v1/entitlements/active_entitlements?customer=`.
///
/// A customer token lists its customer. It cannot expand features, because their metadata is for the
/// operator.
pub(super) async fn list<S: Store>(
    app: &App<'_, S>,
    request: &Request,
    now: Timestamp,
) -> Result<Response, Error> {
    let principal = auth::authenticate_any(app, request, now).await?;
    let mut params = Params::from_query(request)?;
    match (app.store.catalog(), &principal) {
        // The catalog refuses it.
        (Some(catalog), Principal::Server(livemode)) if !params.contains("customer") => {
            Ok(catalog.send(*livemode, request).await?)
        }
        (catalog, principal) => {
            let customer = principal.take_customer(&mut params)?;
            if matches!(principal, Principal::Customer(_)) && params.contains("expand") {
                return Err(Error::needs_server_key().with_param("expand"));
            }
            match catalog {
                Some(catalog) => {
                    let request = with_customer(&customer, request);
                    catalog_list::list(app, catalog, &customer, &request, now).await
                }
                None => list_from_store(app, customer, params, LIST_PATH, now).await,
            }
        }
    }
}

/// The same request with the parameter `customer`, which a customer token may leave out.
fn with_customer(customer: &CustomerKey, request: &Request) -> Request {
    let mut completed = request.clone();
    let query = request.uri().query().unwrap_or_default();
    if !form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "customer") {
        let id = utf8_percent_encode(customer.id.as_str(), NON_ALPHANUMERIC);
        // Parsing cannot fail: the id is percent-encoded.
        *completed.uri_mut() =
            format!("{LIST_PATH}?customer={id}&{query}").parse().unwrap_or_default();
    }
    completed
}

/// Handles `GET /v1/customer/{id}/entitlements`, the `url` of the list in a summary event. Stripe's
/// Python SDK requests it to page through that list.
pub(super) async fn list_by_customer<S: Store>(
    app: &App<'_, S>,
    request: &Request,
    id: &str,
    now: Timestamp,
) -> Result<Response, Error> {
    let livemode = auth::authenticate_reader(app.settings, request)?;
    let params = Params::from_query(request)?;
    let id = CustomerId::try_from(id).map_err(|error| Error::invalid_id("customer", &error))?;
    let customer = CustomerKey { livemode, id };
    match app.store.catalog() {
        Some(catalog) => catalog_list::list(app, catalog, &customer, request, now).await,
        None => list_from_store(app, customer, params, request.uri().path(), now).await,
    }
}

/// Handles `GET /v1/entitlements/active_entitlements/{id}`. The id does not contain the customer, so
/// only the source can answer.
pub(super) async fn retrieve<S: Store>(
    app: &App<'_, S>,
    request: &Request,
    id: &str,
) -> Result<Response, Error> {
    let livemode = auth::authenticate_reader(app.settings, request)?;
    if id.starts_with(LOCAL_ENTITLEMENT_PREFIX) {
        let message = format!("No such active entitlement: '{}'", excerpt(id));
        return Err(Error::not_found(message));
    }
    if let Some(catalog) = app.store.catalog() {
        return Ok(catalog.send(livemode, request).await?);
    }
    let mut params = Params::from_query(request)?;
    let expand = take_expand(&mut params, "feature")?;
    let expand = if expand { Expand::Feature } else { Expand::None };
    params.reject_unknown()?;
    let id = EntitlementId::try_from(id).map_err(|error| Error::invalid_id("id", &error))?;
    let Some(stripe) = app.store.source(livemode) else {
        return Err(Error::requires_stripe_key("An entitlement by its id", livemode));
    };
    match stripe.retrieve_entitlement(&id, expand).await {
        Ok(entitlement) => Ok(json_response(StatusCode::OK, &entitlement)),
        Err(source::Error::NotFound { message, .. }) => Err(Error::not_found(message)),
        Err(error) => Err(error.into()),
    }
}

/// A list of active entitlements, as Stripe serializes it.
#[derive(Serialize)]
pub(super) struct ActiveEntitlementList<'a> {
    object: &'static str,
    data: Vec<ActiveEntitlementItem<'a>>,
    has_more: bool,
    url: &'a str,
}

#[derive(Serialize)]
struct ActiveEntitlementItem<'a> {
    id: &'a str,
    object: &'static str,
    feature: FeatureField<'a>,
    livemode: bool,
    lookup_key: &'a str,
}

/// A feature as an id, or expanded.
#[derive(Serialize)]
#[serde(untagged)]
enum FeatureField<'a> {
    Id(&'a str),
    Expanded(&'a FeatureObject),
}

impl<'a> ActiveEntitlementList<'a> {
    /// Creates a page with features as ids.
    pub(super) fn new(
        data: &'a [ActiveEntitlement],
        has_more: bool,
        livemode: Livemode,
        url: &'a str,
    ) -> Self {
        let data = data.iter().map(|entitlement| ActiveEntitlementItem {
            id: entitlement.id.as_str(),
            object: "entitlements.active_entitlement",
            feature: FeatureField::Id(entitlement.feature.as_str()),
            livemode: livemode.into(),
            lookup_key: entitlement.lookup_key.as_str(),
        });
        Self { object: "list", data: data.collect(), has_more, url }
    }
}

async fn list_from_store<S: Store>(
    app: &App<'_, S>,
    customer: CustomerKey,
    mut params: Params,
    url: &str,
    now: Timestamp,
) -> Result<Response, Error> {
    let livemode = customer.livemode;
    let page = page::take_page(&mut params)?;
    let freshness = checks::take_freshness(&mut params)?;
    let expand = take_expand(&mut params, "data.feature")?;
    params.reject_unknown()?;
    let source = app.store.source(livemode);
    if expand && source.is_none() {
        return Err(Error::requires_stripe_key("`data.feature`", livemode).with_param("expand"));
    }

    let loaded = customer_set::load(app, &customer, &[], freshness, now).await?;
    let set = loaded.complete()?;
    let all = set.rows(&customer);
    // Without a source, the operator chose that an unknown customer has nothing.
    if set.source().is_none() && all.is_empty() && source.is_some() {
        return Err(Error::resource_missing("customer", customer.id.as_str(), "customer"));
    }
    let (data, has_more) = page::slice(&page, &all, "active entitlement", |item| item.id.as_str())?;
    let mut list = ActiveEntitlementList::new(data, has_more, livemode, url);
    let features = match source {
        Some(stripe) if expand => {
            known_features::load_objects(app.feature_cache, stripe, livemode, data, now).await?
        }
        _ => Vec::new(),
    };
    for (item, feature) in list.data.iter_mut().zip(&features) {
        item.feature = FeatureField::Expanded(feature);
    }
    let mut response = json_response(StatusCode::OK, &list);
    add_set_headers(&mut response, &loaded);
    Ok(response)
}

/// Takes `expand`, and returns whether it contains the one expandable property.
fn take_expand(params: &mut Params, expandable: &str) -> Result<bool, Error> {
    let expand = params.take_list("expand")?;
    if let Some(path) = expand.iter().find(|path| *path != expandable) {
        return Err(Error::parameter(
            "expand",
            "parameter_invalid",
            format!("This property cannot be expanded ({}). Only {expandable} can.", excerpt(path)),
        ));
    }
    Ok(!expand.is_empty())
}

/// Adds the headers that describe the set.
pub(super) fn add_set_headers(response: &mut Response, set: &CustomerSet<'_>) {
    let headers = response.headers_mut();
    headers.insert(VERSION_HEADER, HeaderValue::from(set.effective_set().version().0));
    if let Some(as_of) = set.as_of() {
        headers.insert(AS_OF_HEADER, HeaderValue::from(as_of.0));
    }
    headers.insert(SERVED_BY_HEADER, HeaderValue::from_static(set.served_by().as_str()));
}
