//! Failures as OpenFeature's remote evaluation tells them.
//!
//! | failure                            | status   | body                                         |
//! |------------------------------------|----------|----------------------------------------------|
//! | the request cannot be understood   | 400      | `key`, `errorCode`, `errorDetails`           |
//! | no such feature                    | 404      | the same, `FLAG_NOT_FOUND`                   |
//! | who asks is unknown, or may not    | 401, 403 | none                                         |
//! | the answer is not known            | 500      | the same, `GENERAL`; with `Retry-After`      |
//!
//! `key` is there where one flag was asked for. A provider takes a `value` wherever it stands, so that no
//! failure has one. <https://github.com/open-feature/protocol>, OFREP 0.3.0.

use http::{StatusCode, header};
use serde::Serialize;

use super::{Error, RETRY_AFTER_SECS};
use crate::{
    api::{Response, json_response},
    id, store,
};

/// Why an evaluation has no answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::api) enum EvaluationError {
    /// The request is at fault.
    BadRequest {
        /// What is wrong with it.
        code: ErrorCode,
        /// The same, in words.
        details: String,
    },
    /// Who asks is unknown, or may not ask this; or whatever else kept us from an answer.
    Other(Error),
}

/// An error code of OpenFeature's: <https://openfeature.dev/specification/types#error-code>.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(in crate::api) enum ErrorCode {
    /// The body is none that could be read.
    ParseError,
    /// Nobody is named.
    TargetingKeyMissing,
    /// What is named is nobody.
    InvalidContext,
    /// There is no such feature.
    FlagNotFound,
    /// Anything else: it is not known.
    General,
}

impl EvaluationError {
    /// The request is at fault.
    pub(in crate::api) fn bad_request(code: ErrorCode, details: impl Into<String>) -> Self {
        Self::BadRequest { code, details: details.into() }
    }

    /// 400: nobody can have this name.
    pub(in crate::api) fn invalid_targeting_key(error: &id::Error) -> Self {
        Self::bad_request(ErrorCode::InvalidContext, format!("The targetingKey is {error}."))
    }

    /// What the operator's log should hold of it, if anything.
    pub(in crate::api) fn cause(&self) -> Option<&str> {
        match self {
            Self::BadRequest { .. } => None,
            Self::Other(error) => error.cause(),
        }
    }

    /// The whole answer, about one flag if it was asked for.
    pub(in crate::api) fn to_response(&self, key: Option<&str>) -> Response {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct EvaluationErrorBody<'a> {
            #[serde(skip_serializing_if = "Option::is_none")]
            key: Option<&'a str>,
            error_code: ErrorCode,
            error_details: &'a str,
        }
        let answer = |status, error_code, error_details| {
            json_response(status, &EvaluationErrorBody { key, error_code, error_details })
        };
        let error = match self {
            Self::BadRequest { code: code @ ErrorCode::FlagNotFound, details } => {
                return answer(StatusCode::NOT_FOUND, *code, details);
            }
            Self::BadRequest { code, details } => {
                return answer(StatusCode::BAD_REQUEST, *code, details);
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
            answer(StatusCode::INTERNAL_SERVER_ERROR, ErrorCode::General, error.body().message());
        response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER_SECS.into());
        response
    }
}

/// 401 and 403 as they are; anything else is not known.
impl From<Error> for EvaluationError {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

/// Not known: never a no.
impl From<store::Error> for EvaluationError {
    fn from(error: store::Error) -> Self {
        Self::Other(error.into())
    }
}
