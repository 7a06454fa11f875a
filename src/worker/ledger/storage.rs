//! A ledger's tables in SQLite.
//!
//! | table          | row                                                                    |
//! |----------------|------------------------------------------------------------------------|
//! | `entitlements` | a chunk of the set's record, since a row is limited to 2 MB            |
//! | `state`        | the customer, and the ledger's state without its set and its tasks     |
//! | `tasks`        | a pending task: when it was created, when it is due, its attempts      |
//! | `events`       | the id of an event that was received, and when                         |
//! | `changes`      | one of the last changes of the set, for subscribers                    |
//!
//! The first write creates the tables. So a request about an unknown customer stores nothing. Only
//! this object writes the tables, so an instance reads each of `state`, `entitlements` and `tasks`
//! once and caches what it has written.
//!
//! Not here: the steps that change a [`LedgerState`], which are its methods.

use std::cell::RefCell;

use serde::Serialize;
use worker::{Error, Result, SqlStorageValue, State};

use crate::{
    entitlement::Version,
    id::{CustomerKey, EventId, Timestamp, UnixMillis},
    json::json_type,
    ledger::{
        CHANGE_RETENTION, Dedup, EVENT_RETENTION, LedgerState, LedgerStorage, ObservedFeatures,
        Outbox, PendingTask, PortError, ReconcileTimer, ReplicaWrites, SetChange, StepError,
        SyncProblem, SyncStatus, Task,
    },
    store::record,
    worker::{
        rpc::decode,
        sql::{SqlTables, integer_value},
    },
};

type PortResult<T> = std::result::Result<T, PortError>;

/// The bytes of a record in one row.
const CHUNK: usize = 1 << 20;

const SCHEMA: [&str; 5] = [
    "CREATE TABLE IF NOT EXISTS entitlements (chunk INTEGER PRIMARY KEY, record BLOB NOT NULL)",
    "CREATE TABLE IF NOT EXISTS state (id INTEGER PRIMARY KEY CHECK (id = 0), \
     customer TEXT NOT NULL, state TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS tasks (task TEXT PRIMARY KEY, created_at INTEGER NOT NULL, \
     due_at INTEGER NOT NULL, attempts INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS events (id TEXT PRIMARY KEY, received_at INTEGER NOT NULL) \
     WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS changes (version INTEGER PRIMARY KEY, change TEXT NOT NULL)",
];

json_type! {
    /// A [`LedgerState`] without its set and its outbox, as it is stored in `state`.
    #[derive(Serialize)]
    struct StateRow {
        confirmed_at: Option<Timestamp>,
        events_received: u64,
        deleted_at: Option<Timestamp>,
        replica_writes: ReplicaWrites,
        reconcile_timer: ReconcileTimer,
        source_backoff_until: UnixMillis,
        read_slot: Option<UnixMillis>,
        sync_problem: Option<SyncProblem>,
        last_report: Option<SyncStatus>,
        observed_features: ObservedFeatures,
    }
}

/// The content of the tables, without events and changes.
#[derive(Clone, Default)]
struct CachedLedger {
    /// `None` if nothing is stored.
    customer: Option<CustomerKey>,
    ledger: LedgerState,
}

/// The tables of one customer.
pub(super) struct LedgerTables {
    sql: SqlTables,
    /// What was read or written last; `None` before that, and after an update that failed.
    cached: RefCell<Option<CachedLedger>>,
}

impl LedgerTables {
    pub(super) fn new(state: &State) -> Self {
        Self { sql: SqlTables::new(state), cached: RefCell::default() }
    }

    /// Returns the version of the set.
    pub(super) fn version(&self) -> Result<Version> {
        self.with_cached(|cached| cached.ledger.version())
    }

    /// Returns the changes after this version that are stored, in order.
    pub(super) fn changes_since(&self, since: Version) -> Result<Vec<SetChange>> {
        if self.with_cached(|cached| cached.customer.is_none())? {
            return Ok(Vec::new());
        }
        let select = "SELECT change FROM changes WHERE version > ? ORDER BY version";
        let change = |row: Vec<SqlStorageValue>| match row.as_slice() {
            [SqlStorageValue::String(change)] => decode(change.as_bytes()),
            _ => Err(bad_row()),
        };
        self.sql.query(select, vec![integer_value(since.0)?])?.into_iter().map(change).collect()
    }

    fn with_cached<T>(&self, select: impl FnOnce(&CachedLedger) -> T) -> Result<T> {
        if self.cached.borrow().is_none() {
            let cached = self.read_all()?;
            self.cached.replace(Some(cached));
        }
        self.cached.borrow().as_ref().map(select).ok_or_else(bad_row)
    }

    fn read_all(&self) -> Result<CachedLedger> {
        let Some((customer, row)) = self.read_state_row()? else {
            return Ok(CachedLedger::default());
        };
        let entitlements = match self.select_record()? {
            Some(record) => Some(record::decode(&record).map_err(|error| error.to_string())?),
            None => None,
        };
        let StateRow {
            confirmed_at,
            events_received,
            deleted_at,
            replica_writes,
            reconcile_timer,
            source_backoff_until,
            read_slot,
            sync_problem,
            last_report,
            observed_features,
        } = row;
        let ledger = LedgerState {
            entitlements,
            confirmed_at,
            events_received,
            deleted_at,
            replica_writes,
            reconcile_timer,
            source_backoff_until,
            read_slot,
            sync_problem,
            last_report,
            observed_features,
            outbox: self.read_outbox()?,
        };
        Ok(CachedLedger { customer: Some(customer), ledger })
    }

    fn read_state_row(&self) -> Result<Option<(CustomerKey, StateRow)>> {
        if self.sql.access()?.is_none() {
            return Ok(None);
        }
        let rows = self.sql.query("SELECT customer, state FROM state", vec![])?;
        match rows.first().map(Vec::as_slice) {
            None => Ok(None),
            Some([SqlStorageValue::String(customer), SqlStorageValue::String(state)]) => {
                Ok(Some((decode(customer.as_bytes())?, decode(state.as_bytes())?)))
            }
            Some(_) => Err(bad_row()),
        }
    }

    fn select_record(&self) -> Result<Option<Vec<u8>>> {
        let mut record = Vec::new();
        for row in self.sql.query("SELECT record FROM entitlements ORDER BY chunk", vec![])? {
            let [SqlStorageValue::Blob(chunk)] = row.as_slice() else { return Err(bad_row()) };
            record.extend(chunk);
        }
        Ok((!record.is_empty()).then_some(record))
    }

    fn read_outbox(&self) -> Result<Outbox> {
        let mut tasks = Vec::new();
        let select = "SELECT task, created_at, due_at, attempts FROM tasks";
        for row in self.sql.query(select, vec![])? {
            let [
                SqlStorageValue::String(name),
                SqlStorageValue::Integer(created_at),
                SqlStorageValue::Integer(due_at),
                SqlStorageValue::Integer(attempts),
            ] = row.as_slice()
            else {
                return Err(bad_row());
            };
            let timestamp = |millis: i64| UnixMillis(u64::try_from(millis).unwrap_or_default());
            let pending = PendingTask {
                created_at: timestamp(*created_at),
                due_at: timestamp(*due_at),
                attempts: u32::try_from(*attempts).unwrap_or(u32::MAX),
            };
            // After a rollback, skips the tasks that only the newer deployment has.
            let task = Task::ALL.into_iter().find(|task| task.as_str() == name);
            tasks.extend(task.map(|task| (task, pending)));
        }
        Ok(Outbox::from_tasks(tasks))
    }

    fn update_and_persist(
        &self,
        customer: &CustomerKey,
        step: &mut dyn FnMut(&mut LedgerState) -> std::result::Result<(), StepError>,
    ) -> std::result::Result<(), StepError> {
        let mut after = self.with_cached(|cached| cached.ledger.clone())?;
        let changed = self.sql.transact(|| {
            let before = after.clone();
            step(&mut after)?;
            let changed = before != after;
            if changed {
                self.persist(customer, &before, &after)?;
            }
            Ok(changed)
        });
        let changed = changed.map_err(StepError::from).and_then(|changed| changed);
        match changed {
            Ok(false) => {}
            Ok(true) => {
                let customer = Some(customer.clone());
                self.cached.replace(Some(CachedLedger { customer, ledger: after }));
            }
            // Whether a failed commit was written is unknown: the next call reads the tables.
            Err(_) => drop(self.cached.take()),
        }
        changed.map(drop)
    }

    fn persist(
        &self,
        customer: &CustomerKey,
        before: &LedgerState,
        after: &LedgerState,
    ) -> Result<()> {
        self.create_tables()?;
        if before.entitlements != after.entitlements
            && let Some(set) = &after.entitlements
        {
            let record = record::encode(set).map_err(|error| error.to_string())?;
            self.sql.execute("DELETE FROM entitlements", vec![])?;
            for (chunk, bytes) in (0_i32..).zip(record.chunks(CHUNK)) {
                let values = vec![chunk.into(), bytes.to_vec().into()];
                self.sql
                    .execute("INSERT INTO entitlements (chunk, record) VALUES (?, ?)", values)?;
            }
            if let Some(change) = SetChange::between(before.entitlements.as_ref(), set) {
                self.store_change(&change)?;
            }
        }
        for task in Task::ALL {
            let pending = after.outbox.pending(task);
            if pending != before.outbox.pending(task) {
                self.store_task(task, pending)?;
            }
        }
        // All fields, so that a new one is stored.
        let &LedgerState {
            entitlements: _,
            outbox: _,
            confirmed_at,
            events_received,
            deleted_at,
            replica_writes,
            reconcile_timer,
            source_backoff_until,
            read_slot,
            sync_problem,
            last_report,
            ref observed_features,
        } = after;
        let row = StateRow {
            confirmed_at,
            events_received,
            deleted_at,
            replica_writes,
            reconcile_timer,
            source_backoff_until,
            read_slot,
            sync_problem,
            last_report,
            observed_features: observed_features.clone(),
        };
        let values =
            vec![serde_json::to_string(customer)?.into(), serde_json::to_string(&row)?.into()];
        self.sql
            .execute("INSERT OR REPLACE INTO state (id, customer, state) VALUES (0, ?, ?)", values)
    }

    fn store_change(&self, change: &SetChange) -> Result<()> {
        let expired = change.version.0.saturating_sub(CHANGE_RETENTION);
        if expired > 0 {
            let values = vec![integer_value(expired)?];
            self.sql.execute("DELETE FROM changes WHERE version <= ?", values)?;
        }
        if !change.fits_in_message() {
            return Ok(());
        }
        let values = vec![integer_value(change.version.0)?, serde_json::to_string(change)?.into()];
        self.sql.execute("INSERT OR REPLACE INTO changes (version, change) VALUES (?, ?)", values)
    }

    fn store_task(&self, task: Task, pending: Option<PendingTask>) -> Result<()> {
        let Some(PendingTask { created_at, due_at, attempts }) = pending else {
            return self
                .sql
                .execute("DELETE FROM tasks WHERE task = ?", vec![task.as_str().into()]);
        };
        let values = vec![
            task.as_str().into(),
            integer_value(created_at.0)?,
            integer_value(due_at.0)?,
            integer_value(attempts.into())?,
        ];
        self.sql.execute(
            "INSERT OR REPLACE INTO tasks (task, created_at, due_at, attempts) VALUES (?, ?, ?, ?)",
            values,
        )
    }

    fn create_tables(&self) -> Result<()> {
        if self.sql.access()?.is_some() { Ok(()) } else { self.sql.create_tables(&SCHEMA) }
    }
}

impl LedgerStorage for LedgerTables {
    fn may_read(&self) -> PortResult<bool> {
        Ok(self.sql.may_read()?)
    }

    fn may_write(&self) -> PortResult<bool> {
        Ok(self.sql.may_write()?)
    }

    fn customer(&self) -> PortResult<Option<CustomerKey>> {
        Ok(self.with_cached(|cached| cached.customer.clone())?)
    }

    fn read<T>(&self, select: impl FnOnce(&LedgerState) -> T) -> PortResult<T> {
        Ok(self.with_cached(|cached| select(&cached.ledger))?)
    }

    fn read_record(&self) -> PortResult<Option<Vec<u8>>> {
        let is_empty = self.with_cached(|cached| cached.customer.is_none())?;
        Ok(if is_empty { None } else { self.select_record()? })
    }

    fn update<T>(
        &self,
        customer: &CustomerKey,
        step: impl FnOnce(&mut LedgerState) -> std::result::Result<T, StepError>,
    ) -> std::result::Result<T, StepError> {
        let mut step = Some(step);
        let mut result = None;
        self.update_and_persist(customer, &mut |ledger| {
            if let Some(step) = step.take() {
                result = Some(step(ledger)?);
            }
            Ok(())
        })?;
        result.ok_or_else(|| PortError("the step did not run".to_owned()).into())
    }

    fn check_duplicate(&self, event: &EventId, now: Timestamp) -> PortResult<Dedup> {
        self.create_tables()?;
        let expired = SqlStorageValue::try_from_i64(now.0.saturating_sub(EVENT_RETENTION))?;
        self.sql.execute("DELETE FROM events WHERE received_at < ?", vec![expired])?;
        let rows =
            self.sql.query("SELECT 1 FROM events WHERE id = ?", vec![event.as_str().into()])?;
        Ok(if rows.is_empty() { Dedup::New } else { Dedup::Duplicate })
    }

    fn record_event(&self, event: &EventId, now: Timestamp) -> PortResult<()> {
        let values = vec![event.as_str().into(), SqlStorageValue::try_from_i64(now.0)?];
        let insert = "INSERT OR IGNORE INTO events (id, received_at) VALUES (?, ?)";
        Ok(self.sql.execute(insert, values)?)
    }
}

fn bad_row() -> Error {
    Error::RustError("unexpected columns in a row of the ledger".to_owned())
}
