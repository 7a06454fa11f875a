//! What a customer's Durable Object remembers, in SQLite.
//!
//! | table          | holds                                                                     |
//! |----------------|---------------------------------------------------------------------------|
//! | `entitlements` | the record of the set, in parts, since a row ends at 2 MB                 |
//! | `events`       | the ids of the events seen, and when                                      |
//! | `outbox`       | what is owed to others: the replica's next copy, and how often it failed  |
//!
//! The tables come with the first event, so that asking about a stranger stores nothing.

use wasm_bindgen::{JsCast as _, JsValue, prelude::wasm_bindgen};
use worker::{Error, Result, SqlStorage, SqlStorageValue, State, Storage};

use crate::{
    id::{EventId, Timestamp},
    ledger::{EVENT_MEMORY, Sighting},
};

/// The bytes of a record in one row.
const PART: usize = 1 << 20;

const SCHEMA: [&str; 3] = [
    "CREATE TABLE IF NOT EXISTS entitlements (part INTEGER PRIMARY KEY, record BLOB NOT NULL)",
    "CREATE TABLE IF NOT EXISTS events (id TEXT PRIMARY KEY, received INTEGER NOT NULL) \
     WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS outbox (task TEXT PRIMARY KEY, customer TEXT NOT NULL, \
     failures INTEGER NOT NULL) WITHOUT ROWID",
];

/// The task of bringing the replica up to date.
const REPLICA: &str = "replica";

#[wasm_bindgen]
extern "C" {
    /// A Durable Object's storage, for the one method that the `worker` crate leaves out.
    type SyncStorage;

    #[wasm_bindgen(method, catch, js_name = transactionSync)]
    fn transaction_sync(
        this: &SyncStorage,
        work: &mut dyn FnMut() -> std::result::Result<(), JsValue>,
    ) -> std::result::Result<JsValue, JsValue>;
}

/// The tables of one customer.
pub(super) struct Tables {
    storage: Storage,
    sql: SqlStorage,
}

/// A copy that the replica is owed.
pub(super) struct Owed {
    /// The customer's key, in the replica as everywhere.
    pub(super) key: String,
    /// How many times in a row it could not be written.
    pub(super) failures: i32,
}

impl Tables {
    pub(super) fn of(state: &State) -> Self {
        let storage = state.storage();
        Self { sql: storage.sql(), storage }
    }

    /// Does some work on the tables: all of it, or none if it fails.
    pub(super) fn transact<T>(&self, work: impl FnOnce(&Self) -> Result<T>) -> Result<T> {
        let mut work = Some(work);
        let mut done = None;
        let mut once = || {
            let Some(work) = work.take() else { return Ok(()) };
            let rolled_back = match done.insert(work(self)) {
                Ok(_) => return Ok(()),
                Err(error) => error.to_string(),
            };
            Err(JsValue::from(rolled_back))
        };
        let storage: &SyncStorage = self.storage.as_raw().unchecked_ref();
        let committed = storage.transaction_sync(&mut once);
        match (committed, done) {
            (Ok(_), Some(done)) => done,
            (Err(_), Some(Err(error))) => Err(error),
            (Err(error), _) => Err(error.into()),
            (Ok(_), None) => Err(Error::RustError("the transaction was not run".to_owned())),
        }
    }

    pub(super) fn create(&self) -> Result<()> {
        for statement in SCHEMA {
            self.run(statement, vec![])?;
        }
        Ok(())
    }

    /// The record of the set, or none before the first event.
    pub(super) fn record(&self) -> Result<Option<Vec<u8>>> {
        let exist = "SELECT 1 FROM sqlite_master WHERE name = 'entitlements'";
        if self.rows(exist, vec![])?.is_empty() {
            return Ok(None);
        }
        let mut record = Vec::new();
        for row in self.rows("SELECT record FROM entitlements ORDER BY part", vec![])? {
            let [SqlStorageValue::Blob(part)] = row.as_slice() else { return Err(misread()) };
            record.extend(part);
        }
        Ok((!record.is_empty()).then_some(record))
    }

    pub(super) fn keep(&self, record: &[u8]) -> Result<()> {
        self.run("DELETE FROM entitlements", vec![])?;
        for (part, bytes) in (0_i32..).zip(record.chunks(PART)) {
            let values = vec![part.into(), bytes.to_vec().into()];
            self.run("INSERT INTO entitlements (part, record) VALUES (?, ?)", values)?;
        }
        Ok(())
    }

    pub(super) fn sighting(&self, event: &EventId) -> Result<Sighting> {
        let seen = self.rows("SELECT 1 FROM events WHERE id = ?", vec![event.as_str().into()])?;
        Ok(if seen.is_empty() { Sighting::First } else { Sighting::Repeated })
    }

    /// Remembers an event, and forgets those that can no longer come again.
    pub(super) fn saw(&self, event: &EventId, now: Timestamp) -> Result<()> {
        let expired = SqlStorageValue::try_from_i64(now.0.saturating_sub(EVENT_MEMORY))?;
        self.run("DELETE FROM events WHERE received < ?", vec![expired])?;
        let values = vec![event.as_str().into(), SqlStorageValue::try_from_i64(now.0)?];
        self.run("INSERT OR IGNORE INTO events (id, received) VALUES (?, ?)", values)
    }

    /// Notes that the replica is owed a copy.
    pub(super) fn owe(&self, key: &str) -> Result<()> {
        let values = vec![REPLICA.into(), key.into()];
        self.run(
            "INSERT OR REPLACE INTO outbox (task, customer, failures) VALUES (?, ?, 0)",
            values,
        )
    }

    /// What the replica is owed, if anything.
    pub(super) fn owed(&self) -> Result<Option<Owed>> {
        let sought = "SELECT customer, failures FROM outbox WHERE task = ?";
        let rows = self.rows(sought, vec![REPLICA.into()])?;
        match rows.first().map(Vec::as_slice) {
            None => Ok(None),
            Some([SqlStorageValue::String(key), SqlStorageValue::Integer(failures)]) => {
                let failures = i32::try_from(*failures).unwrap_or(i32::MAX);
                Ok(Some(Owed { key: key.clone(), failures }))
            }
            Some(_) => Err(misread()),
        }
    }

    /// Notes that the replica has its copy.
    pub(super) fn settle(&self) -> Result<()> {
        self.run("DELETE FROM outbox WHERE task = ?", vec![REPLICA.into()])
    }

    /// Notes that it could not be written once more.
    pub(super) fn failed(&self) -> Result<()> {
        let counted = "UPDATE outbox SET failures = failures + 1 WHERE task = ?";
        self.run(counted, vec![REPLICA.into()])
    }

    fn run(&self, statement: &str, values: Vec<SqlStorageValue>) -> Result<()> {
        self.sql.exec(statement, values).map(drop)
    }

    fn rows(
        &self,
        statement: &str,
        values: Vec<SqlStorageValue>,
    ) -> Result<Vec<Vec<SqlStorageValue>>> {
        self.sql.exec(statement, values)?.raw().collect()
    }
}

fn misread() -> Error {
    Error::RustError("a row of the ledger has another form".to_owned())
}
