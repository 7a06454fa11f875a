//! The caller's own notes on an object: <https://docs.stripe.com/api/metadata>.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::Error;
use crate::json::{Read, Reader};

/// The most notes on one object, by Stripe's documentation; the next two likewise.
const KEYS: usize = 50;

/// The most characters of a note's name.
const KEY: usize = 40;

/// The most characters of a note.
const VALUE: usize = 500;

/// Notes on an object, by name.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub(crate) struct Metadata(pub(crate) BTreeMap<String, String>);

impl Read for Metadata {
    fn read(value: Value, reader: &mut Reader) -> Self {
        Self(Read::read(value, reader))
    }
}

/// What a request does to them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) enum Change {
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
    pub(crate) fn changed(&self, change: Change) -> Result<Self, Error> {
        let mut notes = match change {
            Change::Keep => return Ok(self.clone()),
            Change::Clear => return Ok(Self::default()),
            Change::Set(notes) => notes,
        };
        let mut changed = self.clone();
        for (key, value) in notes.drain(..) {
            let failed = |message| Err(Error::parameter(format!("metadata[{key}]"), message));
            if key.is_empty() || key.chars().count() > KEY {
                return failed(format!(
                    "Metadata keys have 1 to {KEY} characters; `{key}` does not."
                ));
            }
            if value.chars().count() > VALUE {
                return failed(format!(
                    "Metadata values can have up to {VALUE} characters, but you passed in a value \
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
        if changed.0.len() > KEYS {
            return Err(Error::parameter(
                "metadata",
                format!(
                    "An object can have up to {KEYS} metadata keys, and this would make {}.",
                    changed.0.len()
                ),
            ));
        }
        Ok(changed)
    }
}
