//! The way to Stripe: `fetch`, with a key, a deadline and a limit.

use js_sys::{Math, global};
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortSignal, Headers, RequestInit, RequestRedirect, Response, WorkerGlobalScope};

use super::{http, millis};
use crate::{
    api::settings::Settings,
    id::{Livemode, Millis},
    source::{API_VERSION, BODY_LIMIT, Reply, Stripe, Transport},
};

/// How long one request may take, in milliseconds. Stripe answers a page within one second.
const TIME: u32 = 8_000;

/// Requests to one origin with one key.
pub(super) struct Fetch {
    base: Box<str>,
    authorization: String,
}

/// Stripe with the key of one mode, if there is one.
pub(super) fn stripe(settings: &Settings, livemode: Livemode) -> Option<Stripe<Fetch>> {
    let key = settings.stripe_key(livemode)?;
    let base = settings.stripe_base.clone();
    let fetch = Fetch { base, authorization: format!("Bearer {}", key.reveal()) };
    Some(Stripe::new(fetch).with_paused(settings.paused))
}

impl Fetch {
    async fn send(&self, target: &str) -> Result<Reply, JsValue> {
        let headers = Headers::new()?;
        headers.set("Authorization", &self.authorization)?;
        headers.set("Stripe-Version", API_VERSION)?;
        headers.set("User-Agent", concat!("entgate/", env!("CARGO_PKG_VERSION")))?;
        let init = RequestInit::new();
        init.set_headers_headers(&headers);
        init.set_redirect(RequestRedirect::Manual);
        init.set_signal(Some(&AbortSignal::timeout_with_u32(TIME)));
        let worker: WorkerGlobalScope = global().unchecked_into();
        let promise = worker.fetch_with_str_and_init(&format!("{}{target}", self.base), &init);
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
}

impl Transport for Fetch {
    async fn get(&self, target: &str) -> Result<Reply, String> {
        self.send(target).await.map_err(|error| worker::Error::from(error).to_string())
    }

    async fn pause(&self, millis: u64) {
        worker::Delay::from(std::time::Duration::from_millis(millis)).await;
    }

    fn now(&self) -> Millis {
        millis()
    }

    fn random(&self) -> f64 {
        Math::random()
    }
}
