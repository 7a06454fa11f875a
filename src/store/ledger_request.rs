//! The requests to a customer's ledger that runs in another process, as JSON: `{"apply":{…}}`.

use serde::Serialize;

use super::WaitFor;
use crate::{
    entitlement::Summary,
    id::{CustomerKey, LookupKey},
    json::json_type,
};

json_type! {
    /// A request to a customer's ledger.
    #[derive(Clone, Debug, Eq, PartialEq, Serialize)]
    pub enum LedgerRequest {
        /// Apply an event.
        Apply(Summary) = "apply",
        /// Return the set, and read the source first if the set cannot answer for the features.
        Load {
            /// The customer.
            customer: CustomerKey,
            /// The features to answer for, or none for all.
            features: Vec<LookupKey>,
        } = "load",
        /// Read the source now.
        Sync {
            /// The customer.
            customer: CustomerKey,
            /// The condition that ends the sync early.
            wait_for: Option<WaitFor>,
        } = "sync",
        /// Compare the set with the source.
        Reconcile(CustomerKey) = "reconcile",
        /// Set the alarm again if tasks are pending and no alarm is set.
        Rearm = "rearm",
    }
}
