//! JSON: decoding without a parser for each type, and scanning strings in place.
//!
//! | file     | what it is                                                              |
//! |----------|-------------------------------------------------------------------------|
//! | `decode` | [`FromJson`]: types that take their fields out of one parsed value      |
//! | `scan`   | finds characters of a string that need attention, eight bytes at a time |
//!
//! Writing JSON is `serde_json`'s.

mod decode;
pub(crate) mod scan;

pub(crate) use self::decode::impl_from_json;
pub use self::decode::{Decoder, EnumValue, Error, FromJson, ObjectFields, from_slice, to_string};
