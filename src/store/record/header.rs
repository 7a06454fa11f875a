//! The header of a record: the members before the lists.
//!
//! Only the exact bytes that [`encode()`](super::encode) writes are parsed. Any other form of JSON
//! returns `None`, and the caller decodes the whole record instead.

use crate::{
    entitlement::{Completeness, Version},
    id::Timestamp,
};

/// The header of a record, and the bytes after it.
#[derive(Clone, Copy)]
pub(super) struct RecordHeader<'a> {
    pub(super) version: Version,
    pub(super) as_of: Timestamp,
    pub(super) completeness: Completeness,
    /// The bytes from the first key on.
    pub(super) keys: &'a [u8],
}

/// Parses the header of a record in the current format.
pub(super) fn parse_header(record: &[u8]) -> Option<RecordHeader<'_>> {
    let rest = record.strip_prefix(b"{\"v\":1,\"version\":")?;
    let (version, rest) = parse_digits(rest)?;
    let rest = rest.strip_prefix(b",\"as_of\":")?;
    let (negative, rest) = match rest.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    let (as_of, rest) = parse_digits(rest)?;
    let as_of = i64::try_from(as_of).ok()?;
    let as_of = match (negative, as_of) {
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

/// Parses the digits at the start of `bytes`, and returns the number and the rest.
fn parse_digits(bytes: &[u8]) -> Option<(u64, &[u8])> {
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
