//! Reads a page of one or several indexes, as clients request it: newest first, from a cursor.
//!
//! Several indexes are merged into one order, and an object in two of them appears once. Conditions
//! without an index are predicates, evaluated object by object.
//!
//! A cursor must belong to the list, else it does not exist: an error reveals nothing about another list. An
//! object that left the list because its state changed is still a valid cursor, so that a client can
//! change the objects of a list while it reads the pages.
//!
//! Specification: <https://docs.stripe.com/api/pagination>.

use serde_json::Value;

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

/// What a stored object is read for.
#[derive(Clone, Copy)]
enum ReadFor {
    Cursor,
    Item,
}

/// Renders a stored object. `None` if it is not in the list; `null` for a cursor.
type RenderStored<'a> = dyn FnMut(&str, ReadFor) -> Result<Option<Value>, Error> + 'a;

impl<T: Entity> ListConditions<'_, T> {
    /// The rendered objects of a page, and whether there are more in the direction of reading.
    pub(crate) fn list_page(
        &self,
        tx: &Tx<'_>,
        indexes: &[String],
        query: &ListQuery,
        render: &dyn Fn(&T) -> Result<Value, Error>,
    ) -> Result<(Vec<Value>, bool), Error> {
        // Only this closure is compiled for each type.
        tx.list_stored(T::TYPE, indexes, query, &mut |body, read_for| {
            let object: T = repository::deserialize(T::TYPE, body)?;
            Ok(match read_for {
                _ if !(self.belongs)(&object) => None,
                ReadFor::Cursor => Some(Value::Null),
                ReadFor::Item if (self.is_listed)(&object) => Some(render(&object)?),
                ReadFor::Item => None,
            })
        })
    }
}

impl Tx<'_> {
    /// Passes batches of the merged indexes to `visit`, newest first from a position on, as long as
    /// `visit` returns true.
    pub(crate) fn scan_from(
        &self,
        indexes: &[String],
        position: Option<IndexPosition>,
        visit: &mut dyn FnMut(&[IndexedObject]) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        let mut range = IndexRange { before: position, ..IndexRange::newest_first(SCAN_BATCH) };
        loop {
            let batch = self.merge_indexes(indexes, range)?;
            let wants_more = visit(&batch)?;
            match batch.last() {
                Some(last) if wants_more && batch.len() == range.limit => {
                    range.before = Some(last.position);
                }
                _ => return Ok(()),
            }
        }
    }

    /// Renders the objects of a page. Reads batches of the merged indexes, until more objects are in
    /// the list than the page has room for.
    fn list_stored(
        &self,
        entity_type: &'static str,
        indexes: &[String],
        query: &ListQuery,
        render: &mut RenderStored<'_>,
    ) -> Result<(Vec<Value>, bool), Error> {
        let page = query.page.try_map(|id, param| {
            let (body, position) = self.load_with_position(entity_type, id, param)?;
            match render(&body, ReadFor::Cursor)? {
                Some(_) => Ok(position),
                None => Err(Error::not_found(entity_type, id, param)),
            }
        })?;
        let mut range = IndexRange {
            after: query.created.first.map(IndexPosition::start_of),
            before: query.created.last.map(IndexPosition::end_of),
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
        let mut rendered = Vec::new();
        loop {
            let batch = self.merge_indexes(indexes, range)?;
            for object in &batch {
                rendered.extend(render(&object.body, ReadFor::Item)?);
            }
            let last = batch.last().map(|object| object.position);
            let is_end = batch.len() < range.limit;
            match (last.filter(|_| !is_end && rendered.len() <= page.limit), range.order) {
                (Some(last), SortOrder::Descending) => range.before = Some(last),
                (Some(last), SortOrder::Ascending) => range.after = Some(last),
                (None, _) => break,
            }
        }
        let has_more = rendered.len() > page.limit;
        rendered.truncate(page.limit);
        if range.order == SortOrder::Ascending {
            rendered.reverse();
        }
        Ok((rendered, has_more))
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
