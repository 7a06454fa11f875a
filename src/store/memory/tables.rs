//! The stored data of one ledger in memory.

use std::{
    cell::RefCell,
    collections::{BTreeMap, VecDeque},
};

use super::fault::Fault;
use crate::{
    entitlement::Entitlements,
    id::{CustomerKey, EventId, Timestamp},
    ledger::{Dedup, LedgerState, LedgerStorage, PortError, StepError},
    store::{ledger_rows::oldest_event, record},
};

/// The stored data of one ledger in memory.
#[derive(Debug, Default)]
pub struct MemoryTables {
    stored: RefCell<StoredLedger>,
    faults: RefCell<VecDeque<Fault>>,
    history: RefCell<Vec<Entitlements>>,
}

#[derive(Debug, Default)]
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
        self.run_step(customer, step, |_| {})
    }

    fn update_with_event<T>(
        &self,
        customer: &CustomerKey,
        event: &EventId,
        now: Timestamp,
        step: impl FnOnce(&mut LedgerState, Dedup) -> Result<T, StepError>,
    ) -> Result<T, StepError> {
        let oldest = oldest_event(now);
        let received = self.stored.borrow().events.get(event).copied();
        let dedup = match received {
            Some(received_at) if received_at >= oldest => Dedup::Duplicate,
            Some(_) | None => Dedup::New,
        };
        self.run_step(
            customer,
            |state| step(state, dedup),
            |events| {
                if dedup == Dedup::New {
                    events.retain(|_, received_at| *received_at >= oldest);
                    events.insert(event.clone(), now);
                }
            },
        )
    }
}

impl MemoryTables {
    fn run_step<T>(
        &self,
        customer: &CustomerKey,
        step: impl FnOnce(&mut LedgerState) -> Result<T, StepError>,
        record_event: impl FnOnce(&mut BTreeMap<EventId, Timestamp>),
    ) -> Result<T, StepError> {
        let before = self.stored.borrow().state.clone();
        let failed = || PortError("injected fault of a transaction".to_owned());
        let fault = self.faults.borrow_mut().pop_front();
        let mut state = before.clone();
        let result = step(&mut state)?;
        if matches!(fault, Some(Fault::Before | Fault::NewerSchema)) {
            return Err(failed().into());
        }
        let mut stored = self.stored.borrow_mut();
        record_event(&mut stored.events);
        if state != before {
            if state.entitlements != before.entitlements {
                self.history.borrow_mut().extend(state.entitlements.clone());
            }
            stored.customer = Some(customer.clone());
            stored.state = state;
        }
        if fault == Some(Fault::After) { Err(failed().into()) } else { Ok(result) }
    }
}
