//! Failures of the catalog, and the status of each.

use http::{Method, StatusCode};

use super::{Error, ErrorType};
use crate::{api::settings, catalog};

impl Error {
    /// 404: the route is the catalog's, which is not the source here.
    pub(in crate::api) fn catalog_disabled(method: &Method, path: &str) -> Self {
        let message = format!(
            "Unrecognized request URL ({method}: {path}). It is one of the built-in catalog, which \
             {}=catalog turns on.",
            settings::SOURCE
        );
        Self::new(StatusCode::NOT_FOUND, ErrorType::InvalidRequest, message)
    }

    /// 400: a key of idempotency that was used for another request. Stripe's words.
    pub(in crate::api) fn idempotency_mismatch(key: &str) -> Self {
        let message = format!(
            "Keys for idempotent requests can only be used with the same parameters they were first \
             used with. Try using a key other than '{key}' if you meant to execute a different request."
        );
        Self::new(StatusCode::BAD_REQUEST, ErrorType::Idempotency, message)
    }

    /// 409: a key of idempotency whose first request is not answered yet.
    pub(in crate::api) fn idempotency_key_in_use(key: &str) -> Self {
        let message = format!(
            "There is currently another in-progress request using this Idempotent Key ('{key}'). \
             Please try again later."
        );
        let mut error = Self::new(StatusCode::CONFLICT, ErrorType::Idempotency, message);
        error.0.body.code = Some("idempotency_key_in_use");
        error
    }
}

/// 404 for what a path names, 400 for what a parameter does, as at Stripe; 402 for a charge that was
/// declined; 503 where the catalog is out of order, since nothing was done.
impl From<catalog::Error> for Error {
    fn from(error: catalog::Error) -> Self {
        use catalog::Error as Catalog;
        let message = error.to_string();
        match error {
            Catalog::NotFound { param, .. } if param == "id" => Self::not_found(message),
            Catalog::NotFound { param, .. } => Self::parameter(param, "resource_missing", message),
            Catalog::AlreadyExists { param, .. } => {
                Self::parameter(param, "resource_already_exists", message)
            }
            Catalog::InvalidParameter { param, .. } => {
                Self::parameter(param, "parameter_invalid", message)
            }
            Catalog::InvalidState(_) => Self::invalid(message),
            Catalog::CardDeclined => {
                let mut told = Self::new(StatusCode::PAYMENT_REQUIRED, ErrorType::Card, message);
                told.0.body.code = Some("card_declined");
                told
            }
            Catalog::Storage(_) => {
                let mut told = Self::unavailable(
                    "The catalog cannot be read or written at the moment. Nothing was changed.",
                );
                told.0.cause = Some(message);
                told
            }
        }
    }
}
