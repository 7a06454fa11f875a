//! The record of a whole set as rows, without a set being made of it.
//!
//! The texts are what stands between their quotes, as it stands there: a text goes from one JSON into
//! another without its escapes being read. The three lists are gone through once, eight bytes at a
//! time where nothing is special, and to their ends, since a record is all good or none.
//!
//! A record that is not byte for byte as [`record::write()`] writes it, is none: then it has to be
//! read. So what [`columns()`] gives of any bytes, [`record::read()`] gives too.

use super::header::{RecordHeader, parse_header};
use crate::{
    entitlement::{Completeness, Version},
    id::{EntitlementId, FeatureId, LookupKey, Timestamp},
    json::scan,
};

/// What a row takes in a record at the least, where its ids are Stripe's.
const MIN_GRANT_SIZE: usize = 64;

/// A record of a whole set.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Columns<'a> {
    /// The set's version.
    pub version: Version,
    /// When the source said so.
    pub as_of: Timestamp,
    /// The grants, newest first.
    pub grants: Vec<GrantRef<'a>>,
}

/// A grant, each text as JSON has it between its quotes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct GrantRef<'a> {
    /// The id of the grant.
    pub id: &'a str,
    /// The feature granted.
    pub feature: &'a str,
    /// The feature's name.
    pub lookup_key: &'a str,
}

/// The columns of a record, if it is one of a whole set, and as it is written now.
#[must_use]
pub fn parse_complete_set(record: &[u8]) -> Option<Columns<'_>> {
    parse_header(record)
        .filter(|head| head.completeness == Completeness::Complete)
        .and_then(parse_columns)
}

/// The columns of a record behind its head, be it of a whole set or of a part.
pub(super) fn parse_columns(head: RecordHeader<'_>) -> Option<Columns<'_>> {
    let RecordHeader { version, as_of, keys, .. } = head;
    let keys = std::str::from_utf8(keys).ok()?;
    let mut rows = Vec::with_capacity(keys.len() / MIN_GRANT_SIZE);
    let rest = parse_list(keys, LookupKey::MAX_LEN, |lookup_key| {
        rows.push(GrantRef { lookup_key, ..GrantRef::default() });
        Some(())
    })?;
    let mut blank = rows.iter_mut();
    let features = rest.strip_prefix(",\"features\":[")?;
    let rest = parse_list(features, FeatureId::MAX_LEN, |feature| {
        blank.next()?.feature = feature;
        Some(())
    })?;
    if blank.next().is_some() {
        return None;
    }
    let mut blank = rows.iter_mut();
    let ids = rest.strip_prefix(",\"ids\":[")?;
    let rest = parse_list(ids, EntitlementId::MAX_LEN, |id| {
        blank.next()?.id = id;
        Some(())
    })?;
    (rest == "}" && blank.next().is_none()).then_some(Columns { version, as_of, grants: rows })
}

/// Hands over the texts of a list, none longer than `limit`, and gives what stands behind the list.
fn parse_list<'a>(
    mut rest: &'a str,
    limit: usize,
    mut take: impl FnMut(&'a str) -> Option<()>,
) -> Option<&'a str> {
    if let Some(behind) = rest.strip_prefix(']') {
        return Some(behind);
    }
    loop {
        let text = rest.strip_prefix('"')?;
        let (text, behind) = text.split_at_checked(string_len(text.as_bytes())?)?;
        if text.is_empty() || text.len() > limit {
            return None;
        }
        take(text)?;
        match behind.as_bytes() {
            [b'"', b',', ..] => rest = behind.get(2..)?,
            [b'"', b']', ..] => return behind.get(2..),
            _ => return None,
        }
    }
}

/// How long a text is up to its closing quote, if it has no escape but those of a name: of a quote and
/// of a backslash. A control character is in no name, escaped or not.
fn string_len(rest: &[u8]) -> Option<usize> {
    let mut end = 0;
    loop {
        end += scan::unescaped_prefix_len(rest.get(end..)?);
        match rest.get(end..)? {
            [b'"', ..] => return Some(end),
            [b'\\', b'"' | b'\\', ..] => end += 2,
            // U+0080 to U+009F are control characters too.
            [0xc2, 0x80..=0x9f, ..] => return None,
            [0x80..=0xff, ..] => end += 1,
            _ => return None,
        }
    }
}
