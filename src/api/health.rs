//! `GET /healthz`: whether the deployment is configured, receives events and completes its pending tasks.
//!
//! | caller              | response                                                            |
//! |---------------------|---------------------------------------------------------------------|
//! | with a secret key   | the status of the key's mode, and its details                       |
//! | any other           | the status of all modes that have keys, at most ten seconds old     |
//!
//! Details name settings without their values, and count pending tasks without the customers. Any other
//! credential counts as none. The HTTP status is 200 whenever the Worker runs; `status` has the result.
//!
//! Only the coordinator of a mode is asked. For a secret key it adds up the customer index first.

use http::StatusCode;
use serde::Serialize;

use super::{
    app::{App, Request, Response, json_response},
    auth,
    health_cache::HealthStatus,
    settings::{self, Settings, Source, UnknownCustomers},
};
use crate::{
    coordinator::{Backlog, CoordinatorStatus, PollFailure, PollGap, PollStatus},
    id::{Livemode, Timestamp, UnixMillis},
    ledger::SyncProblem,
    store::{self, Coordinator as _, Store},
};

/// Stripe's name of the permission to list events, in the dashboard.
const EVENTS_PERMISSION: &str = "Events: Read";

#[derive(Serialize)]
struct HealthResponse {
    object: &'static str,
    status: HealthStatus,
}

#[derive(Serialize)]
struct DetailedHealthResponse<'a> {
    object: &'static str,
    status: HealthStatus,
    livemode: Livemode,
    source: &'static str,
    settings: SettingsStatus,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    unknown_settings: &'a [String],
    /// `null` if the coordinator or the customer index is unavailable.
    outbox: Option<OutboxStatus>,
    /// `null` if no poll runs, or if the coordinator is unavailable.
    poll: Option<PollDetails>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
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

/// The poll of Stripe's events.
#[derive(Serialize)]
struct PollDetails {
    /// The time between two passes, in seconds.
    interval: u32,
    /// The time since a pass was last completed, in seconds; `null` before the first one.
    age: Option<u64>,
    /// Why the last attempt failed; `null` if it did not.
    error: Option<String>,
    /// The permission that the restricted key lacks, as Stripe's dashboard names it.
    missing_permission: Option<&'static str>,
    /// Events that may be missing; `null` if none are.
    gap: Option<GapDetails>,
    /// How many events of the last day only the poll has brought.
    found_by_poll_only: u32,
    /// How many events could not be applied yet.
    pending: u32,
}

/// Customers that are read because events may be missing.
#[derive(Serialize)]
struct GapDetails {
    found_at: Timestamp,
    /// How many customers were not read since then; `null` before they are counted.
    unread: Option<u32>,
}

/// Handles `GET /healthz`.
pub(super) async fn health<S: Store>(
    app: &App<'_, S>,
    request: &Request,
    now: Timestamp,
) -> Response {
    let coordinator = app.store.coordinator();
    let log = |error: &store::Error| (app.log)(&error.to_string());
    if let Ok(livemode) = auth::authenticate_server(app.settings, request) {
        let status = coordinator.load_fresh_status(livemode).await.inspect_err(log).ok();
        let details = details(app.settings, livemode, status.as_ref(), now);
        return json_response(StatusCode::OK, &details);
    }
    let load = async {
        let mut worst = None;
        for livemode in [Livemode::Test, Livemode::Live] {
            if !app.settings.api_keys.iter().any(|key| key.livemode == livemode) {
                continue;
            }
            let of_mode = if missing_setting(app.settings, livemode).is_some() {
                HealthStatus::Unconfigured
            } else {
                let status = coordinator.load_status(livemode).await.inspect_err(log).ok();
                mode_status(app.settings, livemode, status.as_ref())
            };
            worst = worst.max(Some(of_mode));
        }
        worst.unwrap_or(HealthStatus::Unconfigured)
    };
    let status = app.health_cache.get_or_load(load, app.sleep, now).await;
    json_response(StatusCode::OK, &HealthResponse { object: "health", status })
}

/// The status of a mode that has keys.
fn mode_status(
    settings: &Settings,
    livemode: Livemode,
    status: Option<&CoordinatorStatus>,
) -> HealthStatus {
    if missing_setting(settings, livemode).is_some() {
        return HealthStatus::Unconfigured;
    }
    let Some(CoordinatorStatus { backlog, poll }) = status else { return HealthStatus::Degraded };
    let is_poll_ok = poll.as_ref().is_none_or(|poll| {
        let is_refused = poll.failure.as_ref().is_some_and(PollFailure::is_refusal);
        !is_refused && !poll.is_behind && poll.gap.is_none()
    });
    match backlog {
        Some(Backlog { pending: 0, problem: None, .. }) if is_poll_ok => HealthStatus::Ok,
        Some(_) | None => HealthStatus::Degraded,
    }
}

/// What an operator must set before this mode, which has keys, can answer.
fn missing_setting(settings: &Settings, livemode: Livemode) -> Option<String> {
    let mode = livemode.as_str();
    let is_receiving = match settings.source {
        Source::Stripe => {
            settings.has_webhook_secret(livemode) || settings.has_event_poll(livemode)
        }
        #[cfg(feature = "catalog")]
        Source::Catalog => true,
    };
    if !is_receiving {
        return Some(format!(
            "Nothing is received from Stripe in {mode} mode: set {}, or set {} and leave {} on.",
            settings::WEBHOOK_SECRETS,
            settings::STRIPE_API_KEY,
            settings::EVENT_POLL
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

fn details<'a>(
    settings: &'a Settings,
    livemode: Livemode,
    status: Option<&CoordinatorStatus>,
    now: Timestamp,
) -> DetailedHealthResponse<'a> {
    let backlog = status.and_then(|status| status.backlog);
    let poll = status.and_then(|status| status.poll.as_ref());
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
        status: mode_status(settings, livemode, status),
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
        poll: poll.map(|poll| poll_details(settings, poll, now)),
        message: missing_setting(settings, livemode)
            .or(problem)
            .or_else(|| poll_message(settings, livemode, poll?)),
        version: env!("CARGO_PKG_VERSION"),
    }
}

fn poll_details(settings: &Settings, poll: &PollStatus, now: Timestamp) -> PollDetails {
    let (error, missing_permission) = match &poll.failure {
        None => (None, None),
        Some(PollFailure::Unavailable(cause)) => (Some(cause.clone()), None),
        Some(PollFailure::KeyRefused) => (Some("Stripe rejects STRIPE_API_KEY".to_owned()), None),
        Some(PollFailure::MissingPermission(name)) => {
            let name = name.as_deref().map_or(String::new(), |name| format!(": {name}"));
            let error = format!("STRIPE_API_KEY lacks a permission{name}");
            (Some(error), Some(EVENTS_PERMISSION))
        }
    };
    PollDetails {
        interval: settings.event_poll,
        age: poll.completed_at.map(|at| UnixMillis::from(now).millis_since(at) / 1_000),
        error,
        missing_permission,
        gap: poll.gap.map(|PollGap { found_at, unread }| GapDetails { found_at, unread }),
        found_by_poll_only: poll.found,
        pending: poll.retries,
    }
}

/// What an operator should know of the poll, if anything.
fn poll_message(settings: &Settings, livemode: Livemode, poll: &PollStatus) -> Option<String> {
    match &poll.failure {
        Some(PollFailure::MissingPermission(name)) => {
            let name = name.as_deref().map_or(String::new(), |name| format!(" ({name})"));
            return Some(format!(
                "STRIPE_API_KEY may not list events: in Stripe, give the restricted key the permission \
                 `{EVENTS_PERMISSION}`{name}, or set {} to 0.",
                settings::EVENT_POLL
            ));
        }
        Some(PollFailure::KeyRefused) => {
            return Some(problem_message(SyncProblem::KeyRefused, settings.source).to_owned());
        }
        Some(PollFailure::Unavailable(cause)) if poll.is_behind => {
            return Some(format!("Events were not listed for an hour: {cause}."));
        }
        Some(PollFailure::Unavailable(_)) | None => {}
    }
    if poll.is_behind {
        return Some("Events were not listed for an hour.".to_owned());
    }
    if poll.gap.is_some() {
        return Some(
            "Events may be missing, so every customer is read from Stripe again.".to_owned(),
        );
    }
    (poll.found > 0 && settings.has_webhook_secret(livemode)).then(|| {
        format!(
            "{} events of the last day arrived by the poll only: check the webhook endpoint in Stripe.",
            poll.found
        )
    })
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
