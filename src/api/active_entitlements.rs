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
    auth::{self, Caller},
    checks,
    error::Error,
    features,
    form::Params,
    json,
    page::Page,
};
use crate::{
    entitlement::{ActiveEntitlement, Coverage, Entitlements},
    id::{Customer, CustomerId, EntitlementId, Livemode, Timestamp},
    source::{self, Expand, Feature},
    store::{self, Catalog as _, ServedBy, Store},
};

/// The path of the list.
pub(super) const PATH: &str = "/v1/entitlements/active_entitlements";

/// What the body has no room for: which set it is, when it was true, and who told.
const VERSION: HeaderName = HeaderName::from_static("entgate-version");
const AS_OF: HeaderName = HeaderName::from_static("entgate-as-of");
const SERVED_BY: HeaderName = HeaderName::from_static("entgate-served-by");

/// `GET /v1/entitlements/active_entitlements?customer=`. A customer's token lists that customer; what
/// the operator has noted of a feature is not for the customer to expand.
pub(super) async fn list<S: Store>(
    app: &App<'_, S>,
    request: &Request,
    now: Timestamp,
) -> Result<Response, Error> {
    let caller = auth::caller(app, request, now).await?;
    let mut params = Params::query(request)?;
    match (app.store.catalog(), &caller) {
        (Some(catalog), Caller::Server(livemode)) => Ok(catalog.ask(*livemode, request).await?),
        (catalog, caller) => {
            let customer = caller.customer(&mut params)?;
            if matches!(caller, Caller::Customer(_)) && params.has("expand") {
                return Err(Error::needs_server_key().about("expand"));
            }
            match catalog {
                Some(catalog) => {
                    let request = naming(&customer, request);
                    Ok(catalog.ask(customer.livemode, &request).await?)
                }
                None => answer(app, customer, params, PATH, now).await,
            }
        }
    }
}

/// The same request, with the customer in it whom a token has named.
fn naming(customer: &Customer, request: &Request) -> Request {
    let mut named = request.clone();
    let query = request.uri().query().unwrap_or_default();
    if !form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "customer") {
        let id = utf8_percent_encode(customer.id.as_str(), NON_ALPHANUMERIC);
        // What is percent-encoded fits a target.
        *named.uri_mut() = format!("{PATH}?customer={id}&{query}").parse().unwrap_or_default();
    }
    named
}

/// `GET /v1/customer/{id}/entitlements`: what the `url` of a summary's list names. Stripe's Python
/// SDK follows it when it pages through the list of an event.
pub(super) async fn list_of_summary<S: Store>(
    app: &App<'_, S>,
    request: &Request,
    id: &str,
    now: Timestamp,
) -> Result<Response, Error> {
    let livemode = auth::authenticate(app.settings, request)?;
    if let Some(catalog) = app.store.catalog() {
        return Ok(catalog.ask(livemode, request).await?);
    }
    let params = Params::query(request)?;
    let id = CustomerId::try_from(id).map_err(|error| Error::unnameable("customer", &error))?;
    answer(app, Customer { livemode, id }, params, request.uri().path(), now).await
}

/// `GET /v1/entitlements/active_entitlements/{id}`: Stripe's retrieve. The id names no customer, so
/// that only Stripe can tell.
pub(super) async fn retrieve<S: Store>(
    app: &App<'_, S>,
    request: &Request,
    id: &str,
) -> Result<Response, Error> {
    let livemode = auth::authenticate(app.settings, request)?;
    if let Some(catalog) = app.store.catalog() {
        return Ok(catalog.ask(livemode, request).await?);
    }
    let mut params = Params::query(request)?;
    let expand = expanded(&mut params, "feature")?;
    let expand = if expand { Expand::Feature } else { Expand::Nothing };
    params.finish()?;
    let id = EntitlementId::try_from(id).map_err(|error| Error::unnameable("id", &error))?;
    let Some(stripe) = app.store.source(livemode) else {
        return Err(Error::keyless("An entitlement by its id", livemode));
    };
    match stripe.entitlement(&id, expand).await {
        Ok(entitlement) => Ok(json(StatusCode::OK, &entitlement)),
        Err(source::Error::Missing { message, .. }) => Err(Error::not_here(message)),
        Err(error) => Err(error.into()),
    }
}

/// Stripe's list, with items as a caller wants them.
#[derive(Serialize)]
pub(super) struct List<'a> {
    object: &'static str,
    data: Vec<Item<'a>>,
    has_more: bool,
    url: &'a str,
}

#[derive(Serialize)]
struct Item<'a> {
    id: &'a str,
    object: &'static str,
    feature: Named<'a>,
    livemode: bool,
    lookup_key: &'a str,
}

/// A feature by its id, or whole.
#[derive(Serialize)]
#[serde(untagged)]
enum Named<'a> {
    Id(&'a str),
    Whole(&'a Feature),
}

impl<'a> List<'a> {
    /// A page of a list whose features stand as their ids.
    pub(super) fn of(
        data: &'a [ActiveEntitlement],
        has_more: bool,
        livemode: Livemode,
        url: &'a str,
    ) -> Self {
        let data = data.iter().map(|granted| Item {
            id: granted.id.as_str(),
            object: "entitlements.active_entitlement",
            feature: Named::Id(granted.feature.as_str()),
            livemode: livemode.into(),
            lookup_key: granted.lookup_key.as_str(),
        });
        Self { object: "list", data: data.collect(), has_more, url }
    }
}

async fn answer<S: Store>(
    app: &App<'_, S>,
    customer: Customer,
    mut params: Params,
    url: &str,
    now: Timestamp,
) -> Result<Response, Error> {
    let livemode = customer.livemode;
    let page = Page::take(&mut params)?;
    let freshness = checks::freshness(&mut params)?;
    let expand = expanded(&mut params, "data.feature")?;
    params.finish()?;
    let source = app.store.source(livemode);
    if expand && source.is_none() {
        return Err(Error::keyless("`data.feature`", livemode).about("expand"));
    }

    let found = store::find(app.store, &customer, &[], freshness).await?;
    if found.held.as_ref().is_some_and(|held| held.coverage == Coverage::Partial) {
        return Err(Error::undecided(&customer.id));
    }
    if found.held.is_none() && source.is_some() {
        return Err(Error::no_such("customer", customer.id.as_str(), "customer"));
    }
    // Stripe sends no event for a customer who never had an entitlement: unheard of is empty.
    let all = found.held.as_ref().map_or(&[][..], |held| &held.data);
    let (data, has_more) = page.of(all, "active entitlement", |granted| granted.id.as_str())?;
    let mut list = List::of(data, has_more, livemode, url);
    let features = match source {
        Some(stripe) if expand => features::of(app.features, stripe, livemode, data, now).await?,
        _ => Vec::new(),
    };
    for (item, feature) in list.data.iter_mut().zip(&features) {
        item.feature = Named::Whole(feature);
    }
    let mut response = json(StatusCode::OK, &list);
    describe(&mut response, found.held.as_ref(), found.served_by);
    Ok(response)
}

/// Takes `expand`, and whether it names the one thing that can be.
fn expanded(params: &mut Params, expandable: &str) -> Result<bool, Error> {
    let expand = params.list("expand")?;
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
pub(super) fn describe(response: &mut Response, held: Option<&Entitlements>, served_by: ServedBy) {
    let headers = response.headers_mut();
    let version = held.map_or(0, |held| held.version.0);
    headers.insert(VERSION, HeaderValue::from(version));
    if let Some(held) = held {
        headers.insert(AS_OF, HeaderValue::from(held.as_of.0));
    }
    headers.insert(SERVED_BY, HeaderValue::from_static(served_by.name()));
}
