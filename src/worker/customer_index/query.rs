//! Selects a page of customers, in the order of their keys.
//!
//! A cursor need not be the id of a customer. Not here: the table, which `object` creates and
//! writes.

use worker::{Result, SqlStorageValue};

use crate::{
    id::{CustomerId, Livemode, Timestamp, UnixMillis},
    json,
    ledger::SyncStatus,
    pagination::{self, Cursor, PageOf, PageRequest},
    store::CustomerSyncStatus,
    worker::sql::{SqlTables, integer_value},
};

const SELECT_ASCENDING: &str = "SELECT key, confirmed_at, pending, pending_since, problem \
    FROM customers WHERE key > ? AND key >= ? AND key < ? ORDER BY key LIMIT ?";
const SELECT_DESCENDING: &str = "SELECT key, confirmed_at, pending, pending_since, problem \
    FROM customers WHERE key > ? AND key >= ? AND key < ? ORDER BY key DESC LIMIT ?";

/// Returns a page of the customers of one mode whose ids have this prefix.
pub(super) fn query_customers(
    sql: &SqlTables,
    livemode: Livemode,
    prefix: Option<&CustomerId>,
    page: &PageRequest<CustomerId>,
) -> Result<PageOf<CustomerSyncStatus>> {
    let mode = livemode.key_prefix();
    let key = |id: &CustomerId| format!("{mode}{id}");
    let first = prefix.map_or_else(|| mode.to_owned(), key);
    let end = pagination::prefix_upper_bound(&first).unwrap_or_default();
    // A key that is only the mode is not a customer's: it has the problem of the mode's API key.
    let (statement, above, below) = match &page.cursor {
        Cursor::Start => (SELECT_ASCENDING, mode.to_owned(), end),
        Cursor::After(id) => (SELECT_ASCENDING, key(id), end),
        Cursor::Before(id) => (SELECT_DESCENDING, mode.to_owned(), end.min(key(id))),
    };
    let limit = integer_value(u64::try_from(page.fetch_limit()).unwrap_or(u64::MAX))?;
    let values = vec![above.into(), first.into(), below.into(), limit];
    let PageOf { data, has_more } = PageOf::from_fetched(page, sql.query(statement, values)?);
    let data = data.iter().filter_map(|row| customer_from_row(mode, row)).collect();
    Ok(PageOf { data, has_more })
}

fn customer_from_row(mode: &str, row: &[SqlStorageValue]) -> Option<CustomerSyncStatus> {
    let [SqlStorageValue::String(key), confirmed_at, pending, pending_since, problem] = row else {
        return None;
    };
    let integer = |value: &SqlStorageValue| match value {
        SqlStorageValue::Integer(number) => Some(*number),
        _ => None,
    };
    let problem = match problem {
        SqlStorageValue::String(problem) => json::from_slice(problem.as_bytes()).ok(),
        _ => None,
    };
    let status = SyncStatus {
        confirmed_at: integer(confirmed_at).map(Timestamp),
        pending: u32::try_from(integer(pending)?).ok()?,
        pending_since: integer(pending_since)
            .and_then(|millis| u64::try_from(millis).ok())
            .map(UnixMillis),
        problem,
    };
    Some(CustomerSyncStatus { id: CustomerId::try_from(key.strip_prefix(mode)?).ok()?, status })
}
