//! What is said to an object that there is one of, or one a mode: a message in JSON, and the answer.

use serde::Serialize;
use worker::{Error, ObjectNamespace, Request, Response, Result};

use crate::{
    id::Livemode,
    json::{self, Read},
};

/// An object is found by its name; the URL only has to be one.
pub(super) const URL: &str = "https://object/";

/// The answer to a message, and its body.
pub(super) async fn post(
    objects: &ObjectNamespace,
    name: &str,
    message: String,
) -> Result<(Response, Vec<u8>)> {
    let init = web_sys::RequestInit::new();
    init.set_method("POST");
    init.set_body(&message.into());
    let object = objects.id_from_name(name)?.get_stub()?;
    let request = web_sys::Request::new_with_str_and_init(URL, &init)?;
    let mut response = object.fetch_with_request(request.into()).await?;
    let body = response.bytes().await?;
    Ok((response, body))
}

/// The body of the answer to a message.
pub(super) async fn send(
    objects: &ObjectNamespace,
    name: &str,
    message: String,
) -> Result<Vec<u8>> {
    let (response, body) = post(objects, name, message).await?;
    match response.status_code() {
        200 => Ok(body),
        _ => Err(String::from_utf8_lossy(&body).into_owned().into()),
    }
}

/// The message that an object is sent.
pub(super) async fn heard<M: Read>(request: &mut Request) -> Result<M> {
    read(&request.bytes().await?)
}

/// Reads a text that we wrote.
pub(super) fn read<T: Read>(text: &[u8]) -> Result<T> {
    Ok(json::read(text).map_err(|error| error.to_string())?)
}

pub(super) fn answer(answer: &impl Serialize) -> Result<Response> {
    Response::from_bytes(serde_json::to_vec(answer)?)
}

pub(super) fn failed(error: &Error) -> Result<Response> {
    Response::error(error.to_string(), 500)
}

/// The name of the object of one mode.
pub(super) fn of_mode(livemode: Livemode) -> &'static str {
    match livemode {
        Livemode::Test => "test",
        Livemode::Live => "live",
    }
}
