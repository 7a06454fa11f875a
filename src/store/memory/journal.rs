//! The journal in memory.

use std::{
    cell::RefCell,
    collections::{HashMap, VecDeque},
};

use super::{Fault, faulty};
use crate::{
    id::{ActivityId, Customer, CustomerId, Livemode},
    ledger::{ACTIVITY_MEMORY, Activity},
    store::{
        Entry, Error, Excerpt, Journal,
        part::{Cursor, Listed, Part},
    },
};

/// A journal in memory.
#[derive(Debug, Default)]
pub struct MemoryJournal {
    entries: RefCell<HashMap<Livemode, VecDeque<Entry>>>,
    faults: RefCell<VecDeque<Fault>>,
}

impl MemoryJournal {
    /// Lets the next call fail.
    pub fn fail_next(&self, fault: Fault) {
        self.faults.borrow_mut().push_back(fault);
    }

    /// Notes what was decided.
    pub fn note(&self, customer: &Customer, activity: Activity) {
        let mut entries = self.entries.borrow_mut();
        let entries = entries.entry(customer.livemode).or_default();
        let id = ActivityId(entries.back().map_or(0, |entry| entry.id.0).saturating_add(1));
        entries.push_back(Entry { id, customer: customer.id.clone(), activity });
        if entries.len() > ACTIVITY_MEMORY {
            entries.pop_front();
        }
    }
}

impl Journal for MemoryJournal {
    async fn entries(
        &self,
        livemode: Livemode,
        customer: Option<&CustomerId>,
        part: &Part<ActivityId>,
    ) -> Result<Excerpt, Error> {
        faulty(&self.faults, "journal", || {
            let entries = self.entries.borrow();
            let all = entries.get(&livemode);
            let newest = all.and_then(VecDeque::back).map(|entry| entry.id);
            let all = all.into_iter().flatten().cloned();
            let all =
                all.filter(|entry| customer.is_none_or(|customer| entry.customer == *customer));
            let entries = match part.cursor {
                Cursor::Start => Listed::of(part, all.rev()),
                Cursor::After(place) => {
                    Listed::of(part, all.filter(|entry| entry.id < place).rev())
                }
                Cursor::Before(place) => Listed::of(part, all.filter(|entry| entry.id > place)),
            };
            Ok(Excerpt { entries, newest })
        })
    }
}
