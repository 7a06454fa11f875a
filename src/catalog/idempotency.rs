//! Answers that are given again: a request that is sent twice under one key is done once.
//!
//! <https://docs.stripe.com/api/idempotent_requests>. What was refused is not kept: nothing was done,
//! and the same key may be used for the request put right.

use serde::Serialize;

use super::{
    Catalog, DAY, Error, Object,
    shelf::{Entry, Order, Place, Range},
};
use crate::{id::Timestamp, json::readable};

/// How long an answer is kept, in seconds: as long as at Stripe.
const MEMORY: i64 = DAY;

/// The most characters of a key.
pub(crate) const LIMIT: usize = 255;

/// The list of all answers that are kept.
const LIST: &str = "answers";

/// The most expired answers that one new one takes away.
const PURGE: usize = 2;

/// An answer that is kept.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct Answer {
    key: String,
    created: Timestamp,
    /// What was asked for, in a form in which two requests for the same are alike.
    asked: String,
    pub(crate) status: u16,
    pub(crate) body: String,
    /// The request that it was first the answer to.
    pub(crate) request: Option<String>,
}

readable! { struct Answer { key, created, asked, status, body, request } }

impl Object for Answer {
    const KIND: &'static str = "answer";

    fn id(&self) -> &str {
        &self.key
    }

    fn entries(&self) -> Vec<Entry> {
        vec![Entry::new(LIST, self.created)]
    }
}

/// What is known of a key.
#[derive(Debug)]
pub(crate) enum Known {
    /// Nothing, or nothing any more.
    Nothing,
    /// It was used for this very request.
    Answer(Answer),
    /// It was used for another one.
    Other,
}

pub(crate) fn recall(catalog: &Catalog<'_>, key: &str, asked: &str) -> Result<Known, Error> {
    let Some(answer) = catalog.find::<Answer>(key)? else { return Ok(Known::Nothing) };
    if catalog.now.0.saturating_sub(answer.created.0) >= MEMORY {
        catalog.remove(&answer)?;
        return Ok(Known::Nothing);
    }
    Ok(if answer.asked == asked { Known::Answer(answer) } else { Known::Other })
}

pub(crate) fn keep(
    catalog: &Catalog<'_>,
    key: &str,
    asked: String,
    status: u16,
    body: String,
) -> Result<(), Error> {
    let request = catalog.cause.id.clone();
    let answer = Answer { key: key.to_owned(), created: catalog.now, asked, status, body, request };
    catalog.add(&answer)?;
    let oldest = Timestamp(catalog.now.0.saturating_sub(MEMORY));
    let below = Some(Place::before(oldest));
    let expired = Range { above: None, below, order: Order::Ascending, limit: PURGE };
    let expired: Vec<Answer> = catalog.list(LIST, expired)?;
    expired.iter().try_for_each(|answer| catalog.remove(answer))
}
