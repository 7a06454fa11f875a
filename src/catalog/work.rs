//! What is due: all that happens without a request.
//!
//! | first come | test clocks that are under way, or going                                         |
//! | then       | test clocks that have been kept for long enough                                  |
//! |            | subscriptions whose time has come by the real clock                              |
//! | last       | what is being applied to very many                                               |
//!
//! One call does a part of it, all or nothing; there is more to do as long as [`next()`] says so. Each
//! thing happens as of the moment that it was due, however late that is.

use super::{
    Catalog, Error, application,
    clock::{self, Clock, Motion},
    customer::{self, Customer},
    event::Kind,
    shelf::{Order, Range},
    subscription::{self, Subscription},
};
use crate::id::Timestamp;

/// When there is something to do, if ever: a moment that is past means now.
///
/// # Errors
///
/// When the shelf is out of order.
pub fn next(catalog: &Catalog<'_>) -> Result<Option<Timestamp>, Error> {
    if catalog.any(clock::MOVING)? || application::is_pending(catalog)? {
        return Ok(Some(catalog.now));
    }
    let first = Range { above: None, below: None, order: Order::Ascending, limit: 1 };
    let due = catalog.places::<Subscription>(&subscription::due(None), first)?;
    let expiring = catalog.places::<Clock>(clock::EXPIRING, first)?;
    let due = due.first().map(|(place, _)| place.at);
    Ok(due.into_iter().chain(expiring.first().map(|(place, _)| place.at)).min())
}

/// Does what is due: at most so many subscriptions or customers.
///
/// # Errors
///
/// When the shelf is out of order.
pub fn work(catalog: &Catalog<'_>, limit: usize) -> Result<(), Error> {
    let moving: Vec<Clock> = catalog.list(clock::MOVING, Range::newest(1))?;
    if let Some(clock) = moving.first() {
        return match clock.motion {
            Motion::Advancing(target) => advance(catalog, clock, target, limit),
            Motion::Ready | Motion::Deleted => delete(catalog, clock, limit),
        };
    }
    let expired: Vec<Clock> = catalog.list(clock::EXPIRING, Range::due(catalog.now, limit))?;
    if !expired.is_empty() {
        return expired.iter().try_for_each(|clock| clock::delete(catalog, &clock.id));
    }
    if turn(catalog, None, catalog.now, limit)? == limit {
        return Ok(());
    }
    application::work(catalog, limit)
}

/// Does to subscriptions what falls due until a moment, in its order, and tells to how many.
fn turn(
    catalog: &Catalog<'_>,
    clock: Option<&str>,
    until: Timestamp,
    limit: usize,
) -> Result<usize, Error> {
    let mut turned = 0;
    while turned < limit {
        // Read anew each time, since what was done may be due again before the others.
        let due: Vec<Subscription> =
            catalog.list(&subscription::due(clock), Range::due(until, 1))?;
        let Some(subscription) = due.first() else { break };
        let Some((at, what)) = subscription.next() else { break };
        catalog.turn(subscription, what, at)?;
        turned += 1;
    }
    Ok(turned)
}

impl Catalog<'_> {
    /// A subscription as it is once what is due by now has happened to it.
    pub(crate) fn up_to_date(
        &self,
        subscription: Subscription,
        now: Timestamp,
    ) -> Result<Subscription, Error> {
        let mut present = subscription;
        while let Some((at, what)) = present.next().filter(|(at, _)| *at <= now) {
            self.of_itself().turn(&present, what, at)?;
            present = self.load(&present.id, "id")?;
        }
        Ok(present)
    }

    /// Has all that is due by now happen to what a customer has.
    pub(crate) fn bring_up_to_date(&self, customer: &Customer) -> Result<(), Error> {
        if customer.clock.is_some() {
            return Ok(());
        }
        // One after the other, in the order in which they fall due: each change is told.
        loop {
            let all = self.subscriptions_of(&customer.id)?.into_iter();
            let due = all.filter_map(|it| it.next().map(|(at, what)| (at, what, it)));
            let first = due.filter(|(at, ..)| *at <= self.now).min_by_key(|(at, ..)| *at);
            let Some((at, what, subscription)) = first else { return Ok(()) };
            self.of_itself().turn(&subscription, what, at)?;
        }
    }

    /// The same catalog for what no request caused.
    fn of_itself(&self) -> Self {
        Self::open(self.shelf, self.livemode, self.policy, self.chance, self.now)
    }
}

fn advance(
    catalog: &Catalog<'_>,
    clock: &Clock,
    target: Timestamp,
    limit: usize,
) -> Result<(), Error> {
    if turn(catalog, Some(&clock.id), target, limit)? == limit {
        return Ok(());
    }
    let ready = Clock { frozen: target, motion: Motion::Ready, ..clock.clone() };
    catalog.replace(clock, &ready)?;
    catalog.emit(Kind::ClockReady, ready.shown(catalog.livemode), None)
}

fn delete(catalog: &Catalog<'_>, clock: &Clock, limit: usize) -> Result<(), Error> {
    let list = customer::list(Some(&clock.id), None);
    let customers: Vec<Customer> = catalog.list(&list, Range::newest(limit))?;
    for customer in &customers {
        customer::remove(catalog, customer, clock.frozen)?;
    }
    if customers.len() < limit { catalog.remove(clock) } else { Ok(()) }
}
