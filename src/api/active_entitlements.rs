//! Stripe's list of a customer's active entitlements, under both of its paths.
//!
//! <https://docs.stripe.com/api/entitlements/active-entitlement/list>. The body is Stripe's to the
//! letter, so what it has no room for stands in headers: `Entgate-Version`, `Entgate-As-Of` and
//! `Entgate-Served-By`. `at_least` and `fresh` are ours; an unknown parameter is refused.

use http::{HeaderValue, StatusCode};
use serde::Serialize;

use super::{App, Request, Response, auth, checks, error::Error, form::Params, json, page::Page};
use crate::{
    entitlement::{Coverage, Entitlements},
    id::{Customer, CustomerId},
    store::{self, ServedBy, Store},
};

/// What may be expanded, in a list.
const EXPANDABLE: &str = "data.feature";

/// `GET /v1/entitlements/active_entitlements?customer=`.
pub(super) async fn list<S: Store>(app: &App<'_, S>, request: &Request) -> Result<Response, Error> {
    let livemode = auth::authenticate(app.settings, request)?;
    let mut params = Params::query(request)?;
    let id = params.required("customer")?;
    let id = CustomerId::try_from(id).map_err(|error| Error::unnameable("customer", &error))?;
    answer(app, Customer { livemode, id }, params, "/v1/entitlements/active_entitlements").await
}

/// `GET /v1/customer/{id}/entitlements`: what the `url` of a summary's list names. Stripe's Python
/// SDK follows it when it pages through the list of an event.
pub(super) async fn list_of_summary<S: Store>(
    app: &App<'_, S>,
    request: &Request,
    id: &str,
) -> Result<Response, Error> {
    let livemode = auth::authenticate(app.settings, request)?;
    let params = Params::query(request)?;
    let id = CustomerId::try_from(id).map_err(|error| Error::unnameable("customer", &error))?;
    answer(app, Customer { livemode, id }, params, request.uri().path()).await
}

#[derive(Serialize)]
struct List<'a> {
    object: &'static str,
    data: Vec<Item<'a>>,
    has_more: bool,
    url: &'a str,
}

#[derive(Serialize)]
struct Item<'a> {
    id: &'a str,
    object: &'static str,
    feature: &'a str,
    livemode: bool,
    lookup_key: &'a str,
}

async fn answer<S: Store>(
    app: &App<'_, S>,
    customer: Customer,
    mut params: Params,
    url: &str,
) -> Result<Response, Error> {
    let page = Page::take(&mut params)?;
    let freshness = checks::freshness(&mut params)?;
    let expand = params.list("expand")?;
    params.finish()?;
    refuse_expand(&expand)?;

    let found = store::find(app.store, &customer, freshness).await?;
    if found.held.as_ref().is_some_and(|held| held.coverage == Coverage::Partial) {
        return Err(Error::undecided(&customer.id));
    }
    // Stripe sends no event for a customer who never had an entitlement: unheard of is empty.
    let all = found.held.as_ref().map_or(&[][..], |held| &held.data);
    let (data, has_more) = page.of(all, "active entitlement", |granted| granted.id.as_str())?;
    let data = data.iter().map(|granted| Item {
        id: granted.id.as_str(),
        object: "entitlements.active_entitlement",
        feature: granted.feature.as_str(),
        livemode: customer.livemode.into(),
        lookup_key: granted.lookup_key.as_str(),
    });
    let list = List { object: "list", data: data.collect(), has_more, url };
    let mut response = json(StatusCode::OK, &list);
    describe(&mut response, found.held.as_ref(), found.served_by);
    Ok(response)
}

/// Expanding needs the features themselves, and a summary has only their ids.
fn refuse_expand(expand: &[String]) -> Result<(), Error> {
    let Some(path) = expand.first() else { return Ok(()) };
    if path == EXPANDABLE {
        return Err(Error::parameter(
            "expand",
            "parameter_invalid",
            "This deployment cannot expand data.feature: only Stripe knows the features, and \
             STRIPE_API_KEY is not supported yet. Leave `expand` out.",
        ));
    }
    Err(Error::parameter(
        "expand",
        "parameter_invalid",
        format!("This property cannot be expanded ({path}). Only {EXPANDABLE} can."),
    ))
}

fn describe(response: &mut Response, held: Option<&Entitlements>, served_by: ServedBy) {
    let headers = response.headers_mut();
    let version = held.map_or(0, |held| held.version.0);
    headers.insert("entgate-version", HeaderValue::from(version));
    if let Some(held) = held {
        headers.insert("entgate-as-of", HeaderValue::from(held.as_of.0));
    }
    let served_by = match served_by {
        ServedBy::Replica => "replica",
        ServedBy::Ledger => "ledger",
    };
    headers.insert("entgate-served-by", HeaderValue::from_static(served_by));
}
