//! Bytes that somebody changed: one replaced, added or taken away, some times.

use std::ops::Range;

use proptest::prelude::*;

/// A change: where, which of the three, and to what.
pub(crate) type Change = (prop::sample::Index, u8, u8);

/// So many changes, half of them to one of these bytes.
pub(crate) fn changes(
    bytes: &'static [u8],
    count: Range<usize>,
) -> impl Strategy<Value = Vec<Change>> {
    let byte = prop_oneof![any::<u8>(), prop::sample::select(bytes)];
    prop::collection::vec((any::<prop::sample::Index>(), 0_u8..3, byte), count)
}

/// The bytes once they were changed, but for as many at their end.
pub(crate) fn changed(mut bytes: Vec<u8>, changes: Vec<Change>, spared: usize) -> Vec<u8> {
    for (place, change, byte) in changes {
        let place = place.index(bytes.len() - spared);
        match change {
            0 => bytes[place] = byte,
            1 => bytes.insert(place, byte),
            _ => drop(bytes.remove(place)),
        }
    }
    bytes
}
