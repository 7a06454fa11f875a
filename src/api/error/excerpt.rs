//! What an error repeats of a request: a caller recognizes a value by its beginning, and an error must
//! not be as large as the request that caused it.
//!
//! [`excerpt()`] shortens one value. [`bounded()`] shortens a whole message, which may contain values that
//! a lower module has formatted.

use std::borrow::Cow;

/// The maximum length of a value, in characters: longer than any id of Stripe.
const MAX_EXCERPT: usize = 100;

/// The maximum length of a message, in characters: longer than any message without a value.
const MAX_MESSAGE: usize = 500;

/// How much of the end of a longer message is kept: it has the advice.
const MAX_MESSAGE_END: usize = 150;

const ELLIPSIS: char = '…';

/// The value, or its beginning if it is long.
pub(in crate::api) fn excerpt(value: &str) -> Cow<'_, str> {
    match value.char_indices().nth(MAX_EXCERPT) {
        None => Cow::Borrowed(value),
        Some((end, _)) => {
            let mut excerpt = value.get(..end).unwrap_or_default().to_owned();
            excerpt.push(ELLIPSIS);
            Cow::Owned(excerpt)
        }
    }
}

/// The message, or its beginning and its end if it is long.
pub(super) fn bounded(mut message: String) -> String {
    if message.char_indices().nth(MAX_MESSAGE).is_none() {
        return message;
    }
    let start = message.char_indices().nth(MAX_MESSAGE - MAX_MESSAGE_END).map(|(at, _)| at);
    let end = message.char_indices().nth_back(MAX_MESSAGE_END - 1).map(|(at, _)| at);
    if let (Some(start), Some(end)) = (start, end) {
        let mut buffer = [0; 4];
        message.replace_range(start..end, ELLIPSIS.encode_utf8(&mut buffer));
    }
    message
}

/// The message as a sentence: errors of lower modules begin in lower case, as Rust's do.
pub(super) fn sentence(mut message: String) -> String {
    if let Some(first) = message.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    message
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_begins_in_upper_case_and_a_quotation_stays() {
        for (message, expected) in [
            ("no signature matches", "No signature matches"),
            ("No such customer", "No such customer"),
            ("`wait` needs a feature", "`wait` needs a feature"),
            ("/v1/check accepts GET", "/v1/check accepts GET"),
            ("étage", "étage"),
            ("", ""),
        ] {
            assert_eq!(sentence(message.to_owned()), expected);
        }
    }

    #[test]
    fn a_value_of_100_characters_is_kept_and_a_longer_one_is_cut() {
        for character in ["a", "é", "🦀"] {
            let longest = character.repeat(100);
            assert_eq!(excerpt(&longest), longest);
            assert_eq!(excerpt(&(longest.clone() + character)), longest + "…");
        }
    }

    #[test]
    fn a_message_of_500_characters_is_kept_and_a_longer_one_loses_its_middle() {
        for character in ["a", "é", "🦀"] {
            let longest = character.repeat(500);
            assert_eq!(bounded(longest.clone()), longest);
            let message = format!("start{}end", character.repeat(900_000));
            let bounded = bounded(message);
            let (start, end) = (character.repeat(345), character.repeat(147));
            assert_eq!(bounded, format!("start{start}…{end}end"));
        }
    }
}
