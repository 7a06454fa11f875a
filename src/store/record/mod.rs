//! The stored form of a set, in the ledger and in the replica.
//!
//! One JSON object without white space, its members in this order:
//! `{"v":1,"source":"stripe/keep","version":3,"as_of":1706111369,"completeness":"complete","keys":["sms"],
//! "features":["feat_…"],"ids":["ent_…"]}`. The lists are parallel, newest grant first. What a check needs
//! comes first, so that [`lookup_feature()`] does not read the rest. `source` is a [`SourcePolicy`]: only
//! the ledger answers from a record that was read under another one.
//!
//! | part        | content                                                     |
//! |-------------|-------------------------------------------------------------|
//! | `header`    | the members before the lists                                |
//! | [`columns`] | the grants as slices, without building a set                |
//! | here        | [`encode()`], [`decode()`], [`lookup_feature()`]            |
//!
//! `v` is the number of the format. A new format must be readable one release before it is written.

mod header;

pub mod columns;

use serde::Serialize;

use self::{
    columns::{Columns, GrantRef, parse_columns},
    header::{RecordHeader, names_policy, parse_header},
};
use crate::{
    entitlement::{ActiveEntitlement, Completeness, Entitlements, Version},
    id::{EntitlementId, FeatureId, LookupKey, Timestamp},
    json::{self, json_type, scan},
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
struct EncodedHeader {
    v: u32,
    source: &'static str,
    version: Version,
    as_of: Timestamp,
    completeness: Completeness,
}

/// Encodes a set as a record.
///
/// # Errors
///
/// Only if the JSON serializer fails, which no set causes.
pub fn encode(set: &Entitlements) -> Result<Vec<u8>, Error> {
    let Entitlements { version, as_of, completeness, policy, data } = set;
    let header = EncodedHeader {
        v: FORMAT_VERSION,
        source: policy.as_str(),
        version: *version,
        as_of: *as_of,
        completeness: *completeness,
    };
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
    let header = parse_header(bytes)?;
    let Columns { version, as_of, grants } = parse_columns(header)?;
    let to_entitlement = |GrantRef { id, feature, lookup_key }| {
        let (id, feature) = (EntitlementId::try_from(id).ok()?, FeatureId::try_from(feature).ok()?);
        Some(ActiveEntitlement { id, feature, lookup_key: LookupKey::try_from(lookup_key).ok()? })
    };
    let data = grants.into_iter().map(to_entitlement).collect::<Option<_>>()?;
    let RecordHeader { completeness, policy, .. } = header;
    Some(Entitlements { version, as_of, completeness, policy, data })
}

/// Decodes a record with any white space, order of members and escapes.
fn decode_json(bytes: &[u8]) -> Result<Entitlements, Error> {
    json_type! {
        struct FormatVersion {
            v: u32,
        }

        struct JsonRecord {
            source: String,
            version: Version,
            as_of: Timestamp,
            completeness: Completeness,
            keys: Vec<LookupKey>,
            features: Vec<FeatureId>,
            ids: Vec<EntitlementId>,
        }
    }
    let FormatVersion { v } = json::from_slice(bytes).map_err(|error| invalid(&error))?;
    if v != FORMAT_VERSION {
        return Err(Error::UnsupportedVersion(v));
    }
    let JsonRecord { source, version, as_of, completeness, keys, features, ids } =
        json::from_slice(bytes).map_err(|error| invalid(&error))?;
    let policy = SourcePolicy::parse(&source);
    let policy = policy.ok_or_else(|| Error::Invalid("an unknown source".to_owned()))?;
    if keys.len() != features.len() || keys.len() != ids.len() {
        return Err(Error::Invalid("lists of different lengths".to_owned()));
    }
    let grants = ids.into_iter().zip(features).zip(keys);
    let data = grants
        .map(|((id, feature), lookup_key)| ActiveEntitlement { id, feature, lookup_key })
        .collect();
    Ok(Entitlements { version, as_of, completeness, policy, data })
}

fn invalid(error: &impl ToString) -> Error {
    Error::Invalid(error.to_string())
}

/// Returns whether a record was read from this source under this policy. A record in another form was
/// not.
#[must_use]
pub fn was_read_under(record: &[u8], policy: SourcePolicy) -> bool {
    names_policy(record, policy)
}

/// The result of looking up one feature in a record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FeatureLookup {
    /// The version of the set.
    pub version: Version,
    /// When the source reported the set.
    pub as_of: Timestamp,
    /// Whether the set contains the feature.
    pub entitled: bool,
}

/// Looks up one feature in the record of a complete set, and reads nothing after the keys.
///
/// Returns `None` if the record must be decoded: it has another form or a partial set, or the key
/// would be encoded with an escape.
#[must_use]
pub fn lookup_feature(record: &[u8], feature: &LookupKey) -> Option<FeatureLookup> {
    let feature = feature.as_str().as_bytes();
    if feature.iter().any(|byte| matches!(byte, b'"' | b'\\')) || !record.ends_with(b"]}") {
        return None;
    }
    let RecordHeader { version, as_of, completeness, keys, .. } = parse_header(record)?;
    match completeness {
        Completeness::Complete => {
            Some(FeatureLookup { version, as_of, entitled: list_contains(keys, feature)? })
        }
        Completeness::Partial => None,
    }
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

/// Returns the length of a string up to its closing quote. `None` if the string has an escape that
/// [`encode()`] does not write: its characters are then not the bytes of the record.
fn string_len(bytes: &[u8]) -> Option<usize> {
    let mut end = 0;
    loop {
        end += scan::find_quote_or_backslash(bytes.get(end..)?);
        match bytes.get(end..)? {
            [b'"', ..] => return Some(end),
            [b'\\', b'"' | b'\\', ..] => end += 2,
            _ => return None,
        }
    }
}
