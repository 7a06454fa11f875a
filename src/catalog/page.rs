//! Reads a page of one or several indexes, as clients request it: newest first, from a cursor.
//!
//! Several indexes are merged into one order, and an object in two of them appears once. Conditions
//! without an index are predicates, evaluated object by object.
//!
//! A cursor must belong to the list, else it does not exist: what belongs to others is not told. An
//! object that left the list because its state changed is still a valid cursor, so that a client can
//! change the objects of a list while it reads the pages.
//!
//! Specification: <https://docs.stripe.com/api/pagination>.

use crate::{
    catalog::{
        error::Error,
        repository::{self, Entity},
        storage::{IndexPosition, IndexRange, IndexedObject, SortOrder},
        tx::Tx,
    },
    id::Timestamp,
    pagination::{Cursor, PageRequest},
};

/// The most objects read from the storage at once.
const SCAN_BATCH: usize = 100;

/// Which page of a list. Its cursor is an id.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct ListQuery {
    pub(crate) page: PageRequest<String>,
    pub(crate) created: CreatedRange,
}

/// A range of creation times, both ends included.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct CreatedRange {
    pub(crate) first: Option<Timestamp>,
    pub(crate) last: Option<Timestamp>,
}

/// Which objects of the indexes are in a list.
pub(crate) struct ListConditions<'a, T> {
    /// Whether an object belongs to the list for good: by its owner, or by another member that never
    /// changes. Other objects are not valid cursors.
    pub(crate) belongs: &'a dyn Fn(&T) -> bool,
    /// Whether the current state of an object is listed.
    pub(crate) is_listed: &'a dyn Fn(&T) -> bool,
}

impl<T> Default for ListConditions<'_, T> {
    fn default() -> Self {
        Self { belongs: &|_| true, is_listed: &|_| true }
    }
}

impl Tx<'_> {
    /// The objects of a page, and whether there are more in the direction of reading.
    pub(crate) fn list_page<T: Entity>(
        &self,
        indexes: &[String],
        query: &ListQuery,
        conditions: &ListConditions<'_, T>,
    ) -> Result<(Vec<T>, bool), Error> {
        let page = query.page.try_map(|id, param| {
            let (object, position) = self.load_with_position(id, param)?;
            if (conditions.belongs)(&object) {
                Ok(position)
            } else {
                Err(Error::not_found(T::TYPE, id, param))
            }
        })?;
        let mut matches = Vec::new();
        let order = self.scan(indexes, query.created, &page, &mut |batch| {
            let objects: Vec<T> = repository::deserialize_all(batch)?;
            let is_match = |it: &T| (conditions.belongs)(it) && (conditions.is_listed)(it);
            matches.extend(objects.into_iter().filter(is_match));
            Ok(matches.len())
        })?;
        let has_more = matches.len() > query.page.limit;
        matches.truncate(query.page.limit);
        if order == SortOrder::Ascending {
            matches.reverse();
        }
        Ok((matches, has_more))
    }

    /// Passes batches of the merged indexes to `visit`, until `visit` returns more matches than the
    /// page has room for. Returns the order of reading.
    fn scan(
        &self,
        indexes: &[String],
        created: CreatedRange,
        page: &PageRequest<IndexPosition>,
        visit: &mut dyn FnMut(&[IndexedObject]) -> Result<usize, Error>,
    ) -> Result<SortOrder, Error> {
        let mut range = IndexRange {
            after: created.first.map(IndexPosition::start_of),
            before: created.last.map(IndexPosition::end_of),
            order: SortOrder::Descending,
            limit: SCAN_BATCH.min(page.fetch_limit()),
        };
        match page.cursor {
            Cursor::Start => {}
            Cursor::After(position) => {
                range.before = Some(range.before.map_or(position, |before| before.min(position)));
            }
            Cursor::Before(position) => {
                range.after = Some(range.after.map_or(position, |after| after.max(position)));
                range.order = SortOrder::Ascending;
            }
        }
        loop {
            let batch = self.merge_indexes(indexes, range)?;
            let last = batch.last().map(|object| object.position);
            let is_end = batch.len() < range.limit;
            let matches = visit(&batch)?;
            let Some(last) = last.filter(|_| !is_end && matches <= page.limit) else {
                return Ok(range.order);
            };
            match range.order {
                SortOrder::Descending => range.before = Some(last),
                SortOrder::Ascending => range.after = Some(last),
            }
        }
    }

    /// Reads a range of several indexes, merged into one order.
    fn merge_indexes(
        &self,
        indexes: &[String],
        range: IndexRange,
    ) -> Result<Vec<IndexedObject>, Error> {
        if let [index] = indexes {
            return Ok(self.storage.list(index, range)?);
        }
        let mut merged: Vec<IndexedObject> = Vec::new();
        for index in indexes {
            for object in self.storage.list(index, range)? {
                if let Err(insert_at) =
                    merged.binary_search_by_key(&object.position, |object| object.position)
                {
                    merged.insert(insert_at, object);
                }
            }
        }
        if range.order == SortOrder::Descending {
            merged.reverse();
        }
        merged.truncate(range.limit);
        Ok(merged)
    }
}
