//! Emits events: stores the event, and a delivery for each endpoint that subscribes to its type.
//!
//! Both are stored in the transaction of the change. [`deliveries`](super::deliveries) sends them.

use serde_json::Value;

use crate::catalog::{
    error::Error,
    objects::{
        delivery::Delivery,
        event::{self, EVENT_RETENTION, Event, EventType},
        json::previous_attributes,
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
