//! The tables of a coordinator's object.
//!
//! | table         | row                                                                |
//! |---------------|--------------------------------------------------------------------|
//! | `coordinator` | the only row: [`CoordinatorState`] as JSON                         |
//! | `events`      | the id of an event that was listed, and when the event was created |
//! | `features`    | a lookup key that was observed in a set of this mode               |
//! | `retries`     | a [`RetryTask`] as JSON, by its event, and when it is due          |

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
};

use worker::{Result, SqlStorageValue, State};

use crate::{
    coordinator::{CoordinatorState, CoordinatorStorage, PollGap, RetryTask},
    id::{EventId, LookupKey, Timestamp, UnixMillis},
    json,
    ledger::PortError,
    worker::{
        rpc,
        runtime::now_millis,
        sql::{SqlTables, integer_value},
    },
};

const SCHEMA: [&str; 6] = [
    "CREATE TABLE IF NOT EXISTS coordinator (id INTEGER PRIMARY KEY CHECK (id = 0), state TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS events (id TEXT PRIMARY KEY, created INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS by_created ON events (created)",
    "CREATE TABLE IF NOT EXISTS retries (event TEXT PRIMARY KEY, task TEXT NOT NULL, \
     due_at INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS by_due_at ON retries (due_at)",
    "CREATE TABLE IF NOT EXISTS features (lookup_key TEXT PRIMARY KEY) WITHOUT ROWID",
];

/// The tables of one object.
pub(super) struct CoordinatorTables {
    sql: SqlTables,
    tables_created: Cell<bool>,
    /// The stored state, once it is read.
    state: RefCell<Option<CoordinatorState>>,
    /// The rows of `features`, once they are read.
    features: RefCell<Option<BTreeSet<LookupKey>>>,
}

impl CoordinatorTables {
    pub(super) fn new(state: &State) -> Self {
        Self {
            sql: SqlTables::new(state),
            tables_created: Cell::default(),
            state: RefCell::default(),
            features: RefCell::default(),
        }
    }

    pub(super) fn may_read(&self) -> Result<bool> {
        self.sql.may_read()
    }

    /// Creates the tables if this code may write them, and reads the state.
    fn open(&self) -> Result<()> {
        if self.sql.may_write()? && !self.tables_created.replace(true) {
            self.sql.create_tables(&SCHEMA)?;
        }
        if self.state.borrow().is_none() {
            let rows = self.sql.query("SELECT state FROM coordinator", vec![])?;
            let state = match rows.first().map(Vec::as_slice) {
                Some([SqlStorageValue::String(state)]) => json::from_slice(state.as_bytes())
                    .unwrap_or_else(|_| {
                        let mut lost = CoordinatorState::default();
                        let found_at = now_millis().to_timestamp();
                        lost.poll.gap = Some(PollGap { found_at, unread: None });
                        lost
                    }),
                _ => CoordinatorState::default(),
            };
            self.state.replace(Some(state));
        }
        Ok(())
    }

    fn execute(&self, statement: &str, values: Vec<SqlStorageValue>) -> Result<()> {
        self.open()?;
        self.sql.execute(statement, values)
    }

    fn query(
        &self,
        statement: &str,
        values: Vec<SqlStorageValue>,
    ) -> Result<Vec<Vec<SqlStorageValue>>> {
        self.open()?;
        self.sql.query(statement, values)
    }

    fn store(&self, state: CoordinatorState) -> Result<()> {
        let json = serde_json::to_string(&state)?;
        let upsert = "INSERT OR REPLACE INTO coordinator (id, state) VALUES (0, ?)";
        self.sql.execute(upsert, vec![json.into()])?;
        self.state.replace(Some(state));
        Ok(())
    }
}

impl CoordinatorStorage for CoordinatorTables {
    fn may_write(&self) -> std::result::Result<bool, PortError> {
        Ok(self.sql.may_write()?)
    }

    fn read<T>(
        &self,
        select: impl FnOnce(&CoordinatorState) -> T,
    ) -> std::result::Result<T, PortError> {
        self.open()?;
        Ok(match &*self.state.borrow() {
            Some(state) => select(state),
            None => select(&CoordinatorState::default()),
        })
    }

    fn update<T>(
        &self,
        step: impl FnOnce(&mut CoordinatorState) -> T,
    ) -> std::result::Result<T, PortError> {
        self.open()?;
        let before = self.state.borrow().clone().unwrap_or_default();
        let mut state = before.clone();
        let result = step(&mut state);
        if state != before {
            self.store(state)?;
        }
        Ok(result)
    }

    fn has_event(&self, event: &EventId) -> std::result::Result<bool, PortError> {
        let select = "SELECT 1 FROM events WHERE id = ?";
        Ok(!self.query(select, vec![event.as_str().into()])?.is_empty())
    }

    fn record_event(
        &self,
        event: &EventId,
        created: Timestamp,
    ) -> std::result::Result<(), PortError> {
        let values = vec![event.as_str().into(), SqlStorageValue::try_from_i64(created.0)?];
        Ok(self.execute("INSERT OR REPLACE INTO events (id, created) VALUES (?, ?)", values)?)
    }

    fn purge_events(&self, before: Timestamp) -> std::result::Result<(), PortError> {
        let values = vec![SqlStorageValue::try_from_i64(before.0)?];
        Ok(self.execute("DELETE FROM events WHERE created < ?", values)?)
    }

    fn due_retries(
        &self,
        limit: u32,
        now: UnixMillis,
    ) -> std::result::Result<Vec<RetryTask>, PortError> {
        let select = "SELECT task FROM retries WHERE due_at <= ? ORDER BY due_at LIMIT ?";
        let rows = self.query(select, vec![integer_value(now.0)?, integer_value(limit.into())?])?;
        let tasks = rows.iter().filter_map(|row| match row.as_slice() {
            [SqlStorageValue::String(task)] => Some(rpc::decode(task.as_bytes())),
            _ => None,
        });
        Ok(tasks.collect::<Result<_>>()?)
    }

    fn retries(&self) -> std::result::Result<(u32, Option<UnixMillis>), PortError> {
        let rows = self.query("SELECT COUNT(*), MIN(due_at) FROM retries", vec![])?;
        Ok(match rows.first().map(Vec::as_slice) {
            Some([SqlStorageValue::Integer(count), next]) => {
                let next = match next {
                    SqlStorageValue::Integer(next) => u64::try_from(*next).ok().map(UnixMillis),
                    _ => None,
                };
                (u32::try_from(*count).unwrap_or(u32::MAX), next)
            }
            _ => (0, None),
        })
    }

    fn put_retry(&self, task: &RetryTask) -> std::result::Result<(), PortError> {
        let json = serde_json::to_string(task).map_err(|error| PortError(error.to_string()))?;
        let upsert = "INSERT OR REPLACE INTO retries (event, task, due_at) VALUES (?, ?, ?)";
        let values = vec![task.event.as_str().into(), json.into(), integer_value(task.due_at.0)?];
        Ok(self.execute(upsert, values)?)
    }

    fn features(&self) -> std::result::Result<BTreeSet<LookupKey>, PortError> {
        if let Some(features) = &*self.features.borrow() {
            return Ok(features.clone());
        }
        let rows = self.query("SELECT lookup_key FROM features", vec![])?;
        let mut features = BTreeSet::new();
        features.extend(rows.into_iter().filter_map(|row| match row.into_iter().next() {
            Some(SqlStorageValue::String(key)) => LookupKey::try_from(key).ok(),
            _ => None,
        }));
        self.features.replace(Some(features.clone()));
        Ok(features)
    }

    fn add_feature(&self, feature: &LookupKey) -> std::result::Result<(), PortError> {
        let insert = "INSERT OR IGNORE INTO features (lookup_key) VALUES (?)";
        self.execute(insert, vec![feature.as_str().into()])?;
        if let Some(features) = &mut *self.features.borrow_mut() {
            features.insert(feature.clone());
        }
        Ok(())
    }

    fn delete_retry(&self, event: &EventId) -> std::result::Result<(), PortError> {
        let delete = "DELETE FROM retries WHERE event = ?";
        Ok(self.execute(delete, vec![event.as_str().into()])?)
    }
}
