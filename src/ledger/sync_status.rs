//! Where a customer stands, as the roster has to know: enough to tell what is owed over all
//! customers and whose set was not confirmed for long, and told seldom.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::{
    id::{LookupKey, Timestamp, UnixMillis},
    json::impl_from_json,
};

/// The roster is told anew of a set that is confirmed this long after the confirmation that it
/// knows of, in seconds: it looks for those that were not confirmed for a day.
const CONFIRMATION_REPORT_INTERVAL: i64 = 60 * 60;

/// Where a customer stands, as the roster has to know.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct SyncStatus {
    /// When the set was last confirmed.
    pub confirmed_at: Option<Timestamp>,
    /// How many debts were tried in vain.
    pub pending: u32,
    /// Since when the oldest of them is owed.
    pub pending_since: Option<UnixMillis>,
    /// What the operator has to see to.
    pub problem: Option<SyncProblem>,
}

impl_from_json! { struct SyncStatus { confirmed_at, pending, pending_since, problem } }

/// What the roster is told at once.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct StatusReport {
    /// Where the customer stands.
    pub status: SyncStatus,
    /// The features that came in its sets since the last report.
    pub features: BTreeSet<LookupKey>,
}

/// Why the source does not tell, where the operator has to do something.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SyncProblem {
    /// It does not take the key.
    KeyRefused,
    /// It does not know a customer of whom it sent events.
    UnknownCustomer,
}

impl_from_json! {
    enum SyncProblem { KeyRefused = "key_refused", UnknownCustomer = "unknown_customer" }
}

impl SyncStatus {
    /// Whether somebody who knows of `known` would learn something.
    pub(super) fn differs_from_reported(&self, known: Option<Self>) -> bool {
        let Some(known) = known else { return true };
        let second = |confirmed: Option<Timestamp>| confirmed.map_or(i64::MIN, |second| second.0);
        let later = second(self.confirmed_at).saturating_sub(second(known.confirmed_at));
        later >= CONFIRMATION_REPORT_INTERVAL
            || Self { confirmed_at: known.confirmed_at, ..*self } != known
    }
}
