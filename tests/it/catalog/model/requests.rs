//! What requests do, by the rules; or the status that refuses them. Updates are in [`super::updates`].

use std::collections::BTreeSet;

use super::{
    Interruption, Purchase,
    reference::{Clock, Customer, Motion, Refused, Rules},
    subscription::{Item, Method, Payment, Reason, Status, Subscription},
};
use crate::catalog::fixture::DAY;

/// How long a clock is there.
const KEPT: i64 = 30 * DAY;

impl Rules {
    pub(crate) fn feature(&mut self, key: &str) -> Result<(), Refused> {
        if self.features.iter().flatten().any(|known| known == key) {
            return Err(400);
        }
        self.features.push(Some(key.to_owned()));
        Ok(())
    }

    pub(crate) fn archive(&mut self, feature: usize) -> Result<(), Refused> {
        self.features[feature].take().map(drop).ok_or(400)
    }

    pub(crate) fn attach(&mut self, product: usize, feature: usize) -> Result<(), Refused> {
        let archived = self.features[feature].is_none();
        if archived || !self.products[product].insert(feature) { Err(400) } else { Ok(()) }
    }

    /// All subscriptions with a product take what it has now.
    pub(crate) fn apply(&mut self, product: usize) {
        let features = self.products[product].clone();
        for which in 0..self.subscriptions.len() {
            let sells = |item: &Item| self.prices[item.price].product == product;
            if !self.subscriptions[which].items.iter().any(sells) {
                continue;
            }
            let it = &self.subscriptions[which];
            if self.customers[it.customer].clock.is_none() {
                for state in self.becomes(it, self.now) {
                    self.put_unasked(which, state);
                }
            }
            let mut it = self.subscriptions[which].clone();
            if it.status == Status::Incomplete || it.status.is_over() {
                continue;
            }
            for item in &mut it.items {
                if self.prices[item.price].product == product {
                    item.granted.clone_from(&features);
                }
            }
            self.put(which, it);
        }
    }

    pub(crate) fn clock(&mut self) {
        let (time, expires) = (self.now, self.now + KEPT);
        self.clocks.push(Clock { time, motion: Motion::Stands, expires });
    }

    pub(crate) fn advance(&mut self, clock: usize, by: i64) -> Result<(), Refused> {
        let clock = &mut self.clocks[clock];
        match clock.motion {
            Motion::Goes | Motion::Gone => Err(404),
            Motion::Stands if by > 0 => {
                clock.motion = Motion::MovesTo(clock.time + by);
                Ok(())
            }
            Motion::Stands | Motion::MovesTo(_) => Err(400),
        }
    }

    pub(crate) fn delete_clock(&mut self, clock: usize) -> Result<(), Refused> {
        let motion = &mut self.clocks[clock].motion;
        if matches!(motion, Motion::Goes | Motion::Gone) {
            return Err(404);
        }
        *motion = Motion::Goes;
        Ok(())
    }

    /// The customers of a clock go with it.
    pub(crate) fn empty(&mut self, clock: usize) {
        for customer in 0..self.customers.len() {
            if self.customers[customer].clock == Some(clock) && !self.customers[customer].gone {
                for (which, after) in self.remove(customer, self.clocks[clock].time) {
                    self.put_unasked(which, after);
                }
            }
        }
    }

    pub(crate) fn customer(&mut self, clock: Option<usize>, method: Method) -> Result<(), Refused> {
        if clock.is_some_and(|clock| self.clocks[clock].motion != Motion::Stands) {
            return Err(400);
        }
        self.customers.push(Customer { clock, method, gone: false, held: BTreeSet::new() });
        Ok(())
    }

    /// A customer has another method; one that works pays what is owed.
    pub(crate) fn pays(&mut self, customer: usize, method: Method) -> Result<(), Refused> {
        if self.customers[customer].gone {
            return Err(404);
        }
        self.time(customer)?;
        self.bring_up_to_date(customer);
        self.customers[customer].method = method;
        for which in self.of_customer(customer).collect::<Vec<_>>() {
            let mut it = self.subscriptions[which].clone();
            if it.method == Method::None && method == Method::Works {
                self.pay(&mut it);
                self.put(which, it);
            }
        }
        Ok(())
    }

    /// What is owed is paid, if there is a method that works.
    pub(crate) fn pay(&self, it: &mut Subscription) {
        let owes = matches!(it.status, Status::Incomplete | Status::PastDue | Status::Unpaid);
        if owes && self.charged(it) == Method::Works {
            self.activate(it);
        }
    }

    pub(crate) fn activate(&self, it: &mut Subscription) {
        if it.status == Status::Incomplete {
            self.look(it);
        }
        it.become_status(Status::Active);
    }

    pub(crate) fn leaves(&mut self, customer: usize) -> Result<(), Refused> {
        if self.customers[customer].gone {
            return Err(404);
        }
        let now = self.time(customer)?;
        self.bring_up_to_date(customer);
        for (which, after) in self.remove(customer, now) {
            self.put(which, after);
        }
        Ok(())
    }

    /// A customer goes: what becomes of the subscriptions.
    fn remove(&mut self, customer: usize, now: i64) -> Vec<(usize, Subscription)> {
        self.customers[customer].gone = true;
        let all =
            self.of_customer(customer).map(|which| (which, self.subscriptions[which].clone()));
        let mut left: Vec<_> = all.filter(|(_, it)| !it.status.is_over()).collect();
        for (_, it) in &mut left {
            it.cancel(now, Reason::Requested);
        }
        left
    }

    /// What all prices of a subscription have to have in common.
    pub(crate) fn alike(&self, items: &[Item]) -> Result<i64, Refused> {
        let every = self.prices[items.first().ok_or(400_u16)?.price].every;
        let prices: BTreeSet<_> = items.iter().map(|item| item.price).collect();
        let same = items.iter().all(|item| self.prices[item.price].every == every);
        if same && prices.len() == items.len() { Ok(every) } else { Err(400) }
    }

    pub(crate) fn item(&self, price: usize) -> Result<Item, Refused> {
        if !self.prices[price].active {
            return Err(400);
        }
        Ok(Item { price, granted: self.features_of(price) })
    }

    pub(crate) fn subscribe(&mut self, asked: &Purchase) -> Result<(), Refused> {
        let customer = asked.customer;
        if self.customers[customer].gone {
            return Err(400);
        }
        let now = self.time(customer)?;
        let items = asked.prices.iter().map(|price| self.item(*price));
        let items: Vec<_> = items.collect::<Result<_, _>>()?;
        let every = self.alike(&items)?;
        let trial = (asked.trial_days > 0).then_some((now, now + asked.trial_days * DAY));
        let natural = trial.map_or(now, |(_, end)| end);
        let anchor = asked.anchor_in.map_or(natural, |by| now + by);
        if asked.anchor_in.is_some_and(|by| by <= 0) || anchor < natural || anchor > natural + every
        {
            return Err(400);
        }
        let mut it = Subscription {
            customer,
            status: Status::Trialing,
            items,
            created: now,
            every,
            anchor,
            start: now,
            end: natural,
            trial,
            missing: asked.missing,
            cancel_at: None,
            at_period_end: false,
            canceled: None,
            reason: None,
            ended: None,
            method: asked.method,
            invoices: asked.invoices,
            failing: None,
            collected_at: None,
        };
        if trial.is_none() {
            it.begin_period(now);
            it.status = match (asked.payment, self.charged(&it)) {
                (Payment::Error, Method::Fails) => return Err(402),
                (Payment::Allow | Payment::Default, Method::Fails) => Status::Incomplete,
                (Payment::Default, _) if !it.invoices && !self.is_free(&it) => Status::Incomplete,
                (_, Method::Works | Method::None) => Status::Active,
            };
        }
        if asked.at_period_end && asked.cancel_in.is_some() {
            return Err(400);
        }
        it.end_at(asked.at_period_end, asked.cancel_in, now)?;
        self.bring_up_to_date(customer);
        self.touched.insert(self.subscriptions.len());
        self.subscriptions.push(it);
        self.note(customer);
        Ok(())
    }

    /// A request about a subscription: what is due by then happens first, and nothing if it is refused.
    pub(crate) fn request(
        &mut self,
        which: usize,
        change: impl FnOnce(&Self, &mut Subscription, i64) -> Result<(), Refused>,
    ) -> Result<(), Refused> {
        let it = &self.subscriptions[which];
        if it.status.is_over() {
            return Err(400);
        }
        let now = self.time(it.customer)?;
        let states = self.becomes(it, now);
        let mut it = states.last().unwrap_or(it).clone();
        if it.status.is_over() {
            return Err(400);
        }
        change(self, &mut it, now)?;
        for state in states {
            self.put_unasked(which, state);
        }
        self.put(which, it);
        Ok(())
    }

    pub(crate) fn interrupt(
        &mut self,
        which: usize,
        interruption: &Interruption,
    ) -> Result<(), Refused> {
        match interruption {
            Interruption::Cancel => self.cancel(which),
            Interruption::Pause => self.request(which, |_, it, _| {
                if !matches!(it.status, Status::Active | Status::Trialing | Status::PastDue) {
                    return Err(400);
                }
                it.become_status(Status::Paused);
                Ok(())
            }),
            Interruption::Resume(anew) => self.request(which, |rules, it, now| {
                if it.status != Status::Paused {
                    return Err(400);
                }
                if it.leave_trial(now) || *anew {
                    it.begin_anew(now);
                }
                while it.end <= now {
                    it.begin_period(it.end);
                }
                it.charge(rules.charged(it), now);
                rules.look(it);
                Ok(())
            }),
        }
    }

    fn cancel(&mut self, which: usize) -> Result<(), Refused> {
        let it = &self.subscriptions[which];
        let over = |it: &Subscription| it.status.is_over();
        if over(it) || self.becomes(it, self.time(it.customer)?).last().is_some_and(over) {
            return Err(404);
        }
        self.request(which, |_, it, now| {
            it.cancel(now, Reason::Requested);
            Ok(())
        })
    }
}
