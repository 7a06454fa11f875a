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
pub trait Read: Sized {
    /// What a value is, or something that stands for it where the reader notes that it is not.
    fn read(value: Value, reader: &mut Reader) -> Self;
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
    Form(&'static str),
}

/// Reads a text.
///
/// # Errors
///
/// Names the first thing that is not to be read.
pub fn read<T: Read>(text: &[u8]) -> Result<T, Error> {
    let mut reader = Reader::default();
    let read = reader.read(text);
    reader.finish().map(|()| read)
}

/// A value as text. None has a form that cannot be written.
#[must_use]
pub fn text(value: &Value) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// Reads, and remembers what was not to be read.
#[derive(Debug, Default)]
pub struct Reader {
    member: &'static str,
    failed: Option<Error>,
}

impl Reader {
    /// Reads a text, or what stands for it.
    pub fn read<T: Read>(&mut self, text: &[u8]) -> T {
        T::read(self.parse(text), self)
    }

    fn parse(&mut self, text: &[u8]) -> Value {
        serde_json::from_slice(text).unwrap_or_else(|error| {
            self.failed.get_or_insert(Error::Syntax(error.to_string()));
            Value::Null
        })
    }

    /// Notes that what is being read has another form.
    pub fn misread(&mut self) {
        self.failed.get_or_insert(Error::Form(self.member));
    }

    fn known<T: Default>(&mut self, read: Option<T>) -> T {
        read.unwrap_or_else(|| {
            self.misread();
            T::default()
        })
    }

    /// Lets what was read out, if it is all right.
    ///
    /// # Errors
    ///
    /// Names the first thing that is not.
    pub fn finish(self) -> Result<(), Error> {
        self.failed.map_or(Ok(()), Err)
    }
}

/// The members of an object that were not taken yet.
#[derive(Debug)]
pub struct Members<'a> {
    left: Map<String, Value>,
    reader: &'a mut Reader,
}

impl<'a> Members<'a> {
    /// The members of a value.
    #[must_use]
    pub fn of(value: Value, reader: &'a mut Reader) -> Self {
        Self { left: Map::read(value, reader), reader }
    }

    /// Takes a member.
    pub fn read<T: Read>(&mut self, name: &'static str) -> T {
        T::read(self.take(name), self.reader)
    }

    fn take(&mut self, name: &'static str) -> Value {
        // So is a field called whose name is a word of Rust's.
        let name = name.strip_prefix("r#").unwrap_or(name);
        self.reader.member = name;
        self.left.get_mut(name).map(Value::take).unwrap_or_default()
    }
}

/// A variant of an enum, as serde writes it: `"start"`, or `{"after":…}`.
#[derive(Debug)]
pub struct Variant {
    /// Which one.
    pub name: String,
    /// What is in it.
    pub value: Value,
}

impl Variant {
    /// The variant that a value is.
    #[must_use]
    pub fn of(value: Value, reader: &mut Reader) -> Self {
        let named = match value {
            Value::String(name) => Some((name, Value::Null)),
            Value::Object(members) if members.len() == 1 => members.into_iter().next(),
            _ => None,
        };
        let (name, value) = reader.known(named);
        Self { name, value }
    }
}

/// Has a type read as serde writes it: a struct by its fields, an enum by the names of its variants.
macro_rules! readable {
    (struct $type:ident $(<$param:ident>)? { $($field:ident),* $(,)? }) => {
        impl $(<$param: $crate::json::Read>)? $crate::json::Read for $type $(<$param>)? {
            fn read(value: serde_json::Value, reader: &mut $crate::json::Reader) -> Self {
                let mut members = $crate::json::Members::of(value, reader);
                Self { $($field: members.read(stringify!($field))),* }
            }
        }
    };
    (struct $type:ident($inner:ident)) => {
        impl $crate::json::Read for $type {
            fn read(value: serde_json::Value, reader: &mut $crate::json::Reader) -> Self {
                Self(<$inner as $crate::json::Read>::read(value, reader))
            }
        }
    };
    // The first variant stands for one that is not known.
    (enum $type:ident $(<$param:ident>)? {
        $first:ident $(($of_first:tt))? $({ $($field_of_first:ident),* })? = $name:literal
        $(, $variant:ident $(($of:tt))? $({ $($field:ident),* })? = $names:literal)* $(,)?
    }) => {
        impl $(<$param: $crate::json::Read>)? $crate::json::Read for $type $(<$param>)? {
            fn read(value: serde_json::Value, reader: &mut $crate::json::Reader) -> Self {
                let variant = $crate::json::Variant::of(value, reader);
                match variant.name.as_str() {
                    $($names => $crate::json::readable! {
                        @$variant $(($of))? $({ $($field),* })? variant reader
                    },)*
                    name => {
                        if name != $name {
                            reader.misread();
                        }
                        $crate::json::readable! {
                            @$first $(($of_first))? $({ $($field_of_first),* })? variant reader
                        }
                    }
                }
            }
        }
    };
    (@$variant:ident $read:ident $reader:ident) => { Self::$variant };
    (@$variant:ident ($of:tt) $read:ident $reader:ident) => {
        Self::$variant($crate::json::Read::read($read.value, $reader))
    };
    (@$variant:ident { $($field:ident),* } $read:ident $reader:ident) => {{
        let mut members = $crate::json::Members::of($read.value, $reader);
        Self::$variant { $($field: members.read(stringify!($field))),* }
    }};
}
pub(crate) use readable;

impl Read for Value {
    fn read(value: Value, _reader: &mut Reader) -> Self {
        value
    }
}

impl Read for bool {
    fn read(value: Value, reader: &mut Reader) -> Self {
        reader.known(value.as_bool())
    }
}

impl Read for i64 {
    fn read(value: Value, reader: &mut Reader) -> Self {
        reader.known(value.as_i64())
    }
}

impl Read for u64 {
    fn read(value: Value, reader: &mut Reader) -> Self {
        reader.known(value.as_u64())
    }
}

impl Read for u32 {
    fn read(value: Value, reader: &mut Reader) -> Self {
        reader.known(value.as_u64().and_then(|number| number.try_into().ok()))
    }
}

impl Read for u16 {
    fn read(value: Value, reader: &mut Reader) -> Self {
        reader.known(value.as_u64().and_then(|number| number.try_into().ok()))
    }
}

impl Read for usize {
    fn read(value: Value, reader: &mut Reader) -> Self {
        reader.known(value.as_u64().and_then(|number| number.try_into().ok()))
    }
}

impl Read for String {
    fn read(value: Value, reader: &mut Reader) -> Self {
        reader.known(match value {
            Value::String(text) => Some(text),
            _ => None,
        })
    }
}

impl Read for Map<String, Value> {
    fn read(value: Value, reader: &mut Reader) -> Self {
        reader.known(match value {
            Value::Object(members) => Some(members),
            _ => None,
        })
    }
}

impl<T: Read> Read for BTreeMap<String, T> {
    fn read(value: Value, reader: &mut Reader) -> Self {
        let mut read = Self::new();
        for (name, value) in Map::read(value, reader) {
            read.insert(name, T::read(value, reader));
        }
        read
    }
}

impl<T: Read + Ord> Read for BTreeSet<T> {
    fn read(value: Value, reader: &mut Reader) -> Self {
        let mut read = Self::new();
        read.extend(Vec::read(value, reader));
        read
    }
}

impl<T: Read> Read for Vec<T> {
    fn read(value: Value, reader: &mut Reader) -> Self {
        let items = reader.known(match value {
            Value::Array(items) => Some(items),
            _ => None,
        });
        items.into_iter().map(|item| T::read(item, reader)).collect()
    }
}

impl<A: Read, B: Read> Read for (A, B) {
    fn read(value: Value, reader: &mut Reader) -> Self {
        let pair = match value {
            Value::Array(items) => <[Value; 2]>::try_from(items).ok(),
            _ => None,
        };
        let [a, b] = reader.known(pair);
        (A::read(a, reader), B::read(b, reader))
    }
}

impl<T: Read> Read for Option<T> {
    fn read(value: Value, reader: &mut Reader) -> Self {
        (!value.is_null()).then(|| T::read(value, reader))
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    struct Thing {
        r#type: Kind,
        count: u32,
        note: Option<String>,
        pairs: Vec<(String, i64)>,
        notes: BTreeMap<String, String>,
    }

    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    #[serde(rename_all = "snake_case")]
    enum Kind {
        Large,
        VerySmall,
        Of(u64),
        Within { first: u16, last: Option<u16> },
    }

    readable! { struct Thing { r#type, count, note, pairs, notes } }
    readable! {
        enum Kind {
            Large = "large", VerySmall = "very_small", Of(_) = "of",
            Within { first, last } = "within",
        }
    }

    const THING: &str = concat!(
        r#"{"type":"very_small","count":4294967295,"note":null,"#,
        r#""pairs":[["a",-1]],"notes":{"b":"c"}}"#
    );

    #[test]
    fn what_serde_writes_is_read_as_serde_reads_it() {
        for kind in ["\"very_small\"", r#"{"of":7}"#, r#"{"within":{"first":1,"last":null}}"#] {
            let written = THING.replace("\"very_small\"", kind);
            let thing: Thing = serde_json::from_str(&written).unwrap();
            assert_eq!(serde_json::to_string(&thing).unwrap(), written);
            assert_eq!(read(written.as_bytes()), Ok(thing));
        }
    }

    #[test]
    fn a_member_more_is_no_matter_and_one_that_lacks_is_none() {
        let other = THING.replace(r#""note":null"#, r#""more":[{}]"#);
        assert_eq!(read::<Thing>(other.as_bytes()), read(THING.as_bytes()));
    }

    #[test]
    fn what_has_another_form_is_named_and_refuses_the_whole() {
        for (from, to, member) in [
            (THING, "[]", ""),
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
            let other = THING.replace(from, to);
            assert_eq!(read::<Thing>(other.as_bytes()), Err(Error::Form(member)), "{other}");
        }
        let cut = THING.trim_end_matches('}');
        let Err(Error::Syntax(told)) = read::<Thing>(cut.as_bytes()) else { panic!("{cut}") };
        assert_eq!(told, "EOF while parsing an object at line 1 column 87");
    }
}
