//! The catalog's shelf, in SQLite.
//!
//! | table     | holds                                                                          |
//! |-----------|--------------------------------------------------------------------------------|
//! | `objects` | each object once, under its key; `seq` is the order of first writing           |
//! | `entries` | in which lists it stands, and where: a list is a range of the table's own order |
//!
//! Whatever is asked is found by a key or is such a range, read from either end, so that no
//! statement looks at more rows than it answers.

use std::cell::Cell;

use worker::{Result, SqlStorageValue, State};

use crate::worker::sql::{SqlTables, integer_value};
use crate::{
    catalog::storage::{
        IndexEntry, IndexPosition, IndexRange, IndexedObject, SortOrder, Storage, StorageError,
        StoredObject,
    },
    id::Timestamp,
};

/// Of the numbers that JavaScript counts with, the last; the first is as far below zero.
const MAX_SAFE_INTEGER: i64 = (1 << 53) - 1;

const SCHEMA: [&str; 2] = [
    // A number that was given once is not given again, so that an entry never shows another object.
    "CREATE TABLE IF NOT EXISTS objects (seq INTEGER PRIMARY KEY AUTOINCREMENT, \
     key TEXT NOT NULL UNIQUE, body TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS entries (list TEXT NOT NULL, at INTEGER NOT NULL, \
     seq INTEGER NOT NULL, PRIMARY KEY (list, at, seq)) WITHOUT ROWID",
];

// The cross join is an order: the range first, then the object of each of its entries.
const SELECT_ASCENDING: &str = "SELECT entries.at, entries.seq, objects.body \
    FROM entries CROSS JOIN objects ON objects.seq = entries.seq WHERE entries.list = ? \
    AND (entries.at, entries.seq) > (?, ?) AND (entries.at, entries.seq) < (?, ?) \
    ORDER BY entries.at, entries.seq LIMIT ?";
const SELECT_DESCENDING: &str = "SELECT entries.at, entries.seq, objects.body \
    FROM entries CROSS JOIN objects ON objects.seq = entries.seq WHERE entries.list = ? \
    AND (entries.at, entries.seq) > (?, ?) AND (entries.at, entries.seq) < (?, ?) \
    ORDER BY entries.at DESC, entries.seq DESC LIMIT ?";

/// The shelf of one catalog.
pub(in crate::worker) struct SqliteStorage {
    sql: SqlTables,
    tables_created: Cell<bool>,
}

impl SqliteStorage {
    pub(in crate::worker) fn new(state: &State) -> Self {
        Self { sql: SqlTables::new(state), tables_created: Cell::new(false) }
    }

    /// Does some work on the shelf: all of it, or none if it fails.
    pub(in crate::worker) fn transact<T, E>(
        &self,
        work: impl FnOnce(&dyn Storage) -> std::result::Result<T, E>,
    ) -> Result<std::result::Result<T, E>> {
        // Before the transaction: one that is rolled back would take the tables along.
        self.create_tables()?;
        self.sql.transact(|| work(self))
    }

    fn create_tables(&self) -> Result<()> {
        if !self.tables_created.get() {
            self.sql.create_tables(&SCHEMA)?;
            self.tables_created.set(true);
        }
        Ok(())
    }

    fn load_object(&self, key: &str) -> Result<Option<StoredObject>> {
        let read = "SELECT seq, body FROM objects WHERE key = ?";
        let rows = self.sql.query(read, vec![key.into()])?;
        match rows.into_iter().next().as_deref() {
            None => Ok(None),
            Some([SqlStorageValue::Integer(seq), SqlStorageValue::String(body)]) => {
                Ok(Some(StoredObject { seq: *seq, body: body.clone() }))
            }
            Some(_) => Err(bad_row()),
        }
    }

    fn store_object(
        &self,
        key: &str,
        body: &str,
        left: &[IndexEntry],
        joined: &[IndexEntry],
    ) -> Result<()> {
        let update = "UPDATE objects SET body = ? WHERE key = ? RETURNING seq";
        let mut seq = self.query_seq(update, vec![body.into(), key.into()])?;
        if seq.is_none() {
            let insert = "INSERT INTO objects (key, body) VALUES (?, ?) RETURNING seq";
            seq = self.query_seq(insert, vec![key.into(), body.into()])?;
        }
        let seq = seq.ok_or_else(bad_row)?;
        self.remove_entries(seq, left)?;
        for entry in joined {
            let join = "INSERT OR IGNORE INTO entries (list, at, seq) VALUES (?, ?, ?)";
            self.sql.execute(join, entry_values(entry, seq)?)?;
        }
        Ok(())
    }

    fn delete_object(&self, key: &str, left: &[IndexEntry]) -> Result<()> {
        match self.query_seq("DELETE FROM objects WHERE key = ? RETURNING seq", vec![key.into()])? {
            Some(seq) => self.remove_entries(seq, left),
            None => Ok(()),
        }
    }

    fn remove_entries(&self, seq: i64, left: &[IndexEntry]) -> Result<()> {
        left.iter().try_for_each(|entry| {
            let leave = "DELETE FROM entries WHERE list = ? AND at = ? AND seq = ?";
            self.sql.execute(leave, entry_values(entry, seq)?)
        })
    }

    fn query_range(&self, name: &str, range: IndexRange) -> Result<Vec<IndexedObject>> {
        let statement = match range.order {
            SortOrder::Ascending => SELECT_ASCENDING,
            SortOrder::Descending => SELECT_DESCENDING,
        };
        let above = range.after.unwrap_or(IndexPosition::start_of(Timestamp(i64::MIN)));
        let below = range.before.unwrap_or(IndexPosition::end_of(Timestamp(i64::MAX)));
        let values = vec![
            name.into(),
            clamped_value(above.at.0)?,
            clamped_value(above.seq)?,
            clamped_value(below.at.0)?,
            clamped_value(below.seq)?,
            integer_value(u64::try_from(range.limit).unwrap_or(u64::MAX).min(u64::from(u32::MAX)))?,
        ];
        let listed = |row: Vec<SqlStorageValue>| match <[SqlStorageValue; 3]>::try_from(row) {
            Ok(
                [
                    SqlStorageValue::Integer(at),
                    SqlStorageValue::Integer(seq),
                    SqlStorageValue::String(body),
                ],
            ) => Ok(IndexedObject { position: IndexPosition { at: Timestamp(at), seq }, body }),
            _ => Err(bad_row()),
        };
        self.sql.query(statement, values)?.into_iter().map(listed).collect()
    }

    /// The one number that a statement answers, if it answers one.
    fn query_seq(&self, statement: &str, values: Vec<SqlStorageValue>) -> Result<Option<i64>> {
        match self.sql.query(statement, values)?.first().map(Vec::as_slice) {
            None => Ok(None),
            Some([SqlStorageValue::Integer(seq)]) => Ok(Some(*seq)),
            Some(_) => Err(bad_row()),
        }
    }
}

impl Storage for SqliteStorage {
    fn read(&self, key: &str) -> std::result::Result<Option<StoredObject>, StorageError> {
        self.load_object(key).map_err(|error| storage_error(&error))
    }

    fn write(
        &self,
        key: &str,
        body: &str,
        left: &[IndexEntry],
        joined: &[IndexEntry],
    ) -> std::result::Result<(), StorageError> {
        self.store_object(key, body, left, joined).map_err(|error| storage_error(&error))
    }

    fn remove(&self, key: &str, left: &[IndexEntry]) -> std::result::Result<(), StorageError> {
        self.delete_object(key, left).map_err(|error| storage_error(&error))
    }

    fn list(
        &self,
        name: &str,
        range: IndexRange,
    ) -> std::result::Result<Vec<IndexedObject>, StorageError> {
        self.query_range(name, range).map_err(|error| storage_error(&error))
    }
}

fn entry_values(entry: &IndexEntry, seq: i64) -> Result<Vec<SqlStorageValue>> {
    let at = SqlStorageValue::try_from_i64(entry.at.0)?;
    Ok(vec![entry.index.as_str().into(), at, SqlStorageValue::try_from_i64(seq)?])
}

/// One side of a range, which may lie beyond all that JavaScript can count.
fn clamped_value(number: i64) -> Result<SqlStorageValue> {
    SqlStorageValue::try_from_i64(number.clamp(-MAX_SAFE_INTEGER, MAX_SAFE_INTEGER))
}

fn storage_error(error: &worker::Error) -> StorageError {
    StorageError(error.to_string())
}

fn bad_row() -> worker::Error {
    "a row of the catalog has another form".into()
}
