//! An attempt to deliver an event: an entry of an endpoint's delivery log.
//!
//! Attempts are retained as long as events. Stripe shows this log in its dashboard only.

use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    catalog::{repository::Entity, storage::IndexEntry},
    id::Timestamp,
    json::json_type,
};

/// The index of all attempts.
pub(crate) const INDEX: &str = "attempts";

json_type! {
    /// One attempt to deliver an event, and its outcome.
    #[derive(Clone, Debug, Eq, PartialEq, Serialize)]
    pub(crate) struct DeliveryAttempt {
        pub(crate) id: String,
        pub(crate) created: Timestamp,
        pub(crate) endpoint: String,
        pub(crate) event: String,
        pub(crate) r#type: String,
        pub(crate) number: u32,
        pub(crate) status: Option<u16>,
        pub(crate) error: Option<String>,
        pub(crate) next_attempt: Option<Timestamp>,
    }
}

impl Entity for DeliveryAttempt {
    const TYPE: &'static str = "webhook delivery";

    fn id(&self) -> &str {
        &self.id
    }

    fn index_entries(&self) -> Vec<IndexEntry> {
        [INDEX.to_owned(), endpoint_index(&self.endpoint)]
            .map(|index| IndexEntry::new(index, self.created))
            .into()
    }
}

/// The index of the attempts at one endpoint.
pub(crate) fn endpoint_index(endpoint: &str) -> String {
    format!("attempts endpoint={endpoint}")
}

impl DeliveryAttempt {
    /// The JSON of entgate's own API. Stripe's API has no such object.
    pub(crate) fn to_json(&self) -> Value {
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
            "next_attempt": self.next_attempt,
            "outcome": outcome,
            "status": self.status,
        })
    }
}

pub(crate) fn is_success(status: u16) -> bool {
    (200..300).contains(&status)
}
