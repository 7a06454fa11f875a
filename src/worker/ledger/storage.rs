//! What a customer's Durable Object remembers, in SQLite.
//!
//! | table          | holds                                                                     |
//! |----------------|---------------------------------------------------------------------------|
//! | `entitlements` | the record of the set, in parts, since a row ends at 2 MB                 |
//! | `account`      | whose it is, and what is noted of it beside the set                       |
//! | `debts`        | what is owed to others: since when, when it is due, how often it was tried |
//! | `events`       | the ids of the events seen, and when                                      |
//! | `changes`      | the last changes of the set, for those who listen                          |
//!
//! The tables come with the first thing to keep, so that asking about a stranger stores nothing. An
//! object of the first days has no `account` and no `debts`: its set is taken over with the next
//! event. `changes` comes with the first change that is written since there is such a table.
//!
//! Nobody else writes these tables, so that what is noted, held and owed is read once in the life of
//! an object: what was written down is known.

use std::cell::RefCell;

use serde::Serialize;
use worker::{Error, Result, SqlStorageValue, State};

use crate::worker::{
    now_millis, rpc,
    sql::{SqlTables, integer_value},
};
use crate::{
    entitlement::Version,
    id::{CustomerKey, EventId, Timestamp, UnixMillis},
    json::impl_from_json,
    ledger::{
        CHANGE_RETENTION, Dedup, EVENT_RETENTION, LedgerState, ObservedFeatures, Outbox,
        PendingTask, SetChange, SyncProblem, SyncStatus, Task,
    },
    store::record,
};

/// The bytes of a record in one row.
const CHUNK: usize = 1 << 20;

const SCHEMA: [&str; 4] = [
    "CREATE TABLE IF NOT EXISTS entitlements (part INTEGER PRIMARY KEY, record BLOB NOT NULL)",
    "CREATE TABLE IF NOT EXISTS account (id INTEGER PRIMARY KEY CHECK (id = 0), \
     customer TEXT NOT NULL, notes TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS debts (task TEXT PRIMARY KEY, since INTEGER NOT NULL, \
     due INTEGER NOT NULL, tries INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS events (id TEXT PRIMARY KEY, received INTEGER NOT NULL) \
     WITHOUT ROWID",
];

const CHANGES_SCHEMA: &str =
    "CREATE TABLE IF NOT EXISTS changes (version INTEGER PRIMARY KEY, change TEXT NOT NULL)";

/// An account without its set and its outbox.
#[derive(Default, Eq, PartialEq, Serialize)]
struct StateRow {
    confirmed_at: Option<Timestamp>,
    events_received: u64,
    last_replica_write: UnixMillis,
    late_write_until: Option<UnixMillis>,
    source_backoff_until: UnixMillis,
    sync_problem: Option<SyncProblem>,
    last_report: Option<SyncStatus>,
    /// Notes of before it was noted lack it.
    observed_features: Option<ObservedFeatures>,
}

impl_from_json! {
    struct StateRow {
        confirmed_at, events_received, last_replica_write, late_write_until, source_backoff_until, sync_problem, last_report, observed_features,
    }
}

/// Whose tables these are, and what stands in them but for events and changes.
#[derive(Clone)]
struct CachedLedger {
    /// Nobody, before there is anything to keep.
    customer: Option<CustomerKey>,
    state: LedgerState,
}

/// The tables of one customer.
pub(in crate::worker) struct LedgerStorage {
    sql: SqlTables,
    /// What was read or written last; none before that, and after a step that failed.
    cached: RefCell<Option<CachedLedger>>,
}

impl LedgerStorage {
    pub(in crate::worker) fn new(state: &State) -> Self {
        Self { sql: SqlTables::new(state), cached: RefCell::default() }
    }

    /// Whose tables these are: nobody's before there is anything to keep.
    pub(in crate::worker) fn customer(&self) -> Result<Option<CustomerKey>> {
        self.with_cached(|known| known.customer.clone())
    }

    /// What is kept of the customer.
    pub(in crate::worker) fn state(&self) -> Result<LedgerState> {
        self.with_cached(|known| known.state.clone())
    }

    /// What is owed.
    pub(in crate::worker) fn outbox(&self) -> Result<Outbox> {
        self.with_cached(|known| known.state.outbox.clone())
    }

    fn with_cached<T>(&self, part: impl FnOnce(&CachedLedger) -> T) -> Result<T> {
        if self.cached.borrow().is_none() {
            let known = self.read_all()?;
            self.cached.replace(Some(known));
        }
        self.cached.borrow().as_ref().map(part).ok_or_else(bad_row)
    }

    fn read_state_row(&self) -> Result<Option<(CustomerKey, StateRow)>> {
        if !self.sql.table_exists("account")? {
            return Ok(None);
        }
        let rows = self.sql.query("SELECT customer, notes FROM account", vec![])?;
        match rows.first().map(Vec::as_slice) {
            None => Ok(None),
            Some([SqlStorageValue::String(customer), SqlStorageValue::String(notes)]) => {
                let customer = rpc::decode(customer.as_bytes())?;
                Ok(Some((customer, rpc::decode(notes.as_bytes())?)))
            }
            Some(_) => Err(bad_row()),
        }
    }

    /// Whether there is an account, as far as that is known: with it the other tables came.
    fn has_state_row(&self) -> bool {
        self.cached.borrow().as_ref().is_some_and(|known| known.customer.is_some())
    }

    fn read_all(&self) -> Result<CachedLedger> {
        let held = match self.read_record()? {
            Some(record) => Some(record::decode(&record).map_err(|error| error.to_string())?),
            None => None,
        };
        let Some((owner, notes)) = self.read_state_row()? else {
            // Whether the replica has this copy is not known.
            let now = now_millis();
            let debt = PendingTask { created_at: now, due_at: now, attempts: 0 };
            let debts = held.as_ref().map(|_| (Task::Replica, debt));
            let account = LedgerState {
                entitlements: held,
                outbox: Outbox::from_tasks(debts),
                ..LedgerState::default()
            };
            return Ok(CachedLedger { customer: None, state: account });
        };
        let StateRow {
            confirmed_at: confirmed,
            events_received: arrivals,
            last_replica_write: written,
            late_write_until: doubtful,
            source_backoff_until: left_alone,
            sync_problem: trouble,
            last_report: reported,
            observed_features: seen,
        } = notes;
        let account = LedgerState {
            entitlements: held,
            confirmed_at: confirmed,
            events_received: arrivals,
            last_replica_write: written,
            late_write_until: doubtful,
            source_backoff_until: left_alone,
            sync_problem: trouble,
            last_report: reported,
            observed_features: seen.unwrap_or_default(),
            outbox: self.read_outbox()?,
        };
        Ok(CachedLedger { customer: Some(owner), state: account })
    }

    /// The record of the set, or none while nothing is held.
    pub(in crate::worker) fn read_record(&self) -> Result<Option<Vec<u8>>> {
        let mut record = Vec::new();
        if !self.has_state_row() && !self.sql.table_exists("entitlements")? {
            return Ok(None);
        }
        for row in self.sql.query("SELECT record FROM entitlements ORDER BY part", vec![])? {
            let [SqlStorageValue::Blob(part)] = row.as_slice() else { return Err(bad_row()) };
            record.extend(part);
        }
        Ok((!record.is_empty()).then_some(record))
    }

    /// Takes one step of the customer's account, and writes down what it changed: all of it, or
    /// nothing if the step fails.
    pub(in crate::worker) fn update<T>(
        &self,
        customer: &CustomerKey,
        step: impl FnOnce(&Self, &mut LedgerState) -> Result<T>,
    ) -> Result<T> {
        let mut step = Some(step);
        let mut done = None;
        self.update_and_persist(customer, &mut |account| {
            if let Some(step) = step.take() {
                done = Some(step(self, account)?);
            }
            Ok(())
        })?;
        done.ok_or_else(|| Error::RustError("the step was not taken".to_owned()))
    }

    fn update_and_persist(
        &self,
        customer: &CustomerKey,
        change: &mut dyn FnMut(&mut LedgerState) -> Result<()>,
    ) -> Result<()> {
        let CachedLedger { customer: owner, state: mut after } =
            self.with_cached(CachedLedger::clone)?;
        let changed = self.sql.transact(|| {
            let before = match owner {
                Some(_) => after.clone(),
                // All is written down, but for the set: that is there, if there is one.
                None => LedgerState {
                    entitlements: after.entitlements.clone(),
                    ..LedgerState::default()
                },
            };
            change(&mut after)?;
            let is_same = before == after;
            if !is_same {
                self.persist(customer, &before, &after)?;
            }
            Ok(!is_same)
        });
        let changed: Result<bool> = changed.and_then(|changed| changed);
        match changed {
            Ok(false) => {}
            Ok(true) => {
                let owner = Some(customer.clone());
                self.cached.replace(Some(CachedLedger { customer: owner, state: after }));
            }
            // What stands in the tables now is what stood there before.
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
            for (part, bytes) in (0_i32..).zip(record.chunks(CHUNK)) {
                let values = vec![part.into(), bytes.to_vec().into()];
                self.sql
                    .execute("INSERT INTO entitlements (part, record) VALUES (?, ?)", values)?;
            }
            if let Some(change) = SetChange::between(before.entitlements.as_ref(), set) {
                self.store_change(&change)?;
            }
        }
        for task in Task::ALL {
            let debt = after.outbox.pending(task);
            if debt != before.outbox.pending(task) {
                self.store_task(task, debt)?;
            }
        }
        let LedgerState {
            confirmed_at: confirmed,
            events_received: arrivals,
            last_replica_write: written,
            late_write_until: doubtful,
            source_backoff_until: left_alone,
            sync_problem: trouble,
            last_report: reported,
            ..
        } = *after;
        let seen = Some(after.observed_features.clone());
        let notes = StateRow {
            confirmed_at: confirmed,
            events_received: arrivals,
            last_replica_write: written,
            late_write_until: doubtful,
            source_backoff_until: left_alone,
            sync_problem: trouble,
            last_report: reported,
            observed_features: seen,
        };
        let values =
            vec![serde_json::to_string(customer)?.into(), serde_json::to_string(&notes)?.into()];
        self.sql.execute(
            "INSERT OR REPLACE INTO account (id, customer, notes) VALUES (0, ?, ?)",
            values,
        )
    }

    fn store_change(&self, change: &SetChange) -> Result<()> {
        self.sql.execute(CHANGES_SCHEMA, vec![])?;
        let forgotten = change.version.0.saturating_sub(CHANGE_RETENTION);
        if forgotten > 0 {
            let forgotten = vec![integer_value(forgotten)?];
            self.sql.execute("DELETE FROM changes WHERE version <= ?", forgotten)?;
        }
        if !change.fits_in_message() {
            return Ok(());
        }
        let values = vec![integer_value(change.version.0)?, serde_json::to_string(change)?.into()];
        self.sql.execute("INSERT OR REPLACE INTO changes (version, change) VALUES (?, ?)", values)
    }

    /// The changes after this version that are remembered, in order.
    pub(in crate::worker) fn changes_since(&self, since: Version) -> Result<Vec<SetChange>> {
        if !self.sql.table_exists("changes")? {
            return Ok(Vec::new());
        }
        let later = "SELECT change FROM changes WHERE version > ? ORDER BY version";
        let change = |row: Vec<SqlStorageValue>| match row.as_slice() {
            [SqlStorageValue::String(change)] => rpc::decode(change.as_bytes()),
            _ => Err(bad_row()),
        };
        self.sql.query(later, vec![integer_value(since.0)?])?.into_iter().map(change).collect()
    }

    fn store_task(&self, task: Task, debt: Option<PendingTask>) -> Result<()> {
        let Some(PendingTask { created_at: since, due_at: due, attempts: tries }) = debt else {
            return self
                .sql
                .execute("DELETE FROM debts WHERE task = ?", vec![task.as_str().into()]);
        };
        let values = vec![
            task.as_str().into(),
            integer_value(since.0)?,
            integer_value(due.0)?,
            integer_value(tries.into())?,
        ];
        self.sql.execute(
            "INSERT OR REPLACE INTO debts (task, since, due, tries) VALUES (?, ?, ?, ?)",
            values,
        )
    }

    fn read_outbox(&self) -> Result<Outbox> {
        let mut debts = Vec::new();
        for row in self.sql.query("SELECT task, since, due, tries FROM debts", vec![])? {
            let [
                SqlStorageValue::String(name),
                SqlStorageValue::Integer(since),
                SqlStorageValue::Integer(due),
                SqlStorageValue::Integer(tries),
            ] = row.as_slice()
            else {
                return Err(bad_row());
            };
            let moment = |millis: i64| UnixMillis(u64::try_from(millis).unwrap_or_default());
            let tries = u32::try_from(*tries).unwrap_or(u32::MAX);
            let debt =
                PendingTask { created_at: moment(*since), due_at: moment(*due), attempts: tries };
            // A task of a deployment that came after this one is left to it.
            let task = Task::ALL.into_iter().find(|task| task.as_str() == name);
            debts.extend(task.map(|task| (task, debt)));
        }
        Ok(Outbox::from_tasks(debts))
    }

    fn create_tables(&self) -> Result<()> {
        if self.has_state_row() { Ok(()) } else { self.sql.create_tables(&SCHEMA) }
    }

    pub(in crate::worker) fn check_duplicate(&self, event: &EventId) -> Result<Dedup> {
        self.create_tables()?;
        let seen =
            self.sql.query("SELECT 1 FROM events WHERE id = ?", vec![event.as_str().into()])?;
        Ok(if seen.is_empty() { Dedup::New } else { Dedup::Duplicate })
    }

    /// Remembers an event, and forgets those that can no longer come again.
    pub(in crate::worker) fn record_event(&self, event: &EventId, now: Timestamp) -> Result<()> {
        let expired = SqlStorageValue::try_from_i64(now.0.saturating_sub(EVENT_RETENTION))?;
        self.sql.execute("DELETE FROM events WHERE received < ?", vec![expired])?;
        let values = vec![event.as_str().into(), SqlStorageValue::try_from_i64(now.0)?];
        self.sql.execute("INSERT OR IGNORE INTO events (id, received) VALUES (?, ?)", values)
    }
}

fn bad_row() -> Error {
    Error::RustError("a row of the ledger has another form".to_owned())
}
