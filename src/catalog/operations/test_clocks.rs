//! Operations on test clocks: create, advance and delete.
//!
//! Advancing and deleting only set the clock's state. The [`scheduler`](crate::catalog::scheduler)
//! does the work.
//!
//! Specification: <https://docs.stripe.com/api/test_clocks>.

use crate::{
    catalog::{
        engine::emit::emit,
        error::Error,
        objects::{
            calendar::SECONDS_PER_DAY,
            event::EventType,
            test_clock::{self, ClockState, TestClock},
        },
        tx::Tx,
    },
    id::Timestamp,
};

/// The longest advance, in seconds: five years. Every renewal in between runs.
const MAX_ADVANCE: i64 = 5 * 366 * SECONDS_PER_DAY;

pub(crate) fn create(
    tx: &Tx<'_>,
    frozen_time: Timestamp,
    name: Option<String>,
) -> Result<TestClock, Error> {
    let clock = TestClock {
        id: tx.new_id("clock_1", 23),
        created: tx.now,
        name,
        frozen_time,
        state: ClockState::Ready,
    };
    tx.insert(&clock)?;
    emit(tx, EventType::ClockCreated, clock.to_json(tx.livemode), None)?;
    Ok(clock)
}

/// Starts advancing a clock.
pub(crate) fn advance(tx: &Tx<'_>, id: &str, target: Timestamp) -> Result<TestClock, Error> {
    let before = test_clock::load(tx, id, "id")?;
    let invalid = |message: String| Err(Error::invalid_parameter("frozen_time", message));
    if before.state != ClockState::Ready {
        return Err(Error::InvalidState(
            "Test clock advancement underway - wait until its status is `ready`.".to_owned(),
        ));
    }
    if target <= before.frozen_time {
        return invalid(format!(
            "A test clock only moves forward: `frozen_time` must be after {}.",
            before.frozen_time
        ));
    }
    if target.seconds_since(before.frozen_time) > MAX_ADVANCE {
        return invalid(format!(
            "A test clock moves at most {} days at once: to {} now.",
            MAX_ADVANCE / SECONDS_PER_DAY,
            before.frozen_time.saturating_add(MAX_ADVANCE)
        ));
    }
    let clock = TestClock { state: ClockState::Advancing(target), ..before.clone() };
    tx.update(&before, &clock)?;
    emit(tx, EventType::ClockAdvancing, clock.to_json(tx.livemode), None)?;
    Ok(clock)
}

/// Starts deleting a clock and its customers.
pub(crate) fn delete(tx: &Tx<'_>, id: &str) -> Result<(), Error> {
    let before = test_clock::load(tx, id, "id")?;
    tx.update(&before, &TestClock { state: ClockState::Deleted, ..before.clone() })?;
    emit(tx, EventType::ClockDeleted, before.to_json(tx.livemode), None)
}
