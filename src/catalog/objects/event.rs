//! What happened: an event for each change, kept for thirty days and told to the endpoints.
//!
//! <https://docs.stripe.com/api/events>. An event is rendered when it happens, and never again. It is
//! dated by the real clock, on test clocks too: who receives it orders by that. Features, and their
//! being attached, have no events at Stripe, and have none here.

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::{
    catalog::{
        Error, RequestInfo, Tx,
        engine::deliveries::Delivery,
        objects::{calendar::SECONDS_PER_DAY, webhook_endpoint::WebhookEndpoint},
        repository::Entity,
        storage::{IndexEntry, IndexPosition, IndexRange, SortOrder},
    },
    id::{Livemode, Timestamp},
    json::impl_from_json,
    source::API_VERSION,
};

/// How long an event can be read back, in seconds: as long as at Stripe.
pub(crate) const EVENT_RETENTION: i64 = 30 * SECONDS_PER_DAY;

/// The most expired events that one new one takes away: more than one, so that they get fewer.
const PURGE_BATCH: usize = 2;

/// The list of all events.
pub(crate) const INDEX: &str = "events";

/// The list of events that some endpoint did not get.
pub(crate) const UNDELIVERED_INDEX: &str = "events undelivered";

/// What can happen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum EventType {
    CustomerCreated,
    CustomerUpdated,
    CustomerDeleted,
    SubscriptionCreated,
    SubscriptionUpdated,
    SubscriptionDeleted,
    SubscriptionPaused,
    SubscriptionResumed,
    EntitlementSummaryUpdated,
    PriceCreated,
    PriceUpdated,
    ProductCreated,
    ProductUpdated,
    ProductDeleted,
    ClockCreated,
    ClockAdvancing,
    ClockReady,
    ClockDeleted,
}

impl EventType {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::CustomerCreated => "customer.created",
            Self::CustomerUpdated => "customer.updated",
            Self::CustomerDeleted => "customer.deleted",
            Self::SubscriptionCreated => "customer.subscription.created",
            Self::SubscriptionUpdated => "customer.subscription.updated",
            Self::SubscriptionDeleted => "customer.subscription.deleted",
            Self::SubscriptionPaused => "customer.subscription.paused",
            Self::SubscriptionResumed => "customer.subscription.resumed",
            Self::EntitlementSummaryUpdated => "entitlements.active_entitlement_summary.updated",
            Self::PriceCreated => "price.created",
            Self::PriceUpdated => "price.updated",
            Self::ProductCreated => "product.created",
            Self::ProductUpdated => "product.updated",
            Self::ProductDeleted => "product.deleted",
            Self::ClockCreated => "test_helpers.test_clock.created",
            Self::ClockAdvancing => "test_helpers.test_clock.advancing",
            Self::ClockReady => "test_helpers.test_clock.ready",
            Self::ClockDeleted => "test_helpers.test_clock.deleted",
        }
    }
}

/// An event.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) created: Timestamp,
    pub(crate) r#type: String,
    pub(crate) object: Value,
    pub(crate) previous_attributes: Option<Value>,
    pub(crate) request_id: Option<String>,
    pub(crate) idempotency_key: Option<String>,
    /// How many endpoints have still to be told.
    pub(crate) pending_webhooks: u32,
    /// The endpoints that could not be told in all the time there is.
    pub(crate) failed_endpoints: Vec<String>,
}

impl_from_json! {
    struct Event {
        id, created, r#type, object, previous_attributes, request_id, idempotency_key, pending_webhooks, failed_endpoints,
    }
}

impl Entity for Event {
    const TYPE: &'static str = "event";

    fn id(&self) -> &str {
        &self.id
    }

    fn index_entries(&self) -> Vec<IndexEntry> {
        let mut lists = vec![INDEX.to_owned(), type_index(&self.r#type)];
        // `customer.subscription.created` is found under `customer.subscription.*` and `customer.*` too.
        let mut rest = self.r#type.as_str();
        while let Some((prefix, _)) = rest.rsplit_once('.') {
            lists.push(type_index(&format!("{prefix}.*")));
            rest = prefix;
        }
        if !self.is_delivered() {
            lists.push(UNDELIVERED_INDEX.to_owned());
        }
        lists.into_iter().map(|list| IndexEntry::new(list, self.created)).collect()
    }
}

/// The list of the events of a type, or of all whose types begin with what stands before `.*`.
pub(crate) fn type_index(r#type: &str) -> String {
    format!("events type={type}")
}

impl Event {
    /// As Stripe shows it.
    pub(crate) fn to_json(&self, livemode: Livemode) -> Value {
        let mut data = json!({ "object": self.object });
        if let (Some(previous), Value::Object(data)) = (&self.previous_attributes, &mut data) {
            data.insert("previous_attributes".to_owned(), previous.clone());
        }
        json!({
            "id": self.id,
            "object": "event",
            "api_version": API_VERSION,
            "created": self.created,
            "data": data,
            "livemode": bool::from(livemode),
            "pending_webhooks": self.pending_webhooks,
            "request": { "id": self.request_id, "idempotency_key": self.idempotency_key },
            "type": self.r#type,
        })
    }

    /// Whether every endpoint that was to be told of it has been.
    pub(crate) fn is_delivered(&self) -> bool {
        self.pending_webhooks == 0 && self.failed_endpoints.is_empty()
    }

    /// Whether it is old enough to be forgotten.
    pub(crate) fn is_expired(&self, now: Timestamp) -> bool {
        self.created.0 < retention_start(now).0
    }
}

/// The first second whose events are still there.
pub(crate) fn retention_start(now: Timestamp) -> Timestamp {
    Timestamp(now.0.saturating_sub(EVENT_RETENTION))
}

impl Tx<'_> {
    /// Notes that something happened to an object, and who is to be told.
    pub(crate) fn emit(
        &self,
        kind: EventType,
        object: Value,
        previous: Option<Value>,
    ) -> Result<(), Error> {
        // What follows of itself was not asked for by the request: so Stripe's summaries say.
        let cause = if kind == EventType::EntitlementSummaryUpdated {
            RequestInfo::default()
        } else {
            self.request.clone()
        };
        let endpoints = self.load_endpoints()?;
        let told: Vec<&WebhookEndpoint> =
            endpoints.iter().filter(|endpoint| endpoint.subscribes_to(kind.as_str())).collect();
        let event = Event {
            id: self.new_id("evt_1", 23),
            created: self.now,
            r#type: kind.as_str().to_owned(),
            object,
            previous_attributes: previous,
            request_id: cause.id,
            idempotency_key: cause.idempotency_key,
            pending_webhooks: u32::try_from(told.len()).unwrap_or(u32::MAX),
            failed_endpoints: Vec::new(),
        };
        self.insert(&event)?;
        for endpoint in told {
            self.insert(&Delivery::new(self.new_id("whd_", 24), &event, &endpoint.id, self.now))?;
        }
        self.purge_expired()
    }

    /// The same for an object that became another one; nothing if it did not.
    pub(crate) fn emit_update(
        &self,
        kind: EventType,
        old: &Value,
        new: Value,
    ) -> Result<(), Error> {
        match previous_attributes(old, &new) {
            None => Ok(()),
            previous => self.emit(kind, new, previous),
        }
    }

    fn purge_expired(&self) -> Result<(), Error> {
        let below = Some(IndexPosition::start_of(retention_start(self.now)));
        let expired = IndexRange {
            after: None,
            before: below,
            order: SortOrder::Ascending,
            limit: PURGE_BATCH,
        };
        let events: Vec<Event> = self.list(INDEX, expired)?;
        events.iter().try_for_each(|event| self.remove(event))
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

/// Puts members over those of an object.
pub(crate) fn merge_into(shown: &mut Value, details: &Map<String, Value>) {
    if let Value::Object(shown) = shown {
        for (name, value) in details {
            shown.insert(name.clone(), value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
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
