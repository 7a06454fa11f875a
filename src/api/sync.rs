//! `POST /v1/customers/{id}/sync`: reads the source now, for the page that a buyer returns to.
//!
//! With `feature` the answer says whether it is granted, and with `wait` it comes as soon as it is,
//! at the latest after that many seconds.

use http::StatusCode;
use serde::Serialize;

use super::{
    App, Request, Response,
    active_entitlements::{self, List},
    auth,
    error::Error,
    form::Params,
    json,
};
use crate::{
    entitlement::{self, Decision, Version},
    id::{Customer, CustomerId, LookupKey, Timestamp},
    store::{Ledger as _, ServedBy, Store, Until},
};

/// The longest that a caller may wait, in seconds: below the half minute after which proxies and
/// browsers give a request up.
const WAIT: u64 = 25;

/// The most entitlements in the answer: a page of Stripe's list.
const PAGE: usize = 100;

#[derive(Serialize)]
struct Sync<'a> {
    object: &'static str,
    customer: &'a CustomerId,
    version: Version,
    as_of: Timestamp,
    served_by: ServedBy,
    #[serde(skip_serializing_if = "Option::is_none")]
    feature: Option<&'a LookupKey>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entitled: Option<bool>,
    entitlements: List<'a>,
}

/// Reads the set at its source, and answers it.
pub(super) async fn sync<S: Store>(
    app: &App<'_, S>,
    request: &Request,
    id: &str,
) -> Result<Response, Error> {
    let livemode = auth::authenticate(app.settings, request)?;
    let mut params = Params::either(request)?;
    let until = until(&mut params)?;
    params.finish()?;
    let id = CustomerId::try_from(id).map_err(|error| Error::unnameable("id", &error))?;
    if app.store.source(livemode).is_none() {
        return Err(Error::keyless("Reading a customer's entitlements anew", livemode));
    }

    let customer = Customer { livemode, id };
    let found = app.store.ledger().sync(&customer, until.as_ref()).await?;
    let Some(held) = &found.held else {
        return Err(Error::not_here(format!("No such customer: '{}'", customer.id)));
    };
    let feature = until.as_ref().map(|until| &until.feature);
    let entitled = match feature.map(|feature| entitlement::check(Some(held), feature)) {
        None => None,
        Some(Decision::Grant) => Some(true),
        Some(Decision::Deny(_)) => Some(false),
        Some(Decision::Undecided) => return Err(Error::undecided(&customer.id)),
    };
    let page = held.data.get(..PAGE.min(held.data.len())).unwrap_or_default();
    let path = active_entitlements::PATH;
    let answer = Sync {
        object: "customer_sync",
        customer: &customer.id,
        version: held.version,
        as_of: held.as_of,
        served_by: found.served_by,
        feature,
        entitled,
        entitlements: List::of(page, page.len() < held.data.len(), livemode, path),
    };
    Ok(json(StatusCode::OK, &answer))
}

fn until(params: &mut Params) -> Result<Option<Until>, Error> {
    let wait = params.integer("wait", 0..=WAIT)?;
    let Some(feature) = params.text("feature")? else {
        return match wait {
            None => Ok(None),
            Some(_) => Err(Error::parameter(
                "wait",
                "parameter_invalid",
                "`wait` needs a `feature` to wait for.",
            )),
        };
    };
    let feature =
        LookupKey::try_from(feature).map_err(|error| Error::unnameable("feature", &error))?;
    let wait = wait.and_then(|wait| u32::try_from(wait).ok()).unwrap_or_default();
    Ok(Some(Until { feature, wait }))
}
