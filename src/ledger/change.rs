//! The changes of a customer's effective set, as lookup keys.
//!
//! A change contains lookup keys, because product code checks those. Two grants may share a key. The
//! key is removed when its last grant is removed. A change of very many keys is only counted: of it,
//! subscribers receive the version, and read the set again.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::{
    entitlement::{SourceSet, Version},
    id::LookupKey,
    json::json_type,
};

json_type! {
    /// One change of a customer's effective set, for subscribers.
    #[derive(Clone, Debug, Eq, PartialEq, Serialize)]
    pub struct SetChange {
        /// The version after the change.
        pub version: Version,
        /// The lookup keys that were granted, in order.
        pub added: Vec<LookupKey>,
        /// The lookup keys that are no longer granted, in order.
        pub removed: Vec<LookupKey>,
    }

    /// The lookup keys of a change: a change of too many keys is only counted.
    #[derive(Clone, Debug, Eq, PartialEq, Serialize)]
    pub enum KeyChange {
        /// The keys, each list in order.
        Keys {
            /// The lookup keys that were granted.
            added: Vec<LookupKey>,
            /// The lookup keys that are no longer granted.
            removed: Vec<LookupKey>,
        } = "keys",
        /// The number of keys.
        Counts {
            /// How many lookup keys were granted.
            added: u64,
            /// How many lookup keys are no longer granted.
            removed: u64,
        } = "counts",
    }

    /// A notification to the subscribers of a customer.
    #[derive(Clone, Debug, Eq, PartialEq, Serialize)]
    pub enum ChangeNotification {
        /// The set changed.
        Change(SetChange) = "change",
        /// The set has this version now.
        Version(Version) = "version",
    }
}

impl KeyChange {
    /// The most keys of a change that are listed: as many as a person may want to read.
    pub const MAX_KEYS: usize = 1_000;

    /// The most bytes of the keys of a change that are listed. A WebSocket message is limited to 1 MiB and
    /// a SQLite row to 2 MB, an entry has two changes at most, and an escaped quote in a key takes two
    /// bytes.
    pub const MAX_BYTES: usize = 1 << 18;

    /// A change of no key.
    pub const NONE: Self = Self::Keys { added: Vec::new(), removed: Vec::new() };

    /// Creates the change of these keys, each list in order.
    #[must_use]
    pub fn new(added: Vec<LookupKey>, removed: Vec<LookupKey>) -> Self {
        let bytes = added.iter().chain(&removed).map(|key| key.as_str().len()).sum::<usize>();
        if added.len() + removed.len() <= Self::MAX_KEYS && bytes <= Self::MAX_BYTES {
            Self::Keys { added, removed }
        } else {
            Self::Counts { added: count(&added), removed: count(&removed) }
        }
    }

    /// Returns the change of one feature: whether it was granted, and is.
    #[must_use]
    pub fn of_feature(feature: &LookupKey, [before, after]: [bool; 2]) -> Self {
        match (before, after) {
            (false, true) => Self::Keys { added: vec![feature.clone()], removed: Vec::new() },
            (true, false) => Self::Keys { added: Vec::new(), removed: vec![feature.clone()] },
            (false, false) | (true, true) => Self::NONE,
        }
    }

    /// Returns how many keys were added and removed.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        match self {
            Self::Keys { added, removed } => (count(added), count(removed)),
            Self::Counts { added, removed } => (*added, *removed),
        }
    }
}

/// Returns the lookup keys that a source set gained and lost, in order.
#[must_use]
pub fn source_difference(
    before: Option<&SourceSet>,
    after: &SourceSet,
) -> (Vec<LookupKey>, Vec<LookupKey>) {
    let before = before.map(lookup_keys).unwrap_or_default();
    let after = lookup_keys(after);
    let difference =
        |keys: &BTreeSet<&LookupKey>, others| keys.difference(others).copied().cloned().collect();
    (difference(&after, &before), difference(&before, &after))
}

fn count(keys: &[LookupKey]) -> u64 {
    u64::try_from(keys.len()).unwrap_or(u64::MAX)
}

fn lookup_keys(set: &SourceSet) -> BTreeSet<&LookupKey> {
    let mut keys = BTreeSet::new();
    keys.extend(set.data.iter().map(|grant| &grant.lookup_key));
    keys
}
