//! Decoding of JSON without a parser for each type.
//!
//! | JSON                                  | result                                                |
//! |---------------------------------------|-------------------------------------------------------|
//! | a member that the type does not have  | ignored                                               |
//! | a missing member                      | like `null`: `None` for an [`Option`], else an error  |
//! | a value of the wrong type             | a placeholder, and the [`Decoder`] stores the error   |
//!
//! serde derives a separate parser for each type. Those parsers are fast, but they were a tenth of the
//! Worker's size. Here `serde_json` parses every input into a [`Value`], and a type takes its fields
//! out of that. Placeholders never reach the caller: [`Decoder::into_result`] fails if there is an
//! error.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

/// A type that can be decoded from a JSON value.
pub trait FromJson: Sized {
    /// Decodes a value. If that fails, stores the error in the decoder and returns a placeholder.
    fn from_json(value: Value, decoder: &mut Decoder) -> Self;
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

    fn parse(&mut self, input: &[u8]) -> Value {
        serde_json::from_slice(input).unwrap_or_else(|error| {
            self.error.get_or_insert(Error::Syntax(error.to_string()));
            Value::Null
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

    /// Succeeds if everything was decoded without an error.
    ///
    /// # Errors
    ///
    /// Returns the first error.
    pub fn into_result(self) -> Result<(), Error> {
        self.error.map_or(Ok(()), Err)
    }
}

/// The members of an object that are not decoded yet.
#[derive(Debug)]
pub struct ObjectFields<'a> {
    remaining: Map<String, Value>,
    decoder: &'a mut Decoder,
}

impl<'a> ObjectFields<'a> {
    /// Takes the members of a value, which should be an object.
    #[must_use]
    pub fn from_value(value: Value, decoder: &'a mut Decoder) -> Self {
        Self { remaining: Map::from_json(value, decoder), decoder }
    }

    /// Decodes a member. A missing one is decoded from `null`.
    pub fn decode_field<T: FromJson>(&mut self, name: &'static str) -> T {
        T::from_json(self.take_field(name), self.decoder)
    }

    fn take_field(&mut self, name: &'static str) -> Value {
        // `stringify!` keeps the prefix of a raw identifier.
        let name = name.strip_prefix("r#").unwrap_or(name);
        self.decoder.field = name;
        self.remaining.get_mut(name).map(Value::take).unwrap_or_default()
    }
}

/// A variant of an enum in serde's encoding: `"start"`, or `{"after":…}`.
#[derive(Debug)]
pub struct EnumValue {
    /// The name of the variant.
    pub name: String,
    /// Its content; `null` for a unit variant.
    pub value: Value,
}

impl EnumValue {
    /// Splits a value into the name of the variant and its content.
    #[must_use]
    pub fn from_value(value: Value, decoder: &mut Decoder) -> Self {
        let variant = match value {
            Value::String(name) => Some((name, Value::Null)),
            Value::Object(fields) if fields.len() == 1 => fields.into_iter().next(),
            _ => None,
        };
        let (name, value) = decoder.or_invalid(variant);
        Self { name, value }
    }
}

/// Implements [`FromJson`] for a type in serde's encoding: a struct by its fields, an enum by the names
/// of its variants.
macro_rules! impl_from_json {
    (struct $type:ident $(<$param:ident>)? { $($field:ident),* $(,)? }) => {
        impl $(<$param: $crate::json::FromJson>)? $crate::json::FromJson for $type $(<$param>)? {
            fn from_json(value: serde_json::Value, decoder: &mut $crate::json::Decoder) -> Self {
                let mut fields = $crate::json::ObjectFields::from_value(value, decoder);
                Self { $($field: fields.decode_field(stringify!($field))),* }
            }
        }
    };
    (struct $type:ident($inner:ident)) => {
        impl $crate::json::FromJson for $type {
            fn from_json(value: serde_json::Value, decoder: &mut $crate::json::Decoder) -> Self {
                Self(<$inner as $crate::json::FromJson>::from_json(value, decoder))
            }
        }
    };
    // The first variant is the placeholder for an unknown one.
    (enum $type:ident $(<$param:ident>)? {
        $first:ident $(($first_inner:tt))? $({ $($first_field:ident),* })? = $name:literal
        $(, $variant:ident $(($inner:tt))? $({ $($field:ident),* })? = $names:literal)* $(,)?
    }) => {
        impl $(<$param: $crate::json::FromJson>)? $crate::json::FromJson for $type $(<$param>)? {
            fn from_json(value: serde_json::Value, decoder: &mut $crate::json::Decoder) -> Self {
                let variant = $crate::json::EnumValue::from_value(value, decoder);
                match variant.name.as_str() {
                    $($names => $crate::json::impl_from_json! {
                        @$variant $(($inner))? $({ $($field),* })? variant decoder
                    },)*
                    name => {
                        if name != $name {
                            decoder.mark_invalid();
                        }
                        $crate::json::impl_from_json! {
                            @$first $(($first_inner))? $({ $($first_field),* })? variant decoder
                        }
                    }
                }
            }
        }
    };
    (@$variant:ident $variant_value:ident $decoder:ident) => { Self::$variant };
    (@$variant:ident ($inner:tt) $variant_value:ident $decoder:ident) => {
        Self::$variant($crate::json::FromJson::from_json($variant_value.value, $decoder))
    };
    (@$variant:ident { $($field:ident),* } $variant_value:ident $decoder:ident) => {{
        let mut fields = $crate::json::ObjectFields::from_value($variant_value.value, $decoder);
        Self::$variant { $($field: fields.decode_field(stringify!($field))),* }
    }};
}
pub(crate) use impl_from_json;

impl FromJson for Value {
    fn from_json(value: Value, _decoder: &mut Decoder) -> Self {
        value
    }
}

impl FromJson for bool {
    fn from_json(value: Value, decoder: &mut Decoder) -> Self {
        decoder.or_invalid(value.as_bool())
    }
}

impl FromJson for i64 {
    fn from_json(value: Value, decoder: &mut Decoder) -> Self {
        decoder.or_invalid(value.as_i64())
    }
}

impl FromJson for u64 {
    fn from_json(value: Value, decoder: &mut Decoder) -> Self {
        decoder.or_invalid(value.as_u64())
    }
}

impl FromJson for u32 {
    fn from_json(value: Value, decoder: &mut Decoder) -> Self {
        decoder.or_invalid(value.as_u64().and_then(|number| number.try_into().ok()))
    }
}

impl FromJson for u16 {
    fn from_json(value: Value, decoder: &mut Decoder) -> Self {
        decoder.or_invalid(value.as_u64().and_then(|number| number.try_into().ok()))
    }
}

impl FromJson for usize {
    fn from_json(value: Value, decoder: &mut Decoder) -> Self {
        decoder.or_invalid(value.as_u64().and_then(|number| number.try_into().ok()))
    }
}

impl FromJson for String {
    fn from_json(value: Value, decoder: &mut Decoder) -> Self {
        decoder.or_invalid(match value {
            Value::String(string) => Some(string),
            _ => None,
        })
    }
}

impl FromJson for Map<String, Value> {
    fn from_json(value: Value, decoder: &mut Decoder) -> Self {
        decoder.or_invalid(match value {
            Value::Object(fields) => Some(fields),
            _ => None,
        })
    }
}

impl<T: FromJson> FromJson for BTreeMap<String, T> {
    fn from_json(value: Value, decoder: &mut Decoder) -> Self {
        let mut map = Self::new();
        for (name, value) in Map::from_json(value, decoder) {
            map.insert(name, T::from_json(value, decoder));
        }
        map
    }
}

impl<T: FromJson + Ord> FromJson for BTreeSet<T> {
    fn from_json(value: Value, decoder: &mut Decoder) -> Self {
        let mut set = Self::new();
        set.extend(Vec::from_json(value, decoder));
        set
    }
}

impl<T: FromJson> FromJson for Vec<T> {
    fn from_json(value: Value, decoder: &mut Decoder) -> Self {
        let items = decoder.or_invalid(match value {
            Value::Array(items) => Some(items),
            _ => None,
        });
        items.into_iter().map(|item| T::from_json(item, decoder)).collect()
    }
}

impl<A: FromJson, B: FromJson> FromJson for (A, B) {
    fn from_json(value: Value, decoder: &mut Decoder) -> Self {
        let pair = match value {
            Value::Array(items) => <[Value; 2]>::try_from(items).ok(),
            _ => None,
        };
        let [a, b] = decoder.or_invalid(pair);
        (A::from_json(a, decoder), B::from_json(b, decoder))
    }
}

impl<T: FromJson> FromJson for Option<T> {
    fn from_json(value: Value, decoder: &mut Decoder) -> Self {
        (!value.is_null()).then(|| T::from_json(value, decoder))
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    struct Sample {
        r#type: SampleKind,
        count: u32,
        note: Option<String>,
        pairs: Vec<(String, i64)>,
        notes: BTreeMap<String, String>,
    }

    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    #[serde(rename_all = "snake_case")]
    enum SampleKind {
        Large,
        VerySmall,
        Number(u64),
        Range { first: u16, last: Option<u16> },
    }

    impl_from_json! { struct Sample { r#type, count, note, pairs, notes } }
    impl_from_json! {
        enum SampleKind {
            Large = "large", VerySmall = "very_small", Number(_) = "number",
            Range { first, last } = "range",
        }
    }

    const SAMPLE: &str = concat!(
        r#"{"type":"very_small","count":4294967295,"note":null,"#,
        r#""pairs":[["a",-1]],"notes":{"b":"c"}}"#
    );

    #[test]
    fn serde_output_decodes_to_the_same_value() {
        for kind in ["\"very_small\"", r#"{"number":7}"#, r#"{"range":{"first":1,"last":null}}"#] {
            let json = SAMPLE.replace("\"very_small\"", kind);
            let sample: Sample = serde_json::from_str(&json).unwrap();
            assert_eq!(serde_json::to_string(&sample).unwrap(), json);
            assert_eq!(from_slice(json.as_bytes()), Ok(sample));
        }
    }

    #[test]
    fn an_extra_field_is_ignored_and_a_missing_optional_field_is_none() {
        let changed = SAMPLE.replace(r#""note":null"#, r#""more":[{}]"#);
        assert_eq!(from_slice::<Sample>(changed.as_bytes()), from_slice(SAMPLE.as_bytes()));
    }

    #[test]
    fn a_field_of_the_wrong_type_is_named_and_fails_the_whole_value() {
        for (from, to, member) in [
            (SAMPLE, "[]", ""),
            (r#""very_small""#, r#""small""#, "type"),
            (r#""very_small""#, r#"{"number":-1}"#, "type"),
            (r#""very_small""#, r#"{"number":1,"large":null}"#, "type"),
            (r#""very_small""#, r#"{"range":{}}"#, "first"),
            ("4294967295", "4294967296", "count"),
            ("4294967295", "1.0", "count"),
            (r#""count":4294967295,"#, "", "count"),
            ("null", "1", "note"),
            (r#"["a",-1]"#, r#"["a"]"#, "pairs"),
            (r#"["a",-1]"#, r#"["a",-1,0]"#, "pairs"),
            (r#""c""#, "null", "notes"),
        ] {
            let changed = SAMPLE.replace(from, to);
            assert_eq!(
                from_slice::<Sample>(changed.as_bytes()),
                Err(Error::WrongType(member)),
                "{changed}"
            );
        }
        let truncated = SAMPLE.trim_end_matches('}');
        let Err(Error::Syntax(message)) = from_slice::<Sample>(truncated.as_bytes()) else {
            panic!("{truncated}")
        };
        assert_eq!(message, "EOF while parsing an object at line 1 column 87");
    }
}
