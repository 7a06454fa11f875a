//! A page of a list, as clients ask for it: newest first, from a cursor on.
//!
//! <https://docs.stripe.com/api/pagination>. Several lists can be read as one; an object that stands
//! in two of them is shown once. What the lists cannot tell is looked at object by object.

use super::{
    Catalog, Error, Object, object,
    shelf::{Listed, Order, Place, Range},
};
use crate::id::Timestamp;

/// The most objects that are looked at at a time.
const CHUNK: usize = 100;

/// Which page.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Page {
    pub(crate) limit: usize,
    pub(crate) from: From,
    pub(crate) created: Created,
}

/// Where it begins.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum From {
    Start,
    /// Behind the object with this id.
    After(String),
    /// It ends before the object with this id.
    Before(String),
}

/// When its objects were made: from a second to another, both of them in it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Created {
    pub(crate) first: Option<Timestamp>,
    pub(crate) last: Option<Timestamp>,
}

impl Catalog<'_> {
    /// The objects of a page, and whether there are more in the direction of reading.
    pub(crate) fn page<T: Object>(
        &self,
        lists: &[String],
        page: &Page,
        keep: impl Fn(&T) -> bool,
    ) -> Result<(Vec<T>, bool), Error> {
        let mut found = Vec::new();
        let order = self.search(T::KIND, lists, page, &mut |chunk| {
            let objects: Vec<T> = object::read_all(chunk)?;
            found.extend(objects.into_iter().filter(&keep));
            Ok(found.len())
        })?;
        let has_more = found.len() > page.limit;
        found.truncate(page.limit);
        if order == Order::Ascending {
            found.reverse();
        }
        Ok((found, has_more))
    }

    /// Hands over what may be on a page, until more than a page was found; answers in which order
    /// that is. Who looks at it tells how much was found.
    fn search(
        &self,
        kind: &'static str,
        lists: &[String],
        page: &Page,
        look: &mut dyn FnMut(&[Listed]) -> Result<usize, Error>,
    ) -> Result<Order, Error> {
        let mut range = Range {
            above: page.created.first.map(Place::before),
            below: page.created.last.map(Place::after),
            order: Order::Descending,
            limit: CHUNK.min(page.limit.saturating_add(1)),
        };
        match &page.from {
            From::Start => {}
            From::After(id) => {
                let place = self.place(kind, id, "starting_after")?;
                range.below = Some(range.below.map_or(place, |below| below.min(place)));
            }
            From::Before(id) => {
                let place = self.place(kind, id, "ending_before")?;
                range.above = Some(range.above.map_or(place, |above| above.max(place)));
                range.order = Order::Ascending;
            }
        }
        loop {
            let chunk = self.merged(lists, range)?;
            let last = chunk.last().map(|listed| listed.place);
            let is_end = chunk.len() < range.limit;
            let found = look(&chunk)?;
            let Some(last) = last.filter(|_| !is_end && found <= page.limit) else {
                return Ok(range.order);
            };
            match range.order {
                Order::Descending => range.below = Some(last),
                Order::Ascending => range.above = Some(last),
            }
        }
    }

    /// A part of several lists read as one.
    fn merged(&self, lists: &[String], range: Range) -> Result<Vec<Listed>, Error> {
        if let [list] = lists {
            return Ok(self.shelf.list(list, range)?);
        }
        let mut all: Vec<Listed> = Vec::new();
        for list in lists {
            for listed in self.shelf.list(list, range)? {
                if let Err(at) = all.binary_search_by_key(&listed.place, |listed| listed.place) {
                    all.insert(at, listed);
                }
            }
        }
        if range.order == Order::Descending {
            all.reverse();
        }
        all.truncate(range.limit);
        Ok(all)
    }
}
