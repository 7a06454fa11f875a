//! JSON: the declaration of types, decoding without a parser for each type, parsing of what clients
//! send, and scanning for escapes.
//!
//! | file          | what it is                                                                  |
//! |---------------|-----------------------------------------------------------------------------|
//! | `declaration` | [`json_type!`](crate::json_type), [`string_enum!`](crate::string_enum): one declaration of what is stored or sent |
//! | `decode`      | [`FromJson`]: types that take their fields out of one parsed value          |
//! | `value`       | [`JsonValue`]: that value, with slices of the input                         |
//! | [`strict`]    | parses what a client sends: no object has two members of one name           |
//! | `object`      | decodes serde's structs from objects only                                   |
//! | `scan`        | finds characters of a string that need an escape, eight bytes at a time     |
//!
//! Encoding is `serde_json`'s. Members that a type does not have are ignored, so that newer code can
//! add some.
//!
//! These are all readers of JSON in this crate:
//!
//! | reader              | reads                             | why it is not `decode`         |
//! |---------------------|-----------------------------------|--------------------------------|
//! | `decode`            | everything that is not below      |                                |
//! | [`strict`]          | bodies of requests, and tokens    | a duplicate member is an error |
//! | serde, by `object`  | events, and lists of entitlements | speed: one pass without values |
//! | `store::record`     | records, as they are encoded      | speed: slices without copies   |
//! | `gate`              | what the edge sends to a browser  | size: no serde, no allocation  |

mod declaration;
mod decode;
pub(crate) mod object;
pub(crate) mod scan;
pub mod strict;
mod value;

pub use self::{
    declaration::{json_type, string_enum},
    decode::{Decoder, Error, FromJson, from_slice, to_string},
    value::JsonValue,
};
