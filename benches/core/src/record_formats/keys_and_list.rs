//! The keys, and then the items of Stripe's list as they are answered: `{"v":3,…,"keys":["sms",…],
//! "data":[{"id":"ent_…","object":"entitlements.active_entitlement",…},…]}`. A page is a piece of it.

use entgate::{entitlement::Entitlements, id::LookupKey, store::record::Glance};

use super::{
    Form,
    scan::{self, behind_list, close_list, head, item, lists, open_list, quoted, write_head},
};

/// The keys and the list.
pub const FORM: Form = Form { name: "keys and list", write, glance, page };

fn write(set: &Entitlements) -> Vec<u8> {
    let mut data = Vec::new();
    for granted in &set.data {
        let parts = [granted.id.as_str(), granted.feature.as_str(), granted.lookup_key.as_str()]
            .map(quoted);
        let [id, feature, key] = parts.each_ref().map(|part| &part[1..part.len() - 1]);
        item(&mut data, id, feature, key);
    }
    let keys = scan::list_of(set.data.iter().map(|granted| granted.lookup_key.as_str()));
    let mut record = write_head("3", set);
    for part in [b",\"keys\":", &keys[..], b",\"data\":[", &data, b"]}"] {
        record.extend(part);
    }
    record
}

fn glance(record: &[u8], key: &LookupKey) -> Option<Glance> {
    let (glance, rest) = head(record, b"3")?;
    Some(Glance { entitled: lists(rest.strip_prefix(b",\"keys\":")?, key)?, ..glance })
}

fn page(record: &[u8], limit: usize) -> Option<Vec<u8>> {
    let (_, rest) = head(record, b"3")?;
    let data = behind_list(rest.strip_prefix(b",\"keys\":")?)?.strip_prefix(b",\"data\":[")?;
    let mut rest = data;
    let mut end = 0;
    for _ in 0..limit {
        if rest.first() == Some(&b']') {
            break;
        }
        rest = behind_item(rest)?;
        end = data.len() - rest.len();
        rest = rest.strip_prefix(b",").unwrap_or(rest);
    }
    let mut list = open_list(limit);
    list.extend_from_slice(data.get(..end)?);
    Some(close_list(list, rest.first() != Some(&b']')))
}

/// What stands behind an item.
fn behind_item(rest: &[u8]) -> Option<&[u8]> {
    let (_, rest) = scan::text(rest.strip_prefix(b"{\"id\":")?)?;
    let rest =
        rest.strip_prefix(b",\"object\":\"entitlements.active_entitlement\",\"feature\":")?;
    let (_, rest) = scan::text(rest)?;
    let (_, rest) = scan::text(rest.strip_prefix(b",\"livemode\":false,\"lookup_key\":")?)?;
    rest.strip_prefix(b"}")
}
