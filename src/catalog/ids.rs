//! New names for new things, in the forms that Stripe's have.

use crate::{catalog::tx::Tx, id::Livemode};

/// The characters of Stripe's ids.
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

impl Tx<'_> {
    /// A new id: what it begins with, and so many random characters. Fourteen are 83 bits: a
    /// million million of them hold no two alike.
    pub(crate) fn new_id(&self, prefix: &str, length: usize) -> String {
        let mut name = prefix.to_owned();
        let end = prefix.len().saturating_add(length);
        while name.len() < end {
            let mut random = (self.random)();
            // Ten characters are 59.5 of the 64 bits, of which no character sees the bias.
            for _ in 0..10.min(end - name.len()) {
                let index = usize::try_from(random % 62).unwrap_or_default();
                name.push(ALPHABET.get(index).copied().map_or('0', char::from));
                random /= 62;
            }
        }
        name
    }

    /// A new id of a kind whose ids tell test data from real: `feat_test_61…`, `feat_61…`.
    pub(crate) fn new_id_with_mode(&self, kind: &str) -> String {
        let mode = match self.livemode {
            Livemode::Test => "_test_61",
            Livemode::Live => "_61",
        };
        self.new_id(&format!("{kind}{mode}"), 30)
    }
}
