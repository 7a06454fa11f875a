//! The coordinators in memory: their status and their features are what a test sets.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeSet, HashMap, VecDeque},
};

use super::fault::{Fault, with_fault};
use crate::{
    coordinator::{Backlog, CoordinatorStatus},
    id::{Livemode, LookupKey},
    store::{Coordinator, Error},
};

/// The coordinators in memory.
#[derive(Debug, Default)]
pub struct MemoryCoordinator {
    /// The modes whose poll was made due, oldest first.
    pub polls: RefCell<Vec<Livemode>>,
    /// The number of statuses that were loaded.
    pub status_calls: Cell<u32>,
    /// The number of calls of [`Coordinator::list_features()`].
    pub feature_calls: Cell<u32>,
    statuses: RefCell<HashMap<Livemode, CoordinatorStatus>>,
    features: RefCell<HashMap<Livemode, BTreeSet<LookupKey>>>,
    faults: RefCell<VecDeque<Fault>>,
}

impl MemoryCoordinator {
    /// Makes the next call fail.
    pub fn fail_next(&self, fault: Fault) {
        self.faults.borrow_mut().push_back(fault);
    }

    /// Sets the status of a mode. By default, no task has failed and no poll runs.
    pub fn set_status(&self, livemode: Livemode, status: CoordinatorStatus) {
        self.statuses.borrow_mut().insert(livemode, status);
    }

    /// Adds features that were observed in sets.
    pub fn add_features(&self, livemode: Livemode, features: BTreeSet<LookupKey>) {
        self.features.borrow_mut().entry(livemode).or_default().extend(features);
    }
}

impl Coordinator for MemoryCoordinator {
    async fn list_features(&self, livemode: Livemode) -> Result<Vec<LookupKey>, Error> {
        self.feature_calls.set(self.feature_calls.get().saturating_add(1));
        with_fault(&self.faults, "coordinator", || {
            let features = self.features.borrow();
            Ok(features.get(&livemode).into_iter().flatten().cloned().collect())
        })
    }

    async fn load_status(&self, livemode: Livemode) -> Result<CoordinatorStatus, Error> {
        self.status_calls.set(self.status_calls.get().saturating_add(1));
        with_fault(&self.faults, "coordinator", || {
            let status = self.statuses.borrow().get(&livemode).cloned();
            let default = || CoordinatorStatus { backlog: Some(Backlog::default()), poll: None };
            Ok(status.unwrap_or_else(default))
        })
    }

    async fn load_fresh_status(&self, livemode: Livemode) -> Result<CoordinatorStatus, Error> {
        self.load_status(livemode).await
    }

    async fn poll_soon(&self, livemode: Livemode) -> Result<(), Error> {
        with_fault(&self.faults, "coordinator", || {
            self.polls.borrow_mut().push(livemode);
            Ok(())
        })
    }
}
