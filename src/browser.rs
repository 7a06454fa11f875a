//! Shell of the npm package: checks a feature in a browser.
//!
//! A visitor can change any page that a browser loads. So a check here only decides what a page
//! shows; access is controlled at the edge.
//!
//! Every visitor of a page loads this module, so it must be small. Only numbers cross to JavaScript.
//! Strings are passed in a buffer in the module's memory ([`buffer_ptr`]), which needs neither an
//! allocator nor wasm-bindgen's strings. JavaScript stores the loaded set. Fetching and storing sets,
//! and the framework integrations, are in `www/npm/src`.

use std::cell::RefCell;

use wasm_bindgen::prelude::wasm_bindgen;

use crate::{
    entitlement::{Decision, DenyReason},
    gate::{self, LineSet},
    id::Timestamp,
};

/// The size of the buffer in bytes. A list has about 200 bytes per feature, a snapshot at most 84.
pub const BUFFER_LEN: usize = 1 << 20;

thread_local! {
    static BUFFER: RefCell<[u8; BUFFER_LEN]> = const { RefCell::new([0; BUFFER_LEN]) };
}

/// The address of the buffer, which has [`BUFFER_LEN`] bytes.
#[wasm_bindgen]
#[must_use]
pub fn buffer_ptr() -> *const u8 {
    BUFFER.try_with(|buffer| buffer.as_ptr().cast_const().cast()).unwrap_or(std::ptr::null())
}

/// Builds a set from the messages in the first `length` bytes of the buffer, with [`gate::replay()`].
/// Overwrites them with the lines of the set and returns the length of those, or 0 if there is no
/// valid set.
#[wasm_bindgen]
#[must_use]
pub fn load(length: usize) -> usize {
    let set_len =
        BUFFER.try_with(|buffer| gate::replay(buffer.try_borrow_mut().ok()?.get_mut(..length)?));
    set_len.ok().flatten().unwrap_or(0)
}

/// Checks a feature. The buffer has the lines of a set (`set_len` bytes) and then the lookup key
/// (`feature_len` bytes); `now` is in Unix seconds.
///
/// | result | meaning                                 |
/// |--------|-----------------------------------------|
/// | 0      | denied                                  |
/// | 1      | granted                                 |
/// | 2      | denied: the customer is unknown         |
/// | 3      | not known                               |
#[wasm_bindgen]
#[must_use]
pub fn check(set_len: usize, feature_len: usize, now: f64) -> u8 {
    #[expect(clippy::cast_possible_truncation, reason = "a float saturates as an integer")]
    let now = Timestamp(now as i64);
    let decision = BUFFER.try_with(|buffer| {
        let buffer = buffer.try_borrow().ok()?;
        let (set, rest) = buffer.split_at_checked(set_len)?;
        Some(LineSet(set).check(rest.get(..feature_len)?, now))
    });
    match decision.ok().flatten() {
        Some(Decision::Deny(DenyReason::UnknownCustomer)) => 2,
        Some(Decision::Deny(_)) => 0,
        Some(Decision::Grant(_)) => 1,
        Some(Decision::Indeterminate) | None => 3,
    }
}

/// Verifies an Ed25519 signature. The buffer has the key (32 bytes), the signature (64) and then the
/// signed message (`length` bytes).
#[wasm_bindgen]
#[must_use]
pub fn verify(length: usize) -> bool {
    let valid = BUFFER.try_with(|buffer| {
        let buffer = buffer.try_borrow().ok()?;
        let (key, rest) = buffer.split_first_chunk()?;
        let (signature, rest) = rest.split_first_chunk()?;
        Some(gate::ed25519::verify(key, rest.get(..length)?, signature))
    });
    valid.ok().flatten().unwrap_or(false)
}
