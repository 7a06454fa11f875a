//! The catalog's storage in SQLite.
//!
//! | table           | row                                                                    |
//! |-----------------|------------------------------------------------------------------------|
//! | `objects`       | an object and its key; `seq` is the order of the first writes          |
//! | `index_entries` | an object's position in an index; the primary key is the index's order |
//!
//! Every read selects by key or selects a range of the primary key, from either end. So a statement
//! reads no more rows than it returns. Not here: what objects and indexes there are
//! ([`crate::catalog`]).

use std::cell::Cell;

use worker::{Result, SqlStorageValue, State};

use crate::{
    catalog::storage::{
        IndexEntry, IndexPosition, IndexRange, IndexedObject, SortOrder, Storage, StorageError,
        StoredObject,
    },
    id::Timestamp,
    worker::sql::{SqlTables, integer_value},
};

/// `Number.MAX_SAFE_INTEGER`.
const MAX_SAFE_INTEGER: i64 = (1 << 53) - 1;

const SCHEMA: [&str; 2] = [
    // AUTOINCREMENT assigns no number twice, so an index entry never refers to another object.
    "CREATE TABLE IF NOT EXISTS objects (seq INTEGER PRIMARY KEY AUTOINCREMENT, \
     key TEXT NOT NULL UNIQUE, body TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS index_entries (index_name TEXT NOT NULL, at INTEGER NOT NULL, \
     seq INTEGER NOT NULL, PRIMARY KEY (index_name, at, seq)) WITHOUT ROWID",
];

// CROSS JOIN sets the order: SQLite reads the range first, then the object of each entry.
const SELECT_ASCENDING: &str = "SELECT entry.at, entry.seq, objects.body \
    FROM index_entries AS entry CROSS JOIN objects ON objects.seq = entry.seq \
    WHERE entry.index_name = ? \
    AND (entry.at, entry.seq) > (?, ?) AND (entry.at, entry.seq) < (?, ?) \
    ORDER BY entry.at, entry.seq LIMIT ?";
const SELECT_DESCENDING: &str = "SELECT entry.at, entry.seq, objects.body \
    FROM index_entries AS entry CROSS JOIN objects ON objects.seq = entry.seq \
    WHERE entry.index_name = ? \
    AND (entry.at, entry.seq) > (?, ?) AND (entry.at, entry.seq) < (?, ?) \
    ORDER BY entry.at DESC, entry.seq DESC LIMIT ?";

/// The storage of one catalog.
pub(super) struct SqliteStorage {
    sql: SqlTables,
    tables_created: Cell<bool>,
}

impl SqliteStorage {
    pub(super) fn new(state: &State) -> Self {
        Self { sql: SqlTables::new(state), tables_created: Cell::new(false) }
    }

    /// Runs `work` in a transaction, which is rolled back if `work` returns false, or if this code
    /// may not write the tables.
    pub(super) fn transact(&self, work: &mut dyn FnMut(&dyn Storage) -> bool) -> Result<()> {
        let may_write = self.may_write()?;
        if may_write {
            // Before the transaction, whose rollback would drop the tables.
            self.create_tables()?;
        }
        self.sql.transact(|| if work(self) && may_write { Ok(()) } else { Err(()) }).map(drop)
    }

    /// Returns whether this code may read the tables.
    pub(super) fn may_read(&self) -> Result<bool> {
        self.sql.may_read()
    }

    /// Returns whether this code may write the tables.
    pub(super) fn may_write(&self) -> Result<bool> {
        self.sql.may_write()
    }

    fn create_tables(&self) -> Result<()> {
        if !self.tables_created.get() {
            self.sql.create_tables(&SCHEMA)?;
            self.tables_created.set(true);
        }
        Ok(())
    }

    fn load_object(&self, key: &str) -> Result<Option<StoredObject>> {
        let select = "SELECT seq, body FROM objects WHERE key = ?";
        let rows = self.sql.query(select, vec![key.into()])?;
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
        removed: &[IndexEntry],
        added: &[IndexEntry],
    ) -> Result<()> {
        let update = "UPDATE objects SET body = ? WHERE key = ? RETURNING seq";
        let mut seq = self.query_seq(update, vec![body.into(), key.into()])?;
        if seq.is_none() {
            let insert = "INSERT INTO objects (key, body) VALUES (?, ?) RETURNING seq";
            seq = self.query_seq(insert, vec![key.into(), body.into()])?;
        }
        let seq = seq.ok_or_else(bad_row)?;
        self.remove_entries(seq, removed)?;
        for entry in added {
            let insert =
                "INSERT OR IGNORE INTO index_entries (index_name, at, seq) VALUES (?, ?, ?)";
            self.sql.execute(insert, entry_values(entry, seq)?)?;
        }
        Ok(())
    }

    fn delete_object(&self, key: &str, removed: &[IndexEntry]) -> Result<()> {
        match self.query_seq("DELETE FROM objects WHERE key = ? RETURNING seq", vec![key.into()])? {
            Some(seq) => self.remove_entries(seq, removed),
            None => Ok(()),
        }
    }

    fn remove_entries(&self, seq: i64, removed: &[IndexEntry]) -> Result<()> {
        removed.iter().try_for_each(|entry| {
            let delete = "DELETE FROM index_entries WHERE index_name = ? AND at = ? AND seq = ?";
            self.sql.execute(delete, entry_values(entry, seq)?)
        })
    }

    fn query_range(&self, index: &str, range: IndexRange) -> Result<Vec<IndexedObject>> {
        let statement = match range.order {
            SortOrder::Ascending => SELECT_ASCENDING,
            SortOrder::Descending => SELECT_DESCENDING,
        };
        let above = range.after.unwrap_or(IndexPosition::start_of(Timestamp(i64::MIN)));
        let below = range.before.unwrap_or(IndexPosition::end_of(Timestamp(i64::MAX)));
        let values = vec![
            index.into(),
            clamped_value(above.at.0)?,
            clamped_value(above.seq)?,
            clamped_value(below.at.0)?,
            clamped_value(below.seq)?,
            integer_value(u64::try_from(range.limit).unwrap_or(u64::MAX).min(u64::from(u32::MAX)))?,
        ];
        let object = |row: Vec<SqlStorageValue>| match <[SqlStorageValue; 3]>::try_from(row) {
            Ok(
                [
                    SqlStorageValue::Integer(at),
                    SqlStorageValue::Integer(seq),
                    SqlStorageValue::String(body),
                ],
            ) => Ok(IndexedObject { position: IndexPosition { at: Timestamp(at), seq }, body }),
            _ => Err(bad_row()),
        };
        self.sql.query(statement, values)?.into_iter().map(object).collect()
    }

    /// Runs a statement that returns `seq` in at most one row.
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
        removed: &[IndexEntry],
        added: &[IndexEntry],
    ) -> std::result::Result<(), StorageError> {
        self.store_object(key, body, removed, added).map_err(|error| storage_error(&error))
    }

    fn remove(&self, key: &str, removed: &[IndexEntry]) -> std::result::Result<(), StorageError> {
        self.delete_object(key, removed).map_err(|error| storage_error(&error))
    }

    fn list(
        &self,
        index: &str,
        range: IndexRange,
    ) -> std::result::Result<Vec<IndexedObject>, StorageError> {
        self.query_range(index, range).map_err(|error| storage_error(&error))
    }
}

fn entry_values(entry: &IndexEntry, seq: i64) -> Result<Vec<SqlStorageValue>> {
    let at = SqlStorageValue::try_from_i64(entry.at.0)?;
    Ok(vec![entry.index.as_str().into(), at, SqlStorageValue::try_from_i64(seq)?])
}

/// Converts a bound of a range, which may be beyond the integers that JavaScript can represent.
fn clamped_value(number: i64) -> Result<SqlStorageValue> {
    SqlStorageValue::try_from_i64(number.clamp(-MAX_SAFE_INTEGER, MAX_SAFE_INTEGER))
}

pub(super) fn storage_error(error: &worker::Error) -> StorageError {
    StorageError(error.to_string())
}

fn bad_row() -> worker::Error {
    "unexpected columns in a row of the catalog".into()
}
