//! All that is kept of one customer, and the steps that change it.
//!
//! | what happens                       | step                                                      |
//! |------------------------------------|-----------------------------------------------------------|
//! | an event came in                   | [`Account::receive()`]                                    |
//! | the source's list is about to be read | [`Account::reading()`]                                 |
//! | the source told, or did not        | [`Account::told()`], [`Account::unanswered()`]            |
//! | the replica is about to be written | [`Account::writing()`]                                    |
//! | the replica was written, or was not | [`Account::written()`], [`Account::unwritten()`]         |
//! | the roster is told, or was not     | [`Account::reporting()`], [`Account::reported()`], [`Account::unreported()`] |
//!
//! The three rules that need two steps: an answer of the source does not count if an event came in
//! while it was read, since it may be older than that event; a write of the replica settles nothing
//! if the set changed meanwhile, or if an earlier write that failed may still land after it; and a
//! standing is told until the roster has it.

use serde::Serialize;

use super::{
    finding::{Drift, Finding, Occasion, Reading, Told},
    outbox::{Jitter, Outbox, Task},
    rules::{self, Error, Outcome, Sighting},
    seen::Seen,
    standing::{Report, Standing, Trouble},
};
use crate::{
    entitlement::{Coverage, Entitlements, Page, Summary, Version},
    id::{Millis, Timestamp},
    json::readable,
};

/// How long after a customer's last event its set is confirmed, in milliseconds.
const QUIET: u64 = 2_000;

/// How long events that keep coming can put a confirmation off, in milliseconds.
const LONGEST_QUIET: u64 = 10_000;

/// KV takes one write a second per key, in milliseconds
/// (<https://developers.cloudflare.com/kv/platform/limits/>).
const WRITE_INTERVAL: u64 = 1_000;

/// How long after its failure a write may still land, in milliseconds: our assumption, since KV
/// says nothing of it.
const AFTERMATH: u64 = 4_000;

/// Changes of one customer are told to the roster together, in milliseconds.
const REPORT_DELAY: u64 = 1_000;

/// All that is kept of one customer, but for the ids of its events.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Account {
    /// The set, or none before anything was heard.
    pub held: Option<Entitlements>,
    /// When the source's list last was what is held.
    pub confirmed: Option<Timestamp>,
    /// How many events came in, duplicates not counted.
    pub arrivals: u64,
    /// When the last write of the replica was begun.
    pub written: Millis,
    /// Until when an earlier write may still land, and what is written before that may be undone.
    pub doubtful: Option<Millis>,
    /// Until when the source wants not to be asked.
    pub left_alone: Millis,
    /// What the operator has to see to before the source tells again.
    pub trouble: Option<Trouble>,
    /// What the roster knows.
    pub reported: Option<Standing>,
    /// The features that came in the customer's sets, and whether the roster knows them.
    pub seen: Seen,
    /// What is owed to others.
    pub outbox: Outbox,
}

/// What the source's list is to the ledger.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum List {
    /// It cannot be read: events are all there is.
    Absent,
    /// It is read after events, and what it says counts.
    Confirms,
}

/// What became of an event, and where the customer stands since.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct Receipt {
    /// What became of it.
    pub effect: Effect,
    /// The version held since.
    pub version: Version,
}

readable! { struct Receipt { effect, version } }

/// What became of an event.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// The set changed.
    Applied,
    /// The set was this already.
    Unchanged,
    /// The event was applied before.
    Duplicate,
    /// Something newer was held.
    Stale,
    /// It does not say what is held: the list is read.
    Deferred,
}

readable! {
    enum Effect {
        Applied = "applied", Unchanged = "unchanged", Duplicate = "duplicate", Stale = "stale",
        Deferred = "deferred",
    }
}

impl Account {
    /// The version held.
    #[must_use]
    pub fn version(&self) -> Version {
        self.held.as_ref().map_or(Version::default(), |held| held.version)
    }

    /// Takes an event in.
    ///
    /// # Errors
    ///
    /// When the event does not fit: it was not taken in.
    pub fn receive(
        &mut self,
        summary: &Summary,
        sighting: Sighting,
        list: List,
        now: Millis,
    ) -> Result<Receipt, Error> {
        if sighting == Sighting::Repeated {
            return Ok(self.receipt(Effect::Duplicate));
        }
        // A list that was read in the second of the event, or later, most likely holds the event
        // already. It is read again to be sure.
        let known = list == List::Confirms
            && self.confirmed.is_some_and(|confirmed| summary.created <= confirmed);
        let outcome = if known {
            Outcome::Stale
        } else {
            rules::apply(self.held.as_ref(), sighting, summary)?
        };
        let tie = self.held.as_ref().is_some_and(|held| summary.created == held.as_of);
        self.arrivals = self.arrivals.saturating_add(1);
        let effect = match outcome {
            _ if summary.page.is_none() => Effect::Deferred,
            Outcome::Changed(set) => {
                self.hold(set, now);
                Effect::Applied
            }
            Outcome::Unchanged(set) => {
                self.held = Some(set);
                Effect::Unchanged
            }
            Outcome::Duplicate => Effect::Duplicate,
            Outcome::Stale => Effect::Stale,
        };
        if list == List::Confirms {
            let whole = matches!(summary.page, Some(Page::Whole(_)));
            if !whole || tie || effect == Effect::Stale {
                self.outbox.owe(Task::Read, now, now);
            }
            self.outbox.debounce(Task::Confirm, QUIET, LONGEST_QUIET, now);
            self.leave_alone();
        }
        self.note(now);
        Ok(self.receipt(effect))
    }

    /// Begins to read the source's list.
    #[must_use]
    pub fn reading(&self) -> Reading {
        Reading { arrivals: self.arrivals }
    }

    /// Takes in what the source said.
    ///
    /// # Errors
    ///
    /// When the list does not fit: what is held stays.
    pub fn told(
        &mut self,
        reading: Reading,
        occasion: Occasion,
        told: &Told,
        now: Millis,
    ) -> Result<Finding, Error> {
        if reading.arrivals != self.arrivals {
            return Ok(Finding::Overtaken);
        }
        let holds_nothing = self
            .held
            .as_ref()
            .is_none_or(|held| held.data.is_empty() && held.coverage == Coverage::Whole);
        let list = match told {
            Told::All(list) => &list[..],
            Told::Deleted => &[],
            Told::Unknown if self.held.is_none() => {
                self.forgo(now);
                return Ok(Finding::Nobody);
            }
            Told::Unknown if holds_nothing => &[],
            Told::Unknown => return Ok(Finding::Doubtful),
        };
        let outcome = rules::replace(self.held.as_ref(), list, now.second())?;
        // A page, a tie and a late event let a difference be expected.
        let expected = occasion == Occasion::Ask
            || self.outbox.debt(Task::Read).is_some()
            || self.held.as_ref().is_none_or(|held| held.coverage == Coverage::Partial);
        let finding = match outcome {
            Outcome::Changed(set) => {
                let finding = if expected {
                    Finding::Completed
                } else {
                    Finding::Drifted(Drift::between(self.held.as_ref(), &set))
                };
                self.hold(set, now);
                finding
            }
            Outcome::Unchanged(set) => {
                self.held = Some(set);
                Finding::Right
            }
            Outcome::Duplicate | Outcome::Stale => Finding::Right,
        };
        self.confirmed = Some(now.second());
        self.trouble = None;
        self.outbox.settle(Task::Read);
        self.outbox.settle(Task::Confirm);
        self.note(now);
        Ok(finding)
    }

    /// The source did not tell, and wants to be left alone until then.
    pub fn unanswered(
        &mut self,
        trouble: Option<Trouble>,
        not_before: Millis,
        now: Millis,
        jitter: Jitter,
    ) {
        if self.is_stranger() {
            return;
        }
        // What the operator has to see to stays until the source tells again.
        self.trouble = trouble.or(self.trouble);
        self.left_alone = not_before;
        for task in [Task::Read, Task::Confirm] {
            self.outbox.begin(task);
            self.outbox.put_off(task, now, jitter);
        }
        self.leave_alone();
        self.note(now);
    }

    /// Owes no read any more: there is no list to be read.
    pub fn forgo(&mut self, now: Millis) {
        if self.is_stranger() {
            return;
        }
        self.trouble = None;
        self.outbox.settle(Task::Read);
        self.outbox.settle(Task::Confirm);
        self.note(now);
    }

    /// Owes a confirmation now: the set was not confirmed for long.
    pub fn doubt(&mut self, now: Millis) {
        self.outbox.owe(Task::Confirm, now, now);
        self.leave_alone();
    }

    /// Begins to write the replica, if it is owed a copy.
    pub fn writing(&mut self, now: Millis) -> Option<&Entitlements> {
        let debt = self.outbox.debt(Task::Replica)?;
        // A write that failed, or was begun and never heard of, may land after this one.
        if debt.tries > 0 {
            self.doubtful = Some(now.plus(AFTERMATH));
        }
        self.outbox.begin(Task::Replica);
        self.written = now;
        self.held.as_ref()
    }

    /// The replica has the copy of that version.
    pub fn written(&mut self, version: Version, now: Millis) {
        let next = self.written.plus(WRITE_INTERVAL);
        let doubtful = self.doubtful.filter(|until| self.written < *until);
        match doubtful {
            Some(until) => self.outbox.owe_again(Task::Replica, next.max(until)),
            None => self.doubtful = None,
        }
        if version != self.version() {
            self.outbox.owe_again(Task::Replica, next);
        } else if doubtful.is_none() {
            self.outbox.settle(Task::Replica);
        }
        self.note(now);
    }

    /// The replica may or may not have the copy.
    pub fn unwritten(&mut self, now: Millis, jitter: Jitter) {
        let next = self.written.plus(WRITE_INTERVAL);
        self.outbox.put_off(Task::Replica, now, jitter);
        self.outbox.leave_until(Task::Replica, next);
        self.note(now);
    }

    /// Begins to tell the roster, unless it knows by now.
    pub fn reporting(&mut self) -> Option<Report> {
        if !self.has_news() {
            self.outbox.settle(Task::Report);
            return None;
        }
        Some(Report { standing: self.standing(), features: self.seen.untold().clone() })
    }

    /// The roster knows.
    pub fn reported(&mut self, report: &Report, now: Millis) {
        self.reported = Some(report.standing);
        self.seen.tell(&report.features);
        self.outbox.settle(Task::Report);
        self.note(now);
    }

    /// The roster may or may not know.
    pub fn unreported(&mut self, now: Millis, jitter: Jitter) {
        self.outbox.begin(Task::Report);
        self.outbox.put_off(Task::Report, now, jitter);
    }

    fn receipt(&self, effect: Effect) -> Receipt {
        Receipt { effect, version: self.version() }
    }

    fn hold(&mut self, set: Entitlements, now: Millis) {
        // Where there is no copy the ledger answers: the first purchase of a customer who held
        // nothing is seen at once, everywhere.
        let first = self.held.is_none() && self.outbox.debt(Task::Replica).is_none();
        let nothing = set.data.is_empty() && set.coverage == Coverage::Whole;
        self.seen.see(set.data.iter().map(|granted| &granted.lookup_key));
        self.held = Some(set);
        if !(first && nothing) {
            self.outbox.owe(Task::Replica, now.max(self.written.plus(WRITE_INTERVAL)), now);
        }
    }

    /// Nothing was ever heard of the customer, and nothing is kept.
    fn is_stranger(&self) -> bool {
        self.held.is_none() && self.arrivals == 0
    }

    fn leave_alone(&mut self) {
        self.outbox.leave_until(Task::Read, self.left_alone);
        self.outbox.leave_until(Task::Confirm, self.left_alone);
    }

    /// Owes the roster a report if it would learn something.
    fn note(&mut self, now: Millis) {
        // A set may be from before features were noted.
        if self.seen.is_empty()
            && let Some(held) = &self.held
        {
            self.seen.see(held.data.iter().map(|granted| &granted.lookup_key));
        }
        if self.has_news() {
            self.outbox.owe(Task::Report, now.plus(REPORT_DELAY), now);
        }
    }

    fn has_news(&self) -> bool {
        !self.seen.untold().is_empty() || self.standing().is_news(self.reported)
    }

    fn standing(&self) -> Standing {
        let (pending, since) = self.outbox.overdue();
        Standing { confirmed: self.confirmed, pending, since, trouble: self.trouble }
    }
}
