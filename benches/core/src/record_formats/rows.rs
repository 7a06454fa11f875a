//! Form 1: `{"v":1,…,"data":[{"id":"ent_…","feature":"feat_…","lookup_key":"sms"},…]}`.

use entgate::{entitlement::Entitlements, id::LookupKey, store::record::Glance};

use super::{
    Form,
    scan::{close_list, head, item, open_list, quoted, text, write_head},
};

/// Form 1.
pub const FORM: Form = Form { name: "rows (form 1)", write, glance, page };

fn write(set: &Entitlements) -> Vec<u8> {
    let mut record = write_head("1", set);
    record.extend(b",\"data\":[");
    for (at, granted) in set.data.iter().enumerate() {
        record.extend(if at > 0 { &b",{\"id\":"[..] } else { b"{\"id\":" });
        record.extend(quoted(granted.id.as_str()));
        record.extend(b",\"feature\":");
        record.extend(quoted(granted.feature.as_str()));
        record.extend(b",\"lookup_key\":");
        record.extend(quoted(granted.lookup_key.as_str()));
        record.push(b'}');
    }
    record.extend(b"]}");
    record
}

fn glance(record: &[u8], key: &LookupKey) -> Option<Glance> {
    let (glance, rest) = head(record, b"1")?;
    let mut rest = rest.strip_prefix(b",\"data\":[")?;
    while rest.first() != Some(&b']') {
        let (row, behind) = row(rest)?;
        if row.key == key.as_str().as_bytes() {
            return Some(Glance { entitled: true, ..glance });
        }
        rest = behind;
    }
    Some(glance)
}

fn page(record: &[u8], limit: usize) -> Option<Vec<u8>> {
    let (_, rest) = head(record, b"1")?;
    let mut rest = rest.strip_prefix(b",\"data\":[")?;
    let mut list = open_list(limit);
    for _ in 0..limit {
        if rest.first() == Some(&b']') {
            break;
        }
        let (row, behind) = row(rest)?;
        item(&mut list, row.id, row.feature, row.key);
        rest = behind;
    }
    Some(close_list(list, rest.first() != Some(&b']')))
}

/// Texts as they are written.
struct Row<'a> {
    id: &'a [u8],
    feature: &'a [u8],
    key: &'a [u8],
}

/// A row, and what stands behind it and its comma.
fn row(rest: &[u8]) -> Option<(Row<'_>, &[u8])> {
    let (id, rest) = text(rest.strip_prefix(b"{\"id\":")?)?;
    let (feature, rest) = text(rest.strip_prefix(b",\"feature\":")?)?;
    let (key, rest) = text(rest.strip_prefix(b",\"lookup_key\":")?)?;
    let rest = rest.strip_prefix(b"}")?;
    Some((Row { id, feature, key }, rest.strip_prefix(b",").unwrap_or(rest)))
}
