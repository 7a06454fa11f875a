//! The journal in memory.

use std::{
    cell::RefCell,
    collections::{HashMap, VecDeque},
};

use super::{Fault, with_fault};
use crate::{
    id::{ActivityId, CustomerId, CustomerKey, Livemode},
    ledger::{ACTIVITY_RETENTION, Activity},
    store::{
        ActivityEntry, ActivityLog, ActivityPage, Error,
        pagination::{Cursor, PageOf, PageRequest},
    },
};

/// A journal in memory.
#[derive(Debug, Default)]
pub struct MemoryActivityLog {
    entries: RefCell<HashMap<Livemode, VecDeque<ActivityEntry>>>,
    faults: RefCell<VecDeque<Fault>>,
}

impl MemoryActivityLog {
    /// Lets the next call fail.
    pub fn fail_next(&self, fault: Fault) {
        self.faults.borrow_mut().push_back(fault);
    }

    /// Notes what was decided.
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
        part: &PageRequest<ActivityId>,
    ) -> Result<ActivityPage, Error> {
        with_fault(&self.faults, "activity log", || {
            let entries = self.entries.borrow();
            let all = entries.get(&livemode);
            let newest = all.and_then(VecDeque::back).map(|entry| entry.id);
            let all = all.into_iter().flatten().cloned();
            let all =
                all.filter(|entry| customer.is_none_or(|customer| entry.customer == *customer));
            let entries = match part.cursor {
                Cursor::Start => PageOf::from_fetched(part, all.rev()),
                Cursor::After(place) => {
                    PageOf::from_fetched(part, all.filter(|entry| entry.id < place).rev())
                }
                Cursor::Before(place) => {
                    PageOf::from_fetched(part, all.filter(|entry| entry.id > place))
                }
            };
            Ok(ActivityPage { entries, newest })
        })
    }
}
