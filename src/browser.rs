//! The npm shell: the same question, asked in a browser.
//!
//! A page that a browser was given can be changed by whoever sits before it: a check here is a
//! courtesy to the reader, and the edge is the lock.
//!
//! What crosses to JavaScript is a list as the edge answers it. Fetching it, keeping it true and
//! the ways of the frameworks are not here.

use wasm_bindgen::prelude::{JsError, wasm_bindgen};

use crate::{
    entitlement::{self, Coverage, Decision, Entitlements, Page, Version},
    id::{LookupKey, Timestamp},
    listing::List,
};

/// What one customer holds, in JavaScript's hands.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Gate {
    held: Entitlements,
}

#[wasm_bindgen]
impl Gate {
    /// Takes one page of a list, as JSON. Where it says that there is more, what is missing in it
    /// is not known.
    ///
    /// # Errors
    ///
    /// Throws an `Error` that says what is not as in a list.
    #[wasm_bindgen(constructor)]
    pub fn new(list: &str) -> Result<Self, JsError> {
        let list: List = serde_json::from_str(list)?;
        let (coverage, data) = match list.page()? {
            Page::Whole(data) => (Coverage::Whole, data),
            Page::First(data) => (Coverage::Partial, data),
        };
        // A list tells neither: they decide nothing.
        let (version, as_of) = (Version::default(), Timestamp(0));
        Ok(Self { held: Entitlements { version, as_of, coverage, data } })
    }

    /// May the customer use the feature? `true`, `false`, or `undefined` while it is not known.
    /// What is no lookup key is no feature, and a `false`. Never throws.
    #[must_use]
    pub fn has(&self, feature: &str) -> Option<bool> {
        let Ok(feature) = LookupKey::try_from(feature) else { return Some(false) };
        match entitlement::check(Some(&self.held), &feature) {
            Decision::Grant => Some(true),
            Decision::Deny(_) => Some(false),
            Decision::Undecided => None,
        }
    }

    /// The lookup keys of all that is held, newest grant first.
    #[must_use]
    pub fn list(&self) -> Vec<String> {
        self.held.data.iter().map(|granted| granted.lookup_key.to_string()).collect()
    }
}
