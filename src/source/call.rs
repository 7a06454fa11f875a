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

use super::{Error, Reply, Stripe, Transport};
use crate::{
    id::Millis,
    json::{self, Read, readable},
    ledger::Jitter,
};

/// How often a request is tried: as often as Stripe's own SDKs do by default.
const TRIES: u32 = 3;

/// The pause after the first failure, in milliseconds: that of Stripe's SDKs.
const FIRST_PAUSE: u64 = 500;

/// The longest that Stripe can ask us to be left alone for, in milliseconds.
const LONGEST_PAUSE: u64 = 3_600_000;

impl<T: Transport> Stripe<T> {
    /// Gets a target and reads its JSON, giving up rather than waiting past the deadline.
    pub(super) async fn read<A: Read>(&self, target: &str, deadline: Millis) -> Result<A, Error> {
        let body = self.get(target, deadline).await?;
        json::read(&body).map_err(|error| Error::Malformed(error.to_string()))
    }

    /// Gets what a target answers, likewise.
    pub(super) async fn get(&self, target: &str, deadline: Millis) -> Result<Vec<u8>, Error> {
        let mut tries = 0;
        loop {
            if self.transport.now() >= deadline {
                let cause = "it takes longer than there is time for".to_owned();
                return Err(Error::Unavailable { cause, pause: 0 });
            }
            let mut reply = self.transport.get(target).await;
            tries += 1;
            let pause = match &mut reply {
                Ok(Reply { status: 200..=299, body, .. }) => return Ok(std::mem::take(body)),
                Ok(reply) => pause(reply, tries, self.transport.random()),
                Err(_) => Some(backoff(tries, self.transport.random())),
            };
            let Some(pause) = pause else { return Err(refusal(&reply.unwrap_or_default())) };
            if tries == TRIES || self.transport.now().plus(pause) >= deadline {
                return Err(match reply {
                    Ok(Reply { status: status @ (401 | 403), .. }) => Error::KeyRefused { status },
                    Ok(Reply { status, .. }) => unavailable(status, pause),
                    Err(cause) => Error::Unavailable { cause, pause },
                });
            }
            self.transport.pause(pause).await;
        }
    }
}

/// How long to wait until the next try, in milliseconds, if there is to be one.
fn pause(reply: &Reply, tries: u32, random: f64) -> Option<u64> {
    let again =
        reply.should_retry.unwrap_or(matches!(reply.status, 409 | 429) || reply.status >= 500);
    again.then(|| backoff(tries, random).max(wanted(reply)))
}

/// How long Stripe wants to be left alone, in milliseconds.
fn wanted(reply: &Reply) -> u64 {
    let wanted = reply.retry_after.map_or(0, |seconds| u64::from(seconds).saturating_mul(1_000));
    wanted.min(LONGEST_PAUSE)
}

fn unavailable(status: u16, pause: u64) -> Error {
    Error::Unavailable { cause: format!("status {status}"), pause }
}

fn backoff(tries: u32, random: f64) -> u64 {
    Jitter(random).of(FIRST_PAUSE << tries.saturating_sub(1).min(8))
}

fn refusal(reply: &Reply) -> Error {
    struct Envelope {
        error: Told,
    }
    #[derive(Default)]
    struct Told {
        code: Option<String>,
        message: Option<String>,
        param: Option<String>,
    }
    readable! { struct Envelope { error } }
    readable! { struct Told { code, message, param } }
    let Reply { status, body, .. } = reply;
    let status = *status;
    if matches!(status, 401 | 403) {
        return Error::KeyRefused { status };
    }
    let told = json::read(body).map_or(Told::default(), |body: Envelope| body.error);
    let message = told.message.unwrap_or_else(|| "without a word".to_owned());
    if told.code.as_deref() == Some("resource_missing") {
        return Error::Missing { param: told.param.unwrap_or_default(), message };
    }
    // What is not an answer to us (a redirect, a proxy's page) may be one next time.
    if (400..500).contains(&status) {
        return Error::Refused { status, message };
    }
    unavailable(status, wanted(reply))
}
