//! Conversions between the platform's requests and responses and [`api::Request`] and
//! [`api::Response`].
//!
//! Bodies are bytes; a body that is too large is read up to one byte past its limit. Not here:
//! routing, and the errors for bodies that are too large ([`api`]).

use ::http::{HeaderName, HeaderValue, Method, Uri};
use js_sys::{Reflect, Uint8Array};
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Headers, ReadableStream, ReadableStreamDefaultReader, ResponseInit};
use worker::Result;

use crate::api::{self, MAX_BODY_BYTES, REQUEST_ID};

/// Reads a client's request, and adds its id.
pub(super) async fn read_client_request(
    request: &web_sys::Request,
    id: &HeaderValue,
) -> Result<api::Request> {
    let mut message = read_request(request, &api::REQUEST_HEADERS).await?;
    message.headers_mut().insert(REQUEST_ID, id.clone());
    Ok(message)
}

/// Converts a response for the client, and adds the id of its request.
pub(super) fn respond(mut response: api::Response, id: HeaderValue) -> Result<web_sys::Response> {
    response.headers_mut().insert(REQUEST_ID, id);
    to_response(&response)
}

/// Reads a request: its method, URL, body and these headers. The body is read up to one byte past
/// the API's limit, so that the API rejects it.
pub(super) async fn read_request(
    request: &web_sys::Request,
    headers: &[HeaderName],
) -> Result<api::Request> {
    let mut message = api::Request::new(read_body(request).await?);
    *message.method_mut() =
        Method::from_bytes(request.method().as_bytes()).map_err(|error| error.to_string())?;
    // An invalid URL becomes `/`, which has no route.
    *message.uri_mut() = Uri::try_from(request.url()).unwrap_or_default();
    for name in headers {
        if let Some(value) = request.headers().get(name.as_str())?
            && let Ok(value) = HeaderValue::from_bytes(value.as_bytes())
        {
            message.headers_mut().insert(name, value);
        }
    }
    Ok(message)
}

/// Converts a response.
pub(super) fn to_response(response: &api::Response) -> Result<web_sys::Response> {
    let init = response_init(response)?;
    // A 204 must have no body at all, not an empty one.
    let body = (!response.body().is_empty()).then(|| Uint8Array::from(response.body().as_slice()));
    Ok(web_sys::Response::new_with_opt_js_u8_array_and_init(body.as_ref(), &init)?)
}

/// Converts the status and the headers of a response.
pub(super) fn response_init(response: &api::Response) -> Result<ResponseInit> {
    let headers = Headers::new()?;
    for (name, value) in response.headers() {
        if let Ok(value) = value.to_str() {
            headers.append(name.as_str(), value)?;
        }
    }
    let init = ResponseInit::new();
    init.set_status(response.status().as_u16());
    init.set_headers_headers(&headers);
    Ok(init)
}

async fn read_body(request: &web_sys::Request) -> std::result::Result<Vec<u8>, JsValue> {
    match request.body() {
        Some(stream) => read_limited(&stream, MAX_BODY_BYTES).await,
        None => Ok(Vec::new()),
    }
}

/// Reads a stream up to one byte past the limit, and cancels the rest.
pub(super) async fn read_limited(
    stream: &ReadableStream,
    limit: usize,
) -> std::result::Result<Vec<u8>, JsValue> {
    let reader: ReadableStreamDefaultReader = stream.get_reader().unchecked_into();
    let mut body = Vec::new();
    while body.len() <= limit {
        let chunk = JsFuture::from(reader.read()).await?;
        if Reflect::get(&chunk, &"done".into())?.is_truthy() {
            return Ok(body);
        }
        let chunk: Uint8Array = Reflect::get(&chunk, &"value".into())?.unchecked_into();
        body.extend(chunk.to_vec());
    }
    JsFuture::from(reader.cancel()).await?;
    body.truncate(limit.saturating_add(1));
    Ok(body)
}
