//! Work that is due without a request, in this order:
//!
//! | work                                                                        |
//! |-----------------------------------------------------------------------------|
//! | test clocks that are advancing, or that are being deleted                   |
//! | test clocks past their retention                                            |
//! | subscription transitions that are due by the real clock                     |
//! | bulk jobs                                                                   |
//!
//! One call does a limited part, in one transaction. There is more to do as long as [`next_due()`]
//! returns a time that is not in the future. Each change is dated by the time at which it was due.
//! Webhook deliveries are not here: see [`deliveries`](super::deliveries).

use crate::{
    catalog::{
        engine::{bulk_jobs, emit::emit, job_queue, transitions},
        error::Error,
        objects::{
            customer::{self, Customer},
            event::EventType,
            subscription::{self, Subscription},
            test_clock::{self, ClockState, TestClock},
        },
        operations::{customers, test_clocks},
        storage::IndexRange,
        tx::Tx,
    },
    id::Timestamp,
};

/// When work is due next, if ever. A time that is not in the future means now.
///
/// # Errors
///
/// When the storage fails.
pub fn next_due(tx: &Tx<'_>) -> Result<Option<Timestamp>, Error> {
    if tx.has_any(test_clock::BUSY_INDEX)? || job_queue::is_pending(tx)? {
        return Ok(Some(tx.now));
    }
    let first = IndexRange::earliest();
    let due = tx.list_with_positions::<Subscription>(&subscription::due_index(None), first)?;
    let expiring = tx.list_with_positions::<TestClock>(test_clock::EXPIRY_INDEX, first)?;
    let due = due.first().map(|(position, _)| position.at);
    Ok(due.into_iter().chain(expiring.first().map(|(position, _)| position.at)).min())
}

/// Does what is due, for at most `limit` subscriptions or customers.
///
/// # Errors
///
/// When the storage fails.
pub fn run_due(tx: &Tx<'_>, limit: usize) -> Result<(), Error> {
    let busy: Vec<TestClock> = tx.list(test_clock::BUSY_INDEX, IndexRange::newest_first(1))?;
    if let Some(clock) = busy.first() {
        return match clock.state {
            ClockState::Advancing(target) => advance_clock(tx, clock, target, limit),
            ClockState::Ready | ClockState::Deleted => delete_clock(tx, clock, limit),
        };
    }
    let expired: Vec<TestClock> =
        tx.list(test_clock::EXPIRY_INDEX, IndexRange::due_until(tx.now, limit))?;
    if !expired.is_empty() {
        return expired.iter().try_for_each(|clock| test_clocks::delete(tx, &clock.id));
    }
    if transitions::run_transitions(tx, None, tx.now, limit)? == limit {
        return Ok(());
    }
    bulk_jobs::run(tx, limit)
}

fn advance_clock(
    tx: &Tx<'_>,
    clock: &TestClock,
    target: Timestamp,
    limit: usize,
) -> Result<(), Error> {
    if transitions::run_transitions(tx, Some(&clock.id), target, limit)? == limit {
        return Ok(());
    }
    let ready = TestClock { frozen_time: target, state: ClockState::Ready, ..clock.clone() };
    tx.update(clock, &ready)?;
    emit(tx, EventType::ClockReady, ready.to_json(tx.livemode), None)
}

fn delete_clock(tx: &Tx<'_>, clock: &TestClock, limit: usize) -> Result<(), Error> {
    let index = customer::index(Some(&clock.id), None);
    let customers: Vec<Customer> = tx.list(&index, IndexRange::newest_first(limit))?;
    for customer in &customers {
        customers::delete_loaded(tx, customer, clock.frozen_time)?;
    }
    if customers.len() < limit { tx.remove(clock) } else { Ok(()) }
}
