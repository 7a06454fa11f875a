//! The keys, then the items of Stripe's list as the API returns them:
//! `{"v":4,…,"keys":["sms",…],"data":[{"id":"ent_…","object":"entitlements.active_entitlement",…},…]}`.
//!
//! A page is a range of the record's bytes.

use entgate::{entitlement::SourceSet, id::LookupKey};

use super::{
    RecordFormat,
    scan::{
        FeatureLookup, encode_header, encode_list, encode_string, finish_page, list_contains,
        parse_header, parse_string, push_item, skip_comma, skip_list, start_page,
    },
};

/// The keys and the list.
pub const FORMAT: RecordFormat =
    RecordFormat { name: "keys and list", encode, lookup_feature, first_page };

fn encode(set: &SourceSet) -> Vec<u8> {
    let mut data = Vec::new();
    for entitlement in &set.data {
        let strings = [
            entitlement.id.as_str(),
            entitlement.feature.as_str(),
            entitlement.lookup_key.as_str(),
        ]
        .map(encode_string);
        let [id, feature, lookup_key] =
            strings.each_ref().map(|string| &string[1..string.len() - 1]);
        push_item(&mut data, id, feature, lookup_key);
    }
    let keys = encode_list(set.data.iter().map(|entitlement| entitlement.lookup_key.as_str()));
    let mut record = encode_header("4", set);
    for part in [b",\"keys\":", &keys[..], b",\"data\":[", &data, b"]}"] {
        record.extend(part);
    }
    record
}

fn lookup_feature(record: &[u8], key: &LookupKey) -> Option<FeatureLookup> {
    let (lookup, rest) = parse_header(record, b"4")?;
    let entitled = list_contains(rest.strip_prefix(b",\"keys\":")?, key)?;
    Some(FeatureLookup { entitled, ..lookup })
}

fn first_page(record: &[u8], limit: usize) -> Option<Vec<u8>> {
    let (_, rest) = parse_header(record, b"4")?;
    let data = skip_list(rest.strip_prefix(b",\"keys\":")?)?.strip_prefix(b",\"data\":[")?;
    let mut rest = data;
    let mut end = 0;
    for _ in 0..limit {
        if rest.first() == Some(&b']') {
            break;
        }
        rest = skip_item(rest)?;
        end = data.len() - rest.len();
        rest = skip_comma(rest);
    }
    let mut page = start_page(limit);
    page.extend_from_slice(data.get(..end)?);
    Some(finish_page(page, rest.first() != Some(&b']')))
}

fn skip_item(bytes: &[u8]) -> Option<&[u8]> {
    let (_, rest) = parse_string(bytes.strip_prefix(b"{\"id\":")?)?;
    let rest =
        rest.strip_prefix(b",\"object\":\"entitlements.active_entitlement\",\"feature\":")?;
    let (_, rest) = parse_string(rest)?;
    let (_, rest) = parse_string(rest.strip_prefix(b",\"livemode\":false,\"lookup_key\":")?)?;
    rest.strip_prefix(b"}")
}
