//! The body of an evaluation request: `{"context":{"targetingKey":"cus_…"}}`.
//!
//! The targeting key is the customer's id. Other members of the context are ignored, and their strings
//! need not be Unicode: an application may cut a user's name inside an emoji.

use serde_json::Value;

use super::super::{
    app::{App, Request},
    auth::{self, Principal},
    body::{self, MAX_BODY_BYTES, RequestBody},
    error::{
        Error,
        evaluation::{ErrorCode, EvaluationError},
    },
};
use crate::{
    id::{CustomerId, CustomerKey, Timestamp},
    json::strict::{self, Unicode},
    store::Store,
    token::claims::TokenSubject,
};

/// The customer of an evaluation, as the caller may see it.
pub(super) struct EvaluationSubject {
    /// The customer that the body names.
    pub(super) customer: CustomerKey,
    /// The token of the caller; `None` for a server key.
    pub(super) token: Option<TokenSubject>,
}

/// Authenticates the caller, and returns the customer that the body names.
///
/// # Errors
///
/// 401 or 403, or 400 if the body is invalid.
pub(super) async fn authorize_customer<S: Store>(
    app: &App<'_, S>,
    request: &mut Request,
    body: &impl RequestBody,
    now: Timestamp,
) -> Result<EvaluationSubject, EvaluationError> {
    let principal = auth::authenticate_any(app, request, now).await?;
    body::receive(request, body, MAX_BODY_BYTES).await?;
    let id = parse_targeting_key(request.body())?;
    match principal {
        Principal::Server(livemode) => {
            Ok(EvaluationSubject { customer: CustomerKey { livemode, id }, token: None })
        }
        Principal::Customer(token) if token.customer.id == id => {
            Ok(EvaluationSubject { customer: token.customer.clone(), token: Some(token) })
        }
        Principal::Customer(_) => Err(Error::customer_mismatch("targetingKey").into()),
    }
}

fn parse_targeting_key(body: &[u8]) -> Result<CustomerId, EvaluationError> {
    let unicode = Unicode::At(&["context.targetingKey"]);
    let value = strict::parse(body, unicode).map_err(|error| {
        let details = match error {
            strict::Error::DuplicateMember(name) => {
                format!("The body has an object with two members of the name '{name}'.")
            }
            strict::Error::Syntax => {
                let problem = strict::explain_syntax_error(body, unicode);
                format!("The body is not valid JSON: {problem}.")
            }
        };
        EvaluationError::bad_request(ErrorCode::ParseError, details)
    })?;
    let Value::Object(body) = value else {
        return Err(EvaluationError::bad_request(
            ErrorCode::ParseError,
            "The body is not a JSON object, {…}.",
        ));
    };
    let key = match body.get("context") {
        None | Some(Value::Null) => None,
        Some(Value::Object(context)) => context.get("targetingKey"),
        Some(_) => {
            return Err(EvaluationError::bad_request(
                ErrorCode::InvalidContext,
                "The context is not an object, {…}.",
            ));
        }
    };
    match key {
        None | Some(Value::Null) => Err(missing_targeting_key()),
        Some(Value::String(key)) if key.is_empty() => Err(missing_targeting_key()),
        Some(Value::String(key)) => CustomerId::try_from(key.as_str())
            .map_err(|error| EvaluationError::invalid_targeting_key(&error)),
        Some(_) => Err(EvaluationError::bad_request(
            ErrorCode::InvalidContext,
            "The targetingKey is not a string.",
        )),
    }
}

fn missing_targeting_key() -> EvaluationError {
    let details = "The context has no targetingKey. It is the customer's id, cus_….";
    EvaluationError::bad_request(ErrorCode::TargetingKeyMissing, details)
}
