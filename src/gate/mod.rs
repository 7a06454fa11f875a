//! What a client keeps: what the edge has said of one customer, and the question asked of that.
//!
//! | step   | file        | takes → gives                                                           |
//! |--------|-------------|-------------------------------------------------------------------------|
//! | verify | [`ed25519`] | a key, what was signed, a signature → whether it is genuine             |
//! | read   | [`said`]    | all that was said, newest first → the lines of a set, if it makes one   |
//! | check  | [`held`]    | those lines, a feature, now → a [`crate::entitlement::Decision`]        |
//!
//! Browsers load this, so that every byte counts: nothing is allocated, nothing formatted, and serde is
//! not here. `tests/it/client.rs` holds it to what serde reads. How a text came here, and whose key is
//! to be believed, is the caller's business.

mod in_place_json;
mod sha512;

pub mod ed25519;
pub mod replay;

pub mod line_set;

pub use self::{line_set::LineSet, replay::replay};
