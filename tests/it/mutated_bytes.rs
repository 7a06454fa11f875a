//! Random mutations of bytes: replaced, inserted or removed.

use std::ops::Range;

use proptest::prelude::*;

/// A mutation: the position, which of the three, and the byte.
pub(crate) type Mutation = (prop::sample::Index, u8, u8);

/// So many mutations; half of them use one of these bytes.
pub(crate) fn mutations(
    bytes: &'static [u8],
    count: Range<usize>,
) -> impl Strategy<Value = Vec<Mutation>> {
    let byte = prop_oneof![any::<u8>(), prop::sample::select(bytes)];
    prop::collection::vec((any::<prop::sample::Index>(), 0_u8..3, byte), count)
}

/// Applies mutations to all bytes except the last `unchanged_suffix`.
pub(crate) fn mutate(
    mut bytes: Vec<u8>,
    mutations: Vec<Mutation>,
    unchanged_suffix: usize,
) -> Vec<u8> {
    for (position, kind, byte) in mutations {
        let index = position.index(bytes.len() - unchanged_suffix);
        match kind {
            0 => bytes[index] = byte,
            1 => bytes.insert(index, byte),
            _ => drop(bytes.remove(index)),
        }
    }
    bytes
}
