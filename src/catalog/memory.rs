//! A [`Storage`] in memory, for tests.
//!
//! A transaction is a copy of the whole state, restored on failure.

use std::{cell::RefCell, collections::BTreeMap};

use crate::catalog::storage::{
    IndexEntry, IndexPosition, IndexRange, IndexedObject, SortOrder, Storage, StorageError,
    StoredObject,
};

/// A storage in memory.
#[derive(Debug, Default)]
pub struct MemoryStorage(RefCell<MemoryState>);

#[derive(Clone, Debug, Default)]
struct MemoryState {
    last_seq: i64,
    objects: BTreeMap<String, StoredObject>,
    /// By index and position, the key.
    indexes: BTreeMap<String, BTreeMap<IndexPosition, String>>,
}

impl MemoryStorage {
    /// Runs an operation. If it fails, all its writes are rolled back.
    ///
    /// # Errors
    ///
    /// When the operation fails.
    pub fn transact<T, E>(&self, operation: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let snapshot = self.0.borrow().clone();
        let result = operation();
        if result.is_err() {
            self.0.replace(snapshot);
        }
        result
    }
}

impl MemoryState {
    fn remove_entries(&mut self, seq: i64, removed: &[IndexEntry]) {
        for IndexEntry { index, at } in removed {
            if let Some(positions) = self.indexes.get_mut(index) {
                positions.remove(&IndexPosition { at: *at, seq });
            }
        }
    }
}

impl Storage for MemoryStorage {
    fn read(&self, key: &str) -> Result<Option<StoredObject>, StorageError> {
        Ok(self.0.borrow().objects.get(key).cloned())
    }

    fn write(
        &self,
        key: &str,
        body: &str,
        removed: &[IndexEntry],
        added: &[IndexEntry],
    ) -> Result<(), StorageError> {
        let mut state = self.0.borrow_mut();
        let existing_seq = state.objects.get(key).map(|stored| stored.seq);
        let seq = existing_seq.unwrap_or(state.last_seq + 1);
        state.last_seq = state.last_seq.max(seq);
        state.objects.insert(key.to_owned(), StoredObject { seq, body: body.to_owned() });
        state.remove_entries(seq, removed);
        for IndexEntry { index, at } in added {
            let position = IndexPosition { at: *at, seq };
            state.indexes.entry(index.clone()).or_default().insert(position, key.to_owned());
        }
        Ok(())
    }

    fn remove(&self, key: &str, removed: &[IndexEntry]) -> Result<(), StorageError> {
        let mut state = self.0.borrow_mut();
        if let Some(stored) = state.objects.remove(key) {
            state.remove_entries(stored.seq, removed);
        }
        Ok(())
    }

    fn list(&self, index: &str, range: IndexRange) -> Result<Vec<IndexedObject>, StorageError> {
        let state = self.0.borrow();
        let Some(positions) = state.indexes.get(index) else { return Ok(Vec::new()) };
        let is_in_range = |position: &IndexPosition| {
            range.after.is_none_or(|after| *position > after)
                && range.before.is_none_or(|before| *position < before)
        };
        let to_object = |(position, key): (&IndexPosition, &String)| {
            let body = state.objects.get(key)?.body.clone();
            Some(IndexedObject { position: *position, body })
        };
        let in_range = positions.iter().filter(|(position, _)| is_in_range(position));
        Ok(match range.order {
            SortOrder::Ascending => in_range.filter_map(to_object).take(range.limit).collect(),
            SortOrder::Descending => {
                in_range.rev().filter_map(to_object).take(range.limit).collect()
            }
        })
    }
}
