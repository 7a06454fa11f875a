//! Decoding of JSON without a parser for each type.
//!
//! | JSON                                  | result                                                |
//! |---------------------------------------|-------------------------------------------------------|
//! | a member that the type does not have  | ignored                                               |
//! | a missing member                      | like `null`: `None` for an [`Option`], else an error  |
//! | a value of the wrong type             | a placeholder, and the [`Decoder`] stores the error   |
//!
//! serde derives a separate parser for each type. Those parsers are fast, but they were a tenth of the
//! Worker's size. Here `serde_json` parses every input into a [`JsonValue`], and a type takes its
//! fields out of that. Placeholders never reach the caller: [`Decoder::into_result`] fails if there is an
//! error.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use serde_json::{Map, Value};

use super::value::{self, JsonValue};

/// A type that can be decoded from a JSON value.
pub trait FromJson: Sized {
    /// Decodes a value. If that fails, stores the error in the decoder and returns a placeholder.
    fn from_json(value: JsonValue<'_>, decoder: &mut Decoder) -> Self;
}

/// Why an input cannot be decoded.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The input is not valid JSON.
    #[error("{0}")]
    Syntax(String),
    /// The value of this member has the wrong type.
    #[error("`{0}` has the wrong type")]
    WrongType(&'static str),
}

/// Decodes a JSON document.
///
/// # Errors
///
/// Returns the first error in the input.
pub fn from_slice<T: FromJson>(input: &[u8]) -> Result<T, Error> {
    let mut decoder = Decoder::default();
    let value = decoder.decode(input);
    decoder.into_result().map(|()| value)
}

/// Encodes a value as a string. This cannot fail for a [`Value`].
#[must_use]
pub fn to_string(value: &Value) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// Decodes values and stores the first error.
#[derive(Debug, Default)]
pub struct Decoder {
    field: &'static str,
    error: Option<Error>,
}

impl Decoder {
    /// Decodes a JSON document. The result is a placeholder if [`Decoder::into_result`] fails.
    pub fn decode<T: FromJson>(&mut self, input: &[u8]) -> T {
        T::from_json(self.parse(input), self)
    }

    fn parse<'a>(&mut self, input: &'a [u8]) -> JsonValue<'a> {
        serde_json::from_slice(input).unwrap_or_else(|error| {
            self.error.get_or_insert(Error::Syntax(error.to_string()));
            JsonValue::Null
        })
    }

    /// Stores that the current member has the wrong type, unless there is an earlier error.
    pub fn mark_invalid(&mut self) {
        self.error.get_or_insert(Error::WrongType(self.field));
    }

    fn or_invalid<T: Default>(&mut self, decoded: Option<T>) -> T {
        decoded.unwrap_or_else(|| {
            self.mark_invalid();
            T::default()
        })
    }

    /// Decodes a member of a value, which should be an object, and removes it. A missing one is decoded
    /// from `null`.
    pub fn decode_field<T: FromJson>(
        &mut self,
        object: &mut JsonValue<'_>,
        name: &'static str,
    ) -> T {
        T::from_json(self.take_field(object, name), self)
    }

    fn take_field<'a>(&mut self, object: &mut JsonValue<'a>, name: &'static str) -> JsonValue<'a> {
        // `stringify!` keeps the prefix of a raw identifier.
        let name = name.strip_prefix("r#").unwrap_or(name);
        let member = object.take_member(name);
        if member.is_none() {
            self.mark_invalid();
        }
        self.field = name;
        member.unwrap_or_default()
    }

    /// Splits a variant of an enum in serde's encoding, `"start"` or `{"after":…}`, into its name and its
    /// content. The content of a unit variant is `null`.
    pub fn split_variant<'a>(&mut self, value: JsonValue<'a>) -> (Cow<'a, str>, JsonValue<'a>) {
        let variant = match value {
            JsonValue::String(name) => Some((name, JsonValue::Null)),
            JsonValue::Object(mut members) if members.len() == 1 => members.pop(),
            _ => None,
        };
        self.or_invalid(variant)
    }

    /// Marks an unknown variant as invalid, and returns the JSON of its placeholder.
    pub fn unknown_variant<'a>(&mut self, placeholder: &'a str) -> JsonValue<'a> {
        self.mark_invalid();
        JsonValue::String(Cow::Borrowed(placeholder))
    }

    /// Succeeds if everything was decoded without an error.
    ///
    /// # Errors
    ///
    /// Returns the first error.
    pub fn into_result(self) -> Result<(), Error> {
        self.error.map_or(Ok(()), Err)
    }
}

impl FromJson for Value {
    fn from_json(value: JsonValue<'_>, _decoder: &mut Decoder) -> Self {
        value.into()
    }
}

impl FromJson for bool {
    fn from_json(value: JsonValue<'_>, decoder: &mut Decoder) -> Self {
        decoder.or_invalid(match value {
            JsonValue::Bool(boolean) => Some(boolean),
            _ => None,
        })
    }
}

impl FromJson for i64 {
    fn from_json(value: JsonValue<'_>, decoder: &mut Decoder) -> Self {
        decoder.or_invalid(match value {
            JsonValue::Number(number) => number.as_i64(),
            _ => None,
        })
    }
}

macro_rules! impl_for_unsigned {
    ($($type:ident)*) => {$(
        impl FromJson for $type {
            fn from_json(value: JsonValue<'_>, decoder: &mut Decoder) -> Self {
                decoder.or_invalid(match value {
                    JsonValue::Number(number) => {
                        number.as_u64().and_then(|number| number.try_into().ok())
                    }
                    _ => None,
                })
            }
        }
    )*};
}
impl_for_unsigned! { u16 u32 u64 usize }

impl FromJson for String {
    fn from_json(value: JsonValue<'_>, decoder: &mut Decoder) -> Self {
        decoder.or_invalid(match value {
            JsonValue::String(string) => Some(string.into_owned()),
            _ => None,
        })
    }
}

impl FromJson for Map<String, Value> {
    fn from_json(value: JsonValue<'_>, decoder: &mut Decoder) -> Self {
        decoder.or_invalid(match value {
            JsonValue::Object(members) => Some(value::to_map(members)),
            _ => None,
        })
    }
}

impl<T: FromJson> FromJson for BTreeMap<String, T> {
    fn from_json(value: JsonValue<'_>, decoder: &mut Decoder) -> Self {
        let members = decoder.or_invalid(match value {
            JsonValue::Object(members) => Some(members),
            _ => None,
        });
        let decode = |(name, value): (Cow<'_, str>, JsonValue<'_>)| {
            (name.into_owned(), T::from_json(value, decoder))
        };
        members.into_iter().map(decode).collect()
    }
}

impl<T: FromJson + Ord> FromJson for BTreeSet<T> {
    fn from_json(value: JsonValue<'_>, decoder: &mut Decoder) -> Self {
        let mut set = Self::new();
        set.extend(Vec::from_json(value, decoder));
        set
    }
}

impl<T: FromJson> FromJson for Vec<T> {
    fn from_json(value: JsonValue<'_>, decoder: &mut Decoder) -> Self {
        let items = decoder.or_invalid(match value {
            JsonValue::Array(items) => Some(items),
            _ => None,
        });
        items.into_iter().map(|item| T::from_json(item, decoder)).collect()
    }
}

impl<A: FromJson, B: FromJson> FromJson for (A, B) {
    fn from_json(value: JsonValue<'_>, decoder: &mut Decoder) -> Self {
        let pair = match value {
            JsonValue::Array(items) => <[JsonValue<'_>; 2]>::try_from(items).ok(),
            _ => None,
        };
        let [a, b] = decoder.or_invalid(pair);
        (A::from_json(a, decoder), B::from_json(b, decoder))
    }
}

impl<T: FromJson> FromJson for Box<T> {
    fn from_json(value: JsonValue<'_>, decoder: &mut Decoder) -> Self {
        Self::new(T::from_json(value, decoder))
    }
}

impl<T: FromJson> FromJson for Option<T> {
    fn from_json(value: JsonValue<'_>, decoder: &mut Decoder) -> Self {
        (!matches!(value, JsonValue::Null)).then(|| T::from_json(value, decoder))
    }
}
