//! Reconciliation with the source: what the source returns, and the result of the comparison.
//!
//! The comparison itself is [`LedgerState::apply_source_list()`](super::LedgerState::apply_source_list).

use std::collections::BTreeSet;

use crate::entitlement::{ActiveEntitlement, Entitlements, Version};

/// A read of the source in progress. It records how many events had arrived when the read started.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SourceRead {
    pub(super) events_received: u64,
}

/// What the source returns for a customer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SourceState {
    /// The complete list of the customer's entitlements.
    List(Vec<ActiveEntitlement>),
    /// The customer was deleted and has no entitlements.
    Deleted,
    /// The source has no such customer.
    NotFound,
}

/// Why the source is read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ReadReason {
    /// To verify the current set: a difference is drift.
    Reconcile,
    /// To answer a request: a difference may be an event that is still in flight.
    OnDemand,
}

/// The result of a read of the source.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Reconciliation {
    /// The current set was correct.
    InSync,
    /// The set was updated. A difference was expected.
    Updated,
    /// The set was updated. No event had announced the difference.
    Drifted(Drift),
    /// An event arrived during the read, so the list may be outdated. Nothing changed.
    Superseded,
    /// Neither the source nor the ledger knows the customer.
    UnknownCustomer,
    /// The source does not know the customer, but the ledger has entitlements. Nothing changed: the
    /// key may belong to another account.
    NotFoundAtSource,
}

/// How a set differed from the source.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Drift {
    /// The number of grants that the set lacked.
    pub missing: usize,
    /// The number of grants that the source does not have.
    pub extra: usize,
    /// The version after the correction.
    pub version: Version,
}

impl Drift {
    /// Counts the grants that `current` and `set` do not share.
    pub(super) fn between(current: Option<&Entitlements>, set: &Entitlements) -> Self {
        let current = current.map_or(&[][..], |current| &current.data);
        Self {
            missing: count_missing(&set.data, current),
            extra: count_missing(current, &set.data),
            version: set.version,
        }
    }
}

fn count_missing(grants: &[ActiveEntitlement], from: &[ActiveEntitlement]) -> usize {
    let mut features = BTreeSet::new();
    features.extend(from.iter().map(|grant| &grant.feature));
    grants.iter().filter(|grant| !features.contains(&grant.feature)).count()
}
