//! Reads a list of Stripe's page by page.
//!
//! The list of a customer's entitlements is not read here, because it must also be consistent.
//!
//! Specification: <https://docs.stripe.com/api/pagination>.

use super::{
    client::{Error, StripeClient, Transport},
    request::{fetch_json, percent_encode},
};
use crate::{
    id::UnixMillis,
    json::{FromJson, json_type},
};

json_type! {
    /// One page of a list.
    pub(super) struct StripePage<Item> {
        /// The items of the page.
        pub(super) data: Vec<Item>,
        /// Whether there are more pages.
        pub(super) has_more: bool,
    }
}

/// Reads at most `max_pages` of a list, whose target must have a query. `has_more` of the result is
/// whether there are more pages. `id` returns the id of an item.
pub(super) async fn read_pages<T: Transport, Item: FromJson>(
    client: &StripeClient<T>,
    target: &str,
    max_pages: usize,
    id: impl Fn(&Item) -> Option<&str>,
    deadline: UnixMillis,
) -> Result<StripePage<Item>, Error> {
    let mut items: Vec<Item> = Vec::new();
    for _ in 0..max_pages {
        let cursor = items
            .last()
            .and_then(&id)
            .map_or(String::new(), |id| format!("&starting_after={}", percent_encode(id)));
        let StripePage { data, has_more } =
            fetch_json(client, &format!("{target}{cursor}"), deadline).await?;
        let is_last = data.is_empty() || !has_more;
        items.extend(data);
        if is_last {
            return Ok(StripePage { data: items, has_more: false });
        }
    }
    Ok(StripePage { data: items, has_more: true })
}
