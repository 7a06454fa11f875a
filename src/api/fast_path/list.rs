//! Stripe's list, from the columns of a record. No text of it is read: each goes as it is into the
//! one text that is the answer.

use super::FastList;
use crate::{
    api::{active_entitlements::LIST_PATH, page},
    id::{EntitlementId, Livemode},
    store::{
        ServedBy,
        pagination::{Cursor, PageRequest},
        record::columns::{Columns, GrantRef, parse_complete_set},
    },
};

/// What says which part of the list is wanted.
#[derive(Default, Eq, PartialEq)]
pub(super) struct RawPageParams<'a> {
    pub(super) limit: Option<&'a str>,
    pub(super) starting_after: Option<&'a str>,
    pub(super) ending_before: Option<&'a str>,
}

impl RawPageParams<'_> {
    /// The part, if there is one that they say.
    pub(super) fn to_request(&self) -> Option<PageRequest<EntitlementId>> {
        let limit = match self.limit.map(str::parse) {
            None => page::DEFAULT_LIMIT,
            Some(Ok(limit @ 1..=page::MAX_LIMIT)) => usize::try_from(limit).ok()?,
            Some(_) => return None,
        };
        let cursor = match (self.starting_after, self.ending_before) {
            (None, None) => Cursor::Start,
            (Some(id), None) => Cursor::After(EntitlementId::try_from(id).ok()?),
            (None, Some(id)) => Cursor::Before(EntitlementId::try_from(id).ok()?),
            (Some(_), Some(_)) => return None,
        };
        Some(PageRequest { limit, cursor })
    }
}

/// A part of the list, if it is a part of what this record lists.
pub(super) fn answer_list(
    part: &PageRequest<EntitlementId>,
    livemode: Livemode,
    record: &[u8],
    served_by: ServedBy,
) -> Option<FastList> {
    // What is remembered may lack what was paid for a moment ago: each list would be a no to that.
    if served_by == ServedBy::Memory {
        return None;
    }
    let Columns { version, as_of, grants: rows } = parse_complete_set(record)?;
    let place = |id: &EntitlementId| {
        let id = id.as_str();
        // In the record it has an escape.
        let plain = !id.contains(['"', '\\']);
        rows.iter().position(|row| row.id == id).filter(|_| plain)
    };
    let cursor = match &part.cursor {
        Cursor::Start => Cursor::Start,
        Cursor::After(id) => Cursor::After(place(id)?),
        Cursor::Before(id) => Cursor::Before(place(id)?),
    };
    let (rows, has_more) = PageRequest { limit: part.limit, cursor }.slice(&rows);
    Some(FastList { body: list_json(rows, has_more, livemode), version, as_of, served_by })
}

/// Room for what is the same in each list, and in each of its rows: some bytes more than that is.
const LIST_OVERHEAD: usize = 128;
const ROW_OVERHEAD: usize = 128;

fn list_json(rows: &[GrantRef<'_>], has_more: bool, livemode: Livemode) -> String {
    let room =
        |row: &GrantRef<'_>| ROW_OVERHEAD + row.id.len() + row.feature.len() + row.lookup_key.len();
    let mut text = String::with_capacity(LIST_OVERHEAD + rows.iter().map(room).sum::<usize>());
    let livemode = match livemode {
        Livemode::Test => "\",\"livemode\":false,\"lookup_key\":\"",
        Livemode::Live => "\",\"livemode\":true,\"lookup_key\":\"",
    };
    let mut before = "{\"object\":\"list\",\"data\":[{\"id\":\"";
    for row in rows {
        for part in [
            before,
            row.id,
            "\",\"object\":\"entitlements.active_entitlement\",\"feature\":\"",
            row.feature,
            livemode,
            row.lookup_key,
        ] {
            text.push_str(part);
        }
        before = "\"},{\"id\":\"";
    }
    let end = if rows.is_empty() { "{\"object\":\"list\",\"data\":[]" } else { "\"}]" };
    let has_more = if has_more { "true" } else { "false" };
    for part in [end, ",\"has_more\":", has_more, ",\"url\":\"", LIST_PATH, "\"}"] {
        text.push_str(part);
    }
    text
}
