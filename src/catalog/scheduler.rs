//! What is due: all that happens without a request.
//!
//! | first come | test clocks that are under way, or going                                         |
//! | then       | test clocks that have been kept for long enough                                  |
//! |            | subscriptions whose time has come by the real clock                              |
//! | last       | what is being applied to very many                                               |
//!
//! One call does a part of it, all or nothing; there is more to do as long as [`next()`] says so. Each
//! thing happens as of the moment that it was due, however late that is.

use crate::{
    catalog::{
        Error, Tx,
        engine::bulk_jobs,
        objects::{
            customer::{self, Customer},
            event::EventType,
            subscription::{self, Subscription},
            test_clock::{self, ClockState, TestClock},
        },
        storage::{IndexRange, SortOrder},
    },
    id::Timestamp,
};

/// When there is something to do, if ever: a moment that is past means now.
///
/// # Errors
///
/// When the shelf is out of order.
pub fn next_due(catalog: &Tx<'_>) -> Result<Option<Timestamp>, Error> {
    if catalog.has_any(test_clock::BUSY_INDEX)? || bulk_jobs::is_pending(catalog)? {
        return Ok(Some(catalog.now));
    }
    let first = IndexRange { after: None, before: None, order: SortOrder::Ascending, limit: 1 };
    let due = catalog.list_with_positions::<Subscription>(&subscription::due_index(None), first)?;
    let expiring = catalog.list_with_positions::<TestClock>(test_clock::EXPIRY_INDEX, first)?;
    let due = due.first().map(|(place, _)| place.at);
    Ok(due.into_iter().chain(expiring.first().map(|(place, _)| place.at)).min())
}

/// Does what is due: at most so many subscriptions or customers.
///
/// # Errors
///
/// When the shelf is out of order.
pub fn run_due(catalog: &Tx<'_>, limit: usize) -> Result<(), Error> {
    let moving: Vec<TestClock> =
        catalog.list(test_clock::BUSY_INDEX, IndexRange::newest_first(1))?;
    if let Some(clock) = moving.first() {
        return match clock.state {
            ClockState::Advancing(target) => advance_clock(catalog, clock, target, limit),
            ClockState::Ready | ClockState::Deleted => delete_clock(catalog, clock, limit),
        };
    }
    let expired: Vec<TestClock> =
        catalog.list(test_clock::EXPIRY_INDEX, IndexRange::due_until(catalog.now, limit))?;
    if !expired.is_empty() {
        return expired.iter().try_for_each(|clock| test_clock::delete(catalog, &clock.id));
    }
    if run_transitions(catalog, None, catalog.now, limit)? == limit {
        return Ok(());
    }
    bulk_jobs::run(catalog, limit)
}

/// Does to subscriptions what falls due until a moment, in its order, and tells to how many.
fn run_transitions(
    catalog: &Tx<'_>,
    clock: Option<&str>,
    until: Timestamp,
    limit: usize,
) -> Result<usize, Error> {
    let mut turned = 0;
    while turned < limit {
        // Read anew each time, since what was done may be due again before the others.
        let due: Vec<Subscription> =
            catalog.list(&subscription::due_index(clock), IndexRange::due_until(until, 1))?;
        let Some(subscription) = due.first() else { break };
        let Some((at, what)) = subscription.next_transition() else { break };
        catalog.apply_transition(subscription, what, at)?;
        turned += 1;
    }
    Ok(turned)
}

impl Tx<'_> {
    /// A subscription as it is once what is due by now has happened to it.
    pub(crate) fn with_due_applied(
        &self,
        subscription: Subscription,
        now: Timestamp,
    ) -> Result<Subscription, Error> {
        let mut present = subscription;
        while let Some((at, what)) = present.next_transition().filter(|(at, _)| *at <= now) {
            self.without_request().apply_transition(&present, what, at)?;
            present = self.load(&present.id, "id")?;
        }
        Ok(present)
    }

    /// Has all that is due by now happen to what a customer has.
    pub(crate) fn apply_due(&self, customer: &Customer) -> Result<(), Error> {
        if customer.test_clock.is_some() {
            return Ok(());
        }
        // One after the other, in the order in which they fall due: each change is told.
        loop {
            let all = self.live_subscriptions_of(&customer.id)?.into_iter();
            let due = all.filter_map(|it| it.next_transition().map(|(at, what)| (at, what, it)));
            let first = due.filter(|(at, ..)| *at <= self.now).min_by_key(|(at, ..)| *at);
            let Some((at, what, subscription)) = first else { return Ok(()) };
            self.without_request().apply_transition(&subscription, what, at)?;
        }
    }

    /// The same catalog for what no request caused.
    fn without_request(&self) -> Self {
        Self::new(self.storage, self.livemode, self.policy, self.random, self.now)
    }
}

fn advance_clock(
    catalog: &Tx<'_>,
    clock: &TestClock,
    target: Timestamp,
    limit: usize,
) -> Result<(), Error> {
    if run_transitions(catalog, Some(&clock.id), target, limit)? == limit {
        return Ok(());
    }
    let ready = TestClock { frozen_time: target, state: ClockState::Ready, ..clock.clone() };
    catalog.update(clock, &ready)?;
    catalog.emit(EventType::ClockReady, ready.to_json(catalog.livemode), None)
}

fn delete_clock(catalog: &Tx<'_>, clock: &TestClock, limit: usize) -> Result<(), Error> {
    let list = customer::index(Some(&clock.id), None);
    let customers: Vec<Customer> = catalog.list(&list, IndexRange::newest_first(limit))?;
    for customer in &customers {
        customer::delete_loaded(catalog, customer, clock.frozen_time)?;
    }
    if customers.len() < limit { catalog.remove(clock) } else { Ok(()) }
}
