//! Not JSON: a head, so many hashes of keys in order, each with the place of its grant, and then the
//! grants, each as three texts behind their lengths. Numbers are little-endian; texts are written as
//! JSON writes them, without quotes, so that a list takes them as they are.
//!
//! `4 | version u64 | as_of i64 | count u32 | (hash u32, place u32)… | (length u16, text)×3…`
//!
//! A key whose hash is found is compared itself: a hash alone would grant what it is not.

use entgate::{
    entitlement::{Entitlements, Version},
    id::{LookupKey, Timestamp},
    store::record::Glance,
};

use super::{
    Form,
    scan::{close_list, item, open_list, quoted},
};

/// Hashes and grants.
pub const FORM: Form = Form { name: "hashes (binary)", write, glance, page };

/// The bytes of the head.
const HEAD: usize = 1 + 8 + 8 + 4;

/// A hash, and the place of its grant.
type Entry = [[u8; 4]; 2];

fn write(set: &Entitlements) -> Vec<u8> {
    let mut grants = Vec::new();
    let mut entries = Vec::new();
    for granted in &set.data {
        let place = HEAD + set.data.len() * size_of::<Entry>() + grants.len();
        entries.push((hash(granted.lookup_key.as_str()), place));
        for text in [granted.lookup_key.as_str(), granted.feature.as_str(), granted.id.as_str()] {
            let text = quoted(text);
            let text = &text[1..text.len() - 1];
            grants.extend(u16::try_from(text.len()).unwrap_or_default().to_le_bytes());
            grants.extend(text);
        }
    }
    entries.sort_unstable();
    let number = |number| u32::try_from(number).unwrap_or_default().to_le_bytes();
    let mut record = vec![4];
    record.extend(set.version.0.to_le_bytes());
    record.extend(set.as_of.0.to_le_bytes());
    record.extend(number(set.data.len()));
    for (hash, place) in entries {
        record.extend(hash.to_le_bytes());
        record.extend(number(place));
    }
    record.extend(grants);
    record
}

fn glance(record: &[u8], key: &LookupKey) -> Option<Glance> {
    let Parts { head, entries, .. } = parts(record)?;
    let hash = hash(key.as_str());
    let of = |entry: &Entry| u32::from_le_bytes(entry[0]);
    let at = entries.partition_point(|entry| of(entry) < hash);
    for [_, place] in entries.get(at..)?.iter().take_while(|entry| of(entry) == hash) {
        let place = usize::try_from(u32::from_le_bytes(*place)).ok()?;
        let (found, _) = text(record.get(place..)?)?;
        if found == key.as_str().as_bytes() {
            return Some(Glance { entitled: true, ..head });
        }
    }
    Some(head)
}

fn page(record: &[u8], limit: usize) -> Option<Vec<u8>> {
    let Parts { entries, mut grants, .. } = parts(record)?;
    let mut list = open_list(limit);
    for _ in 0..limit.min(entries.len()) {
        let (key, behind) = text(grants)?;
        let (feature, behind) = text(behind)?;
        let (id, behind) = text(behind)?;
        item(&mut list, id, feature, key);
        grants = behind;
    }
    Some(close_list(list, entries.len() > limit))
}

struct Parts<'a> {
    head: Glance,
    entries: &'a [Entry],
    grants: &'a [u8],
}

fn parts(record: &[u8]) -> Option<Parts<'_>> {
    let (version, rest) = record.strip_prefix(&[4])?.split_first_chunk()?;
    let (as_of, rest) = rest.split_first_chunk()?;
    let (count, rest) = rest.split_first_chunk()?;
    let count = usize::try_from(u32::from_le_bytes(*count)).ok()?;
    let (entries, grants) = rest.split_at_checked(count.checked_mul(size_of::<Entry>())?)?;
    let version = Version(u64::from_le_bytes(*version));
    let as_of = Timestamp(i64::from_le_bytes(*as_of));
    let entries = entries.as_chunks().0.as_chunks().0;
    Some(Parts { head: Glance { version, as_of, entitled: false }, entries, grants })
}

/// A text behind its length, and what stands behind it.
fn text(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = rest.split_first_chunk()?;
    rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))
}

/// FNV-1a, 32 bits: <http://www.isthe.com/chongo/tech/comp/fnv/>.
fn hash(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}
