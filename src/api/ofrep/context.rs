//! The request's body: `{"context":{"targetingKey":"cus_…"}}`, and whatever else an application knows.

use serde_json::Value;

use super::super::{
    App, MAX_BODY_BYTES, Request,
    auth::{self, Principal},
    error::{
        Error,
        evaluation::{ErrorCode, EvaluationError},
    },
};
use crate::{
    id::{CustomerId, CustomerKey, Timestamp},
    store::Store,
};

/// About whom a request asks, if who asks may know.
///
/// # Errors
///
/// 401 or 403, or what is wrong with the body.
pub(super) async fn authorize_customer<S: Store>(
    app: &App<'_, S>,
    request: &Request,
    now: Timestamp,
) -> Result<CustomerKey, EvaluationError> {
    let caller = auth::authenticate_any(app, request, now).await?;
    let id = parse_targeting_key(request.body())?;
    match caller {
        Principal::Server(livemode) => Ok(CustomerKey { livemode, id }),
        Principal::Customer(holder) if holder.customer.id == id => Ok(holder.customer),
        Principal::Customer(_) => Err(Error::customer_mismatch("targetingKey").into()),
    }
}

fn parse_targeting_key(body: &[u8]) -> Result<CustomerId, EvaluationError> {
    if body.len() > MAX_BODY_BYTES {
        return Err(EvaluationError::bad_request(
            ErrorCode::ParseError,
            format!("The body is longer than {MAX_BODY_BYTES} bytes, the most that is read."),
        ));
    }
    let body: Value = serde_json::from_slice(body).map_err(|error| {
        EvaluationError::bad_request(
            ErrorCode::ParseError,
            format!("The body is no JSON: {error}."),
        )
    })?;
    let Value::Object(body) = body else {
        return Err(EvaluationError::bad_request(
            ErrorCode::ParseError,
            "The body is no JSON object, {…}.",
        ));
    };
    let key = match body.get("context") {
        None | Some(Value::Null) => None,
        Some(Value::Object(context)) => context.get("targetingKey"),
        Some(_) => {
            return Err(EvaluationError::bad_request(
                ErrorCode::InvalidContext,
                "The context is no object, {…}.",
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
            "The targetingKey is no text.",
        )),
    }
}

fn missing_targeting_key() -> EvaluationError {
    let details = "The context has no targetingKey. It is the customer's id, cus_….";
    EvaluationError::bad_request(ErrorCode::TargetingKeyMissing, details)
}
