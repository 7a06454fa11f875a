//! The targets: functions that accept any bytes, and panic where the crate and a reference differ.
//!
//! | target      | input                                              | compared with                              |
//! |-------------|----------------------------------------------------|--------------------------------------------|
//! | `signature` | now, header, body                                  | a naive parser, and HMAC by its definition |
//! | `event`     | an event                                           | what its `serde_json::Value` means         |
//! | `record`    | a lookup key, a record                             | the same; the fast readers with `decode`   |
//! | `gate`      | a lookup key, now, messages                        | the same                                   |
//! | `token`     | header, claims, signature, JWK Set                 | the same, and a naive base64url            |
//! | `form`      | method and path, form                              | the same parameters as JSON                |
//! | `request`   | a request in the form of HTTP/1.1                  | the fast path with the slow one            |
//!
//! Parts of an input are separated by line feeds. A mutation of an input cannot sign it, so a marker such
//! as `SIG0` or `$KEY` stands for a valid signature or credential.
//!
//! A target uses only the crate's public API. What depends on settings and signatures is in [`subject`].

mod hmac;
mod json;
mod lines;
mod subject;

mod event;
mod form;
mod gate;
mod record;
mod request;
mod signature;
mod token;

/// A target, which panics where the crate is wrong.
pub(crate) type Target = fn(&[u8]);

/// Each target with its name, which is also that of its folder in `fuzz/corpus`.
pub(crate) const TARGETS: &[(&str, Target)] = &[
    ("event", event::run),
    ("form", form::run),
    ("gate", gate::run),
    ("record", record::run),
    ("request", request::run),
    ("signature", signature::run),
    ("token", token::run),
];
