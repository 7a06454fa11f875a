//! A ledger's tables in SQLite: the statements that read and write its rows. The tables of the history
//! and of the overrides have files of their own.
//!
//! The first write creates the tables. So a request about an unknown customer stores nothing. Only
//! this object writes the tables, so an instance reads the row of `state` once and caches what it has
//! written.
//!
//! Not here: the rows and what a step writes ([`crate::store::ledger_rows`]), and the steps, which are
//! methods of [`LedgerState`].

use std::cell::RefCell;

use worker::{Error, Result, SqlStorageValue, State};

use super::{history_table, overrides_table};
use crate::{
    entitlement::Version,
    id::{CustomerKey, EventId, Timestamp},
    ledger::{
        Dedup, HistoryEntry, HistoryQuery, LedgerState, LedgerStorage, OverrideSelection,
        PortError, StepError, StoredOverride,
    },
    store::ledger_rows::{
        EventWrite, RECORD_CHUNK, RecordWrite, StepWrites, decode_state, oldest_event,
    },
    worker::{
        rpc::decode,
        runtime::now_millis,
        sql::{SqlTables, timestamp_value},
    },
};

/// The most changes that a subscriber receives that has missed them. A client that missed more reads the set
/// again.
const MAX_MISSED_CHANGES: u32 = 100;

type PortResult<T> = std::result::Result<T, PortError>;
type StepResult<T> = std::result::Result<T, StepError>;

const SCHEMA: [&str; 6] = [
    "CREATE TABLE IF NOT EXISTS state (id INTEGER PRIMARY KEY CHECK (id = 0), \
     customer TEXT NOT NULL, state TEXT NOT NULL, record BLOB)",
    "CREATE TABLE IF NOT EXISTS record_chunks (chunk INTEGER PRIMARY KEY, bytes BLOB NOT NULL)",
    "CREATE TABLE IF NOT EXISTS events (id TEXT PRIMARY KEY, received_at INTEGER NOT NULL) \
     WITHOUT ROWID",
    history_table::SCHEMA,
    overrides_table::SCHEMA,
    overrides_table::INDEX,
];

/// The content of the row of `state`.
#[derive(Default)]
struct CachedLedger {
    /// `None` if nothing is stored.
    customer: Option<CustomerKey>,
    ledger: LedgerState,
    record: StoredRecord,
}

/// The record of the set, as it is stored.
enum StoredRecord {
    /// In the row of `state`. It is empty if there is no set.
    Row(Vec<u8>),
    /// In chunks. They are not cached, since few callers need a large record.
    Chunks,
}

impl Default for StoredRecord {
    fn default() -> Self {
        Self::Row(Vec::new())
    }
}

/// The tables of one customer.
pub(super) struct LedgerTables {
    sql: SqlTables,
    /// What was read or written last; `None` before that, during a step, and after one that failed to
    /// be written.
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

    /// Returns the entries of the history after this version that are stored, in order.
    pub(super) fn history_since(&self, since: Version) -> Result<Vec<HistoryEntry>> {
        let Some(customer) = self.with_cached(|cached| cached.customer.clone())? else {
            return Ok(Vec::new());
        };
        let (after, limit) = (Some(since), MAX_MISSED_CHANGES);
        let query = HistoryQuery { customer, after, before: None, first: None, last: None, limit };
        self.select_history(&query, now_millis().to_timestamp())
    }

    fn select_history(&self, query: &HistoryQuery, now: Timestamp) -> Result<Vec<HistoryEntry>> {
        let (is_empty, version) =
            self.with_cached(|cached| (cached.customer.is_none(), cached.ledger.version()))?;
        if is_empty {
            Ok(Vec::new())
        } else {
            history_table::select(&self.sql, query, version, now)
        }
    }

    fn with_cached<T>(&self, select: impl FnOnce(&CachedLedger) -> T) -> Result<T> {
        if self.cached.borrow().is_none() {
            let cached = self.read_all()?;
            self.cached.replace(Some(cached));
        }
        self.cached.borrow().as_ref().map(select).ok_or_else(bad_row)
    }

    fn read_all(&self) -> Result<CachedLedger> {
        if self.sql.access()?.is_none() {
            return Ok(CachedLedger::default());
        }
        let rows = self.sql.query("SELECT customer, state, record FROM state", vec![])?;
        let (customer, state, record) = match rows.first().map(Vec::as_slice) {
            None => return Ok(CachedLedger::default()),
            Some(
                [
                    SqlStorageValue::String(customer),
                    SqlStorageValue::String(state),
                    SqlStorageValue::Blob(record),
                ],
            ) => (customer, state, Some(record)),
            Some(
                [
                    SqlStorageValue::String(customer),
                    SqlStorageValue::String(state),
                    SqlStorageValue::Null,
                ],
            ) => (customer, state, None),
            Some(_) => return Err(bad_row()),
        };
        let chunks = if record.is_none() { self.read_chunks()? } else { Vec::new() };
        let ledger = decode_state(state.as_bytes(), record.unwrap_or(&chunks))?;
        let record = match record {
            Some(record) => StoredRecord::Row(record.clone()),
            None if chunks.is_empty() => StoredRecord::default(),
            None => StoredRecord::Chunks,
        };
        Ok(CachedLedger { customer: Some(decode(customer.as_bytes())?), ledger, record })
    }

    fn read_chunks(&self) -> Result<Vec<u8>> {
        let mut record = Vec::new();
        let select = "SELECT bytes FROM record_chunks ORDER BY chunk";
        for row in self.sql.query(select, vec![])? {
            let [SqlStorageValue::Blob(bytes)] = row.as_slice() else { return Err(bad_row()) };
            record.extend(bytes);
        }
        Ok(record)
    }

    /// Runs a step, and stores what it changed.
    fn run_step(
        &self,
        customer: &CustomerKey,
        event: Option<(&EventId, Timestamp)>,
        step: &mut dyn FnMut(&mut LedgerState, Dedup) -> StepResult<()>,
    ) -> StepResult<()> {
        let is_stored = self.with_cached(|cached| cached.customer.is_some())?;
        let dedup = match event {
            Some((event, now)) if is_stored => self.check_duplicate(event, now)?,
            Some(_) | None => Dedup::New,
        };
        let Some(mut cached) = self.cached.take() else { return Err(bad_row().into()) };
        let before = cached.ledger.clone();
        if let Err(error) = step(&mut cached.ledger, dedup) {
            self.cached.replace(Some(CachedLedger { ledger: before, ..cached }));
            return Err(error);
        }
        let event = event.filter(|_| dedup == Dedup::New);
        if event.is_some() || cached.ledger != before {
            let before = is_stored.then_some(&before);
            let writes =
                StepWrites::between(before, &mut cached.ledger, event).map_err(PortError)?;
            // Whether a failed commit was written is unknown: the next call reads the tables.
            self.write(customer, &mut cached, writes)?;
        }
        self.cached.replace(Some(cached));
        Ok(())
    }

    fn check_duplicate(&self, event: &EventId, now: Timestamp) -> Result<Dedup> {
        let select = "SELECT 1 FROM events WHERE id = ? AND received_at >= ?";
        let values = vec![event.as_str().into(), timestamp_value(oldest_event(now))?];
        let is_new = self.sql.query(select, values)?.is_empty();
        Ok(if is_new { Dedup::New } else { Dedup::Duplicate })
    }

    fn write(
        &self,
        customer: &CustomerKey,
        cached: &mut CachedLedger,
        writes: StepWrites,
    ) -> Result<()> {
        if writes.is_state_only() {
            // One statement needs no transaction.
            return self.write_state(writes.state);
        }
        self.sql.transact(|| {
            if cached.customer.is_none() {
                self.sql.create_tables(&SCHEMA)?;
                cached.customer = Some(customer.clone());
            }
            let StepWrites { state, record, event, history, changed_override } = writes;
            match record {
                RecordWrite::Keep => self.write_state(state)?,
                RecordWrite::Row(record) => self.write_record(cached, state, record)?,
                RecordWrite::Chunks(record) => self.write_chunks(cached, state, &record)?,
            }
            if let Some(event) = event {
                self.write_event(event)?;
            }
            for entry in history {
                history_table::write(&self.sql, entry)?;
            }
            if let Some(changed) = changed_override {
                overrides_table::write(&self.sql, changed)?;
            }
            Ok(())
        })?
    }

    fn write_state(&self, state: String) -> Result<()> {
        self.sql.execute("UPDATE state SET state = ?", vec![state.into()])
    }

    fn write_record(
        &self,
        cached: &mut CachedLedger,
        state: String,
        record: Vec<u8>,
    ) -> Result<()> {
        if matches!(cached.record, StoredRecord::Chunks) {
            self.sql.execute("DELETE FROM record_chunks", vec![])?;
        }
        let row = Some(record.clone()).filter(|record| !record.is_empty());
        self.replace_row(cached, state, row)?;
        cached.record = StoredRecord::Row(record);
        Ok(())
    }

    fn write_chunks(&self, cached: &mut CachedLedger, state: String, record: &[u8]) -> Result<()> {
        self.sql.execute("DELETE FROM record_chunks", vec![])?;
        for (chunk, bytes) in (0_i32..).zip(record.chunks(RECORD_CHUNK)) {
            let values = vec![chunk.into(), bytes.to_vec().into()];
            self.sql.execute("INSERT INTO record_chunks (chunk, bytes) VALUES (?, ?)", values)?;
        }
        self.replace_row(cached, state, None)?;
        cached.record = StoredRecord::Chunks;
        Ok(())
    }

    fn replace_row(
        &self,
        cached: &CachedLedger,
        state: String,
        record: Option<Vec<u8>>,
    ) -> Result<()> {
        let customer = serde_json::to_string(&cached.customer)?;
        let replace =
            "INSERT OR REPLACE INTO state (id, customer, state, record) VALUES (0, ?, ?, ?)";
        self.sql.execute(replace, vec![customer.into(), state.into(), record.into()])
    }

    fn write_event(&self, event: EventWrite) -> Result<()> {
        let EventWrite { id, received_at, purge_before } = event;
        if let Some(oldest) = purge_before {
            let delete = "DELETE FROM events WHERE received_at < ?";
            self.sql.execute(delete, vec![timestamp_value(oldest)?])?;
        }
        // An expired row may have the same id.
        let replace = "INSERT OR REPLACE INTO events (id, received_at) VALUES (?, ?)";
        self.sql.execute(replace, vec![id.as_str().into(), timestamp_value(received_at)?])
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
        let in_row = self.with_cached(|cached| match &cached.record {
            StoredRecord::Row(record) => Some(record.clone()),
            StoredRecord::Chunks => None,
        })?;
        let record = match in_row {
            Some(record) => record,
            None if self.customer()?.is_some() => self.read_chunks()?,
            None => Vec::new(),
        };
        Ok((!record.is_empty()).then_some(record))
    }

    fn read_overrides(&self, selection: &OverrideSelection) -> PortResult<Vec<StoredOverride>> {
        if self.with_cached(|cached| cached.customer.is_none())? {
            return Ok(Vec::new());
        }
        Ok(overrides_table::select(&self.sql, selection)?)
    }

    fn read_history(&self, query: &HistoryQuery, now: Timestamp) -> PortResult<Vec<HistoryEntry>> {
        Ok(self.select_history(query, now)?)
    }

    fn update<T>(
        &self,
        customer: &CustomerKey,
        step: impl FnOnce(&mut LedgerState) -> StepResult<T>,
    ) -> StepResult<T> {
        let mut step = Some(step);
        let mut result = None;
        self.run_step(customer, None, &mut |ledger, _| {
            if let Some(step) = step.take() {
                result = Some(step(ledger)?);
            }
            Ok(())
        })?;
        result.ok_or_else(step_did_not_run)
    }

    fn update_with_event<T>(
        &self,
        customer: &CustomerKey,
        event: &EventId,
        now: Timestamp,
        step: impl FnOnce(&mut LedgerState, Dedup) -> StepResult<T>,
    ) -> StepResult<T> {
        let mut step = Some(step);
        let mut result = None;
        self.run_step(customer, Some((event, now)), &mut |ledger, dedup| {
            if let Some(step) = step.take() {
                result = Some(step(ledger, dedup)?);
            }
            Ok(())
        })?;
        result.ok_or_else(step_did_not_run)
    }
}

fn step_did_not_run() -> StepError {
    PortError("the step did not run".to_owned()).into()
}

fn bad_row() -> Error {
    Error::RustError("unexpected columns in a row of the ledger".to_owned())
}
