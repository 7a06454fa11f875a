//! A part of a list that a store keeps in order, from a place in it on.
//!
//! A store reads from the cursor on, in the direction that the cursor says and one thing further than
//! asked for, and [`Listed::of()`] makes the part of it. What a place is, each list knows for itself;
//! of a list that is at hand, it is an index.

use serde::Serialize;

use crate::json::impl_from_json;

/// Which part of a list.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct PageRequest<P> {
    /// How many things at most.
    pub limit: usize,
    /// Where it begins or ends.
    pub cursor: Cursor<P>,
}

impl_from_json! { struct PageRequest<P> { limit, cursor } }

/// Where a part begins or ends.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cursor<P> {
    /// It begins where the list does.
    Start,
    /// It begins behind this place.
    After(P),
    /// It ends before this place.
    Before(P),
}

impl_from_json! { enum Cursor<P> { Start = "start", After(_) = "after", Before(_) = "before" } }

/// A part of a list.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct PageOf<T> {
    /// The things, in the list's order.
    pub data: Vec<T>,
    /// Whether there are more in the direction of reading.
    pub has_more: bool,
}

impl_from_json! { struct PageOf<T> { data, has_more } }

impl<P> PageRequest<P> {
    /// How many things a store reads: one more than asked for tells whether there are more.
    #[must_use]
    pub fn fetch_limit(&self) -> usize {
        self.limit.saturating_add(1)
    }
}

impl PageRequest<usize> {
    /// The part of all that there is, in its order, and whether there is more in the direction of
    /// reading.
    #[must_use]
    pub fn slice<'a, T>(&self, all: &'a [T]) -> (&'a [T], bool) {
        let start = match self.cursor {
            Cursor::Start => 0,
            Cursor::After(index) => index.saturating_add(1),
            Cursor::Before(end) => {
                let start = end.saturating_sub(self.limit);
                return (all.get(start..end).unwrap_or_default(), start > 0);
            }
        };
        let end = start.saturating_add(self.limit);
        (all.get(start..end.min(all.len())).unwrap_or_default(), end < all.len())
    }
}

impl<T> PageOf<T> {
    /// The part of what was read for it.
    #[must_use]
    pub fn from_fetched<P>(part: &PageRequest<P>, read: impl IntoIterator<Item = T>) -> Self {
        let mut data: Vec<T> = read.into_iter().take(part.fetch_limit()).collect();
        let has_more = data.len() > part.limit;
        data.truncate(part.limit);
        if matches!(part.cursor, Cursor::Before(_)) {
            data.reverse();
        }
        Self { data, has_more }
    }
}

/// The first text that comes after all that begin with this one, in the order of their bytes; none
/// if there is no such text.
#[must_use]
pub fn prefix_upper_bound(prefix: &str) -> Option<String> {
    let mut characters = prefix.chars();
    while let Some(last) = characters.next_back() {
        if let Some(next) = (last..=char::MAX).nth(1) {
            return Some(format!("{}{next}", characters.as_str()));
        }
    }
    None
}
