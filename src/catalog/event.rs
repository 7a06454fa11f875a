//! What happened: an event for each change, kept for thirty days and told to the endpoints.
//!
//! <https://docs.stripe.com/api/events>. An event is rendered when it happens, and never again. It is
//! dated by the real clock, on test clocks too: who receives it orders by that. Features, and their
//! being attached, have no events at Stripe, and have none here.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{
    Catalog, Cause, DAY, Error, Object,
    endpoint::Endpoint,
    outbox::Delivery,
    shelf::{Entry, Order, Place, Range},
};
use crate::{
    id::{Livemode, Timestamp},
    json::readable,
    source::API_VERSION,
};

/// How long an event can be read back, in seconds: as long as at Stripe.
pub(crate) const MEMORY: i64 = 30 * DAY;

/// The most expired events that one new one takes away: more than one, so that they get fewer.
const PURGE: usize = 2;

/// The list of all events.
pub(crate) const LIST: &str = "events";

/// The list of events that some endpoint did not get.
pub(crate) const UNDELIVERED: &str = "events undelivered";

/// What can happen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    CustomerCreated,
    CustomerUpdated,
    CustomerDeleted,
    SubscriptionCreated,
    SubscriptionUpdated,
    SubscriptionDeleted,
    SubscriptionPaused,
    SubscriptionResumed,
    SummaryUpdated,
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

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::CustomerCreated => "customer.created",
            Self::CustomerUpdated => "customer.updated",
            Self::CustomerDeleted => "customer.deleted",
            Self::SubscriptionCreated => "customer.subscription.created",
            Self::SubscriptionUpdated => "customer.subscription.updated",
            Self::SubscriptionDeleted => "customer.subscription.deleted",
            Self::SubscriptionPaused => "customer.subscription.paused",
            Self::SubscriptionResumed => "customer.subscription.resumed",
            Self::SummaryUpdated => "entitlements.active_entitlement_summary.updated",
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
    pub(super) object: Value,
    pub(super) previous: Option<Value>,
    pub(super) request: Option<String>,
    pub(super) idempotency_key: Option<String>,
    /// How many endpoints have still to be told.
    pub(crate) pending: u32,
    /// The endpoints that could not be told in all the time there is.
    pub(crate) failed: Vec<String>,
}

readable! {
    struct Event {
        id, created, r#type, object, previous, request, idempotency_key, pending, failed,
    }
}

impl Object for Event {
    const KIND: &'static str = "event";

    fn id(&self) -> &str {
        &self.id
    }

    fn entries(&self) -> Vec<Entry> {
        let mut lists = vec![LIST.to_owned(), list(&self.r#type)];
        // `customer.subscription.created` is found under `customer.subscription.*` and `customer.*` too.
        let mut rest = self.r#type.as_str();
        while let Some((prefix, _)) = rest.rsplit_once('.') {
            lists.push(list(&format!("{prefix}.*")));
            rest = prefix;
        }
        if !self.is_delivered() {
            lists.push(UNDELIVERED.to_owned());
        }
        lists.into_iter().map(|list| Entry::new(list, self.created)).collect()
    }
}

/// The list of the events of a type, or of all whose types begin with what stands before `.*`.
pub(crate) fn list(r#type: &str) -> String {
    format!("events type={type}")
}

impl Event {
    /// As Stripe shows it.
    pub(crate) fn shown(&self, livemode: Livemode) -> Value {
        let mut data = json!({ "object": self.object });
        if let (Some(previous), Value::Object(data)) = (&self.previous, &mut data) {
            data.insert("previous_attributes".to_owned(), previous.clone());
        }
        json!({
            "id": self.id,
            "object": "event",
            "api_version": API_VERSION,
            "created": self.created,
            "data": data,
            "livemode": bool::from(livemode),
            "pending_webhooks": self.pending,
            "request": { "id": self.request, "idempotency_key": self.idempotency_key },
            "type": self.r#type,
        })
    }

    /// Whether every endpoint that was to be told of it has been.
    pub(crate) fn is_delivered(&self) -> bool {
        self.pending == 0 && self.failed.is_empty()
    }

    /// Whether it is old enough to be forgotten.
    pub(crate) fn is_expired(&self, now: Timestamp) -> bool {
        self.created.0 < oldest(now).0
    }
}

/// The first second whose events are still there.
pub(crate) fn oldest(now: Timestamp) -> Timestamp {
    Timestamp(now.0.saturating_sub(MEMORY))
}

impl Catalog<'_> {
    /// Notes that something happened to an object, and who is to be told.
    pub(crate) fn emit(
        &self,
        kind: Kind,
        object: Value,
        previous: Option<Value>,
    ) -> Result<(), Error> {
        // What follows of itself was not asked for by the request: so Stripe's summaries say.
        let cause =
            if kind == Kind::SummaryUpdated { Cause::default() } else { self.cause.clone() };
        let endpoints = self.endpoints()?;
        let told: Vec<&Endpoint> =
            endpoints.iter().filter(|endpoint| endpoint.wants(kind.name())).collect();
        let event = Event {
            id: self.name("evt_1", 23),
            created: self.now,
            r#type: kind.name().to_owned(),
            object,
            previous,
            request: cause.id,
            idempotency_key: cause.idempotency_key,
            pending: u32::try_from(told.len()).unwrap_or(u32::MAX),
            failed: Vec::new(),
        };
        self.add(&event)?;
        for endpoint in told {
            self.add(&Delivery::of(self.name("whd_", 24), &event, &endpoint.id, self.now))?;
        }
        self.purge()
    }

    /// The same for an object that became another one; nothing if it did not.
    pub(crate) fn emit_change(&self, kind: Kind, old: &Value, new: Value) -> Result<(), Error> {
        match difference(old, &new) {
            None => Ok(()),
            previous => self.emit(kind, new, previous),
        }
    }

    fn purge(&self) -> Result<(), Error> {
        let below = Some(Place::before(oldest(self.now)));
        let expired = Range { above: None, below, order: Order::Ascending, limit: PURGE };
        let events: Vec<Event> = self.list(LIST, expired)?;
        events.iter().try_for_each(|event| self.remove(event))
    }
}

/// What of an object was another one before: members that are objects by what differs in them, all
/// others whole. None if nothing was.
fn difference(old: &Value, new: &Value) -> Option<Value> {
    let (Value::Object(old), Value::Object(new)) = (old, new) else {
        return (old != new).then(|| old.clone());
    };
    let mut before = Map::new();
    for (name, value) in old {
        let differs = match new.get(name) {
            Some(present) => difference(value, present),
            None => Some(value.clone()),
        };
        before.extend(differs.map(|value| (name.clone(), value)));
    }
    let added = new.keys().filter(|name| !old.contains_key(*name));
    before.extend(added.map(|name| (name.clone(), Value::Null)));
    (!before.is_empty()).then_some(Value::Object(before))
}

/// Puts members over those of an object.
pub(crate) fn overlay(shown: &mut Value, details: &Map<String, Value>) {
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
    fn what_was_before_is_told_by_what_differs() {
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
            assert_eq!(difference(&old, &new), before, "{why}");
        }
    }
}
