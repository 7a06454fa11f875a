//! The stored form of a customer's record, in the ledger and in the replica.
//!
//! One JSON object without white space, its members in this order:
//! `{"v":1,"source":"stripe/keep","version":3,"as_of":1706111369,"completeness":"complete","keys":["sms"],
//! "features":["feat_…"],"ids":["ent_…"]}`. The lists are parallel, newest grant first. What a check needs
//! comes first, so that [`lookup_feature()`] does not read the rest. `source` is a [`SourcePolicy`]: only
//! the ledger answers from a record that was read under another one. Without a source set, `source` is
//! `null`, and `as_of` and `completeness` are absent.
//!
//! A customer with overrides has two more members before `keys`:
//! `"advanced_to":1706111369,"overrides":[{"id":"ovr_…","feature":"sms","effect":"deny",
//! "starts_at":1706111369,"expires_at":null}]`.
//!
//! | part        | content                                                     |
//! |-------------|-------------------------------------------------------------|
//! | `parts`     | numbers and strings                                         |
//! | `overrides` | the overrides as slices                                     |
//! | `header`    | the members before the lists                                |
//! | [`columns`] | the grants as slices, without building a set                |
//! | here        | [`encode()`], [`decode()`], [`lookup_feature()`]            |
//!
//! `v` is the number of the format. A new format must be readable one release before it is written.

mod parts;

mod overrides;

mod header;

pub mod columns;

use serde::Serialize;

use self::{
    columns::{GrantRef, parse_grants},
    header::{RecordHeader, SourceHeader, names_policy, parse_header},
    overrides::OverrideRef,
    parts::string_len,
};
use crate::{
    entitlement::{
        ActiveEntitlement, Completeness, Decision, DenyReason, Entitlements, GrantReason,
        SourceSet, Version,
    },
    id::{EntitlementId, FeatureId, LookupKey, Timestamp},
    json::{self, json_type, scan},
    override_period::{OverrideEffect, OverridePeriod},
    policy::SourcePolicy,
};

/// The current format.
const FORMAT_VERSION: u32 = 1;

/// The bytes of a grant in a record, with Stripe's ids and a key that is no longer than an id.
const GRANT_SIZE: usize = 128;

/// Why a record cannot be decoded.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The record has another format.
    #[error("record format {0} is not supported by this deployment")]
    UnsupportedVersion(u32),
    /// The bytes are not a valid record.
    #[error("{0}")]
    Invalid(String),
}

/// The members before the lists, for encoding.
#[derive(Serialize)]
struct EncodedHeader<'a> {
    v: u32,
    source: Option<&'static str>,
    version: Version,
    #[serde(skip_serializing_if = "Option::is_none")]
    as_of: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    completeness: Option<Completeness>,
    #[serde(skip_serializing_if = "Option::is_none")]
    advanced_to: Option<Timestamp>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    overrides: &'a [OverridePeriod],
}

/// Encodes a record.
///
/// # Errors
///
/// Only if the JSON serializer fails, which no record causes.
pub fn encode(record: &Entitlements) -> Result<Vec<u8>, Error> {
    let Entitlements { version, source, overrides, advanced_to } = record;
    let source = source.as_ref();
    let header = EncodedHeader {
        v: FORMAT_VERSION,
        source: source.map(|set| set.policy.as_str()),
        version: *version,
        as_of: source.map(|set| set.as_of),
        completeness: source.map(|set| set.completeness),
        advanced_to: (!overrides.is_empty()).then_some(*advanced_to),
        overrides,
    };
    let data = source.map_or(&[][..], |set| &set.data);
    let mut record = serde_json::to_vec(&header).map_err(|error| invalid(&error))?;
    // Removes the closing brace: the lists follow.
    record.pop();
    record.reserve(GRANT_SIZE * data.len());
    let keys = data.iter().map(|grant| grant.lookup_key.as_str());
    let features = data.iter().map(|grant| grant.feature.as_str());
    let ids = data.iter().map(|grant| grant.id.as_str());
    encode_list(&mut record, b",\"keys\":[", keys)
        .and_then(|()| encode_list(&mut record, b",\"features\":[", features))
        .and_then(|()| encode_list(&mut record, b",\"ids\":[", ids))
        .map_err(|error| invalid(&error))?;
    record.push(b'}');
    Ok(record)
}

fn encode_list<'a>(
    record: &mut Vec<u8>,
    name: &[u8],
    strings: impl Iterator<Item = &'a str>,
) -> serde_json::Result<()> {
    record.extend_from_slice(name);
    for (index, string) in strings.enumerate() {
        if index > 0 {
            record.push(b',');
        }
        if scan::needs_no_escape(string.as_bytes()) {
            record.push(b'"');
            record.extend_from_slice(string.as_bytes());
            record.push(b'"');
        } else {
            serde_json::to_writer(&mut *record, string)?;
        }
    }
    record.push(b']');
    Ok(())
}

/// Decodes a record that [`encode()`] wrote.
///
/// # Errors
///
/// When the bytes are not a valid record, or the record has another format.
pub fn decode(bytes: &[u8]) -> Result<Entitlements, Error> {
    match decode_columns(bytes) {
        Some(set) => Ok(set),
        None => decode_json(bytes),
    }
}

/// Decodes a record exactly as [`encode()`] writes it, if no string has an escape. Nearly every record
/// is of this form.
fn decode_columns(bytes: &[u8]) -> Option<Entitlements> {
    if bytes.contains(&b'\\') {
        return None;
    }
    let RecordHeader { version, source, overrides, keys } = parse_header(bytes)?;
    let grants = parse_grants(keys)?;
    let to_entitlement = |GrantRef { id, feature, lookup_key }| {
        let (id, feature) = (EntitlementId::try_from(id).ok()?, FeatureId::try_from(feature).ok()?);
        Some(ActiveEntitlement { id, feature, lookup_key: LookupKey::try_from(lookup_key).ok()? })
    };
    let data: Vec<_> = grants.into_iter().map(to_entitlement).collect::<Option<_>>()?;
    let source = match source {
        Some(SourceHeader { as_of, completeness, policy }) => {
            Some(SourceSet { as_of, completeness, policy, data })
        }
        None if data.is_empty() => None,
        None => return None,
    };
    let advanced_to = overrides.as_ref().map_or(Timestamp::MIN, |layer| layer.advanced_to);
    let overrides = overrides.into_iter().flat_map(|layer| layer.list);
    let overrides = overrides.map(OverrideRef::to_period).collect::<Option<_>>()?;
    Some(Entitlements { version, source, overrides, advanced_to })
}

/// Decodes a record with any white space, order of members and escapes.
fn decode_json(bytes: &[u8]) -> Result<Entitlements, Error> {
    json_type! {
        struct FormatVersion {
            v: u32,
        }

        struct JsonRecord {
            source: Option<String>,
            version: Version,
            as_of: Option<Timestamp>,
            completeness: Option<Completeness>,
            advanced_to: Option<Timestamp>,
            overrides: Option<Vec<OverridePeriod>>,
            keys: Vec<LookupKey>,
            features: Vec<FeatureId>,
            ids: Vec<EntitlementId>,
        }
    }
    let FormatVersion { v } = json::from_slice(bytes).map_err(|error| invalid(&error))?;
    if v != FORMAT_VERSION {
        return Err(Error::UnsupportedVersion(v));
    }
    let record: JsonRecord = json::from_slice(bytes).map_err(|error| invalid(&error))?;
    let JsonRecord { version, advanced_to, keys, features, ids, .. } = record;
    if keys.len() != features.len() || keys.len() != ids.len() {
        return Err(Error::Invalid("lists of different lengths".to_owned()));
    }
    let grants = ids.into_iter().zip(features).zip(keys);
    let data: Vec<_> = grants
        .map(|((id, feature), lookup_key)| ActiveEntitlement { id, feature, lookup_key })
        .collect();
    let source = match (record.source, record.as_of, record.completeness) {
        (Some(source), Some(as_of), Some(completeness)) => {
            let policy = SourcePolicy::parse(&source);
            let policy = policy.ok_or_else(|| Error::Invalid("an unknown source".to_owned()))?;
            Some(SourceSet { as_of, completeness, policy, data })
        }
        (None, None, None) if data.is_empty() => None,
        _ => return Err(Error::Invalid("an incomplete source set".to_owned())),
    };
    let overrides = record.overrides.unwrap_or_default();
    let advanced_to = match (overrides.is_empty(), advanced_to) {
        (true, None) => Timestamp::MIN,
        (false, Some(advanced_to)) => advanced_to,
        (true, Some(_)) | (false, None) => {
            return Err(Error::Invalid("overrides without their time".to_owned()));
        }
    };
    Ok(Entitlements { version, source, overrides, advanced_to })
}

fn invalid(error: &impl ToString) -> Error {
    Error::Invalid(error.to_string())
}

/// Returns whether the source set of a record was read from this source under this policy, or is missing.
/// A record in another form was not.
#[must_use]
pub fn was_read_under(record: &[u8], policy: SourcePolicy) -> bool {
    names_policy(record, policy)
}

/// The result of looking up one feature in a record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FeatureLookup {
    /// The version of the answer.
    pub version: Version,
    /// The version of the record: starts and ends of overrides may have passed since.
    pub record_version: Version,
    /// When the source reported its set, if it has.
    pub as_of: Option<Timestamp>,
    /// The decision. It is never indeterminate.
    pub decision: Decision,
}

/// Looks up one feature in a record, and reads nothing after the keys. The decision is that of
/// [`EffectiveSet`](crate::effective_set::EffectiveSet).
///
/// Returns `None` if the record must be decoded, or does not decide it: it has another form, the key would
/// be encoded with an escape, or the source set is missing or partial.
#[must_use]
pub fn lookup_feature(
    record: &[u8],
    lookup_key: &LookupKey,
    default_features: &[LookupKey],
    now: Timestamp,
) -> Option<FeatureLookup> {
    let feature = lookup_key.as_str().as_bytes();
    if feature.iter().any(|byte| matches!(byte, b'"' | b'\\')) || !record.ends_with(b"]}") {
        return None;
    }
    let RecordHeader { version, source, overrides, keys } = parse_header(record)?;
    let at = overrides.as_ref().map_or(now, |layer| now.max(layer.advanced_to));
    let is_overridden =
        |effect| overrides.as_ref().is_some_and(|layer| layer.has_active(feature, effect, at));
    let decision = if is_overridden(OverrideEffect::Deny) {
        Decision::Deny(DenyReason::DeniedByOverride)
    } else if list_contains(keys, feature)? {
        Decision::Grant(GrantReason::ActiveEntitlement)
    } else if is_overridden(OverrideEffect::Grant) {
        Decision::Grant(GrantReason::Override)
    } else if default_features.contains(lookup_key) {
        Decision::Grant(GrantReason::DefaultFeature)
    } else {
        match source?.completeness {
            Completeness::Complete => Decision::Deny(DenyReason::NotEntitled),
            Completeness::Partial => return None,
        }
    };
    let passed = overrides.as_ref().map_or(0, |layer| layer.passed_edges(at));
    Some(FeatureLookup {
        version: Version(version.0.saturating_add(passed)),
        record_version: version,
        as_of: source.map(|source| source.as_of),
        decision,
    })
}

/// Returns whether a list contains a string that needs no escape, or `None` if the list is malformed.
fn list_contains(mut rest: &[u8], wanted: &[u8]) -> Option<bool> {
    if rest.first() == Some(&b']') {
        return Some(false);
    }
    loop {
        rest = rest.strip_prefix(b"\"")?;
        let (string, suffix) = rest.split_at_checked(string_len(rest)?)?;
        // Keys usually differ in their last byte.
        if string.last() == wanted.last() && string == wanted {
            return Some(true);
        }
        match suffix {
            [b'"', b',', next @ ..] => rest = next,
            [b'"', b']', ..] => return Some(false),
            _ => return None,
        }
    }
}
