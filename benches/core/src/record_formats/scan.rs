//! What the scans of the forms share: bytes of JSON whose shape is known, from the front to the back;
//! and the pieces of Stripe's list. `None` always says that the bytes are not of that shape.

use entgate::{
    entitlement::{Entitlements, Version},
    id::{LookupKey, Timestamp},
    store::record::Glance,
};

/// What a record begins with, written; `v` is its form.
#[must_use]
pub fn write_head(v: &str, set: &Entitlements) -> Vec<u8> {
    let (version, as_of) = (set.version, set.as_of);
    format!(r#"{{"v":{v},"version":{version},"as_of":{as_of},"coverage":"whole""#).into_bytes()
}

/// The same, read: no feature is in it yet.
#[must_use]
pub fn head<'a>(record: &'a [u8], v: &[u8]) -> Option<(Glance, &'a [u8])> {
    let rest = record.strip_prefix(b"{\"v\":")?.strip_prefix(v)?.strip_prefix(b",\"version\":")?;
    let (version, rest) = number(rest)?;
    let (as_of, rest) = number(rest.strip_prefix(b",\"as_of\":")?)?;
    let as_of = Timestamp(i64::try_from(as_of).ok()?);
    let glance = Glance { version: Version(version), as_of, entitled: false };
    Some((glance, rest.strip_prefix(b",\"coverage\":\"whole\"")?))
}

/// A number, and what stands behind it.
#[must_use]
pub fn number(text: &[u8]) -> Option<(u64, &[u8])> {
    let end = text.iter().position(|byte| !byte.is_ascii_digit())?;
    let (digits, rest) = text.split_at_checked(end)?;
    Some((std::str::from_utf8(digits).ok()?.parse().ok()?, rest))
}

/// A text as it is written, without its quotes, and what stands behind it.
#[must_use]
pub fn text(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let inner = rest.strip_prefix(b"\"")?;
    let mut end = 0;
    loop {
        end += special(inner.get(end..)?)?;
        if inner.get(end) == Some(&b'"') {
            return Some((inner.get(..end)?, inner.get(end + 1..)?));
        }
        end += 2;
    }
}

/// The place of the first quote or backslash, looked for in eight bytes at a time.
fn special(text: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::MAX / 0xff;
    // The lowest bit that is set is right, those above it need not be:
    // https://graphics.stanford.edu/~seander/bithacks.html#ZeroInWord
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word & (ONES << 7);
    let (words, rest) = text.as_chunks();
    for (at, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let found =
            zeros(word ^ (ONES * u64::from(b'"'))) | zeros(word ^ (ONES * u64::from(b'\\')));
        if found != 0 {
            return Some(at * 8 + found.trailing_zeros() as usize / 8);
        }
    }
    let at = rest.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
    Some(words.len() * 8 + at)
}

/// Whether a key is among the texts of a list that begins here.
#[must_use]
pub fn lists(rest: &[u8], key: &LookupKey) -> Option<bool> {
    let mut rest = rest.strip_prefix(b"[")?;
    while rest.first() != Some(&b']') {
        let (found, behind) = text(rest)?;
        if found == key.as_str().as_bytes() {
            return Some(true);
        }
        rest = behind.strip_prefix(b",").unwrap_or(behind);
    }
    Some(false)
}

/// What stands behind a list of texts that begins here.
#[must_use]
pub fn behind_list(rest: &[u8]) -> Option<&[u8]> {
    let mut rest = rest.strip_prefix(b"[")?;
    while rest.first() != Some(&b']') {
        let (_, behind) = text(rest)?;
        rest = behind.strip_prefix(b",").unwrap_or(behind);
    }
    rest.get(1..)
}

/// A text as JSON writes it, with its quotes.
///
/// # Panics
///
/// Never: every text can be written.
#[must_use]
pub fn quoted(text: &str) -> Vec<u8> {
    serde_json::to_vec(text).unwrap()
}

/// Texts as JSON's list of them.
///
/// # Panics
///
/// Never: every text can be written.
pub fn list_of<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<u8> {
    serde_json::to_vec(&texts.collect::<Vec<_>>()).unwrap()
}

/// The most bytes of one item that are made room for.
const ITEM: usize = 256;

/// The list, its items not written yet.
#[must_use]
pub fn open_list(items: usize) -> Vec<u8> {
    let mut list = Vec::with_capacity(128 + items * ITEM);
    list.extend_from_slice(b"{\"object\":\"list\",\"data\":[");
    list
}

/// An item of the list, whose texts are written as JSON writes them, without their quotes.
pub fn item(list: &mut Vec<u8>, id: &[u8], feature: &[u8], key: &[u8]) {
    if list.last() == Some(&b'}') {
        list.push(b',');
    }
    for part in [
        b"{\"id\":\"",
        id,
        b"\",\"object\":\"entitlements.active_entitlement\",\"feature\":\"",
        feature,
        b"\",\"livemode\":false,\"lookup_key\":\"",
        key,
        b"\"}",
    ] {
        list.extend_from_slice(part);
    }
}

/// The list, whole, once its items are written.
#[must_use]
pub fn close_list(mut list: Vec<u8>, has_more: bool) -> Vec<u8> {
    let has_more: &[u8] = if has_more { b"true" } else { b"false" };
    for part in
        [b"],\"has_more\":", has_more, b",\"url\":\"/v1/entitlements/active_entitlements\"}"]
    {
        list.extend_from_slice(part);
    }
    list
}
