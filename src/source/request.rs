//! One request to Stripe, tried again as Stripe asks for it.
//!
//! | the answer                                   | what follows                                 |
//! |----------------------------------------------|----------------------------------------------|
//! | 2xx                                          | its body                                     |
//! | `Stripe-Should-Retry: true` or `false`       | tried again, or not, whatever the status     |
//! | none, 409, 429, 500 and above                | tried again                                  |
//! | 401, 403                                     | [`Error::KeyRefused`]                        |
//! | `resource_missing`                           | [`Error::Missing`]                           |
//! | any other                                    | [`Error::Refused`]                           |
//!
//! A pause is twice as long as the one before, at random within its second half, and never shorter
//! than `Retry-After`. <https://docs.stripe.com/api/errors>, <https://docs.stripe.com/rate-limits>.

use super::{Error, StripeClient, StripeResponse, Transport};
use crate::{
    id::UnixMillis,
    json::{self, FromJson, impl_from_json},
    ledger::Jitter,
};

/// How often a request is tried: as often as Stripe's own SDKs do by default.
const MAX_ATTEMPTS: u32 = 3;

/// The pause after the first failure, in milliseconds: that of Stripe's SDKs.
const INITIAL_BACKOFF: u64 = 500;

/// The longest that Stripe can ask us to be left alone for, in milliseconds.
const MAX_RETRY_AFTER: u64 = 3_600_000;

impl<T: Transport> StripeClient<T> {
    /// Gets a target and reads its JSON, giving up rather than waiting past the deadline.
    pub(super) async fn fetch_json<A: FromJson>(
        &self,
        target: &str,
        deadline: UnixMillis,
    ) -> Result<A, Error> {
        let body = self.fetch(target, deadline).await?;
        json::from_slice(&body).map_err(|error| Error::Malformed(error.to_string()))
    }

    /// Gets what a target answers, likewise.
    pub(super) async fn fetch(&self, target: &str, deadline: UnixMillis) -> Result<Vec<u8>, Error> {
        let mut tries = 0;
        loop {
            if self.transport.now() >= deadline {
                let cause = "it takes longer than there is time for".to_owned();
                return Err(Error::Unavailable { cause, retry_after_ms: 0 });
            }
            let mut reply = self.transport.get(target).await;
            tries += 1;
            let pause = match &mut reply {
                Ok(StripeResponse { status: 200..=299, body, .. }) => {
                    return Ok(std::mem::take(body));
                }
                Ok(reply) => retry_delay(reply, tries, self.transport.random()),
                Err(_) => Some(backoff_delay(tries, self.transport.random())),
            };
            let Some(pause) = pause else { return Err(error_from(&reply.unwrap_or_default())) };
            if tries == MAX_ATTEMPTS || self.transport.now().saturating_add(pause) >= deadline {
                return Err(match reply {
                    Ok(StripeResponse { status: status @ (401 | 403), .. }) => {
                        Error::KeyRejected { status }
                    }
                    Ok(StripeResponse { status, .. }) => unavailable_error(status, pause),
                    Err(cause) => Error::Unavailable { cause, retry_after_ms: pause },
                });
            }
            self.transport.sleep(pause).await;
        }
    }
}

/// How long to wait until the next try, in milliseconds, if there is to be one.
fn retry_delay(reply: &StripeResponse, tries: u32, random: f64) -> Option<u64> {
    let again =
        reply.should_retry.unwrap_or(matches!(reply.status, 409 | 429) || reply.status >= 500);
    again.then(|| backoff_delay(tries, random).max(retry_after(reply)))
}

/// How long Stripe wants to be left alone, in milliseconds.
fn retry_after(reply: &StripeResponse) -> u64 {
    let wanted = reply.retry_after.map_or(0, |seconds| u64::from(seconds).saturating_mul(1_000));
    wanted.min(MAX_RETRY_AFTER)
}

fn unavailable_error(status: u16, pause: u64) -> Error {
    Error::Unavailable { cause: format!("status {status}"), retry_after_ms: pause }
}

fn backoff_delay(tries: u32, random: f64) -> u64 {
    Jitter(random).apply(INITIAL_BACKOFF << tries.saturating_sub(1).min(8))
}

fn error_from(reply: &StripeResponse) -> Error {
    struct StripeErrorEnvelope {
        error: StripeErrorBody,
    }
    #[derive(Default)]
    struct StripeErrorBody {
        code: Option<String>,
        message: Option<String>,
        param: Option<String>,
    }
    impl_from_json! { struct StripeErrorEnvelope { error } }
    impl_from_json! { struct StripeErrorBody { code, message, param } }
    let StripeResponse { status, body, .. } = reply;
    let status = *status;
    if matches!(status, 401 | 403) {
        return Error::KeyRejected { status };
    }
    let told = json::from_slice(body)
        .map_or(StripeErrorBody::default(), |body: StripeErrorEnvelope| body.error);
    let message = told.message.unwrap_or_else(|| "without a word".to_owned());
    if told.code.as_deref() == Some("resource_missing") {
        return Error::NotFound { param: told.param.unwrap_or_default(), message };
    }
    // What is not an answer to us (a redirect, a proxy's page) may be one next time.
    if (400..500).contains(&status) {
        return Error::Rejected { status, message };
    }
    unavailable_error(status, retry_after(reply))
}
