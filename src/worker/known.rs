//! Who is known: a part of the roster's table, in the order of its keys.

use worker::{Result, SqlStorageValue};

use super::sql::{Sql, integer};
use crate::{
    id::{CustomerId, Livemode, Millis, Timestamp},
    json,
    ledger::Standing,
    store::{
        Known,
        part::{self, Cursor, Listed, Part},
    },
};

const ASCENDING: &str = "SELECT key, confirmed, pending, since, trouble FROM customers \
    WHERE key > ? AND key >= ? AND key < ? ORDER BY key LIMIT ?";
const DESCENDING: &str = "SELECT key, confirmed, pending, since, trouble FROM customers \
    WHERE key > ? AND key >= ? AND key < ? ORDER BY key DESC LIMIT ?";

/// A part of the customers of one mode, whose ids begin as the prefix says.
pub(super) fn read(
    sql: &Sql,
    livemode: Livemode,
    prefix: Option<&CustomerId>,
    part: &Part<CustomerId>,
) -> Result<Listed<Known>> {
    let mode = livemode.prefix();
    let key = |id: &CustomerId| format!("{mode}{id}");
    let first = prefix.map_or_else(|| mode.to_owned(), key);
    let end = part::after_all(&first).unwrap_or_default();
    // What has no more than the mode for its key is nobody.
    let (statement, above, below) = match &part.cursor {
        Cursor::Start => (ASCENDING, mode.to_owned(), end),
        Cursor::After(id) => (ASCENDING, key(id), end),
        Cursor::Before(id) => (DESCENDING, mode.to_owned(), end.min(key(id))),
    };
    let reads = integer(u64::try_from(part.reads()).unwrap_or(u64::MAX))?;
    let values = vec![above.into(), first.into(), below.into(), reads];
    let Listed { data, has_more } = Listed::of(part, sql.rows(statement, values)?);
    let data = data.iter().filter_map(|row| customer(mode, row)).collect();
    Ok(Listed { data, has_more })
}

/// The customer of a row.
fn customer(mode: &str, row: &[SqlStorageValue]) -> Option<Known> {
    let [SqlStorageValue::String(key), confirmed, pending, since, trouble] = row else {
        return None;
    };
    let number = |value: &SqlStorageValue| match value {
        SqlStorageValue::Integer(number) => Some(*number),
        _ => None,
    };
    let trouble = match trouble {
        SqlStorageValue::String(trouble) => json::read(trouble.as_bytes()).ok(),
        _ => None,
    };
    let standing = Standing {
        confirmed: number(confirmed).map(Timestamp),
        pending: u32::try_from(number(pending)?).ok()?,
        since: number(since).and_then(|since| u64::try_from(since).ok()).map(Millis),
        trouble,
    };
    Some(Known { id: CustomerId::try_from(key.strip_prefix(mode)?).ok()?, standing })
}
