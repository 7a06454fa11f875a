//! The head of a record.

use crate::{
    entitlement::{Completeness, Version},
    id::Timestamp,
};

/// What stands in front of the keys in a record, and what comes behind.
#[derive(Clone, Copy)]
pub(super) struct RecordHeader<'a> {
    pub(super) version: Version,
    pub(super) as_of: Timestamp,
    pub(super) completeness: Completeness,
    /// From the first key on.
    pub(super) keys: &'a [u8],
}

/// The head of a record that is as it is written now.
pub(super) fn parse_header(record: &[u8]) -> Option<RecordHeader<'_>> {
    let rest = record.strip_prefix(b"{\"v\":1,\"version\":")?;
    let (version, rest) = parse_digits(rest)?;
    let rest = rest.strip_prefix(b",\"as_of\":")?;
    let (before, rest) = match rest.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    let (as_of, rest) = parse_digits(rest)?;
    let as_of = i64::try_from(as_of).ok()?;
    let as_of = match (before, as_of) {
        (true, 0) => return None,
        (true, _) => -as_of,
        (false, _) => as_of,
    };
    let rest = rest.strip_prefix(b",\"completeness\":\"")?;
    let (completeness, rest) = match rest.strip_prefix(b"complete") {
        Some(rest) => (Completeness::Complete, rest),
        None => (Completeness::Partial, rest.strip_prefix(b"partial")?),
    };
    let keys = rest.strip_prefix(b"\",\"keys\":[")?;
    Some(RecordHeader { version: Version(version), as_of: Timestamp(as_of), completeness, keys })
}

/// A number that JSON begins with, and what stands behind it.
fn parse_digits(text: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0_u64;
    for (at, byte) in text.iter().enumerate() {
        if !byte.is_ascii_digit() {
            let (digits, rest) = text.split_at_checked(at)?;
            // JSON has no zeros in front.
            return match digits {
                [] | [b'0', _, ..] => None,
                [..] => Some((number, rest)),
            };
        }
        number = number.checked_mul(10)?.checked_add(u64::from(byte - b'0'))?;
    }
    None
}
