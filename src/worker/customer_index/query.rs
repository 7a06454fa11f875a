//! Who is known: a part of the roster's table, in the order of its keys.

use worker::{Result, SqlStorageValue};

use crate::worker::sql::{SqlTables, integer_value};
use crate::{
    id::{CustomerId, Livemode, Timestamp, UnixMillis},
    json,
    ledger::SyncStatus,
    store::{
        CustomerSyncStatus,
        pagination::{self, Cursor, PageOf, PageRequest},
    },
};

const SELECT_ASCENDING: &str = "SELECT key, confirmed, pending, since, trouble FROM customers \
    WHERE key > ? AND key >= ? AND key < ? ORDER BY key LIMIT ?";
const SELECT_DESCENDING: &str = "SELECT key, confirmed, pending, since, trouble FROM customers \
    WHERE key > ? AND key >= ? AND key < ? ORDER BY key DESC LIMIT ?";

/// A part of the customers of one mode, whose ids begin as the prefix says.
pub(in crate::worker) fn query_customers(
    sql: &SqlTables,
    livemode: Livemode,
    prefix: Option<&CustomerId>,
    part: &PageRequest<CustomerId>,
) -> Result<PageOf<CustomerSyncStatus>> {
    let mode = livemode.key_prefix();
    let key = |id: &CustomerId| format!("{mode}{id}");
    let first = prefix.map_or_else(|| mode.to_owned(), key);
    let end = pagination::prefix_upper_bound(&first).unwrap_or_default();
    // What has no more than the mode for its key is nobody.
    let (statement, above, below) = match &part.cursor {
        Cursor::Start => (SELECT_ASCENDING, mode.to_owned(), end),
        Cursor::After(id) => (SELECT_ASCENDING, key(id), end),
        Cursor::Before(id) => (SELECT_DESCENDING, mode.to_owned(), end.min(key(id))),
    };
    let reads = integer_value(u64::try_from(part.fetch_limit()).unwrap_or(u64::MAX))?;
    let values = vec![above.into(), first.into(), below.into(), reads];
    let PageOf { data, has_more } = PageOf::from_fetched(part, sql.query(statement, values)?);
    let data = data.iter().filter_map(|row| customer_from_row(mode, row)).collect();
    Ok(PageOf { data, has_more })
}

/// The customer of a row.
fn customer_from_row(mode: &str, row: &[SqlStorageValue]) -> Option<CustomerSyncStatus> {
    let [SqlStorageValue::String(key), confirmed, pending, since, trouble] = row else {
        return None;
    };
    let number = |value: &SqlStorageValue| match value {
        SqlStorageValue::Integer(number) => Some(*number),
        _ => None,
    };
    let trouble = match trouble {
        SqlStorageValue::String(trouble) => json::from_slice(trouble.as_bytes()).ok(),
        _ => None,
    };
    let standing = SyncStatus {
        confirmed_at: number(confirmed).map(Timestamp),
        pending: u32::try_from(number(pending)?).ok()?,
        pending_since: number(since).and_then(|since| u64::try_from(since).ok()).map(UnixMillis),
        problem: trouble,
    };
    Some(CustomerSyncStatus {
        id: CustomerId::try_from(key.strip_prefix(mode)?).ok()?,
        status: standing,
    })
}
