//! The browser core: builds the set of one customer from API responses, and answers checks from it.
//!
//! | step   | file         | input → output                                                          |
//! |--------|--------------|-------------------------------------------------------------------------|
//! | verify | [`ed25519`]  | key, message, signature → whether the signature is valid                |
//! | replay | [`mod@replay`] | changes and a snapshot or list, newest first → the lines of a set     |
//! | check  | [`line_set`] | lines, feature, now → a [`crate::entitlement::Decision`]                |
//!
//! Browsers load this code, so every byte counts: it allocates nothing, formats nothing and does not
//! use serde. `tests/it/gate.rs` compares it with serde. Fetching the messages, and deciding which
//! keys to trust, is the caller's task.

mod sha512;

pub mod ed25519;

mod in_place_json;

pub mod line_set;

pub mod replay;

pub use self::{line_set::LineSet, replay::replay};
