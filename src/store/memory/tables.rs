//! The stored data of one ledger in memory.

use std::{
    cell::RefCell,
    collections::{BTreeMap, VecDeque},
};

use super::fault::Fault;
use crate::{
    entitlement::Entitlements,
    id::{CustomerKey, EventId, Timestamp},
    ledger::{Dedup, EVENT_RETENTION, LedgerState, LedgerStorage, PortError, StepError},
    store::record,
};

/// The stored data of one ledger in memory.
#[derive(Debug, Default)]
pub struct MemoryTables {
    stored: RefCell<StoredLedger>,
    faults: RefCell<VecDeque<Fault>>,
    history: RefCell<Vec<Entitlements>>,
}

#[derive(Clone, Debug, Default)]
struct StoredLedger {
    customer: Option<CustomerKey>,
    state: LedgerState,
    events: BTreeMap<EventId, Timestamp>,
}

impl MemoryTables {
    /// Makes the next transaction fail.
    pub fn fail_next(&self, fault: Fault) {
        self.faults.borrow_mut().push_back(fault);
    }

    /// Returns whether the next transaction fails.
    #[must_use]
    pub fn has_fault(&self) -> bool {
        !self.faults.borrow().is_empty()
    }

    /// Removes all faults.
    pub fn clear_faults(&self) {
        self.faults.borrow_mut().clear();
    }

    /// Returns whether the id of an event is stored.
    #[must_use]
    pub fn has_event(&self, event: &EventId) -> bool {
        self.stored.borrow().events.contains_key(event)
    }

    /// Removes and returns the sets that were stored, oldest first.
    #[must_use]
    pub fn take_history(&self) -> Vec<Entitlements> {
        self.history.take()
    }

    /// Returns a copy of the state.
    #[must_use]
    pub fn state(&self) -> LedgerState {
        self.stored.borrow().state.clone()
    }
}

impl LedgerStorage for MemoryTables {
    fn may_read(&self) -> Result<bool, PortError> {
        Ok(true)
    }

    fn may_write(&self) -> Result<bool, PortError> {
        Ok(true)
    }

    fn customer(&self) -> Result<Option<CustomerKey>, PortError> {
        Ok(self.stored.borrow().customer.clone())
    }

    fn read<T>(&self, select: impl FnOnce(&LedgerState) -> T) -> Result<T, PortError> {
        Ok(select(&self.stored.borrow().state))
    }

    fn read_record(&self) -> Result<Option<Vec<u8>>, PortError> {
        let encoded = self.stored.borrow().state.entitlements.as_ref().map(record::encode);
        encoded.transpose().map_err(|error| PortError(error.to_string()))
    }

    fn update<T>(
        &self,
        customer: &CustomerKey,
        step: impl FnOnce(&mut LedgerState) -> Result<T, StepError>,
    ) -> Result<T, StepError> {
        let before = self.stored.borrow().clone();
        let failed = || PortError("injected fault of a transaction".to_owned());
        let fault = self.faults.borrow_mut().pop_front();
        let mut state = before.state.clone();
        let result = match step(&mut state) {
            Ok(_) if matches!(fault, Some(Fault::Before | Fault::NewerSchema)) => {
                Err(failed().into())
            }
            result => result,
        };
        if result.is_err() {
            self.stored.replace(before);
            return result;
        }
        if state != before.state {
            let mut stored = self.stored.borrow_mut();
            if state.entitlements != before.state.entitlements {
                self.history.borrow_mut().extend(state.entitlements.clone());
            }
            stored.customer = Some(customer.clone());
            stored.state = state;
        }
        if fault == Some(Fault::After) { Err(failed().into()) } else { result }
    }

    fn check_duplicate(&self, event: &EventId, now: Timestamp) -> Result<Dedup, PortError> {
        let events = &mut self.stored.borrow_mut().events;
        events.retain(|_, received| now.seconds_since(*received) <= EVENT_RETENTION);
        Ok(if events.contains_key(event) { Dedup::Duplicate } else { Dedup::New })
    }

    fn record_event(&self, event: &EventId, now: Timestamp) -> Result<(), PortError> {
        self.stored.borrow_mut().events.entry(event.clone()).or_insert(now);
        Ok(())
    }
}
