//! What went wrong, as HTTP tells it: the only place with the statuses of failures. `causes` has those
//! of what goes wrong further down, `catalog` those of the catalog, `evaluation` the form that OpenFeature's
//! clients read.
//!
//! Every other failure is Stripe's envelope, `{"error":{"type","code","message","param"}}`
//! (<https://docs.stripe.com/api/errors>). The caller's mistake is told in full; ours is logged, and
//! told as an `api_error` that may be tried again.

#[cfg(feature = "catalog")]
mod catalog;
mod conversions;
pub(super) mod evaluation;

use http::{Method, StatusCode, header};
use serde::Serialize;

use super::{Response, json_response, settings};
use crate::{id, store};

/// How long a caller should wait when we do not know why we failed, in seconds.
const RETRY_AFTER_SECS: u32 = 1;

/// How long who would listen should wait where too many do, in seconds: others have to go first.
const STREAM_RETRY_AFTER_SECS: u32 = 30;

/// A failure, ready to be answered. Boxed, since most requests have none.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Error(Box<ErrorInner>);

#[derive(Clone, Debug, Eq, PartialEq)]
struct ErrorInner {
    status: StatusCode,
    body: ErrorBody,
    /// What HTTP wants said beside the status.
    header: Option<(header::HeaderName, String)>,
    /// For the operator's log: what the caller is not told.
    cause: Option<String>,
}

/// The part inside `error`.
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
    /// What is told in words.
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
    #[cfg(feature = "catalog")]
    #[serde(rename = "idempotency_error")]
    Idempotency,
    #[serde(rename = "invalid_request_error")]
    InvalidRequest,
}

impl Error {
    fn new(status: StatusCode, r#type: ErrorType, message: impl Into<String>) -> Self {
        let told = ErrorBody { r#type, code: None, message: message.into(), param: None };
        Self(Box::new(ErrorInner { status, body: told, header: None, cause: None }))
    }

    /// 400: the request is at fault, and no parameter of it in particular.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, ErrorType::InvalidRequest, message)
    }

    /// 400: one parameter is at fault.
    pub(super) fn parameter(
        param: impl Into<String>,
        code: &'static str,
        message: impl Into<String>,
    ) -> Self {
        let mut error = Self::invalid(message);
        error.0.body.code = Some(code);
        error.0.body.param = Some(param.into());
        error
    }

    /// 400, as Stripe words it.
    pub(super) fn missing_param(param: &str) -> Self {
        Self::parameter(param, "parameter_missing", format!("Missing required param: {param}."))
    }

    /// 400: a parameter names a thing that is not there.
    pub(super) fn resource_missing(kind: &str, id: &str, param: &str) -> Self {
        Self::parameter(param, "resource_missing", format!("No such {kind}: '{id}'"))
    }

    /// 400: a text that cannot be the name of what the parameter asks for.
    pub(super) fn invalid_id(param: &str, error: &id::Error) -> Self {
        match error {
            id::Error::Empty => Self::parameter(
                param,
                "parameter_invalid_empty",
                format!(
                    "You passed an empty string for '{param}'. Leave it out, or give it a value."
                ),
            ),
            error => Self::parameter(
                param,
                "parameter_invalid_string",
                format!("Invalid string for '{param}': {error}"),
            ),
        }
    }

    /// 401, as Stripe words it. `WWW-Authenticate` names Bearer only: Basic would have browsers ask.
    pub(super) fn unauthorized(message: impl Into<String>) -> Self {
        let mut error = Self::new(StatusCode::UNAUTHORIZED, ErrorType::InvalidRequest, message);
        error.0.header = Some((header::WWW_AUTHENTICATE, "Bearer realm=\"entgate\"".to_owned()));
        error
    }

    /// 403: the route is the operator's, and a customer's token was shown.
    pub(super) fn needs_server_key() -> Self {
        let message = "This route needs a server key (sk_…). A customer's token opens what its customer may see.";
        Self::forbidden("server_key_required", message)
    }

    /// 403: a token opens one customer, and another one is asked about.
    pub(super) fn customer_mismatch(param: &str) -> Self {
        let message =
            "The token is another customer's. Leave the customer out: the token names it.";
        Self::forbidden("customer_mismatch", message).with_param(param)
    }

    /// 403: who asks is known, and may not.
    pub(super) fn forbidden(code: &'static str, message: impl Into<String>) -> Self {
        let mut error = Self::new(StatusCode::FORBIDDEN, ErrorType::InvalidRequest, message);
        error.0.body.code = Some(code);
        error
    }

    /// 503: whether a token is genuine cannot be told.
    pub(super) fn issuer_keys_unavailable(cause: &str) -> Self {
        let mut error = Self::unavailable(
            "The keys of the token's issuer cannot be read at the moment, so that the token cannot be \
             checked. Try again.",
        );
        error.0.cause = Some(format!("{} cannot be read: {cause}", settings::JWKS_URL));
        error
    }

    /// 404: no route has this path. Stripe's words.
    pub(super) fn no_route(method: &Method, path: &str) -> Self {
        let message = format!("Unrecognized request URL ({method}: {path}).");
        Self::new(StatusCode::NOT_FOUND, ErrorType::InvalidRequest, message)
    }

    /// 405: the path is a route's, the method is not.
    pub(super) fn method_not_allowed(method: &Method, path: &str, allowed: String) -> Self {
        let message = format!("{path} does not take {method}, but {allowed}.");
        let mut error =
            Self::new(StatusCode::METHOD_NOT_ALLOWED, ErrorType::InvalidRequest, message);
        error.0.header = Some((header::ALLOW, allowed));
        error
    }

    /// 413: more bytes than any request needs.
    pub(super) fn too_large(limit: usize) -> Self {
        let message = format!("The body is longer than {limit} bytes, the most that is read.");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, ErrorType::InvalidRequest, message)
    }

    /// 503: the operator has to do something first.
    pub(super) fn unconfigured(message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, ErrorType::Api, message)
    }

    /// 503: the answer is not known now, which is not a no.
    pub(super) fn incomplete(customer: &id::CustomerId) -> Self {
        let mut error = Self::unavailable(format!(
            "Only a part of the entitlements of '{customer}' is known, and the answer is not in it. \
             This is not a no."
        ));
        error.0.body.code = Some("entitlements_incomplete");
        error
    }

    /// 429: as many listen to the customer as may.
    pub(super) fn too_many_streams(customer: &id::CustomerId) -> Self {
        let message = format!(
            "Too many streams of '{customer}' are open at once. Close some, or try again later."
        );
        let mut error =
            Self::new(StatusCode::TOO_MANY_REQUESTS, ErrorType::InvalidRequest, message);
        error.0.body.code = Some("rate_limit");
        error.0.header = Some((header::RETRY_AFTER, STREAM_RETRY_AFTER_SECS.to_string()));
        error
    }

    /// The same failure, and which parameter it is about.
    pub(super) fn with_param(mut self, param: &str) -> Self {
        self.0.body.param = Some(param.to_owned());
        self
    }

    /// 404: the path names a thing that is not there, as Stripe words it.
    pub(super) fn not_found(message: impl Into<String>) -> Self {
        let mut error = Self::new(StatusCode::NOT_FOUND, ErrorType::InvalidRequest, message);
        error.0.body.code = Some("resource_missing");
        error.with_param("id")
    }

    /// 400: only Stripe can tell, and there is no key to ask it with.
    pub(super) fn requires_stripe_key(what: &str, livemode: id::Livemode) -> Self {
        let mode = match livemode {
            id::Livemode::Test => "test",
            id::Livemode::Live => "live",
        };
        Self::invalid(format!(
            "{what} is read from Stripe, and this deployment has no key of {mode} mode for it: set \
             {}.",
            settings::STRIPE_API_KEY
        ))
    }

    /// 503: the source does not tell.
    pub(super) fn source_unavailable(cause: String) -> Self {
        store::Error::Unreachable { port: "source", cause }.into()
    }

    fn unavailable(message: impl Into<String>) -> Self {
        let mut error = Self::new(StatusCode::SERVICE_UNAVAILABLE, ErrorType::Api, message);
        error.0.header = Some((header::RETRY_AFTER, RETRY_AFTER_SECS.to_string()));
        error
    }

    /// What the operator's log should hold of it, if anything.
    pub(super) fn cause(&self) -> Option<&str> {
        self.0.cause.as_deref()
    }

    /// Its status, where it is not told as Stripe does.
    pub(super) fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The part inside `error`, where a failure is one of many answers.
    pub(super) fn body(&self) -> &ErrorBody {
        &self.0.body
    }

    /// The whole answer, whose cause is logged.
    pub(super) fn log_and_respond(&self, log: fn(&str)) -> Response {
        if let Some(cause) = self.cause() {
            log(cause);
        }
        self.to_response()
    }

    /// The whole answer.
    pub(super) fn to_response(&self) -> Response {
        #[derive(Serialize)]
        struct ErrorEnvelope<'a> {
            error: &'a ErrorBody,
        }
        let mut response = json_response(self.0.status, &ErrorEnvelope { error: &self.0.body });
        if let Some((name, value)) = &self.0.header
            && let Ok(value) = header::HeaderValue::from_str(value)
        {
            response.headers_mut().insert(name.clone(), value);
        }
        response
    }
}
