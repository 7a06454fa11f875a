//! `POST /v1/customers/{id}/sync`: reads the source now, for the page that a buyer returns to.
//!
//! With `feature` the answer says whether it is granted, and with `wait` it comes as soon as it is,
//! at the latest after that many seconds.

use http::StatusCode;
use serde::Serialize;

use super::{
    App, Request, Response,
    active_entitlements::{self, ActiveEntitlementList},
    auth,
    error::Error,
    form::Params,
    json_response,
};
use crate::{
    entitlement::{self, Decision, Version},
    id::{CustomerId, CustomerKey, LookupKey, Timestamp},
    store::{Ledger as _, ServedBy, Store, WaitFor},
};

/// The longest that a caller may wait, in seconds: below the half minute after which proxies and
/// browsers give a request up.
const MAX_WAIT: u64 = 25;

/// The most entitlements in the answer: a page of Stripe's list.
const MAX_ENTITLEMENTS: usize = 100;

#[derive(Serialize)]
struct SyncResponse<'a> {
    object: &'static str,
    customer: &'a CustomerId,
    version: Version,
    as_of: Timestamp,
    served_by: ServedBy,
    #[serde(skip_serializing_if = "Option::is_none")]
    feature: Option<&'a LookupKey>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entitled: Option<bool>,
    entitlements: ActiveEntitlementList<'a>,
}

/// Reads the set at its source, and answers it.
pub(super) async fn sync<S: Store>(
    app: &App<'_, S>,
    request: &Request,
    id: &str,
) -> Result<Response, Error> {
    let livemode = auth::authenticate_server(app.settings, request)?;
    let mut params = Params::from_query_or_body(request)?;
    let until = parse_wait(&mut params)?;
    params.reject_unknown()?;
    let id = CustomerId::try_from(id).map_err(|error| Error::invalid_id("id", &error))?;
    if app.store.source(livemode).is_none() {
        return Err(Error::requires_stripe_key("Reading a customer's entitlements anew", livemode));
    }

    let customer = CustomerKey { livemode, id };
    let found = app.store.ledger().sync(&customer, until.as_ref()).await?;
    let Some(held) = &found.entitlements else {
        return Err(Error::not_found(format!("No such customer: '{}'", customer.id)));
    };
    let feature = until.as_ref().map(|until| &until.feature);
    let entitled = match feature.map(|feature| entitlement::check(Some(held), feature)) {
        None => None,
        Some(Decision::Grant) => Some(true),
        Some(Decision::Deny(_)) => Some(false),
        Some(Decision::Indeterminate) => return Err(Error::incomplete(&customer.id)),
    };
    let page = held.data.get(..MAX_ENTITLEMENTS.min(held.data.len())).unwrap_or_default();
    let path = active_entitlements::LIST_PATH;
    let answer = SyncResponse {
        object: "customer_sync",
        customer: &customer.id,
        version: held.version,
        as_of: held.as_of,
        served_by: found.served_by,
        feature,
        entitled,
        entitlements: ActiveEntitlementList::new(
            page,
            page.len() < held.data.len(),
            livemode,
            path,
        ),
    };
    Ok(json_response(StatusCode::OK, &answer))
}

fn parse_wait(params: &mut Params) -> Result<Option<WaitFor>, Error> {
    let wait = params.take_integer("wait", 0..=MAX_WAIT)?;
    let Some(feature) = params.take_string("feature")? else {
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
        LookupKey::try_from(feature).map_err(|error| Error::invalid_id("feature", &error))?;
    let wait = wait.and_then(|wait| u32::try_from(wait).ok()).unwrap_or_default();
    Ok(Some(WaitFor { feature, max_seconds: wait }))
}
