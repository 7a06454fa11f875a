//! Finds the bytes of a string that need an escape in JSON, eight bytes at a time (SWAR).
//!
//! Most ids and keys need no escape: they are printable ASCII without a quote or a backslash. Such a
//! string has no control characters either. Every other byte, also of valid UTF-8, counts as special:
//! the caller checks those strings more thoroughly.
//!
//! Method: <https://graphics.stanford.edu/~seander/bithacks.html#ZeroInWord>.

/// Eight bytes as a little-endian integer: the first byte is the lowest.
type Word = u64;

/// Whether every byte is printable ASCII other than a quote or a backslash.
pub(crate) fn needs_no_escape(bytes: &[u8]) -> bool {
    let is_plain = |word: &[u8; 8]| special_mask(Word::from_le_bytes(*word)) == 0;
    let (words, rest) = bytes.as_chunks();
    words.iter().all(is_plain)
        && match bytes.last_chunk() {
            // The last word overlaps the one before it: those bytes are already known to be plain.
            Some(last) => is_plain(last),
            None => find_first(rest, special_mask) == rest.len(),
        }
}

/// The number of bytes before the first one that is not plain.
pub(crate) fn unescaped_prefix_len(bytes: &[u8]) -> usize {
    find_first(bytes, special_mask)
}

/// The number of bytes before the first quote or backslash.
pub(crate) fn find_quote_or_backslash(bytes: &[u8]) -> usize {
    find_first(bytes, quote_mask)
}

/// The number of bytes before the first match. `mask_of` sets the highest bit of the first matching
/// byte in a word, and of no byte before it.
fn find_first(bytes: &[u8], mask_of: impl Fn(Word) -> Word) -> usize {
    let mut offset = 0;
    let mut rest = bytes;
    while let Some((word, tail)) = rest.split_first_chunk() {
        let mask = mask_of(Word::from_le_bytes(*word));
        if mask != 0 {
            return offset + (mask.trailing_zeros() / 8) as usize;
        }
        offset += 8;
        rest = tail;
    }
    offset + rest.iter().take_while(|byte| mask_of(Word::from(**byte) | PADDING) == 0).count()
}

/// Seven plain bytes above an empty lowest byte.
const PADDING: Word = splat(b' ') & !0xff;

/// A word that repeats one byte eight times.
const fn splat(byte: u8) -> Word {
    Word::from_le_bytes([byte; 8])
}

/// The highest bit of the first byte that is not plain, if there is one. Bits of later bytes have no
/// meaning.
fn special_mask(word: Word) -> Word {
    // Flipping this bit moves the quote to the value of the space, next to the control characters: one
    // subtraction finds both.
    let quote_and_below = (word ^ splat(b'"' ^ b' ')).wrapping_sub(splat(b' ' + 1));
    let above_tilde = word | word.wrapping_add(splat(1));
    (quote_and_below | above_tilde | byte_eq_mask(word, b'\\')) & splat(0x80)
}

/// The highest bit of the first quote or backslash, if there is one.
fn quote_mask(word: Word) -> Word {
    (byte_eq_mask(word, b'"') | byte_eq_mask(word, b'\\')) & !word & splat(0x80)
}

/// The highest bit of the first byte that equals `byte`, if all bytes before it are ASCII.
fn byte_eq_mask(word: Word, byte: u8) -> Word {
    (word ^ splat(byte)).wrapping_sub(splat(1))
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use proptest::prelude::*;

    use super::{find_quote_or_backslash, needs_no_escape, unescaped_prefix_len};

    /// Compares the three functions with a scan byte by byte.
    #[track_caller]
    fn assert_matches_bytewise_scan(bytes: &[u8]) {
        let is_quote = |byte: &u8| matches!(byte, b'"' | b'\\');
        let is_special = |byte: &u8| !matches!(byte, b' '..=b'~') || is_quote(byte);
        let position = |matches: &dyn Fn(&u8) -> bool| bytes.iter().position(matches);
        assert_eq!(
            unescaped_prefix_len(bytes),
            position(&is_special).unwrap_or(bytes.len()),
            "{bytes:?}"
        );
        assert_eq!(
            find_quote_or_backslash(bytes),
            position(&is_quote).unwrap_or(bytes.len()),
            "{bytes:?}"
        );
        assert_eq!(needs_no_escape(bytes), position(&is_special).is_none(), "{bytes:?}");
    }

    #[test]
    fn every_byte_is_classified_the_same_at_every_position() {
        assert_matches_bytewise_scan(b"");
        for length in 1..=25 {
            for index in 0..length {
                for byte in 0..=u8::MAX {
                    let mut bytes = vec![b'a'; length];
                    bytes[index] = byte;
                    assert_matches_bytewise_scan(&bytes);
                }
            }
        }
    }

    proptest! {
        #[test]
        fn special_bytes_are_found_independently_of_each_other(
            bytes in proptest::collection::vec(
                prop_oneof![
                    any::<u8>(),
                    prop::sample::select(&b"\"\\ !#[]~\x1f\x21\x23\x7f\x80\xa2\xdc"[..]),
                ],
                0..40,
            ),
        ) {
            assert_matches_bytewise_scan(&bytes);
        }
    }
}
