//! A list of entitlements:
//! `{"v":2,…,"data":[{"id":"ent_…","feature":"feat_…","lookup_key":"sms"},…]}`.

use entgate::{entitlement::SourceSet, id::LookupKey};

use super::{
    RecordFormat,
    scan::{
        FeatureLookup, encode_header, encode_string, finish_page, parse_header, parse_string,
        push_item, skip_comma, start_page,
    },
};

/// The rows.
pub const FORMAT: RecordFormat = RecordFormat { name: "rows", encode, lookup_feature, first_page };

fn encode(set: &SourceSet) -> Vec<u8> {
    let mut record = encode_header("2", set);
    record.extend(b",\"data\":[");
    for (index, entitlement) in set.data.iter().enumerate() {
        record.extend(if index > 0 { &b",{\"id\":"[..] } else { b"{\"id\":" });
        record.extend(encode_string(entitlement.id.as_str()));
        record.extend(b",\"feature\":");
        record.extend(encode_string(entitlement.feature.as_str()));
        record.extend(b",\"lookup_key\":");
        record.extend(encode_string(entitlement.lookup_key.as_str()));
        record.push(b'}');
    }
    record.extend(b"]}");
    record
}

fn lookup_feature(record: &[u8], key: &LookupKey) -> Option<FeatureLookup> {
    let (lookup, rest) = parse_header(record, b"2")?;
    let mut rest = rest.strip_prefix(b",\"data\":[")?;
    while rest.first() != Some(&b']') {
        let (row, after) = parse_row(rest)?;
        if row.lookup_key == key.as_str().as_bytes() {
            return Some(FeatureLookup { entitled: true, ..lookup });
        }
        rest = after;
    }
    Some(lookup)
}

fn first_page(record: &[u8], limit: usize) -> Option<Vec<u8>> {
    let (_, rest) = parse_header(record, b"2")?;
    let mut rest = rest.strip_prefix(b",\"data\":[")?;
    let mut page = start_page(limit);
    for _ in 0..limit {
        if rest.first() == Some(&b']') {
            break;
        }
        let (row, after) = parse_row(rest)?;
        push_item(&mut page, row.id, row.feature, row.lookup_key);
        rest = after;
    }
    Some(finish_page(page, rest.first() != Some(&b']')))
}

struct Row<'a> {
    id: &'a [u8],
    feature: &'a [u8],
    lookup_key: &'a [u8],
}

/// Reads a row and the comma after it.
fn parse_row(bytes: &[u8]) -> Option<(Row<'_>, &[u8])> {
    let (id, rest) = parse_string(bytes.strip_prefix(b"{\"id\":")?)?;
    let (feature, rest) = parse_string(rest.strip_prefix(b",\"feature\":")?)?;
    let (lookup_key, rest) = parse_string(rest.strip_prefix(b",\"lookup_key\":")?)?;
    let rest = rest.strip_prefix(b"}")?;
    Some((Row { id, feature, lookup_key }, skip_comma(rest)))
}
