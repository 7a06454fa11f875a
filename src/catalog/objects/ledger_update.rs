//! A ledger update: the pending task to send a customer's entitlements to the customer's ledger.
//!
//! There is at most one per customer. It is stored in the transaction of a summary event, and
//! removed when the ledger has applied the newest one.
//! [`ledger_updates`](crate::catalog::ledger_updates) runs it. The API does not show it.

use serde::Serialize;

use crate::{
    catalog::{repository::Entity, storage::IndexEntry},
    id::Timestamp,
    json::json_type,
};

/// The queue of all ledger updates, ordered by due time.
pub(crate) const QUEUE_INDEX: &str = "ledger updates";

json_type! {
    /// A pending task to send a customer's entitlements to the customer's ledger.
    #[derive(Clone, Debug, Eq, PartialEq, Serialize)]
    pub(crate) struct LedgerUpdate {
        pub(crate) customer: String,
        /// The id of the customer's newest summary event.
        pub(crate) event: String,
        /// When that event was created.
        pub(crate) created: Timestamp,
        /// The failed attempts to send that event.
        pub(crate) attempts: u32,
        /// Whether it is leased, so that `due` is the end of the lease.
        pub(crate) leased: bool,
        pub(crate) due: Timestamp,
    }
}

impl Entity for LedgerUpdate {
    const TYPE: &'static str = "ledger update";

    fn id(&self) -> &str {
        &self.customer
    }

    fn index_entries(&self) -> Vec<IndexEntry> {
        vec![IndexEntry::new(QUEUE_INDEX, self.due)]
    }
}
