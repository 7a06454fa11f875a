//! A page of a list, as clients ask for it: newest first, from a cursor on.
//!
//! <https://docs.stripe.com/api/pagination>. Several lists can be read as one; an object that stands
//! in two of them is shown once. What the lists cannot tell is looked at object by object.

use crate::{
    catalog::{
        error::Error,
        repository::{self, Entity},
        storage::{IndexPosition, IndexRange, IndexedObject, SortOrder},
        tx::Tx,
    },
    id::Timestamp,
};

/// The most objects that are looked at at a time.
const SCAN_BATCH: usize = 100;

/// Which page.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct ListQuery {
    pub(crate) limit: usize,
    pub(crate) cursor: ListCursor,
    pub(crate) created: CreatedRange,
}

/// Where it begins.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum ListCursor {
    Start,
    /// Behind the object with this id.
    After(String),
    /// It ends before the object with this id.
    Before(String),
}

/// When its objects were made: from a second to another, both of them in it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct CreatedRange {
    pub(crate) first: Option<Timestamp>,
    pub(crate) last: Option<Timestamp>,
}

impl Tx<'_> {
    /// The objects of a page, and whether there are more in the direction of reading.
    pub(crate) fn list_page<T: Entity>(
        &self,
        lists: &[String],
        page: &ListQuery,
        keep: impl Fn(&T) -> bool,
    ) -> Result<(Vec<T>, bool), Error> {
        let mut found = Vec::new();
        let order = self.scan(T::TYPE, lists, page, &mut |chunk| {
            let objects: Vec<T> = repository::deserialize_all(chunk)?;
            found.extend(objects.into_iter().filter(&keep));
            Ok(found.len())
        })?;
        let has_more = found.len() > page.limit;
        found.truncate(page.limit);
        if order == SortOrder::Ascending {
            found.reverse();
        }
        Ok((found, has_more))
    }

    /// Hands over what may be on a page, until more than a page was found; answers in which order
    /// that is. Who looks at it tells how much was found.
    fn scan(
        &self,
        kind: &'static str,
        lists: &[String],
        page: &ListQuery,
        look: &mut dyn FnMut(&[IndexedObject]) -> Result<usize, Error>,
    ) -> Result<SortOrder, Error> {
        let mut range = IndexRange {
            after: page.created.first.map(IndexPosition::start_of),
            before: page.created.last.map(IndexPosition::end_of),
            order: SortOrder::Descending,
            limit: SCAN_BATCH.min(page.limit.saturating_add(1)),
        };
        match &page.cursor {
            ListCursor::Start => {}
            ListCursor::After(id) => {
                let place = self.position_of(kind, id, "starting_after")?;
                range.before = Some(range.before.map_or(place, |below| below.min(place)));
            }
            ListCursor::Before(id) => {
                let place = self.position_of(kind, id, "ending_before")?;
                range.after = Some(range.after.map_or(place, |above| above.max(place)));
                range.order = SortOrder::Ascending;
            }
        }
        loop {
            let chunk = self.merge_indexes(lists, range)?;
            let last = chunk.last().map(|listed| listed.position);
            let is_end = chunk.len() < range.limit;
            let found = look(&chunk)?;
            let Some(last) = last.filter(|_| !is_end && found <= page.limit) else {
                return Ok(range.order);
            };
            match range.order {
                SortOrder::Descending => range.before = Some(last),
                SortOrder::Ascending => range.after = Some(last),
            }
        }
    }

    /// A part of several lists read as one.
    fn merge_indexes(
        &self,
        lists: &[String],
        range: IndexRange,
    ) -> Result<Vec<IndexedObject>, Error> {
        if let [list] = lists {
            return Ok(self.storage.list(list, range)?);
        }
        let mut all: Vec<IndexedObject> = Vec::new();
        for list in lists {
            for listed in self.storage.list(list, range)? {
                if let Err(at) =
                    all.binary_search_by_key(&listed.position, |listed| listed.position)
                {
                    all.insert(at, listed);
                }
            }
        }
        if range.order == SortOrder::Descending {
            all.reverse();
        }
        all.truncate(range.limit);
        Ok(all)
    }
}
