//! What the source says of a customer, and what that comes to.

use std::collections::BTreeSet;

use crate::entitlement::{ActiveEntitlement, Entitlements, Version};

/// A read of the source's list that is under way.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Reading {
    pub(super) arrivals: u64,
}

/// What a source says of a customer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Told {
    /// The customer holds these, and nothing else.
    All(Vec<ActiveEntitlement>),
    /// The customer was deleted, and holds nothing.
    Deleted,
    /// There is no such customer, and never was.
    Unknown,
}

/// Why the source is asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Occasion {
    /// To see that what is held is right: a difference is one that no event told of.
    Confirm,
    /// Because somebody asks: a difference may be an event that is still on its way.
    Ask,
}

/// What a read of the source's list came to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Finding {
    /// What is held was right.
    Right,
    /// What is held is right since.
    Completed,
    /// What was held was wrong, and is right since.
    Drifted(Drift),
    /// An event came in meanwhile: what the source said may be older. Nothing changed.
    Overtaken,
    /// Neither the source nor the ledger knows the customer.
    Nobody,
    /// The source does not know a customer of whom something is held. Nothing changed: it may be
    /// another account's key.
    Doubtful,
}

/// What was wrong with a set.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Drift {
    /// How many grants were missing.
    pub granted: usize,
    /// How many grants were held that are none.
    pub revoked: usize,
    /// The version held since.
    pub version: Version,
}

impl Drift {
    /// What `set` has and `held` had not, and the other way round.
    pub(super) fn between(held: Option<&Entitlements>, set: &Entitlements) -> Self {
        let held = held.map_or(&[][..], |held| &held.data);
        Self {
            granted: missing(&set.data, held),
            revoked: missing(held, &set.data),
            version: set.version,
        }
    }
}

fn missing(among: &[ActiveEntitlement], from: &[ActiveEntitlement]) -> usize {
    let mut known = BTreeSet::new();
    known.extend(from.iter().map(|granted| &granted.feature));
    among.iter().filter(|granted| !known.contains(&granted.feature)).count()
}
