//! The stored data of one ledger in memory.

use std::{
    cell::RefCell,
    collections::{BTreeMap, VecDeque},
};

use super::fault::Fault;
use crate::{
    entitlement::Entitlements,
    id::{CustomerKey, EventId, Timestamp},
    ledger::{
        Dedup, HistoryEntry, HistoryQuery, LedgerState, LedgerStorage, OVERRIDE_RETENTION,
        OverrideSelection, PortError, StepError, StoredOverride, UnsavedRows, retained_history,
    },
    store::{ledger_rows::oldest_event, record},
};

/// The stored data of one ledger in memory.
#[derive(Debug, Default)]
pub struct MemoryTables {
    stored: RefCell<StoredLedger>,
    faults: RefCell<VecDeque<Fault>>,
    records: RefCell<Vec<Entitlements>>,
}

#[derive(Debug, Default)]
struct StoredLedger {
    customer: Option<CustomerKey>,
    state: LedgerState,
    events: BTreeMap<EventId, Timestamp>,
    /// Oldest first.
    history: Vec<HistoryEntry>,
    /// Oldest first.
    overrides: Vec<StoredOverride>,
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

    /// Removes and returns the records that were stored, oldest first.
    #[must_use]
    pub fn take_records(&self) -> Vec<Entitlements> {
        self.records.take()
    }

    /// Returns the stored entries of the history, oldest first.
    #[must_use]
    pub fn history(&self) -> Vec<HistoryEntry> {
        self.stored.borrow().history.clone()
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
        let encoded = self.stored.borrow().state.record.entitlements.as_ref().map(record::encode);
        encoded.transpose().map_err(|error| PortError(error.to_string()))
    }

    fn read_overrides(
        &self,
        selection: &OverrideSelection,
    ) -> Result<Vec<StoredOverride>, PortError> {
        let stored = self.stored.borrow();
        let newest_first = stored.overrides.iter().rev();
        Ok(newest_first.filter(|stored| selection.matches(stored)).cloned().collect())
    }

    fn read_history(
        &self,
        query: &HistoryQuery,
        now: Timestamp,
    ) -> Result<Vec<HistoryEntry>, PortError> {
        let stored = self.stored.borrow();
        let (first, oldest) = retained_history(stored.state.version(), now);
        let matches = |entry: &&HistoryEntry| {
            entry.version >= first && entry.created >= oldest && query.matches(entry)
        };
        let matching = stored.history.iter().filter(matches);
        let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
        Ok(if query.reads_forward() {
            matching.take(limit).cloned().collect()
        } else {
            matching.rev().take(limit).cloned().collect()
        })
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
            if state.record.entitlements != before.record.entitlements {
                self.records.borrow_mut().extend(state.record.entitlements.clone());
            }
            let UnsavedRows { history, changed_override } =
                std::mem::take(&mut state.record.unsaved);
            stored.history.extend(history);
            if let Some(changed) = changed_override {
                stored.write_override(changed);
            }
            stored.customer = Some(customer.clone());
            stored.state = state;
        }
        if fault == Some(Fault::After) { Err(failed().into()) } else { Ok(result) }
    }
}

impl StoredLedger {
    fn write_override(&mut self, changed: StoredOverride) {
        let id = &changed.value.period.id;
        if let Some(stored) = self.overrides.iter_mut().find(|stored| stored.value.period.id == *id)
        {
            *stored = changed;
            return;
        }
        let oldest = changed.value.created.saturating_sub(OVERRIDE_RETENTION);
        self.overrides.retain(|stored| stored.value.ends_at().is_none_or(|end| end >= oldest));
        self.overrides.push(changed);
    }
}
