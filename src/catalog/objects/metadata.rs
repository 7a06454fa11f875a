//! An object's metadata: the caller's own keys and values.
//!
//! Specification: <https://docs.stripe.com/api/metadata>.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{catalog::error::Error, json::json_type};

/// The most keys of one object, by Stripe's documentation. The next two limits likewise.
const MAX_KEYS: usize = 50;

/// The most characters of a key.
const MAX_KEY_LEN: usize = 40;

/// The most characters of a value.
const MAX_VALUE_LEN: usize = 500;

json_type! {
    /// Metadata: values by key.
    #[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
    pub(crate) struct Metadata(pub(crate) BTreeMap<String, String>);
}

/// A change of metadata.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) enum MetadataPatch {
    /// No change.
    #[default]
    Keep,
    /// `metadata=`: removes all keys.
    Clear,
    /// Sets each key, or removes it if the value is empty.
    Set(Vec<(String, String)>),
}

impl Metadata {
    /// The metadata after a change.
    pub(crate) fn apply(&self, patch: MetadataPatch) -> Result<Self, Error> {
        let entries = match patch {
            MetadataPatch::Keep => return Ok(self.clone()),
            MetadataPatch::Clear => return Ok(Self::default()),
            MetadataPatch::Set(entries) => entries,
        };
        let mut result = self.clone();
        for (key, value) in entries {
            let invalid =
                |message| Err(Error::invalid_parameter(format!("metadata[{key}]"), message));
            if key.is_empty() || key.chars().count() > MAX_KEY_LEN {
                return invalid(format!(
                    "Metadata keys have 1 to {MAX_KEY_LEN} characters; `{key}` does not."
                ));
            }
            if value.chars().count() > MAX_VALUE_LEN {
                return invalid(format!(
                    "Metadata values can have up to {MAX_VALUE_LEN} characters, but you passed in a value \
                     of {}.",
                    value.chars().count()
                ));
            }
            if value.is_empty() {
                result.0.remove(&key);
            } else {
                result.0.insert(key, value);
            }
        }
        if result.0.len() > MAX_KEYS {
            return Err(Error::invalid_parameter(
                "metadata",
                format!(
                    "An object can have up to {MAX_KEYS} metadata keys, and this would make {}.",
                    result.0.len()
                ),
            ));
        }
        Ok(result)
    }
}
