//! Stores in memory, for tests.
//!
//! A test sets up and reads their contents directly. A store can fail before or after its operation,
//! and a caller cannot distinguish the two. A test queues a [`Fault`] for the next call.
//!
//! Not here: asynchronous tasks. A test calls [`MemoryStore::replicate()`] instead.

mod ledger;

mod replica;

mod customer_index;

mod activity_log;

mod catalog;

mod crypto;

mod fault;

pub use self::{
    activity_log::MemoryActivityLog, catalog::MemoryCatalog, crypto::MemoryCrypto,
    customer_index::MemoryCustomerIndex, fault::Fault, ledger::MemoryLedger,
    replica::MemoryReplica,
};
use crate::{
    id::{Livemode, UnixMillis},
    source::{self, StripeClient},
    store::{ActivityLog, CatalogClient, Crypto, CustomerIndex, Ledger, Replica, Store},
};

/// All stores of a deployment in memory.
#[derive(Debug, Default)]
pub struct MemoryStore {
    /// The source of truth.
    pub ledger: MemoryLedger,
    /// The replica. Only a test writes it, directly or through [`Self::replicate()`].
    pub replica: MemoryReplica,
    /// The customer index. Only a test writes it, directly or through [`Self::replicate()`].
    pub customer_index: MemoryCustomerIndex,
    /// The activity log. Only a test writes it, directly or through [`Self::replicate()`].
    pub activity_log: MemoryActivityLog,
    /// The built-in catalog, if it is the source.
    pub catalog: Option<MemoryCatalog>,
    /// The public-key operations.
    pub crypto: MemoryCrypto,
}

impl MemoryStore {
    /// Copies the sets to the replica, the sync statuses to the customer index and the decisions to
    /// the activity log, as pending tasks do eventually.
    pub fn replicate(&self) {
        let mut customers = self.ledger.customers.borrow_mut();
        for (customer, row) in customers.iter_mut() {
            if let Some(report) = row.state.begin_report() {
                row.state.report_succeeded(&report, UnixMillis::default());
                self.customer_index.record(customer, report);
            }
        }
        let sets = customers.iter().filter_map(|(customer, row)| {
            row.state.entitlements.as_ref().map(|set| (customer.clone(), set.clone()))
        });
        self.replica.sets.borrow_mut().extend(sets);
        for (customer, activity) in self.ledger.activities.take() {
            self.activity_log.record(&customer, activity);
        }
    }
}

impl Store for MemoryStore {
    fn ledger(&self) -> &impl Ledger {
        &self.ledger
    }

    fn replica(&self) -> &impl Replica {
        &self.replica
    }

    fn customer_index(&self) -> &impl CustomerIndex {
        &self.customer_index
    }

    fn activity_log(&self) -> &impl ActivityLog {
        &self.activity_log
    }

    fn source(&self, _: Livemode) -> Option<&StripeClient<impl source::Transport>> {
        self.ledger.source.as_ref()
    }

    fn catalog(&self) -> Option<&impl CatalogClient> {
        self.catalog.as_ref()
    }

    fn crypto(&self) -> &impl Crypto {
        &self.crypto
    }
}
