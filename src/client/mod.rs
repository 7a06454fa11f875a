//! What a client keeps: what the edge has said of one customer, and the question asked of that.
//!
//! | step  | file       | takes → gives                                                        |
//! |-------|------------|----------------------------------------------------------------------|
//! | read  | [`said`]   | all that was said, newest first → the lines of a set, or none of it   |
//! | check | [`held`]   | those lines, a feature, now → a [`crate::entitlement::Decision`]      |
//!
//! Browsers load this, so that every byte counts: nothing is allocated, formatted or deserialized by
//! serde here. `tests/it/client.rs` holds it to what serde reads. That a snapshot was signed, and how a
//! text came here, is the caller's business.

pub mod ed25519;
mod json;
mod sha512;

pub mod said;

pub mod held;

pub use self::{held::Held, said::read};
