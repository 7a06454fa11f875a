//! What the source says of a customer, and what that comes to.

use std::collections::BTreeSet;

use crate::entitlement::{ActiveEntitlement, Entitlements, Version};

/// A read of the source's list that is under way.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SourceRead {
    pub(super) events_received: u64,
}

/// What a source says of a customer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SourceState {
    /// The customer holds these, and nothing else.
    List(Vec<ActiveEntitlement>),
    /// The customer was deleted, and holds nothing.
    Deleted,
    /// There is no such customer, and never was.
    NotFound,
}

/// Why the source is asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ReadReason {
    /// To see that what is held is right: a difference is one that no event told of.
    Reconcile,
    /// Because somebody asks: a difference may be an event that is still on its way.
    OnDemand,
}

/// What a read of the source's list came to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Reconciliation {
    /// What is held was right.
    InSync,
    /// What is held is right since.
    Updated,
    /// What was held was wrong, and is right since.
    Drifted(Drift),
    /// An event came in meanwhile: what the source said may be older. Nothing changed.
    Superseded,
    /// Neither the source nor the ledger knows the customer.
    UnknownCustomer,
    /// The source does not know a customer of whom something is held. Nothing changed: it may be
    /// another account's key.
    NotFoundAtSource,
}

/// What was wrong with a set.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Drift {
    /// How many grants were missing.
    pub missing: usize,
    /// How many grants were held that are none.
    pub extra: usize,
    /// The version held since.
    pub version: Version,
}

impl Drift {
    /// What `set` has and `held` had not, and the other way round.
    pub(super) fn between(held: Option<&Entitlements>, set: &Entitlements) -> Self {
        let held = held.map_or(&[][..], |held| &held.data);
        Self {
            missing: count_missing(&set.data, held),
            extra: count_missing(held, &set.data),
            version: set.version,
        }
    }
}

fn count_missing(among: &[ActiveEntitlement], from: &[ActiveEntitlement]) -> usize {
    let mut known = BTreeSet::new();
    known.extend(from.iter().map(|granted| &granted.feature));
    among.iter().filter(|granted| !known.contains(&granted.feature)).count()
}
