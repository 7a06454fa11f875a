//! The features that appeared in a customer's sets, and which of them were reported.
//!
//! The source knows all features. Where it cannot be read, the features of all past and current sets
//! are the best substitute. Each ledger records the features of its own sets until the customer index
//! acknowledges them. A feature that is granted and revoked at once is therefore reported too, and no
//! feature is reported twice.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::{id::LookupKey, json::json_type};

json_type! {
    /// The features that appeared in a customer's sets.
    #[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
    pub struct ObservedFeatures {
        reported: BTreeSet<LookupKey>,
        unreported: BTreeSet<LookupKey>,
    }
}

impl ObservedFeatures {
    /// The most features that are recorded. A catalog has some dozens. With keys of the maximum
    /// length, and two bytes for each escaped character, they take 1.3 MB. A row of a Durable Object
    /// is limited to 2 MB (<https://developers.cloudflare.com/durable-objects/platform/limits/>).
    pub const MAX_FEATURES: usize = 2_000;

    /// The longest key that is recorded, in bytes: Stripe's 80 characters of up to 4 bytes.
    pub const MAX_KEY_LEN: usize = 320;

    /// Records features, up to [`Self::MAX_FEATURES`].
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

    /// Returns the features that the customer index has not acknowledged.
    pub(super) fn unreported(&self) -> &BTreeSet<LookupKey> {
        &self.unreported
    }

    /// Marks features as acknowledged by the customer index.
    pub(super) fn mark_reported(&mut self, features: &BTreeSet<LookupKey>) {
        for feature in features {
            if self.unreported.remove(feature) {
                self.reported.insert(feature.clone());
            }
        }
    }
}
