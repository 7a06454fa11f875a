//! Which features came in a customer's set, and which of them the roster was told of.
//!
//! What is sold is known by its source. Where that cannot be read, the features that anybody ever held
//! are the next best: each customer's ledger notes those of its own sets until the roster has them, so
//! that one that is granted and revoked within a moment is told of all the same, and none twice.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::{id::LookupKey, json::impl_from_json};

/// The features that came in a customer's sets.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct ObservedFeatures {
    reported: BTreeSet<LookupKey>,
    unreported: BTreeSet<LookupKey>,
}

impl_from_json! { struct ObservedFeatures { reported, unreported } }

impl ObservedFeatures {
    /// The most features that are noted: a catalog has some dozens. Of the longest keys, each character
    /// written as two, they are 1.3 MB, and a row of a Durable Object ends at 2 MB
    /// (<https://developers.cloudflare.com/durable-objects/platform/limits/>).
    pub const MAX_FEATURES: usize = 2_000;

    /// The longest key that is noted, in bytes: the 80 characters that Stripe writes, of up to 4 bytes.
    pub const MAX_KEY_LEN: usize = 320;

    /// Notes features, as far as there is room.
    pub(super) fn record<'a>(&mut self, features: impl IntoIterator<Item = &'a LookupKey>) {
        for feature in features {
            if self.reported.len() + self.unreported.len() >= Self::MAX_FEATURES {
                return;
            }
            if feature.as_str().len() <= Self::MAX_KEY_LEN && !self.reported.contains(feature) {
                self.unreported.insert(feature.clone());
            }
        }
    }

    /// What the roster does not know.
    pub(super) fn unreported(&self) -> &BTreeSet<LookupKey> {
        &self.unreported
    }

    /// The roster knows these.
    pub(super) fn mark_reported(&mut self, features: &BTreeSet<LookupKey>) {
        for feature in features {
            if self.unreported.remove(feature) {
                self.reported.insert(feature.clone());
            }
        }
    }
}
