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

use super::{
    millis, object,
    sql::{Sql, integer},
};
use crate::{
    entitlement::Version,
    id::{Customer, EventId, Millis, Timestamp},
    json::readable,
    ledger::{
        Account, CHANGE_MEMORY, Change, Debt, EVENT_MEMORY, Outbox, Seen, Sighting, Standing, Task,
        Trouble,
    },
    store::record,
};

/// The bytes of a record in one row.
const PART: usize = 1 << 20;

const SCHEMA: [&str; 4] = [
    "CREATE TABLE IF NOT EXISTS entitlements (part INTEGER PRIMARY KEY, record BLOB NOT NULL)",
    "CREATE TABLE IF NOT EXISTS account (id INTEGER PRIMARY KEY CHECK (id = 0), \
     customer TEXT NOT NULL, notes TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS debts (task TEXT PRIMARY KEY, since INTEGER NOT NULL, \
     due INTEGER NOT NULL, tries INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS events (id TEXT PRIMARY KEY, received INTEGER NOT NULL) \
     WITHOUT ROWID",
];

const CHANGES: &str =
    "CREATE TABLE IF NOT EXISTS changes (version INTEGER PRIMARY KEY, change TEXT NOT NULL)";

/// An account without its set and its outbox.
#[derive(Default, Eq, PartialEq, Serialize)]
struct Notes {
    confirmed: Option<Timestamp>,
    arrivals: u64,
    written: Millis,
    doubtful: Option<Millis>,
    left_alone: Millis,
    trouble: Option<Trouble>,
    reported: Option<Standing>,
    /// Notes of before it was noted lack it.
    seen: Option<Seen>,
}

readable! {
    struct Notes {
        confirmed, arrivals, written, doubtful, left_alone, trouble, reported, seen,
    }
}

/// Whose tables these are, and what stands in them but for events and changes.
#[derive(Clone)]
struct Known {
    /// Nobody, before there is anything to keep.
    owner: Option<Customer>,
    account: Account,
}

/// The tables of one customer.
pub(super) struct Tables {
    sql: Sql,
    /// What was read or written last; none before that, and after a step that failed.
    known: RefCell<Option<Known>>,
}

impl Tables {
    pub(super) fn of(state: &State) -> Self {
        Self { sql: Sql::of(state), known: RefCell::default() }
    }

    /// Whose tables these are: nobody's before there is anything to keep.
    pub(super) fn owner(&self) -> Result<Option<Customer>> {
        self.known(|known| known.owner.clone())
    }

    /// What is kept of the customer.
    pub(super) fn account(&self) -> Result<Account> {
        self.known(|known| known.account.clone())
    }

    /// What is owed.
    pub(super) fn outbox(&self) -> Result<Outbox> {
        self.known(|known| known.account.outbox.clone())
    }

    fn known<T>(&self, part: impl FnOnce(&Known) -> T) -> Result<T> {
        if self.known.borrow().is_none() {
            let known = self.read()?;
            self.known.replace(Some(known));
        }
        self.known.borrow().as_ref().map(part).ok_or_else(misread)
    }

    fn owned(&self) -> Result<Option<(Customer, Notes)>> {
        if !self.sql.has("account")? {
            return Ok(None);
        }
        let rows = self.sql.rows("SELECT customer, notes FROM account", vec![])?;
        match rows.first().map(Vec::as_slice) {
            None => Ok(None),
            Some([SqlStorageValue::String(customer), SqlStorageValue::String(notes)]) => {
                let customer = object::read(customer.as_bytes())?;
                Ok(Some((customer, object::read(notes.as_bytes())?)))
            }
            Some(_) => Err(misread()),
        }
    }

    /// Whether there is an account, as far as that is known: with it the other tables came.
    fn is_owned(&self) -> bool {
        self.known.borrow().as_ref().is_some_and(|known| known.owner.is_some())
    }

    fn read(&self) -> Result<Known> {
        let held = match self.record()? {
            Some(record) => Some(record::read(&record).map_err(|error| error.to_string())?),
            None => None,
        };
        let Some((owner, notes)) = self.owned()? else {
            // Whether the replica has this copy is not known.
            let now = millis();
            let debt = Debt { since: now, due: now, tries: 0 };
            let debts = held.as_ref().map(|_| (Task::Replica, debt));
            let account = Account { held, outbox: Outbox::of(debts), ..Account::default() };
            return Ok(Known { owner: None, account });
        };
        let Notes { confirmed, arrivals, written, doubtful, left_alone, trouble, reported, seen } =
            notes;
        let account = Account {
            held,
            confirmed,
            arrivals,
            written,
            doubtful,
            left_alone,
            trouble,
            reported,
            seen: seen.unwrap_or_default(),
            outbox: self.debts()?,
        };
        Ok(Known { owner: Some(owner), account })
    }

    /// The record of the set, or none while nothing is held.
    pub(super) fn record(&self) -> Result<Option<Vec<u8>>> {
        let mut record = Vec::new();
        if !self.is_owned() && !self.sql.has("entitlements")? {
            return Ok(None);
        }
        for row in self.sql.rows("SELECT record FROM entitlements ORDER BY part", vec![])? {
            let [SqlStorageValue::Blob(part)] = row.as_slice() else { return Err(misread()) };
            record.extend(part);
        }
        Ok((!record.is_empty()).then_some(record))
    }

    /// Takes one step of the customer's account, and writes down what it changed: all of it, or
    /// nothing if the step fails.
    pub(super) fn step<T>(
        &self,
        customer: &Customer,
        step: impl FnOnce(&Self, &mut Account) -> Result<T>,
    ) -> Result<T> {
        let mut step = Some(step);
        let mut done = None;
        self.change(customer, &mut |account| {
            if let Some(step) = step.take() {
                done = Some(step(self, account)?);
            }
            Ok(())
        })?;
        done.ok_or_else(|| Error::RustError("the step was not taken".to_owned()))
    }

    fn change(
        &self,
        customer: &Customer,
        change: &mut dyn FnMut(&mut Account) -> Result<()>,
    ) -> Result<()> {
        let Known { owner, account: mut after } = self.known(Known::clone)?;
        let changed = self.sql.transact(|| {
            let before = match owner {
                Some(_) => after.clone(),
                // All is written down, but for the set: that is there, if there is one.
                None => Account { held: after.held.clone(), ..Account::default() },
            };
            change(&mut after)?;
            let is_same = before == after;
            if !is_same {
                self.keep(customer, &before, &after)?;
            }
            Ok(!is_same)
        });
        let changed: Result<bool> = changed.and_then(|changed| changed);
        match changed {
            Ok(false) => {}
            Ok(true) => {
                let owner = Some(customer.clone());
                self.known.replace(Some(Known { owner, account: after }));
            }
            // What stands in the tables now is what stood there before.
            Err(_) => drop(self.known.take()),
        }
        changed.map(drop)
    }

    fn keep(&self, customer: &Customer, before: &Account, after: &Account) -> Result<()> {
        self.create()?;
        if before.held != after.held
            && let Some(set) = &after.held
        {
            let record = record::write(set).map_err(|error| error.to_string())?;
            self.sql.run("DELETE FROM entitlements", vec![])?;
            for (part, bytes) in (0_i32..).zip(record.chunks(PART)) {
                let values = vec![part.into(), bytes.to_vec().into()];
                self.sql.run("INSERT INTO entitlements (part, record) VALUES (?, ?)", values)?;
            }
            if let Some(change) = Change::between(before.held.as_ref(), set) {
                self.remember(&change)?;
            }
        }
        for task in Task::ALL {
            let debt = after.outbox.debt(task);
            if debt != before.outbox.debt(task) {
                self.owe(task, debt)?;
            }
        }
        let Account {
            confirmed, arrivals, written, doubtful, left_alone, trouble, reported, ..
        } = *after;
        let seen = Some(after.seen.clone());
        let notes =
            Notes { confirmed, arrivals, written, doubtful, left_alone, trouble, reported, seen };
        let values =
            vec![serde_json::to_string(customer)?.into(), serde_json::to_string(&notes)?.into()];
        self.sql
            .run("INSERT OR REPLACE INTO account (id, customer, notes) VALUES (0, ?, ?)", values)
    }

    fn remember(&self, change: &Change) -> Result<()> {
        self.sql.run(CHANGES, vec![])?;
        let forgotten = change.version.0.saturating_sub(CHANGE_MEMORY);
        if forgotten > 0 {
            let forgotten = vec![integer(forgotten)?];
            self.sql.run("DELETE FROM changes WHERE version <= ?", forgotten)?;
        }
        if !change.is_tellable() {
            return Ok(());
        }
        let values = vec![integer(change.version.0)?, serde_json::to_string(change)?.into()];
        self.sql.run("INSERT OR REPLACE INTO changes (version, change) VALUES (?, ?)", values)
    }

    /// The changes after this version that are remembered, in order.
    pub(super) fn changes(&self, since: Version) -> Result<Vec<Change>> {
        if !self.sql.has("changes")? {
            return Ok(Vec::new());
        }
        let later = "SELECT change FROM changes WHERE version > ? ORDER BY version";
        let change = |row: Vec<SqlStorageValue>| match row.as_slice() {
            [SqlStorageValue::String(change)] => object::read(change.as_bytes()),
            _ => Err(misread()),
        };
        self.sql.rows(later, vec![integer(since.0)?])?.into_iter().map(change).collect()
    }

    fn owe(&self, task: Task, debt: Option<Debt>) -> Result<()> {
        let Some(Debt { since, due, tries }) = debt else {
            return self.sql.run("DELETE FROM debts WHERE task = ?", vec![task.name().into()]);
        };
        let values =
            vec![task.name().into(), integer(since.0)?, integer(due.0)?, integer(tries.into())?];
        self.sql.run(
            "INSERT OR REPLACE INTO debts (task, since, due, tries) VALUES (?, ?, ?, ?)",
            values,
        )
    }

    fn debts(&self) -> Result<Outbox> {
        let mut debts = Vec::new();
        for row in self.sql.rows("SELECT task, since, due, tries FROM debts", vec![])? {
            let [
                SqlStorageValue::String(name),
                SqlStorageValue::Integer(since),
                SqlStorageValue::Integer(due),
                SqlStorageValue::Integer(tries),
            ] = row.as_slice()
            else {
                return Err(misread());
            };
            let moment = |millis: i64| Millis(u64::try_from(millis).unwrap_or_default());
            let tries = u32::try_from(*tries).unwrap_or(u32::MAX);
            let debt = Debt { since: moment(*since), due: moment(*due), tries };
            // A task of a deployment that came after this one is left to it.
            let task = Task::ALL.into_iter().find(|task| task.name() == name);
            debts.extend(task.map(|task| (task, debt)));
        }
        Ok(Outbox::of(debts))
    }

    fn create(&self) -> Result<()> {
        if self.is_owned() { Ok(()) } else { self.sql.create(&SCHEMA) }
    }

    pub(super) fn sighting(&self, event: &EventId) -> Result<Sighting> {
        self.create()?;
        let seen =
            self.sql.rows("SELECT 1 FROM events WHERE id = ?", vec![event.as_str().into()])?;
        Ok(if seen.is_empty() { Sighting::First } else { Sighting::Repeated })
    }

    /// Remembers an event, and forgets those that can no longer come again.
    pub(super) fn saw(&self, event: &EventId, now: Timestamp) -> Result<()> {
        let expired = SqlStorageValue::try_from_i64(now.0.saturating_sub(EVENT_MEMORY))?;
        self.sql.run("DELETE FROM events WHERE received < ?", vec![expired])?;
        let values = vec![event.as_str().into(), SqlStorageValue::try_from_i64(now.0)?];
        self.sql.run("INSERT OR IGNORE INTO events (id, received) VALUES (?, ?)", values)
    }
}

fn misread() -> Error {
    Error::RustError("a row of the ledger has another form".to_owned())
}
