//! The customer index's Durable Object.
//!
//! A ledger reports when its sync status changes, or when a feature is new in its set. So requests
//! about all customers need one object instead of every ledger: totals of pending tasks, sets that
//! were not confirmed for a day, and the observed features.
//!
//! | table       | row                                                                         |
//! |-------------|-----------------------------------------------------------------------------|
//! | `customers` | the last report of a customer, and when its ledger was last woken           |
//! | `features`  | a lookup key that was observed in a set of this mode                        |
//!
//! A row of `customers` whose key is only a mode (`test:`, `live:`) has a problem that concerns the
//! mode's API key, reported by ledgers that have nothing stored. Its ledger is never woken.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeSet, HashMap},
};

use worker::{
    DurableObject, Env, Request, Response, Result, SqlStorageValue, State, console_warn,
    durable_object,
};

use super::{query, stub::IndexRequest};
use crate::{
    coordinator::{Backlog, IndexQuery, IndexReport},
    id::{Livemode, LookupKey, Timestamp, UnixMillis},
    ledger::{ObservedFeatures, SyncProblem, SyncStatus},
    worker::{
        rpc,
        runtime::now_millis,
        sql::{SqlTables, integer_value},
    },
};

/// How long a leased customer is not returned as unread again, in milliseconds: an hour, in which other
/// customers are leased.
const LEASE: u64 = 60 * 60 * 1_000;

/// How long a failed task is the ledger's own matter, in milliseconds. It is also the pause before the
/// ledger is woken again.
const OVERDUE_AFTER: u64 = 10 * 60 * 1_000;

/// How long a problem without a pending task is part of the backlog, in milliseconds.
const PROBLEM_TTL: u64 = 10 * 60 * 1_000;

/// The most features of one mode: as many as one ledger records, since one customer may have all.
const MAX_FEATURES: usize = ObservedFeatures::MAX_FEATURES;

const SCHEMA: [&str; 4] = [
    "CREATE TABLE IF NOT EXISTS customers (key TEXT PRIMARY KEY, confirmed_at INTEGER, \
     pending INTEGER NOT NULL, pending_since INTEGER, problem TEXT, reported_at INTEGER NOT NULL, \
     woken_at INTEGER NOT NULL, leased_until INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS by_confirmed_at ON customers (substr(key, 1, 5), \
     COALESCE(confirmed_at, 0))",
    "CREATE INDEX IF NOT EXISTS by_failed_tasks ON customers (woken_at) \
     WHERE pending > 0 OR problem IS NOT NULL",
    "CREATE TABLE IF NOT EXISTS features (mode TEXT NOT NULL, lookup_key TEXT NOT NULL, \
     PRIMARY KEY (mode, lookup_key)) WITHOUT ROWID",
];

/// The customer index's Durable Object.
#[durable_object(fetch)]
pub struct CustomerIndexObject {
    sql: SqlTables,
    tables_created: Cell<bool>,
    /// The rows of `features` by mode, once they are read. Most reported features are in it.
    features: RefCell<HashMap<Livemode, BTreeSet<LookupKey>>>,
}

impl std::fmt::Debug for CustomerIndexObject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CustomerIndexObject").finish_non_exhaustive()
    }
}

impl DurableObject for CustomerIndexObject {
    fn new(state: State, _env: Env) -> Self {
        Self {
            sql: SqlTables::new(&state),
            tables_created: Cell::default(),
            features: RefCell::default(),
        }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        rpc::respond(&mut request, |message| self.handle(message)).await
    }
}

impl CustomerIndexObject {
    fn handle(&self, message: IndexRequest) -> Result<Response> {
        let (may_read, may_write) = (self.sql.may_read()?, self.sql.may_write()?);
        let allowed = match message {
            IndexRequest::Report { .. } | IndexRequest::Survey(_) => may_write,
            IndexRequest::Features(_) | IndexRequest::Customers { .. } => may_read,
        };
        if !allowed {
            return rpc::newer_release_response();
        }
        if may_write && !self.tables_created.replace(true) {
            self.sql.create_tables(&SCHEMA)?;
        }
        let now = now_millis();
        match message {
            IndexRequest::Report { key, status, features } => {
                self.upsert(&key, &status, now)?;
                self.add_features(split_key(&key)?.0, &features)?;
                Response::empty()
            }
            IndexRequest::Survey(query) => rpc::json_response(&self.survey(query, now)?),
            IndexRequest::Features(livemode) => {
                self.load_features(livemode)?;
                rpc::json_response(&self.features.borrow().get(&livemode))
            }
            IndexRequest::Customers { livemode, prefix, page } => rpc::json_response(
                &query::query_customers(&self.sql, livemode, prefix.as_ref(), &page)?,
            ),
        }
    }

    fn upsert(&self, key: &str, status: &SyncStatus, now: UnixMillis) -> Result<()> {
        let SyncStatus { confirmed_at, pending, pending_since, problem } = *status;
        let (livemode, id) = split_key(key)?;
        let is_mode_key = id.is_empty();
        let delete = "DELETE FROM customers WHERE key = ?";
        if problem.is_none() && is_mode_key {
            return self.sql.execute(delete, vec![key.into()]);
        }
        // A confirmed set proves that the mode's API key works.
        if problem.is_none() && confirmed_at.is_some() {
            self.sql.execute(delete, vec![livemode.key_prefix().into()])?;
        }
        let problem = problem.map(|problem| serde_json::to_string(&problem)).transpose()?;
        let values = vec![
            key.into(),
            SqlStorageValue::try_from_i64(pending.into())?,
            pending_since.map_or(Ok(SqlStorageValue::Null), |since| integer_value(since.0))?,
            problem.map_or(SqlStorageValue::Null, Into::into),
            integer_value(now.0)?,
            confirmed_at
                .map_or(Ok(SqlStorageValue::Null), |at| SqlStorageValue::try_from_i64(at.0))?,
        ];
        let upsert = "INSERT INTO customers (key, pending, pending_since, problem, \
            reported_at, confirmed_at, woken_at, leased_until) \
            VALUES (?, ?, ?, ?, ?, ?, 0, 0) ON CONFLICT (key) DO UPDATE SET \
            pending = excluded.pending, pending_since = excluded.pending_since, \
            problem = excluded.problem, reported_at = excluded.reported_at, \
            confirmed_at = excluded.confirmed_at";
        self.sql.execute(upsert, values)
    }

    /// Adds features, up to [`MAX_FEATURES`]. The table is written before the cache: if that fails,
    /// the ledger retries the report.
    fn add_features(&self, livemode: Livemode, reported: &BTreeSet<LookupKey>) -> Result<()> {
        if reported.is_empty() {
            return Ok(());
        }
        self.load_features(livemode)?;
        let mut features = self.features.borrow_mut();
        let cached = features.entry(livemode).or_default();
        for feature in reported {
            if cached.contains(feature) {
                continue;
            }
            if cached.len() >= MAX_FEATURES {
                console_warn!(
                    "failed to add the feature `{feature}`: the customer index keeps at most \
                     {MAX_FEATURES}"
                );
                break;
            }
            let values = vec![livemode.key_prefix().into(), feature.as_str().into()];
            let insert = "INSERT OR IGNORE INTO features (mode, lookup_key) VALUES (?, ?)";
            self.sql.execute(insert, values)?;
            cached.insert(feature.clone());
        }
        Ok(())
    }

    /// Reads the features of this mode into the cache, unless they are in it.
    fn load_features(&self, livemode: Livemode) -> Result<()> {
        if self.features.borrow().contains_key(&livemode) {
            return Ok(());
        }
        let select = "SELECT lookup_key FROM features WHERE mode = ?";
        let keys = self.query_keys(select, vec![livemode.key_prefix().into()])?;
        let mut features = BTreeSet::new();
        features.extend(keys.into_iter().filter_map(|key| LookupKey::try_from(key).ok()));
        self.features.borrow_mut().insert(livemode, features);
        Ok(())
    }

    fn survey(&self, query: IndexQuery, now: UnixMillis) -> Result<IndexReport> {
        let IndexQuery { livemode, max_overdue, max_unread, read_before } = query;
        let is_sweep = max_unread > 0;
        Ok(IndexReport {
            backlog: self.sum_backlog(livemode, now)?,
            overdue: if max_overdue > 0 {
                self.lease_overdue(livemode, max_overdue, now)?
            } else {
                Vec::new()
            },
            unread_count: if is_sweep { self.count_unread(livemode, read_before)? } else { 0 },
            unread: if is_sweep {
                self.lease_unread(livemode, max_unread, read_before, now)?
            } else {
                Vec::new()
            },
        })
    }

    fn sum_backlog(&self, livemode: Livemode, now: UnixMillis) -> Result<Backlog> {
        let prefix = || SqlStorageValue::from(livemode.key_prefix());
        let sums = "SELECT COALESCE(SUM(pending), 0), MIN(pending_since) FROM customers \
                    WHERE (pending > 0 OR problem IS NOT NULL) AND pending > 0 \
                    AND substr(key, 1, 5) = ?";
        let mut backlog = match self.sql.query(sums, vec![prefix()])?.first().map(Vec::as_slice) {
            Some([SqlStorageValue::Integer(pending), SqlStorageValue::Integer(since)]) => Backlog {
                pending: u32::try_from(*pending).unwrap_or(u32::MAX),
                pending_since: u64::try_from(*since).ok().map(UnixMillis),
                problem: None,
            },
            _ => Backlog::default(),
        };
        let problems = "SELECT problem FROM customers WHERE problem IS NOT NULL \
                        AND (pending > 0 OR reported_at > ?) AND substr(key, 1, 5) = ? ORDER BY reported_at DESC LIMIT 1";
        let recent = integer_value(now.saturating_sub(PROBLEM_TTL).0)?;
        if let Some([SqlStorageValue::String(problem)]) =
            self.sql.query(problems, vec![recent, prefix()])?.first().map(Vec::as_slice)
        {
            backlog.problem = Some(rpc::decode::<SyncProblem>(problem.as_bytes())?);
        }
        Ok(backlog)
    }

    /// The customers whose failed task is overdue, and that were not woken since.
    fn lease_overdue(
        &self,
        livemode: Livemode,
        limit: u32,
        now: UnixMillis,
    ) -> Result<Vec<String>> {
        let lease = "UPDATE customers SET woken_at = ? WHERE key IN (SELECT key FROM customers \
                     WHERE (pending > 0 OR problem IS NOT NULL) AND pending > 0 \
                     AND pending_since <= ? AND woken_at <= ? AND substr(key, 1, 5) = ? \
                     ORDER BY woken_at LIMIT ?) RETURNING key";
        let overdue = now.saturating_sub(OVERDUE_AFTER).0;
        let values = vec![
            integer_value(now.0)?,
            integer_value(overdue)?,
            integer_value(overdue)?,
            livemode.key_prefix().into(),
            integer_value(limit.into())?,
        ];
        self.query_keys(lease, values)
    }

    /// The customers that were not read since this time, the oldest first.
    fn lease_unread(
        &self,
        livemode: Livemode,
        limit: u32,
        read_before: Timestamp,
        now: UnixMillis,
    ) -> Result<Vec<String>> {
        let lease = "UPDATE customers SET leased_until = ? WHERE key IN (SELECT key FROM customers \
                     WHERE substr(key, 1, 5) = ? AND COALESCE(confirmed_at, 0) <= ? \
                     AND length(key) > 5 AND leased_until <= ? \
                     ORDER BY COALESCE(confirmed_at, 0) LIMIT ?) RETURNING key";
        let values = vec![
            integer_value(now.saturating_add(LEASE).0)?,
            livemode.key_prefix().into(),
            SqlStorageValue::try_from_i64(read_before.0)?,
            integer_value(now.0)?,
            integer_value(limit.into())?,
        ];
        self.query_keys(lease, values)
    }

    fn count_unread(&self, livemode: Livemode, read_before: Timestamp) -> Result<u32> {
        let count = "SELECT COUNT(*) FROM customers WHERE substr(key, 1, 5) = ? \
                     AND COALESCE(confirmed_at, 0) <= ? AND length(key) > 5";
        let values =
            vec![livemode.key_prefix().into(), SqlStorageValue::try_from_i64(read_before.0)?];
        Ok(match self.sql.query(count, values)?.first().map(Vec::as_slice) {
            Some([SqlStorageValue::Integer(count)]) => u32::try_from(*count).unwrap_or(u32::MAX),
            _ => 0,
        })
    }

    fn query_keys(&self, statement: &str, values: Vec<SqlStorageValue>) -> Result<Vec<String>> {
        let rows = self.sql.query(statement, values)?;
        let keys = rows.into_iter().filter_map(|row| match row.first() {
            Some(SqlStorageValue::String(key)) => Some(key.clone()),
            _ => None,
        });
        Ok(keys.collect())
    }
}

/// The mode of a customer's key.
fn split_key(key: &str) -> Result<(Livemode, &str)> {
    Livemode::split_key(key).ok_or_else(|| format!("`{key}` has no mode").into())
}
