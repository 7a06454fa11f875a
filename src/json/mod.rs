//! JSON: the declaration of types, decoding without a parser for each type, and scanning for escapes.
//!
//! | file          | what it is                                                                  |
//! |---------------|-----------------------------------------------------------------------------|
//! | `declaration` | [`json_type!`](crate::json_type): one declaration of what is stored or sent |
//! | `decode`      | [`FromJson`]: types that take their fields out of one parsed value          |
//! | `scan`        | finds characters of a string that need an escape, eight bytes at a time     |
//!
//! Encoding is `serde_json`'s. Members that a type does not have are ignored, so that newer code can
//! add some.

mod declaration;
mod decode;
pub(crate) mod scan;

pub(crate) use self::decode::impl_from_json;
pub use self::{
    declaration::json_type,
    decode::{Decoder, Error, FromJson, from_slice, to_string},
};
