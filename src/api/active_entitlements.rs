//! Stripe's list of a customer's active entitlements, under both of its paths, and one of them.
//!
//! <https://docs.stripe.com/api/entitlements/active-entitlement>. The bodies are Stripe's to the
//! letter, so what they have no room for stands in headers: `Entgate-Version`, `Entgate-As-Of` and
//! `Entgate-Served-By`. `at_least` and `fresh` are ours; an unknown parameter is refused. The list
//! is answered from what is held; a single entitlement and the features themselves only Stripe knows.
//! Where the source is the built-in catalog, it answers all of this itself.

use http::{HeaderName, HeaderValue, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;

use super::{
    App, Request, Response,
    auth::{self, Principal},
    checks,
    error::Error,
    feature_cache,
    form::Params,
    json_response,
    page::PageParams,
};
use crate::{
    entitlement::{ActiveEntitlement, Completeness, Entitlements},
    id::{CustomerId, CustomerKey, EntitlementId, Livemode, Timestamp},
    source::{self, Expand, FeatureObject},
    store::{self, CatalogClient as _, ServedBy, Store},
};

/// The path of the list.
pub(super) const LIST_PATH: &str = "/v1/entitlements/active_entitlements";

/// What the body has no room for: which set it is, when it was true, and who told.
const VERSION_HEADER: HeaderName = HeaderName::from_static("entgate-version");
const AS_OF_HEADER: HeaderName = HeaderName::from_static("entgate-as-of");
const SERVED_BY_HEADER: HeaderName = HeaderName::from_static("entgate-served-by");

/// `GET /v1/entitlements/active_entitlements?customer=`. A customer's token lists that customer; what
/// the operator has noted of a feature is not for the customer to expand.
pub(super) async fn list<S: Store>(
    app: &App<'_, S>,
    request: &Request,
    now: Timestamp,
) -> Result<Response, Error> {
    let caller = auth::authenticate_any(app, request, now).await?;
    let mut params = Params::from_query(request)?;
    match (app.store.catalog(), &caller) {
        (Some(catalog), Principal::Server(livemode)) => {
            Ok(catalog.send(*livemode, request).await?)
        }
        (catalog, caller) => {
            let customer = caller.take_customer(&mut params)?;
            if matches!(caller, Principal::Customer(_)) && params.contains("expand") {
                return Err(Error::needs_server_key().with_param("expand"));
            }
            match catalog {
                Some(catalog) => {
                    let request = with_customer(&customer, request);
                    Ok(catalog.send(customer.livemode, &request).await?)
                }
                None => list_from_store(app, customer, params, LIST_PATH, now).await,
            }
        }
    }
}

/// The same request, with the customer in it whom a token has named.
fn with_customer(customer: &CustomerKey, request: &Request) -> Request {
    let mut named = request.clone();
    let query = request.uri().query().unwrap_or_default();
    if !form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "customer") {
        let id = utf8_percent_encode(customer.id.as_str(), NON_ALPHANUMERIC);
        // What is percent-encoded fits a target.
        *named.uri_mut() = format!("{LIST_PATH}?customer={id}&{query}").parse().unwrap_or_default();
    }
    named
}

/// `GET /v1/customer/{id}/entitlements`: what the `url` of a summary's list names. Stripe's Python
/// SDK follows it when it pages through the list of an event.
pub(super) async fn list_by_customer<S: Store>(
    app: &App<'_, S>,
    request: &Request,
    id: &str,
    now: Timestamp,
) -> Result<Response, Error> {
    let livemode = auth::authenticate_server(app.settings, request)?;
    if let Some(catalog) = app.store.catalog() {
        return Ok(catalog.send(livemode, request).await?);
    }
    let params = Params::from_query(request)?;
    let id = CustomerId::try_from(id).map_err(|error| Error::invalid_id("customer", &error))?;
    list_from_store(app, CustomerKey { livemode, id }, params, request.uri().path(), now).await
}

/// `GET /v1/entitlements/active_entitlements/{id}`: Stripe's retrieve. The id names no customer, so
/// that only Stripe can tell.
pub(super) async fn retrieve<S: Store>(
    app: &App<'_, S>,
    request: &Request,
    id: &str,
) -> Result<Response, Error> {
    let livemode = auth::authenticate_server(app.settings, request)?;
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

/// Stripe's list, with items as a caller wants them.
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

/// A feature by its id, or whole.
#[derive(Serialize)]
#[serde(untagged)]
enum FeatureField<'a> {
    Id(&'a str),
    Expanded(&'a FeatureObject),
}

impl<'a> ActiveEntitlementList<'a> {
    /// A page of a list whose features stand as their ids.
    pub(super) fn new(
        data: &'a [ActiveEntitlement],
        has_more: bool,
        livemode: Livemode,
        url: &'a str,
    ) -> Self {
        let data = data.iter().map(|granted| ActiveEntitlementItem {
            id: granted.id.as_str(),
            object: "entitlements.active_entitlement",
            feature: FeatureField::Id(granted.feature.as_str()),
            livemode: livemode.into(),
            lookup_key: granted.lookup_key.as_str(),
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
    let page = PageParams::from_params(&mut params)?;
    let freshness = checks::take_freshness(&mut params)?;
    let expand = take_expand(&mut params, "data.feature")?;
    params.reject_unknown()?;
    let source = app.store.source(livemode);
    if expand && source.is_none() {
        return Err(Error::requires_stripe_key("`data.feature`", livemode).with_param("expand"));
    }

    let found = store::load(app.store, &customer, &[], freshness).await?;
    if found.entitlements.as_ref().is_some_and(|held| held.completeness == Completeness::Partial) {
        return Err(Error::incomplete(&customer.id));
    }
    if found.entitlements.is_none() && source.is_some() {
        return Err(Error::resource_missing("customer", customer.id.as_str(), "customer"));
    }
    // Stripe sends no event for a customer who never had an entitlement: unheard of is empty.
    let all = found.entitlements.as_ref().map_or(&[][..], |held| &held.data);
    let (data, has_more) = page.slice(all, "active entitlement", |granted| granted.id.as_str())?;
    let mut list = ActiveEntitlementList::new(data, has_more, livemode, url);
    let features = match source {
        Some(stripe) if expand => {
            feature_cache::load_for_entitlements(app.feature_cache, stripe, livemode, data, now)
                .await?
        }
        _ => Vec::new(),
    };
    for (item, feature) in list.data.iter_mut().zip(&features) {
        item.feature = FeatureField::Expanded(feature);
    }
    let mut response = json_response(StatusCode::OK, &list);
    add_set_headers(&mut response, found.entitlements.as_ref(), found.served_by);
    Ok(response)
}

/// Takes `expand`, and whether it names the one thing that can be.
fn take_expand(params: &mut Params, expandable: &str) -> Result<bool, Error> {
    let expand = params.take_list("expand")?;
    if let Some(path) = expand.iter().find(|path| *path != expandable) {
        return Err(Error::parameter(
            "expand",
            "parameter_invalid",
            format!("This property cannot be expanded ({path}). Only {expandable} can."),
        ));
    }
    Ok(!expand.is_empty())
}

/// Says in headers what the body has no room for.
pub(super) fn add_set_headers(
    response: &mut Response,
    held: Option<&Entitlements>,
    served_by: ServedBy,
) {
    let headers = response.headers_mut();
    let version = held.map_or(0, |held| held.version.0);
    headers.insert(VERSION_HEADER, HeaderValue::from(version));
    if let Some(held) = held {
        headers.insert(AS_OF_HEADER, HeaderValue::from(held.as_of.0));
    }
    headers.insert(SERVED_BY_HEADER, HeaderValue::from_static(served_by.as_str()));
}
