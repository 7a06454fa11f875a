//! What a customer's ledger is asked where it is another process's: as JSON, `{"apply":{…}}`.

use serde::Serialize;

use super::Until;
use crate::{
    entitlement::Summary,
    id::{Customer, LookupKey},
    json::readable,
};

/// What a ledger is asked.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Message {
    /// Take an event in.
    Apply(Summary),
    /// What is held, as far as it takes to decide about these features, or about all?
    Find {
        /// Who is asked about.
        customer: Customer,
        /// All, if there are none.
        features: Vec<LookupKey>,
    },
    /// What does the source say?
    Sync {
        /// Who is asked about.
        customer: Customer,
        /// What is waited for.
        until: Option<Until>,
    },
    /// Is what is held what the source says?
    Confirm(Customer),
    /// Is an alarm set for what is owed?
    Wake,
}

readable! {
    enum Message {
        Apply(_) = "apply", Find { customer, features } = "find", Sync { customer, until } = "sync",
        Confirm(_) = "confirm", Wake = "wake",
    }
}
