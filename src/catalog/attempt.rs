//! How one try to tell an endpoint went: what the endpoint's log is made of.
//!
//! Kept for as long as the events that they are about. Stripe shows as much in its dashboard.

use serde::Serialize;
use serde_json::{Value, json};

use super::{
    Catalog, Error, Object,
    event::MEMORY,
    shelf::{Entry, Order, Place, Range},
};
use crate::{id::Timestamp, json::readable};

/// The list of all attempts.
const ATTEMPTS: &str = "attempts";

/// The most expired attempts that one new one takes away.
const PURGE: usize = 2;

/// How one try went: what an endpoint's log is made of.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct Attempt {
    pub(super) id: String,
    pub(super) created: Timestamp,
    pub(super) endpoint: String,
    pub(super) event: String,
    pub(super) r#type: String,
    pub(super) number: u32,
    pub(super) status: Option<u16>,
    pub(super) error: Option<String>,
    pub(super) next: Option<Timestamp>,
}

readable! { struct Attempt { id, created, endpoint, event, r#type, number, status, error, next } }

impl Object for Attempt {
    const KIND: &'static str = "webhook delivery";

    fn id(&self) -> &str {
        &self.id
    }

    fn entries(&self) -> Vec<Entry> {
        [ATTEMPTS.to_owned(), log(&self.endpoint)].map(|list| Entry::new(list, self.created)).into()
    }
}

/// The list of the attempts at one endpoint.
pub(crate) fn log(endpoint: &str) -> String {
    format!("attempts endpoint={endpoint}")
}

impl Attempt {
    /// As our API shows it. Stripe's has none.
    pub(crate) fn shown(&self) -> Value {
        let outcome = if self.status.is_some_and(is_success) { "succeeded" } else { "failed" };
        json!({
            "id": self.id,
            "object": "webhook_delivery",
            "attempt": self.number,
            "created": self.created,
            "endpoint": self.endpoint,
            "error": self.error,
            "event": self.event,
            "event_type": self.r#type,
            "next_attempt": self.next,
            "outcome": outcome,
            "status": self.status,
        })
    }
}

pub(super) fn purge(catalog: &Catalog<'_>) -> Result<(), Error> {
    let oldest = Timestamp(catalog.now.0.saturating_sub(MEMORY));
    let below = Some(Place::before(oldest));
    let expired = Range { above: None, below, order: Order::Ascending, limit: PURGE };
    let attempts: Vec<Attempt> = catalog.list(ATTEMPTS, expired)?;
    attempts.iter().try_for_each(|attempt| catalog.remove(attempt))
}

pub(super) fn is_success(status: u16) -> bool {
    (200..300).contains(&status)
}
