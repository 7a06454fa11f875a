//! `GET /v1/authorize`: a proxy's question, answered by a status alone.
//!
//! | answer | when                                                                        |
//! |--------|-----------------------------------------------------------------------------|
//! | 204    | the customer may use each `feature` that is named                           |
//! | 403    | the customer may not use one of them: `not_entitled`, `unknown_customer`    |
//! | 401    | nobody is named by a token, nor by a server key                             |
//! | 503    | not known: never a no                                                       |
//!
//! For nginx's `auth_request`, Traefik's `forwardAuth` and Caddy's `forward_auth`, which pass the
//! browser's headers on. With a server key, which the proxy adds, the customer stands in the header
//! `Entgate-Customer` or in `customer`; the proxy has to set that header itself, or take it away.

use http::{HeaderName, HeaderValue, StatusCode};

use super::{
    App, Request, Response,
    active_entitlements::add_set_headers,
    auth, checks,
    error::Error,
    form::{OneOrMany, Params},
    header_str,
};
use crate::{
    entitlement::{self, Decision, DenyReason},
    id::{LookupKey, Timestamp},
    store::{self, Store},
};

/// The most features in one question.
const MAX_FEATURES: usize = 100;

/// Names the customer: to us from a proxy with a server key, and to whatever is behind it from us.
pub(super) const CUSTOMER_HEADER: HeaderName = HeaderName::from_static("entgate-customer");

/// May the customer use all of these?
pub(super) async fn authorize<S: Store>(
    app: &App<'_, S>,
    request: &Request,
    now: Timestamp,
) -> Result<Response, Error> {
    let caller = auth::authenticate_any(app, request, now).await?;
    let mut params = Params::from_query(request)?;
    let named = params.take_string("customer")?;
    let header = header_str(request, CUSTOMER_HEADER).filter(|named| !named.is_empty());
    let customer = match (named.as_deref(), header) {
        (Some(named), Some(header)) if *named != *header => {
            let message = "`customer` and the header Entgate-Customer name two customers.";
            return Err(Error::parameter("customer", "parameter_invalid", message));
        }
        (Some(named), _) => caller.authorize_customer(Some(named), "customer")?,
        (None, header) => caller.authorize_customer(header, "customer")?,
    };
    let features = match params.take_one_or_many("feature")? {
        OneOrMany::One(feature) => vec![feature],
        OneOrMany::Many(features) => features,
    };
    let features = features.into_iter().map(|feature| {
        LookupKey::try_from(feature).map_err(|error| Error::invalid_id("feature", &error))
    });
    let features = features.collect::<Result<Vec<_>, _>>()?;
    let freshness = checks::take_freshness(&mut params)?;
    params.reject_unknown()?;
    if features.is_empty() {
        return Err(Error::missing_param("feature"));
    }
    if features.len() > MAX_FEATURES {
        let message = format!("At most {MAX_FEATURES} features are looked at in one request.");
        return Err(Error::parameter("feature", "parameter_invalid", message));
    }

    let found = store::load(app.store, &customer, &features, freshness).await?;
    let held = found.entitlements.as_ref();
    let mut undecided = false;
    for feature in &features {
        match entitlement::check(held, feature) {
            Decision::Grant => {}
            Decision::Indeterminate => undecided = true,
            Decision::Deny(DenyReason::NotEntitled) => {
                let message = format!("'{}' may not use '{feature}'.", customer.id);
                return Err(Error::forbidden("not_entitled", message).with_param("feature"));
            }
            Decision::Deny(DenyReason::UnknownCustomer) => {
                let message = format!("Nothing is known of a customer '{}'.", customer.id);
                return Err(Error::forbidden("unknown_customer", message).with_param("feature"));
            }
        }
    }
    if undecided {
        return Err(Error::incomplete(&customer.id));
    }
    let mut response = Response::default();
    *response.status_mut() = StatusCode::NO_CONTENT;
    add_set_headers(&mut response, held, found.served_by);
    let headers = response.headers_mut();
    headers.insert(http::header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // An id that no header can carry as it is, is left out: without its spaces it would be another's.
    let id = customer.id.as_str();
    if id.is_ascii()
        && id.trim() == id
        && let Ok(id) = HeaderValue::from_str(id)
    {
        headers.insert(CUSTOMER_HEADER, id);
    }
    Ok(response)
}
