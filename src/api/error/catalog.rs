//! Errors of the built-in catalog, and their HTTP statuses.

use http::{Method, StatusCode};

use super::{Error, ErrorType};
use crate::{api::settings, catalog};

impl Error {
    /// 404: the route belongs to the catalog, which is not the source of this deployment.
    pub(in crate::api) fn catalog_disabled(method: &Method, path: &str) -> Self {
        let message = format!(
            "Unrecognized request URL ({method}: {path}). It belongs to the built-in catalog, which \
             {}=catalog enables.",
            settings::SOURCE
        );
        Self::new(StatusCode::NOT_FOUND, ErrorType::InvalidRequest, message)
    }

    /// 400: the idempotency key was used for a different request. Stripe's wording.
    pub(in crate::api) fn idempotency_mismatch(key: &str) -> Self {
        let message = format!(
            "Keys for idempotent requests can only be used with the same parameters they were first \
             used with. Try using a key other than '{key}' if you meant to execute a different request."
        );
        Self::new(StatusCode::BAD_REQUEST, ErrorType::Idempotency, message)
    }

    /// 409: the first request with the idempotency key is still in progress. Stripe's wording.
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

/// As at Stripe: 404 for an object that the path names, 400 for a parameter, 402 for a declined
/// charge. 503 if the storage fails, since nothing was changed and a retry may succeed.
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
                let mut error = Self::new(StatusCode::PAYMENT_REQUIRED, ErrorType::Card, message);
                error.0.body.code = Some("card_declined");
                error
            }
            Catalog::Storage(_) => {
                let mut error = Self::unavailable(
                    "The catalog cannot be read or written at the moment. Nothing was changed.",
                );
                error.0.cause = Some(message);
                error
            }
        }
    }
}
