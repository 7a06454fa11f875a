//! Random numbers: unpredictable ones for ids and secrets, and cheap ones for jitter.

use js_sys::Math;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::ledger::Jitter;

#[wasm_bindgen]
extern "C" {
    // It throws only for a request of over 64 KiB. Without `catch`, an exception ends the caller,
    // which must not continue without randomness.
    #[wasm_bindgen(js_namespace = crypto, js_name = getRandomValues)]
    fn get_random_values(bytes: &mut [u8]);
}

/// Returns 64 bits of the platform's cryptographic random number generator.
pub(super) fn random_u64() -> u64 {
    let mut bytes = [0; 8];
    get_random_values(&mut bytes);
    u64::from_le_bytes(bytes)
}

/// Returns the jitter of one back-off. It is not cryptographic.
pub(super) fn random_jitter() -> Jitter {
    Jitter(Math::random())
}
