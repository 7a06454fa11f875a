//! The grants of a record as slices, without building a set.
//!
//! Each string is the slice between its quotes. It goes into another JSON document without decoding
//! its escapes. The three lists are scanned once, eight bytes at a time where no byte is special. They
//! are scanned to their ends, because a record is valid only as a whole.
//!
//! Only the exact bytes that [`encode()`](super::encode) writes are parsed. Any other record returns
//! `None`, and the caller decodes it with [`decode()`](super::decode). Whatever
//! [`parse_complete_set()`] returns, `decode()` returns too.

use super::header::{RecordHeader, SourceHeader, parse_header};
use crate::{
    entitlement::{Completeness, Version},
    id::{EntitlementId, FeatureId, LookupKey, Timestamp},
    json::scan,
};

/// The fewest bytes of a grant in a record, with Stripe's ids.
const MIN_GRANT_SIZE: usize = 64;

/// A record, with its grants as slices.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Columns<'a> {
    /// The version of the set.
    pub version: Version,
    /// When the source reported the set.
    pub as_of: Timestamp,
    /// The grants, newest first.
    pub grants: Vec<GrantRef<'a>>,
}

/// A grant. Each string is encoded as in JSON, without its quotes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct GrantRef<'a> {
    /// The id of the grant.
    pub id: &'a str,
    /// The id of the feature.
    pub feature: &'a str,
    /// The lookup key of the feature.
    pub lookup_key: &'a str,
}

/// Parses a record in the current format, if its source set is complete and it has no overrides.
#[must_use]
pub fn parse_complete_set(record: &[u8]) -> Option<Columns<'_>> {
    let RecordHeader { version, source, overrides, keys } = parse_header(record)?;
    let SourceHeader { as_of, completeness, .. } = source?;
    let is_complete = completeness == Completeness::Complete && overrides.is_none();
    let grants = is_complete.then(|| parse_grants(keys))??;
    Some(Columns { version, as_of, grants })
}

/// Parses the lists after a header.
pub(super) fn parse_grants(keys: &[u8]) -> Option<Vec<GrantRef<'_>>> {
    let keys = std::str::from_utf8(keys).ok()?;
    let mut grants = Vec::with_capacity(keys.len() / MIN_GRANT_SIZE);
    let rest = parse_list(keys, LookupKey::MAX_LEN, |lookup_key| {
        grants.push(GrantRef { lookup_key, ..GrantRef::default() });
        Some(())
    })?;
    let mut without_feature = grants.iter_mut();
    let features = rest.strip_prefix(",\"features\":[")?;
    let rest = parse_list(features, FeatureId::MAX_LEN, |feature| {
        without_feature.next()?.feature = feature;
        Some(())
    })?;
    if without_feature.next().is_some() {
        return None;
    }
    let mut without_id = grants.iter_mut();
    let ids = rest.strip_prefix(",\"ids\":[")?;
    let rest = parse_list(ids, EntitlementId::MAX_LEN, |id| {
        without_id.next()?.id = id;
        Some(())
    })?;
    (rest == "}" && without_id.next().is_none()).then_some(grants)
}

/// Passes each string of a list to `push`, and returns the rest after the list. Fails for a string
/// longer than `max_len`.
fn parse_list<'a>(
    mut rest: &'a str,
    max_len: usize,
    mut push: impl FnMut(&'a str) -> Option<()>,
) -> Option<&'a str> {
    if let Some(rest) = rest.strip_prefix(']') {
        return Some(rest);
    }
    loop {
        let unquoted = rest.strip_prefix('"')?;
        let (string, suffix) = unquoted.split_at_checked(string_len(unquoted.as_bytes())?)?;
        if string.is_empty() || string.len() > max_len {
            return None;
        }
        push(string)?;
        match suffix.as_bytes() {
            [b'"', b',', ..] => rest = suffix.get(2..)?,
            [b'"', b']', ..] => return suffix.get(2..),
            _ => return None,
        }
    }
}

/// Returns the length of a string up to its closing quote. Only escaped quotes and backslashes are
/// accepted, since ids and keys have no other escapes. They have no control characters either.
fn string_len(bytes: &[u8]) -> Option<usize> {
    let mut end = 0;
    loop {
        end += scan::unescaped_prefix_len(bytes.get(end..)?);
        match bytes.get(end..)? {
            [b'"', ..] => return Some(end),
            [b'\\', b'"' | b'\\', ..] => end += 2,
            // U+0080 to U+009F are control characters too.
            [0xc2, 0x80..=0x9f, ..] => return None,
            [0x80..=0xff, ..] => end += 1,
            _ => return None,
        }
    }
}
