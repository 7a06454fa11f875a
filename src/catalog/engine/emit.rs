//! Emits events.

use serde_json::{Map, Value};

use crate::catalog::{
    error::Error,
    objects::{
        delivery::Delivery,
        event::{self, Event, EventType},
        webhook_endpoint::{self, WebhookEndpoint},
    },
    tx::{RequestInfo, Tx},
};

/// Notes that something happened to an object, and who is to be told.
pub(crate) fn emit(
    tx: &Tx<'_>,
    kind: EventType,
    object: Value,
    previous: Option<Value>,
) -> Result<(), Error> {
    // What follows of itself was not asked for by the request: so Stripe's summaries say.
    let cause = if kind == EventType::EntitlementSummaryUpdated {
        RequestInfo::default()
    } else {
        tx.request.clone()
    };
    let endpoints = webhook_endpoint::load_all(tx)?;
    let told: Vec<&WebhookEndpoint> =
        endpoints.iter().filter(|endpoint| endpoint.subscribes_to(kind.as_str())).collect();
    let event = Event {
        id: tx.new_id("evt_1", 23),
        created: tx.now,
        r#type: kind.as_str().to_owned(),
        object,
        previous_attributes: previous,
        request_id: cause.id,
        idempotency_key: cause.idempotency_key,
        pending_webhooks: u32::try_from(told.len()).unwrap_or(u32::MAX),
        failed_endpoints: Vec::new(),
    };
    tx.insert(&event)?;
    for endpoint in told {
        tx.insert(&Delivery::new(tx.new_id("whd_", 24), &event, &endpoint.id, tx.now))?;
    }
    tx.remove_oldest::<Event>(event::INDEX, event::retention_start(tx.now))
}

/// The same for an object that became another one; nothing if it did not.
pub(crate) fn emit_update(
    tx: &Tx<'_>,
    kind: EventType,
    old: &Value,
    new: Value,
) -> Result<(), Error> {
    match previous_attributes(old, &new) {
        None => Ok(()),
        previous => emit(tx, kind, new, previous),
    }
}

/// What of an object was another one before: members that are objects by what differs in them, all
/// others whole. None if nothing was.
fn previous_attributes(old: &Value, new: &Value) -> Option<Value> {
    let (Value::Object(old), Value::Object(new)) = (old, new) else {
        return (old != new).then(|| old.clone());
    };
    let mut before = Map::new();
    for (name, value) in old {
        let differs = match new.get(name) {
            Some(present) => previous_attributes(value, present),
            None => Some(value.clone()),
        };
        before.extend(differs.map(|value| (name.clone(), value)));
    }
    let added = new.keys().filter(|name| !old.contains_key(*name));
    before.extend(added.map(|name| (name.clone(), Value::Null)));
    (!before.is_empty()).then_some(Value::Object(before))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn previous_attributes_contain_only_what_differs() {
        for (why, old, new, before) in [
            ("nothing", json!({"a": 1}), json!({"a": 1}), None),
            ("a value", json!({"a": 1, "b": 2}), json!({"a": 3, "b": 2}), Some(json!({"a": 1}))),
            (
                "a note",
                json!({"m": {"x": "1", "y": "2"}}),
                json!({"m": {"x": "3", "y": "2"}}),
                Some(json!({"m": {"x": "1"}})),
            ),
            (
                "a note that is new",
                json!({"m": {}}),
                json!({"m": {"x": "1"}}),
                Some(json!({"m": {"x": null}})),
            ),
            (
                "a note that is gone",
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
                "an object that was none",
                json!({"a": null}),
                json!({"a": {"b": 1}}),
                Some(json!({"a": null})),
            ),
        ] {
            assert_eq!(previous_attributes(&old, &new), before, "{why}");
        }
    }
}
