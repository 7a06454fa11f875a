//! Errors of idempotency keys.

use http::StatusCode;

use super::{Error, ErrorType, excerpt};

impl Error {
    /// 400: the idempotency key was used for another request. The message is Stripe's.
    pub(in crate::api) fn idempotency_mismatch(key: &str) -> Self {
        let key = excerpt(key);
        let message = format!(
            "Keys for idempotent requests can only be used with the same parameters they were first \
             used with. Try using a key other than '{key}' if you meant to execute a different request."
        );
        Self::new(StatusCode::BAD_REQUEST, ErrorType::Idempotency, message)
    }

    /// 409: the first request with this idempotency key is still in progress. The message is
    /// Stripe's.
    #[cfg(feature = "catalog")]
    pub(in crate::api) fn idempotency_key_in_use(key: &str) -> Self {
        let key = excerpt(key);
        let message = format!(
            "There is currently another in-progress request using this Idempotent Key ('{key}'). \
             Please try again later."
        );
        let mut error = Self::new(StatusCode::CONFLICT, ErrorType::Idempotency, message);
        error.0.body.code = Some("idempotency_key_in_use");
        error
    }
}
