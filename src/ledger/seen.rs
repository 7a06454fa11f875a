//! Which features came in a customer's set, and which of them the roster was told of.
//!
//! What is sold is known by its source. Where that cannot be read, the features that anybody ever held
//! are the next best: each customer's ledger notes those of its own sets until the roster has them, so
//! that one that is granted and revoked within a moment is told of all the same, and none twice.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::{id::LookupKey, json::readable};

/// The features that came in a customer's sets.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Seen {
    told: BTreeSet<LookupKey>,
    untold: BTreeSet<LookupKey>,
}

readable! { struct Seen { told, untold } }

impl Seen {
    /// The most features that are noted: a catalog has some dozens. Of the longest keys, each character
    /// written as two, they are 1.3 MB, and a row of a Durable Object ends at 2 MB
    /// (<https://developers.cloudflare.com/durable-objects/platform/limits/>).
    pub const LIMIT: usize = 2_000;

    /// The longest key that is noted, in bytes: the 80 characters that Stripe writes, of up to 4 bytes.
    pub const LONGEST: usize = 320;

    /// Notes features, as far as there is room.
    pub(super) fn see<'a>(&mut self, features: impl IntoIterator<Item = &'a LookupKey>) {
        for feature in features {
            if self.told.len() + self.untold.len() >= Self::LIMIT {
                return;
            }
            if feature.as_str().len() <= Self::LONGEST && !self.told.contains(feature) {
                self.untold.insert(feature.clone());
            }
        }
    }

    /// Whether nothing was noted yet.
    pub(super) fn is_empty(&self) -> bool {
        self.told.is_empty() && self.untold.is_empty()
    }

    /// What the roster does not know.
    pub(super) fn untold(&self) -> &BTreeSet<LookupKey> {
        &self.untold
    }

    /// The roster knows these.
    pub(super) fn tell(&mut self, features: &BTreeSet<LookupKey>) {
        for feature in features {
            if self.untold.remove(feature) {
                self.told.insert(feature.clone());
            }
        }
    }
}
