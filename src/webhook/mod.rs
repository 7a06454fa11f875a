//! The way in: genuine? → what does it say?
//!
//! | step   | file          | takes → gives                                        |
//! |--------|---------------|------------------------------------------------------|
//! | verify | [`signature`] | header, body, secrets, now → [`signature::Verified`] |
//! | parse  | [`stripe`]    | `Verified` → [`stripe::Incoming`]                    |
//!
//! The types enforce the order: only [`signature::verify()`] makes a `Verified`, and only a
//! `Verified` can be parsed. What the event changes is decided by [`crate::ledger`]; no step here
//! reads a clock or a store.

pub mod signature;
pub mod stripe;
