//! Webhook intake: verifies and parses the events that Stripe sends.
//!
//! | step   | file          | input → output                                       |
//! |--------|---------------|------------------------------------------------------|
//! | verify | [`signature`] | header, body, secrets, now → [`signature::Verified`] |
//! | parse  | [`stripe`]    | `Verified` → [`stripe::Incoming`]                    |
//!
//! The types enforce this order: only [`signature::verify()`] creates a `Verified`, and only a
//! `Verified` can be parsed. No step reads a clock or a store. What an event changes is decided in
//! [`crate::ledger`].

pub mod signature;
pub mod stripe;
