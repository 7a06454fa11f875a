//! Merges stored members into rendered JSON, and compares two states of an object.
//!
//! Specification: <https://docs.stripe.com/api/events/object#event_object-data-previous_attributes>.

use serde_json::{Map, Value};

/// Sets members of a JSON object, replacing those with the same names.
pub(crate) fn merge_into(object: &mut Value, members: &Map<String, Value>) {
    if let Value::Object(object) = object {
        for (name, value) in members {
            object.insert(name.clone(), value.clone());
        }
    }
}

/// Stripe's `previous_attributes`: what differs in nested objects, and every other changed member
/// whole. `None` if nothing changed.
pub(crate) fn previous_attributes(previous: &Value, current: &Value) -> Option<Value> {
    let (Value::Object(previous), Value::Object(current)) = (previous, current) else {
        return (previous != current).then(|| previous.clone());
    };
    let mut changed = Map::new();
    for (name, value) in previous {
        let difference = match current.get(name) {
            Some(current) => previous_attributes(value, current),
            None => Some(value.clone()),
        };
        changed.extend(difference.map(|value| (name.clone(), value)));
    }
    let added = current.keys().filter(|name| !previous.contains_key(*name));
    changed.extend(added.map(|name| (name.clone(), Value::Null)));
    (!changed.is_empty()).then_some(Value::Object(changed))
}

/// The previous state of an object: its current state with Stripe's `previous_attributes`.
pub(crate) fn restore_previous(current: &mut Value, previous_attributes: &Value) {
    match (current, previous_attributes) {
        (Value::Object(current), Value::Object(previous)) => {
            for (name, previous) in previous {
                restore_previous(current.entry(name).or_insert(Value::Null), previous);
            }
        }
        (current, previous) => current.clone_from(previous),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn previous_attributes_contain_only_what_differs() {
        for (why, previous, current, expected) in [
            ("no change", json!({"a": 1}), json!({"a": 1}), None),
            ("a value", json!({"a": 1, "b": 2}), json!({"a": 3, "b": 2}), Some(json!({"a": 1}))),
            (
                "a metadata value",
                json!({"m": {"x": "1", "y": "2"}}),
                json!({"m": {"x": "3", "y": "2"}}),
                Some(json!({"m": {"x": "1"}})),
            ),
            (
                "a new metadata key",
                json!({"m": {}}),
                json!({"m": {"x": "1"}}),
                Some(json!({"m": {"x": null}})),
            ),
            (
                "a removed metadata key",
                json!({"m": {"x": "1"}}),
                json!({"m": {}}),
                Some(json!({"m": {"x": "1"}})),
            ),
            (
                "an array, whole",
                json!({"a": [1, 2]}),
                json!({"a": [1, 3]}),
                Some(json!({"a": [1, 2]})),
            ),
            (
                "a member that becomes an object",
                json!({"a": null}),
                json!({"a": {"b": 1}}),
                Some(json!({"a": null})),
            ),
        ] {
            let attributes = previous_attributes(&previous, &current);
            assert_eq!(attributes, expected, "{why}");
            let mut restored = current.clone();
            restore_previous(&mut restored, &attributes.unwrap_or_else(|| json!({})));
            assert_eq!(previous_attributes(&restored, &current), expected, "{why}");
        }
    }
}
