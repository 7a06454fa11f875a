//! What a customer's ledger is asked where it is another process's: as JSON, `{"apply":{…}}`.

use serde::Serialize;

use super::WaitFor;
use crate::{
    entitlement::Summary,
    id::{CustomerKey, LookupKey},
    json::impl_from_json,
};

/// What a ledger is asked.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LedgerRequest {
    /// Take an event in.
    Apply(Summary),
    /// What is held, as far as it takes to decide about these features, or about all?
    Load {
        /// Who is asked about.
        customer: CustomerKey,
        /// All, if there are none.
        features: Vec<LookupKey>,
    },
    /// What does the source say?
    Sync {
        /// Who is asked about.
        customer: CustomerKey,
        /// What is waited for.
        wait_for: Option<WaitFor>,
    },
    /// Is what is held what the source says?
    Reconcile(CustomerKey),
    /// Is an alarm set for what is owed?
    Rearm,
}

impl_from_json! {
    enum LedgerRequest {
        Apply(_) = "apply", Load { customer, features } = "load", Sync { customer, wait_for } = "sync",
        Reconcile(_) = "reconcile", Rearm = "rearm",
    }
}
