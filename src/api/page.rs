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
use crate::pagination::{Cursor, PageOf, PageRequest};

/// The default number of items per page.
pub(super) const DEFAULT_LIMIT: usize = 10;

/// The maximum number of items per page.
pub(super) const MAX_LIMIT: u64 = 100;

/// Takes the three parameters of a page.
pub(super) fn take_page(params: &mut Params) -> Result<PageRequest<String>, Error> {
    let limit = params.take_integer("limit", 1..=MAX_LIMIT)?;
    let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(DEFAULT_LIMIT);
    let starting_after = params.take_string("starting_after")?;
    let cursor = Cursor::from_params(starting_after, params.take_string("ending_before")?);
    let cursor = cursor.ok_or_else(|| {
        Error::parameter(
            "ending_before",
            "parameter_invalid",
            "You may only specify one of these parameters: ending_before, starting_after.",
        )
    })?;
    Ok(PageRequest { limit, cursor })
}

/// The requested part of `all`, in the order of `all`, and whether another page follows in the
/// direction of reading.
///
/// # Errors
///
/// 400 if the cursor is not the id of an item; `kind` is the name of an item in the message.
pub(super) fn slice<'a, T>(
    page: &PageRequest<String>,
    all: &'a [T],
    kind: &str,
    id: impl Fn(&T) -> &str,
) -> Result<(&'a [T], bool), Error> {
    let page = page.try_map(|cursor, param| {
        let index = all.iter().position(|item| id(item) == cursor);
        index.ok_or_else(|| Error::resource_missing(kind, cursor, param))
    })?;
    Ok(page.slice(all))
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
