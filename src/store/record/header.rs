//! The header of a record: the members before the lists.
//!
//! Only the exact bytes that [`encode()`](super::encode) writes are parsed. Any other form of JSON
//! returns `None`, and the caller decodes the whole record instead.

use super::{
    overrides::{EncodedOverrides, parse_overrides},
    parts::{parse_digits, parse_time},
};
use crate::{
    entitlement::{Completeness, Version},
    id::Timestamp,
    policy::{GrantRule, SourcePolicy},
};

/// The bytes before the name of the source and its policy.
const PREFIX: &[u8] = b"{\"v\":1,\"source\":\"";

/// The bytes before the version, with the most frequent source and policy: one comparison is faster.
const DEFAULT_PREFIX: &[u8] = b"{\"v\":1,\"source\":\"stripe/keep\",\"version\":";

/// The bytes before the version of a record without a source set.
const SOURCELESS_PREFIX: &[u8] = b"{\"v\":1,\"source\":null,\"version\":";

/// The bytes before the first key.
const KEYS: &[u8] = b",\"keys\":[";

/// What a record says of the source set before its lists.
#[derive(Clone, Copy)]
pub(super) struct SourceHeader {
    pub(super) as_of: Timestamp,
    pub(super) completeness: Completeness,
    pub(super) policy: SourcePolicy,
}

/// The header of a record, and the bytes after it.
pub(super) struct RecordHeader<'a> {
    pub(super) version: Version,
    /// The source set, if the record has one.
    pub(super) source: Option<SourceHeader>,
    /// The overrides, if the record has any.
    pub(super) overrides: Option<EncodedOverrides<'a>>,
    /// The bytes from the first key on.
    pub(super) keys: &'a [u8],
}

/// Parses the header of a record in the current format.
pub(super) fn parse_header(record: &[u8]) -> Option<RecordHeader<'_>> {
    let (policy, rest) = match record.strip_prefix(DEFAULT_PREFIX) {
        Some(rest) => (SourcePolicy::Stripe(GrantRule::Keep), rest),
        None => match record.strip_prefix(SOURCELESS_PREFIX) {
            Some(rest) => {
                let (version, rest) = parse_digits(rest)?;
                return parse_layers(Version(version), None, rest);
            }
            None => parse_policy(record)?,
        },
    };
    let (version, rest) = parse_digits(rest)?;
    let rest = rest.strip_prefix(b",\"as_of\":")?;
    let (as_of, rest) = parse_time(rest)?;
    let rest = rest.strip_prefix(b",\"completeness\":\"")?;
    let (completeness, rest) = match rest.strip_prefix(b"complete") {
        Some(rest) => (Completeness::Complete, rest),
        None => (Completeness::Partial, rest.strip_prefix(b"partial")?),
    };
    let source = SourceHeader { as_of, completeness, policy };
    parse_layers(Version(version), Some(source), rest.strip_prefix(b"\"")?)
}

/// Parses the overrides, if there are any, up to the first key.
#[inline]
fn parse_layers(
    version: Version,
    source: Option<SourceHeader>,
    rest: &[u8],
) -> Option<RecordHeader<'_>> {
    if let Some(keys) = rest.strip_prefix(KEYS) {
        return Some(RecordHeader { version, source, overrides: None, keys });
    }
    let (overrides, rest) = parse_overrides(rest)?;
    let keys = rest.strip_prefix(KEYS)?;
    Some(RecordHeader { version, source, overrides: Some(overrides), keys })
}

/// Returns whether a record in the current format names this source and policy, or no source.
pub(super) fn names_policy(record: &[u8], policy: SourcePolicy) -> bool {
    let is_default = policy == SourcePolicy::Stripe(GrantRule::Keep);
    if is_default && record.starts_with(DEFAULT_PREFIX) || record.starts_with(SOURCELESS_PREFIX) {
        return true;
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
