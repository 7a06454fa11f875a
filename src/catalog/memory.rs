//! A shelf in memory: what the tests keep a catalog in.

use std::{cell::RefCell, collections::BTreeMap};

use crate::catalog::storage::{
    IndexEntry, IndexPosition, IndexRange, IndexedObject, SortOrder, Storage, StorageError,
    StoredObject,
};

/// A shelf in memory.
#[derive(Debug, Default)]
pub struct MemoryStorage(RefCell<MemoryState>);

#[derive(Clone, Debug, Default)]
struct MemoryState {
    last_seq: i64,
    objects: BTreeMap<String, StoredObject>,
    /// By list and place, the key.
    indexes: BTreeMap<String, BTreeMap<IndexPosition, String>>,
}

impl MemoryStorage {
    /// Does some work: all of it, or none if it fails.
    ///
    /// # Errors
    ///
    /// As the work does.
    pub fn transact<T, E>(&self, work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let before = self.0.borrow().clone();
        let done = work();
        if done.is_err() {
            self.0.replace(before);
        }
        done
    }
}

impl MemoryState {
    fn remove_entries(&mut self, seq: i64, left: &[IndexEntry]) {
        for IndexEntry { index: list, at } in left {
            if let Some(places) = self.indexes.get_mut(list) {
                places.remove(&IndexPosition { at: *at, seq });
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
        left: &[IndexEntry],
        joined: &[IndexEntry],
    ) -> Result<(), StorageError> {
        let mut state = self.0.borrow_mut();
        let known = state.objects.get(key).map(|kept| kept.seq);
        let seq = known.unwrap_or(state.last_seq + 1);
        state.last_seq = state.last_seq.max(seq);
        state.objects.insert(key.to_owned(), StoredObject { seq, body: body.to_owned() });
        state.remove_entries(seq, left);
        for IndexEntry { index: list, at } in joined {
            let place = IndexPosition { at: *at, seq };
            state.indexes.entry(list.clone()).or_default().insert(place, key.to_owned());
        }
        Ok(())
    }

    fn remove(&self, key: &str, left: &[IndexEntry]) -> Result<(), StorageError> {
        let mut state = self.0.borrow_mut();
        if let Some(kept) = state.objects.remove(key) {
            state.remove_entries(kept.seq, left);
        }
        Ok(())
    }

    fn list(&self, name: &str, range: IndexRange) -> Result<Vec<IndexedObject>, StorageError> {
        let state = self.0.borrow();
        let Some(places) = state.indexes.get(name) else { return Ok(Vec::new()) };
        let within = |place: &IndexPosition| {
            range.after.is_none_or(|above| *place > above)
                && range.before.is_none_or(|below| *place < below)
        };
        let listed = |(place, key): (&IndexPosition, &String)| {
            let body = state.objects.get(key)?.body.clone();
            Some(IndexedObject { position: *place, body })
        };
        let inside = places.iter().filter(|(place, _)| within(place));
        Ok(match range.order {
            SortOrder::Ascending => inside.filter_map(listed).take(range.limit).collect(),
            SortOrder::Descending => inside.rev().filter_map(listed).take(range.limit).collect(),
        })
    }
}
