//! The parts of a record: numbers and strings, as [`encode()`](super::encode) writes them.

use crate::{id::Timestamp, json::scan};

/// Parses a timestamp, and returns the rest.
#[inline]
pub(super) fn parse_time(rest: &[u8]) -> Option<(Timestamp, &[u8])> {
    let (is_negative, rest) = match rest.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    let (seconds, rest) = parse_digits(rest)?;
    let seconds = i64::try_from(seconds).ok()?;
    match (is_negative, seconds) {
        (true, 0) => None,
        (true, _) => Some((Timestamp(-seconds), rest)),
        (false, _) => Some((Timestamp(seconds), rest)),
    }
}

/// Parses the digits at the start of `bytes`, and returns the number and the rest.
#[inline]
pub(super) fn parse_digits(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0_u64;
    for (index, byte) in bytes.iter().enumerate() {
        if !byte.is_ascii_digit() {
            let (digits, rest) = bytes.split_at_checked(index)?;
            // JSON allows no leading zeros.
            return match digits {
                [] | [b'0', _, ..] => None,
                [..] => Some((number, rest)),
            };
        }
        number = number.checked_mul(10)?.checked_add(u64::from(byte - b'0'))?;
    }
    None
}

/// Returns the length of a string up to its closing quote. `None` if the string has an escape that
/// [`encode()`](super::encode) does not write: its characters are then not the bytes of the record.
// A call for each key would cost a check a quarter of its instructions.
#[inline]
pub(super) fn string_len(bytes: &[u8]) -> Option<usize> {
    let mut end = 0;
    loop {
        end += scan::find_quote_or_backslash(bytes.get(end..)?);
        match bytes.get(end..)? {
            [b'"', ..] => return Some(end),
            [b'\\', b'"' | b'\\', ..] => end += 2,
            _ => return None,
        }
    }
}
