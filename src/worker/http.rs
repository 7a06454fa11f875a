//! Conversions between the platform's requests and responses and [`api::Request`] and
//! [`api::Response`].
//!
//! Bodies are bytes. The memory of wasm never shrinks, so a body is copied to it once, and only if it is
//! complete and not too large. `body.js` reads the body of a client's request. Not here: routing, and the
//! limits of requests ([`api::body`]).

use ::http::{HeaderName, HeaderValue, Method, Request, Uri};
use js_sys::{Function, Promise, Reflect, Uint8Array};
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Headers, ReadableStream, ReadableStreamDefaultReader, ResponseInit};
use worker::Result;

use crate::api::{
    self, REQUEST_ID,
    body::{self, RequestBody},
};

/// The result of `readBody` in `body.js` for a body that exceeds the limit.
const TOO_LARGE: &str = "too_large";

/// The body of a client's request, which is not read yet.
pub(super) struct ClientBody {
    /// `readBody` of `body.js`, bound to the request.
    read: Function,
}

impl RequestBody for ClientBody {
    async fn read(&self, limit: usize) -> std::result::Result<Vec<u8>, body::Error> {
        let read = async {
            let returned = self.read.call1(&JsValue::NULL, &limit.into())?;
            JsFuture::from(Promise::resolve(&returned)).await
        };
        let body = read.await.map_err(|_| body::Error::Interrupted)?;
        match body.as_string().as_deref() {
            Some(TOO_LARGE) => Err(body::Error::TooLarge { limit }),
            Some(_) => Err(body::Error::TimedOut),
            None => Ok(Uint8Array::new(&body).to_vec()),
        }
    }
}

/// Converts a client's request, and adds its id. Its body is read later, with `read`.
pub(super) fn client_request(
    request: &web_sys::Request,
    id: &HeaderValue,
    read: Function,
) -> Result<Request<ClientBody>> {
    let mut message = request_head(request, &api::REQUEST_HEADERS)?.map(|()| ClientBody { read });
    message.headers_mut().insert(REQUEST_ID, id.clone());
    Ok(message)
}

/// Converts a response for the client, and adds the id of its request.
pub(super) fn respond(mut response: api::Response, id: HeaderValue) -> Result<web_sys::Response> {
    response.headers_mut().insert(REQUEST_ID, id);
    to_response(&response)
}

/// Reads a request of this deployment's Worker to a Durable Object: its method, URL, body and these
/// headers.
#[cfg(feature = "catalog")]
pub(super) async fn read_object_request(
    request: &web_sys::Request,
    headers: &[HeaderName],
) -> Result<api::Request> {
    let body = read_buffer(request.array_buffer()?, body::MAX_CATALOG_BYTES).await?;
    Ok(request_head(request, headers)?.map(|()| body))
}

/// Converts the method, the URL and these headers of a request.
fn request_head(request: &web_sys::Request, headers: &[HeaderName]) -> Result<Request<()>> {
    let mut message = Request::new(());
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

/// Reads a body that this deployment's own code created.
#[cfg(feature = "catalog")]
pub(super) async fn read_buffer(
    buffer: Promise,
    limit: usize,
) -> std::result::Result<Vec<u8>, JsValue> {
    let buffer: js_sys::ArrayBuffer = JsFuture::from(buffer).await?.unchecked_into();
    let length = usize::try_from(buffer.byte_length()).unwrap_or(usize::MAX);
    if length > limit {
        Err(format!("the body is larger than {limit} bytes").into())
    } else {
        Ok(Uint8Array::new(&buffer).to_vec())
    }
}

/// Reads a response of another server. If it is larger than `limit`, cancels the rest and returns `None`.
pub(super) async fn read_response(
    response: &web_sys::Response,
    limit: usize,
) -> std::result::Result<Option<Vec<u8>>, JsValue> {
    let Some(stream): Option<ReadableStream> = response.body() else {
        return Ok(Some(Vec::new()));
    };
    let reader: ReadableStreamDefaultReader = stream.get_reader().unchecked_into();
    let (mut chunks, mut length) = (Vec::new(), 0_usize);
    loop {
        let chunk = JsFuture::from(reader.read()).await?;
        if Reflect::get(&chunk, &"done".into())?.is_truthy() {
            break;
        }
        let chunk: Uint8Array = Reflect::get(&chunk, &"value".into())?.unchecked_into();
        length = length.saturating_add(usize::try_from(chunk.byte_length()).unwrap_or(usize::MAX));
        if length > limit {
            JsFuture::from(reader.cancel()).await?;
            return Ok(None);
        }
        chunks.push(chunk);
    }
    let mut body = Vec::with_capacity(length);
    for chunk in chunks {
        body.extend(chunk.to_vec());
    }
    Ok(Some(body))
}
