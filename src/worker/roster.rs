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
    known, millis, object,
    sql::{Sql, integer},
};
use crate::{
    id::{CustomerId, Livemode, LookupKey, Millis},
    json::{Read, readable},
    ledger::{Report, Seen, Standing, Trouble},
    store::{
        self, Backlog, Known,
        part::{Listed, Part},
    },
};

/// The binding in `wrangler.toml`.
const BINDING: &str = "ROSTER";

/// The one object of its class.
const NAME: &str = "roster";

/// How long a set stays confirmed, in milliseconds: a day.
const CONFIRMED: u64 = 24 * 60 * 60 * 1_000;

/// How long until a customer that was handed out, and did not report since, is handed out again, in
/// milliseconds: an hour, in which others have their turn.
const TURN: u64 = 60 * 60 * 1_000;

/// How long a trouble that nobody has a debt of is told, in milliseconds.
const TROUBLE: u64 = 10 * 60 * 1_000;

/// The last moment that JavaScript can count to.
const NEVER: Millis = Millis((1 << 53) - 1);

/// The most features that are remembered of one mode: as many as are noted of one customer, who may
/// have held them all.
const FEATURES: usize = Seen::LIMIT;

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
pub struct Roster {
    sql: Sql,
    created: Cell<bool>,
    /// What the table of features holds of a mode, once it was read: most of what is reported is known.
    features: RefCell<HashMap<Livemode, BTreeSet<LookupKey>>>,
}

impl std::fmt::Debug for Roster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Roster").finish_non_exhaustive()
    }
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Message {
    /// Where a customer stands, and the features that are new to it. One who reports while a new
    /// deployment is rolled out may not tell those.
    Report { key: String, standing: Standing, features: Option<BTreeSet<LookupKey>> },
    /// What is owed, over all customers?
    Backlog,
    /// Whom to confirm in these modes, and whom to wake, oldest first and at most so many each?
    Due { confirm: Vec<Livemode>, limit: u32 },
    /// Which features did anybody of this mode ever hold?
    Features(Livemode),
    /// Who is known of this mode, whose id begins so?
    Customers { livemode: Livemode, prefix: Option<CustomerId>, part: Part<CustomerId> },
}

readable! {
    enum Message {
        Report { key, standing, features } = "report", Backlog = "backlog",
        Due { confirm, limit } = "due", Features(_) = "features",
        Customers { livemode, prefix, part } = "customers",
    }
}

/// The keys of customers who need something.
#[derive(Default, Serialize)]
pub(super) struct Due {
    /// Whose sets were not confirmed for a day.
    pub(super) confirm: Vec<String>,
    /// Who owes something that was tried in vain.
    pub(super) wake: Vec<String>,
}

readable! { struct Due { confirm, wake } }

impl DurableObject for Roster {
    fn new(state: State, _env: Env) -> Self {
        Self { sql: Sql::of(&state), created: Cell::default(), features: RefCell::default() }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let message = object::heard(&mut request).await;
        let answer = message.and_then(|message| self.answer(message));
        answer.or_else(|error| object::failed(&error))
    }
}

impl Roster {
    fn answer(&self, message: Message) -> Result<Response> {
        if !self.created.replace(true) {
            self.create()?;
        }
        let now = millis();
        match message {
            Message::Report { key, standing, features } => {
                self.note(&key, &standing, now)?;
                self.remember(mode(&key), &features.unwrap_or_default())?;
                Response::empty()
            }
            Message::Backlog => object::answer(&self.backlog(now)?),
            Message::Due { confirm, limit } => object::answer(&Due {
                confirm: self.unconfirmed(&confirm, limit, now)?,
                wake: self.owing(limit, now)?,
            }),
            Message::Features(livemode) => {
                self.recall(livemode)?;
                object::answer(&self.features.borrow().get(&livemode))
            }
            Message::Customers { livemode, prefix, part } => {
                object::answer(&known::read(&self.sql, livemode, prefix.as_ref(), &part)?)
            }
        }
    }

    fn create(&self) -> Result<()> {
        self.sql.create(&SCHEMA)?;
        let columns = "SELECT 1 FROM pragma_table_info('customers') WHERE name = 'confirmed'";
        if self.sql.rows(columns, vec![])?.is_empty() {
            self.sql.run(CONFIRMED_COLUMN, vec![])?;
        }
        Ok(())
    }

    fn note(&self, key: &str, standing: &Standing, now: Millis) -> Result<()> {
        let Standing { confirmed, pending, since, trouble } = *standing;
        let nobody = [Livemode::Test, Livemode::Live].iter().any(|mode| mode.prefix() == key);
        let clears = "DELETE FROM customers WHERE key = ?";
        if trouble.is_none() && nobody {
            return self.sql.run(clears, vec![key.into()]);
        }
        // Who could be confirmed took no harm from the key.
        if trouble.is_none() && confirmed.is_some() {
            self.sql.run(clears, vec![mode(key).prefix().into()])?;
        }
        let next = match confirmed {
            // A trouble that is no customer's is never due.
            _ if nobody => NEVER,
            Some(confirmed) => Millis::from(confirmed).plus(CONFIRMED),
            None => Millis(0),
        };
        let trouble = trouble.map(|trouble| serde_json::to_string(&trouble)).transpose()?;
        let values = vec![
            key.into(),
            integer(next.0)?,
            SqlStorageValue::try_from_i64(pending.into())?,
            since.map_or(Ok(SqlStorageValue::Null), |since| integer(since.0))?,
            trouble.map_or(SqlStorageValue::Null, Into::into),
            integer(now.0)?,
            confirmed
                .map_or(Ok(SqlStorageValue::Null), |at| SqlStorageValue::try_from_i64(at.0))?,
        ];
        // Who was handed out and reports a failure keeps the turn given then.
        let kept = "INSERT INTO customers (key, next, pending, since, trouble, told, confirmed, woken) \
                    VALUES (?, ?, ?, ?, ?, ?, ?, 0) ON CONFLICT (key) DO UPDATE SET \
                    next = MAX(next, excluded.next), pending = excluded.pending, since = excluded.since, \
                    trouble = excluded.trouble, told = excluded.told, confirmed = excluded.confirmed";
        self.sql.run(kept, values)
    }

    /// Remembers features, as far as there is room. The table is written first: should that fail, the
    /// report is made again.
    fn remember(&self, livemode: Livemode, told: &BTreeSet<LookupKey>) -> Result<()> {
        if told.is_empty() {
            return Ok(());
        }
        self.recall(livemode)?;
        let mut features = self.features.borrow_mut();
        let known = features.entry(livemode).or_default();
        for feature in told {
            if known.contains(feature) {
                continue;
            }
            if known.len() >= FEATURES {
                console_warn!("{FEATURES} features are remembered, and `{feature}` is one more");
                break;
            }
            let values = vec![livemode.prefix().into(), feature.as_str().into()];
            let kept = "INSERT OR IGNORE INTO features (mode, lookup_key) VALUES (?, ?)";
            self.sql.run(kept, values)?;
            known.insert(feature.clone());
        }
        Ok(())
    }

    /// Reads the table of features, unless it was read before.
    fn recall(&self, livemode: Livemode) -> Result<()> {
        if self.features.borrow().contains_key(&livemode) {
            return Ok(());
        }
        let rows = "SELECT lookup_key FROM features WHERE mode = ?";
        let keys = self.keys(rows, vec![livemode.prefix().into()])?;
        let mut known = BTreeSet::new();
        known.extend(keys.into_iter().filter_map(|key| LookupKey::try_from(key).ok()));
        self.features.borrow_mut().insert(livemode, known);
        Ok(())
    }

    fn backlog(&self, now: Millis) -> Result<Backlog> {
        let sums = "SELECT COALESCE(SUM(pending), 0), MIN(since) FROM customers \
                    WHERE (pending > 0 OR trouble IS NOT NULL) AND pending > 0";
        let mut backlog = match self.sql.rows(sums, vec![])?.first().map(Vec::as_slice) {
            Some([SqlStorageValue::Integer(pending), SqlStorageValue::Integer(since)]) => Backlog {
                pending: u32::try_from(*pending).unwrap_or(u32::MAX),
                since: u64::try_from(*since).ok().map(Millis),
                trouble: None,
            },
            _ => Backlog::default(),
        };
        let troubles = "SELECT trouble FROM customers WHERE trouble IS NOT NULL \
                        AND (pending > 0 OR told > ?) ORDER BY told DESC LIMIT 1";
        let recent = integer(now.0.saturating_sub(TROUBLE))?;
        if let Some([SqlStorageValue::String(trouble)]) =
            self.sql.rows(troubles, vec![recent])?.first().map(Vec::as_slice)
        {
            backlog.trouble = Some(object::read::<Trouble>(trouble.as_bytes())?);
        }
        Ok(backlog)
    }

    fn unconfirmed(&self, modes: &[Livemode], limit: u32, now: Millis) -> Result<Vec<String>> {
        let due = "UPDATE customers SET next = ? WHERE key IN (SELECT key FROM customers \
                   WHERE next <= ? AND substr(key, 1, 5) IN (?, ?) ORDER BY next LIMIT ?) \
                   RETURNING key";
        let mode = |at: usize| modes.get(at).map_or("", |mode| mode.prefix()).into();
        let values = vec![
            integer(now.plus(TURN).0)?,
            integer(now.0)?,
            mode(0),
            mode(1),
            SqlStorageValue::try_from_i64(limit.into())?,
        ];
        self.keys(due, values)
    }

    fn owing(&self, limit: u32, now: Millis) -> Result<Vec<String>> {
        let owing = "UPDATE customers SET woken = ? WHERE key IN (SELECT key FROM customers \
                     WHERE (pending > 0 OR trouble IS NOT NULL) AND pending > 0 \
                     ORDER BY woken LIMIT ?) RETURNING key";
        self.keys(owing, vec![integer(now.0)?, SqlStorageValue::try_from_i64(limit.into())?])
    }

    fn keys(&self, statement: &str, values: Vec<SqlStorageValue>) -> Result<Vec<String>> {
        let rows = self.sql.rows(statement, values)?;
        let keys = rows.into_iter().filter_map(|row| match row.first() {
            Some(SqlStorageValue::String(key)) => Some(key.clone()),
            _ => None,
        });
        Ok(keys.collect())
    }
}

/// The mode of a customer's key.
fn mode(key: &str) -> Livemode {
    if key.starts_with(Livemode::Test.prefix()) { Livemode::Test } else { Livemode::Live }
}

/// The way to the roster.
pub(super) struct DurableRoster {
    rosters: ObjectNamespace,
}

impl DurableRoster {
    pub(super) fn open(env: &Env) -> Result<Self> {
        Ok(Self { rosters: env.durable_object(BINDING)? })
    }

    /// Tells where a customer stands, and what is new to it.
    pub(super) async fn report(&self, key: &str, report: &Report) -> Result<()> {
        let Report { standing, features } = report.clone();
        let features = Some(features);
        self.send(&Message::Report { key: key.to_owned(), standing, features }).await.map(drop)
    }

    /// Whom to confirm in these modes, and whom to wake: at most so many each.
    pub(super) async fn due(&self, confirm: Vec<Livemode>, limit: u32) -> Result<Due> {
        self.ask(&Message::Due { confirm, limit }).await
    }

    async fn ask<A: Read>(&self, message: &Message) -> Result<A> {
        object::read(&self.send(message).await?)
    }

    async fn send(&self, message: &Message) -> Result<Vec<u8>> {
        object::send(&self.rosters, NAME, serde_json::to_string(message)?).await
    }
}

impl store::Roster for DurableRoster {
    async fn backlog(&self) -> std::result::Result<Backlog, store::Error> {
        self.ask(&Message::Backlog).await.map_err(|error| unreachable(&error))
    }

    async fn features(
        &self,
        livemode: Livemode,
    ) -> std::result::Result<Vec<LookupKey>, store::Error> {
        self.ask(&Message::Features(livemode)).await.map_err(|error| unreachable(&error))
    }

    async fn customers(
        &self,
        livemode: Livemode,
        prefix: Option<&CustomerId>,
        part: &Part<CustomerId>,
    ) -> std::result::Result<Listed<Known>, store::Error> {
        let message = Message::Customers { livemode, prefix: prefix.cloned(), part: part.clone() };
        self.ask(&message).await.map_err(|error| unreachable(&error))
    }
}

fn unreachable(error: &worker::Error) -> store::Error {
    store::Error::Unreachable { port: "roster", cause: error.to_string() }
}
