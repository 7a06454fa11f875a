//! `POST /v1/customers/{id}/sync`: reads a customer's entitlements from the source now.
//!
//! It is for the page to which a buyer returns from the checkout. With `feature`, the response states
//! whether the customer has it. With `wait` too, the response is delayed until the feature is granted,
//! for at most that many seconds.

use http::StatusCode;
use serde::Serialize;

use super::{
    active_entitlements::{self, ActiveEntitlementList},
    app::{App, Request, Response, json_response},
    auth,
    body::{self, MAX_BODY_BYTES, RequestBody},
    customer_set::{CustomerSet, FinalDecision},
    error::{Error, excerpt},
    form::Params,
};
use crate::{
    entitlement::Version,
    id::{CustomerId, CustomerKey, LookupKey, Timestamp},
    ledger::WaitFor,
    store::{Ledger as _, ServedBy, Store},
};

/// The maximum of `wait`, in seconds: less than the 30 s after which proxies and browsers time out.
const MAX_WAIT: u64 = 25;

/// The maximum number of entitlements in the response: a page of Stripe's list.
const MAX_ENTITLEMENTS: usize = 100;

#[derive(Serialize)]
struct SyncResponse<'a> {
    object: &'static str,
    customer: &'a CustomerId,
    version: Version,
    as_of: Option<Timestamp>,
    served_by: ServedBy,
    #[serde(skip_serializing_if = "Option::is_none")]
    feature: Option<&'a LookupKey>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entitled: Option<bool>,
    entitlements: ActiveEntitlementList<'a>,
}

/// Handles `POST /v1/customers/{id}/sync`.
pub(super) async fn sync<S: Store>(
    app: &App<'_, S>,
    request: &mut Request,
    body: &impl RequestBody,
    id: &str,
    now: Timestamp,
) -> Result<Response, Error> {
    let livemode = auth::authenticate_server(app.settings, request)?;
    body::receive(request, body, MAX_BODY_BYTES).await?;
    let mut params = Params::from_query_or_body(request)?;
    let until = parse_wait(&mut params)?;
    params.reject_unknown()?;
    let id = CustomerId::try_from(id).map_err(|error| Error::invalid_id("id", &error))?;
    if app.store.source(livemode).is_none() {
        return Err(Error::requires_stripe_key("A customer's entitlement list", livemode));
    }

    let customer = CustomerKey { livemode, id };
    let loaded = app.store.ledger().sync(&customer, until.as_ref()).await?;
    if loaded.entitlements.is_none() {
        return Err(Error::not_found(format!(
            "No such customer: '{}'",
            excerpt(customer.id.as_str())
        )));
    }
    let loaded = CustomerSet::new(app.settings, &customer, loaded, now);
    let feature = until.as_ref().map(|until| &until.feature);
    let decision = feature.map(|feature| loaded.decide(feature)).transpose()?;
    let set = loaded.effective_set();
    let all = set.rows(&customer);
    let page = all.get(..MAX_ENTITLEMENTS.min(all.len())).unwrap_or_default();
    let has_more = page.len() < all.len();
    let url = active_entitlements::LIST_PATH;
    let body = SyncResponse {
        object: "customer_sync",
        customer: &customer.id,
        version: set.version(),
        as_of: loaded.as_of(),
        served_by: loaded.served_by(),
        feature,
        entitled: decision.map(FinalDecision::is_grant),
        entitlements: ActiveEntitlementList::new(page, has_more, livemode, url),
    };
    Ok(json_response(StatusCode::OK, &body))
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
    let max_seconds = wait.and_then(|wait| u32::try_from(wait).ok()).unwrap_or_default();
    Ok(Some(WaitFor { feature, max_seconds }))
}
