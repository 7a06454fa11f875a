//! JSON: decoding without a parser for each type, and scanning for characters that need an escape.
//!
//! | file     | what it is                                                                       |
//! |----------|----------------------------------------------------------------------------------|
//! | `decode` | [`FromJson`]: types that take their fields out of one parsed value               |
//! | `scan`   | finds characters of a string that need an escape, eight bytes at a time          |
//!
//! Encoding is `serde_json`'s. Members that a type does not have are ignored, so that newer code can
//! add some.

mod decode;
pub(crate) mod scan;

pub(crate) use self::decode::impl_from_json;
pub use self::decode::{Decoder, EnumValue, Error, FromJson, ObjectFields, from_slice, to_string};
