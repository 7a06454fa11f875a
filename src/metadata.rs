//! An object's metadata: the caller's own keys and values.
//!
//! A [`MetadataPatch`] is what a request asks for, and [`Metadata::apply()`] the result within the
//! limits. Objects of the catalog and overrides have metadata.
//!
//! Specification: <https://docs.stripe.com/api/metadata>.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::json::json_type;

/// The most keys of one object, by Stripe's documentation. The next two limits likewise.
pub(crate) const MAX_METADATA_KEYS: usize = 50;

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

/// Why metadata is not accepted.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum Error {
    /// A key is empty or too long.
    #[error("Metadata keys have 1 to {MAX_KEY_LEN} characters; `{key}` does not.")]
    KeyLength {
        /// The key.
        key: String,
    },
    /// A value is too long.
    #[error(
        "Metadata values can have up to {MAX_VALUE_LEN} characters, but you passed in a value of {length}."
    )]
    ValueTooLong {
        /// The key of the value.
        key: String,
        /// The number of characters of the value.
        length: usize,
    },
    /// The object would have too many keys.
    #[error(
        "An object can have up to {MAX_METADATA_KEYS} metadata keys, and this would make {count}."
    )]
    TooManyKeys {
        /// The number of keys.
        count: usize,
    },
}

impl Error {
    /// The parameter that is invalid.
    pub(crate) fn param(&self) -> String {
        match self {
            Self::KeyLength { key } | Self::ValueTooLong { key, .. } => format!("metadata[{key}]"),
            Self::TooManyKeys { .. } => "metadata".to_owned(),
        }
    }
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
            if key.is_empty() || key.chars().count() > MAX_KEY_LEN {
                return Err(Error::KeyLength { key });
            }
            let length = value.chars().count();
            if length > MAX_VALUE_LEN {
                return Err(Error::ValueTooLong { key, length });
            }
            if value.is_empty() {
                result.0.remove(&key);
            } else {
                result.0.insert(key, value);
            }
        }
        let count = result.0.len();
        if count > MAX_METADATA_KEYS { Err(Error::TooManyKeys { count }) } else { Ok(result) }
    }
}
