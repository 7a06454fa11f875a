//! Lists events of the account: one page a call, newest first.
//!
//! A caller applies a page before it asks for the next one. An event stays the JSON of Stripe, since one that
//! cannot be parsed must not hide the others. Not here: the cursor, and what an event changes.
//!
//! Specification: <https://docs.stripe.com/api/events/list>.

use serde_json::Value;

use super::{
    client::{Error, StripeClient, Transport},
    pagination::StripePage,
    request::{fetch_json, percent_encode, single_attempt_deadline},
};
use crate::id::{EventId, Timestamp};

/// The most events of a page: Stripe's maximum.
pub const MAX_EVENT_PAGE: u32 = 100;

/// Which events a page has.
#[derive(Clone, Copy, Debug)]
pub struct EventQuery<'a> {
    /// The types of the events: at most 20, each exact.
    pub types: &'a [String],
    /// The earliest time of their creation.
    pub created_from: Timestamp,
    /// The last event of the page before this one.
    pub after: Option<&'a EventId>,
    /// The most events: at most [`MAX_EVENT_PAGE`].
    pub limit: u32,
}

/// A page of events.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EventPage {
    /// The events as Stripe's JSON, newest first.
    pub events: Vec<Value>,
    /// Whether there are older ones.
    pub has_more: bool,
}

impl<T: Transport> StripeClient<T> {
    /// Reads one page of the account's events with a single request.
    ///
    /// # Errors
    ///
    /// Fails if Stripe cannot be read, or if the page is malformed or too long.
    pub async fn list_events(&self, query: EventQuery<'_>) -> Result<EventPage, Error> {
        let EventQuery { types, created_from, after, limit } = query;
        let types = types.iter().map(|kind| format!("&types%5B%5D={}", percent_encode(kind)));
        let types = types.collect::<String>();
        let after = after.map_or(String::new(), |after| {
            format!("&starting_after={}", percent_encode(after.as_str()))
        });
        let target =
            format!("/v1/events?limit={limit}&created%5Bgte%5D={created_from}{types}{after}");
        // The caller counts requests, and asks again later.
        let deadline = single_attempt_deadline(self);
        let StripePage { data, has_more } = fetch_json(self, &target, deadline).await?;
        if data.is_empty() && has_more {
            return Err(Error::Malformed("an empty page with `has_more`".to_owned()));
        }
        Ok(EventPage { events: data, has_more })
    }
}
