//! What updates of a subscription do, by the rules, whatever else is in the same one.

use super::{
    Change, Collection, Ending, Update,
    reference::{Refused, Rules},
    subscription::{Item, Status, Subscription},
};

impl Rules {
    pub(crate) fn update(&mut self, which: usize, update: &Update) -> Result<(), Refused> {
        self.request(which, |rules, it, now| {
            it.missing = update.missing.unwrap_or(it.missing);
            it.invoices = update.invoices.unwrap_or(it.invoices);
            it.method = update.method.unwrap_or(it.method);
            match update.collection {
                None => {}
                Some(Collection::On) => it.collected_at = None,
                Some(Collection::PausedFor(by)) => it.collected_at = Some(now + by),
            }
            if !update.items.is_empty() {
                rules.change(it, &update.items, now)?;
            }
            if update.anew {
                rules.anew(it, update.trial, now)?;
            }
            if let Some(by) = update.trial {
                rules.trial(it, by, now)?;
            }
            match update.ending {
                None => {}
                Some(Ending::AtPeriodEnd(so)) => it.end_at(so, None, now)?,
                Some(Ending::In(by)) => it.end_at(false, by, now)?,
            }
            if update.method.is_some() {
                rules.pay(it);
            }
            update.told.map_or(Ok(()), |told| rules.told(it, told, now))
        })
    }

    fn change(&self, it: &mut Subscription, changes: &[Change], now: i64) -> Result<(), Refused> {
        if it.status == Status::Incomplete {
            return Err(400);
        }
        // Items are named by where they stood before the request.
        let mut named: Vec<Option<Item>> = it.items.iter().cloned().map(Some).collect();
        let before = named.len();
        for change in changes {
            match change {
                Change::Add(price) => named.push(Some(self.item(*price)?)),
                Change::Quantity(item) => named[item % before].as_ref().map(drop).ok_or(400_u16)?,
                Change::Price(item, price) => {
                    let item = named[item % before].as_mut().ok_or(400_u16)?;
                    if item.price != *price {
                        *item = self.item(*price)?;
                    }
                }
                Change::Remove(item) => {
                    named[item % before].take().map(drop).ok_or(400_u16)?;
                }
            }
        }
        it.items = named.into_iter().flatten().collect();
        let every = self.alike(&it.items)?;
        if every != it.every {
            it.every = every;
            if it.status != Status::Trialing {
                it.begin_anew(now);
                self.look(it);
            }
        }
        Ok(())
    }

    /// A period begins now: not on trial, unless the trial ends.
    fn anew(&self, it: &mut Subscription, trial: Option<i64>, now: i64) -> Result<(), Refused> {
        match it.status {
            Status::Trialing if trial == Some(0) => {}
            Status::Trialing => return Err(400),
            _ => {
                it.begin_anew(now);
                self.look(it);
            }
        }
        Ok(())
    }

    /// A trial ends now, or in so many seconds; where there was none, it begins.
    fn trial(&self, it: &mut Subscription, by: i64, now: i64) -> Result<(), Refused> {
        if by == 0 {
            if it.status == Status::Trialing {
                it.leave_trial(now);
                it.begin_anew(now);
                it.charge(self.charged(it), now);
                self.look(it);
            }
            return Ok(());
        }
        if by < 0 || matches!(it.status, Status::Incomplete | Status::Paused) {
            return Err(400);
        }
        if it.status != Status::Trialing {
            self.look(it);
            it.become_status(Status::Trialing);
            it.start = now;
        }
        (it.trial, it.anchor, it.end) = (Some((it.start, now + by)), now + by, now + by);
        if it.at_period_end {
            it.cancel_at = Some(it.end);
        }
        Ok(())
    }

    /// What another billing system says of the payments.
    fn told(&self, it: &mut Subscription, told: Status, now: i64) -> Result<(), Refused> {
        match (it.status, told) {
            (Status::Incomplete | Status::PastDue | Status::Unpaid, Status::Active) => {
                self.activate(it);
            }
            (before, told) if before == told => {}
            (Status::Trialing, Status::PastDue | Status::Unpaid) => {
                it.become_status(told);
                it.leave_trial(now);
                it.begin_anew(now);
                self.look(it);
            }
            (Status::Active | Status::Unpaid, Status::PastDue)
            | (Status::Active | Status::PastDue, Status::Unpaid) => it.become_status(told),
            _ => return Err(400),
        }
        Ok(())
    }
}
