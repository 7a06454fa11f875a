//! Pagination of lists: `limit`, `starting_after` and `ending_before`.
//!
//! A cursor is the id of the last item that the client received. A page therefore continues where the
//! previous one ended, even if items were added or removed in between.
//!
//! Specification: <https://docs.stripe.com/api/pagination>.

use http::StatusCode;
use serde::Serialize;

use super::{
    app::{Response, json_response},
    error::Error,
    form::Params,
};
use crate::store::pagination::{Cursor, PageOf, PageRequest};

/// The default number of items per page.
pub(super) const DEFAULT_LIMIT: usize = 10;

/// The maximum number of items per page.
pub(super) const MAX_LIMIT: u64 = 100;

/// The requested page.
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
        let starting_after = params.take_string("starting_after")?;
        let cursor = match (starting_after, params.take_string("ending_before")?) {
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
        Ok(Self { limit, cursor })
    }

    /// The requested part of `all`, in the order of `all`, and whether another page follows in the
    /// direction of reading.
    ///
    /// # Errors
    ///
    /// 400 if the cursor is not the id of an item; `kind` is the name of an item in the message.
    pub(super) fn slice<'a, T>(
        &self,
        all: &'a [T],
        kind: &str,
        id: impl Fn(&T) -> &str,
    ) -> Result<(&'a [T], bool), Error> {
        let index_of = |cursor: &str, param: &str| {
            let index = all.iter().position(|item| id(item) == cursor);
            index.ok_or_else(|| Error::resource_missing(kind, cursor, param))
        };
        Ok(self.to_request(index_of)?.slice(all))
    }

    /// The page request for a store. `parse_cursor` receives a cursor and the name of its parameter.
    ///
    /// # Errors
    ///
    /// When `parse_cursor` fails.
    pub(super) fn to_request<P>(
        &self,
        parse_cursor: impl Fn(&str, &str) -> Result<P, Error>,
    ) -> Result<PageRequest<P>, Error> {
        let cursor = match &self.cursor {
            PageCursor::Start => Cursor::Start,
            PageCursor::After(cursor) => Cursor::After(parse_cursor(cursor, "starting_after")?),
            PageCursor::Before(cursor) => Cursor::Before(parse_cursor(cursor, "ending_before")?),
        };
        Ok(PageRequest { limit: self.limit, cursor })
    }
}

/// A page of a store, as a list object of Stripe.
pub(super) fn list_response<T, I: Serialize>(
    page: PageOf<T>,
    url: &str,
    to_item: impl Fn(T) -> I,
) -> Response {
    #[derive(Serialize)]
    struct ListBody<'a, I> {
        object: &'static str,
        data: Vec<I>,
        has_more: bool,
        url: &'a str,
    }
    let PageOf { data, has_more } = page;
    let data = data.into_iter().map(to_item).collect();
    json_response(StatusCode::OK, &ListBody { object: "list", data, has_more, url })
}
