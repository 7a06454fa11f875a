//! An event: one change, retained for thirty days and delivered to the webhook endpoints.
//!
//! An event is rendered once, when it happens, in the latest version of Stripe's API. A delivery
//! converts it to the version of its endpoint. It is dated by the real clock, on test clocks too,
//! because receivers order events by this date. As at Stripe, features and product features have no
//! events.
//!
//! Specification: <https://docs.stripe.com/api/events>.

use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    catalog::{
        objects::{api_version::ApiVersion, calendar::SECONDS_PER_DAY},
        repository::Entity,
        storage::IndexEntry,
    },
    id::{Livemode, Timestamp},
    json::json_type,
    webhook::stripe::{CUSTOMER_DELETED_EVENT, SUMMARY_EVENT},
};

/// How long an event can be read, in seconds. The same as at Stripe.
pub(crate) const EVENT_RETENTION: i64 = 30 * SECONDS_PER_DAY;

/// The index of all events.
pub(crate) const INDEX: &str = "events";

/// The index of the events that are not delivered to every endpoint.
pub(crate) const UNDELIVERED_INDEX: &str = "events undelivered";

/// Stripe's event types that the catalog emits.
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
    SubscriptionTrialWillEnd,
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
            Self::CustomerDeleted => CUSTOMER_DELETED_EVENT,
            Self::SubscriptionCreated => "customer.subscription.created",
            Self::SubscriptionUpdated => "customer.subscription.updated",
            Self::SubscriptionDeleted => "customer.subscription.deleted",
            Self::SubscriptionPaused => "customer.subscription.paused",
            Self::SubscriptionResumed => "customer.subscription.resumed",
            Self::SubscriptionTrialWillEnd => "customer.subscription.trial_will_end",
            Self::EntitlementSummaryUpdated => SUMMARY_EVENT,
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

json_type! {
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
        /// The number of endpoints with a pending delivery.
        pub(crate) pending_webhooks: u32,
        /// The endpoints whose delivery was abandoned.
        pub(crate) failed_endpoints: Vec<String>,
    }
}

impl Entity for Event {
    const TYPE: &'static str = "event";

    fn id(&self) -> &str {
        &self.id
    }

    fn index_entries(&self) -> Vec<IndexEntry> {
        let mut indexes = vec![INDEX.to_owned(), type_index(&self.r#type)];
        // `customer.subscription.created` is also listed under `customer.subscription.*` and
        // `customer.*`.
        let mut rest = self.r#type.as_str();
        while let Some((prefix, _)) = rest.rsplit_once('.') {
            indexes.push(type_index(&format!("{prefix}.*")));
            rest = prefix;
        }
        if !self.is_delivered() {
            indexes.push(UNDELIVERED_INDEX.to_owned());
        }
        indexes.into_iter().map(|index| IndexEntry::new(index, self.created)).collect()
    }
}

/// The index of the events of a type, or of all types with the prefix before `.*`.
pub(crate) fn type_index(r#type: &str) -> String {
    format!("events type={type}")
}

impl Event {
    /// Stripe's JSON, in the version in which events are listed.
    pub(crate) fn to_json(&self, livemode: Livemode) -> Value {
        self.to_json_as(livemode, &ApiVersion::latest())
    }

    /// Stripe's JSON, in the version of an endpoint.
    pub(crate) fn to_json_as(&self, livemode: Livemode, version: &ApiVersion) -> Value {
        let (mut object, mut previous) = (self.object.clone(), self.previous_attributes.clone());
        version.convert_change(&mut object, &mut previous);
        let mut data = json!({ "object": object });
        if let (Some(previous), Value::Object(data)) = (previous, &mut data) {
            data.insert("previous_attributes".to_owned(), previous);
        }
        json!({
            "id": self.id,
            "object": "event",
            "api_version": version.as_str(),
            "created": self.created,
            "data": data,
            "livemode": bool::from(livemode),
            "pending_webhooks": self.pending_webhooks,
            "request": { "id": self.request_id, "idempotency_key": self.idempotency_key },
            "type": self.r#type,
        })
    }

    /// Whether every endpoint has received it.
    pub(crate) fn is_delivered(&self) -> bool {
        self.pending_webhooks == 0 && self.failed_endpoints.is_empty()
    }

    /// Whether its retention is over.
    pub(crate) fn is_expired(&self, now: Timestamp) -> bool {
        self.created < retention_start(now)
    }
}

/// The first second whose events are retained.
pub(crate) fn retention_start(now: Timestamp) -> Timestamp {
    now.saturating_sub(EVENT_RETENTION)
}
