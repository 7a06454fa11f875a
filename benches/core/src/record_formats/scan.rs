//! The scan that the JSON formats share, and the bytes of Stripe's list.
//!
//! A scan reads bytes of a known shape from the start to the end. `None` always means that the bytes
//! do not have this shape. Strings are read and written as JSON has them, without their quotes.

use entgate::{
    entitlement::{SourceSet, Version},
    id::{LookupKey, Timestamp},
};

use crate::sample::VERSION;

/// The result of looking up one feature in a record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FeatureLookup {
    /// The version of the record.
    pub version: Version,
    /// When the source reported the set.
    pub as_of: Timestamp,
    /// Whether the set contains the feature.
    pub entitled: bool,
}

/// Encodes the header of a record. `v` is the number of its format.
#[must_use]
pub fn encode_header(v: &str, set: &SourceSet) -> Vec<u8> {
    let (version, as_of) = (VERSION, set.as_of);
    format!(r#"{{"v":{v},"source":"stripe/keep","version":{version},"as_of":{as_of},"completeness":"complete""#)
        .into_bytes()
}

/// Reads the header of a record. Returns a lookup that has found no feature yet, and the rest.
#[must_use]
pub fn parse_header<'a>(record: &'a [u8], v: &[u8]) -> Option<(FeatureLookup, &'a [u8])> {
    let rest = record
        .strip_prefix(b"{\"v\":")?
        .strip_prefix(v)?
        .strip_prefix(b",\"source\":\"stripe/keep\",\"version\":")?;
    let (version, rest) = parse_digits(rest)?;
    let (as_of, rest) = parse_digits(rest.strip_prefix(b",\"as_of\":")?)?;
    let as_of = Timestamp(i64::try_from(as_of).ok()?);
    let lookup = FeatureLookup { version: Version(version), as_of, entitled: false };
    Some((lookup, rest.strip_prefix(b",\"completeness\":\"complete\"")?))
}

/// Reads a number. Returns it and the rest.
#[must_use]
pub fn parse_digits(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let end = bytes.iter().position(|byte| !byte.is_ascii_digit())?;
    let (digits, rest) = bytes.split_at_checked(end)?;
    Some((std::str::from_utf8(digits).ok()?.parse().ok()?, rest))
}

/// Reads a string. Returns it and the rest.
#[must_use]
pub fn parse_string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let inner = bytes.strip_prefix(b"\"")?;
    let mut end = 0;
    loop {
        end += find_quote_or_backslash(inner.get(end..)?)?;
        if inner.get(end) == Some(&b'"') {
            return Some((inner.get(..end)?, inner.get(end + 1..)?));
        }
        end += 2;
    }
}

/// Finds the first quote or backslash, eight bytes at a time.
fn find_quote_or_backslash(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::MAX / 0xff;
    // The lowest bit that is set is exact; the bits above it need not be:
    // https://graphics.stanford.edu/~seander/bithacks.html#ZeroInWord
    let zero_bytes = |word: u64| word.wrapping_sub(ONES) & !word & (ONES << 7);
    let (words, rest) = bytes.as_chunks();
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let found = zero_bytes(word ^ (ONES * u64::from(b'"')))
            | zero_bytes(word ^ (ONES * u64::from(b'\\')));
        if found != 0 {
            return Some(index * 8 + found.trailing_zeros() as usize / 8);
        }
    }
    let index = rest.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
    Some(words.len() * 8 + index)
}

/// Returns whether the list at the start of these bytes contains a key.
#[must_use]
pub fn list_contains(bytes: &[u8], key: &LookupKey) -> Option<bool> {
    let mut rest = bytes.strip_prefix(b"[")?;
    while rest.first() != Some(&b']') {
        let (string, after) = parse_string(rest)?;
        if string == key.as_str().as_bytes() {
            return Some(true);
        }
        rest = skip_comma(after);
    }
    Some(false)
}

/// Skips the list of strings at the start of these bytes.
#[must_use]
pub fn skip_list(bytes: &[u8]) -> Option<&[u8]> {
    let mut rest = bytes.strip_prefix(b"[")?;
    while rest.first() != Some(&b']') {
        rest = skip_comma(parse_string(rest)?.1);
    }
    rest.get(1..)
}

/// Skips a comma, if there is one.
#[must_use]
pub fn skip_comma(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b",").unwrap_or(bytes)
}

/// Encodes a string, with its quotes.
///
/// # Panics
///
/// Never: every string can be encoded.
#[must_use]
pub fn encode_string(string: &str) -> Vec<u8> {
    serde_json::to_vec(string).unwrap()
}

/// Encodes a list of strings.
///
/// # Panics
///
/// Never: every string can be encoded.
pub fn encode_list<'a>(strings: impl Iterator<Item = &'a str>) -> Vec<u8> {
    serde_json::to_vec(&strings.collect::<Vec<_>>()).unwrap()
}

/// The capacity of a page for one item, in bytes.
const ITEM_CAPACITY: usize = 256;

/// Creates the start of a page, with capacity for this number of items.
#[must_use]
pub fn start_page(items: usize) -> Vec<u8> {
    let mut page = Vec::with_capacity(128 + items * ITEM_CAPACITY);
    page.extend_from_slice(b"{\"object\":\"list\",\"data\":[");
    page
}

/// Adds an item to a page.
pub fn push_item(page: &mut Vec<u8>, id: &[u8], feature: &[u8], lookup_key: &[u8]) {
    if page.last() == Some(&b'}') {
        page.push(b',');
    }
    for part in [
        b"{\"id\":\"",
        id,
        b"\",\"object\":\"entitlements.active_entitlement\",\"feature\":\"",
        feature,
        b"\",\"livemode\":false,\"lookup_key\":\"",
        lookup_key,
        b"\"}",
    ] {
        page.extend_from_slice(part);
    }
}

/// Completes a page after its items.
#[must_use]
pub fn finish_page(mut page: Vec<u8>, has_more: bool) -> Vec<u8> {
    let has_more: &[u8] = if has_more { b"true" } else { b"false" };
    for part in
        [b"],\"has_more\":", has_more, b",\"url\":\"/v1/entitlements/active_entitlements\"}"]
    {
        page.extend_from_slice(part);
    }
    page
}
