//! Cursor pagination over a sorted list: in the parameters of a client, in a store and over a slice.
//!
//! A store reads from the cursor on, in the direction of the cursor. It reads one item more than
//! requested, and [`PageOf::from_fetched()`] turns the result into a page. The type of a position
//! depends on the list. For a slice, it is an index.

use serde::Serialize;

use crate::json::json_type;

json_type! {
    /// A request for one page.
    #[derive(Clone, Debug, Eq, PartialEq, Serialize)]
    pub struct PageRequest<P> {
        /// The most items to return.
        pub limit: usize,
        /// Where the page starts or ends.
        pub cursor: Cursor<P>,
    }

    /// Where a page starts or ends.
    #[derive(Clone, Debug, Eq, PartialEq, Serialize)]
    pub enum Cursor<P> {
        /// The page starts at the start of the list.
        Start = "start",
        /// The page starts after this position.
        After(P) = "after",
        /// The page ends before this position.
        Before(P) = "before",
    }

    /// One page of a list.
    #[derive(Clone, Debug, Eq, PartialEq, Serialize)]
    pub struct PageOf<T> {
        /// The items, in the order of the list.
        pub data: Vec<T>,
        /// Whether there are more items in the direction of the cursor.
        pub has_more: bool,
    }
}

impl<P> Cursor<P> {
    /// The cursor of Stripe's two parameters. `None` if both are set.
    #[must_use]
    pub fn from_params(starting_after: Option<P>, ending_before: Option<P>) -> Option<Self> {
        match (starting_after, ending_before) {
            (None, None) => Some(Self::Start),
            (Some(position), None) => Some(Self::After(position)),
            (None, Some(position)) => Some(Self::Before(position)),
            (Some(_), Some(_)) => None,
        }
    }
}

impl<P> PageRequest<P> {
    /// Converts the position of the cursor. `convert` also receives the name of its parameter.
    ///
    /// # Errors
    ///
    /// When `convert` fails.
    pub fn try_map<Q, E>(
        &self,
        convert: impl FnOnce(&P, &'static str) -> Result<Q, E>,
    ) -> Result<PageRequest<Q>, E> {
        let cursor = match &self.cursor {
            Cursor::Start => Cursor::Start,
            Cursor::After(position) => Cursor::After(convert(position, "starting_after")?),
            Cursor::Before(position) => Cursor::Before(convert(position, "ending_before")?),
        };
        Ok(PageRequest { limit: self.limit, cursor })
    }

    /// The number of items that a store reads. The extra item shows whether there are more.
    #[must_use]
    pub fn fetch_limit(&self) -> usize {
        self.limit.saturating_add(1)
    }
}

impl PageRequest<usize> {
    /// Returns the page of a slice, and whether there are more items in the direction of the cursor.
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
    /// Builds the page from the items that a store read, which are in the direction of the cursor.
    #[must_use]
    pub fn from_fetched<P>(request: &PageRequest<P>, fetched: impl IntoIterator<Item = T>) -> Self {
        let mut data: Vec<T> = fetched.into_iter().take(request.fetch_limit()).collect();
        let has_more = data.len() > request.limit;
        data.truncate(request.limit);
        if matches!(request.cursor, Cursor::Before(_)) {
            data.reverse();
        }
        Self { data, has_more }
    }
}

/// Returns the first string after all strings with this prefix, in byte order, or `None` if there is
/// no such string.
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
