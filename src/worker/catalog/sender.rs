//! Sends one webhook request to one endpoint: a signed `POST` with a timeout.
//!
//! Only the status of the response is used. Its body is neither read nor stored: a caller that may
//! list delivery attempts must not read what a server at any URL returns. Not here: the signature,
//! and what an outcome means for the next attempt ([`crate::catalog::deliveries`]).

use js_sys::{Reflect, global};
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortSignal, Headers, RequestInit, RequestRedirect, Response, WorkerGlobalScope};

use crate::catalog::deliveries::{AttemptOutcome, WebhookRequest};

/// Timeout of a webhook request, in milliseconds: the same as Stripe's.
const DELIVERY_TIMEOUT: u32 = 20_000;

/// The most characters of a cause that are stored.
const MAX_CAUSE_CHARS: usize = 200;

/// Sends a webhook request.
pub(super) async fn send(request: &WebhookRequest) -> AttemptOutcome {
    match post(request).await {
        Ok(status) => AttemptOutcome::Responded(status),
        Err(error) => AttemptOutcome::Failed(describe_error(&error)),
    }
}

async fn post(request: &WebhookRequest) -> Result<u16, JsValue> {
    let headers = Headers::new()?;
    headers.set("Content-Type", "application/json; charset=utf-8")?;
    headers.set("Stripe-Signature", &request.signature)?;
    headers.set("User-Agent", concat!("entgate/", env!("CARGO_PKG_VERSION"), " (+webhooks)"))?;
    let init = RequestInit::new();
    init.set_method("POST");
    init.set_headers_headers(&headers);
    init.set_body(&request.body.as_str().into());
    // Only the endpoint's own URL may receive the signed event.
    init.set_redirect(RequestRedirect::Manual);
    init.set_signal(Some(&AbortSignal::timeout_with_u32(DELIVERY_TIMEOUT)));
    let worker: WorkerGlobalScope = global().unchecked_into();
    let promise = worker.fetch_with_str_and_init(&request.url, &init);
    let response: Response = JsFuture::from(promise).await?.dyn_into()?;
    if let Some(body) = response.body() {
        // A body that is not read blocks its connection. An error here does not change the outcome.
        JsFuture::from(body.cancel()).await.ok();
    }
    Ok(response.status())
}

/// Returns why there is no response, in a few words.
fn describe_error(error: &JsValue) -> String {
    let property = |name: &str| Reflect::get(error, &name.into()).ok()?.as_string();
    if property("name").as_deref() == Some("TimeoutError") {
        return format!("no response within {} s", DELIVERY_TIMEOUT / 1_000);
    }
    let message = property("message").or_else(|| error.as_string()).unwrap_or_default();
    let message: String =
        message.chars().filter(|c| !c.is_control()).take(MAX_CAUSE_CHARS).collect();
    // The platform reports most network errors, such as an unknown host, as an internal error.
    if message.is_empty() || message.starts_with("internal error") {
        return "the endpoint is unreachable".to_owned();
    }
    message
}
