//! A shelf in memory: what the tests keep a catalog in.

use std::{cell::RefCell, collections::BTreeMap};

use super::shelf::{Entry, Failure, Kept, Listed, Order, Place, Range, Shelf};

/// A shelf in memory.
#[derive(Debug, Default)]
pub struct Memory(RefCell<State>);

#[derive(Clone, Debug, Default)]
struct State {
    last: i64,
    objects: BTreeMap<String, Kept>,
    /// By list and place, the key.
    lists: BTreeMap<String, BTreeMap<Place, String>>,
}

impl Memory {
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

impl State {
    fn leave(&mut self, seq: i64, left: &[Entry]) {
        for Entry { list, at } in left {
            if let Some(places) = self.lists.get_mut(list) {
                places.remove(&Place { at: *at, seq });
            }
        }
    }
}

impl Shelf for Memory {
    fn read(&self, key: &str) -> Result<Option<Kept>, Failure> {
        Ok(self.0.borrow().objects.get(key).cloned())
    }

    fn write(
        &self,
        key: &str,
        body: &str,
        left: &[Entry],
        joined: &[Entry],
    ) -> Result<(), Failure> {
        let mut state = self.0.borrow_mut();
        let known = state.objects.get(key).map(|kept| kept.seq);
        let seq = known.unwrap_or(state.last + 1);
        state.last = state.last.max(seq);
        state.objects.insert(key.to_owned(), Kept { seq, body: body.to_owned() });
        state.leave(seq, left);
        for Entry { list, at } in joined {
            let place = Place { at: *at, seq };
            state.lists.entry(list.clone()).or_default().insert(place, key.to_owned());
        }
        Ok(())
    }

    fn remove(&self, key: &str, left: &[Entry]) -> Result<(), Failure> {
        let mut state = self.0.borrow_mut();
        if let Some(kept) = state.objects.remove(key) {
            state.leave(kept.seq, left);
        }
        Ok(())
    }

    fn list(&self, name: &str, range: Range) -> Result<Vec<Listed>, Failure> {
        let state = self.0.borrow();
        let Some(places) = state.lists.get(name) else { return Ok(Vec::new()) };
        let within = |place: &Place| {
            range.above.is_none_or(|above| *place > above)
                && range.below.is_none_or(|below| *place < below)
        };
        let listed = |(place, key): (&Place, &String)| {
            let body = state.objects.get(key)?.body.clone();
            Some(Listed { place: *place, body })
        };
        let inside = places.iter().filter(|(place, _)| within(place));
        Ok(match range.order {
            Order::Ascending => inside.filter_map(listed).take(range.limit).collect(),
            Order::Descending => inside.rev().filter_map(listed).take(range.limit).collect(),
        })
    }
}
