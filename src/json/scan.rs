//! What stands in a text, looked at eight bytes at a time.
//!
//! Most names are plain: printable ASCII without a quote or a backslash, which is itself in JSON, and
//! in which no control character is. What is not plain is looked at by whoever asks.

/// A word of eight bytes, the first of them lowest.
type Word = u64;

/// Whether a text is plain from end to end.
pub(crate) fn needs_no_escape(text: &[u8]) -> bool {
    let is_plain = |word: &[u8; 8]| special_mask(Word::from_le_bytes(*word)) == 0;
    let (words, rest) = text.as_chunks();
    words.iter().all(is_plain)
        && match text.last_chunk() {
            // Some of it has been looked at already, and is plain.
            Some(last) => is_plain(last),
            None => find_first(rest, special_mask) == rest.len(),
        }
}

/// How many bytes stand before the first that is not plain.
pub(crate) fn unescaped_prefix_len(text: &[u8]) -> usize {
    find_first(text, special_mask)
}

/// How many bytes stand before the first quote or backslash.
pub(crate) fn find_quote_or_backslash(text: &[u8]) -> usize {
    find_first(text, quote_mask)
}

/// How many bytes stand before the first that is found in a word: its highest bit is set there, and
/// that of no byte before it.
fn find_first(text: &[u8], found: impl Fn(Word) -> Word) -> usize {
    let mut before = 0;
    let mut rest = text;
    while let Some((word, behind)) = rest.split_first_chunk() {
        let found = found(Word::from_le_bytes(*word));
        if found != 0 {
            return before + (found.trailing_zeros() / 8) as usize;
        }
        before += 8;
        rest = behind;
    }
    before + rest.iter().take_while(|byte| found(Word::from(**byte) | PADDING) == 0).count()
}

/// Seven plain bytes behind an empty one.
const PADDING: Word = splat(b' ') & !0xff;

/// A byte, eight times.
const fn splat(byte: u8) -> Word {
    Word::from_le_bytes([byte; 8])
}

/// The highest bit of the first byte that is not plain, if one is; bits of bytes behind it mean nothing.
fn special_mask(word: Word) -> Word {
    // With this bit the other way, a quote stands where the space was: next to what is below it.
    let quote_and_below = (word ^ splat(b'"' ^ b' ')).wrapping_sub(splat(b' ' + 1));
    let above_tilde = word | word.wrapping_add(splat(1));
    (quote_and_below | above_tilde | byte_eq_mask(word, b'\\')) & splat(0x80)
}

/// The same of the first quote or backslash.
fn quote_mask(word: Word) -> Word {
    (byte_eq_mask(word, b'"') | byte_eq_mask(word, b'\\')) & !word & splat(0x80)
}

/// The highest bit of the first byte that is this one, if all before it are ASCII.
fn byte_eq_mask(word: Word, byte: u8) -> Word {
    (word ^ splat(byte)).wrapping_sub(splat(1))
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use proptest::prelude::*;

    use super::{find_quote_or_backslash, needs_no_escape, unescaped_prefix_len};

    /// What each of them says, asked byte by byte.
    #[track_caller]
    fn assert_matches_bytewise_scan(text: &[u8]) {
        let quotes = |byte: &u8| matches!(byte, b'"' | b'\\');
        let special = |byte: &u8| !matches!(byte, b' '..=b'~') || quotes(byte);
        let before = |found: &dyn Fn(&u8) -> bool| text.iter().position(found);
        assert_eq!(unescaped_prefix_len(text), before(&special).unwrap_or(text.len()), "{text:?}");
        assert_eq!(
            find_quote_or_backslash(text),
            before(&quotes).unwrap_or(text.len()),
            "{text:?}"
        );
        assert_eq!(needs_no_escape(text), before(&special).is_none(), "{text:?}");
    }

    #[test]
    fn every_byte_is_classified_the_same_at_every_position() {
        assert_matches_bytewise_scan(b"");
        for length in 1..=25 {
            for place in 0..length {
                for byte in 0..=u8::MAX {
                    let mut text = vec![b'a'; length];
                    text[place] = byte;
                    assert_matches_bytewise_scan(&text);
                }
            }
        }
    }

    proptest! {
        #[test]
        fn bytes_do_not_hide_each_other(
            text in proptest::collection::vec(
                prop_oneof![
                    any::<u8>(),
                    prop::sample::select(&b"\"\\ !#[]~\x1f\x21\x23\x7f\x80\xa2\xdc"[..]),
                ],
                0..40,
            ),
        ) {
            assert_matches_bytewise_scan(&text);
        }
    }
}
