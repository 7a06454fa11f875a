//! How a set is written down, in the ledger and in the replica alike.
//!
//! JSON, one object, its members in this order and without white space:
//! `{"v":1,"version":3,"as_of":1706111369,"completeness":"complete","keys":["sms"],"features":["feat_…"],
//! "ids":["ent_…"]}`. The lists go side by side, newest grant first. What a check has to know stands
//! in front, so that [`glance()`] gets by without reading the rest.
//!
//! `v` is the number of the format. A new format is read by one release before the next one writes it.

pub mod columns;
mod header;

use serde::{Deserialize, Serialize};

use self::{
    columns::{Columns, GrantRef, parse_columns},
    header::{RecordHeader, parse_header},
};
use crate::{
    entitlement::{ActiveEntitlement, Completeness, Entitlements, Version},
    id::{EntitlementId, FeatureId, LookupKey, Timestamp},
    json::scan,
};

/// The form written now.
const FORMAT_VERSION: u32 = 1;

/// What a grant takes in a record, where its ids are Stripe's and its key is no longer than they are.
const GRANT_SIZE: usize = 128;

/// Why a record cannot be read.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It is of a form that came after this code.
    #[error("record format {0} is not supported by this deployment")]
    UnsupportedVersion(u32),
    /// It is no record.
    #[error("{0}")]
    Invalid(String),
}

/// What stands in front of the lists, to be written.
#[derive(Serialize)]
struct EncodedHeader {
    v: u32,
    version: Version,
    as_of: Timestamp,
    completeness: Completeness,
}

/// Writes a set down.
///
/// # Errors
///
/// None that a set can cause; JSON's writer has one all the same.
pub fn encode(set: &Entitlements) -> Result<Vec<u8>, Error> {
    let Entitlements { version, as_of, completeness, data } = set;
    let front = EncodedHeader {
        v: FORMAT_VERSION,
        version: *version,
        as_of: *as_of,
        completeness: *completeness,
    };
    let mut record = serde_json::to_vec(&front).map_err(|error| invalid(&error))?;
    // The object goes on.
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
    texts: impl Iterator<Item = &'a str>,
) -> serde_json::Result<()> {
    record.extend_from_slice(name);
    for (at, text) in texts.enumerate() {
        if at > 0 {
            record.push(b',');
        }
        if scan::needs_no_escape(text.as_bytes()) {
            record.push(b'"');
            record.extend_from_slice(text.as_bytes());
            record.push(b'"');
        } else {
            serde_json::to_writer(&mut *record, text)?;
        }
    }
    record.push(b']');
    Ok(())
}

/// Reads what [`write()`] wrote.
///
/// # Errors
///
/// When the bytes are no record, or one of a newer form.
pub fn decode(bytes: &[u8]) -> Result<Entitlements, Error> {
    match decode_columns(bytes) {
        Some(set) => Ok(set),
        None => decode_json(bytes),
    }
}

/// Reads form 2, as it is written, in which no text has an escape: nearly every record there is.
fn decode_columns(bytes: &[u8]) -> Option<Entitlements> {
    if bytes.contains(&b'\\') {
        return None;
    }
    let head = parse_header(bytes)?;
    let Columns { version, as_of, grants: rows } = parse_columns(head)?;
    let grant = |GrantRef { id, feature, lookup_key }| {
        let (id, feature) = (EntitlementId::try_from(id).ok()?, FeatureId::try_from(feature).ok()?);
        Some(ActiveEntitlement { id, feature, lookup_key: LookupKey::try_from(lookup_key).ok()? })
    };
    let data = rows.into_iter().map(grant).collect::<Option<_>>()?;
    Some(Entitlements { version, as_of, completeness: head.completeness, data })
}

/// Reads a record of any form.
fn decode_json(bytes: &[u8]) -> Result<Entitlements, Error> {
    #[derive(Deserialize)]
    struct FormatVersion {
        v: u32,
    }
    #[derive(Deserialize)]
    struct JsonRecord {
        version: Version,
        as_of: Timestamp,
        completeness: Completeness,
        keys: Vec<LookupKey>,
        features: Vec<FeatureId>,
        ids: Vec<EntitlementId>,
    }
    let FormatVersion { v } = serde_json::from_slice(bytes).map_err(|error| invalid(&error))?;
    if v != FORMAT_VERSION {
        return Err(Error::UnsupportedVersion(v));
    }
    let JsonRecord { version, as_of, completeness, keys, features, ids } =
        serde_json::from_slice(bytes).map_err(|error| invalid(&error))?;
    if keys.len() != features.len() || keys.len() != ids.len() {
        return Err(Error::Invalid("lists of different lengths".to_owned()));
    }
    let grants = ids.into_iter().zip(features).zip(keys);
    let data = grants
        .map(|((id, feature), lookup_key)| ActiveEntitlement { id, feature, lookup_key })
        .collect();
    Ok(Entitlements { version, as_of, completeness, data })
}

fn invalid(error: &impl ToString) -> Error {
    Error::Invalid(error.to_string())
}

/// What a record says of one feature.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FeatureLookup {
    /// The set's version.
    pub version: Version,
    /// When the source said so.
    pub as_of: Timestamp,
    /// Whether the feature is in it.
    pub entitled: bool,
}

/// Looks one feature up in the record of a whole set, without reading what stands behind the keys.
/// None if the record is of another form, or of a part of a set, or if the key would be written with
/// an escape: then it has to be read.
#[must_use]
pub fn lookup_feature(record: &[u8], feature: &LookupKey) -> Option<FeatureLookup> {
    let feature = feature.as_str().as_bytes();
    if feature.iter().any(|byte| matches!(byte, b'"' | b'\\')) || !record.ends_with(b"]}") {
        return None;
    }
    let RecordHeader { version, as_of, completeness, keys } = parse_header(record)?;
    match completeness {
        Completeness::Complete => {
            Some(FeatureLookup { version, as_of, entitled: list_contains(keys, feature)? })
        }
        Completeness::Partial => None,
    }
}

/// Whether a text, which needs no escape, is among those of a list; none if that is no list.
fn list_contains(mut rest: &[u8], wanted: &[u8]) -> Option<bool> {
    if rest.first() == Some(&b']') {
        return Some(false);
    }
    loop {
        rest = rest.strip_prefix(b"\"")?;
        let (given, behind) = rest.split_at_checked(string_len(rest)?)?;
        // Keys that differ mostly do so at their ends.
        if given.last() == wanted.last() && given == wanted {
            return Some(true);
        }
        match behind {
            [b'"', b',', next @ ..] => rest = next,
            [b'"', b']', ..] => return Some(false),
            _ => return None,
        }
    }
}

/// How long a text is up to its closing quote.
fn string_len(rest: &[u8]) -> Option<usize> {
    let mut end = 0;
    loop {
        end += scan::find_quote_or_backslash(rest.get(end..)?);
        if *rest.get(end)? == b'"' {
            return Some(end);
        }
        end += 2;
    }
}
