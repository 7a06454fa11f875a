//! The customers of one shard.
//!
//! | table         | row                                                                              |
//! |---------------|----------------------------------------------------------------------------------|
//! | `customers`   | the last report of a customer, and when its ledger was last woken                |
//! | `key_problem` | the only row: a problem of the mode's API key, reported by a ledger without data |
//!
//! `confirmed_at` is when the source was last read. `next_end` is when the next override ends, in Unix
//! seconds. Other times are in milliseconds.

use worker::{Result, SqlStorageValue};

use crate::{
    coordinator::IndexQuery,
    customer_index::{
        Candidate, CustomerPosition, CustomerQuery, CustomerSelection, CustomerSyncStatus,
        KeyProblem, Lease, LeaseKind, ShardReport,
    },
    id::{CustomerId, Timestamp, UnixMillis},
    json,
    ledger::{SyncProblem, SyncStatus},
    pagination::{self, Cursor, PageOf, PageRequest},
    worker::sql::{SqlTables, integer_value, number_from_value, timestamp_value},
};

/// How long a leased customer is not returned as unread again, in milliseconds: an hour, in which other
/// customers are leased.
const LEASE: u64 = 60 * 60 * 1_000;

/// How long a failed task is the ledger's own matter, in milliseconds. It is also the pause before the
/// ledger is woken again.
const OVERDUE_AFTER: u64 = 10 * 60 * 1_000;

/// How long a problem without a pending task is part of the backlog, in milliseconds.
const PROBLEM_TTL: u64 = 10 * 60 * 1_000;

/// How many unread customers are counted. A gap of all customers is surveyed every few seconds for days, and
/// each row that is counted is paid for.
const MAX_COUNTED_UNREAD: u64 = 10_000;

/// The columns of a customer in a list, as [`customer_from_row()`] reads them.
const COLUMNS: &str = "id, confirmed_at, pending, pending_since, problem, problem_since, next_end";

/// Whether a row has the problem of a list.
const HAS_PROBLEM: &str =
    "CASE ?5 WHEN '\"any\"' THEN 1 WHEN '\"pending\"' THEN pending > 0 ELSE problem = ?5 END";

/// Whether a row has an override that ends before the time of a list.
const ENDS_BEFORE: &str = "next_end < ?5";

/// The direction in which a list is read.
#[derive(Clone, Copy)]
enum Direction {
    Forward,
    Backward,
}

/// The tables.
pub(super) struct CustomerTable<'a>(pub(super) &'a SqlTables);

impl CustomerTable<'_> {
    pub(super) const SCHEMA: &'static [&'static str] = &[
        "CREATE TABLE IF NOT EXISTS customers (id TEXT PRIMARY KEY, confirmed_at INTEGER, \
         pending INTEGER NOT NULL, pending_since INTEGER, problem TEXT, problem_since INTEGER, \
         next_end INTEGER, reported_at INTEGER NOT NULL, woken_at INTEGER NOT NULL, \
         leased_until INTEGER NOT NULL) WITHOUT ROWID",
        "CREATE INDEX IF NOT EXISTS by_confirmed_at ON customers (COALESCE(confirmed_at, 0))",
        "CREATE INDEX IF NOT EXISTS by_problem_since ON customers (problem_since, id) \
         WHERE problem_since IS NOT NULL",
        "CREATE INDEX IF NOT EXISTS by_next_end ON customers (next_end, id) \
         WHERE next_end IS NOT NULL",
        "CREATE TABLE IF NOT EXISTS key_problem (id INTEGER PRIMARY KEY CHECK (id = 0), \
         problem TEXT NOT NULL, reported_at INTEGER NOT NULL)",
    ];

    /// Stores the report of a customer, or of a mode's API key if the id is empty.
    pub(super) fn upsert(&self, id: &str, status: &SyncStatus, now: UnixMillis) -> Result<()> {
        let SyncStatus { confirmed_at, pending, pending_since, problem, next_override_end } =
            *status;
        let problem = problem.map(|problem| serde_json::to_string(&problem)).transpose()?;
        if id.is_empty() {
            let Some(problem) = problem else {
                return self.0.execute("DELETE FROM key_problem", vec![]);
            };
            let upsert =
                "INSERT OR REPLACE INTO key_problem (id, problem, reported_at) VALUES (0, ?, ?)";
            return self.0.execute(upsert, vec![problem.into(), integer_value(now.0)?]);
        }
        let values = vec![
            id.into(),
            SqlStorageValue::try_from_i64(pending.into())?,
            optional_time(pending_since)?,
            problem.map_or(SqlStorageValue::Null, Into::into),
            optional_time(status.is_problem().then_some(now))?,
            integer_value(now.0)?,
            optional_time(confirmed_at)?,
            optional_timestamp(next_override_end)?,
        ];
        let upsert = "INSERT INTO customers (id, pending, pending_since, problem, problem_since, \
            reported_at, confirmed_at, next_end, woken_at, leased_until) \
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, 0) ON CONFLICT (id) DO UPDATE SET \
            pending = excluded.pending, pending_since = excluded.pending_since, \
            problem = excluded.problem, problem_since = CASE WHEN excluded.problem_since IS NULL \
            THEN NULL ELSE COALESCE(problem_since, excluded.problem_since) END, \
            reported_at = excluded.reported_at, confirmed_at = excluded.confirmed_at, \
            next_end = excluded.next_end";
        self.0.execute(upsert, values)
    }

    /// Returns a page of customers.
    pub(super) fn list(&self, query: &CustomerQuery) -> Result<PageOf<CustomerSyncStatus>> {
        let CustomerQuery { prefix, selection, page } = query;
        let first = prefix.as_ref().map_or("", CustomerId::as_str);
        let end = pagination::prefix_upper_bound(first);
        let (direction, position) = match &page.cursor {
            Cursor::Start => (Direction::Forward, None),
            Cursor::After(position) => (Direction::Forward, Some(position)),
            Cursor::Before(position) => (Direction::Backward, Some(position)),
        };
        let limit = integer_value(u64::try_from(page.fetch_limit()).unwrap_or(u64::MAX))?;
        let (column, includes, value) = match selection {
            CustomerSelection::All => {
                let (first, end) = match &page.cursor {
                    Cursor::Start => (first.to_owned(), end),
                    // The least text after the id.
                    Cursor::After(position) => {
                        (first.to_owned().max(format!("{}\0", position.id)), end)
                    }
                    Cursor::Before(position) => {
                        let id = position.id.to_string();
                        let end = match end {
                            Some(end) => end.min(id),
                            None => id,
                        };
                        (first.to_owned(), Some(end))
                    }
                };
                let values = vec![first.into(), upper_bound(end), limit];
                return self.query_page(page, &list_by_id(direction), values);
            }
            CustomerSelection::Problem(problem) => {
                ("problem_since", HAS_PROBLEM, serde_json::to_string(problem)?.into())
            }
            CustomerSelection::EndsBefore(time) => {
                ("next_end", ENDS_BEFORE, timestamp_value(*time)?)
            }
        };
        let time = integer_value(position.and_then(|position| position.time).unwrap_or_default())?;
        let id = position.map_or("", |position| position.id.as_str());
        let values = vec![time, id.into(), first.into(), upper_bound(end), value, limit];
        self.query_page(page, &list_by_time(column, includes, direction), values)
    }

    fn query_page(
        &self,
        page: &PageRequest<CustomerPosition>,
        statement: &str,
        values: Vec<SqlStorageValue>,
    ) -> Result<PageOf<CustomerSyncStatus>> {
        let PageOf { data, has_more } =
            PageOf::from_fetched(page, self.0.query(statement, values)?);
        let data = data.iter().filter_map(|row| customer_from_row(row)).collect();
        Ok(PageOf { data, has_more })
    }

    /// Adds up the pending tasks, and returns customers whose ledgers have something to do.
    pub(super) fn survey(&self, query: IndexQuery, now: UnixMillis) -> Result<ShardReport> {
        let IndexQuery { max_overdue, max_unread, read_before, .. } = query;
        let sums = "SELECT COALESCE(SUM(pending), 0), MIN(pending_since) FROM customers \
                    WHERE problem_since IS NOT NULL AND pending > 0";
        let sums = self.0.query(sums, vec![])?;
        let sum = |column| sums.first()?.get(column).and_then(number_from_value);
        let recent = integer_value(now.saturating_sub(PROBLEM_TTL).0)?;
        let problem = "SELECT problem, reported_at FROM customers WHERE problem_since IS NOT NULL \
                       AND problem IS NOT NULL AND (pending > 0 OR reported_at > ?) \
                       ORDER BY reported_at DESC LIMIT 1";
        let key_problem = "SELECT problem, reported_at FROM key_problem WHERE reported_at > ?";
        let mut report = ShardReport {
            pending: sum(0).and_then(|sum| u32::try_from(sum).ok()).unwrap_or(u32::MAX),
            pending_since: sum(1).map(UnixMillis),
            problem: self.query_problem(problem, recent.clone())?,
            key_problem: self.query_problem(key_problem, recent)?,
            last_confirmed_at: self.last_confirmed_at()?,
            ..ShardReport::default()
        };
        if max_overdue > 0 {
            report.overdue = self.overdue(max_overdue, now)?;
        }
        if max_unread > 0 {
            report.unread = self.unread(max_unread, read_before, now)?;
            report.unread_count = self.count_unread(read_before)?;
        }
        Ok(report)
    }

    /// Notes that the ledgers of these customers are woken.
    pub(super) fn lease(&self, lease: &Lease, now: UnixMillis) -> Result<()> {
        let (update, until) = match lease.kind {
            LeaseKind::Overdue => ("UPDATE customers SET woken_at = ? WHERE id = ?", now),
            LeaseKind::Unread => {
                let until = now.saturating_add(LEASE);
                ("UPDATE customers SET leased_until = ? WHERE id = ?", until)
            }
        };
        let until = integer_value(until.0)?;
        lease
            .ids
            .iter()
            .try_for_each(|id| self.0.execute(update, vec![until.clone(), id.as_str().into()]))
    }

    fn query_problem(&self, select: &str, recent: SqlStorageValue) -> Result<Option<KeyProblem>> {
        let rows = self.0.query(select, vec![recent])?;
        let [SqlStorageValue::String(problem), reported_at] =
            rows.first().map(Vec::as_slice).unwrap_or_default()
        else {
            return Ok(None);
        };
        let problem = json::from_slice::<SyncProblem>(problem.as_bytes()).ok();
        let reported_at = number_from_value(reported_at).map(UnixMillis);
        let found = problem.zip(reported_at);
        Ok(found.map(|(problem, reported_at)| KeyProblem { problem, reported_at }))
    }

    fn last_confirmed_at(&self) -> Result<Option<UnixMillis>> {
        let select = "SELECT COALESCE(confirmed_at, 0) FROM customers \
                      ORDER BY COALESCE(confirmed_at, 0) DESC LIMIT 1";
        let rows = self.0.query(select, vec![])?;
        let last = rows.first().and_then(|row| row.first()).and_then(number_from_value);
        Ok(last.filter(|at| *at > 0).map(UnixMillis))
    }

    /// The customers whose failed task is overdue, and that were not woken since.
    fn overdue(&self, limit: u32, now: UnixMillis) -> Result<Vec<Candidate>> {
        let select = "SELECT woken_at, id FROM customers WHERE problem_since IS NOT NULL \
                      AND pending > 0 AND pending_since <= ?1 AND woken_at <= ?1 \
                      ORDER BY woken_at, id LIMIT ?2";
        let overdue = integer_value(now.saturating_sub(OVERDUE_AFTER).0)?;
        self.query_candidates(select, vec![overdue, integer_value(limit.into())?])
    }

    /// The customers that were last read before this time, the oldest first.
    fn unread(&self, limit: u32, before: UnixMillis, now: UnixMillis) -> Result<Vec<Candidate>> {
        let select = "SELECT COALESCE(confirmed_at, 0), id FROM customers \
                      WHERE COALESCE(confirmed_at, 0) < ? AND leased_until <= ? \
                      ORDER BY COALESCE(confirmed_at, 0), id LIMIT ?";
        let values =
            vec![integer_value(before.0)?, integer_value(now.0)?, integer_value(limit.into())?];
        self.query_candidates(select, values)
    }

    fn count_unread(&self, before: UnixMillis) -> Result<u32> {
        let count = "SELECT COUNT(*) FROM (SELECT 1 FROM customers \
                     WHERE COALESCE(confirmed_at, 0) < ? LIMIT ?)";
        let values = vec![integer_value(before.0)?, integer_value(MAX_COUNTED_UNREAD)?];
        let rows = self.0.query(count, values)?;
        let count = rows.first().and_then(|row| row.first()).and_then(number_from_value);
        Ok(count.map_or(0, |count| u32::try_from(count).unwrap_or(u32::MAX)))
    }

    fn query_candidates(
        &self,
        select: &str,
        values: Vec<SqlStorageValue>,
    ) -> Result<Vec<Candidate>> {
        let rows = self.0.query(select, values)?;
        let candidates = rows.into_iter().filter_map(|row| match row.as_slice() {
            [since, SqlStorageValue::String(id)] => Some(Candidate {
                since: number_from_value(since)?,
                id: CustomerId::try_from(id.as_str()).ok()?,
            }),
            _ => None,
        });
        Ok(candidates.collect())
    }
}

/// The statement of a list by id: from the first id on, and before the second one.
fn list_by_id(direction: Direction) -> String {
    let order = match direction {
        Direction::Forward => "id",
        Direction::Backward => "id DESC",
    };
    format!("SELECT {COLUMNS} FROM customers WHERE id >= ? AND id < ? ORDER BY {order} LIMIT ?")
}

/// The statement of a list by the time in a column, then by id. The values are a position, the least id, an
/// upper bound of the ids, the value of `includes`, and the limit.
fn list_by_time(column: &str, includes: &str, direction: Direction) -> String {
    let (comparison, order) = match direction {
        Direction::Forward => (">", "ASC"),
        Direction::Backward => ("<", "DESC"),
    };
    format!(
        "SELECT {COLUMNS} FROM customers WHERE {column} IS NOT NULL \
         AND ({column}, id) {comparison} (?1, ?2) AND id >= ?3 AND id < ?4 AND {includes} \
         ORDER BY {column} {order}, id {order} LIMIT ?6"
    )
}

/// Every text is less than any blob.
fn upper_bound(end: Option<String>) -> SqlStorageValue {
    end.map_or(SqlStorageValue::Blob(vec![]), Into::into)
}

fn customer_from_row(row: &[SqlStorageValue]) -> Option<CustomerSyncStatus> {
    let [
        SqlStorageValue::String(id),
        confirmed_at,
        pending,
        pending_since,
        problem,
        problem_since,
        next_end,
    ] = row
    else {
        return None;
    };
    let problem = match problem {
        SqlStorageValue::String(problem) => json::from_slice(problem.as_bytes()).ok(),
        _ => None,
    };
    let status = SyncStatus {
        confirmed_at: number_from_value(confirmed_at).map(UnixMillis),
        pending: u32::try_from(number_from_value(pending)?).ok()?,
        pending_since: number_from_value(pending_since).map(UnixMillis),
        problem,
        next_override_end: match next_end {
            SqlStorageValue::Integer(end) => Some(Timestamp(*end)),
            _ => None,
        },
    };
    let problem_since = number_from_value(problem_since).map(UnixMillis);
    Some(CustomerSyncStatus { id: CustomerId::try_from(id.as_str()).ok()?, status, problem_since })
}

fn optional_time(at: Option<UnixMillis>) -> Result<SqlStorageValue> {
    at.map_or(Ok(SqlStorageValue::Null), |at| integer_value(at.0))
}

fn optional_timestamp(at: Option<Timestamp>) -> Result<SqlStorageValue> {
    at.map_or(Ok(SqlStorageValue::Null), timestamp_value)
}
