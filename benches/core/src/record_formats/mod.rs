//! Ways in which a set could be stored, compared: how many bytes a record has, what a check takes in
//! it, and what a page of Stripe's list takes.
//!
//! | form                        | is                                                              |
//! |-----------------------------|-----------------------------------------------------------------|
//! | [`rows`]                    | form 1: a list of grants                                        |
//! | [`columns`]                 | form 2, the one that is written now: keys, features, ids        |
//! | [`columns`], lengths first  | the same, and where its columns begin                           |
//! | [`keys_and_list`]                    | the keys, and then Stripe's list as it is answered              |
//! | [`hashes`]                  | not JSON: hashes of the keys in order, and then the grants      |
//!
//! Every form is searched as well as it can be: by a scan that knows its shape, without a parse, and by
//! the same one for all that are JSON, so that form 2 is not measured by [`record::glance()`]. Only
//! the beginning of a whole set's list is answered here: where a cursor is, is found by one more scan,
//! which is the same in all of them. A key that JSON writes with an escape is in no sample.

pub mod columns;
pub mod hashes;
pub mod keys_and_list;
pub mod rows;
pub mod scan;

use std::hint::black_box;

use entgate::{
    entitlement::Entitlements,
    id::LookupKey,
    store::record::{self, Glance},
};

use crate::{
    deployment::{Edge, get},
    sample::{SIZES, customer, key, set},
    workload::Work,
};

/// A way in which a set could be stored.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    /// What it is called.
    pub name: &'static str,
    /// Writes a set down.
    pub write: fn(&Entitlements) -> Vec<u8>,
    /// Looks one feature up.
    pub glance: fn(&[u8], &LookupKey) -> Option<Glance>,
    /// The first so many of the list, as the list route answers them.
    pub page: fn(&[u8], usize) -> Option<Vec<u8>>,
}

/// The forms.
pub const FORMS: [Form; 5] =
    [rows::FORM, columns::FORM, columns::LENGTHS, keys_and_list::FORM, hashes::FORM];

/// The sizes of a page.
const PAGES: [usize; 2] = [10, 100];

/// The bytes of each form's records.
#[must_use]
pub fn sizes() -> Vec<(String, usize)> {
    let all = FORMS.iter().flat_map(|form| SIZES.map(|size| (form, size)));
    all.map(|(form, size)| (named(form, size, "bytes"), (form.write)(&set(size)).len())).collect()
}

/// What is done with each form's records.
///
/// # Panics
///
/// If a form answers otherwise than entgate does.
#[must_use]
pub fn works() -> Vec<Work> {
    let all = FORMS.iter().flat_map(|form| SIZES.map(|size| works_of(*form, size)));
    all.flatten().collect()
}

fn works_of(form: Form, size: usize) -> Vec<Work> {
    assert_answers(&form, size);
    let glance = |what: &str, feature: LookupKey| {
        let record = (form.write)(&set(size));
        Work::new(named(&form, size, what), move || {
            (form.glance)(black_box(&record), black_box(&feature))
        })
    };
    let page = |limit: usize| {
        let record = (form.write)(&set(size));
        Work::new(named(&form, size, &format!("list {limit}")), move || {
            (form.page)(black_box(&record), black_box(limit))
        })
    };
    [glance("last", key(size - 1)), glance("absent", key(size))]
        .into_iter()
        .chain(PAGES.map(page))
        .collect()
}

fn named(form: &Form, size: usize, what: &str) -> String {
    format!("form: {}: {size}: {what}", form.name)
}

/// A form that answers otherwise than entgate does is no form to compare with.
fn assert_answers(form: &Form, size: usize) {
    let (ours, its) = (record::write(&set(size)).unwrap(), (form.write)(&set(size)));
    for feature in (0..=size).map(key) {
        let (found, expected) = ((form.glance)(&its, &feature), record::glance(&ours, &feature));
        assert!(expected.is_some() && found == expected, "{}, {feature} of {size}", form.name);
    }
    let edge = Edge::new(ours);
    for limit in PAGES {
        let path = "/v1/entitlements/active_entitlements";
        let target = format!("{path}?customer={}&limit={limit}", customer().id);
        let expected = edge.answer(&get(&target)).into_body();
        assert_eq!((form.page)(&its, limit), Some(expected), "{}, {limit} of {size}", form.name);
    }
}
