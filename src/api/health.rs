//! `GET /healthz`: whether the deployment is configured and completes its pending tasks.
//!
//! The route is public. The response names settings without their values, and counts pending tasks
//! without the customers. Names that look like settings and are none need a secret key. The status is 200 whenever the Worker runs; `status` has the result.

use http::StatusCode;
use serde::Serialize;

use super::{
    app::{App, Request, Response, json_response},
    auth,
    settings::Source,
};
use crate::{
    id::{Timestamp, UnixMillis},
    ledger::SyncProblem,
    store::{CustomerIndex as _, Store},
};

#[derive(Serialize)]
struct HealthResponse<'a> {
    object: &'static str,
    status: &'static str,
    source: &'static str,
    settings: SettingsStatus,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    unknown_settings: &'a [String],
    /// `null` if the customer index is unavailable.
    outbox: Option<OutboxStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'static str>,
    version: &'static str,
}

/// Each setting by its own name.
#[derive(Serialize)]
struct SettingsStatus {
    #[serde(rename = "ENTGATE_API_KEYS")]
    api_keys: &'static str,
    #[serde(rename = "STRIPE_WEBHOOK_SECRETS")]
    webhook_secrets: &'static str,
    /// Absent if the source is the catalog, which needs no key.
    #[serde(rename = "STRIPE_API_KEY", skip_serializing_if = "Option::is_none")]
    stripe_api_key: Option<&'static str>,
}

/// Pending tasks that failed at least once.
#[derive(Serialize)]
struct OutboxStatus {
    pending: u32,
    /// The age of the oldest task, in seconds.
    oldest: Option<u64>,
}

/// Handles `GET /healthz`.
pub(super) async fn health<S: Store>(
    app: &App<'_, S>,
    request: &Request,
    now: Timestamp,
) -> Response {
    let settings = app.settings;
    let is_operator = auth::authenticate_server(settings, request).is_ok();
    let is_configured = !settings.api_keys.is_empty() && !settings.webhook_secrets.is_empty();
    let backlog = match app.store.customer_index().load_backlog().await {
        Ok(backlog) => Some(backlog),
        Err(error) => {
            (app.log)(&error.to_string());
            None
        }
    };
    let problem = backlog.and_then(|backlog| backlog.problem);
    let is_current = backlog.is_some_and(|backlog| backlog.pending == 0) && problem.is_none();
    let health = HealthResponse {
        object: "health",
        status: match (is_configured, is_current) {
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
        unknown_settings: if is_operator { &settings.unknown_settings } else { &[] },
        outbox: backlog.map(|backlog| OutboxStatus {
            pending: backlog.pending,
            oldest: backlog
                .pending_since
                .map(|since| UnixMillis::from(now).millis_since(since) / 1_000),
        }),
        message: problem.map(|problem| problem_message(problem, settings.source)),
        version: env!("CARGO_PKG_VERSION"),
    };
    json_response(StatusCode::OK, &health)
}

fn set_or_missing<T>(items: &[T]) -> &'static str {
    if items.is_empty() { "missing" } else { "set" }
}

fn problem_message(problem: SyncProblem, source: Source) -> &'static str {
    match (problem, source) {
        (SyncProblem::KeyRefused, _) => {
            "Stripe rejects STRIPE_API_KEY: set a key of this account that may read entitlements."
        }
        #[cfg(feature = "catalog")]
        (SyncProblem::UnknownCustomer, Source::Catalog) => {
            "An event names a customer that the catalog does not have: does Stripe or another sender \
             use this endpoint too?"
        }
        (SyncProblem::UnknownCustomer, Source::Stripe) => {
            "Stripe does not have a customer that its events name: is STRIPE_API_KEY of the same \
             account as the webhook?"
        }
    }
}
