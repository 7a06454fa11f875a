//! What happened: an event for each change, kept for thirty days and told to the endpoints.
//!
//! <https://docs.stripe.com/api/events>. An event is rendered when it happens, and never again. It is
//! dated by the real clock, on test clocks too: who receives it orders by that. Features, and their
//! being attached, have no events at Stripe, and have none here.

use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    catalog::{objects::calendar::SECONDS_PER_DAY, repository::Entity, storage::IndexEntry},
    id::{Livemode, Timestamp},
    json::impl_from_json,
    source::API_VERSION,
};

/// How long an event can be read back, in seconds: as long as at Stripe.
pub(crate) const EVENT_RETENTION: i64 = 30 * SECONDS_PER_DAY;

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
    now.saturating_add(-EVENT_RETENTION)
}
