//! A delivery: the pending task to send one event to one endpoint.
//!
//! It is stored in the transaction of its event and removed when it ends.
//! [`deliveries`](crate::catalog::deliveries) runs it.

use serde::Serialize;

use crate::{
    catalog::{objects::event::Event, repository::Entity, storage::IndexEntry},
    id::Timestamp,
    json::json_type,
};

json_type! {
    /// A pending task to send an event to an endpoint.
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
}

impl Entity for Delivery {
    const TYPE: &'static str = "delivery";

    fn id(&self) -> &str {
        &self.id
    }

    fn index_entries(&self) -> Vec<IndexEntry> {
        vec![IndexEntry::new(queue_index(&self.endpoint), self.due)]
    }
}

/// The queue of one endpoint, ordered by due time. Each endpoint has its own, so that a slow one
/// delays no other.
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
