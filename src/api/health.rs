//! `GET /healthz`: whether the deployment is configured and completes its pending tasks.
//!
//! | caller              | response                                                            |
//! |---------------------|---------------------------------------------------------------------|
//! | with a secret key   | the status of the key's mode, and its details                       |
//! | any other           | the status of all modes that have keys, at most ten seconds old     |
//!
//! Details name settings without their values, and count pending tasks without the customers. Any other
//! credential counts as none. The HTTP status is 200 whenever the Worker runs; `status` has the result.

use http::StatusCode;
use serde::Serialize;

use super::{
    app::{App, Request, Response, json_response},
    auth,
    settings::{self, Settings, Source, UnknownCustomers},
};
use crate::{
    id::{Livemode, Timestamp, UnixMillis},
    ledger::SyncProblem,
    store::{Backlog, Backlogs, CustomerIndex as _, Store},
};

#[derive(Serialize)]
struct HealthResponse {
    object: &'static str,
    status: Status,
}

#[derive(Serialize)]
struct DetailedHealthResponse<'a> {
    object: &'static str,
    status: Status,
    livemode: Livemode,
    source: &'static str,
    settings: SettingsStatus,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    unknown_settings: &'a [String],
    /// `null` if the customer index is unavailable.
    outbox: Option<OutboxStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    version: &'static str,
}

/// From the best to the worst.
#[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    Ok,
    Degraded,
    Unconfigured,
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
    /// Absent if the source can be read: it knows which customers exist.
    #[serde(rename = "ENTGATE_UNKNOWN_CUSTOMERS", skip_serializing_if = "Option::is_none")]
    unknown_customers: Option<&'static str>,
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
    let load = async || match app.store.customer_index().load_backlogs().await {
        Ok(backlogs) => Some(backlogs),
        Err(error) => {
            (app.log)(&error.to_string());
            None
        }
    };
    if let Ok(livemode) = auth::authenticate_server(app.settings, request) {
        let backlogs = load().await;
        app.health_cache.insert(backlogs, now);
        return json_response(
            StatusCode::OK,
            &details(app.settings, livemode, backlogs.map(|backlogs| backlogs.of(livemode)), now),
        );
    }
    let backlogs = app.health_cache.get_or_load(load(), app.sleep, now).await;
    let status = overall_status(app.settings, backlogs);
    json_response(StatusCode::OK, &HealthResponse { object: "health", status })
}

/// The worst status of the modes that have keys.
fn overall_status(settings: &Settings, backlogs: Option<Backlogs>) -> Status {
    let modes = [Livemode::Test, Livemode::Live].into_iter();
    let with_keys = modes.filter(|mode| settings.api_keys.iter().any(|key| key.livemode == *mode));
    let of_mode = |mode| mode_status(settings, mode, backlogs.map(|backlogs| backlogs.of(mode)));
    with_keys.map(of_mode).max().unwrap_or(Status::Unconfigured)
}

/// The status of a mode that has keys.
fn mode_status(settings: &Settings, livemode: Livemode, backlog: Option<Backlog>) -> Status {
    if missing_setting(settings, livemode).is_some() {
        return Status::Unconfigured;
    }
    match backlog {
        Some(Backlog { pending: 0, problem: None, .. }) => Status::Ok,
        Some(_) | None => Status::Degraded,
    }
}

/// What an operator must set before this mode, which has keys, can answer.
fn missing_setting(settings: &Settings, livemode: Livemode) -> Option<String> {
    let mode = livemode.as_str();
    if !settings.has_source(livemode) && !settings.has_webhook_secret(livemode) {
        return Some(format!(
            "Nothing is received from Stripe in {mode} mode: set {}.",
            settings::WEBHOOK_SECRETS
        ));
    }
    (!settings.can_deny_unknown(livemode)).then(|| {
        format!(
            "A customer of {mode} mode without any data is neither granted nor denied a feature: set \
             {}, or set {} to `deny` if this deployment receives every event of Stripe.",
            settings::STRIPE_API_KEY,
            settings::UNKNOWN_CUSTOMERS
        )
    })
}

fn details(
    settings: &Settings,
    livemode: Livemode,
    backlog: Option<Backlog>,
    now: Timestamp,
) -> DetailedHealthResponse<'_> {
    let can_read = settings.has_source(livemode);
    let (source, reads_stripe) = match settings.source {
        Source::Stripe => ("stripe", true),
        #[cfg(feature = "catalog")]
        Source::Catalog => ("catalog", false),
    };
    let problem = backlog.and_then(|backlog| backlog.problem);
    let problem = problem.map(|problem| problem_message(problem, settings.source).to_owned());
    DetailedHealthResponse {
        object: "health",
        status: mode_status(settings, livemode, backlog),
        livemode,
        source,
        settings: SettingsStatus {
            // The caller has one.
            api_keys: set_or_missing(true),
            webhook_secrets: set_or_missing(settings.has_webhook_secret(livemode)),
            stripe_api_key: reads_stripe.then(|| set_or_missing(can_read)),
            unknown_customers: (!can_read).then(|| {
                set_or_missing(settings.unknown_customers != UnknownCustomers::Indeterminate)
            }),
        },
        unknown_settings: &settings.unknown_settings,
        outbox: backlog.map(|backlog| OutboxStatus {
            pending: backlog.pending,
            oldest: backlog
                .pending_since
                .map(|since| UnixMillis::from(now).millis_since(since) / 1_000),
        }),
        message: missing_setting(settings, livemode).or(problem),
        version: env!("CARGO_PKG_VERSION"),
    }
}

fn set_or_missing(is_set: bool) -> &'static str {
    if is_set { "set" } else { "missing" }
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
