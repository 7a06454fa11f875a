//! The customer index in memory: 32 shards per mode, each with the rules of the real one.
//!
//! A shard receives an activity at the time of its decision.

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap, VecDeque},
};

use super::fault::{Fault, with_fault};
use crate::{
    customer_index::{
        ActivityFilter, ActivityId, ActivityPage, ActivityPosition, ActivityQuery, CustomerQuery,
        CustomerSyncStatus, RetainedActivity, Shard, ShardActivity, StoredActivity, merge_activity,
        shard_cursor,
    },
    id::{CustomerId, CustomerKey, Livemode, UnixMillis},
    ledger::{Activity, StatusReport},
    pagination::{Cursor, PageOf, PageRequest},
    store::{CustomerIndex, Error},
};

/// A customer index in memory.
#[derive(Debug, Default)]
pub struct MemoryCustomerIndex {
    shards: RefCell<HashMap<(Livemode, Shard), MemoryShard>>,
    faults: RefCell<VecDeque<Fault>>,
}

#[derive(Debug, Default)]
struct MemoryShard {
    customers: BTreeMap<CustomerId, CustomerSyncStatus>,
    activities: VecDeque<StoredActivity>,
    newest: ActivityPosition,
}

impl MemoryCustomerIndex {
    /// Makes the next call fail.
    pub fn fail_next(&self, fault: Fault) {
        self.faults.borrow_mut().push_back(fault);
    }

    /// Stores the report of a customer's ledger, which arrives at the start of 1970.
    pub fn record(&self, customer: &CustomerKey, report: &StatusReport) {
        self.record_at(customer, report, UnixMillis::default());
    }

    /// Stores the report of a customer's ledger, which arrives at this time.
    pub fn record_at(&self, customer: &CustomerKey, report: &StatusReport, now: UnixMillis) {
        let CustomerKey { livemode, id } = customer;
        let mut shards = self.shards.borrow_mut();
        let shard = shards.entry((*livemode, Shard::of(id.as_str()))).or_default();
        let before = shard.customers.get(id).and_then(|before| before.problem_since);
        let status = report.status;
        let problem_since = status.is_problem().then(|| before.unwrap_or(now));
        let customer = CustomerSyncStatus { id: id.clone(), status, problem_since };
        shard.customers.insert(id.clone(), customer);
    }

    /// Stores a decision.
    pub fn record_activity(&self, customer: &CustomerKey, activity: Activity) {
        let CustomerKey { livemode, id } = customer;
        let mut shards = self.shards.borrow_mut();
        let shard = shards.entry((*livemode, Shard::of(id.as_str()))).or_default();
        shard.newest = shard.newest.next(activity.at);
        let entry = StoredActivity { position: shard.newest, customer: id.clone(), activity };
        shard.activities.push_back(entry);
    }
}

impl MemoryShard {
    fn list(&self, query: &CustomerQuery) -> PageOf<CustomerSyncStatus> {
        let mut all: Vec<_> =
            self.customers.values().filter(|customer| query.includes(customer)).cloned().collect();
        all.sort_by(|one, other| query.compare(one, other));
        let position = |customer: &CustomerSyncStatus| query.position(customer);
        match &query.page.cursor {
            Cursor::Start => PageOf::from_fetched(&query.page, all),
            Cursor::After(cursor) => {
                let after = all.into_iter().filter(|customer| position(customer) > *cursor);
                PageOf::from_fetched(&query.page, after)
            }
            Cursor::Before(cursor) => {
                let before = all.into_iter().rev();
                let before = before.filter(|customer| position(customer) < *cursor);
                PageOf::from_fetched(&query.page, before)
            }
        }
    }

    fn list_activity(&self, query: &ActivityQuery) -> ShardActivity {
        let retained = RetainedActivity::new(self.newest, self.newest.received_at);
        let expired = self.activities.iter().filter(|entry| !retained.keeps(entry.position));
        let last_expired = expired.map(|entry| entry.position).max();
        let ActivityQuery { filter, page } = query;
        let kept = self.activities.iter().filter(|entry| {
            retained.keeps(entry.position) && filter.includes(&entry.customer, &entry.activity)
        });
        let kept = kept.cloned();
        let entries = match page.cursor {
            Cursor::Start => PageOf::from_fetched(page, kept.rev()),
            Cursor::After(cursor) => {
                PageOf::from_fetched(page, kept.filter(|entry| entry.position < cursor).rev())
            }
            Cursor::Before(cursor) => {
                PageOf::from_fetched(page, kept.filter(|entry| entry.position > cursor))
            }
        };
        let last_expired = last_expired.map(|position| position.received_at);
        ShardActivity { entries, complete_since: retained.complete_since(last_expired) }
    }
}

impl CustomerIndex for MemoryCustomerIndex {
    async fn list_customers(
        &self,
        livemode: Livemode,
        query: &CustomerQuery,
    ) -> Result<PageOf<CustomerSyncStatus>, Error> {
        with_fault(&self.faults, "customer index", || {
            let shards = self.shards.borrow();
            let shards = Shard::all().filter_map(|shard| shards.get(&(livemode, shard)));
            Ok(query.merge(shards.map(|shard| shard.list(query)).collect()))
        })
    }

    async fn list_activity(
        &self,
        livemode: Livemode,
        filter: &ActivityFilter,
        page: &PageRequest<ActivityId>,
    ) -> Result<ActivityPage, Error> {
        with_fault(&self.faults, "customer index", || {
            let shards = self.shards.borrow();
            let pages = Shard::all().filter_map(|number| {
                let cursor = shard_cursor(&page.cursor, number);
                let page = PageRequest { limit: page.limit, cursor };
                let query = ActivityQuery { filter: filter.clone(), page };
                Some((number, shards.get(&(livemode, number))?.list_activity(&query)))
            });
            Ok(merge_activity(page, pages.collect()))
        })
    }
}
