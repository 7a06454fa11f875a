//! Errors of the catalog, and the status of each.

use http::{Method, StatusCode};

use super::{Error, ErrorType, excerpt};
use crate::{
    api::settings,
    catalog::{self, objects::api_version::LATEST},
};

impl Error {
    /// 404: the route belongs to the catalog, and the source is another one.
    pub(in crate::api) fn catalog_disabled(method: &Method, path: &str) -> Self {
        let path = excerpt(path);
        let message = format!(
            "Unrecognized request URL ({method}: {path}). It belongs to the built-in catalog, which \
             {}=catalog enables.",
            settings::SOURCE
        );
        Self::new(StatusCode::NOT_FOUND, ErrorType::InvalidRequest, message)
    }

    /// 400: the header `Stripe-Version` is malformed. Stripe's wording.
    pub(in crate::api) fn invalid_api_version(version: &str) -> Self {
        let shown = excerpt(version);
        Self::invalid(format!(
            "Invalid Stripe API version: {shown}. A version is a date, and since 2024-09-30 the name \
             of a release, such as {LATEST}."
        ))
    }

    /// 404: neither the edge nor the catalog has the route. `meant` is the path of a route that it
    /// resembles, `advice` says what to do instead.
    pub(in crate::api) fn no_catalog_route(
        method: &Method,
        path: &str,
        meant: Option<&str>,
        advice: Option<&str>,
    ) -> Self {
        let mut error = Self::no_route(method, path, meant);
        if let Some(advice) = advice {
            error.0.body.message.push(' ');
            error.0.body.message.push_str(advice);
        }
        error
    }
}

/// 404 for an id in the path and 400 for a parameter, as at Stripe. 402 for a declined charge. 503
/// if the storage fails, because nothing was changed.
impl From<catalog::Error> for Error {
    fn from(error: catalog::Error) -> Self {
        let message = match &error {
            catalog::Error::NotFound { entity_type, id, .. } => {
                format!("No such {entity_type}: '{}'", excerpt(id))
            }
            error => error.to_string(),
        };
        match error {
            catalog::Error::NotFound { param, .. } if param == "id" => Self::not_found(message),
            catalog::Error::NotFound { param, .. } => {
                Self::parameter(param, "resource_missing", message)
            }
            catalog::Error::AlreadyExists { param, .. } => {
                Self::parameter(param, "resource_already_exists", message)
            }
            catalog::Error::MissingParameter { param } => Self::missing_param(param),
            catalog::Error::InvalidParameter { param, .. } => {
                Self::parameter(param, "parameter_invalid", message)
            }
            catalog::Error::InvalidState(_) => Self::invalid(message),
            catalog::Error::CardDeclined => {
                let mut declined =
                    Self::new(StatusCode::PAYMENT_REQUIRED, ErrorType::Card, message);
                declined.0.body.code = Some("card_declined");
                declined
            }
            catalog::Error::Storage(_) => {
                let mut unavailable = Self::unavailable(
                    "The catalog cannot be read or written at the moment. Nothing was changed.",
                );
                unavailable.0.cause = Some(message);
                unavailable
            }
        }
    }
}
