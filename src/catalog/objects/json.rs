//! Merges stored members into rendered JSON.

use serde_json::{Map, Value};

/// Sets members of a JSON object, replacing those with the same names.
pub(crate) fn merge_into(object: &mut Value, members: &Map<String, Value>) {
    if let Value::Object(object) = object {
        for (name, value) in members {
            object.insert(name.clone(), value.clone());
        }
    }
}
