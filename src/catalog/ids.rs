//! Generates ids in the formats of Stripe's ids.
//!
//! Randomness is a parameter of [`Tx`]; this module reads none itself.

use crate::{
    catalog::tx::Tx,
    id::{self, Livemode},
};

impl Tx<'_> {
    /// A new id: a prefix and `length` random characters.
    pub(crate) fn new_id(&self, prefix: &str, length: usize) -> String {
        id::generate(prefix, length, self.random)
    }

    /// A new id of a type whose ids contain the mode: `feat_test_61…`, `feat_61…`.
    pub(crate) fn new_id_with_mode(&self, entity_prefix: &str) -> String {
        let mode = match self.livemode {
            Livemode::Test => "_test_61",
            Livemode::Live => "_61",
        };
        self.new_id(&format!("{entity_prefix}{mode}"), 30)
    }
}
