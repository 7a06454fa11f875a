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

use super::sql::{Sql, integer};
use crate::{
    catalog::shelf::{Entry, Failure, Kept, Listed, Order, Place, Range, Shelf},
    id::Timestamp,
};

/// Of the numbers that JavaScript counts with, the last; the first is as far below zero.
const LAST: i64 = (1 << 53) - 1;

const SCHEMA: [&str; 2] = [
    // A number that was given once is not given again, so that an entry never shows another object.
    "CREATE TABLE IF NOT EXISTS objects (seq INTEGER PRIMARY KEY AUTOINCREMENT, \
     key TEXT NOT NULL UNIQUE, body TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS entries (list TEXT NOT NULL, at INTEGER NOT NULL, \
     seq INTEGER NOT NULL, PRIMARY KEY (list, at, seq)) WITHOUT ROWID",
];

// The cross join is an order: the range first, then the object of each of its entries.
const ASCENDING: &str = "SELECT entries.at, entries.seq, objects.body \
    FROM entries CROSS JOIN objects ON objects.seq = entries.seq WHERE entries.list = ? \
    AND (entries.at, entries.seq) > (?, ?) AND (entries.at, entries.seq) < (?, ?) \
    ORDER BY entries.at, entries.seq LIMIT ?";
const DESCENDING: &str = "SELECT entries.at, entries.seq, objects.body \
    FROM entries CROSS JOIN objects ON objects.seq = entries.seq WHERE entries.list = ? \
    AND (entries.at, entries.seq) > (?, ?) AND (entries.at, entries.seq) < (?, ?) \
    ORDER BY entries.at DESC, entries.seq DESC LIMIT ?";

/// The shelf of one catalog.
pub(super) struct SqlShelf {
    sql: Sql,
    created: Cell<bool>,
}

impl SqlShelf {
    pub(super) fn of(state: &State) -> Self {
        Self { sql: Sql::of(state), created: Cell::new(false) }
    }

    /// Does some work on the shelf: all of it, or none if it fails.
    pub(super) fn transact<T, E>(
        &self,
        work: impl FnOnce(&dyn Shelf) -> std::result::Result<T, E>,
    ) -> Result<std::result::Result<T, E>> {
        // Before the transaction: one that is rolled back would take the tables along.
        self.create()?;
        self.sql.transact(|| work(self))
    }

    fn create(&self) -> Result<()> {
        if !self.created.get() {
            self.sql.create(&SCHEMA)?;
            self.created.set(true);
        }
        Ok(())
    }

    fn found(&self, key: &str) -> Result<Option<Kept>> {
        let read = "SELECT seq, body FROM objects WHERE key = ?";
        let rows = self.sql.rows(read, vec![key.into()])?;
        match rows.into_iter().next().as_deref() {
            None => Ok(None),
            Some([SqlStorageValue::Integer(seq), SqlStorageValue::String(body)]) => {
                Ok(Some(Kept { seq: *seq, body: body.clone() }))
            }
            Some(_) => Err(misread()),
        }
    }

    fn put(&self, key: &str, body: &str, left: &[Entry], joined: &[Entry]) -> Result<()> {
        let update = "UPDATE objects SET body = ? WHERE key = ? RETURNING seq";
        let mut seq = self.seq(update, vec![body.into(), key.into()])?;
        if seq.is_none() {
            let insert = "INSERT INTO objects (key, body) VALUES (?, ?) RETURNING seq";
            seq = self.seq(insert, vec![key.into(), body.into()])?;
        }
        let seq = seq.ok_or_else(misread)?;
        self.leave(seq, left)?;
        for entry in joined {
            let join = "INSERT OR IGNORE INTO entries (list, at, seq) VALUES (?, ?, ?)";
            self.sql.run(join, standing(entry, seq)?)?;
        }
        Ok(())
    }

    fn take(&self, key: &str, left: &[Entry]) -> Result<()> {
        match self.seq("DELETE FROM objects WHERE key = ? RETURNING seq", vec![key.into()])? {
            Some(seq) => self.leave(seq, left),
            None => Ok(()),
        }
    }

    fn leave(&self, seq: i64, left: &[Entry]) -> Result<()> {
        left.iter().try_for_each(|entry| {
            let leave = "DELETE FROM entries WHERE list = ? AND at = ? AND seq = ?";
            self.sql.run(leave, standing(entry, seq)?)
        })
    }

    fn range(&self, name: &str, range: Range) -> Result<Vec<Listed>> {
        let statement = match range.order {
            Order::Ascending => ASCENDING,
            Order::Descending => DESCENDING,
        };
        let above = range.above.unwrap_or(Place::before(Timestamp(i64::MIN)));
        let below = range.below.unwrap_or(Place::after(Timestamp(i64::MAX)));
        let values = vec![
            name.into(),
            bound(above.at.0)?,
            bound(above.seq)?,
            bound(below.at.0)?,
            bound(below.seq)?,
            integer(u64::try_from(range.limit).unwrap_or(u64::MAX).min(u64::from(u32::MAX)))?,
        ];
        let listed = |row: Vec<SqlStorageValue>| match <[SqlStorageValue; 3]>::try_from(row) {
            Ok(
                [
                    SqlStorageValue::Integer(at),
                    SqlStorageValue::Integer(seq),
                    SqlStorageValue::String(body),
                ],
            ) => Ok(Listed { place: Place { at: Timestamp(at), seq }, body }),
            _ => Err(misread()),
        };
        self.sql.rows(statement, values)?.into_iter().map(listed).collect()
    }

    /// The one number that a statement answers, if it answers one.
    fn seq(&self, statement: &str, values: Vec<SqlStorageValue>) -> Result<Option<i64>> {
        match self.sql.rows(statement, values)?.first().map(Vec::as_slice) {
            None => Ok(None),
            Some([SqlStorageValue::Integer(seq)]) => Ok(Some(*seq)),
            Some(_) => Err(misread()),
        }
    }
}

impl Shelf for SqlShelf {
    fn read(&self, key: &str) -> std::result::Result<Option<Kept>, Failure> {
        self.found(key).map_err(|error| failed(&error))
    }

    fn write(
        &self,
        key: &str,
        body: &str,
        left: &[Entry],
        joined: &[Entry],
    ) -> std::result::Result<(), Failure> {
        self.put(key, body, left, joined).map_err(|error| failed(&error))
    }

    fn remove(&self, key: &str, left: &[Entry]) -> std::result::Result<(), Failure> {
        self.take(key, left).map_err(|error| failed(&error))
    }

    fn list(&self, name: &str, range: Range) -> std::result::Result<Vec<Listed>, Failure> {
        self.range(name, range).map_err(|error| failed(&error))
    }
}

fn standing(entry: &Entry, seq: i64) -> Result<Vec<SqlStorageValue>> {
    let at = SqlStorageValue::try_from_i64(entry.at.0)?;
    Ok(vec![entry.list.as_str().into(), at, SqlStorageValue::try_from_i64(seq)?])
}

/// One side of a range, which may lie beyond all that JavaScript can count.
fn bound(number: i64) -> Result<SqlStorageValue> {
    SqlStorageValue::try_from_i64(number.clamp(-LAST, LAST))
}

fn failed(error: &worker::Error) -> Failure {
    Failure(error.to_string())
}

fn misread() -> worker::Error {
    "a row of the catalog has another form".into()
}
