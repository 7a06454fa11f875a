//! The activity log in memory.

use std::{
    cell::RefCell,
    collections::{HashMap, VecDeque},
};

use super::fault::{Fault, with_fault};
use crate::{
    id::{ActivityId, CustomerId, CustomerKey, Livemode},
    ledger::{ACTIVITY_RETENTION, Activity},
    pagination::{Cursor, PageOf, PageRequest},
    store::{ActivityEntry, ActivityLog, ActivityPage, Error},
};

/// An activity log in memory.
#[derive(Debug, Default)]
pub struct MemoryActivityLog {
    entries: RefCell<HashMap<Livemode, VecDeque<ActivityEntry>>>,
    faults: RefCell<VecDeque<Fault>>,
}

impl MemoryActivityLog {
    /// Makes the next call fail.
    pub fn fail_next(&self, fault: Fault) {
        self.faults.borrow_mut().push_back(fault);
    }

    /// Appends a decision.
    pub fn record(&self, customer: &CustomerKey, activity: Activity) {
        let mut entries = self.entries.borrow_mut();
        let entries = entries.entry(customer.livemode).or_default();
        let id = ActivityId(entries.back().map_or(0, |entry| entry.id.0).saturating_add(1));
        entries.push_back(ActivityEntry { id, customer: customer.id.clone(), activity });
        if entries.len() > ACTIVITY_RETENTION {
            entries.pop_front();
        }
    }
}

impl ActivityLog for MemoryActivityLog {
    async fn list(
        &self,
        livemode: Livemode,
        customer: Option<&CustomerId>,
        page: &PageRequest<ActivityId>,
    ) -> Result<ActivityPage, Error> {
        with_fault(&self.faults, "activity log", || {
            let entries = self.entries.borrow();
            let all = entries.get(&livemode);
            let newest = all.and_then(VecDeque::back).map(|entry| entry.id);
            let all = all.into_iter().flatten().cloned();
            let matching =
                all.filter(|entry| customer.is_none_or(|customer| entry.customer == *customer));
            let entries = match page.cursor {
                Cursor::Start => PageOf::from_fetched(page, matching.rev()),
                Cursor::After(id) => {
                    PageOf::from_fetched(page, matching.filter(|entry| entry.id < id).rev())
                }
                Cursor::Before(id) => {
                    PageOf::from_fetched(page, matching.filter(|entry| entry.id > id))
                }
            };
            Ok(ActivityPage { entries, newest })
        })
    }
}
