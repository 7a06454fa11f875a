//! Stored formats of a set, compared: the bytes of a record, the instructions of a check, and the
//! instructions of a page of Stripe's list.
//!
//! | format                     | contents                                                  |
//! |----------------------------|-----------------------------------------------------------|
//! | [`rows`]                   | a list of entitlements                                    |
//! | [`columns`]                | keys, features, ids: entgate's own format                 |
//! | [`columns`], lengths first | the same, after the lengths of its columns                |
//! | [`keys_and_list`]          | the keys, then Stripe's list as the API returns it        |
//! | [`hashes`]                 | not JSON: sorted hashes of the keys, then the entitlements |
//!
//! Each format is searched without a parser, by code that knows its bytes. The JSON formats share
//! one scan ([`scan`]), so the columns are not measured with [`record::lookup_feature()`]. A page is
//! the first one of a complete set: a cursor needs one more scan, which is the same in every format.
//! No sample has a key that JSON escapes.

pub mod scan;

pub mod rows;

pub mod columns;

pub mod keys_and_list;

pub mod hashes;

use std::hint::black_box;

use entgate::{entitlement::SourceSet, id::LookupKey, store::record};

use self::scan::FeatureLookup;
use crate::{
    deployment::{Deployment, get},
    sample::{self, NOW, SIZES, customer, lookup_key, set},
    workload::Workload,
};

/// A stored format of a set.
#[derive(Clone, Copy, Debug)]
pub struct RecordFormat {
    /// The name in the report.
    pub name: &'static str,
    /// Encodes a set.
    pub encode: fn(&SourceSet) -> Vec<u8>,
    /// Looks up one feature in a record.
    pub lookup_feature: fn(&[u8], &LookupKey) -> Option<FeatureLookup>,
    /// Returns the first page of the list with this limit, as the list route returns it.
    pub first_page: fn(&[u8], usize) -> Option<Vec<u8>>,
}

/// The formats, in the order of the report.
pub const RECORD_FORMATS: [RecordFormat; 5] =
    [rows::FORMAT, columns::FORMAT, columns::LENGTHS_FIRST, keys_and_list::FORMAT, hashes::FORMAT];

/// The measured limits of a page.
const PAGE_LIMITS: [usize; 2] = [10, 100];

/// Returns the bytes of a record, by format and size.
#[must_use]
pub fn sizes() -> Vec<(String, usize)> {
    let all = RECORD_FORMATS.iter().flat_map(|format| SIZES.map(|size| (format, size)));
    all.map(|(format, size)| {
        (workload_name(format, size, "bytes"), (format.encode)(&set(size)).len())
    })
    .collect()
}

/// Returns the workloads of each format.
///
/// # Panics
///
/// If a format gives other answers than entgate.
#[must_use]
pub fn workloads() -> Vec<Workload> {
    let all =
        RECORD_FORMATS.iter().flat_map(|format| SIZES.map(|size| workloads_of(*format, size)));
    all.flatten().collect()
}

fn workloads_of(format: RecordFormat, size: usize) -> Vec<Workload> {
    assert_same_answers(&format, size);
    let lookup = |operation: &str, feature: LookupKey| {
        let record = (format.encode)(&set(size));
        Workload::new(workload_name(&format, size, operation), move || {
            (format.lookup_feature)(black_box(&record), black_box(&feature))
        })
    };
    let page = |limit: usize| {
        let record = (format.encode)(&set(size));
        Workload::new(workload_name(&format, size, &format!("list {limit}")), move || {
            (format.first_page)(black_box(&record), black_box(limit))
        })
    };
    [lookup("last", lookup_key(size - 1)), lookup("absent", lookup_key(size))]
        .into_iter()
        .chain(PAGE_LIMITS.map(page))
        .collect()
}

fn workload_name(format: &RecordFormat, size: usize, operation: &str) -> String {
    format!("format: {}: {size}: {operation}", format.name)
}

fn assert_same_answers(format: &RecordFormat, size: usize) {
    let (own, other) = (sample::record(size), (format.encode)(&set(size)));
    for feature in (0..=size).map(lookup_key) {
        let expected = record::lookup_feature(&own, &feature, &[], NOW).map(|own| FeatureLookup {
            version: own.version,
            as_of: own.as_of.unwrap(),
            entitled: own.decision.is_grant(),
        });
        let lookup = (format.lookup_feature)(&other, &feature);
        assert!(expected.is_some() && lookup == expected, "{}, {feature} of {size}", format.name);
    }
    let deployment = Deployment::new(own);
    for limit in PAGE_LIMITS {
        let path = "/v1/entitlements/active_entitlements";
        let url = format!("{path}?customer={}&limit={limit}", customer().id);
        let expected = deployment.handle(&get(&url)).into_body();
        let page = (format.first_page)(&other, limit);
        assert_eq!(page, Some(expected), "{}, {limit} of {size}", format.name);
    }
}
