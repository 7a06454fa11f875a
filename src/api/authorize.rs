//! `GET /v1/authorize`: a check whose result is the status, for proxies.
//!
//! | status | when                                                                        |
//! |--------|-----------------------------------------------------------------------------|
//! | 204    | the customer may use every `feature` of the request                         |
//! | 403    | the customer may not use one of them: `not_entitled`, `unknown_feature`, `unknown_customer`, `denied_by_override` |
//! | 401    | the request has no valid token or server key                                |
//! | 503    | the decision is unknown                                                     |
//!
//! nginx's `auth_request`, Traefik's `forwardAuth` and Caddy's `forward_auth` pass the browser's
//! headers on. A proxy that adds a server key names the customer in the header `Entgate-Customer` or
//! in `customer`. It must overwrite or remove that header in the browser's request.

use http::{HeaderName, HeaderValue, StatusCode};

use super::{
    active_entitlements::add_set_headers,
    app::{App, Request, Response, header_str},
    auth, checks,
    customer_set::{self, FinalDecision},
    error::Error,
    form::{OneOrMany, Params},
};
use crate::{
    id::{LookupKey, Timestamp},
    store::Store,
};

/// The maximum number of features in one request.
const MAX_FEATURES: usize = 100;

/// The header that names the customer: in a proxy's request with a server key, and in a response, for
/// the upstream server.
pub(super) const CUSTOMER_HEADER: HeaderName = HeaderName::from_static("entgate-customer");

/// Handles `GET /v1/authorize`.
pub(super) async fn authorize<S: Store>(
    app: &App<'_, S>,
    request: &Request,
    now: Timestamp,
) -> Result<Response, Error> {
    let principal = auth::authenticate_any(app, request, now).await?;
    let mut params = Params::from_query(request)?;
    params.accept(&checks::CHECK_PARAMS)?;
    let param = params.take_string("customer")?;
    let header = header_str(request, CUSTOMER_HEADER).filter(|id| !id.is_empty());
    let customer = match (param.as_deref(), header) {
        (Some(param), Some(header)) if *param != *header => {
            let message = "`customer` and the header Entgate-Customer name two customers.";
            return Err(Error::parameter("customer", "parameter_invalid", message));
        }
        (Some(id), _) => principal.authorize_customer(Some(id), "customer")?,
        (None, header) => principal.authorize_customer(header, "customer")?,
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
        let message = format!("At most {MAX_FEATURES} features are checked in one request.");
        return Err(Error::parameter("feature", "parameter_invalid", message));
    }

    let set = customer_set::load(app, &customer, &features, freshness, now).await?;
    let mut undecided = None;
    for feature in &features {
        match set.decide(feature) {
            Ok(FinalDecision::Grant(_)) => {}
            Ok(FinalDecision::Deny(reason)) => {
                let reason = set.find_reason(app, feature, reason).await;
                let nearest = set.nearest_feature(app, feature, reason);
                return Err(Error::denied(reason, &customer.id, feature, nearest.as_ref()));
            }
            Err(error) => undecided = Some(error),
        }
    }
    if let Some(error) = undecided {
        return Err(error);
    }
    let mut response = Response::default();
    *response.status_mut() = StatusCode::NO_CONTENT;
    add_set_headers(&mut response, &set);
    let headers = response.headers_mut();
    headers.insert(http::header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // A header cannot carry every id unchanged.
    let id = customer.id.as_str();
    if id.is_ascii()
        && let Ok(id) = HeaderValue::from_str(id)
    {
        headers.insert(CUSTOMER_HEADER, id);
    }
    Ok(response)
}
