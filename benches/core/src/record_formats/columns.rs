//! Form 2, as entgate writes it: `{"v":2,…,"keys":["sms",…],"features":["feat_…",…],
//! "ids":["ent_…",…]}`; and the same with `"lengths":[5,10]` before the keys, so that the columns
//! behind them are found without a look at what stands in front.

use entgate::{
    entitlement::Entitlements,
    id::LookupKey,
    store::record::{self, Glance},
};

use super::{
    Form,
    scan::{self, behind_list, close_list, head, item, lists, number, open_list, write_head},
};

/// Form 2.
pub const FORM: Form = Form { name: "columns (form 2)", write, glance, page: page_of_columns };

/// Form 2 with the lengths of its columns.
pub const LENGTHS: Form = Form {
    name: "columns, lengths first",
    write: write_lengths,
    glance: glance_lengths,
    page: page_of_lengths,
};

fn write(set: &Entitlements) -> Vec<u8> {
    record::write(set).unwrap_or_default()
}

fn glance(record: &[u8], key: &LookupKey) -> Option<Glance> {
    let (glance, rest) = head(record, b"2")?;
    Some(Glance { entitled: lists(rest.strip_prefix(b",\"keys\":")?, key)?, ..glance })
}

/// A page of three columns that are found already.
fn page(keys: &[u8], features: &[u8], ids: &[u8], limit: usize) -> Option<Vec<u8>> {
    let [mut keys, mut features, mut ids] = [first(keys)?, first(features)?, first(ids)?];
    let mut list = open_list(limit);
    for _ in 0..limit {
        if keys.first() == Some(&b']') {
            break;
        }
        let [(id, behind_id), (feature, behind_feature), (key, behind_key)] =
            [next(ids)?, next(features)?, next(keys)?];
        item(&mut list, id, feature, key);
        (ids, features, keys) = (behind_id, behind_feature, behind_key);
    }
    Some(close_list(list, keys.first() != Some(&b']')))
}

/// A column from its first text on.
fn first(column: &[u8]) -> Option<&[u8]> {
    column.strip_prefix(b"[")
}

/// The next text of a column, and the column from the one after it on.
fn next(column: &[u8]) -> Option<(&[u8], &[u8])> {
    let (found, rest) = scan::text(column)?;
    Some((found, rest.strip_prefix(b",").unwrap_or(rest)))
}

fn page_of_columns(record: &[u8], limit: usize) -> Option<Vec<u8>> {
    let (_, rest) = head(record, b"2")?;
    let keys = rest.strip_prefix(b",\"keys\":")?;
    let features = behind_list(keys)?.strip_prefix(b",\"features\":")?;
    let ids = behind_list(features)?.strip_prefix(b",\"ids\":")?;
    page(keys, features, ids, limit)
}

fn write_lengths(set: &Entitlements) -> Vec<u8> {
    let keys = scan::list_of(set.data.iter().map(|granted| granted.lookup_key.as_str()));
    let features = scan::list_of(set.data.iter().map(|granted| granted.feature.as_str()));
    let ids = scan::list_of(set.data.iter().map(|granted| granted.id.as_str()));
    let mut record = write_head("3", set);
    record.extend(format!(r#","lengths":[{},{}]"#, keys.len(), features.len()).into_bytes());
    for part in [b",\"keys\":", &keys[..], b",\"features\":", &features, b",\"ids\":", &ids, b"}"] {
        record.extend(part);
    }
    record
}

fn glance_lengths(record: &[u8], key: &LookupKey) -> Option<Glance> {
    let (glance, rest) = head(record, b"3")?;
    let (_, rest) = lengths(rest)?;
    Some(Glance { entitled: lists(rest.strip_prefix(b",\"keys\":")?, key)?, ..glance })
}

fn page_of_lengths(record: &[u8], limit: usize) -> Option<Vec<u8>> {
    let (_, rest) = head(record, b"3")?;
    let ((of_keys, of_features), rest) = lengths(rest)?;
    let (keys, rest) = rest.strip_prefix(b",\"keys\":")?.split_at_checked(of_keys)?;
    let (features, rest) = rest.strip_prefix(b",\"features\":")?.split_at_checked(of_features)?;
    page(keys, features, rest.strip_prefix(b",\"ids\":")?, limit)
}

fn lengths(rest: &[u8]) -> Option<((usize, usize), &[u8])> {
    let (keys, rest) = number(rest.strip_prefix(b",\"lengths\":[")?)?;
    let (features, rest) = number(rest.strip_prefix(b",")?)?;
    let lengths = (usize::try_from(keys).ok()?, usize::try_from(features).ok()?);
    Some((lengths, rest.strip_prefix(b"]")?))
}
