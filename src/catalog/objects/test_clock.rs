//! A test clock: time that a test moves forward, for the customers that live by it.
//!
//! <https://docs.stripe.com/billing/testing/test-clocks>. Advancing takes a while, in which nothing
//! of its customers may be changed: what falls due on the way happens in its order, each at its
//! moment.

use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    catalog::{
        Error, Tx,
        objects::{calendar::SECONDS_PER_DAY, event::EventType},
        repository::Entity,
        storage::IndexEntry,
    },
    id::{Livemode, Timestamp},
    json::impl_from_json,
};

/// How far a clock may be moved at once, in seconds: five years. Every renewal on the way happens.
const MAX_ADVANCE: i64 = 5 * 366 * SECONDS_PER_DAY;

/// How long a clock is kept, in seconds: as long as at Stripe.
const CLOCK_RETENTION: i64 = 30 * SECONDS_PER_DAY;

/// The list of all clocks.
pub(crate) const INDEX: &str = "clocks";

/// The list of the clocks that are there, by when they go.
pub(crate) const EXPIRY_INDEX: &str = "clocks expiring";

/// The list of the clocks that are under way, or going.
pub(crate) const BUSY_INDEX: &str = "clocks moving";

/// A test clock.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct TestClock {
    pub(crate) id: String,
    pub(crate) created: Timestamp,
    pub(crate) name: Option<String>,
    pub(crate) frozen_time: Timestamp,
    pub(crate) state: ClockState,
}

impl_from_json! { struct TestClock { id, created, name, frozen_time, state } }

/// What a clock is doing.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub(crate) enum ClockState {
    /// It stands.
    Ready,
    /// It is on its way to a moment.
    Advancing(Timestamp),
    /// It is going, and its customers with it.
    Deleted,
}

impl_from_json! { enum ClockState { Ready = "Ready", Advancing(_) = "Advancing", Deleted = "Deleted" } }

impl Entity for TestClock {
    const TYPE: &'static str = "test clock";

    fn id(&self) -> &str {
        &self.id
    }

    fn index_entries(&self) -> Vec<IndexEntry> {
        let lists: &[&str] = match self.state {
            ClockState::Ready => &[INDEX],
            ClockState::Advancing(_) => &[INDEX, BUSY_INDEX],
            ClockState::Deleted => &[BUSY_INDEX],
        };
        let expiring = (self.state != ClockState::Deleted)
            .then(|| IndexEntry::new(EXPIRY_INDEX, self.deletes_after()));
        lists.iter().map(|list| IndexEntry::new(*list, self.created)).chain(expiring).collect()
    }
}

impl TestClock {
    fn deletes_after(&self) -> Timestamp {
        Timestamp(self.created.0.saturating_add(CLOCK_RETENTION))
    }

    /// As Stripe shows it.
    pub(crate) fn to_json(&self, livemode: Livemode) -> Value {
        let (status, details) = match self.state {
            ClockState::Advancing(target) => {
                ("advancing", json!({ "advancing": { "target_frozen_time": target } }))
            }
            ClockState::Ready | ClockState::Deleted => ("ready", json!({})),
        };
        json!({
            "id": self.id,
            "object": "test_helpers.test_clock",
            "created": self.created,
            "deletes_after": self.deletes_after(),
            "frozen_time": self.frozen_time,
            "livemode": bool::from(livemode),
            "name": self.name,
            "status": status,
            "status_details": details,
        })
    }
}

impl Tx<'_> {
    /// A clock that is there.
    pub(crate) fn load_clock(&self, id: &str, param: &str) -> Result<TestClock, Error> {
        let clock: TestClock = self.load(id, param)?;
        if clock.state != ClockState::Deleted {
            return Ok(clock);
        }
        let (kind, id, param) = (TestClock::TYPE, id.to_owned(), param.to_owned());
        Err(Error::NotFound { kind, id, param })
    }

    /// What time it is on a clock, wherever it is going, or for those who have none.
    pub(crate) fn now_on(&self, clock: Option<&str>) -> Result<Timestamp, Error> {
        let clock: Option<TestClock> = clock.map_or(Ok(None), |clock| self.find(clock))?;
        Ok(clock.map_or(self.now, |clock| clock.frozen_time))
    }

    /// What time it is on a clock that stands, or for those who have none.
    pub(crate) fn writable_now(&self, clock: Option<&str>) -> Result<Timestamp, Error> {
        let Some(clock) = clock else { return Ok(self.now) };
        let clock = self.load_clock(clock, "test_clock")?;
        match clock.state {
            ClockState::Ready => Ok(clock.frozen_time),
            ClockState::Advancing(_) | ClockState::Deleted => Err(Error::InvalidState(
                "Test clock advancement underway - cannot perform modifications.".to_owned(),
            )),
        }
    }
}

pub(crate) fn create(
    catalog: &Tx<'_>,
    frozen: Timestamp,
    name: Option<String>,
) -> Result<TestClock, Error> {
    let clock = TestClock {
        id: catalog.new_id("clock_1", 23),
        created: catalog.now,
        name,
        frozen_time: frozen,
        state: ClockState::Ready,
    };
    catalog.insert(&clock)?;
    catalog.emit(EventType::ClockCreated, clock.to_json(catalog.livemode), None)?;
    Ok(clock)
}

/// Sets a clock on its way; the work that follows brings it there.
pub(crate) fn advance(catalog: &Tx<'_>, id: &str, to: Timestamp) -> Result<TestClock, Error> {
    let before = catalog.load_clock(id, "id")?;
    let failed = |message: String| Err(Error::invalid_parameter("frozen_time", message));
    if before.state != ClockState::Ready {
        return Err(Error::InvalidState(
            "Test clock advancement underway - wait until its status is `ready`.".to_owned(),
        ));
    }
    if to <= before.frozen_time {
        return failed(format!(
            "A test clock only moves forward: `frozen_time` must be after {}.",
            before.frozen_time
        ));
    }
    if to.0.saturating_sub(before.frozen_time.0) > MAX_ADVANCE {
        return failed(format!(
            "A test clock moves at most {} days at once: to {} now.",
            MAX_ADVANCE / SECONDS_PER_DAY,
            before.frozen_time.0.saturating_add(MAX_ADVANCE)
        ));
    }
    let clock = TestClock { state: ClockState::Advancing(to), ..before.clone() };
    catalog.update(&before, &clock)?;
    catalog.emit(EventType::ClockAdvancing, clock.to_json(catalog.livemode), None)?;
    Ok(clock)
}

/// Deletes a clock; the work that follows deletes its customers.
pub(crate) fn delete(catalog: &Tx<'_>, id: &str) -> Result<(), Error> {
    let before = catalog.load_clock(id, "id")?;
    catalog.update(&before, &TestClock { state: ClockState::Deleted, ..before.clone() })?;
    catalog.emit(EventType::ClockDeleted, before.to_json(catalog.livemode), None)
}
