//! A list, a page at a time: `limit`, `starting_after`, `ending_before`.
//!
//! <https://docs.stripe.com/api/pagination>. The cursor is the id of the last thing seen, so a page
//! goes on where the last one ended even if things were added or taken away in between.

use http::StatusCode;
use serde::Serialize;

use super::{Response, error::Error, form::Params, json};
use crate::store::part::{Cursor, Listed, Part};

/// How many things a page has if nothing is said.
pub(super) const DEFAULT: usize = 10;

/// The most things on a page.
pub(super) const LIMIT: u64 = 100;

/// Which part of a list was asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Page {
    pub(super) limit: usize,
    pub(super) from: From,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum From {
    Start,
    After(String),
    Before(String),
}

impl Page {
    /// Takes the three parameters of a page.
    pub(super) fn take(params: &mut Params) -> Result<Self, Error> {
        let limit = params.integer("limit", 1..=LIMIT)?;
        let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(DEFAULT);
        let from = match (params.text("starting_after")?, params.text("ending_before")?) {
            (None, None) => From::Start,
            (Some(id), None) => From::After(id),
            (None, Some(id)) => From::Before(id),
            (Some(_), Some(_)) => {
                return Err(Error::parameter(
                    "ending_before",
                    "parameter_invalid",
                    "You may only specify one of these parameters: ending_before, starting_after.",
                ));
            }
        };
        Ok(Self { limit, from })
    }

    /// The part of `all` that was asked for, in the order of `all`, and whether there is another
    /// page in the direction of reading.
    ///
    /// # Errors
    ///
    /// When the cursor is no id of the list; `kind` is what a thing of it is called.
    pub(super) fn of<'a, T>(
        &self,
        all: &'a [T],
        kind: &str,
        id: impl Fn(&T) -> &str,
    ) -> Result<(&'a [T], bool), Error> {
        let place = |cursor: &str, param: &str| {
            let found = all.iter().position(|thing| id(thing) == cursor);
            found.ok_or_else(|| Error::no_such(kind, cursor, param))
        };
        Ok(self.part(place)?.of(all))
    }

    /// The part of a list that a store is to read; `place` makes one of a cursor and the name of its
    /// parameter.
    ///
    /// # Errors
    ///
    /// When the cursor is no place of the list.
    pub(super) fn part<P>(
        &self,
        place: impl Fn(&str, &str) -> Result<P, Error>,
    ) -> Result<Part<P>, Error> {
        let cursor = match &self.from {
            From::Start => Cursor::Start,
            From::After(cursor) => Cursor::After(place(cursor, "starting_after")?),
            From::Before(cursor) => Cursor::Before(place(cursor, "ending_before")?),
        };
        Ok(Part { limit: self.limit, cursor })
    }
}

/// The answer of a store, as Stripe's list.
pub(super) fn answer<T, I: Serialize>(
    listed: Listed<T>,
    url: &str,
    item: impl Fn(T) -> I,
) -> Response {
    #[derive(Serialize)]
    struct List<'a, I> {
        object: &'static str,
        data: Vec<I>,
        has_more: bool,
        url: &'a str,
    }
    let Listed { data, has_more } = listed;
    let data = data.into_iter().map(item).collect();
    json(StatusCode::OK, &List { object: "list", data, has_more, url })
}
