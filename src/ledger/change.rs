//! The changes of a customer's set, for subscribers.
//!
//! | input                                          | output                                    |
//! |------------------------------------------------|-------------------------------------------|
//! | the set before, the set after                  | [`SetChange::between()`]                  |
//! | the last version a subscriber has, the log     | [`changes_since()`]                       |
//!
//! A change contains lookup keys, because product code checks those. Two grants may share a key. The
//! key is removed when its last grant is removed. The log may have gaps: a subscriber that receives a
//! version without the changes that led to it reads the set again.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::{
    entitlement::{Entitlements, Version},
    id::LookupKey,
    json::json_type,
};

/// How many changes of a customer are stored. A plan changes a few times a year. A client that missed
/// more than a hundred changes reads the set instead.
pub const CHANGE_RETENTION: u64 = 100;

/// The most bytes of lookup keys in a change that is sent in full. Of a larger change, subscribers
/// receive only the version. A WebSocket message is limited to 1 MiB and a SQLite row to 2 MB, and an
/// escaped quote in a key takes two bytes.
pub const MAX_CHANGE_BYTES: usize = 1 << 18;

json_type! {
    /// One change of a customer's set.
    #[derive(Clone, Debug, Eq, PartialEq, Serialize)]
    pub struct SetChange {
        /// The version after the change.
        pub version: Version,
        /// The lookup keys that were granted, in order.
        pub added: Vec<LookupKey>,
        /// The lookup keys that are no longer granted, in order.
        pub removed: Vec<LookupKey>,
    }

    /// The lookup keys of a change, for people: a change of too many keys is only counted.
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

impl SetChange {
    /// Returns the change from `current` to `set`, or `None` if the version is the same. A change may
    /// have no lookup keys: a partial set that becomes complete gets a new version too.
    #[must_use]
    pub fn between(current: Option<&Entitlements>, set: &Entitlements) -> Option<Self> {
        if current.map_or(Version::default(), |current| current.version) == set.version {
            return None;
        }
        let before = current.map(lookup_keys).unwrap_or_default();
        let after = lookup_keys(set);
        let difference = |keys: &BTreeSet<&LookupKey>, others| {
            keys.difference(others).copied().cloned().collect()
        };
        Some(Self {
            version: set.version,
            added: difference(&after, &before),
            removed: difference(&before, &after),
        })
    }

    /// Returns whether the change is small enough to be sent in full.
    #[must_use]
    pub fn fits_in_message(&self) -> bool {
        let keys = self.added.iter().chain(&self.removed);
        keys.map(|key| key.as_str().len()).sum::<usize>() <= MAX_CHANGE_BYTES
    }
}

impl KeyChange {
    /// The most keys of a change that are listed: as many as a person may want to read.
    pub const MAX_KEYS: usize = 1_000;

    /// Returns the change from `current` to `set`, or `None` if the version is the same.
    #[must_use]
    pub fn between(current: Option<&Entitlements>, set: &Entitlements) -> Option<Self> {
        let SetChange { added, removed, .. } = SetChange::between(current, set)?;
        if added.len() + removed.len() <= Self::MAX_KEYS {
            return Some(Self::Keys { added, removed });
        }
        Some(Self::Counts { added: count(&added), removed: count(&removed) })
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

fn count(keys: &[LookupKey]) -> u64 {
    u64::try_from(keys.len()).unwrap_or(u64::MAX)
}

fn lookup_keys(set: &Entitlements) -> BTreeSet<&LookupKey> {
    let mut keys = BTreeSet::new();
    keys.extend(set.data.iter().map(|grant| &grant.lookup_key));
    keys
}

/// Returns the changes after `since` up to `current`, or `None` if `stored` lacks one of them.
/// `stored` is in the order of versions.
#[must_use]
pub fn changes_since(
    since: Version,
    current: Version,
    stored: &[SetChange],
) -> Option<&[SetChange]> {
    let first = stored.partition_point(|change| change.version <= since);
    let later = stored.get(first..).unwrap_or_default();
    let mut next = since;
    for change in later {
        next = next.next();
        if change.version != next {
            return None;
        }
    }
    // A client with a version later than the current one missed nothing.
    (next >= current).then_some(later)
}
