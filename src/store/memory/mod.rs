//! The stores in memory, for tests: they keep what a test looks at, and fail when it says so.
//!
//! A store fails in two ways that look alike from outside: before the write, and after it. Tests
//! queue a [`Fault`] for the next call of either kind. Nothing here outlives the process.

mod activity_log;
mod catalog;
mod crypto;
mod customer_index;
mod fault;
mod ledger;
mod replica;

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

/// A ledger, its replica, its roster and its journal in memory, and a catalog if there is one.
#[derive(Debug, Default)]
pub struct MemoryStore {
    /// The truth.
    pub ledger: MemoryLedger,
    /// The copy. Nothing writes it but a test, through [`Memory::replicate()`] or itself.
    pub replica: MemoryReplica,
    /// The overview. Nothing writes it but a test, through [`Memory::replicate()`] or itself.
    pub customer_index: MemoryCustomerIndex,
    /// What was decided. Nothing writes it but a test, through [`Memory::replicate()`] or itself.
    pub activity_log: MemoryActivityLog,
    /// The source, if it is kept here.
    pub catalog: Option<MemoryCatalog>,
    /// What is done with public keys.
    pub crypto: MemoryCrypto,
}

impl MemoryStore {
    /// Copies what the ledger holds into the replica, tells the roster where everybody stands, as the
    /// outbox does in time, and the journal what was decided.
    pub fn replicate(&self) {
        let mut customers = self.ledger.customers.borrow_mut();
        for (customer, row) in customers.iter_mut() {
            if let Some(report) = row.state.begin_report() {
                row.state.report_succeeded(&report, UnixMillis::default());
                self.customer_index.record(customer, report);
            }
        }
        let sets = customers.iter().filter_map(|(customer, row)| {
            row.state.entitlements.as_ref().map(|held| (customer.clone(), held.clone()))
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
