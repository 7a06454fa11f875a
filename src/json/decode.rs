//! JSON, read without a parser for each type.
//!
//! | JSON                       | is read as                                               |
//! |----------------------------|----------------------------------------------------------|
//! | a member that nobody takes | nothing                                                  |
//! | a member that lacks        | `null`, which is none where there is an [`Option`]       |
//! | what has another form      | something that stands for it, and the [`Reader`] notes it |
//!
//! What serde derives for reading is a parser of its own for each type: fast, and all of them were a
//! tenth of the Worker's bytes. Here one parser makes a [`Value`] of whatever it is, and a type only
//! takes its members out. Nothing that stands for something gets out: [`Reader::finish`] refuses the
//! whole.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

/// What can be read.
pub trait FromJson: Sized {
    /// What a value is, or something that stands for it where the reader notes that it is not.
    fn from_json(value: Value, reader: &mut Decoder) -> Self;
}

/// Why something cannot be read.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It is no JSON.
    #[error("{0}")]
    Syntax(String),
    /// A member has another form.
    #[error("`{0}` has another form")]
    WrongType(&'static str),
}

/// Reads a text.
///
/// # Errors
///
/// Names the first thing that is not to be read.
pub fn from_slice<T: FromJson>(text: &[u8]) -> Result<T, Error> {
    let mut reader = Decoder::default();
    let value = reader.decode(text);
    reader.into_result().map(|()| value)
}

/// A value as text. None has a form that cannot be written.
#[must_use]
pub fn to_string(value: &Value) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// Reads, and remembers what was not to be read.
#[derive(Debug, Default)]
pub struct Decoder {
    field: &'static str,
    error: Option<Error>,
}

impl Decoder {
    /// Reads a text, or what stands for it.
    pub fn decode<T: FromJson>(&mut self, text: &[u8]) -> T {
        T::from_json(self.parse(text), self)
    }

    fn parse(&mut self, text: &[u8]) -> Value {
        serde_json::from_slice(text).unwrap_or_else(|error| {
            self.error.get_or_insert(Error::Syntax(error.to_string()));
            Value::Null
        })
    }

    /// Notes that what is being read has another form.
    pub fn mark_invalid(&mut self) {
        self.error.get_or_insert(Error::WrongType(self.field));
    }

    fn or_invalid<T: Default>(&mut self, read: Option<T>) -> T {
        read.unwrap_or_else(|| {
            self.mark_invalid();
            T::default()
        })
    }

    /// Lets what was read out, if it is all right.
    ///
    /// # Errors
    ///
    /// Names the first thing that is not.
    pub fn into_result(self) -> Result<(), Error> {
        self.error.map_or(Ok(()), Err)
    }
}

/// The members of an object that were not taken yet.
#[derive(Debug)]
pub struct ObjectFields<'a> {
    remaining: Map<String, Value>,
    decoder: &'a mut Decoder,
}

impl<'a> ObjectFields<'a> {
    /// The members of a value.
    #[must_use]
    pub fn from_value(value: Value, reader: &'a mut Decoder) -> Self {
        Self { remaining: Map::from_json(value, reader), decoder: reader }
    }

    /// Takes a member.
    pub fn decode_field<T: FromJson>(&mut self, name: &'static str) -> T {
        T::from_json(self.take_field(name), self.decoder)
    }

    fn take_field(&mut self, name: &'static str) -> Value {
        // So is a field called whose name is a word of Rust's.
        let name = name.strip_prefix("r#").unwrap_or(name);
        self.decoder.field = name;
        self.remaining.get_mut(name).map(Value::take).unwrap_or_default()
    }
}

/// A variant of an enum, as serde writes it: `"start"`, or `{"after":…}`.
#[derive(Debug)]
pub struct EnumValue {
    /// Which one.
    pub name: String,
    /// What is in it.
    pub value: Value,
}

impl EnumValue {
    /// The variant that a value is.
    #[must_use]
    pub fn from_value(value: Value, reader: &mut Decoder) -> Self {
        let named = match value {
            Value::String(name) => Some((name, Value::Null)),
            Value::Object(members) if members.len() == 1 => members.into_iter().next(),
            _ => None,
        };
        let (name, value) = reader.or_invalid(named);
        Self { name, value }
    }
}

/// Has a type read as serde writes it: a struct by its fields, an enum by the names of its variants.
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
    // The first variant stands for one that is not known.
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
    fn from_json(value: Value, _reader: &mut Decoder) -> Self {
        value
    }
}

impl FromJson for bool {
    fn from_json(value: Value, reader: &mut Decoder) -> Self {
        reader.or_invalid(value.as_bool())
    }
}

impl FromJson for i64 {
    fn from_json(value: Value, reader: &mut Decoder) -> Self {
        reader.or_invalid(value.as_i64())
    }
}

impl FromJson for u64 {
    fn from_json(value: Value, reader: &mut Decoder) -> Self {
        reader.or_invalid(value.as_u64())
    }
}

impl FromJson for u32 {
    fn from_json(value: Value, reader: &mut Decoder) -> Self {
        reader.or_invalid(value.as_u64().and_then(|number| number.try_into().ok()))
    }
}

impl FromJson for u16 {
    fn from_json(value: Value, reader: &mut Decoder) -> Self {
        reader.or_invalid(value.as_u64().and_then(|number| number.try_into().ok()))
    }
}

impl FromJson for usize {
    fn from_json(value: Value, reader: &mut Decoder) -> Self {
        reader.or_invalid(value.as_u64().and_then(|number| number.try_into().ok()))
    }
}

impl FromJson for String {
    fn from_json(value: Value, reader: &mut Decoder) -> Self {
        reader.or_invalid(match value {
            Value::String(text) => Some(text),
            _ => None,
        })
    }
}

impl FromJson for Map<String, Value> {
    fn from_json(value: Value, reader: &mut Decoder) -> Self {
        reader.or_invalid(match value {
            Value::Object(members) => Some(members),
            _ => None,
        })
    }
}

impl<T: FromJson> FromJson for BTreeMap<String, T> {
    fn from_json(value: Value, reader: &mut Decoder) -> Self {
        let mut read = Self::new();
        for (name, value) in Map::from_json(value, reader) {
            read.insert(name, T::from_json(value, reader));
        }
        read
    }
}

impl<T: FromJson + Ord> FromJson for BTreeSet<T> {
    fn from_json(value: Value, reader: &mut Decoder) -> Self {
        let mut read = Self::new();
        read.extend(Vec::from_json(value, reader));
        read
    }
}

impl<T: FromJson> FromJson for Vec<T> {
    fn from_json(value: Value, reader: &mut Decoder) -> Self {
        let items = reader.or_invalid(match value {
            Value::Array(items) => Some(items),
            _ => None,
        });
        items.into_iter().map(|item| T::from_json(item, reader)).collect()
    }
}

impl<A: FromJson, B: FromJson> FromJson for (A, B) {
    fn from_json(value: Value, reader: &mut Decoder) -> Self {
        let pair = match value {
            Value::Array(items) => <[Value; 2]>::try_from(items).ok(),
            _ => None,
        };
        let [a, b] = reader.or_invalid(pair);
        (A::from_json(a, reader), B::from_json(b, reader))
    }
}

impl<T: FromJson> FromJson for Option<T> {
    fn from_json(value: Value, reader: &mut Decoder) -> Self {
        (!value.is_null()).then(|| T::from_json(value, reader))
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
        Of(u64),
        Within { first: u16, last: Option<u16> },
    }

    impl_from_json! { struct Sample { r#type, count, note, pairs, notes } }
    impl_from_json! {
        enum SampleKind {
            Large = "large", VerySmall = "very_small", Of(_) = "of",
            Within { first, last } = "within",
        }
    }

    const SAMPLE: &str = concat!(
        r#"{"type":"very_small","count":4294967295,"note":null,"#,
        r#""pairs":[["a",-1]],"notes":{"b":"c"}}"#
    );

    #[test]
    fn serde_output_decodes_to_the_same_value() {
        for kind in ["\"very_small\"", r#"{"of":7}"#, r#"{"within":{"first":1,"last":null}}"#] {
            let written = SAMPLE.replace("\"very_small\"", kind);
            let thing: Sample = serde_json::from_str(&written).unwrap();
            assert_eq!(serde_json::to_string(&thing).unwrap(), written);
            assert_eq!(from_slice(written.as_bytes()), Ok(thing));
        }
    }

    #[test]
    fn an_extra_field_is_ignored_and_a_missing_optional_field_is_none() {
        let other = SAMPLE.replace(r#""note":null"#, r#""more":[{}]"#);
        assert_eq!(from_slice::<Sample>(other.as_bytes()), from_slice(SAMPLE.as_bytes()));
    }

    #[test]
    fn a_field_of_the_wrong_type_is_named_and_fails_the_whole_value() {
        for (from, to, member) in [
            (SAMPLE, "[]", ""),
            (r#""very_small""#, r#""small""#, "type"),
            (r#""very_small""#, r#"{"of":-1}"#, "type"),
            (r#""very_small""#, r#"{"of":1,"large":null}"#, "type"),
            (r#""very_small""#, r#"{"within":{}}"#, "first"),
            ("4294967295", "4294967296", "count"),
            ("4294967295", "1.0", "count"),
            (r#""count":4294967295,"#, "", "count"),
            ("null", "1", "note"),
            (r#"["a",-1]"#, r#"["a"]"#, "pairs"),
            (r#"["a",-1]"#, r#"["a",-1,0]"#, "pairs"),
            (r#""c""#, "null", "notes"),
        ] {
            let other = SAMPLE.replace(from, to);
            assert_eq!(
                from_slice::<Sample>(other.as_bytes()),
                Err(Error::WrongType(member)),
                "{other}"
            );
        }
        let cut = SAMPLE.trim_end_matches('}');
        let Err(Error::Syntax(told)) = from_slice::<Sample>(cut.as_bytes()) else {
            panic!("{cut}")
        };
        assert_eq!(told, "EOF while parsing an object at line 1 column 87");
    }
}
