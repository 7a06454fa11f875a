//! A test clock: the time of its customers, which a test advances.
//!
//! While a clock advances, its customers cannot be changed. Their transitions run in order of time,
//! each dated by when it is due.
//!
//! Specification: <https://docs.stripe.com/billing/testing/test-clocks>.

use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    catalog::{
        error::Error, objects::calendar::SECONDS_PER_DAY, repository::Entity, storage::IndexEntry,
        tx::Tx,
    },
    id::{Livemode, Timestamp},
    json::json_type,
};

/// How long a clock is retained, in seconds. The same as at Stripe.
const CLOCK_RETENTION: i64 = 30 * SECONDS_PER_DAY;

/// The index of all clocks.
pub(crate) const INDEX: &str = "clocks";

/// The index of the clocks by the end of their retention.
pub(crate) const EXPIRY_INDEX: &str = "clocks expiry";

/// The index of the clocks that are advancing, or being deleted.
pub(crate) const BUSY_INDEX: &str = "clocks busy";

json_type! {
    /// A test clock.
    #[derive(Clone, Debug, Eq, PartialEq, Serialize)]
    pub(crate) struct TestClock {
        pub(crate) id: String,
        pub(crate) created: Timestamp,
        pub(crate) name: Option<String>,
        pub(crate) frozen_time: Timestamp,
        pub(crate) state: ClockState,
    }

    /// The state of a clock.
    #[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
    pub(crate) enum ClockState {
        /// Its time stands still.
        Ready = "Ready",
        /// It advances to this time.
        Advancing(Timestamp) = "Advancing",
        /// It is being deleted, with its customers.
        Deleted = "Deleted",
    }
}

impl Entity for TestClock {
    const TYPE: &'static str = "test clock";

    fn id(&self) -> &str {
        &self.id
    }

    fn index_entries(&self) -> Vec<IndexEntry> {
        let indexes: &[&str] = match self.state {
            ClockState::Ready => &[INDEX],
            ClockState::Advancing(_) => &[INDEX, BUSY_INDEX],
            ClockState::Deleted => &[BUSY_INDEX],
        };
        let expiry = (self.state != ClockState::Deleted)
            .then(|| IndexEntry::new(EXPIRY_INDEX, self.deletes_after()));
        indexes.iter().map(|index| IndexEntry::new(*index, self.created)).chain(expiry).collect()
    }
}

impl TestClock {
    fn deletes_after(&self) -> Timestamp {
        self.created.saturating_add(CLOCK_RETENTION)
    }

    /// Stripe's JSON.
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

/// Loads a clock that is not deleted.
pub(crate) fn load(tx: &Tx<'_>, id: &str, param: &str) -> Result<TestClock, Error> {
    let clock: TestClock = tx.load(id, param)?;
    if clock.state != ClockState::Deleted {
        return Ok(clock);
    }
    Err(Error::not_found(TestClock::TYPE, id, param))
}

/// The time on a clock, also while it advances; the real time without a clock.
pub(crate) fn now_on(tx: &Tx<'_>, clock: Option<&str>) -> Result<Timestamp, Error> {
    let clock: Option<TestClock> = clock.map_or(Ok(None), |clock| tx.find(clock))?;
    Ok(clock.map_or(tx.now, |clock| clock.frozen_time))
}

/// The time on a clock, which must not be advancing; the real time without a clock.
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
