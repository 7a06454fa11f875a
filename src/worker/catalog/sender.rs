//! Carries one event to one endpoint: `POST`, with a deadline and a signature.
//!
//! What the endpoint says beside its status is not read, and is never told to anybody: who may ask
//! for deliveries need not be who may see what stands behind an address. What an outcome means, and
//! when it is tried again, is decided in [`crate::catalog::outbox`].

use js_sys::{Reflect, global};
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortSignal, Headers, RequestInit, RequestRedirect, Response, WorkerGlobalScope};

use crate::catalog::deliveries::{AttemptOutcome, WebhookRequest};

/// How long an endpoint may take to answer, in milliseconds: as long as Stripe gives one.
const DELIVERY_TIMEOUT: u32 = 20_000;

/// The most characters of a cause that are kept.
const MAX_CAUSE_CHARS: usize = 200;

/// Brings a parcel to its address.
pub(in crate::worker) async fn send(parcel: &WebhookRequest) -> AttemptOutcome {
    match post(parcel).await {
        Ok(status) => AttemptOutcome::Responded(status),
        Err(error) => AttemptOutcome::Failed(describe_error(&error)),
    }
}

async fn post(parcel: &WebhookRequest) -> Result<u16, JsValue> {
    let headers = Headers::new()?;
    headers.set("Content-Type", "application/json; charset=utf-8")?;
    headers.set("Stripe-Signature", &parcel.signature)?;
    headers.set("User-Agent", concat!("entgate/", env!("CARGO_PKG_VERSION"), " (+webhooks)"))?;
    let init = RequestInit::new();
    init.set_method("POST");
    init.set_headers_headers(&headers);
    init.set_body(&parcel.body.as_str().into());
    // Who answers elsewhere is not who was given the secret.
    init.set_redirect(RequestRedirect::Manual);
    init.set_signal(Some(&AbortSignal::timeout_with_u32(DELIVERY_TIMEOUT)));
    let worker: WorkerGlobalScope = global().unchecked_into();
    let promise = worker.fetch_with_str_and_init(&parcel.url, &init);
    let response: Response = JsFuture::from(promise).await?.dyn_into()?;
    if let Some(body) = response.body() {
        // A body that is not read keeps its connection. Whether that fails is no matter.
        JsFuture::from(body.cancel()).await.ok();
    }
    Ok(response.status())
}

/// Why there was no answer, in a few words.
fn describe_error(error: &JsValue) -> String {
    let text = |name: &str| Reflect::get(error, &name.into()).ok()?.as_string();
    if text("name").as_deref() == Some("TimeoutError") {
        return format!("no answer within {} s", DELIVERY_TIMEOUT / 1_000);
    }
    let message = text("message").or_else(|| error.as_string()).unwrap_or_default();
    let message: String =
        message.chars().filter(|c| !c.is_control()).take(MAX_CAUSE_CHARS).collect();
    // The platform's own words for whatever else happens, a name that nobody has among it.
    if message.is_empty() || message.starts_with("internal error") {
        return "the endpoint is out of reach".to_owned();
    }
    message
}
