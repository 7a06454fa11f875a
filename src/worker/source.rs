//! The transport to the source: to Stripe, or to the catalog of this deployment.
//!
//! | source  | request                                                           |
//! |---------|-------------------------------------------------------------------|
//! | Stripe  | `fetch`, with a key, a timeout and a limit of the response's size |
//! | catalog | a request to its Durable Object, with the same timeout            |
//!
//! Not here: which requests are sent, and their retries ([`crate::source`]).

use js_sys::{Math, global};
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortSignal, Headers, RequestInit, RequestRedirect, Response, WorkerGlobalScope};
use worker::Env;

#[cfg(feature = "catalog")]
use super::catalog::CatalogStub;
use super::{
    http,
    runtime::{SOURCE_TIMEOUT, now_millis, sleep},
};
use crate::{
    api::settings::{Settings, Source},
    id::{Livemode, UnixMillis},
    source::{API_VERSION, MAX_RESPONSE_LEN, StripeClient, StripeResponse, Transport},
};

/// The transport to one mode of the source.
pub(super) enum SourceTransport {
    /// HTTP requests to one origin with one key.
    Fetch { base: Box<str>, authorization: String },
    /// Requests to the catalog of one mode.
    #[cfg(feature = "catalog")]
    Catalog { catalog: CatalogStub, livemode: Livemode },
}

/// Returns the client for one mode of the source, or `None` if Stripe is the source and has no key
/// for this mode.
#[cfg_attr(
    not(feature = "catalog"),
    expect(unused_variables, clippy::unnecessary_wraps, reason = "only a catalog needs a binding")
)]
pub(super) fn open_source(
    env: &Env,
    settings: &Settings,
    livemode: Livemode,
) -> worker::Result<Option<StripeClient<SourceTransport>>> {
    let transport = match settings.source {
        Source::Stripe => {
            let Some(key) = settings.stripe_key(livemode) else { return Ok(None) };
            let authorization = format!("Bearer {}", key.expose());
            SourceTransport::Fetch { base: settings.stripe_base.clone(), authorization }
        }
        #[cfg(feature = "catalog")]
        Source::Catalog => {
            SourceTransport::Catalog { catalog: CatalogStub::from_env(env)?, livemode }
        }
    };
    Ok(Some(StripeClient::new(transport).with_paused_rule(settings.paused)))
}

async fn fetch(
    base: &str,
    authorization: &str,
    path_and_query: &str,
) -> Result<StripeResponse, JsValue> {
    let headers = Headers::new()?;
    headers.set("Authorization", authorization)?;
    headers.set("Stripe-Version", API_VERSION)?;
    headers.set("User-Agent", concat!("entgate/", env!("CARGO_PKG_VERSION")))?;
    let init = RequestInit::new();
    init.set_headers_headers(&headers);
    init.set_redirect(RequestRedirect::Manual);
    init.set_signal(Some(&AbortSignal::timeout_with_u32(SOURCE_TIMEOUT)));
    let worker: WorkerGlobalScope = global().unchecked_into();
    let promise = worker.fetch_with_str_and_init(&format!("{base}{path_and_query}"), &init);
    let response: Response = JsFuture::from(promise).await?.dyn_into()?;
    let header = |name| response.headers().get(name).ok().flatten();
    let retry_after = header("Retry-After").and_then(|seconds| seconds.parse().ok());
    let should_retry = header("Stripe-Should-Retry").and_then(|flag| flag.parse().ok());
    let body = http::read_response(&response, MAX_RESPONSE_LEN).await?;
    Ok(StripeResponse {
        status: response.status(),
        retry_after,
        should_retry,
        is_too_long: body.is_none(),
        body: body.unwrap_or_default(),
    })
}

impl Transport for SourceTransport {
    async fn get(&self, path_and_query: &str) -> Result<StripeResponse, String> {
        match self {
            Self::Fetch { base, authorization } => fetch(base, authorization, path_and_query)
                .await
                .map_err(|error| worker::Error::from(error).to_string()),
            #[cfg(feature = "catalog")]
            Self::Catalog { catalog, livemode } => catalog.get(*livemode, path_and_query).await,
        }
    }

    async fn sleep(&self, millis: u64) {
        sleep(millis).await;
    }

    fn now(&self) -> UnixMillis {
        now_millis()
    }

    fn random(&self) -> f64 {
        Math::random()
    }
}
