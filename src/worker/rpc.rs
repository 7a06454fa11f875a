//! Requests to a Durable Object: a `POST` with a JSON message, and a JSON response.
//!
//! An object returns 200 with its response, or 500 with an error message as text. It returns 503 if a
//! newer release wrote the message or the tables, and this release cannot use them. Which messages
//! an object accepts is defined next to its stub.

use serde::Serialize;
use web_sys::RequestInit;
use worker::{Error, Request, Response, Result};

use super::{
    http::{MAX_OBJECT_RESPONSE_BYTES, read_buffer},
    objects::Objects,
};
use crate::{
    json::{self, FromJson},
    ledger::{PortError, StepError},
    store,
};

/// A Durable Object is addressed by its name; the URL only has to be valid.
pub(super) const OBJECT_URL: &str = "https://object/";

/// The status of an object that cannot use a message or its tables, because a newer release wrote
/// them.
pub(super) const NEWER_RELEASE: u16 = 503;

/// Sends a serialized message to the object with this name. Returns the response and its body.
pub(super) async fn post(
    objects: &Objects,
    name: &str,
    message: serde_json::Result<String>,
) -> Result<(web_sys::Response, Vec<u8>)> {
    let init = RequestInit::new();
    init.set_method("POST");
    init.set_body(&message?.into());
    let response = objects.stub(name)?.fetch(OBJECT_URL, &init).await?;
    let body = read_buffer(response.array_buffer()?, MAX_OBJECT_RESPONSE_BYTES).await?;
    Ok((response, body))
}

/// Sends a message as [`post()`] does, to an object that is the store `port`. Returns the body of a
/// 200, and fails for any other status.
pub(super) async fn call(
    objects: &Objects,
    port: &'static str,
    name: &str,
    message: serde_json::Result<String>,
) -> std::result::Result<Vec<u8>, store::Error> {
    let posted = post(objects, name, message).await;
    let (response, body) = posted.map_err(|error| unreachable(port, &error))?;
    match response.status() {
        200 => Ok(body),
        NEWER_RELEASE => Err(store::Error::NewerSchema { port }),
        _ => Err(unreachable(port, &String::from_utf8_lossy(&body))),
    }
}

pub(super) fn unreachable(port: &'static str, cause: &impl ToString) -> store::Error {
    store::Error::Unreachable { port, cause: cause.to_string() }
}

/// The cause of a failed call, for a log line that names the store.
pub(super) fn port_error(error: store::Error) -> PortError {
    match error {
        store::Error::Unreachable { cause, .. } => PortError(cause),
        error => PortError(error.to_string()),
    }
}

impl From<PortError> for Error {
    fn from(PortError(cause): PortError) -> Self {
        cause.into()
    }
}

impl From<Error> for PortError {
    fn from(error: Error) -> Self {
        Self(error.to_string())
    }
}

impl From<Error> for StepError {
    fn from(error: Error) -> Self {
        PortError::from(error).into()
    }
}

/// Reads the message of a request to an object. Returns `None` for a message that this release does
/// not know.
pub(super) async fn read_request<M: FromJson>(request: &mut Request) -> Result<Option<M>> {
    Ok(json::from_slice(&request.bytes().await?).ok())
}

/// Returns the response of `handle` to the message of a request.
pub(super) async fn respond<M: FromJson>(
    request: &mut Request,
    handle: impl AsyncFnOnce(M) -> Result<Response>,
) -> Result<Response> {
    let response = match read_request(request).await {
        Ok(Some(message)) => handle(message).await,
        Ok(None) => newer_release_response(),
        Err(error) => Err(error),
    };
    response.or_else(|error| error_response(&error))
}

/// Decodes JSON that this crate encoded.
pub(super) fn decode<T: FromJson>(json: &[u8]) -> Result<T> {
    Ok(json::from_slice(json).map_err(|error| error.to_string())?)
}

pub(super) fn json_response(value: &impl Serialize) -> Result<Response> {
    Response::from_bytes(serde_json::to_vec(value)?)
}

pub(super) fn error_response(error: &Error) -> Result<Response> {
    Response::error(error.to_string(), 500)
}

/// The response of an object that cannot use a message or its tables.
pub(super) fn newer_release_response() -> Result<Response> {
    Response::error("written by a newer release", NEWER_RELEASE)
}
