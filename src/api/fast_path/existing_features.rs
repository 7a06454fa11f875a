//! The features that the fast path knows to exist. It denies no other feature.
//!
//! The slow path knows all features that exist, and denies a mistyped lookup key as `unknown_feature`.

use std::collections::BTreeSet;

use crate::id::{Livemode, LookupKey};

/// The most lookup keys of one mode. A catalog has dozens; an isolate has 128 MB.
const MAX_KEYS: usize = 2_000;

/// Lookup keys that a set of the source contained, or that the slow path has denied.
#[derive(Debug, Default)]
pub struct ExistingFeatures {
    test: BTreeSet<LookupKey>,
    live: BTreeSet<LookupKey>,
}

impl ExistingFeatures {
    /// Whether a feature of this mode is known to exist.
    #[must_use]
    pub fn contains(&self, livemode: Livemode, key: &LookupKey) -> bool {
        match livemode {
            Livemode::Test => self.test.contains(key),
            Livemode::Live => self.live.contains(key),
        }
    }

    /// Adds a feature. At the maximum, all others are removed: the slow path adds them again.
    pub fn insert(&mut self, livemode: Livemode, key: &LookupKey) {
        let keys = match livemode {
            Livemode::Test => &mut self.test,
            Livemode::Live => &mut self.live,
        };
        if keys.contains(key) {
            return;
        }
        if keys.len() == MAX_KEYS {
            keys.clear();
        }
        keys.insert(key.clone());
    }
}
