//! The replica in memory.

use std::{
    cell::{Cell, RefCell},
    collections::{HashMap, VecDeque},
};

use super::fault::{Fault, with_fault};
use crate::{
    entitlement::Entitlements,
    id::CustomerKey,
    policy::SourcePolicy,
    store::{Error, Replica},
};

/// A replica in memory.
#[derive(Debug, Default)]
pub struct MemoryReplica {
    pub(super) sets: RefCell<HashMap<CustomerKey, Entitlements>>,
    /// The source and the status policy of now: a set of another one is not loaded.
    pub(super) policy: Cell<SourcePolicy>,
    faults: RefCell<VecDeque<Fault>>,
}

impl MemoryReplica {
    /// Makes the next call fail.
    pub fn fail_next(&self, fault: Fault) {
        self.faults.borrow_mut().push_back(fault);
    }

    /// Returns one customer's set, or `None` while a fault is queued.
    #[must_use]
    pub fn stored_set(&self, customer: &CustomerKey) -> Option<Entitlements> {
        if self.faults.borrow().is_empty() {
            self.sets.borrow().get(customer).cloned()
        } else {
            None
        }
    }
}

impl Replica for MemoryReplica {
    async fn save(&self, customer: &CustomerKey, set: &Entitlements) -> Result<(), Error> {
        with_fault(&self.faults, "replica", || {
            self.sets.borrow_mut().insert(customer.clone(), set.clone());
            Ok(())
        })
    }

    async fn load(&self, customer: &CustomerKey) -> Result<Option<Entitlements>, Error> {
        with_fault(&self.faults, "replica", || {
            let set = self.sets.borrow().get(customer).cloned();
            let is_current = |set: &Entitlements| {
                set.source.as_ref().is_none_or(|source| source.policy == self.policy.get())
            };
            Ok(set.filter(is_current))
        })
    }
}
