//! Public-key operations in memory, without cryptography.
//!
//! A signature is the key's id and the message. The tests of the Workers shell cover the real
//! algorithms.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
};

use super::fault::{Fault, with_fault};
use crate::{
    store::{Crypto, Error},
    token::{PublicKey, SigningKey},
    waiting::yield_now,
};

/// Public-key operations in memory.
#[derive(Debug, Default)]
pub struct MemoryCrypto {
    /// The response of the issuer.
    pub jwks: RefCell<String>,
    /// The number of requests to the issuer.
    pub calls: Cell<u32>,
    /// How often other futures run before the issuer responds.
    pub delay: Cell<u32>,
    faults: RefCell<VecDeque<Fault>>,
}

impl MemoryCrypto {
    /// Makes the next call fail.
    pub fn fail_next(&self, fault: Fault) {
        self.faults.borrow_mut().push_back(fault);
    }

    /// Returns the signature of a message by the key with this id.
    #[must_use]
    pub fn fake_signature(kid: &str, message: &str) -> Vec<u8> {
        format!("{kid} {message}").into_bytes()
    }
}

impl Crypto for MemoryCrypto {
    async fn verify(
        &self,
        key: &PublicKey,
        message: &str,
        signature: &[u8],
    ) -> Result<bool, Error> {
        let kid = key.kid.as_deref().unwrap_or_default();
        with_fault(&self.faults, "crypto", || Ok(Self::fake_signature(kid, message) == signature))
    }

    async fn sign(&self, key: &SigningKey, message: &str) -> Result<Vec<u8>, Error> {
        with_fault(&self.faults, "crypto", || Ok(Self::fake_signature(key.kid(), message)))
    }

    async fn fetch_jwks(&self) -> Result<Vec<u8>, Error> {
        self.calls.set(self.calls.get().saturating_add(1));
        for _ in 0..self.delay.get() {
            yield_now().await;
        }
        with_fault(&self.faults, "issuer", || Ok(self.jwks.borrow().clone().into_bytes()))
    }
}
