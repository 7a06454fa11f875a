//! Merges stored members into a rendered JSON object.

use serde_json::{Map, Value};

/// Puts members over those of an object.
pub(crate) fn merge_into(shown: &mut Value, details: &Map<String, Value>) {
    if let Value::Object(shown) = shown {
        for (name, value) in details {
            shown.insert(name.clone(), value.clone());
        }
    }
}
