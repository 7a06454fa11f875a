//! What one version of a set changed, for those who listen.
//!
//! | takes                                     | gives                                            |
//! |-------------------------------------------|--------------------------------------------------|
//! | what was held, what is held since         | [`Change::between()`], if the version is another |
//! | the last version heard of, what is remembered | [`missed()`], the changes since, or none known |
//!
//! A change tells lookup keys: what a product's code asks for. Two grants may share one, so that a
//! key is removed when the last grant of it is. Whoever hears of a version without the changes that
//! led to it reads the set anew; nothing here has to be complete for that.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::{
    entitlement::{Entitlements, Version},
    id::LookupKey,
    json::impl_from_json,
};

/// How many changes of a customer are remembered: a plan changes some times a year, and a client
/// that was away for longer than a hundred changes does better to read the set.
pub const CHANGE_RETENTION: u64 = 100;

/// The most bytes of lookup keys in a change that is told as such. What listens hears of a larger
/// one by its version only: a message of a WebSocket ends at 1 MiB, and a row of SQLite at 2 MB,
/// where a quote in a key takes two bytes.
pub const MAX_CHANGE_BYTES: usize = 1 << 18;

/// One change of a customer's set.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct SetChange {
    /// The version since.
    pub version: Version,
    /// The lookup keys that are granted since, in order.
    pub added: Vec<LookupKey>,
    /// The lookup keys that are no longer granted, in order.
    pub removed: Vec<LookupKey>,
}

impl_from_json! { struct SetChange { version, added, removed } }

/// What those who listen to a customer are told.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeNotification {
    /// The set changed.
    Change(SetChange),
    /// The set has this version now.
    Version(Version),
}

impl_from_json! { enum ChangeNotification { Change(_) = "change", Version(_) = "version" } }

impl SetChange {
    /// What led from `held` to `set`, or none if that is the same version. A version that changes no
    /// lookup key is a change too: what was told in part may be told whole since.
    #[must_use]
    pub fn between(held: Option<&Entitlements>, set: &Entitlements) -> Option<Self> {
        if held.map_or(Version::default(), |held| held.version) == set.version {
            return None;
        }
        let before = held.map(lookup_keys).unwrap_or_default();
        let after = lookup_keys(set);
        let only = |among: &BTreeSet<&LookupKey>, others| {
            among.difference(others).copied().cloned().collect()
        };
        Some(Self {
            version: set.version,
            added: only(&after, &before),
            removed: only(&before, &after),
        })
    }

    /// Whether it is small enough to be told as such.
    #[must_use]
    pub fn fits_in_message(&self) -> bool {
        let keys = self.added.iter().chain(&self.removed);
        keys.map(|key| key.as_str().len()).sum::<usize>() <= MAX_CHANGE_BYTES
    }
}

fn lookup_keys(set: &Entitlements) -> BTreeSet<&LookupKey> {
    let mut keys = BTreeSet::new();
    keys.extend(set.data.iter().map(|granted| &granted.lookup_key));
    keys
}

/// The changes after `since` up to `current`, if all of them are among those remembered, which are in
/// order.
#[must_use]
pub fn changes_since(
    since: Version,
    current: Version,
    remembered: &[SetChange],
) -> Option<&[SetChange]> {
    let first = remembered.partition_point(|change| change.version <= since);
    let later = remembered.get(first..).unwrap_or_default();
    let mut next = since;
    for change in later {
        next = next.next();
        if change.version != next {
            return None;
        }
    }
    // Who heard of a later version than there is has nothing to hear.
    (next >= current).then_some(later)
}
