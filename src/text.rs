//! What stands in a text, looked at eight bytes at a time.
//!
//! Most names are plain: printable ASCII without a quote or a backslash, which is itself in JSON, and
//! in which no control character is. What is not plain is looked at by whoever asks.

/// A word of eight bytes, the first of them lowest.
type Word = u64;

/// Whether a text is plain from end to end.
pub(crate) fn is_plain(text: &[u8]) -> bool {
    let is_plain = |word: &[u8; 8]| special(Word::from_le_bytes(*word)) == 0;
    let (words, rest) = text.as_chunks();
    words.iter().all(is_plain)
        && match text.last_chunk() {
            // Some of it has been looked at already, and is plain.
            Some(last) => is_plain(last),
            None => first(rest, special) == rest.len(),
        }
}

/// How many bytes stand before the first that is not plain.
pub(crate) fn plain(text: &[u8]) -> usize {
    first(text, special)
}

/// How many bytes stand before the first quote or backslash.
pub(crate) fn unquoted(text: &[u8]) -> usize {
    first(text, quoting)
}

/// How many bytes stand before the first that is found in a word: its highest bit is set there, and
/// that of no byte before it.
fn first(text: &[u8], found: impl Fn(Word) -> Word) -> usize {
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
const PADDING: Word = every(b' ') & !0xff;

/// A byte, eight times.
const fn every(byte: u8) -> Word {
    Word::from_le_bytes([byte; 8])
}

/// The highest bit of the first byte that is not plain, if one is; bits of bytes behind it mean nothing.
fn special(word: Word) -> Word {
    // With this bit the other way, a quote stands where the space was: next to what is below it.
    let quote_and_below = (word ^ every(b'"' ^ b' ')).wrapping_sub(every(b' ' + 1));
    let above_tilde = word | word.wrapping_add(every(1));
    (quote_and_below | above_tilde | nearly(word, b'\\')) & every(0x80)
}

/// The same of the first quote or backslash.
fn quoting(word: Word) -> Word {
    (nearly(word, b'"') | nearly(word, b'\\')) & !word & every(0x80)
}

/// The highest bit of the first byte that is this one, if all before it are ASCII.
fn nearly(word: Word, byte: u8) -> Word {
    (word ^ every(byte)).wrapping_sub(every(1))
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use proptest::prelude::*;

    use super::{is_plain, plain, unquoted};

    /// What each of them says, asked byte by byte.
    #[track_caller]
    fn seen(text: &[u8]) {
        let quotes = |byte: &u8| matches!(byte, b'"' | b'\\');
        let special = |byte: &u8| !matches!(byte, b' '..=b'~') || quotes(byte);
        let before = |found: &dyn Fn(&u8) -> bool| text.iter().position(found);
        assert_eq!(plain(text), before(&special).unwrap_or(text.len()), "{text:?}");
        assert_eq!(unquoted(text), before(&quotes).unwrap_or(text.len()), "{text:?}");
        assert_eq!(is_plain(text), before(&special).is_none(), "{text:?}");
    }

    #[test]
    fn every_byte_counts_alike_wherever_it_stands() {
        seen(b"");
        for length in 1..=25 {
            for place in 0..length {
                for byte in 0..=u8::MAX {
                    let mut text = vec![b'a'; length];
                    text[place] = byte;
                    seen(&text);
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
            seen(&text);
        }
    }
}
