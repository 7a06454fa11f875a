//! One customer's Durable Object: the one writer of its set, and of its copy in the replica.
//!
//! An event is applied in one transaction, together with what it makes us owe: the replica's copy
//! is a row of the outbox, and an alarm is set, before anything leaves this object. So a crash at
//! any moment leaves either an event that was not acknowledged or a debt that is paid later. The
//! copy is then written at once, and by the alarm where that fails or comes too soon.
//!
//! `ledger` tells the messages; the rules are in [`crate::ledger`]. Confirming a set at its source
//! is not here.

use std::{cell::Cell, time::Duration};

use worker::{
    DurableObject, Env, Method, Request, Response, Result, State, console_error, durable_object,
};

use super::{
    now,
    replica::KvReplica,
    tables::{Owed, Tables},
};
use crate::{
    entitlement::{Summary, Version},
    ledger,
    store::{Effect, Receipt, record},
};

/// KV takes one write a second per key, in milliseconds
/// (<https://developers.cloudflare.com/kv/platform/limits/>).
const WRITE_INTERVAL: u64 = 1_000;

/// The longest pause between two tries to write the replica, in milliseconds.
const LONGEST_PAUSE: u64 = 60_000;

/// The ledger of one customer.
#[durable_object(alarm)]
pub struct Customer {
    state: State,
    env: Env,
    /// Whether a write to the replica is on its way: a second one could overtake it.
    writing: Cell<bool>,
    /// When the last write to the replica was begun, in milliseconds since 1970.
    written: Cell<u64>,
}

impl std::fmt::Debug for Customer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Customer").finish_non_exhaustive()
    }
}

impl DurableObject for Customer {
    fn new(state: State, env: Env) -> Self {
        Self { state, env, writing: Cell::new(false), written: Cell::new(0) }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let answer = match request.method() {
            Method::Get => self.answer_record(),
            _ => match request.bytes().await {
                Ok(body) => self.apply(&body).await,
                Err(error) => Err(error),
            },
        };
        answer.or_else(|error| Response::error(error.to_string(), 500))
    }

    async fn alarm(&self) -> Result<Response> {
        self.replicate().await?;
        Response::empty()
    }
}

impl Customer {
    fn answer_record(&self) -> Result<Response> {
        match Tables::of(&self.state).record()? {
            Some(record) => Response::from_bytes(record),
            None => Response::error("nothing was heard of this customer", 404),
        }
    }

    async fn apply(&self, body: &[u8]) -> Result<Response> {
        let summary: Summary = serde_json::from_slice(body)?;
        let tables = Tables::of(&self.state);
        let receipt = tables.transact(|tables| apply(tables, &summary))?;
        if receipt.effect == Effect::Applied {
            // No await since the transaction: the alarm is committed together with it.
            self.state.storage().set_alarm(Duration::from_millis(WRITE_INTERVAL)).await?;
            if millis().saturating_sub(self.written.get()) >= WRITE_INTERVAL {
                self.replicate().await?;
            }
        }
        Response::from_json(&receipt)
    }

    /// Pays what the replica is owed, or sees to it that the alarm comes again.
    async fn replicate(&self) -> Result<()> {
        let tables = Tables::of(&self.state);
        let Some(Owed { key, failures }) = tables.owed()? else { return Ok(()) };
        let Some(record) = tables.record()? else { return Ok(()) };
        if self.writing.replace(true) {
            return self.wake_in(WRITE_INTERVAL).await;
        }
        self.written.set(millis());
        let put = match KvReplica::open(&self.env) {
            Ok(replica) => replica.put(&key, &record).await.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        self.writing.set(false);
        if let Err(cause) = put {
            console_error!(
                "{cause} (failed {} times in a row, and is tried again)",
                failures.saturating_add(1)
            );
            tables.failed()?;
            return self.wake_in(pause(failures)).await;
        }
        // An event may have come in while the copy was on its way.
        if tables.record()?.as_deref() != Some(&record) {
            return self.wake_in(WRITE_INTERVAL).await;
        }
        tables.settle()?;
        self.state.storage().delete_alarm().await
    }

    async fn wake_in(&self, millis: u64) -> Result<()> {
        self.state.storage().set_alarm(Duration::from_millis(millis)).await
    }
}

/// The rules, between what the tables hold and what they are to hold.
fn apply(tables: &Tables, summary: &Summary) -> Result<Receipt> {
    tables.create()?;
    let held = match tables.record()? {
        Some(record) => Some(record::read(&record).map_err(|error| error.to_string())?),
        None => None,
    };
    let sighting = tables.sighting(&summary.event)?;
    let outcome = ledger::apply(held.as_ref(), sighting, summary);
    let before = held.as_ref().map_or(Version::default(), |held| held.version);
    let (receipt, set) = Receipt::of(outcome.map_err(|error| error.to_string())?, before);
    if let Some(set) = set {
        tables.keep(&record::write(&set).map_err(|error| error.to_string())?)?;
    }
    if receipt.effect == Effect::Applied {
        tables.owe(&summary.customer.key())?;
    }
    tables.saw(&summary.event, now())?;
    Ok(receipt)
}

/// Twice as long after each failure, up to a minute.
fn pause(failures: i32) -> u64 {
    let doublings = u32::try_from(failures).unwrap_or(0).min(16);
    WRITE_INTERVAL.saturating_mul(1 << doublings).min(LONGEST_PAUSE)
}

fn millis() -> u64 {
    worker::Date::now().as_millis()
}
