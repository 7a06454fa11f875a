//! One page out of the pages of all shards.

use std::cmp::Ordering;

use crate::pagination::{Cursor, PageOf, PageRequest};

/// Merges the pages that all shards returned for one request. Each page is in the order of the list, as
/// the result is.
///
/// A page may lack items that could not be decoded. If there are more, nothing beyond its end is part of
/// the result: the next page would skip the rest of that shard.
#[must_use]
pub fn merge_pages<T, P>(
    request: &PageRequest<P>,
    pages: Vec<PageOf<T>>,
    compare: impl Fn(&T, &T) -> Ordering,
) -> PageOf<T> {
    let is_backward = matches!(request.cursor, Cursor::Before(_));
    let mut has_more = pages.iter().any(|page| page.has_more);
    // Whether each item is the last one of a page with more items.
    let mut items = Vec::new();
    for PageOf { data, has_more } in pages {
        let end = if is_backward { 0 } else { data.len().saturating_sub(1) };
        items.extend(data.into_iter().enumerate().map(|(i, item)| (item, has_more && i == end)));
    }
    items.sort_by(|(one, _), (other, _)| compare(one, other));
    if is_backward {
        items.reverse();
    }
    let known = items.iter().position(|(_, is_end)| *is_end).map_or(items.len(), |end| end + 1);
    items.truncate(known);
    has_more |= items.len() > request.limit;
    items.truncate(request.limit);
    if is_backward {
        items.reverse();
    }
    PageOf { data: items.into_iter().map(|(item, _)| item).collect(), has_more }
}
