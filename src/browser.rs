//! The npm shell: the same question, asked in a browser.
//!
//! A page that a browser was given can be changed by whoever sits before it: a check here is a
//! courtesy to the reader, and the edge is the lock.
//!
//! Every visitor of a page loads this, so that only numbers cross to JavaScript: texts pass through
//! [`text`], a place in the module's memory, and neither an allocator nor wasm-bindgen's handling of
//! strings has to be loaded. What was read is JavaScript's to keep (`www/npm/src/core`); fetching,
//! verifying and storing sets, and the ways of the frameworks, are there.

use std::cell::RefCell;

use wasm_bindgen::prelude::wasm_bindgen;

use crate::{
    entitlement::{Decision, DenyReason},
    gate::{self, LineSet},
    id::Timestamp,
};

/// The most bytes that pass at once. A list has some 200 for each feature, a snapshot no more than 84.
pub const BUFFER_LEN: usize = 1 << 20;

thread_local! {
    static TEXT: RefCell<[u8; BUFFER_LEN]> = const { RefCell::new([0; BUFFER_LEN]) };
}

/// Where the texts stand: the first of [`LIMIT`] bytes.
#[wasm_bindgen]
#[must_use]
pub fn buffer_ptr() -> *const u8 {
    TEXT.try_with(|text| text.as_ptr().cast_const().cast()).unwrap_or(std::ptr::null())
}

/// Reads so many bytes of what the edge has said, as [`client::said`] has it. The lines of the set
/// stand in their place then. Gives their length, and 0 where there is no set.
#[wasm_bindgen]
#[must_use]
pub fn load(length: usize) -> usize {
    let read = TEXT.try_with(|text| gate::replay(text.try_borrow_mut().ok()?.get_mut(..length)?));
    read.ok().flatten().unwrap_or(0)
}

/// May the customer use the feature? So many bytes are the lines of the set, and as many as that are
/// the feature behind them; now is in Unix seconds.
///
/// | answer | means                                |
/// |--------|--------------------------------------|
/// | 0      | no                                   |
/// | 1      | yes                                  |
/// | 2      | no, as one who was never heard of    |
/// | 3      | it is not known                      |
#[wasm_bindgen]
#[must_use]
pub fn check(held: usize, feature: usize, now: f64) -> u8 {
    #[expect(clippy::cast_possible_truncation, reason = "a float saturates as an integer")]
    let now = Timestamp(now as i64);
    let decision = TEXT.try_with(|text| {
        let text = text.try_borrow().ok()?;
        let (held, rest) = text.split_at_checked(held)?;
        Some(LineSet(held).check(rest.get(..feature)?, now))
    });
    match decision.ok().flatten() {
        Some(Decision::Deny(DenyReason::NotEntitled)) => 0,
        Some(Decision::Grant) => 1,
        Some(Decision::Deny(DenyReason::UnknownCustomer)) => 2,
        Some(Decision::Indeterminate) | None => 3,
    }
}

/// Whether a signature is genuine: a key (32 bytes), the signature (64), and so many that were signed.
#[wasm_bindgen]
#[must_use]
pub fn verify(length: usize) -> bool {
    let genuine = TEXT.try_with(|text| {
        let text = text.try_borrow().ok()?;
        let (key, rest) = text.split_first_chunk()?;
        let (signature, rest) = rest.split_first_chunk()?;
        Some(gate::ed25519::verify(key, rest.get(..length)?, signature))
    });
    genuine.ok().flatten().unwrap_or(false)
}
