//! The header of a record: the members before the lists.
//!
//! Only the exact bytes that [`encode()`](super::encode) writes are parsed. Any other form of JSON
//! returns `None`, and the caller decodes the whole record instead.

use crate::{
    entitlement::{Completeness, Version},
    id::Timestamp,
    policy::{GrantRule, SourcePolicy},
};

/// The bytes before the name of the source and its policy.
const PREFIX: &[u8] = b"{\"v\":1,\"source\":\"";

/// The bytes before the version, with the most frequent source and policy: one comparison is faster.
const DEFAULT_PREFIX: &[u8] = b"{\"v\":1,\"source\":\"stripe/keep\",\"version\":";

/// The header of a record, and the bytes after it.
#[derive(Clone, Copy)]
pub(super) struct RecordHeader<'a> {
    pub(super) version: Version,
    pub(super) as_of: Timestamp,
    pub(super) completeness: Completeness,
    pub(super) policy: SourcePolicy,
    /// The bytes from the first key on.
    pub(super) keys: &'a [u8],
}

/// Parses the header of a record in the current format.
pub(super) fn parse_header(record: &[u8]) -> Option<RecordHeader<'_>> {
    let (policy, rest) = match record.strip_prefix(DEFAULT_PREFIX) {
        Some(rest) => (SourcePolicy::Stripe(GrantRule::Keep), rest),
        None => parse_policy(record)?,
    };
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
    let (version, as_of) = (Version(version), Timestamp(as_of));
    Some(RecordHeader { version, as_of, completeness, policy, keys })
}

/// Returns whether a record in the current format names this source and policy.
pub(super) fn names_policy(record: &[u8], policy: SourcePolicy) -> bool {
    if policy == SourcePolicy::Stripe(GrantRule::Keep) {
        return record.starts_with(DEFAULT_PREFIX);
    }
    parse_policy(record).is_some_and(|(named, _)| named == policy)
}

/// Parses the bytes before the version.
fn parse_policy(record: &[u8]) -> Option<(SourcePolicy, &[u8])> {
    let rest = record.strip_prefix(PREFIX)?;
    let (name, rest) = rest.split_at_checked(rest.iter().position(|byte| *byte == b'"')?)?;
    let policy = SourcePolicy::parse(std::str::from_utf8(name).ok()?)?;
    Some((policy, rest.strip_prefix(b"\",\"version\":")?))
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
