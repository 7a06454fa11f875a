//! entgate's own format, `{"v":1,…,"keys":["sms",…],"features":["feat_…",…],"ids":["ent_…",…]}`.
//!
//! The second format has `"lengths":[5,10]` before the keys, so that the later columns are found
//! without a scan of the earlier ones.

use entgate::{entitlement::SourceSet, id::LookupKey, store::record};

use super::{
    RecordFormat,
    scan::{
        FeatureLookup, encode_header, encode_list, finish_page, list_contains, parse_digits,
        parse_header, parse_string, push_item, skip_comma, skip_list, start_page,
    },
};

use crate::sample;

/// The columns.
pub const FORMAT: RecordFormat =
    RecordFormat { name: "columns", encode, lookup_feature, first_page: first_page_of_columns };

/// The columns, after their lengths.
pub const LENGTHS_FIRST: RecordFormat = RecordFormat {
    name: "columns, lengths first",
    encode: encode_with_lengths,
    lookup_feature: lookup_after_lengths,
    first_page: first_page_after_lengths,
};

fn encode(set: &SourceSet) -> Vec<u8> {
    record::encode(&sample::entitlements(set.clone())).unwrap_or_default()
}

fn lookup_feature(record: &[u8], key: &LookupKey) -> Option<FeatureLookup> {
    let (lookup, rest) = parse_header(record, b"1")?;
    let entitled = list_contains(rest.strip_prefix(b",\"keys\":")?, key)?;
    Some(FeatureLookup { entitled, ..lookup })
}

fn first_page_of_columns(record: &[u8], limit: usize) -> Option<Vec<u8>> {
    let (_, rest) = parse_header(record, b"1")?;
    let keys = rest.strip_prefix(b",\"keys\":")?;
    let features = skip_list(keys)?.strip_prefix(b",\"features\":")?;
    let ids = skip_list(features)?.strip_prefix(b",\"ids\":")?;
    first_page(keys, features, ids, limit)
}

fn encode_with_lengths(set: &SourceSet) -> Vec<u8> {
    let keys = encode_list(set.data.iter().map(|entitlement| entitlement.lookup_key.as_str()));
    let features = encode_list(set.data.iter().map(|entitlement| entitlement.feature.as_str()));
    let ids = encode_list(set.data.iter().map(|entitlement| entitlement.id.as_str()));
    let mut record = encode_header("3", set);
    record.extend(format!(r#","lengths":[{},{}]"#, keys.len(), features.len()).into_bytes());
    for part in [b",\"keys\":", &keys[..], b",\"features\":", &features, b",\"ids\":", &ids, b"}"] {
        record.extend(part);
    }
    record
}

fn lookup_after_lengths(record: &[u8], key: &LookupKey) -> Option<FeatureLookup> {
    let (lookup, rest) = parse_header(record, b"3")?;
    let (_, rest) = parse_lengths(rest)?;
    let entitled = list_contains(rest.strip_prefix(b",\"keys\":")?, key)?;
    Some(FeatureLookup { entitled, ..lookup })
}

fn first_page_after_lengths(record: &[u8], limit: usize) -> Option<Vec<u8>> {
    let (_, rest) = parse_header(record, b"3")?;
    let ((keys_len, features_len), rest) = parse_lengths(rest)?;
    let (keys, rest) = rest.strip_prefix(b",\"keys\":")?.split_at_checked(keys_len)?;
    let (features, rest) = rest.strip_prefix(b",\"features\":")?.split_at_checked(features_len)?;
    first_page(keys, features, rest.strip_prefix(b",\"ids\":")?, limit)
}

/// Reads the lengths of the keys and of the features.
fn parse_lengths(bytes: &[u8]) -> Option<((usize, usize), &[u8])> {
    let (keys, rest) = parse_digits(bytes.strip_prefix(b",\"lengths\":[")?)?;
    let (features, rest) = parse_digits(rest.strip_prefix(b",")?)?;
    let lengths = (usize::try_from(keys).ok()?, usize::try_from(features).ok()?);
    Some((lengths, rest.strip_prefix(b"]")?))
}

/// Returns the first page of the list, from the starts of the three columns.
fn first_page(keys: &[u8], features: &[u8], ids: &[u8], limit: usize) -> Option<Vec<u8>> {
    let [mut keys, mut features, mut ids] =
        [open_list(keys)?, open_list(features)?, open_list(ids)?];
    let mut page = start_page(limit);
    for _ in 0..limit {
        if keys.first() == Some(&b']') {
            break;
        }
        let [(id, next_ids), (feature, next_features), (lookup_key, next_keys)] =
            [next_string(ids)?, next_string(features)?, next_string(keys)?];
        push_item(&mut page, id, feature, lookup_key);
        (ids, features, keys) = (next_ids, next_features, next_keys);
    }
    Some(finish_page(page, keys.first() != Some(&b']')))
}

fn open_list(column: &[u8]) -> Option<&[u8]> {
    column.strip_prefix(b"[")
}

/// Reads the next string of a column and the comma after it.
fn next_string(column: &[u8]) -> Option<(&[u8], &[u8])> {
    let (string, rest) = parse_string(column)?;
    Some((string, skip_comma(rest)))
}
