//! A test clock: time that a test moves forward, for the customers that live by it.
//!
//! <https://docs.stripe.com/billing/testing/test-clocks>. Advancing takes a while, in which nothing
//! of its customers may be changed: what falls due on the way happens in its order, each at its
//! moment.

use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    catalog::{
        error::Error, objects::calendar::SECONDS_PER_DAY, repository::Entity, storage::IndexEntry,
        tx::Tx,
    },
    id::{Livemode, Timestamp},
    json::impl_from_json,
};

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
        self.created.saturating_add(CLOCK_RETENTION)
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

/// A clock that is there.
pub(crate) fn load(tx: &Tx<'_>, id: &str, param: &str) -> Result<TestClock, Error> {
    let clock: TestClock = tx.load(id, param)?;
    if clock.state != ClockState::Deleted {
        return Ok(clock);
    }
    let (kind, id, param) = (TestClock::TYPE, id.to_owned(), param.to_owned());
    Err(Error::NotFound { kind, id, param })
}

/// What time it is on a clock, wherever it is going, or for those who have none.
pub(crate) fn now_on(tx: &Tx<'_>, clock: Option<&str>) -> Result<Timestamp, Error> {
    let clock: Option<TestClock> = clock.map_or(Ok(None), |clock| tx.find(clock))?;
    Ok(clock.map_or(tx.now, |clock| clock.frozen_time))
}

/// What time it is on a clock that stands, or for those who have none.
pub(crate) fn writable_now(tx: &Tx<'_>, clock: Option<&str>) -> Result<Timestamp, Error> {
    let Some(clock) = clock else { return Ok(tx.now) };
    let clock = load(tx, clock, "test_clock")?;
    match clock.state {
        ClockState::Ready => Ok(clock.frozen_time),
        ClockState::Advancing(_) | ClockState::Deleted => Err(Error::InvalidState(
            "Test clock advancement underway - cannot perform modifications.".to_owned(),
        )),
    }
}
