//! Not JSON: sorted hashes of the keys, each with the offset of its entitlement, then the
//! entitlements.
//!
//! `5 | version u64 | as_of i64 | count u32 | (hash u32, offset u32)… | (length u16, string)×3…`
//!
//! Numbers are little-endian. An entitlement is three strings, each after its length, encoded as in
//! JSON without quotes, so that a page copies them. A key whose hash is found is compared as a
//! string: two keys may have the same hash.

use entgate::{
    entitlement::{SourceSet, Version},
    id::{LookupKey, Timestamp},
};

use super::{
    RecordFormat,
    scan::{FeatureLookup, encode_string, finish_page, push_item, start_page},
};

use crate::sample::VERSION;

/// The hashes and the entitlements.
pub const FORMAT: RecordFormat =
    RecordFormat { name: "hashes (binary)", encode, lookup_feature, first_page };

/// The first byte of a record.
const FORMAT_BYTE: u8 = 5;

/// The bytes before the hashes.
const HEADER_LEN: usize = 1 + 8 + 8 + 4;

/// A hash, and the offset of its entitlement.
type HashEntry = [[u8; 4]; 2];

fn encode(set: &SourceSet) -> Vec<u8> {
    let mut strings = Vec::new();
    let mut entries = Vec::new();
    for entitlement in &set.data {
        let offset = HEADER_LEN + set.data.len() * size_of::<HashEntry>() + strings.len();
        entries.push((hash(entitlement.lookup_key.as_str()), offset));
        for string in
            [entitlement.lookup_key.as_str(), entitlement.feature.as_str(), entitlement.id.as_str()]
        {
            let string = encode_string(string);
            let string = &string[1..string.len() - 1];
            strings.extend(u16::try_from(string.len()).unwrap_or_default().to_le_bytes());
            strings.extend(string);
        }
    }
    entries.sort_unstable();
    let number = |number| u32::try_from(number).unwrap_or_default().to_le_bytes();
    let mut record = vec![FORMAT_BYTE];
    record.extend(VERSION.0.to_le_bytes());
    record.extend(set.as_of.0.to_le_bytes());
    record.extend(number(set.data.len()));
    for (hash, offset) in entries {
        record.extend(hash.to_le_bytes());
        record.extend(number(offset));
    }
    record.extend(strings);
    record
}

fn lookup_feature(record: &[u8], key: &LookupKey) -> Option<FeatureLookup> {
    let Record { lookup, entries, .. } = parse_record(record)?;
    let hash = hash(key.as_str());
    let hash_of = |entry: &HashEntry| u32::from_le_bytes(entry[0]);
    let start = entries.partition_point(|entry| hash_of(entry) < hash);
    for [_, offset] in entries.get(start..)?.iter().take_while(|entry| hash_of(entry) == hash) {
        let offset = usize::try_from(u32::from_le_bytes(*offset)).ok()?;
        let (lookup_key, _) = parse_string(record.get(offset..)?)?;
        if lookup_key == key.as_str().as_bytes() {
            return Some(FeatureLookup { entitled: true, ..lookup });
        }
    }
    Some(lookup)
}

fn first_page(record: &[u8], limit: usize) -> Option<Vec<u8>> {
    let Record { entries, strings: mut rest, .. } = parse_record(record)?;
    let mut page = start_page(limit);
    for _ in 0..limit.min(entries.len()) {
        let (lookup_key, after) = parse_string(rest)?;
        let (feature, after) = parse_string(after)?;
        let (id, after) = parse_string(after)?;
        push_item(&mut page, id, feature, lookup_key);
        rest = after;
    }
    Some(finish_page(page, entries.len() > limit))
}

struct Record<'a> {
    /// The header, as a lookup that has found no feature yet.
    lookup: FeatureLookup,
    entries: &'a [HashEntry],
    strings: &'a [u8],
}

fn parse_record(record: &[u8]) -> Option<Record<'_>> {
    let (version, rest) = record.strip_prefix(&[FORMAT_BYTE])?.split_first_chunk()?;
    let (as_of, rest) = rest.split_first_chunk()?;
    let (count, rest) = rest.split_first_chunk()?;
    let count = usize::try_from(u32::from_le_bytes(*count)).ok()?;
    let (entries, strings) = rest.split_at_checked(count.checked_mul(size_of::<HashEntry>())?)?;
    let version = Version(u64::from_le_bytes(*version));
    let as_of = Timestamp(i64::from_le_bytes(*as_of));
    let entries = entries.as_chunks().0.as_chunks().0;
    let lookup = FeatureLookup { version, as_of, entitled: false };
    Some(Record { lookup, entries, strings })
}

/// Reads a string after its length. Returns it and the rest.
fn parse_string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))
}

/// FNV-1a, 32 bits: <http://www.isthe.com/chongo/tech/comp/fnv/>.
fn hash(string: &str) -> u32 {
    string
        .bytes()
        .fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}
