//! The overrides of a record, as slices.
//!
//! Only the exact bytes that [`encode()`](super::encode) writes are parsed. Any other form of JSON returns
//! `None`, and the caller decodes the whole record instead.

use super::parts::{parse_time, string_len};
use crate::{
    id::{LookupKey, OverrideId, Timestamp},
    override_period::{OverrideEffect, OverridePeriod, OverrideStatus},
};

/// The overrides of a record.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct EncodedOverrides<'a> {
    pub(super) advanced_to: Timestamp,
    pub(super) list: Vec<OverrideRef<'a>>,
}

/// An override. Each string is encoded as in JSON, without its quotes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct OverrideRef<'a> {
    pub(super) id: &'a [u8],
    pub(super) feature: &'a [u8],
    pub(super) effect: OverrideEffect,
    pub(super) starts_at: Timestamp,
    pub(super) expires_at: Option<Timestamp>,
}

/// Parses the overrides, and returns the bytes after them.
pub(super) fn parse_overrides(record: &[u8]) -> Option<(EncodedOverrides<'_>, &[u8])> {
    let rest = record.strip_prefix(b",\"advanced_to\":")?;
    let (advanced_to, rest) = parse_time(rest)?;
    let mut rest = rest.strip_prefix(b",\"overrides\":[")?;
    let mut list = Vec::new();
    loop {
        let (value, suffix) = parse_override(rest)?;
        list.push(value);
        match suffix {
            [b',', next @ ..] => rest = next,
            [b']', after @ ..] => return Some((EncodedOverrides { advanced_to, list }, after)),
            _ => return None,
        }
    }
}

fn parse_override(rest: &[u8]) -> Option<(OverrideRef<'_>, &[u8])> {
    let (id, rest) = parse_string(rest.strip_prefix(b"{\"id\":\"")?)?;
    let (feature, rest) = parse_string(rest.strip_prefix(b",\"feature\":\"")?)?;
    let rest = rest.strip_prefix(b",\"effect\":\"")?;
    let (effect, rest) = match rest.strip_prefix(b"grant") {
        Some(rest) => (OverrideEffect::Grant, rest),
        None => (OverrideEffect::Deny, rest.strip_prefix(b"deny")?),
    };
    let (starts_at, rest) = parse_time(rest.strip_prefix(b"\",\"starts_at\":")?)?;
    let rest = rest.strip_prefix(b",\"expires_at\":")?;
    let (expires_at, rest) = match rest.strip_prefix(b"null") {
        Some(rest) => (None, rest),
        None => parse_time(rest).map(|(end, rest)| (Some(end), rest))?,
    };
    let value = OverrideRef { id, feature, effect, starts_at, expires_at };
    Some((value, rest.strip_prefix(b"}")?))
}

/// Returns a string whose opening quote is consumed, and the rest after its closing quote.
fn parse_string(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let (string, suffix) = rest.split_at_checked(string_len(rest)?)?;
    Some((string, suffix.strip_prefix(b"\"")?))
}

impl OverrideRef<'_> {
    /// Returns the override; its strings have no escapes.
    pub(super) fn to_period(self) -> Option<OverridePeriod> {
        let Self { id, feature, effect, starts_at, expires_at } = self;
        let (id, feature) = (std::str::from_utf8(id).ok()?, std::str::from_utf8(feature).ok()?);
        Some(OverridePeriod {
            id: OverrideId::try_from(id).ok()?,
            feature: LookupKey::try_from(feature).ok()?,
            effect,
            starts_at,
            expires_at,
        })
    }
}

impl EncodedOverrides<'_> {
    /// Returns whether an override with this effect of a feature is active.
    pub(super) fn has_active(&self, feature: &[u8], effect: OverrideEffect, at: Timestamp) -> bool {
        self.list.iter().any(|value| {
            value.effect == effect
                && value.feature == feature
                && OverrideStatus::of_period(value.starts_at, value.expires_at, at)
                    == OverrideStatus::Active
        })
    }

    /// Returns how many overrides have started or ended since the record was written.
    pub(super) fn passed_edges(&self, at: Timestamp) -> u64 {
        let has_passed = |edge: Timestamp| u64::from(self.advanced_to < edge && edge <= at);
        let passed = |value: &OverrideRef<'_>| {
            has_passed(value.starts_at) + value.expires_at.map_or(0, has_passed)
        };
        self.list.iter().map(passed).sum()
    }
}
