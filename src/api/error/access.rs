//! Errors of callers that are not known, or that may not do what they ask.

use http::{StatusCode, header};

use super::{Error, ErrorType, excerpt};
use crate::{
    api::settings,
    entitlement::DenyReason,
    id::{CustomerId, LookupKey},
};

impl Error {
    /// 401. `WWW-Authenticate` offers Bearer only: with Basic, a browser would show a login prompt.
    pub(in crate::api) fn unauthorized(message: impl Into<String>) -> Self {
        let mut error = Self::new(StatusCode::UNAUTHORIZED, ErrorType::InvalidRequest, message);
        error.0.header = Some((header::WWW_AUTHENTICATE, "Bearer realm=\"entgate\"".to_owned()));
        error
    }

    /// 403: the route requires a server key, and the caller sent a customer's token.
    pub(in crate::api) fn needs_server_key() -> Self {
        let message = "This route needs a server key (sk_…). A customer token gives access only to what its customer may read.";
        Self::forbidden("server_key_required", message)
    }

    /// 403: the route requires a secret key, and the caller sent a read-only key. Stripe's wording for a
    /// restricted key.
    pub(in crate::api) fn key_lacks_permission(redacted_key: &str) -> Self {
        let message = format!(
            "The provided key '{redacted_key}' does not have the required permissions for this \
             endpoint. A read-only key (rk_…) gives access to checks, lists, authorize, snapshots, \
             OFREP and streams. Having a secret key (sk_…) would allow this request to continue."
        );
        Self::forbidden("secret_key_required", message)
    }

    /// 403: a deployment for development is asked under the name of another machine.
    pub(in crate::api) fn host_not_allowed(authority: &str) -> Self {
        let message = format!(
            "This deployment is for development and does not answer requests for `{authority}`. To \
             allow this host, add its name to {}, without a port.",
            settings::DEVELOPMENT
        );
        Self::forbidden("host_not_allowed", message)
    }

    /// 403: the request names another customer than the token.
    pub(in crate::api) fn customer_mismatch(param: &str) -> Self {
        let message =
            "The token belongs to another customer. Leave the customer out: the token names it.";
        Self::forbidden("customer_mismatch", message).with_param(param)
    }

    /// 403: a page of this origin may not open a WebSocket.
    pub(in crate::api) fn origin_not_allowed() -> Self {
        let message = format!(
            "Pages of this origin may not open a WebSocket. Add the origin to {}.",
            settings::ALLOWED_ORIGINS
        );
        Self::forbidden("origin_not_allowed", message)
    }

    /// 403: the caller is authenticated and has no permission.
    pub(in crate::api) fn forbidden(code: &'static str, message: impl Into<String>) -> Self {
        let mut error = Self::new(StatusCode::FORBIDDEN, ErrorType::InvalidRequest, message);
        error.0.body.code = Some(code);
        error
    }

    /// 403: the customer may not use the feature. `nearest` is the one that an unknown feature probably
    /// means.
    pub(in crate::api) fn denied(
        reason: DenyReason,
        customer: &CustomerId,
        feature: &LookupKey,
        nearest: Option<&LookupKey>,
    ) -> Self {
        let (customer, feature) = (excerpt(customer.as_str()), excerpt(feature.as_str()));
        let message = match reason {
            DenyReason::NotEntitled | DenyReason::DeniedByOverride => {
                format!("'{customer}' may not use '{feature}'.")
            }
            DenyReason::UnknownFeature => {
                let advice = nearest.map_or_else(
                    || "Check how it is spelled.".to_owned(),
                    |nearest| format!("Did you mean '{}'?", excerpt(nearest.as_str())),
                );
                format!("No feature has the lookup key '{feature}'. {advice}")
            }
            DenyReason::UnknownCustomer => format!("The customer '{customer}' is unknown."),
        };
        Self::forbidden(reason.as_str(), message).with_param("feature")
    }
}
