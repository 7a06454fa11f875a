//! The caller's own notes on an object: <https://docs.stripe.com/api/metadata>.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::{
    catalog::error::Error,
    json::{Decoder, FromJson},
};

/// The most notes on one object, by Stripe's documentation; the next two likewise.
const MAX_KEYS: usize = 50;

/// The most characters of a note's name.
const MAX_KEY_LEN: usize = 40;

/// The most characters of a note.
const MAX_VALUE_LEN: usize = 500;

/// Notes on an object, by name.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub(crate) struct Metadata(pub(crate) BTreeMap<String, String>);

impl FromJson for Metadata {
    fn from_json(value: Value, reader: &mut Decoder) -> Self {
        Self(FromJson::from_json(value, reader))
    }
}

/// What a request does to them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) enum MetadataPatch {
    /// Nothing.
    #[default]
    Keep,
    /// `metadata=`: none is left.
    Clear,
    /// Each of these is set, or removed where it is empty.
    Set(Vec<(String, String)>),
}

impl Metadata {
    /// The notes after a change.
    pub(crate) fn apply(&self, change: MetadataPatch) -> Result<Self, Error> {
        let mut notes = match change {
            MetadataPatch::Keep => return Ok(self.clone()),
            MetadataPatch::Clear => return Ok(Self::default()),
            MetadataPatch::Set(notes) => notes,
        };
        let mut changed = self.clone();
        for (key, value) in notes.drain(..) {
            let failed =
                |message| Err(Error::invalid_parameter(format!("metadata[{key}]"), message));
            if key.is_empty() || key.chars().count() > MAX_KEY_LEN {
                return failed(format!(
                    "Metadata keys have 1 to {MAX_KEY_LEN} characters; `{key}` does not."
                ));
            }
            if value.chars().count() > MAX_VALUE_LEN {
                return failed(format!(
                    "Metadata values can have up to {MAX_VALUE_LEN} characters, but you passed in a value \
                     of {}.",
                    value.chars().count()
                ));
            }
            if value.is_empty() {
                changed.0.remove(&key);
            } else {
                changed.0.insert(key, value);
            }
        }
        if changed.0.len() > MAX_KEYS {
            return Err(Error::invalid_parameter(
                "metadata",
                format!(
                    "An object can have up to {MAX_KEYS} metadata keys, and this would make {}.",
                    changed.0.len()
                ),
            ));
        }
        Ok(changed)
    }
}
