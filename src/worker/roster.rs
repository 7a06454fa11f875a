//! The roster: one Durable Object that knows who there is, where each of them stands, and which
//! features any of them ever held.
//!
//! Customers' ledgers report to it when their standing changes or a feature is new to them, so that
//! nobody has to look through all of them to tell what is owed, whose set was not confirmed for a day,
//! or what there is to be held.
//!
//! | `POST`, as JSON       | answer                                                                 |
//! |-----------------------|------------------------------------------------------------------------|
//! | [`Message::Report`]   | 200, once it is kept                                                   |
//! | [`Message::Backlog`]  | 200, a [`Backlog`] as JSON                                             |
//! | [`Message::Due`]      | 200, [`Due`] as JSON: whom to confirm and whom to wake now             |
//! | [`Message::Features`] | 200, lookup keys as JSON                                               |
//! | [`Message::Customers`] | 200, a [`Listed`] of [`Known`] as JSON                                |

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeSet, HashMap},
};

use serde::Serialize;
use worker::{
    DurableObject, Env, ObjectNamespace, Request, Response, Result, SqlStorageValue, State,
    console_warn, durable_object,
};

use super::{
    known, now_millis, rpc,
    sql::{SqlTables, integer_value},
};
use crate::{
    id::{CustomerId, Livemode, LookupKey, UnixMillis},
    json::{FromJson, impl_from_json},
    ledger::{ObservedFeatures, StatusReport, SyncProblem, SyncStatus},
    store::{
        self, Backlog, CustomerSyncStatus,
        pagination::{PageOf, PageRequest},
    },
};

/// The binding in `wrangler.toml`.
const BINDING: &str = "CUSTOMER_INDEX";

/// The one object of its class.
const OBJECT_NAME: &str = "roster";

/// How long a set stays confirmed, in milliseconds: a day.
const CONFIRMATION_TTL: u64 = 24 * 60 * 60 * 1_000;

/// How long until a customer that was handed out, and did not report since, is handed out again, in
/// milliseconds: an hour, in which others have their turn.
const LEASE: u64 = 60 * 60 * 1_000;

/// How long a trouble that nobody has a debt of is told, in milliseconds.
const PROBLEM_TTL: u64 = 10 * 60 * 1_000;

/// The last moment that JavaScript can count to.
const MAX_TIMESTAMP: UnixMillis = UnixMillis((1 << 53) - 1);

/// The most features that are remembered of one mode: as many as are noted of one customer, who may
/// have held them all.
const MAX_FEATURES: usize = ObservedFeatures::MAX_FEATURES;

const SCHEMA: [&str; 4] = [
    "CREATE TABLE IF NOT EXISTS customers (key TEXT PRIMARY KEY, next INTEGER NOT NULL, \
     pending INTEGER NOT NULL, since INTEGER, trouble TEXT, told INTEGER NOT NULL, \
     woken INTEGER NOT NULL, confirmed INTEGER) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS by_next ON customers (next)",
    "CREATE INDEX IF NOT EXISTS by_debt ON customers (woken) \
     WHERE pending > 0 OR trouble IS NOT NULL",
    "CREATE TABLE IF NOT EXISTS features (mode TEXT NOT NULL, lookup_key TEXT NOT NULL, \
     PRIMARY KEY (mode, lookup_key)) WITHOUT ROWID",
];

/// Tables of before this was noted lack it, and their customers until their next report.
const CONFIRMED_COLUMN: &str = "ALTER TABLE customers ADD COLUMN confirmed INTEGER";

/// The roster's Durable Object.
#[durable_object(fetch)]
pub struct CustomerIndexObject {
    sql: SqlTables,
    created: Cell<bool>,
    /// What the table of features holds of a mode, once it was read: most of what is reported is known.
    features: RefCell<HashMap<Livemode, BTreeSet<LookupKey>>>,
}

impl std::fmt::Debug for CustomerIndexObject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CustomerIndexObject").finish_non_exhaustive()
    }
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum IndexRequest {
    /// Where a customer stands, and the features that are new to it. One who reports while a new
    /// deployment is rolled out may not tell those.
    Report { key: String, status: SyncStatus, features: Option<BTreeSet<LookupKey>> },
    /// What is owed, over all customers?
    Backlog,
    /// Whom to confirm in these modes, and whom to wake, oldest first and at most so many each?
    Due { modes: Vec<Livemode>, limit: u32 },
    /// Which features did anybody of this mode ever hold?
    Features(Livemode),
    /// Who is known of this mode, whose id begins so?
    Customers { livemode: Livemode, prefix: Option<CustomerId>, part: PageRequest<CustomerId> },
}

impl_from_json! {
    enum IndexRequest {
        Report { key, status, features } = "report", Backlog = "backlog",
        Due { modes, limit } = "due", Features(_) = "features",
        Customers { livemode, prefix, part } = "customers",
    }
}

/// The keys of customers who need something.
#[derive(Default, Serialize)]
pub(super) struct DueCustomers {
    /// Whose sets were not confirmed for a day.
    pub(super) reconcile: Vec<String>,
    /// Who owes something that was tried in vain.
    pub(super) rearm: Vec<String>,
}

impl_from_json! { struct DueCustomers { reconcile, rearm } }

impl DurableObject for CustomerIndexObject {
    fn new(state: State, _env: Env) -> Self {
        Self { sql: SqlTables::new(&state), created: Cell::default(), features: RefCell::default() }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let message = rpc::read_request(&mut request).await;
        let answer = message.and_then(|message| self.handle(message));
        answer.or_else(|error| rpc::error_response(&error))
    }
}

impl CustomerIndexObject {
    fn handle(&self, message: IndexRequest) -> Result<Response> {
        if !self.created.replace(true) {
            self.create_tables()?;
        }
        let now = now_millis();
        match message {
            IndexRequest::Report { key, status: standing, features } => {
                self.upsert(&key, &standing, now)?;
                self.add_features(livemode_of_key(&key), &features.unwrap_or_default())?;
                Response::empty()
            }
            IndexRequest::Backlog => rpc::json_response(&self.sum_backlog(now)?),
            IndexRequest::Due { modes: confirm, limit } => rpc::json_response(&DueCustomers {
                reconcile: self.due_for_reconcile(&confirm, limit, now)?,
                rearm: self.with_failed_tasks(limit, now)?,
            }),
            IndexRequest::Features(livemode) => {
                self.load_features(livemode)?;
                rpc::json_response(&self.features.borrow().get(&livemode))
            }
            IndexRequest::Customers { livemode, prefix, part } => rpc::json_response(
                &known::query_customers(&self.sql, livemode, prefix.as_ref(), &part)?,
            ),
        }
    }

    fn create_tables(&self) -> Result<()> {
        self.sql.create_tables(&SCHEMA)?;
        let columns = "SELECT 1 FROM pragma_table_info('customers') WHERE name = 'confirmed'";
        if self.sql.query(columns, vec![])?.is_empty() {
            self.sql.execute(CONFIRMED_COLUMN, vec![])?;
        }
        Ok(())
    }

    fn upsert(&self, key: &str, standing: &SyncStatus, now: UnixMillis) -> Result<()> {
        let SyncStatus { confirmed_at: confirmed, pending, pending_since: since, problem: trouble } =
            *standing;
        let nobody = [Livemode::Test, Livemode::Live].iter().any(|mode| mode.key_prefix() == key);
        let clears = "DELETE FROM customers WHERE key = ?";
        if trouble.is_none() && nobody {
            return self.sql.execute(clears, vec![key.into()]);
        }
        // Who could be confirmed took no harm from the key.
        if trouble.is_none() && confirmed.is_some() {
            self.sql.execute(clears, vec![livemode_of_key(key).key_prefix().into()])?;
        }
        let next = match confirmed {
            // A trouble that is no customer's is never due.
            _ if nobody => MAX_TIMESTAMP,
            Some(confirmed) => UnixMillis::from(confirmed).saturating_add(CONFIRMATION_TTL),
            None => UnixMillis(0),
        };
        let trouble = trouble.map(|trouble| serde_json::to_string(&trouble)).transpose()?;
        let values = vec![
            key.into(),
            integer_value(next.0)?,
            SqlStorageValue::try_from_i64(pending.into())?,
            since.map_or(Ok(SqlStorageValue::Null), |since| integer_value(since.0))?,
            trouble.map_or(SqlStorageValue::Null, Into::into),
            integer_value(now.0)?,
            confirmed
                .map_or(Ok(SqlStorageValue::Null), |at| SqlStorageValue::try_from_i64(at.0))?,
        ];
        // Who was handed out and reports a failure keeps the turn given then.
        let kept = "INSERT INTO customers (key, next, pending, since, trouble, told, confirmed, woken) \
                    VALUES (?, ?, ?, ?, ?, ?, ?, 0) ON CONFLICT (key) DO UPDATE SET \
                    next = MAX(next, excluded.next), pending = excluded.pending, since = excluded.since, \
                    trouble = excluded.trouble, told = excluded.told, confirmed = excluded.confirmed";
        self.sql.execute(kept, values)
    }

    /// Remembers features, as far as there is room. The table is written first: should that fail, the
    /// report is made again.
    fn add_features(&self, livemode: Livemode, told: &BTreeSet<LookupKey>) -> Result<()> {
        if told.is_empty() {
            return Ok(());
        }
        self.load_features(livemode)?;
        let mut features = self.features.borrow_mut();
        let known = features.entry(livemode).or_default();
        for feature in told {
            if known.contains(feature) {
                continue;
            }
            if known.len() >= MAX_FEATURES {
                console_warn!(
                    "{MAX_FEATURES} features are remembered, and `{feature}` is one more"
                );
                break;
            }
            let values = vec![livemode.key_prefix().into(), feature.as_str().into()];
            let kept = "INSERT OR IGNORE INTO features (mode, lookup_key) VALUES (?, ?)";
            self.sql.execute(kept, values)?;
            known.insert(feature.clone());
        }
        Ok(())
    }

    /// Reads the table of features, unless it was read before.
    fn load_features(&self, livemode: Livemode) -> Result<()> {
        if self.features.borrow().contains_key(&livemode) {
            return Ok(());
        }
        let rows = "SELECT lookup_key FROM features WHERE mode = ?";
        let keys = self.query_keys(rows, vec![livemode.key_prefix().into()])?;
        let mut known = BTreeSet::new();
        known.extend(keys.into_iter().filter_map(|key| LookupKey::try_from(key).ok()));
        self.features.borrow_mut().insert(livemode, known);
        Ok(())
    }

    fn sum_backlog(&self, now: UnixMillis) -> Result<Backlog> {
        let sums = "SELECT COALESCE(SUM(pending), 0), MIN(since) FROM customers \
                    WHERE (pending > 0 OR trouble IS NOT NULL) AND pending > 0";
        let mut backlog = match self.sql.query(sums, vec![])?.first().map(Vec::as_slice) {
            Some([SqlStorageValue::Integer(pending), SqlStorageValue::Integer(since)]) => Backlog {
                pending: u32::try_from(*pending).unwrap_or(u32::MAX),
                pending_since: u64::try_from(*since).ok().map(UnixMillis),
                problem: None,
            },
            _ => Backlog::default(),
        };
        let troubles = "SELECT trouble FROM customers WHERE trouble IS NOT NULL \
                        AND (pending > 0 OR told > ?) ORDER BY told DESC LIMIT 1";
        let recent = integer_value(now.0.saturating_sub(PROBLEM_TTL))?;
        if let Some([SqlStorageValue::String(trouble)]) =
            self.sql.query(troubles, vec![recent])?.first().map(Vec::as_slice)
        {
            backlog.problem = Some(rpc::decode::<SyncProblem>(trouble.as_bytes())?);
        }
        Ok(backlog)
    }

    fn due_for_reconcile(
        &self,
        modes: &[Livemode],
        limit: u32,
        now: UnixMillis,
    ) -> Result<Vec<String>> {
        let due = "UPDATE customers SET next = ? WHERE key IN (SELECT key FROM customers \
                   WHERE next <= ? AND substr(key, 1, 5) IN (?, ?) ORDER BY next LIMIT ?) \
                   RETURNING key";
        let mode = |at: usize| modes.get(at).map_or("", |mode| mode.key_prefix()).into();
        let values = vec![
            integer_value(now.saturating_add(LEASE).0)?,
            integer_value(now.0)?,
            mode(0),
            mode(1),
            SqlStorageValue::try_from_i64(limit.into())?,
        ];
        self.query_keys(due, values)
    }

    fn with_failed_tasks(&self, limit: u32, now: UnixMillis) -> Result<Vec<String>> {
        let owing = "UPDATE customers SET woken = ? WHERE key IN (SELECT key FROM customers \
                     WHERE (pending > 0 OR trouble IS NOT NULL) AND pending > 0 \
                     ORDER BY woken LIMIT ?) RETURNING key";
        self.query_keys(
            owing,
            vec![integer_value(now.0)?, SqlStorageValue::try_from_i64(limit.into())?],
        )
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
fn livemode_of_key(key: &str) -> Livemode {
    if key.starts_with(Livemode::Test.key_prefix()) { Livemode::Test } else { Livemode::Live }
}

/// The way to the roster.
pub(super) struct CustomerIndexStub {
    namespace: ObjectNamespace,
}

impl CustomerIndexStub {
    pub(super) fn from_env(env: &Env) -> Result<Self> {
        Ok(Self { namespace: env.durable_object(BINDING)? })
    }

    /// Tells where a customer stands, and what is new to it.
    pub(super) async fn report(&self, key: &str, report: &StatusReport) -> Result<()> {
        let StatusReport { status: standing, features } = report.clone();
        let features = Some(features);
        self.post(&IndexRequest::Report { key: key.to_owned(), status: standing, features })
            .await
            .map(drop)
    }

    /// Whom to confirm in these modes, and whom to wake: at most so many each.
    pub(super) async fn lease_due(
        &self,
        confirm: Vec<Livemode>,
        limit: u32,
    ) -> Result<DueCustomers> {
        self.request(&IndexRequest::Due { modes: confirm, limit }).await
    }

    async fn request<A: FromJson>(&self, message: &IndexRequest) -> Result<A> {
        rpc::decode(&self.post(message).await?)
    }

    async fn post(&self, message: &IndexRequest) -> Result<Vec<u8>> {
        rpc::call(&self.namespace, OBJECT_NAME, serde_json::to_string(message)?).await
    }
}

impl store::CustomerIndex for CustomerIndexStub {
    async fn load_backlog(&self) -> std::result::Result<Backlog, store::Error> {
        self.request(&IndexRequest::Backlog).await.map_err(|error| unreachable(&error))
    }

    async fn list_features(
        &self,
        livemode: Livemode,
    ) -> std::result::Result<Vec<LookupKey>, store::Error> {
        self.request(&IndexRequest::Features(livemode)).await.map_err(|error| unreachable(&error))
    }

    async fn list_customers(
        &self,
        livemode: Livemode,
        prefix: Option<&CustomerId>,
        part: &PageRequest<CustomerId>,
    ) -> std::result::Result<PageOf<CustomerSyncStatus>, store::Error> {
        let message =
            IndexRequest::Customers { livemode, prefix: prefix.cloned(), part: part.clone() };
        self.request(&message).await.map_err(|error| unreachable(&error))
    }
}

fn unreachable(error: &worker::Error) -> store::Error {
    store::Error::Unreachable { port: "customer index", cause: error.to_string() }
}
