//! Stores in memory, for tests.
//!
//! A test sets up and reads their contents directly. A store can fail before or after its operation,
//! and a caller cannot distinguish the two. A test queues a [`Fault`] for the next call.
//!
//! The ledgers run as in production, on a virtual clock. Their writes to other stores wait until a test
//! calls [`MemoryStore::replicate()`].

mod virtual_time;

mod tables;

mod ledger;

mod replica;

mod customer_index;

mod coordinator;

mod catalog;

mod crypto;

mod fault;

pub use self::{
    catalog::MemoryCatalog, coordinator::MemoryCoordinator, crypto::MemoryCrypto,
    customer_index::MemoryCustomerIndex, fault::Fault, ledger::MemoryLedger,
    replica::MemoryReplica, tables::MemoryTables, virtual_time::VirtualTime,
};
use crate::{
    effective_set::MissingSource,
    id::{CustomerKey, Livemode, LookupKey},
    ledger::IndexMessage,
    policy::SourcePolicy,
    source::{self, StripeClient},
    store::{CatalogClient, Coordinator, Crypto, CustomerIndex, Ledger, Replica, Store},
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
    /// The coordinators.
    pub coordinator: MemoryCoordinator,
    /// The built-in catalog, if it is the source.
    pub catalog: Option<MemoryCatalog>,
    /// The public-key operations.
    pub crypto: MemoryCrypto,
}

impl MemoryStore {
    /// Sets the source, and the status policy under which it is read.
    pub fn set_source_policy(&self, policy: SourcePolicy) {
        self.ledger.setting.policy.set(policy);
        self.replica.policy.set(policy);
    }

    /// Sets the features that every customer has.
    pub fn set_default_features(&self, features: Vec<LookupKey>) {
        self.ledger.setting.default_features.replace(features);
    }

    /// Sets what applies to a customer without a source set if there is no source.
    pub fn set_missing_source(&self, missing: MissingSource) {
        self.ledger.setting.missing_source.set(missing);
    }

    /// Runs the pending writes of the ledgers: sets to the replica, and sync statuses and decisions to
    /// the customer index, which passes features to the coordinator.
    pub fn replicate(&self) {
        self.ledger.run_pending_writes();
        let sent = &self.ledger.sent;
        self.replica.sets.borrow_mut().extend(sent.sets.take());
        for IndexMessage { key, report, activities } in sent.messages.take() {
            // A message about the key of a mode has no customer.
            let Some(customer) = CustomerKey::from_key(&key) else { continue };
            if let Some(report) = report {
                self.customer_index.record_at(&customer, &report, self.ledger.now());
                self.coordinator.add_features(customer.livemode, report.features);
            }
            for activity in activities {
                self.customer_index.record_activity(&customer, activity);
            }
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

    fn coordinator(&self) -> &impl Coordinator {
        &self.coordinator
    }

    fn source(&self, _: Livemode) -> Option<&StripeClient<impl source::Transport>> {
        self.ledger.source.as_deref()
    }

    fn catalog(&self) -> Option<&impl CatalogClient> {
        self.catalog.as_ref()
    }

    fn crypto(&self) -> &impl Crypto {
        &self.crypto
    }
}
