//! The client of the catalogs: forwards API requests, and reads as the source.
//!
//! The Worker has authenticated the caller. An object receives the request with the few headers
//! that it needs, and returns the response that the API sends to the client.

use ::http::{HeaderName, HeaderValue, Uri, header};
use js_sys::Uint8Array;
use web_sys::{Headers, RequestInit};
use worker::{Env, Result, State};

pub(super) use crate::api::IDEMPOTENCY_KEY;
use crate::{
    api::{self, REQUEST_ID, STRIPE_VERSION},
    id::Livemode,
    source::StripeResponse,
    store::{self, CatalogClient as _},
    waiting::within,
    worker::{
        http::read_buffer,
        objects::Objects,
        rpc,
        runtime::{SOURCE_TIMEOUT, sleep},
    },
};

/// The binding in `wrangler.toml`.
const BINDING: &str = "CATALOG";

/// A Durable Object is addressed by its name; the origin only has to be valid.
const ORIGIN: &str = "https://catalog";

/// The maximum size of a response of a catalog, in bytes.
const MAX_RESPONSE_BYTES: usize = 25 << 20;

/// The headers of a request that an object needs.
pub(super) const FORWARDED_HEADERS: [HeaderName; 4] =
    [header::CONTENT_TYPE, IDEMPOTENCY_KEY, REQUEST_ID, STRIPE_VERSION];

/// The client of the catalogs of both modes.
pub(in crate::worker) struct CatalogStub {
    objects: Objects,
}

impl CatalogStub {
    pub(in crate::worker) fn from_env(env: &Env) -> Result<Self> {
        Ok(Self { objects: Objects::from_env(env, BINDING)? })
    }

    /// Returns the mode of the object with this state.
    pub(super) fn livemode_of(&self, state: &State) -> Result<Livemode> {
        self.objects.livemode_of(state)
    }

    /// Sends a `GET` of the source's client to the catalog of one mode.
    pub(in crate::worker) async fn get(
        &self,
        livemode: Livemode,
        path_and_query: &str,
    ) -> std::result::Result<StripeResponse, String> {
        let mut request = api::Request::default();
        *request.uri_mut() = Uri::try_from(path_and_query).map_err(|error| error.to_string())?;
        let sent = within(sleep(SOURCE_TIMEOUT.into()), self.send(livemode, &request)).await;
        let response = sent
            .ok_or_else(|| {
                format!("no response from the catalog within {} s", SOURCE_TIMEOUT / 1_000)
            })?
            .map_err(|error| error.to_string())?;
        let retry_after =
            response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
        Ok(StripeResponse {
            status: response.status().as_u16(),
            retry_after: retry_after.and_then(|seconds| seconds.parse().ok()),
            should_retry: None,
            is_too_long: false,
            body: response.into_body(),
        })
    }

    async fn forward(&self, livemode: Livemode, request: &api::Request) -> Result<api::Response> {
        let catalog = self.objects.stub(livemode.as_str())?;
        let response = catalog.send(&to_object_request(request)?).await?;
        to_api_response(&response).await
    }
}

impl store::CatalogClient for CatalogStub {
    async fn send(
        &self,
        livemode: Livemode,
        request: &api::Request,
    ) -> std::result::Result<api::Response, store::Error> {
        let response = self.forward(livemode, request).await;
        response.map_err(|error| rpc::unreachable("catalog", &error))
    }
}

fn to_object_request(request: &api::Request) -> Result<web_sys::Request> {
    let headers = Headers::new()?;
    for name in &FORWARDED_HEADERS {
        if let Some(Ok(value)) = request.headers().get(name).map(HeaderValue::to_str) {
            headers.set(name.as_str(), value)?;
        }
    }
    let init = RequestInit::new();
    init.set_method(request.method().as_str());
    init.set_headers_headers(&headers);
    // A `GET` must have no body at all, not an empty one.
    if !request.body().is_empty() {
        init.set_body(&Uint8Array::from(request.body().as_slice()));
    }
    let path_and_query = request.uri().path_and_query().map_or("/", |path| path.as_str());
    Ok(web_sys::Request::new_with_str_and_init(&format!("{ORIGIN}{path_and_query}"), &init)?)
}

async fn to_api_response(response: &web_sys::Response) -> Result<api::Response> {
    let body = read_buffer(response.array_buffer()?, MAX_RESPONSE_BYTES).await?;
    let mut converted = api::Response::new(body);
    let status = response.status().try_into();
    *converted.status_mut() = status.map_err(|_| "invalid status in the response".to_owned())?;
    for name in &api::catalog::RESPONSE_HEADERS {
        if let Some(value) = response.headers().get(name.as_str())?
            && let Ok(value) = HeaderValue::from_bytes(value.as_bytes())
        {
            converted.headers_mut().insert(name, value);
        }
    }
    Ok(converted)
}
