//! Calls of a Durable Object: its method `request` takes a JSON message, and returns a response, each as a
//! string.
//!
//! A string costs the runtime less than a `Request` and a `Response` with headers and a body. A response
//! is a line with its status and, for some messages, a note, and then the body:
//!
//! ```text
//! 200 source
//! {"v":1,…}
//! ```
//!
//! An object returns 200 with its response, or 500 with an error message as text. It returns 503 if a
//! newer release wrote the message or the tables, and this release cannot use them. Which messages
//! an object accepts is defined next to its stub. The fast path reads the response to an event in
//! `wire.js`. Not here: the catalog, which is an HTTP API, and WebSockets; both are reached with `fetch`.

use std::result;

use serde::Serialize;
use worker::{Error, Result};

use super::objects::Objects;
use crate::{
    json::{self, FromJson},
    ledger::{PortError, StepError},
    store,
};

/// The status of an object that cannot use a message or its tables, because a newer release wrote
/// them.
pub(super) const NEWER_RELEASE: u16 = 503;

/// The body of a response with that status.
pub(super) const NEWER_RELEASE_MESSAGE: &str = "written by a newer release";

/// A response of an object.
pub(super) struct ObjectResponse(String);

impl ObjectResponse {
    /// The response without a body.
    pub(super) fn empty() -> Self {
        Self::new(200, "", b"")
    }

    /// Serializes a body.
    pub(super) fn json(body: &impl Serialize) -> Result<Self> {
        Ok(Self::new(200, "", &serde_json::to_vec(body)?))
    }

    /// The response of an object that cannot use a message or its tables.
    pub(super) fn newer_release() -> Self {
        Self::new(NEWER_RELEASE, "", NEWER_RELEASE_MESSAGE.as_bytes())
    }

    /// Creates a response. A note has no line break. The body is text: bytes that are not UTF-8 are replaced.
    pub(super) fn new(status: u16, note: &str, body: &[u8]) -> Self {
        let mut text = String::with_capacity("200 \n".len() + note.len() + body.len());
        text.push_str(&status.to_string());
        if !note.is_empty() {
            text.push(' ');
            text.push_str(note);
        }
        text.push('\n');
        text.push_str(&String::from_utf8_lossy(body));
        Self(text)
    }

    /// The status; 500 if the response is malformed.
    pub(super) fn status(&self) -> u16 {
        let status = self.0.split(['\n', ' ']).next();
        status.and_then(|status| status.parse().ok()).unwrap_or(500)
    }

    /// Fails for any status but 200, as the store `port`.
    pub(super) fn require_ok(self, port: &'static str) -> result::Result<Self, store::Error> {
        match self.status() {
            200 => Ok(self),
            NEWER_RELEASE => Err(store::Error::NewerSchema { port }),
            _ => Err(unreachable(port, &self.body())),
        }
    }

    pub(super) fn note(&self) -> &str {
        let line = self.0.lines().next().unwrap_or_default();
        line.split_once(' ').map_or("", |(_, note)| note)
    }

    pub(super) fn body(&self) -> &str {
        self.0.split_once('\n').map_or(&*self.0, |(_, body)| body)
    }
}

/// Sends a serialized message to the object with this name.
pub(super) async fn request(
    objects: &Objects,
    name: &str,
    message: serde_json::Result<String>,
) -> Result<ObjectResponse> {
    objects.stub(name)?.request(&message?).await.map(ObjectResponse)
}

/// Sends a message as [`request()`] does, to an object that is the store `port`. Returns a 200, and fails
/// for any other status.
pub(super) async fn call(
    objects: &Objects,
    port: &'static str,
    name: &str,
    message: serde_json::Result<String>,
) -> result::Result<ObjectResponse, store::Error> {
    let response = request(objects, name, message).await;
    response.map_err(|error| unreachable(port, &error))?.require_ok(port)
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

/// Returns the response of `handle` to the message of a call, as the object returns it.
pub(super) async fn respond<M: FromJson>(
    message: &str,
    handle: impl AsyncFnOnce(M) -> Result<ObjectResponse>,
) -> String {
    let response = match json::from_slice(message.as_bytes()) {
        Ok(message) => handle(message).await,
        // This release does not know the message.
        Err(_) => Ok(ObjectResponse::newer_release()),
    };
    let ObjectResponse(text) =
        response.unwrap_or_else(|error| ObjectResponse::new(500, "", error.to_string().as_bytes()));
    text
}

/// Decodes JSON that this crate encoded.
pub(super) fn decode<T: FromJson>(json: &[u8]) -> Result<T> {
    Ok(json::from_slice(json).map_err(|error| error.to_string())?)
}
