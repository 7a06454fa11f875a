//! One request to Stripe, with retries.
//!
//! | response                                 | result                                             |
//! |------------------------------------------|----------------------------------------------------|
//! | 2xx                                      | its body, or [`Error::TooLong`]                    |
//! | `Stripe-Should-Retry: true` or `false`   | retried, or not, whatever the status               |
//! | none, 409, 429, 500 and above            | retried                                            |
//! | 401, 403                                 | [`Error::KeyRejected`]                             |
//! | `resource_missing`                       | [`Error::NotFound`]                                |
//! | any other 4xx                            | [`Error::Rejected`]                                |
//! | anything else, or the last failed retry  | [`Error::Unavailable`], or for 429 [`Error::RateLimited`] |
//!
//! The back-off doubles with each attempt, with jitter over its second half, and is at least
//! `Retry-After`.
//!
//! Specification: <https://docs.stripe.com/api/errors>, <https://docs.stripe.com/rate-limits>.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::client::{Error, StripeClient, StripeResponse, Transport};
use crate::{
    id::UnixMillis,
    json::{self, FromJson, json_type},
    ledger::Jitter,
};

/// The maximum attempts per request: the default of Stripe's SDKs.
const MAX_ATTEMPTS: u32 = 3;

/// The back-off after the first failure, in milliseconds: that of Stripe's SDKs.
const INITIAL_BACKOFF: u64 = 500;

/// The time in which a single attempt may begin, in milliseconds. It is shorter than the first back-off, so
/// that there is no second one.
const SINGLE_ATTEMPT_TIMEOUT: u64 = 200;

/// The longest accepted name of a permission, in bytes. Stripe's have about 40.
const MAX_PERMISSION_LEN: usize = 100;

/// The longest accepted `Retry-After`, in milliseconds.
const MAX_RETRY_AFTER: u64 = 3_600_000;

/// A deadline that allows one attempt, for a caller that counts requests.
pub(super) fn single_attempt_deadline<T: Transport>(client: &StripeClient<T>) -> UnixMillis {
    client.transport().now().saturating_add(SINGLE_ATTEMPT_TIMEOUT)
}

/// Requests a target and decodes its JSON. Fails instead of waiting past the deadline.
pub(super) async fn fetch_json<T: Transport, Body: FromJson>(
    client: &StripeClient<T>,
    target: &str,
    deadline: UnixMillis,
) -> Result<Body, Error> {
    let body = fetch(client, target, deadline).await?;
    json::from_slice(&body).map_err(|error| Error::Malformed(error.to_string()))
}

/// Requests a target and returns the body. Fails instead of waiting past the deadline.
pub(super) async fn fetch<T: Transport>(
    client: &StripeClient<T>,
    target: &str,
    deadline: UnixMillis,
) -> Result<Vec<u8>, Error> {
    let transport = client.transport();
    let mut attempts = 0;
    loop {
        if transport.now() >= deadline {
            let cause = "the deadline passed".to_owned();
            return Err(Error::Unavailable { cause, retry_after_ms: 0 });
        }
        let mut result = transport.get(target).await;
        attempts += 1;
        let delay = match &mut result {
            Ok(StripeResponse { status: 200..=299, is_too_long: true, .. }) => {
                return Err(Error::TooLong);
            }
            Ok(StripeResponse { status: 200..=299, body, .. }) => {
                return Ok(std::mem::take(body));
            }
            Ok(response) => retry_delay(response, attempts, transport.random()),
            Err(_) => Some(backoff_delay(attempts, transport.random())),
        };
        let Some(delay) = delay else { return Err(error_from(&result.unwrap_or_default())) };
        if attempts == MAX_ATTEMPTS || transport.now().saturating_add(delay) >= deadline {
            return Err(match result {
                Ok(response @ StripeResponse { status: 401 | 403, .. }) => error_from(&response),
                Ok(StripeResponse { status: 429, .. }) => {
                    Error::RateLimited { retry_after_ms: delay }
                }
                Ok(StripeResponse { status, .. }) => unavailable_error(status, delay),
                Err(cause) => Error::Unavailable { cause, retry_after_ms: delay },
            });
        }
        transport.sleep(delay).await;
    }
}

/// Encodes an id as a segment of a path. Returns `None` for `.` and `..`: a URL parser removes them, even
/// if they are percent-encoded (<https://url.spec.whatwg.org/#single-dot-path-segment>).
pub(super) fn path_segment(id: &str) -> Option<impl std::fmt::Display> {
    (!matches!(id, "." | "..")).then(|| percent_encode(id))
}

/// Encodes an id for a query. In a path, [`path_segment()`] does.
pub(super) fn percent_encode(id: &str) -> impl std::fmt::Display {
    utf8_percent_encode(id, NON_ALPHANUMERIC)
}

/// The delay before the next attempt, in milliseconds; `None` if the request must not be retried.
fn retry_delay(response: &StripeResponse, attempts: u32, random: f64) -> Option<u64> {
    let may_retry = response
        .should_retry
        .unwrap_or(matches!(response.status, 409 | 429) || response.status >= 500);
    may_retry.then(|| backoff_delay(attempts, random).max(retry_after(response)))
}

/// `Retry-After` in milliseconds, limited to [`MAX_RETRY_AFTER`].
fn retry_after(response: &StripeResponse) -> u64 {
    let millis = response.retry_after.map_or(0, |seconds| u64::from(seconds).saturating_mul(1_000));
    millis.min(MAX_RETRY_AFTER)
}

fn unavailable_error(status: u16, retry_after_ms: u64) -> Error {
    Error::Unavailable { cause: format!("status {status}"), retry_after_ms }
}

fn backoff_delay(attempts: u32, random: f64) -> u64 {
    Jitter(random).apply(INITIAL_BACKOFF << attempts.saturating_sub(1).min(8))
}

/// The error of a response that is not retried.
fn error_from(response: &StripeResponse) -> Error {
    json_type! {
        struct StripeErrorEnvelope {
            error: StripeErrorBody,
        }

        #[derive(Default)]
        struct StripeErrorBody {
            code: Option<String>,
            message: Option<String>,
            param: Option<String>,
        }
    }
    let StripeResponse { status, body, .. } = response;
    let status = *status;
    let error = json::from_slice(body)
        .map_or(StripeErrorBody::default(), |body: StripeErrorEnvelope| body.error);
    let message = error.message.unwrap_or_else(|| "no message".to_owned());
    if matches!(status, 401 | 403) {
        return Error::KeyRejected { status, permission: find_permission(&message) };
    }
    if error.code.as_deref() == Some("resource_missing") {
        return Error::NotFound { param: error.param.unwrap_or_default(), message };
    }
    // Other statuses, such as a redirect of a proxy, may be temporary.
    if (400..500).contains(&status) {
        return Error::Rejected { status, message };
    }
    unavailable_error(status, retry_after(response))
}

/// The name of a permission in Stripe's message: `Having the 'rak_event_read' permission would allow
/// this request to continue.`
fn find_permission(message: &str) -> Option<Box<str>> {
    let is_name_char = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let mut words = message.split(|c| !is_name_char(c));
    let name = words.find(|word| word.starts_with("rak_") && word.len() <= MAX_PERMISSION_LEN)?;
    Some(name.into())
}
