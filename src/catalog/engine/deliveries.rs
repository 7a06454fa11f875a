//! Webhook deliveries: leases those that are due, and records the outcome of each attempt.
//!
//! A delivery is stored in the transaction of its event, and removed when the endpoint responds
//! with 2xx. After a crash it is sent later, perhaps twice: receivers deduplicate events by id.
//!
//! | the endpoint                          | result                                              |
//! |---------------------------------------|-----------------------------------------------------|
//! | responds with 2xx                     | the delivery is complete                            |
//! | responds with another status, or fails | retries after 1 s, 4 s, 16 s … 12 h, for three days |
//! | is deleted or disabled                | the delivery is abandoned                           |
//!
//! The process calls [`lease_due()`], sends the requests, and calls [`record_attempt()`]. A lease
//! hides a delivery until it expires. Stripe does not document its retry intervals; these are
//! entgate's.
//!
//! Specification: <https://docs.stripe.com/webhooks#retries>.

use crate::{
    catalog::{
        error::Error,
        objects::{
            api_version::ApiVersion,
            calendar::SECONDS_PER_DAY,
            delivery::{self, Delivery},
            delivery_attempt::{self, DeliveryAttempt},
            event::{EVENT_RETENTION, Event},
            webhook_endpoint::{self, DeletedEndpoint, WebhookEndpoint},
        },
        storage::{IndexPosition, IndexRange},
        tx::Tx,
    },
    id::Timestamp,
    json,
};

/// How long a delivery is retried, in seconds. The same as at Stripe in live mode.
const RETRY_WINDOW: i64 = 3 * SECONDS_PER_DAY;

/// The back-off after the first failure, in seconds. Each later one is four times as long.
const FIRST_BACKOFF: i64 = 1;

/// The longest back-off, in seconds.
const MAX_BACKOFF: i64 = SECONDS_PER_DAY / 2;

/// How long a leased delivery is hidden, in seconds: three times the timeout of a request.
pub(super) const LEASE: i64 = 60;

/// The most deliveries to a deleted or disabled endpoint that are abandoned at once.
const DROP_BATCH: usize = 100;

/// A leased delivery, ready to be sent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WebhookRequest {
    /// The delivery's id.
    pub delivery: String,
    /// The endpoint's id.
    pub endpoint: String,
    /// The target of the `POST`.
    pub url: String,
    /// The event, as JSON.
    pub body: String,
    /// The `Stripe-Signature` header.
    pub signature: String,
}

/// The outcome of an attempt.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum AttemptOutcome {
    /// The endpoint responded with this status.
    Responded(u16),
    /// The request failed, with the cause.
    Failed(String),
}

/// When the next delivery is due. `capacity` returns how many more deliveries an endpoint can
/// receive at once; endpoints without capacity do not count.
///
/// # Errors
///
/// When the storage fails.
pub fn next_due(tx: &Tx<'_>, capacity: &dyn Fn(&str) -> usize) -> Result<Option<Timestamp>, Error> {
    if tx.has_any(webhook_endpoint::DELETED_INDEX)? {
        return Ok(Some(tx.now));
    }
    let first = IndexRange::earliest();
    let mut next: Option<Timestamp> = None;
    for endpoint in webhook_endpoint::load_all(tx)? {
        if endpoint.disabled || capacity(&endpoint.id) > 0 {
            let queued: Vec<(IndexPosition, Delivery)> =
                tx.list_with_positions(&delivery::queue_index(&endpoint.id), first)?;
            next = next.into_iter().chain(queued.first().map(|(position, _)| position.at)).min();
        }
    }
    Ok(next)
}

/// Leases the deliveries that are due: at most `limit`, and at most `capacity` for each endpoint.
/// Abandons deliveries to deleted and disabled endpoints.
///
/// # Errors
///
/// When the storage fails.
pub fn lease_due(
    tx: &Tx<'_>,
    limit: usize,
    capacity: &dyn Fn(&str) -> usize,
) -> Result<Vec<WebhookRequest>, Error> {
    drop_deleted(tx)?;
    let mut due = Vec::new();
    for endpoint in webhook_endpoint::load_all(tx)? {
        let capacity =
            if endpoint.disabled { DROP_BATCH } else { capacity(&endpoint.id).min(limit) };
        let range = IndexRange::due_until(tx.now, capacity);
        for (position, delivery) in
            tx.list_with_positions::<Delivery>(&delivery::queue_index(&endpoint.id), range)?
        {
            if endpoint.disabled {
                abandon(tx, &delivery)?;
            } else {
                due.push((position, delivery, endpoint.clone()));
            }
        }
    }
    let mut requests = Vec::with_capacity(due.len().min(limit));
    for _ in 0..limit {
        let positions = due.iter().map(|(position, ..)| *position).enumerate();
        let Some((first, _)) = positions.min_by_key(|(_, position)| *position) else { break };
        let (_, delivery, endpoint) = due.swap_remove(first);
        let Some(event) = tx.find::<Event>(&delivery.event)? else {
            abandon(tx, &delivery)?;
            continue;
        };
        let leased = Delivery { due: tx.now.saturating_add(LEASE), ..delivery.clone() };
        tx.update(&delivery, &leased)?;
        let version = endpoint.api_version.as_deref().and_then(ApiVersion::parse);
        let version = version.unwrap_or_else(ApiVersion::latest);
        let body = json::to_string(&event.to_json_as(tx.livemode, &version));
        let signature = endpoint.sign(&body, tx.now);
        let WebhookEndpoint { id, url, .. } = endpoint;
        requests.push(WebhookRequest { delivery: delivery.id, endpoint: id, url, body, signature });
    }
    Ok(requests)
}

/// Abandons the deliveries of a deleted endpoint.
fn drop_deleted(tx: &Tx<'_>) -> Result<(), Error> {
    let deleted: Vec<DeletedEndpoint> =
        tx.list(webhook_endpoint::DELETED_INDEX, IndexRange::newest_first(1))?;
    let Some(deleted) = deleted.first() else { return Ok(()) };
    let queued: Vec<Delivery> =
        tx.list(&delivery::queue_index(&deleted.id), IndexRange::newest_first(DROP_BATCH))?;
    queued.iter().try_for_each(|delivery| abandon(tx, delivery))?;
    if queued.len() < DROP_BATCH { tx.remove(deleted) } else { Ok(()) }
}

/// Records the outcome of an attempt, and schedules the next one.
///
/// # Errors
///
/// When the storage fails.
pub fn record_attempt(tx: &Tx<'_>, delivery: &str, outcome: AttemptOutcome) -> Result<(), Error> {
    let Some(delivery) = tx.find::<Delivery>(delivery)? else { return Ok(()) };
    let (status, error) = match outcome {
        AttemptOutcome::Responded(status) => (Some(status), None),
        AttemptOutcome::Failed(cause) => (None, Some(cause)),
    };
    let attempts = delivery.attempts.saturating_add(1);
    let done = status.is_some_and(delivery_attempt::is_success);
    let retry_at = tx.now.saturating_add(backoff(attempts, (tx.random)()).saturating_add(1));
    let next =
        (!done && retry_at <= delivery.created.saturating_add(RETRY_WINDOW)).then_some(retry_at);
    tx.insert(&DeliveryAttempt {
        id: tx.new_id("wha_", 24),
        created: tx.now,
        endpoint: delivery.endpoint.clone(),
        event: delivery.event.clone(),
        r#type: delivery.r#type.clone(),
        number: attempts,
        status,
        error,
        next_attempt: next,
    })?;
    tx.remove_expired::<DeliveryAttempt>(delivery_attempt::INDEX, EVENT_RETENTION)?;
    match next {
        Some(due) => tx.update(&delivery, &Delivery { attempts, due, ..delivery.clone() }),
        None if done => {
            tx.remove(&delivery)?;
            update_pending(tx, &delivery, DeliveryEnd::Delivered)
        }
        None => abandon(tx, &delivery),
    }
}

/// Sends an event to an endpoint again, as `stripe events resend` does.
pub(crate) fn resend(tx: &Tx<'_>, event: &str, endpoint: &str) -> Result<Event, Error> {
    let before: Event = tx.load(event, "id")?;
    let endpoint: WebhookEndpoint = tx.load(endpoint, "webhook_endpoint")?;
    if endpoint.disabled {
        return Err(Error::InvalidState(format!(
            "The webhook endpoint '{}' is disabled.",
            endpoint.id
        )));
    }
    let event =
        Event { pending_webhooks: before.pending_webhooks.saturating_add(1), ..before.clone() };
    tx.update(&before, &event)?;
    tx.insert(&Delivery::new(tx.new_id("whd_", 24), &event, &endpoint.id, tx.now))?;
    Ok(event)
}

/// How a delivery ends.
#[derive(Clone, Copy, Eq, PartialEq)]
enum DeliveryEnd {
    Delivered,
    Abandoned,
}

fn abandon(tx: &Tx<'_>, delivery: &Delivery) -> Result<(), Error> {
    tx.remove(delivery)?;
    update_pending(tx, delivery, DeliveryEnd::Abandoned)
}

/// Counts one pending delivery less on the event.
fn update_pending(tx: &Tx<'_>, delivery: &Delivery, end: DeliveryEnd) -> Result<(), Error> {
    let Some(before) = tx.find::<Event>(&delivery.event)? else { return Ok(()) };
    let mut event = before.clone();
    event.pending_webhooks = before.pending_webhooks.saturating_sub(1);
    event.failed_endpoints.retain(|endpoint| *endpoint != delivery.endpoint);
    if end == DeliveryEnd::Abandoned {
        event.failed_endpoints.push(delivery.endpoint.clone());
    }
    tx.update(&before, &event)
}

/// The back-off after an attempt, in seconds. Up to a tenth of jitter spreads retries that failed
/// together.
pub(super) fn backoff(attempts: u32, random: u64) -> i64 {
    let factor = 4_i64.saturating_pow(attempts.saturating_sub(1).min(16));
    let interval = FIRST_BACKOFF.saturating_mul(factor).min(MAX_BACKOFF);
    let max_jitter = (interval / 10).unsigned_abs();
    interval.saturating_add_unsigned(random % max_jitter.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::{
        catalog::{
            engine::emit::emit, memory::MemoryStorage, objects::event::EventType,
            operations::webhook_endpoints,
        },
        id::Livemode,
        policy::StatusPolicy,
    };

    const NOW: Timestamp = Timestamp(1_700_000_000);

    #[test]
    fn an_endpoint_at_capacity_or_deleted_does_not_delay_another() {
        let (storage, last) = (MemoryStorage::default(), std::cell::Cell::new(0_u64));
        let random = || last.replace(last.get().wrapping_add(0x9e37_79b9_7f4a_7c15));
        let tx = Tx::new(&storage, Livemode::Test, StatusPolicy::default(), &random, NOW);
        let [slow, other] = ["https://slow.example", "https://other.example"].map(|url| {
            let enabled_events = vec!["*".to_owned()];
            let new = webhook_endpoints::NewWebhookEndpoint {
                url: url.to_owned(),
                enabled_events,
                ..Default::default()
            };
            webhook_endpoints::create(&tx, new).unwrap().id
        });
        for _ in 0..3 {
            emit(&tx, EventType::CustomerCreated, Value::Null, None).unwrap();
        }
        let leased = lease_due(&tx, 6, &|id| if id == slow { 1 } else { 2 }).unwrap();
        let to: Vec<_> = leased.into_iter().map(|request| request.endpoint).collect();
        assert_eq!(to, [other.clone(), slow.clone(), other.clone()]);

        let only_other = |id: &str| usize::from(id == other);
        assert_eq!(lease_due(&tx, 6, &only_other).unwrap().len(), 1);
        assert_eq!(
            next_due(&tx, &only_other),
            Ok(Some(NOW.saturating_add(LEASE))),
            "all other deliveries are leased"
        );
        assert_eq!(
            next_due(&tx, &|_| 1),
            Ok(Some(NOW)),
            "deliveries that wait for capacity are due"
        );

        webhook_endpoints::delete(&tx, &slow).unwrap();
        assert_eq!(
            next_due(&tx, &|_| 0),
            Ok(Some(NOW)),
            "the deleted endpoint's deliveries are to be dropped"
        );
        assert_eq!(lease_due(&tx, 6, &|_| 6), Ok(vec![]));
        assert_eq!(
            next_due(&tx, &|_| 6),
            Ok(Some(NOW.saturating_add(LEASE))),
            "the other endpoint's lease"
        );
    }

    #[test]
    fn backoff_grows_to_half_a_day_with_at_most_a_tenth_of_jitter() {
        for (attempts, shortest, longest) in [
            (1, 1, 1),
            (2, 4, 4),
            (3, 16, 17),
            (8, 16_384, 18_022),
            (9, 43_200, 47_520),
            (u32::MAX, 43_200, 47_520),
        ] {
            assert_eq!(backoff(attempts, 0), shortest);
            let most = (longest - shortest).unsigned_abs();
            assert_eq!((backoff(attempts, most), backoff(attempts, most + 1)), (longest, shortest));
        }
    }
}
