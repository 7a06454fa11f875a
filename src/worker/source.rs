//! The way to the source: to Stripe, or to the catalog in the same deployment.
//!
//! | source  | is asked by                                                                      |
//! |---------|----------------------------------------------------------------------------------|
//! | Stripe  | `fetch`, with a key, a deadline and a limit                                      |
//! | catalog | a message to its Durable Object, under the same deadline: no key, and no network |

use js_sys::{Math, global};
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortSignal, Headers, RequestInit, RequestRedirect, Response, WorkerGlobalScope};
use worker::Env;

#[cfg(feature = "catalog")]
use super::catalog::DurableCatalog;
use super::{http, millis, sleep};
use crate::{
    api::settings::{Settings, Source},
    id::{Livemode, Millis},
    source::{API_VERSION, BODY_LIMIT, Reply, Stripe, Transport},
};

/// How long one request may take, in milliseconds. Stripe answers a page within one second.
pub(super) const TIME: u32 = 8_000;

/// The way to one mode of the source.
pub(super) enum Way {
    /// Requests to one origin with one key.
    Fetch { base: Box<str>, authorization: String },
    /// Messages to the catalog of one mode.
    #[cfg(feature = "catalog")]
    Catalog { catalog: DurableCatalog, livemode: Livemode },
}

/// The source of one mode, if there is one.
#[cfg_attr(
    not(feature = "catalog"),
    expect(unused_variables, clippy::unnecessary_wraps, reason = "only a catalog needs a binding")
)]
pub(super) fn source(
    env: &Env,
    settings: &Settings,
    livemode: Livemode,
) -> worker::Result<Option<Stripe<Way>>> {
    let way = match settings.source {
        Source::Stripe => {
            let Some(key) = settings.stripe_key(livemode) else { return Ok(None) };
            let authorization = format!("Bearer {}", key.reveal());
            Way::Fetch { base: settings.stripe_base.clone(), authorization }
        }
        #[cfg(feature = "catalog")]
        Source::Catalog => Way::Catalog { catalog: DurableCatalog::open(env)?, livemode },
    };
    Ok(Some(Stripe::new(way).with_paused(settings.paused)))
}

async fn fetch(base: &str, authorization: &str, target: &str) -> Result<Reply, JsValue> {
    let headers = Headers::new()?;
    headers.set("Authorization", authorization)?;
    headers.set("Stripe-Version", API_VERSION)?;
    headers.set("User-Agent", concat!("entgate/", env!("CARGO_PKG_VERSION")))?;
    let init = RequestInit::new();
    init.set_headers_headers(&headers);
    init.set_redirect(RequestRedirect::Manual);
    init.set_signal(Some(&AbortSignal::timeout_with_u32(TIME)));
    let worker: WorkerGlobalScope = global().unchecked_into();
    let promise = worker.fetch_with_str_and_init(&format!("{base}{target}"), &init);
    let response: Response = JsFuture::from(promise).await?.dyn_into()?;
    let header = |name| response.headers().get(name).ok().flatten();
    let retry_after = header("Retry-After").and_then(|seconds| seconds.parse().ok());
    let should_retry = header("Stripe-Should-Retry").and_then(|flag| flag.parse().ok());
    let body = match response.body() {
        Some(stream) => http::bytes(&stream, BODY_LIMIT).await?,
        None => Vec::new(),
    };
    if body.len() > BODY_LIMIT {
        return Err("the answer is too long".into());
    }
    Ok(Reply { status: response.status(), retry_after, should_retry, body })
}

impl Transport for Way {
    async fn get(&self, target: &str) -> Result<Reply, String> {
        match self {
            Self::Fetch { base, authorization } => fetch(base, authorization, target)
                .await
                .map_err(|error| worker::Error::from(error).to_string()),
            #[cfg(feature = "catalog")]
            Self::Catalog { catalog, livemode } => catalog.get(*livemode, target).await,
        }
    }

    async fn pause(&self, millis: u64) {
        sleep(millis).await;
    }

    fn now(&self) -> Millis {
        millis()
    }

    fn random(&self) -> f64 {
        Math::random()
    }
}
