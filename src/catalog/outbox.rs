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

use serde::Serialize;
use serde_json::Value;

use super::{
    Catalog, DAY, Error, Object,
    attempt::{self, Attempt},
    endpoint::{self, Endpoint, Gone},
    event::Event,
    shelf::{Entry, Order, Place, Range},
};
use crate::{
    id::Timestamp,
    json::{self, readable},
};

/// How long a delivery is tried, in seconds: as long as at Stripe, in live mode.
const PATIENCE: i64 = 3 * DAY;

/// The pause after the first failure, in seconds. Each later one is four times as long.
const FIRST_PAUSE: i64 = 1;

/// The longest pause, in seconds.
const LONGEST_PAUSE: i64 = DAY / 2;

/// How long whoever took a delivery has to say how it went, in seconds: three times what a request
/// may take.
const LEASE: i64 = 60;

/// The most deliveries to a deleted or disabled endpoint that are given up at once.
const BURIED: usize = 100;

/// That an endpoint is to be told of an event.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct Delivery {
    id: String,
    created: Timestamp,
    event: String,
    r#type: String,
    endpoint: String,
    tries: u32,
    due: Timestamp,
}

readable! { struct Delivery { id, created, event, r#type, endpoint, tries, due } }

impl Object for Delivery {
    const KIND: &'static str = "delivery";

    fn id(&self) -> &str {
        &self.id
    }

    fn entries(&self) -> Vec<Entry> {
        vec![Entry::new(owed(&self.endpoint), self.due)]
    }
}

/// The list of what is owed to one endpoint, by when it is due: so that nobody has to look through
/// what waits for another.
fn owed(endpoint: &str) -> String {
    format!("deliveries endpoint={endpoint}")
}

impl Delivery {
    pub(crate) fn of(id: String, event: &Event, endpoint: &str, now: Timestamp) -> Self {
        let (event, r#type, endpoint) =
            (event.id.clone(), event.r#type.clone(), endpoint.to_owned());
        Self { id, created: now, event, r#type, endpoint, tries: 0, due: now }
    }
}

/// A delivery that is due, ready to be sent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Parcel {
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
pub enum Outcome {
    /// The endpoint answered with this status.
    Answered(u16),
    /// It did not answer, and why.
    Failed(String),
}

/// When the next delivery is due, of those to endpoints for which there is `room`.
///
/// # Errors
///
/// When the shelf is out of order.
pub fn next(
    catalog: &Catalog<'_>,
    room: &dyn Fn(&str) -> usize,
) -> Result<Option<Timestamp>, Error> {
    if catalog.any(endpoint::GONE)? {
        return Ok(Some(catalog.now));
    }
    let first = Range { above: None, below: None, order: Order::Ascending, limit: 1 };
    let mut next: Option<Timestamp> = None;
    for endpoint in catalog.endpoints()? {
        if endpoint.disabled || room(&endpoint.id) > 0 {
            let owed: Vec<(Place, Delivery)> = catalog.places(&owed(&endpoint.id), first)?;
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
pub fn take(
    catalog: &Catalog<'_>,
    limit: usize,
    room: &dyn Fn(&str) -> usize,
) -> Result<Vec<Parcel>, Error> {
    bury(catalog)?;
    let mut due = Vec::new();
    for endpoint in catalog.endpoints()? {
        let room = if endpoint.disabled { BURIED } else { room(&endpoint.id).min(limit) };
        let range = Range::due(catalog.now, room);
        for (place, delivery) in catalog.places::<Delivery>(&owed(&endpoint.id), range)? {
            if endpoint.disabled {
                give_up(catalog, &delivery)?;
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
        let Some(event) = catalog.find::<Event>(&delivery.event)? else {
            give_up(catalog, &delivery)?;
            continue;
        };
        let leased = Delivery { due: after(catalog.now, LEASE), ..delivery.clone() };
        catalog.replace(&delivery, &leased)?;
        let mut shown = event.shown(catalog.livemode);
        if let (Some(version), Value::Object(members)) = (&endpoint.api_version, &mut shown) {
            members.insert("api_version".to_owned(), version.clone().into());
        }
        let body = json::text(&shown);
        let signature = endpoint.sign(&body, catalog.now);
        let Endpoint { id, url, .. } = endpoint;
        parcels.push(Parcel { delivery: delivery.id, endpoint: id, url, body, signature });
    }
    Ok(parcels)
}

/// Gives up what is owed to a deleted endpoint.
fn bury(catalog: &Catalog<'_>) -> Result<(), Error> {
    let gone: Vec<Gone> = catalog.list(endpoint::GONE, Range::newest(1))?;
    let Some(gone) = gone.first() else { return Ok(()) };
    let owed: Vec<Delivery> = catalog.list(&owed(gone.id()), Range::newest(BURIED))?;
    owed.iter().try_for_each(|delivery| give_up(catalog, delivery))?;
    if owed.len() < BURIED { catalog.remove(gone) } else { Ok(()) }
}

/// Notes how a delivery went.
///
/// # Errors
///
/// When the shelf is out of order.
pub fn report(catalog: &Catalog<'_>, delivery: &str, outcome: Outcome) -> Result<(), Error> {
    let Some(delivery) = catalog.find::<Delivery>(delivery)? else { return Ok(()) };
    let (status, error) = match outcome {
        Outcome::Answered(status) => (Some(status), None),
        Outcome::Failed(cause) => (None, Some(cause)),
    };
    let tries = delivery.tries.saturating_add(1);
    let done = status.is_some_and(attempt::is_success);
    let again = after(catalog.now, pause(tries, (catalog.chance)()).saturating_add(1));
    let next = (!done && again <= after(delivery.created, PATIENCE)).then_some(again);
    catalog.add(&Attempt {
        id: catalog.name("wha_", 24),
        created: catalog.now,
        endpoint: delivery.endpoint.clone(),
        event: delivery.event.clone(),
        r#type: delivery.r#type.clone(),
        number: tries,
        status,
        error,
        next,
    })?;
    attempt::purge(catalog)?;
    match next {
        Some(due) => catalog.replace(&delivery, &Delivery { tries, due, ..delivery.clone() }),
        None if done => {
            catalog.remove(&delivery)?;
            settle(catalog, &delivery, Fate::Done)
        }
        None => give_up(catalog, &delivery),
    }
}

/// Tells an endpoint of an event again, as Stripe's CLI asks for it.
pub(crate) fn send_again(
    catalog: &Catalog<'_>,
    event: &str,
    endpoint: &str,
) -> Result<Event, Error> {
    let before: Event = catalog.load(event, "id")?;
    let endpoint: Endpoint = catalog.load(endpoint, "webhook_endpoint")?;
    if endpoint.disabled {
        return Err(Error::State(format!("The webhook endpoint '{}' is disabled.", endpoint.id)));
    }
    let event = Event { pending: before.pending.saturating_add(1), ..before.clone() };
    catalog.replace(&before, &event)?;
    catalog.add(&Delivery::of(catalog.name("whd_", 24), &event, &endpoint.id, catalog.now))?;
    Ok(event)
}

/// How a delivery ends.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Fate {
    Done,
    GivenUp,
}

fn give_up(catalog: &Catalog<'_>, delivery: &Delivery) -> Result<(), Error> {
    catalog.remove(delivery)?;
    settle(catalog, delivery, Fate::GivenUp)
}

/// Notes at the event that one endpoint less is to be told.
fn settle(catalog: &Catalog<'_>, delivery: &Delivery, fate: Fate) -> Result<(), Error> {
    let Some(before) = catalog.find::<Event>(&delivery.event)? else { return Ok(()) };
    let mut event = before.clone();
    event.pending = before.pending.saturating_sub(1);
    event.failed.retain(|endpoint| *endpoint != delivery.endpoint);
    if fate == Fate::GivenUp {
        event.failed.push(delivery.endpoint.clone());
    }
    catalog.replace(&before, &event)
}

fn after(moment: Timestamp, seconds: i64) -> Timestamp {
    Timestamp(moment.0.saturating_add(seconds))
}

/// How long until the next try, in seconds from the end of the present one: up to a tenth longer than
/// the rule says, so that those who failed together do not come back together.
fn pause(tries: u32, chance: u64) -> i64 {
    let factor = 4_i64.saturating_pow(tries.saturating_sub(1).min(16));
    let pause = FIRST_PAUSE.saturating_mul(factor).min(LONGEST_PAUSE);
    let longest = (pause / 10).unsigned_abs();
    pause.saturating_add_unsigned(chance % longest.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        catalog::{event::Kind, memory::Memory},
        id::Livemode,
        policy::Policy,
    };

    const NOW: Timestamp = Timestamp(1_700_000_000);

    #[test]
    fn an_endpoint_without_room_holds_up_no_other_and_a_deleted_one_nobody() {
        let (shelf, last) = (Memory::default(), std::cell::Cell::new(0_u64));
        let chance = || last.replace(last.get().wrapping_add(0x9e37_79b9_7f4a_7c15));
        let catalog = Catalog::open(&shelf, Livemode::Test, Policy::default(), &chance, NOW);
        let [slow, other] = ["https://slow.example", "https://other.example"].map(|url| {
            let enabled_events = vec!["*".to_owned()];
            let new = endpoint::New { url: url.to_owned(), enabled_events, ..Default::default() };
            endpoint::create(&catalog, new).unwrap().id
        });
        for _ in 0..3 {
            catalog.emit(Kind::CustomerCreated, Value::Null, None).unwrap();
        }
        let taken = take(&catalog, 6, &|id| if id == slow { 1 } else { 2 }).unwrap();
        let to: Vec<_> = taken.into_iter().map(|parcel| parcel.endpoint).collect();
        assert_eq!(to, [other.clone(), slow.clone(), other.clone()]);

        let only_other = |id: &str| usize::from(id == other);
        assert_eq!(take(&catalog, 6, &only_other).unwrap().len(), 1);
        assert_eq!(next(&catalog, &only_other), Ok(Some(after(NOW, LEASE))), "all are out");
        assert_eq!(next(&catalog, &|_| 1), Ok(Some(NOW)), "those that wait for room are due");

        endpoint::delete(&catalog, &slow).unwrap();
        assert_eq!(next(&catalog, &|_| 0), Ok(Some(NOW)), "to be given up");
        assert_eq!(take(&catalog, 6, &|_| 6), Ok(vec![]));
        assert_eq!(next(&catalog, &|_| 6), Ok(Some(after(NOW, LEASE))), "the other's");
    }

    #[test]
    fn pauses_grow_to_half_a_day_and_by_a_tenth_at_most() {
        for (tries, shortest, longest) in [
            (1, 1, 1),
            (2, 4, 4),
            (3, 16, 17),
            (8, 16_384, 18_022),
            (9, 43_200, 47_520),
            (u32::MAX, 43_200, 47_520),
        ] {
            assert_eq!(pause(tries, 0), shortest);
            let most = (longest - shortest).unsigned_abs();
            assert_eq!((pause(tries, most), pause(tries, most + 1)), (longest, shortest));
        }
    }
}
