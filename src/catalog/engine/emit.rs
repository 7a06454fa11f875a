//! Emits events: stores the event, and a delivery for each endpoint that subscribes to its type.
//!
//! Both are stored in the transaction of the change. [`deliveries`](super::deliveries) sends them.

use serde_json::{Map, Value};

use crate::catalog::{
    error::Error,
    objects::{
        delivery::Delivery,
        event::{self, EVENT_RETENTION, Event, EventType},
        webhook_endpoint::{self, WebhookEndpoint},
    },
    tx::{RequestInfo, Tx},
};

/// Emits an event.
pub(crate) fn emit(
    tx: &Tx<'_>,
    event_type: EventType,
    object: Value,
    previous_attributes: Option<Value>,
) -> Result<(), Error> {
    store_event(tx, event_type, object, previous_attributes, tx.request.clone()).map(drop)
}

/// Emits a summary of a customer's entitlements. As at Stripe, it names no request: it is a
/// consequence, not the requested change.
pub(crate) fn emit_summary(tx: &Tx<'_>, summary: Value, previous: Value) -> Result<Event, Error> {
    let event_type = EventType::EntitlementSummaryUpdated;
    store_event(tx, event_type, summary, Some(previous), RequestInfo::default())
}

fn store_event(
    tx: &Tx<'_>,
    event_type: EventType,
    object: Value,
    previous_attributes: Option<Value>,
    request: RequestInfo,
) -> Result<Event, Error> {
    let endpoints = webhook_endpoint::load_all(tx)?;
    let recipients: Vec<&WebhookEndpoint> =
        endpoints.iter().filter(|endpoint| endpoint.subscribes_to(event_type.as_str())).collect();
    let event = Event {
        id: tx.new_id("evt_1", 23),
        created: tx.now,
        r#type: event_type.as_str().to_owned(),
        object,
        previous_attributes,
        request_id: request.id,
        idempotency_key: request.idempotency_key,
        pending_webhooks: u32::try_from(recipients.len()).unwrap_or(u32::MAX),
        failed_endpoints: Vec::new(),
    };
    tx.insert(&event)?;
    for endpoint in recipients {
        tx.insert(&Delivery::new(tx.new_id("whd_", 24), &event, &endpoint.id, tx.now))?;
    }
    tx.remove_expired::<Event>(event::INDEX, EVENT_RETENTION)?;
    Ok(event)
}

/// Emits an event for a changed object. Does nothing if its JSON is unchanged.
pub(crate) fn emit_update(
    tx: &Tx<'_>,
    event_type: EventType,
    previous: &Value,
    current: Value,
) -> Result<(), Error> {
    match previous_attributes(previous, &current) {
        None => Ok(()),
        changed => emit(tx, event_type, current, changed),
    }
}

/// Stripe's `previous_attributes`: what differs in nested objects, and every other changed member
/// whole. `None` if nothing changed.
fn previous_attributes(previous: &Value, current: &Value) -> Option<Value> {
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
            assert_eq!(previous_attributes(&previous, &current), expected, "{why}");
        }
    }
}
