//! The table of a customer's overrides.

use worker::{Error, Result, SqlStorageValue};

use crate::{
    ledger::{
        MAX_STORED_OVERRIDES, Override, OverrideIdempotency, OverrideSelection, StoredOverride,
    },
    store::ledger_rows::OverrideWrite,
    worker::{
        rpc::decode,
        sql::{SqlTables, timestamp_value},
    },
};

/// The table. Overrides are listed by their number.
pub(super) const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS overrides \
     (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, created INTEGER NOT NULL, \
     ended_at INTEGER, idempotency_key TEXT, fingerprint TEXT, object TEXT NOT NULL)";

/// Its index for repeated requests.
pub(super) const INDEX: &str = "CREATE INDEX IF NOT EXISTS overrides_by_key \
     ON overrides (idempotency_key) WHERE idempotency_key IS NOT NULL";

/// Returns the selected overrides, newest first.
pub(super) fn select(
    sql: &SqlTables,
    selection: &OverrideSelection,
) -> Result<Vec<StoredOverride>> {
    let (condition, values) = match selection {
        OverrideSelection::Id(id) => ("id = ?", vec![id.as_str().into()]),
        OverrideSelection::IdempotencyKey(key, since) => (
            "idempotency_key = ? AND created >= ?",
            vec![key.as_str().into(), timestamp_value(*since)?],
        ),
        OverrideSelection::NotEndedAt(at) => {
            ("ended_at IS NULL OR ended_at > ?", vec![timestamp_value(*at)?])
        }
        OverrideSelection::All => ("TRUE", vec![]),
    };
    let select = format!(
        "SELECT object, idempotency_key, fingerprint FROM overrides WHERE {condition} \
         ORDER BY number DESC LIMIT {MAX_STORED_OVERRIDES}"
    );
    sql.query(&select, values)?.iter().map(|row| decode_row(row)).collect()
}

fn decode_row(row: &[SqlStorageValue]) -> Result<StoredOverride> {
    let (object, idempotency) = match row {
        [SqlStorageValue::String(object), SqlStorageValue::Null, SqlStorageValue::Null] => {
            (object, None)
        }
        [
            SqlStorageValue::String(object),
            SqlStorageValue::String(key),
            SqlStorageValue::String(fingerprint),
        ] => {
            let (key, fingerprint) = (key.clone(), fingerprint.clone());
            (object, Some(OverrideIdempotency { key, fingerprint }))
        }
        _ => return Err(Error::RustError("unexpected columns of an override".to_owned())),
    };
    Ok(StoredOverride { value: decode::<Override>(object.as_bytes())?, idempotency })
}

/// Writes an override, and deletes those that ended long ago and those beyond the most that are kept.
pub(super) fn write(sql: &SqlTables, write: OverrideWrite) -> Result<()> {
    let delete = format!(
        "DELETE FROM overrides WHERE ended_at < ? OR ended_at < ? AND number <= \
         (SELECT max(number) FROM overrides) - {MAX_STORED_OVERRIDES}"
    );
    let purge_ended_before = timestamp_value(write.purge_ended_before())?;
    sql.execute(&delete, vec![purge_ended_before, timestamp_value(write.at)?])?;
    let OverrideWrite { stored: StoredOverride { value, idempotency }, json, .. } = write;
    let (key, fingerprint) = idempotency.map(|value| (value.key, value.fingerprint)).unzip();
    let insert = "INSERT INTO overrides \
         (id, created, ended_at, idempotency_key, fingerprint, object) VALUES (?, ?, ?, ?, ?, ?) \
         ON CONFLICT (id) DO UPDATE SET ended_at = excluded.ended_at, object = excluded.object";
    let ended_at = value.ends_at().map(timestamp_value).transpose()?;
    let values = vec![
        value.period.id.as_str().into(),
        timestamp_value(value.created)?,
        ended_at.unwrap_or(SqlStorageValue::Null),
        key.into(),
        fingerprint.into(),
        json.into(),
    ];
    sql.execute(insert, values)
}
