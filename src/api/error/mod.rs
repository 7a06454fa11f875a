//! Errors of the API, and their HTTP statuses. No other module assigns a status to a failure.
//!
//! | file          | content                                                              |
//! |---------------|----------------------------------------------------------------------|
//! | this file     | errors of the API itself, as Stripe's envelope                       |
//! | `access`      | errors of callers: 401 and 403                                       |
//! | `conversions` | errors of the modules below the API                                  |
//! | `catalog`     | errors of the built-in catalog                                       |
//! | `codes`       | every code that an error may have                                    |
//! | `idempotency` | errors of idempotency keys                                           |
//! | `overrides`   | errors of overrides, and of explanations of a past time              |
//! | `excerpt`     | shortens what an error repeats of a request                          |
//! | `evaluation`  | the format of OpenFeature's remote evaluation                        |
//!
//! The envelope is `{"error":{"type","code","message","param"}}`. A caller's mistake is explained in
//! full. A failure of this deployment is logged, and returned as an `api_error` that the caller may
//! retry.
//!
//! Specification: <https://docs.stripe.com/api/errors>.

mod access;
#[cfg(feature = "catalog")]
mod catalog;
mod codes;
mod conversions;
pub(super) mod evaluation;
mod excerpt;
mod idempotency;
mod overrides;

use http::{Method, StatusCode, header};
use serde::Serialize;

pub use self::codes::CODES;
pub(super) use self::excerpt::excerpt;

use super::{
    app::{Response, json_response},
    deployment::JurisdictionChanged,
    settings,
};
use crate::{
    id::{self, CustomerId},
    store,
};

/// `Retry-After` of a 503, in seconds: the cause is usually temporary.
const RETRY_AFTER_SECS: u32 = 1;

/// `Retry-After` while a setting is missing, in seconds: an operator has to act.
const OPERATOR_RETRY_AFTER_SECS: u32 = 60;

/// `Retry-After` when a customer has too many streams, in seconds: another stream must close first.
const STREAM_RETRY_AFTER_SECS: u32 = 30;

/// A failure with its status and body. It is boxed, because most requests succeed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Error(Box<ErrorInner>);

#[derive(Clone, Debug, Eq, PartialEq)]
struct ErrorInner {
    status: StatusCode,
    body: ErrorBody,
    /// A header that HTTP requires for the status.
    header: Option<(header::HeaderName, String)>,
    /// The cause, for the operator's log only.
    cause: Option<String>,
}

/// The object inside `error`.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct ErrorBody {
    r#type: ErrorType,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    param: Option<String>,
}

impl ErrorBody {
    /// The message.
    pub(super) fn message(&self) -> &str {
        &self.message
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
enum ErrorType {
    #[serde(rename = "api_error")]
    Api,
    #[cfg(feature = "catalog")]
    #[serde(rename = "card_error")]
    Card,
    #[serde(rename = "idempotency_error")]
    Idempotency,
    #[serde(rename = "invalid_request_error")]
    InvalidRequest,
}

impl Error {
    fn new(status: StatusCode, r#type: ErrorType, message: impl Into<String>) -> Self {
        let message = excerpt::sentence(excerpt::bounded(message.into()));
        let body = ErrorBody { r#type, code: None, message, param: None };
        Self(Box::new(ErrorInner { status, body, header: None, cause: None }))
    }

    /// 400: the request is invalid, without one parameter as the cause.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, ErrorType::InvalidRequest, message)
    }

    /// 400: one parameter is invalid.
    pub(super) fn parameter(
        param: impl AsRef<str>,
        code: &'static str,
        message: impl Into<String>,
    ) -> Self {
        let mut error = Self::invalid(message);
        error.0.body.code = Some(code);
        error.with_param(param.as_ref())
    }

    /// 400: a required parameter is missing. Stripe's wording.
    pub(super) fn missing_param(param: &str) -> Self {
        Self::parameter(
            param,
            "parameter_missing",
            format!("Missing required param: {}.", excerpt(param)),
        )
    }

    /// 400: a parameter names an object that does not exist.
    pub(super) fn resource_missing(kind: &str, id: &str, param: &str) -> Self {
        Self::parameter(param, "resource_missing", format!("No such {kind}: '{}'", excerpt(id)))
    }

    /// 400: a parameter is not a valid id or lookup key.
    pub(super) fn invalid_id(param: &str, error: &id::Error) -> Self {
        let name = excerpt(param);
        match error {
            id::Error::Empty => Self::parameter(
                param,
                "parameter_invalid_empty",
                format!(
                    "You passed an empty string for '{name}'. Leave it out, or give it a value."
                ),
            ),
            error => Self::parameter(
                param,
                "parameter_invalid_string",
                format!("Invalid string for '{name}': {error}"),
            ),
        }
    }

    /// 503: a token cannot be verified, because the issuer's keys are unavailable.
    pub(super) fn issuer_keys_unavailable(cause: &str) -> Self {
        let mut error = Self::unavailable(
            "The keys of the token's issuer cannot be read at the moment, so that the token cannot be \
             checked. Try again.",
        );
        error.0.cause = Some(format!("failed to read {}: {cause}", settings::JWKS_URL));
        error
    }

    /// 404: no route has this path. Stripe's wording. `meant` is the path of a route that it resembles.
    pub(super) fn no_route(method: &Method, path: &str, meant: Option<&str>) -> Self {
        let (method, path) = (excerpt(method.as_str()), excerpt(path));
        let mut message = format!("Unrecognized request URL ({method}: {path}).");
        if let Some(meant) = meant {
            message.push_str(" Did you mean ");
            message.push_str(meant);
            message.push('?');
        }
        Self::new(StatusCode::NOT_FOUND, ErrorType::InvalidRequest, message)
    }

    /// 405: a route has this path with other methods.
    pub(super) fn method_not_allowed(method: &Method, path: &str, allowed: String) -> Self {
        let (method, path) = (excerpt(method.as_str()), excerpt(path));
        let message = format!("{path} does not accept {method}. It accepts {allowed}.");
        let mut error =
            Self::new(StatusCode::METHOD_NOT_ALLOWED, ErrorType::InvalidRequest, message);
        error.0.header = Some((header::ALLOW, allowed));
        error
    }

    /// 503: a required setting is missing.
    pub(super) fn unconfigured(message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, ErrorType::Api, message)
    }

    /// 503: the known entitlements are incomplete and do not decide the request.
    pub(super) fn incomplete(customer: &CustomerId) -> Self {
        let mut error = Self::unavailable(format!(
            "Only a part of the entitlements of '{}' is known, and the answer is not in it. This is \
             not a denial.",
            excerpt(customer.as_str())
        ));
        error.0.body.code = Some("entitlements_incomplete");
        error
    }

    /// 503: nothing is known of the customer, and the source cannot be asked.
    pub(super) fn customer_not_verifiable(customer: &id::CustomerKey) -> Self {
        let id::CustomerKey { livemode, id } = customer;
        let mut error = Self::unavailable(format!(
            "Nothing is known of the customer '{}', and Stripe cannot be asked, because there is no \
             key of {} mode for it. This is not a denial. Set {}, or set {} to `deny` if this \
             deployment receives every event of Stripe.",
            excerpt(id.as_str()),
            livemode.as_str(),
            settings::STRIPE_API_KEY,
            settings::UNKNOWN_CUSTOMERS,
        ));
        error.0.body.code = Some("customer_not_verifiable");
        error.0.header = Some((header::RETRY_AFTER, OPERATOR_RETRY_AFTER_SECS.to_string()));
        error
    }

    /// 429: the customer has the maximum number of open streams.
    pub(super) fn too_many_streams(customer: &CustomerId) -> Self {
        let message = format!(
            "Too many streams of '{}' are open at once. Close some, or try again later.",
            excerpt(customer.as_str())
        );
        let mut error =
            Self::new(StatusCode::TOO_MANY_REQUESTS, ErrorType::InvalidRequest, message);
        error.0.body.code = Some("rate_limit");
        error.0.header = Some((header::RETRY_AFTER, STREAM_RETRY_AFTER_SECS.to_string()));
        error
    }

    /// The same error with the name of the parameter that caused it.
    pub(super) fn with_param(mut self, param: &str) -> Self {
        self.0.body.param = Some(excerpt(param).into_owned());
        self
    }

    /// 404: the path names an object that does not exist.
    pub(super) fn not_found(message: impl Into<String>) -> Self {
        let mut error = Self::new(StatusCode::NOT_FOUND, ErrorType::InvalidRequest, message);
        error.0.body.code = Some("resource_missing");
        error.with_param("id")
    }

    /// 400: only Stripe can answer, and no key for Stripe's API is set. `what` starts the message.
    pub(super) fn requires_stripe_key(what: &str, livemode: id::Livemode) -> Self {
        Self::invalid(format!(
            "{what} is read from Stripe, and this deployment has no key of {} mode for it: set \
             {}.",
            livemode.as_str(),
            settings::STRIPE_API_KEY
        ))
    }

    /// 500: the objects were created in another jurisdiction. Only the operator can change that.
    pub(super) fn jurisdiction_changed(changed: &JurisdictionChanged) -> Self {
        let message = format!(
            "The deployment is misconfigured: {changed}. Set {} back, or deploy under another name with \
             another KV namespace.",
            settings::JURISDICTION
        );
        let mut error = Self::new(StatusCode::INTERNAL_SERVER_ERROR, ErrorType::Api, message);
        error.0.body.code = Some("jurisdiction_changed");
        error
    }

    /// 503: a newer release wrote the data.
    pub(super) fn newer_schema() -> Self {
        let mut error = Self::unavailable(
            "The data was written by a newer release of entgate, which this release cannot use. Complete \
             the rollout of the newer release.",
        );
        error.0.body.code = Some("newer_schema");
        error
    }

    /// 503: the source of entitlements is unavailable.
    pub(super) fn source_unavailable(cause: String) -> Self {
        store::Error::Unreachable { port: "source", cause }.into()
    }

    fn unavailable(message: impl Into<String>) -> Self {
        let mut error = Self::new(StatusCode::SERVICE_UNAVAILABLE, ErrorType::Api, message);
        error.0.header = Some((header::RETRY_AFTER, RETRY_AFTER_SECS.to_string()));
        error
    }

    /// The cause for the operator's log, if there is one.
    pub(super) fn cause(&self) -> Option<&str> {
        self.0.cause.as_deref()
    }

    /// The status.
    pub(super) fn status(&self) -> StatusCode {
        self.0.status
    }

    /// `Retry-After`, if the error has one.
    pub(super) fn retry_after(&self) -> Option<header::HeaderValue> {
        let (name, value) = self.0.header.as_ref()?;
        header::HeaderValue::from_str(value).ok().filter(|_| *name == header::RETRY_AFTER)
    }

    /// The object inside `error`, for a response that contains several results.
    pub(super) fn body(&self) -> &ErrorBody {
        debug_assert!(
            self.0.body.code.is_none_or(|code| CODES.contains(&code)),
            "{:?} is not in CODES",
            self.0.body.code
        );
        &self.0.body
    }

    /// Logs the cause and returns the response.
    pub(super) fn log_and_respond(&self, log: fn(&str)) -> Response {
        if let Some(cause) = self.cause() {
            log(cause);
        }
        self.to_response()
    }

    /// The response.
    pub(super) fn to_response(&self) -> Response {
        #[derive(Serialize)]
        struct ErrorEnvelope<'a> {
            error: &'a ErrorBody,
        }
        let mut response = json_response(self.0.status, &ErrorEnvelope { error: self.body() });
        if let Some((name, value)) = &self.0.header
            && let Ok(value) = header::HeaderValue::from_str(value)
        {
            response.headers_mut().insert(name.clone(), value);
        }
        response
    }
}
