//! Telling the endpoints: what is owed to whom, and how it went.
//!
//! A delivery is written down together with what it tells of, and removed once the endpoint has said
//! 2xx. So a crash at any moment leaves one that is sent later, perhaps twice: receivers know events
//! by their ids. Whoever sends takes what is due with [`take()`], which puts it off for a while, and
//! says with [`report()`] how it went.
//!
//! | the endpoint                         | what follows                                        |
//! |--------------------------------------|-----------------------------------------------------|
//! | answers 2xx                          | done                                                |
//! | answers anything else, or not at all | again after 1 s, 4 s, 16 s … 12 h, for three days   |
//! | is deleted, or disabled by then      | no more tries                                       |
//!
//! <https://docs.stripe.com/webhooks#retries>; the intervals are not Stripe's, who does not tell
//! them. The request itself is sent by the shell.

use serde_json::Value;

use crate::{
    catalog::{
        error::Error,
        objects::{
            calendar::SECONDS_PER_DAY,
            delivery::{self, Delivery},
            delivery_attempt::{self, Attempt},
            event::{self, Event},
            webhook_endpoint::{self, DeletedEndpoint, WebhookEndpoint},
        },
        storage::{IndexPosition, IndexRange, SortOrder},
        tx::Tx,
    },
    id::Timestamp,
    json,
};

/// How long a delivery is tried, in seconds: as long as at Stripe, in live mode.
const RETRY_WINDOW: i64 = 3 * SECONDS_PER_DAY;

/// The pause after the first failure, in seconds. Each later one is four times as long.
const FIRST_BACKOFF: i64 = 1;

/// The longest pause, in seconds.
const MAX_BACKOFF: i64 = SECONDS_PER_DAY / 2;

/// How long whoever took a delivery has to say how it went, in seconds: three times what a request
/// may take.
const LEASE: i64 = 60;

/// The most deliveries to a deleted or disabled endpoint that are given up at once.
const DROP_BATCH: usize = 100;

/// A delivery that is due, ready to be sent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WebhookRequest {
    /// Which delivery it is.
    pub delivery: String,
    /// Which endpoint it is for.
    pub endpoint: String,
    /// Where it goes, by `POST`.
    pub url: String,
    /// The event, as JSON.
    pub body: String,
    /// The `Stripe-Signature`.
    pub signature: String,
}

/// How it went.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum AttemptOutcome {
    /// The endpoint answered with this status.
    Responded(u16),
    /// It did not answer, and why.
    Failed(String),
}

/// When the next delivery is due, of those to endpoints for which there is `room`.
///
/// # Errors
///
/// When the shelf is out of order.
pub fn next_due(tx: &Tx<'_>, room: &dyn Fn(&str) -> usize) -> Result<Option<Timestamp>, Error> {
    if tx.has_any(webhook_endpoint::DELETED_INDEX)? {
        return Ok(Some(tx.now));
    }
    let first = IndexRange { after: None, before: None, order: SortOrder::Ascending, limit: 1 };
    let mut next: Option<Timestamp> = None;
    for endpoint in webhook_endpoint::load_all(tx)? {
        if endpoint.disabled || room(&endpoint.id) > 0 {
            let owed: Vec<(IndexPosition, Delivery)> =
                tx.list_with_positions(&delivery::queue_index(&endpoint.id), first)?;
            next = next.into_iter().chain(owed.first().map(|(place, _)| place.at)).min();
        }
    }
    Ok(next)
}

/// What is due now, at most so many, and to each endpoint as many as there is `room` for. Each is put
/// off until its fate should be known. What nobody wants any more is given up on the way.
///
/// # Errors
///
/// When the shelf is out of order.
pub fn lease_due(
    tx: &Tx<'_>,
    limit: usize,
    room: &dyn Fn(&str) -> usize,
) -> Result<Vec<WebhookRequest>, Error> {
    drop_deleted(tx)?;
    let mut due = Vec::new();
    for endpoint in webhook_endpoint::load_all(tx)? {
        let room = if endpoint.disabled { DROP_BATCH } else { room(&endpoint.id).min(limit) };
        let range = IndexRange::due_until(tx.now, room);
        for (place, delivery) in
            tx.list_with_positions::<Delivery>(&delivery::queue_index(&endpoint.id), range)?
        {
            if endpoint.disabled {
                abandon(tx, &delivery)?;
            } else {
                due.push((place, delivery, endpoint.clone()));
            }
        }
    }
    let mut parcels = Vec::with_capacity(due.len().min(limit));
    for _ in 0..limit {
        let places = due.iter().map(|(place, ..)| *place).enumerate();
        let Some((first, _)) = places.min_by_key(|(_, place)| *place) else { break };
        let (_, delivery, endpoint) = due.swap_remove(first);
        let Some(event) = tx.find::<Event>(&delivery.event)? else {
            abandon(tx, &delivery)?;
            continue;
        };
        let leased = Delivery { due: tx.now.saturating_add(LEASE), ..delivery.clone() };
        tx.update(&delivery, &leased)?;
        let mut shown = event.to_json(tx.livemode);
        if let (Some(version), Value::Object(members)) = (&endpoint.api_version, &mut shown) {
            members.insert("api_version".to_owned(), version.clone().into());
        }
        let body = json::to_string(&shown);
        let signature = endpoint.sign(&body, tx.now);
        let WebhookEndpoint { id, url, .. } = endpoint;
        parcels.push(WebhookRequest { delivery: delivery.id, endpoint: id, url, body, signature });
    }
    Ok(parcels)
}

/// Gives up what is owed to a deleted endpoint.
fn drop_deleted(tx: &Tx<'_>) -> Result<(), Error> {
    let gone: Vec<DeletedEndpoint> =
        tx.list(webhook_endpoint::DELETED_INDEX, IndexRange::newest_first(1))?;
    let Some(gone) = gone.first() else { return Ok(()) };
    let owed: Vec<Delivery> =
        tx.list(&delivery::queue_index(&gone.id), IndexRange::newest_first(DROP_BATCH))?;
    owed.iter().try_for_each(|delivery| abandon(tx, delivery))?;
    if owed.len() < DROP_BATCH { tx.remove(gone) } else { Ok(()) }
}

/// Notes how a delivery went.
///
/// # Errors
///
/// When the shelf is out of order.
pub fn record_attempt(tx: &Tx<'_>, delivery: &str, outcome: AttemptOutcome) -> Result<(), Error> {
    let Some(delivery) = tx.find::<Delivery>(delivery)? else { return Ok(()) };
    let (status, error) = match outcome {
        AttemptOutcome::Responded(status) => (Some(status), None),
        AttemptOutcome::Failed(cause) => (None, Some(cause)),
    };
    let tries = delivery.attempts.saturating_add(1);
    let done = status.is_some_and(delivery_attempt::is_success);
    let again = tx.now.saturating_add(backoff(tries, (tx.random)()).saturating_add(1));
    let next = (!done && again <= delivery.created.saturating_add(RETRY_WINDOW)).then_some(again);
    tx.insert(&Attempt {
        id: tx.new_id("wha_", 24),
        created: tx.now,
        endpoint: delivery.endpoint.clone(),
        event: delivery.event.clone(),
        r#type: delivery.r#type.clone(),
        number: tries,
        status,
        error,
        next_attempt: next,
    })?;
    tx.remove_oldest::<Attempt>(delivery_attempt::INDEX, event::retention_start(tx.now))?;
    match next {
        Some(due) => tx.update(&delivery, &Delivery { attempts: tries, due, ..delivery.clone() }),
        None if done => {
            tx.remove(&delivery)?;
            update_pending(tx, &delivery, DeliveryEnd::Delivered)
        }
        None => abandon(tx, &delivery),
    }
}

/// Tells an endpoint of an event again, as Stripe's CLI asks for it.
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

/// Notes at the event that one endpoint less is to be told.
fn update_pending(tx: &Tx<'_>, delivery: &Delivery, fate: DeliveryEnd) -> Result<(), Error> {
    let Some(before) = tx.find::<Event>(&delivery.event)? else { return Ok(()) };
    let mut event = before.clone();
    event.pending_webhooks = before.pending_webhooks.saturating_sub(1);
    event.failed_endpoints.retain(|endpoint| *endpoint != delivery.endpoint);
    if fate == DeliveryEnd::Abandoned {
        event.failed_endpoints.push(delivery.endpoint.clone());
    }
    tx.update(&before, &event)
}

/// How long until the next try, in seconds from the end of the present one: up to a tenth longer than
/// the rule says, so that those who failed together do not come back together.
fn backoff(tries: u32, chance: u64) -> i64 {
    let factor = 4_i64.saturating_pow(tries.saturating_sub(1).min(16));
    let pause = FIRST_BACKOFF.saturating_mul(factor).min(MAX_BACKOFF);
    let longest = (pause / 10).unsigned_abs();
    pause.saturating_add_unsigned(chance % longest.saturating_add(1))
}

#[cfg(test)]
mod tests {
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
        let (shelf, last) = (MemoryStorage::default(), std::cell::Cell::new(0_u64));
        let chance = || last.replace(last.get().wrapping_add(0x9e37_79b9_7f4a_7c15));
        let tx = Tx::new(&shelf, Livemode::Test, StatusPolicy::default(), &chance, NOW);
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
        let taken = lease_due(&tx, 6, &|id| if id == slow { 1 } else { 2 }).unwrap();
        let to: Vec<_> = taken.into_iter().map(|parcel| parcel.endpoint).collect();
        assert_eq!(to, [other.clone(), slow.clone(), other.clone()]);

        let only_other = |id: &str| usize::from(id == other);
        assert_eq!(lease_due(&tx, 6, &only_other).unwrap().len(), 1);
        assert_eq!(next_due(&tx, &only_other), Ok(Some(NOW.saturating_add(LEASE))), "all are out");
        assert_eq!(next_due(&tx, &|_| 1), Ok(Some(NOW)), "those that wait for room are due");

        webhook_endpoints::delete(&tx, &slow).unwrap();
        assert_eq!(next_due(&tx, &|_| 0), Ok(Some(NOW)), "to be given up");
        assert_eq!(lease_due(&tx, 6, &|_| 6), Ok(vec![]));
        assert_eq!(next_due(&tx, &|_| 6), Ok(Some(NOW.saturating_add(LEASE))), "the other's");
    }

    #[test]
    fn backoff_grows_to_half_a_day_with_at_most_a_tenth_of_jitter() {
        for (tries, shortest, longest) in [
            (1, 1, 1),
            (2, 4, 4),
            (3, 16, 17),
            (8, 16_384, 18_022),
            (9, 43_200, 47_520),
            (u32::MAX, 43_200, 47_520),
        ] {
            assert_eq!(backoff(tries, 0), shortest);
            let most = (longest - shortest).unsigned_abs();
            assert_eq!((backoff(tries, most), backoff(tries, most + 1)), (longest, shortest));
        }
    }
}
