//! Is the deployment set up? Anyone may ask, so it tells what is set and never to what.

use http::StatusCode;
use serde::Serialize;

use super::{Response, json, settings::Settings};

#[derive(Serialize)]
struct Health {
    object: &'static str,
    status: &'static str,
    settings: Presence,
    version: &'static str,
}

/// Named as the operator sets them.
#[derive(Serialize)]
struct Presence {
    #[serde(rename = "ENTGATE_API_KEYS")]
    api_keys: &'static str,
    #[serde(rename = "STRIPE_WEBHOOK_SECRETS")]
    webhook_secrets: &'static str,
}

/// 200 as soon as the Worker runs; `status` says whether it can do its work.
pub(super) fn health(settings: &Settings) -> Response {
    let Settings { api_keys, webhook_secrets } = settings;
    let ready = !api_keys.is_empty() && !webhook_secrets.is_empty();
    let health = Health {
        object: "health",
        status: if ready { "ok" } else { "unconfigured" },
        settings: Presence { api_keys: of(api_keys), webhook_secrets: of(webhook_secrets) },
        version: env!("CARGO_PKG_VERSION"),
    };
    json(StatusCode::OK, &health)
}

fn of<T>(items: &[T]) -> &'static str {
    if items.is_empty() { "missing" } else { "set" }
}
