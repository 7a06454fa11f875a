//! Generates ids in the formats of Stripe's ids.
//!
//! Randomness is a parameter of [`Tx`]; this module reads none itself.

use crate::{catalog::tx::Tx, id::Livemode};

/// The characters of Stripe's ids.
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

impl Tx<'_> {
    /// A new id: a prefix and `length` random characters. Fourteen characters are 83 bits, so that
    /// a collision among 10^12 ids is unlikely.
    pub(crate) fn new_id(&self, prefix: &str, length: usize) -> String {
        let mut id = prefix.to_owned();
        let end = prefix.len().saturating_add(length);
        while id.len() < end {
            let mut random = (self.random)();
            // Ten characters use 59.5 of the 64 bits: the modulo bias is negligible.
            for _ in 0..10.min(end - id.len()) {
                let index = usize::try_from(random % 62).unwrap_or_default();
                id.push(ALPHABET.get(index).copied().map_or('0', char::from));
                random /= 62;
            }
        }
        id
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
