//! Errors in the format of OpenFeature's remote evaluation (OFREP).
//!
//! | failure                             | status   | body                                      |
//! |-------------------------------------|----------|-------------------------------------------|
//! | the request is invalid              | 400      | `key`, `errorCode`, `errorDetails`        |
//! | the feature does not exist          | 404      | the same, with `FLAG_NOT_FOUND`           |
//! | the caller has no permission        | 401, 403 | empty                                     |
//! | the decision is unknown             | 500      | the same, with `GENERAL` and `Retry-After` |
//!
//! `key` is present if the request is about one flag. No error has a `value`, because a provider
//! uses a `value` in any response.
//!
//! Specification: OFREP 0.3.0, <https://github.com/open-feature/protocol>.

use http::{StatusCode, header};
use serde::Serialize;

use super::{
    Error, RETRY_AFTER_SECS,
    excerpt::{bounded, excerpt},
};
use crate::{
    api::{
        app::{Response, json_response},
        body,
    },
    id, store,
};

/// Why an evaluation failed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::api) enum EvaluationError {
    /// The request is invalid.
    BadRequest {
        /// The kind of problem.
        code: ErrorCode,
        /// The problem as a sentence.
        details: String,
    },
    /// The caller has no permission, or the decision is unknown.
    Other(Error),
}

/// OpenFeature's error codes: <https://openfeature.dev/specification/types#error-code>.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(in crate::api) enum ErrorCode {
    /// The body cannot be parsed.
    ParseError,
    /// The context names no customer.
    TargetingKeyMissing,
    /// The context is not valid.
    InvalidContext,
    /// The feature does not exist.
    FlagNotFound,
    /// Any other failure: the decision is unknown.
    General,
}

impl EvaluationError {
    /// 400, or 404 for [`ErrorCode::FlagNotFound`].
    pub(in crate::api) fn bad_request(code: ErrorCode, details: impl Into<String>) -> Self {
        Self::BadRequest { code, details: bounded(details.into()) }
    }

    /// 400: the targeting key is not a valid customer id.
    pub(in crate::api) fn invalid_targeting_key(error: &id::Error) -> Self {
        Self::bad_request(ErrorCode::InvalidContext, format!("The targetingKey is {error}."))
    }

    /// The cause for the operator's log, if there is one.
    pub(in crate::api) fn cause(&self) -> Option<&str> {
        match self {
            Self::BadRequest { .. } => None,
            Self::Other(error) => error.cause(),
        }
    }

    /// The response; `key` is the flag of the request, if it is about one.
    pub(in crate::api) fn to_response(&self, key: Option<&str>) -> Response {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct EvaluationErrorBody<'a> {
            #[serde(skip_serializing_if = "Option::is_none")]
            key: Option<&'a str>,
            error_code: ErrorCode,
            error_details: &'a str,
        }
        let key = key.map(excerpt);
        let respond = |status, error_code, error_details| {
            let key = key.as_deref();
            json_response(status, &EvaluationErrorBody { key, error_code, error_details })
        };
        let error = match self {
            Self::BadRequest { code: code @ ErrorCode::FlagNotFound, details } => {
                return respond(StatusCode::NOT_FOUND, *code, details);
            }
            Self::BadRequest { code, details } => {
                return respond(StatusCode::BAD_REQUEST, *code, details);
            }
            Self::Other(error) => error,
        };
        if matches!(error.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            let mut response = error.to_response();
            response.body_mut().clear();
            response.headers_mut().remove(header::CONTENT_TYPE);
            return response;
        }
        let mut response =
            respond(StatusCode::INTERNAL_SERVER_ERROR, ErrorCode::General, error.body().message());
        let retry_after = error.retry_after().unwrap_or_else(|| RETRY_AFTER_SECS.into());
        response.headers_mut().insert(header::RETRY_AFTER, retry_after);
        response
    }
}

/// 401 and 403 keep their status; any other error becomes a 500.
impl From<Error> for EvaluationError {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

/// 400: the protocol has no status for the size or the duration of a body.
impl From<body::Error> for EvaluationError {
    fn from(error: body::Error) -> Self {
        Self::bad_request(ErrorCode::ParseError, Error::from(error).body().message())
    }
}

/// 500: a failed store never denies a feature.
impl From<store::Error> for EvaluationError {
    fn from(error: store::Error) -> Self {
        Self::Other(error.into())
    }
}
