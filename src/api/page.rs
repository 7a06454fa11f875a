//! A list, a page at a time: `limit`, `starting_after`, `ending_before`.
//!
//! <https://docs.stripe.com/api/pagination>. The cursor is the id of the last thing seen, so a page
//! goes on where the last one ended even if things were added or taken away in between.

use http::StatusCode;
use serde::Serialize;

use super::{Response, error::Error, form::Params, json_response};
use crate::store::pagination::{Cursor, PageOf, PageRequest};

/// How many things a page has if nothing is said.
pub(super) const DEFAULT_LIMIT: usize = 10;

/// The most things on a page.
pub(super) const MAX_LIMIT: u64 = 100;

/// Which part of a list was asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct PageParams {
    pub(super) limit: usize,
    pub(super) cursor: PageCursor,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum PageCursor {
    Start,
    After(String),
    Before(String),
}

impl PageParams {
    /// Takes the three parameters of a page.
    pub(super) fn from_params(params: &mut Params) -> Result<Self, Error> {
        let limit = params.take_integer("limit", 1..=MAX_LIMIT)?;
        let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(DEFAULT_LIMIT);
        let from = match (
            params.take_string("starting_after")?,
            params.take_string("ending_before")?,
        ) {
            (None, None) => PageCursor::Start,
            (Some(id), None) => PageCursor::After(id),
            (None, Some(id)) => PageCursor::Before(id),
            (Some(_), Some(_)) => {
                return Err(Error::parameter(
                    "ending_before",
                    "parameter_invalid",
                    "You may only specify one of these parameters: ending_before, starting_after.",
                ));
            }
        };
        Ok(Self { limit, cursor: from })
    }

    /// The part of `all` that was asked for, in the order of `all`, and whether there is another
    /// page in the direction of reading.
    ///
    /// # Errors
    ///
    /// When the cursor is no id of the list; `kind` is what a thing of it is called.
    pub(super) fn slice<'a, T>(
        &self,
        all: &'a [T],
        kind: &str,
        id: impl Fn(&T) -> &str,
    ) -> Result<(&'a [T], bool), Error> {
        let place = |cursor: &str, param: &str| {
            let found = all.iter().position(|thing| id(thing) == cursor);
            found.ok_or_else(|| Error::resource_missing(kind, cursor, param))
        };
        Ok(self.to_request(place)?.slice(all))
    }

    /// The part of a list that a store is to read; `place` makes one of a cursor and the name of its
    /// parameter.
    ///
    /// # Errors
    ///
    /// When the cursor is no place of the list.
    pub(super) fn to_request<P>(
        &self,
        place: impl Fn(&str, &str) -> Result<P, Error>,
    ) -> Result<PageRequest<P>, Error> {
        let cursor = match &self.cursor {
            PageCursor::Start => Cursor::Start,
            PageCursor::After(cursor) => Cursor::After(place(cursor, "starting_after")?),
            PageCursor::Before(cursor) => Cursor::Before(place(cursor, "ending_before")?),
        };
        Ok(PageRequest { limit: self.limit, cursor })
    }
}

/// The answer of a store, as Stripe's list.
pub(super) fn list_response<T, I: Serialize>(
    listed: PageOf<T>,
    url: &str,
    item: impl Fn(T) -> I,
) -> Response {
    #[derive(Serialize)]
    struct ListBody<'a, I> {
        object: &'static str,
        data: Vec<I>,
        has_more: bool,
        url: &'a str,
    }
    let PageOf { data, has_more } = listed;
    let data = data.into_iter().map(item).collect();
    json_response(StatusCode::OK, &ListBody { object: "list", data, has_more, url })
}
