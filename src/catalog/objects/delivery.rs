//! A delivery: a pending task to send one event to one endpoint.

use serde::Serialize;

use crate::{
    catalog::{objects::event::Event, repository::Entity, storage::IndexEntry},
    id::Timestamp,
    json::impl_from_json,
};

/// That an endpoint is to be told of an event.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct Delivery {
    pub(crate) id: String,
    pub(crate) created: Timestamp,
    pub(crate) event: String,
    pub(crate) r#type: String,
    pub(crate) endpoint: String,
    pub(crate) attempts: u32,
    pub(crate) due: Timestamp,
}

impl_from_json! { struct Delivery { id, created, event, r#type, endpoint, attempts, due } }

impl Entity for Delivery {
    const TYPE: &'static str = "delivery";

    fn id(&self) -> &str {
        &self.id
    }

    fn index_entries(&self) -> Vec<IndexEntry> {
        vec![IndexEntry::new(queue_index(&self.endpoint), self.due)]
    }
}

/// The list of what is owed to one endpoint, by when it is due: so that nobody has to look through
/// what waits for another.
pub(crate) fn queue_index(endpoint: &str) -> String {
    format!("deliveries endpoint={endpoint}")
}

impl Delivery {
    pub(crate) fn new(id: String, event: &Event, endpoint: &str, now: Timestamp) -> Self {
        let (event, r#type, endpoint) =
            (event.id.clone(), event.r#type.clone(), endpoint.to_owned());
        Self { id, created: now, event, r#type, endpoint, attempts: 0, due: now }
    }
}
