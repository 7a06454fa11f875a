//! Is the deployment set up, and does it keep up? Anyone may ask, so it tells what is set and never
//! to what, how much is owed and never to whom.

use http::StatusCode;
use serde::Serialize;

use super::{App, Response, json_response, settings::Source};
use crate::{
    id::{Timestamp, UnixMillis},
    ledger::SyncProblem,
    store::{CustomerIndex as _, Store},
};

#[derive(Serialize)]
struct HealthResponse {
    object: &'static str,
    status: &'static str,
    /// Where entitlements come from.
    source: &'static str,
    settings: SettingsStatus,
    /// `null` while it cannot be told.
    outbox: Option<OutboxStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'static str>,
    version: &'static str,
}

/// Named as the operator sets them.
#[derive(Serialize)]
struct SettingsStatus {
    #[serde(rename = "ENTGATE_API_KEYS")]
    api_keys: &'static str,
    #[serde(rename = "STRIPE_WEBHOOK_SECRETS")]
    webhook_secrets: &'static str,
    /// The catalog needs none.
    #[serde(rename = "STRIPE_API_KEY", skip_serializing_if = "Option::is_none")]
    stripe_api_key: Option<&'static str>,
}

/// What was tried in vain and is tried again.
#[derive(Serialize)]
struct OutboxStatus {
    pending: u32,
    /// How long the oldest has been owed, in seconds.
    oldest: Option<u64>,
}

/// 200 as soon as the Worker runs; `status` says whether it can do its work.
pub(super) async fn health<S: Store>(app: &App<'_, S>, now: Timestamp) -> Response {
    let settings = app.settings;
    let ready = !settings.api_keys.is_empty() && !settings.webhook_secrets.is_empty();
    let backlog = match app.store.customer_index().load_backlog().await {
        Ok(backlog) => Some(backlog),
        Err(error) => {
            (app.log)(&error.to_string());
            None
        }
    };
    let trouble = backlog.and_then(|backlog| backlog.problem);
    let keeps_up = backlog.is_some_and(|backlog| backlog.pending == 0) && trouble.is_none();
    let health = HealthResponse {
        object: "health",
        status: match (ready, keeps_up) {
            (false, _) => "unconfigured",
            (true, false) => "degraded",
            (true, true) => "ok",
        },
        source: match settings.source {
            Source::Stripe => "stripe",
            #[cfg(feature = "catalog")]
            Source::Catalog => "catalog",
        },
        settings: SettingsStatus {
            api_keys: set_or_missing(&settings.api_keys),
            webhook_secrets: set_or_missing(&settings.webhook_secrets),
            stripe_api_key: match settings.source {
                Source::Stripe => Some(set_or_missing(&settings.stripe_keys)),
                #[cfg(feature = "catalog")]
                Source::Catalog => None,
            },
        },
        outbox: backlog.map(|backlog| OutboxStatus {
            pending: backlog.pending,
            oldest: backlog
                .pending_since
                .map(|since| UnixMillis::from(now).0.saturating_sub(since.0) / 1_000),
        }),
        message: trouble.map(|trouble| problem_message(trouble, settings.source)),
        version: env!("CARGO_PKG_VERSION"),
    };
    json_response(StatusCode::OK, &health)
}

fn set_or_missing<T>(items: &[T]) -> &'static str {
    if items.is_empty() { "missing" } else { "set" }
}

fn problem_message(trouble: SyncProblem, source: Source) -> &'static str {
    match (trouble, source) {
        (SyncProblem::KeyRefused, _) => {
            "Stripe refuses STRIPE_API_KEY: set a key of this account that may read entitlements."
        }
        #[cfg(feature = "catalog")]
        (SyncProblem::UnknownCustomer, Source::Catalog) => {
            "An event told of a customer whom the catalog does not know: does Stripe, or somebody \
             else, send to this endpoint too?"
        }
        (SyncProblem::UnknownCustomer, Source::Stripe) => {
            "Stripe does not know a customer of whom it sent events: is STRIPE_API_KEY of the same \
             account as the webhook?"
        }
    }
}
