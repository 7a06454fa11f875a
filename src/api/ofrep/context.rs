//! The request's body: `{"context":{"targetingKey":"cus_…"}}`, and whatever else an application knows.

use serde_json::Value;

use super::super::{
    App, BODY_LIMIT, Request,
    auth::{self, Caller},
    error::{
        Error,
        evaluation::{Code, Failure},
    },
};
use crate::{
    id::{Customer, CustomerId, Timestamp},
    store::Store,
};

/// About whom a request asks, if who asks may know.
///
/// # Errors
///
/// 401 or 403, or what is wrong with the body.
pub(super) async fn customer<S: Store>(
    app: &App<'_, S>,
    request: &Request,
    now: Timestamp,
) -> Result<Customer, Failure> {
    let caller = auth::caller(app, request, now).await?;
    let id = target(request.body())?;
    match caller {
        Caller::Server(livemode) => Ok(Customer { livemode, id }),
        Caller::Customer(holder) if holder.customer.id == id => Ok(holder.customer),
        Caller::Customer(_) => Err(Error::other_customer("targetingKey").into()),
    }
}

fn target(body: &[u8]) -> Result<CustomerId, Failure> {
    if body.len() > BODY_LIMIT {
        return Err(Failure::mistaken(
            Code::ParseError,
            format!("The body is longer than {BODY_LIMIT} bytes, the most that is read."),
        ));
    }
    let body: Value = serde_json::from_slice(body).map_err(|error| {
        Failure::mistaken(Code::ParseError, format!("The body is no JSON: {error}."))
    })?;
    let Value::Object(body) = body else {
        return Err(Failure::mistaken(Code::ParseError, "The body is no JSON object, {…}."));
    };
    let key = match body.get("context") {
        None | Some(Value::Null) => None,
        Some(Value::Object(context)) => context.get("targetingKey"),
        Some(_) => {
            return Err(Failure::mistaken(Code::InvalidContext, "The context is no object, {…}."));
        }
    };
    match key {
        None | Some(Value::Null) => Err(missing()),
        Some(Value::String(key)) if key.is_empty() => Err(missing()),
        Some(Value::String(key)) => {
            CustomerId::try_from(key.as_str()).map_err(|error| Failure::nobody(&error))
        }
        Some(_) => Err(Failure::mistaken(Code::InvalidContext, "The targetingKey is no text.")),
    }
}

fn missing() -> Failure {
    let details = "The context has no targetingKey. It is the customer's id, cus_….";
    Failure::mistaken(Code::TargetingKeyMissing, details)
}
