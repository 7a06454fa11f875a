//! A parsed JSON value, from which a type takes its fields.
//!
//! | JSON                   | here                                                    |
//! |------------------------|---------------------------------------------------------|
//! | a string, a name       | a slice of the input; a copy if it has an escape        |
//! | an object              | its members in order: an object of ours has a few       |
//! | two members of one name | the last one counts, as in [`serde_json::Value`]       |
//!
//! An event is decoded in each object that it reaches. A [`serde_json::Value`] allocates each name, and a
//! hash table for each object. Not here: the types ([`FromJson`](super::FromJson)).

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value};

/// A parsed JSON value.
#[derive(Debug, Default)]
pub enum JsonValue<'a> {
    /// `null`.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A string.
    String(Cow<'a, str>),
    /// An array.
    Array(Vec<Self>),
    /// An object: the names and values of its members, in order.
    Object(Vec<(Cow<'a, str>, Self)>),
}

impl JsonValue<'_> {
    /// Replaces the value by `null`, and returns it.
    #[must_use]
    pub fn take(&mut self) -> Self {
        std::mem::take(self)
    }

    /// Removes a member, and returns its value: `null` if there is none. `None` if this is not an object.
    pub(super) fn take_member(&mut self, name: &str) -> Option<Self> {
        let Self::Object(members) = self else { return None };
        let member = members.iter_mut().rev().find(|(member, _)| member == name);
        Some(member.map(|(_, value)| value.take()).unwrap_or_default())
    }
}

impl From<JsonValue<'_>> for Value {
    fn from(value: JsonValue<'_>) -> Self {
        match value {
            JsonValue::Null => Self::Null,
            JsonValue::Bool(boolean) => Self::Bool(boolean),
            JsonValue::Number(number) => Self::Number(number),
            JsonValue::String(string) => Self::String(string.into_owned()),
            JsonValue::Array(items) => Self::Array(items.into_iter().map(Self::from).collect()),
            JsonValue::Object(members) => Self::Object(to_map(members)),
        }
    }
}

/// Converts the members of an object.
pub(super) fn to_map(members: Vec<(Cow<'_, str>, JsonValue<'_>)>) -> Map<String, Value> {
    members.into_iter().map(|(name, value)| (name.into_owned(), value.into())).collect()
}

impl<'de: 'a, 'a> Deserialize<'de> for JsonValue<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = JsonValue<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(JsonValue::Null)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Self::Value, E> {
        Ok(JsonValue::Bool(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Self::Value, E> {
        Ok(JsonValue::Number(value.into()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Self::Value, E> {
        Ok(JsonValue::Number(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Number::from_f64(value).map_or(JsonValue::Null, JsonValue::Number))
    }

    fn visit_borrowed_str<E: de::Error>(self, value: &'de str) -> Result<Self::Value, E> {
        Ok(JsonValue::String(Cow::Borrowed(value)))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Self::Value, E> {
        Ok(JsonValue::String(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element()? {
            array.push(item);
        }
        Ok(JsonValue::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut object = Vec::new();
        while let Some((Name(name), value)) = members.next_entry()? {
            object.push((name, value));
        }
        Ok(JsonValue::Object(object))
    }
}

/// The name of a member: without the attribute it would always be a copy.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);
