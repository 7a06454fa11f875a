//! Parameter values: trees of strings, parsed from form names or from JSON.

use crate::api::error::{Error, excerpt};

/// The maximum number of parameters in one request. The largest batch of checks has 300.
pub(super) const MAX_PARAMS: usize = 1_000;

/// The maximum nesting, in brackets. Stripe's deepest parameters need seven, such as those in
/// `payment_settings[payment_method_options]`. The limit bounds the recursion.
pub(super) const MAX_DEPTH: usize = 16;

/// The value of a parameter.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::api) enum ParamValue {
    String(String),
    /// A map, or a list, whose keys are `0`, `1`, ….
    Nested(Vec<(String, ParamValue)>),
}

/// 400: the request has more than [`MAX_PARAMS`] parameters.
pub(super) fn too_many_params() -> Error {
    Error::invalid(format!("More than {MAX_PARAMS} parameters in one request."))
}

/// 400: a parameter is nested deeper than [`MAX_DEPTH`].
fn too_deep(what: &str) -> Error {
    Error::invalid(format!("{what} is nested too deeply: it may have up to {MAX_DEPTH} levels."))
}

/// Splits a parameter name: `a[0][b]` → `a`, `0`, `b`.
///
/// # Errors
///
/// 400 if the name is malformed or nested too deeply.
pub(super) fn parse_name(name: &str) -> Result<Vec<&str>, Error> {
    let Some((first, rest)) = name.split_once('[') else { return Ok(vec![name]) };
    let inner = rest.strip_suffix(']').unwrap_or("[");
    let path: Vec<_> = std::iter::once(first).chain(inner.split("][")).collect();
    if first.is_empty() || path.iter().any(|part| part.contains(['[', ']'])) {
        let name = excerpt(name);
        let message = format!("Invalid parameter name: {name}. Brackets go in pairs.");
        return Err(Error::invalid(message));
    }
    if path.len() > MAX_DEPTH + 1 {
        return Err(too_deep(&format!("The parameter {}", excerpt(name))));
    }
    Ok(path)
}

/// Inserts a value under its path. `None` if the path is used both as a value and as a map.
pub(super) fn insert(
    entries: &mut Vec<(String, ParamValue)>,
    path: &[&str],
    value: String,
) -> Option<()> {
    let (first, rest) = path.split_first()?;
    let name = if first.is_empty() { entries.len().to_string() } else { (*first).to_owned() };
    let existing = entries.iter_mut().find(|(other, _)| *other == name).map(|(_, value)| value);
    match (existing, rest) {
        (None, []) => entries.push((name, ParamValue::String(value))),
        (None, rest) => {
            let mut inner = Vec::new();
            insert(&mut inner, rest, value)?;
            entries.push((name, ParamValue::Nested(inner)));
        }
        (Some(ParamValue::Nested(inner)), []) => insert(inner, &[""], value)?,
        (Some(ParamValue::Nested(inner)), rest) => insert(inner, rest, value)?,
        (Some(existing @ ParamValue::String(_)), []) => {
            let first = std::mem::replace(existing, ParamValue::Nested(Vec::new()));
            *existing = ParamValue::Nested(vec![
                ("0".to_owned(), first),
                ("1".to_owned(), ParamValue::String(value)),
            ]);
        }
        (Some(ParamValue::String(_)), _) => return None,
    }
    Some(())
}

/// Converts a JSON value. `None` for `null`. `budget` is the number of values that are still allowed.
pub(super) fn from_json_value(
    value: serde_json::Value,
    depth: usize,
    budget: &mut usize,
) -> Result<Option<ParamValue>, Error> {
    use serde_json::Value as Json;
    *budget = budget.checked_sub(1).ok_or_else(too_many_params)?;
    let inner = |items: Vec<(String, Json)>, budget: &mut usize| {
        let Some(depth) = depth.checked_sub(1) else {
            return Err(too_deep("The JSON body"));
        };
        let mut nested = Vec::with_capacity(items.len());
        for (name, item) in items {
            if let Some(value) = from_json_value(item, depth, budget)? {
                nested.push((name, value));
            }
        }
        Ok(Some(ParamValue::Nested(nested)))
    };
    match value {
        Json::Null => Ok(None),
        Json::Bool(boolean) => Ok(Some(ParamValue::String(boolean.to_string()))),
        Json::Number(number) => Ok(Some(ParamValue::String(number.to_string()))),
        Json::String(string) => Ok(Some(ParamValue::String(string))),
        Json::Array(items) => {
            let indexed = items.into_iter().enumerate().map(|(i, item)| (i.to_string(), item));
            inner(indexed.collect(), budget)
        }
        Json::Object(fields) => inner(fields.into_iter().collect(), budget),
    }
}

/// Writes parameters so that two requests have equal bytes if their parameters are equal: the order
/// and the encoding do not matter. Each string is preceded by its length.
pub(in crate::api) fn write_canonical(entries: &[(String, ParamValue)], out: &mut Vec<u8>) {
    // Not the sort of the standard library, which is large for a Worker.
    let mut sorted: Vec<&(String, ParamValue)> = Vec::with_capacity(entries.len());
    for entry in entries {
        // The second item of a list comes before the tenth.
        let is_before = |other: &&(String, ParamValue)| {
            other.0.len() < entry.0.len() || other.0.len() == entry.0.len() && other.0 <= entry.0
        };
        sorted.insert(sorted.partition_point(is_before), entry);
    }
    for (name, value) in sorted {
        write_string(b'=', name, out);
        match value {
            ParamValue::String(value) => write_string(b'"', value, out),
            ParamValue::Nested(inner) => {
                out.push(b'{');
                write_canonical(inner, out);
                out.push(b'}');
            }
        }
    }
}

fn write_string(tag: u8, value: &str, out: &mut Vec<u8>) {
    out.push(tag);
    out.extend(value.len().to_be_bytes());
    out.extend(value.bytes());
}

/// The values of a list, in the order of their indexes. `None` for a map.
pub(in crate::api) fn in_index_order(items: Vec<(String, ParamValue)>) -> Option<Vec<ParamValue>> {
    let mut indexed = Vec::with_capacity(items.len());
    for (name, value) in items {
        if !is_all_digits(&name) {
            return None;
        }
        let index: u64 = name.parse().ok()?;
        let position = indexed.partition_point(|(other, _)| *other <= index);
        indexed.insert(position, (index, value));
    }
    Some(indexed.into_iter().map(|(_, value)| value).collect())
}

/// The strings of a list, in the order of their indexes. `None` for a map or a nested list.
pub(super) fn strings_in_order(items: Vec<(String, ParamValue)>) -> Option<Vec<String>> {
    let strings = in_index_order(items)?.into_iter().map(|value| match value {
        ParamValue::String(string) => Some(string),
        ParamValue::Nested(_) => None,
    });
    strings.collect()
}

/// Whether a string consists of ASCII digits.
pub(in crate::api) fn is_all_digits(value: &str) -> bool {
    !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit())
}
