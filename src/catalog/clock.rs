//! A test clock: time that a test moves forward, for the customers that live by it.
//!
//! <https://docs.stripe.com/billing/testing/test-clocks>. Advancing takes a while, in which nothing
//! of its customers may be changed: what falls due on the way happens in its order, each at its
//! moment.

use serde::Serialize;
use serde_json::{Value, json};

use super::{Catalog, DAY, Error, Object, event::Kind, shelf::Entry};
use crate::{
    id::{Livemode, Timestamp},
    json::readable,
};

/// How far a clock may be moved at once, in seconds: five years. Every renewal on the way happens.
const FARTHEST: i64 = 5 * 366 * DAY;

/// How long a clock is kept, in seconds: as long as at Stripe.
const KEPT: i64 = 30 * DAY;

/// The list of all clocks.
pub(crate) const LIST: &str = "clocks";

/// The list of the clocks that are there, by when they go.
pub(crate) const EXPIRING: &str = "clocks expiring";

/// The list of the clocks that are under way, or going.
pub(crate) const MOVING: &str = "clocks moving";

/// A test clock.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct Clock {
    pub(crate) id: String,
    pub(crate) created: Timestamp,
    pub(crate) name: Option<String>,
    pub(crate) frozen: Timestamp,
    pub(crate) motion: Motion,
}

readable! { struct Clock { id, created, name, frozen, motion } }

/// What a clock is doing.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub(crate) enum Motion {
    /// It stands.
    Ready,
    /// It is on its way to a moment.
    Advancing(Timestamp),
    /// It is going, and its customers with it.
    Deleted,
}

readable! { enum Motion { Ready = "Ready", Advancing(_) = "Advancing", Deleted = "Deleted" } }

impl Object for Clock {
    const KIND: &'static str = "test clock";

    fn id(&self) -> &str {
        &self.id
    }

    fn entries(&self) -> Vec<Entry> {
        let lists: &[&str] = match self.motion {
            Motion::Ready => &[LIST],
            Motion::Advancing(_) => &[LIST, MOVING],
            Motion::Deleted => &[MOVING],
        };
        let expiring =
            (self.motion != Motion::Deleted).then(|| Entry::new(EXPIRING, self.expires()));
        lists.iter().map(|list| Entry::new(*list, self.created)).chain(expiring).collect()
    }
}

impl Clock {
    fn expires(&self) -> Timestamp {
        Timestamp(self.created.0.saturating_add(KEPT))
    }

    /// As Stripe shows it.
    pub(crate) fn shown(&self, livemode: Livemode) -> Value {
        let (status, details) = match self.motion {
            Motion::Advancing(target) => {
                ("advancing", json!({ "advancing": { "target_frozen_time": target } }))
            }
            Motion::Ready | Motion::Deleted => ("ready", json!({})),
        };
        json!({
            "id": self.id,
            "object": "test_helpers.test_clock",
            "created": self.created,
            "deletes_after": self.expires(),
            "frozen_time": self.frozen,
            "livemode": bool::from(livemode),
            "name": self.name,
            "status": status,
            "status_details": details,
        })
    }
}

impl Catalog<'_> {
    /// A clock that is there.
    pub(crate) fn clock(&self, id: &str, param: &str) -> Result<Clock, Error> {
        let clock: Clock = self.load(id, param)?;
        if clock.motion != Motion::Deleted {
            return Ok(clock);
        }
        let (kind, id, param) = (Clock::KIND, id.to_owned(), param.to_owned());
        Err(Error::NoSuch { kind, id, param })
    }

    /// What time it is on a clock, wherever it is going, or for those who have none.
    pub(crate) fn moment(&self, clock: Option<&str>) -> Result<Timestamp, Error> {
        let clock: Option<Clock> = clock.map_or(Ok(None), |clock| self.find(clock))?;
        Ok(clock.map_or(self.now, |clock| clock.frozen))
    }

    /// What time it is on a clock that stands, or for those who have none.
    pub(crate) fn time(&self, clock: Option<&str>) -> Result<Timestamp, Error> {
        let Some(clock) = clock else { return Ok(self.now) };
        let clock = self.clock(clock, "test_clock")?;
        match clock.motion {
            Motion::Ready => Ok(clock.frozen),
            Motion::Advancing(_) | Motion::Deleted => Err(Error::State(
                "Test clock advancement underway - cannot perform modifications.".to_owned(),
            )),
        }
    }
}

pub(crate) fn create(
    catalog: &Catalog<'_>,
    frozen: Timestamp,
    name: Option<String>,
) -> Result<Clock, Error> {
    let clock = Clock {
        id: catalog.name("clock_1", 23),
        created: catalog.now,
        name,
        frozen,
        motion: Motion::Ready,
    };
    catalog.add(&clock)?;
    catalog.emit(Kind::ClockCreated, clock.shown(catalog.livemode), None)?;
    Ok(clock)
}

/// Sets a clock on its way; the work that follows brings it there.
pub(crate) fn advance(catalog: &Catalog<'_>, id: &str, to: Timestamp) -> Result<Clock, Error> {
    let before = catalog.clock(id, "id")?;
    let failed = |message: String| Err(Error::parameter("frozen_time", message));
    if before.motion != Motion::Ready {
        return Err(Error::State(
            "Test clock advancement underway - wait until its status is `ready`.".to_owned(),
        ));
    }
    if to <= before.frozen {
        return failed(format!(
            "A test clock only moves forward: `frozen_time` must be after {}.",
            before.frozen
        ));
    }
    if to.0.saturating_sub(before.frozen.0) > FARTHEST {
        return failed(format!(
            "A test clock moves at most {} days at once: to {} now.",
            FARTHEST / DAY,
            before.frozen.0.saturating_add(FARTHEST)
        ));
    }
    let clock = Clock { motion: Motion::Advancing(to), ..before.clone() };
    catalog.replace(&before, &clock)?;
    catalog.emit(Kind::ClockAdvancing, clock.shown(catalog.livemode), None)?;
    Ok(clock)
}

/// Deletes a clock; the work that follows deletes its customers.
pub(crate) fn delete(catalog: &Catalog<'_>, id: &str) -> Result<(), Error> {
    let before = catalog.clock(id, "id")?;
    catalog.replace(&before, &Clock { motion: Motion::Deleted, ..before.clone() })?;
    catalog.emit(Kind::ClockDeleted, before.shown(catalog.livemode), None)
}
