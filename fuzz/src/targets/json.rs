//! JSON as `serde_json` reads it into a value, which is what the references of the targets use.

use serde_json::Value;

/// Why a reference rejects an input.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Rejection {
    /// The input is not valid: the crate must reject it too.
    Certain,
    /// Valid JSON that `serde_json` cannot read into a value: a string that is not Unicode, a number
    /// beyond a double, or 128 levels. A parser that ignores such a value may accept the input.
    Possible,
}

/// The errors of `serde_json` for input that a parser without values may accept.
const LIMITS: [&str; 5] = [
    "recursion limit exceeded",
    "number out of range",
    "invalid unicode code point",
    "lone leading surrogate in hex escape",
    "unexpected end of hex escape",
];

/// Parses a document. Of two members with one name, the last is used.
pub(super) fn parse(document: &[u8]) -> Result<Value, Rejection> {
    serde_json::from_slice(document).map_err(|error| {
        let message = error.to_string();
        let is_limit = LIMITS.iter().any(|limit| message.starts_with(limit));
        if is_limit { Rejection::Possible } else { Rejection::Certain }
    })
}

/// Whether an object of a document, at any depth, has two members with one name.
pub(super) fn has_duplicate_members(document: &[u8], value: &Value) -> bool {
    count_colons(document) != count_members(value)
}

/// The greatest number of arrays and objects around a value.
pub(super) fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// The colons outside of strings: one for each member of a valid document.
fn count_colons(document: &[u8]) -> usize {
    let (mut count, mut in_string) = (0, false);
    let mut bytes = document.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => in_string = !in_string,
            b'\\' if in_string => drop(bytes.next()),
            b':' if !in_string => count += 1,
            _ => {}
        }
    }
    count
}

fn count_members(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(count_members).sum(),
        Value::Object(members) => {
            members.len() + members.values().map(count_members).sum::<usize>()
        }
        _ => 0,
    }
}
