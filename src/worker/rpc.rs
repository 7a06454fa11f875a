//! Requests to a Durable Object: a `POST` with a JSON message, and a JSON response.
//!
//! An object returns 200 with its response, or 500 with an error message as text. Which messages an
//! object accepts is defined next to its stub.

use js_sys::{Promise, Uint8Array};
use serde::Serialize;
use wasm_bindgen::{JsCast as _, JsValue, prelude::wasm_bindgen};
use wasm_bindgen_futures::JsFuture;
use web_sys::RequestInit;
use worker::{Error, ObjectNamespace, Request, Response, Result};

use crate::{
    id::Livemode,
    json::{self, FromJson},
};

/// A Durable Object is addressed by its name; the URL only has to be valid.
pub(super) const OBJECT_URL: &str = "https://object/";

#[wasm_bindgen]
extern "C" {
    /// The platform's stub of an object. The `worker` crate would read the response chunk by chunk.
    type JsObjectStub;

    #[wasm_bindgen(method, catch)]
    fn fetch(
        this: &JsObjectStub,
        url: &str,
        init: &RequestInit,
    ) -> std::result::Result<Promise, JsValue>;
}

/// Sends a message to the object with this name. Returns the response and its body.
pub(super) async fn post(
    objects: &ObjectNamespace,
    name: &str,
    message: String,
) -> Result<(web_sys::Response, Vec<u8>)> {
    let init = RequestInit::new();
    init.set_method("POST");
    init.set_body(&message.into());
    let object: JsObjectStub = objects.id_from_name(name)?.get_stub()?.into_rpc();
    let response = JsFuture::from(object.fetch(OBJECT_URL, &init)?).await?;
    let response: web_sys::Response = response.unchecked_into();
    let body = JsFuture::from(response.array_buffer()?).await?;
    Ok((response, Uint8Array::new(&body).to_vec()))
}

/// Sends a message to the object with this name. Returns the body of a 200, and fails for any other
/// status.
pub(super) async fn call(
    objects: &ObjectNamespace,
    name: &str,
    message: String,
) -> Result<Vec<u8>> {
    let (response, body) = post(objects, name, message).await?;
    match response.status() {
        200 => Ok(body),
        _ => Err(String::from_utf8_lossy(&body).into_owned().into()),
    }
}

/// Reads the message of a request to an object.
pub(super) async fn read_request<M: FromJson>(request: &mut Request) -> Result<M> {
    decode(&request.bytes().await?)
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

/// The name of an object of which there is one per mode.
pub(super) fn mode_name(livemode: Livemode) -> &'static str {
    match livemode {
        Livemode::Test => "test",
        Livemode::Live => "live",
    }
}
