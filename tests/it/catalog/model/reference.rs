//! The rules of the catalog, told a second time, as plainly as they can be.
//!
//! Nothing here knows of ids, events or how anything is kept. This is what there is, and what time
//! does to it; what requests do is in [`super::requests`] and [`super::updates`]. What is refused is
//! told by the status that the API answers.

use std::collections::{BTreeMap, BTreeSet};

use super::subscription::{Method, Missing, Reason, Status, Subscription, Turn};

/// The status of the answer to what is refused.
pub(crate) type Refused = u16;

/// Which of the statuses in doubt grant.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Policy {
    pub(crate) past_due: bool,
    pub(crate) unpaid: bool,
    pub(crate) paused: bool,
}

/// A clock, and what it is doing.
#[derive(Debug)]
pub(crate) struct Clock {
    pub(crate) time: i64,
    pub(crate) motion: Motion,
    pub(crate) expires: i64,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Motion {
    Stands,
    /// It was told to, and nothing has happened on the way yet.
    MovesTo(i64),
    /// It was deleted, and its customers are still there.
    Goes,
    Gone,
}

#[derive(Debug)]
pub(crate) struct Customer {
    pub(crate) clock: Option<usize>,
    pub(crate) method: Method,
    pub(crate) gone: bool,
    /// What it was last known to hold.
    pub(crate) held: BTreeSet<usize>,
}

#[derive(Debug)]
pub(crate) struct Price {
    pub(crate) product: usize,
    pub(crate) every: i64,
    pub(crate) free: bool,
    pub(crate) active: bool,
}

/// All there is, as the rules know it.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) now: i64,
    pub(crate) policy: Policy,
    /// Each feature's key, until it is archived.
    pub(crate) features: Vec<Option<String>>,
    pub(crate) products: Vec<BTreeSet<usize>>,
    pub(crate) prices: Vec<Price>,
    pub(crate) clocks: Vec<Clock>,
    pub(crate) customers: Vec<Customer>,
    pub(crate) subscriptions: Vec<Subscription>,
    /// Each change of what a customer holds, in its order, until it is looked at.
    pub(crate) changes: Vec<(usize, BTreeSet<usize>)>,
    /// The subscriptions that something happened to, until it is looked at.
    pub(crate) touched: BTreeSet<usize>,
    /// And how often, without a request that asked for it.
    pub(crate) unasked: BTreeMap<usize, usize>,
}

impl Rules {
    pub(crate) fn new(now: i64) -> Self {
        Self {
            now,
            policy: Policy { past_due: true, unpaid: false, paused: true },
            features: Vec::new(),
            products: Vec::new(),
            prices: Vec::new(),
            clocks: Vec::new(),
            customers: Vec::new(),
            subscriptions: Vec::new(),
            changes: Vec::new(),
            touched: BTreeSet::new(),
            unasked: BTreeMap::new(),
        }
    }

    /// What time it is for a customer: nobody can be dealt with while their clock moves, or goes.
    pub(crate) fn time(&self, customer: usize) -> Result<i64, Refused> {
        match self.customers[customer].clock.map(|clock| &self.clocks[clock]) {
            None => Ok(self.now),
            Some(Clock { time, motion: Motion::Stands, .. }) => Ok(*time),
            Some(_) => Err(400),
        }
    }

    fn grants(&self, status: Status) -> bool {
        match status {
            Status::Active | Status::Trialing => true,
            Status::PastDue => self.policy.past_due,
            Status::Unpaid => self.policy.unpaid,
            Status::Paused => self.policy.paused,
            Status::Incomplete | Status::IncompleteExpired | Status::Canceled => false,
        }
    }

    pub(crate) fn of_customer(&self, customer: usize) -> impl Iterator<Item = usize> + '_ {
        (0..self.subscriptions.len())
            .filter(move |which| self.subscriptions[*which].customer == customer)
    }

    /// The union of what all subscriptions grant.
    fn holds(&self, customer: usize) -> BTreeSet<usize> {
        let its = self.subscriptions.iter().filter(|it| it.customer == customer);
        let granting = its.filter(|it| self.grants(it.status));
        granting.flat_map(|it| &it.items).flat_map(|item| &item.granted).copied().collect()
    }

    /// Notes a change of what a customer holds, if there was one.
    pub(crate) fn note(&mut self, customer: usize) {
        let holds = self.holds(customer);
        if holds != self.customers[customer].held {
            self.customers[customer].held.clone_from(&holds);
            self.changes.push((customer, holds));
        }
    }

    pub(crate) fn features_of(&self, price: usize) -> BTreeSet<usize> {
        self.products[self.prices[price].product].clone()
    }

    pub(crate) fn look(&self, subscription: &mut Subscription) {
        for item in &mut subscription.items {
            item.granted.clone_from(&self.products[self.prices[item.price].product]);
        }
    }

    pub(crate) fn method(&self, subscription: &Subscription) -> Method {
        match subscription.method {
            Method::None => self.customers[subscription.customer].method,
            own => own,
        }
    }

    pub(crate) fn is_free(&self, subscription: &Subscription) -> bool {
        subscription.items.iter().all(|item| self.prices[item.price].free)
    }

    /// What a charge would be made of. Where nothing is owed, there is nothing that could fail.
    pub(crate) fn charged(&self, subscription: &Subscription) -> Method {
        match self.method(subscription) {
            _ if self.is_free(subscription) => Method::Works,
            _ if subscription.invoices => Method::None,
            method => method,
        }
    }

    /// A subscription becomes another one. Its customer's set is derived anew if what it grants, or
    /// whether it does, is another matter than before.
    pub(crate) fn put(&mut self, which: usize, after: Subscription) {
        let before = &self.subscriptions[which];
        let granted = before.items.iter().map(|item| &item.granted);
        let grants_alike = granted.eq(after.items.iter().map(|item| &item.granted));
        let settles = before.status != after.status || !grants_alike;
        let customer = after.customer;
        self.touched.insert(which);
        self.subscriptions[which] = after;
        if settles {
            self.note(customer);
        }
    }

    /// The same, and nobody has asked for it.
    pub(crate) fn put_unasked(&mut self, which: usize, after: Subscription) {
        *self.unasked.entry(which).or_default() += 1;
        self.put(which, after);
    }

    /// What falls due at some subscriptions until a moment, in its order.
    pub(crate) fn run(&mut self, until: i64, here: impl Fn(&Self, &Subscription) -> bool) {
        loop {
            let all = self.subscriptions.iter().enumerate().filter(|(_, it)| here(self, it));
            let due = all.filter_map(|(which, it)| it.next().map(|(at, turn)| (at, which, turn)));
            let Some((at, which, turn)) = due.min().filter(|(at, ..)| *at <= until) else { return };
            let after = self.turned(&self.subscriptions[which], turn, at);
            self.put_unasked(which, after);
        }
    }

    /// What falls due at a subscription until a moment: all that it becomes on the way.
    pub(crate) fn becomes(&self, it: &Subscription, until: i64) -> Vec<Subscription> {
        let mut states: Vec<Subscription> = Vec::new();
        loop {
            let it = states.last().unwrap_or(it);
            let Some((at, turn)) = it.next().filter(|(at, _)| *at <= until) else { return states };
            states.push(self.turned(it, turn, at));
        }
    }

    /// What falls due at all that a customer on no clock has, until now.
    pub(crate) fn bring_up_to_date(&mut self, customer: usize) {
        if self.customers[customer].clock.is_none() {
            self.run(self.now, |_, it| it.customer == customer);
        }
    }

    /// All that happens without a request.
    pub(crate) fn work(&mut self) {
        for which in 0..self.clocks.len() {
            let Clock { motion, expires, .. } = self.clocks[which];
            if let Motion::MovesTo(target) = motion {
                self.run(target, |rules, it| rules.customers[it.customer].clock == Some(which));
                self.clocks[which].time = target;
                self.clocks[which].motion = Motion::Stands;
            }
            if motion == Motion::Goes || (motion != Motion::Gone && expires <= self.now) {
                self.empty(which);
                self.clocks[which].motion = Motion::Gone;
            }
        }
        self.run(self.now, |rules, it| rules.customers[it.customer].clock.is_none());
        (0..self.customers.len()).for_each(|customer| self.note(customer));
    }

    fn turned(&self, before: &Subscription, turn: Turn, at: i64) -> Subscription {
        let mut it = before.clone();
        let nobody_pays = !self.is_free(before) && self.method(before) == Method::None;
        match turn {
            Turn::Cancel => it.cancel(at, Reason::Requested),
            Turn::GiveUp => it.cancel(at, Reason::NotPaid),
            Turn::Expire => {
                it.become_status(Status::IncompleteExpired);
                it.ended = Some(at);
            }
            Turn::Collect => it.collected_at = None,
            Turn::EndTrial if nobody_pays && it.missing == Missing::Cancel => {
                it.cancel(at, Reason::NotPaid);
            }
            Turn::EndTrial if nobody_pays && it.missing == Missing::Pause => {
                it.become_status(Status::Paused);
            }
            Turn::EndTrial | Turn::Renew => {
                it.begin_period(at);
                if it.status != Status::Unpaid {
                    it.charge(self.charged(before), at);
                }
                self.look(&mut it);
            }
        }
        it
    }
}
