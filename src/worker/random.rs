//! Chance that nobody can guess: what ids and secrets are made of.

use wasm_bindgen::prelude::wasm_bindgen;

#[wasm_bindgen]
extern "C" {
    // It fails for nothing but a request of over 64 KiB. Should it ever, no number is made up: what
    // asked for it ends.
    #[wasm_bindgen(js_namespace = crypto, js_name = getRandomValues)]
    fn get_random_values(bytes: &mut [u8]);
}

/// 64 random bits, of the platform's cryptographic source.
pub(super) fn random_u64() -> u64 {
    let mut bytes = [0; 8];
    get_random_values(&mut bytes);
    u64::from_le_bytes(bytes)
}
