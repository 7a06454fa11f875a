//! The table of a customer's history.

use worker::{Error, Result, SqlStorageValue};

use crate::{
    entitlement::Version,
    id::Timestamp,
    ledger::{HistoryEntry, HistoryQuery, retained_history},
    store::ledger_rows::HistoryWrite,
    worker::{
        rpc::decode,
        sql::{MAX_INTEGER, SqlTables, integer_value, timestamp_value},
    },
};

/// The table.
pub(super) const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS history \
     (version INTEGER PRIMARY KEY, created INTEGER NOT NULL, entry TEXT NOT NULL)";

/// Returns the entries that match a query and are not expired, in the order in which it reads.
pub(super) fn select(
    sql: &SqlTables,
    query: &HistoryQuery,
    current: Version,
    now: Timestamp,
) -> Result<Vec<HistoryEntry>> {
    let HistoryQuery { after, before, first, last, limit, .. } = query;
    let (first_version, oldest) = retained_history(current, now);
    let after = after.map_or(0, |after| after.0).max(first_version.0.saturating_sub(1));
    let before = before.map_or(MAX_INTEGER, |before| before.0);
    let first = first.map_or(oldest, |first| first.max(oldest));
    let last = last.unwrap_or(Timestamp(i64::MAX));
    let order = if query.reads_forward() { "ASC" } else { "DESC" };
    let select = format!(
        "SELECT entry FROM history WHERE version > ? AND version < ? AND created >= ? \
         AND created <= ? ORDER BY version {order} LIMIT ?"
    );
    let values = vec![
        integer_value(after.min(MAX_INTEGER))?,
        integer_value(before.min(MAX_INTEGER))?,
        timestamp_value(first)?,
        timestamp_value(last)?,
        integer_value((*limit).into())?,
    ];
    let entry = |row: Vec<SqlStorageValue>| match row.as_slice() {
        [SqlStorageValue::String(entry)] => decode(entry.as_bytes()),
        _ => Err(Error::RustError("unexpected columns in the history".to_owned())),
    };
    sql.query(&select, values)?.into_iter().map(entry).collect()
}

/// Writes an entry, and deletes expired ones now and then.
pub(super) fn write(sql: &SqlTables, write: HistoryWrite) -> Result<()> {
    let HistoryWrite { version, created, entry, purge_before } = write;
    if let Some((first, oldest)) = purge_before {
        let delete = "DELETE FROM history WHERE version < ? OR created < ?";
        sql.execute(delete, vec![integer_value(first.0)?, timestamp_value(oldest)?])?;
    }
    let insert = "INSERT OR REPLACE INTO history (version, created, entry) VALUES (?, ?, ?)";
    let values = vec![integer_value(version.0)?, timestamp_value(created)?, entry.into()];
    sql.execute(insert, values)
}
