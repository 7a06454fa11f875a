//! The documentation has every error code, and no other.

use std::collections::BTreeSet;

use entgate::api::ERROR_CODES;

const ERRORS: &str = include_str!("../../docs/errors.md");

/// The sections about errors that the API does not return.
const OTHER_CODES: [&str; 2] = ["Codes: OpenFeature", "Codes: the npm package"];

/// The codes in the first column of the tables in a section.
fn documented_codes(section: &str) -> impl Iterator<Item = &str> {
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `")?.split('|').next());
    rows.flat_map(|cell| cell.split(['`', ',', ' ']).filter(|code| !code.is_empty()))
}

#[test]
fn the_page_of_errors_has_every_code_of_the_api_and_no_other() {
    let sections = ERRORS.split("\n## ").filter(|section| {
        section.starts_with("Codes: ")
            && !OTHER_CODES.iter().any(|other| section.starts_with(other))
    });
    let documented: Vec<_> = sections.flat_map(documented_codes).collect();
    let unique: BTreeSet<_> = documented.iter().copied().collect();
    assert_eq!(documented.len(), unique.len(), "a code has two rows");
    assert_eq!(unique, ERROR_CODES.into_iter().collect());
}

#[test]
fn the_codes_are_sorted_and_none_occurs_twice() {
    assert!(ERROR_CODES.is_sorted_by(|first, second| first < second));
}
