//! What is said to a Durable Object: a message in JSON, and the answer.

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

/// An object is found by its name; the URL only has to be one.
pub(super) const OBJECT_URL: &str = "https://object/";

#[wasm_bindgen]
extern "C" {
    /// An object, as it is asked: the `worker` crate reads an answer chunk by chunk.
    type JsObjectStub;

    #[wasm_bindgen(method, catch)]
    fn fetch(
        this: &JsObjectStub,
        url: &str,
        init: &RequestInit,
    ) -> std::result::Result<Promise, JsValue>;
}

/// The answer to a message, and its body.
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

/// The body of the answer to a message.
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

/// The message that an object is sent.
pub(super) async fn read_request<M: FromJson>(request: &mut Request) -> Result<M> {
    decode(&request.bytes().await?)
}

/// Reads a text that we wrote.
pub(super) fn decode<T: FromJson>(text: &[u8]) -> Result<T> {
    Ok(json::from_slice(text).map_err(|error| error.to_string())?)
}

pub(super) fn json_response(answer: &impl Serialize) -> Result<Response> {
    Response::from_bytes(serde_json::to_vec(answer)?)
}

pub(super) fn error_response(error: &Error) -> Result<Response> {
    Response::error(error.to_string(), 500)
}

/// The name of the object of one mode.
pub(super) fn mode_name(livemode: Livemode) -> &'static str {
    match livemode {
        Livemode::Test => "test",
        Livemode::Live => "live",
    }
}
