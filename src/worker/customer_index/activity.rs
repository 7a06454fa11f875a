//! The recent decisions of one shard.
//!
//! | table      | row                                                                          |
//! |------------|------------------------------------------------------------------------------|
//! | `activity` | a decision as JSON, what a list selects by, when it arrived, and its number  |
//!
//! The primary key is the order of the list, so an entry costs one row. Filters read up to
//! [`ACTIVITY_RETENTION`](crate::customer_index::ACTIVITY_RETENTION) rows. Expired rows are not listed, and
//! are deleted now and then.

use std::cell::Cell;

use worker::{Result, SqlStorageValue};

use crate::{
    customer_index::{
        ActivityFilter, ActivityPosition, ActivityQuery, MAX_NUMBER, RetainedActivity,
        ShardActivity, StoredActivity,
    },
    id::{CustomerId, LookupKey, UnixMillis},
    ledger::{Activity, ActivityOutcome},
    pagination::{Cursor, PageOf},
    worker::{
        rpc,
        sql::{SqlTables, integer_value, number_from_value},
    },
};

/// After how many entries expired ones are deleted.
const PURGE_INTERVAL: u64 = 128;

/// The most entries that are deleted at once because of their age.
const MAX_PURGED: u64 = 1_000;

const NEWEST_FIRST: &str = "SELECT received_at, number, customer, activity FROM activity \
    WHERE (received_at, number) > (?1, ?2) AND (received_at, number) < (?3, ?4) AND number > ?5 \
    AND received_at >= ?6 AND (?7 IS NULL OR customer = ?7) AND (?8 IS NULL OR outcome = ?8) \
    AND (?9 IS NULL OR EXISTS (SELECT 1 FROM json_each(features) WHERE value = ?9)) \
    AND (?10 IS NULL OR decided_at >= ?10) AND (?11 IS NULL OR decided_at <= ?11) \
    ORDER BY received_at DESC, number DESC LIMIT ?12";
const OLDEST_FIRST: &str = "SELECT received_at, number, customer, activity FROM activity \
    WHERE (received_at, number) > (?1, ?2) AND (received_at, number) < (?3, ?4) AND number > ?5 \
    AND received_at >= ?6 AND (?7 IS NULL OR customer = ?7) AND (?8 IS NULL OR outcome = ?8) \
    AND (?9 IS NULL OR EXISTS (SELECT 1 FROM json_each(features) WHERE value = ?9)) \
    AND (?10 IS NULL OR decided_at >= ?10) AND (?11 IS NULL OR decided_at <= ?11) \
    ORDER BY received_at, number LIMIT ?12";

/// The table.
#[derive(Default)]
pub(super) struct ActivityTable {
    /// The place of the newest entry, once it is read.
    newest: Cell<Option<ActivityPosition>>,
}

impl ActivityTable {
    pub(super) const SCHEMA: &'static [&'static str] =
        &["CREATE TABLE IF NOT EXISTS activity (received_at INTEGER NOT NULL, \
           number INTEGER NOT NULL, customer TEXT NOT NULL, outcome TEXT NOT NULL, \
           decided_at INTEGER NOT NULL, features TEXT NOT NULL, activity TEXT NOT NULL, \
           PRIMARY KEY (received_at, number)) WITHOUT ROWID"];

    /// Stores decisions about a customer, in this order.
    pub(super) fn append(
        &self,
        sql: &SqlTables,
        customer: &CustomerId,
        activities: &[Activity],
        now: UnixMillis,
    ) -> Result<()> {
        let insert = "INSERT INTO activity (received_at, number, customer, outcome, decided_at, \
                      features, activity) VALUES (?, ?, ?, ?, ?, ?, ?)";
        for activity in activities {
            let position = self.newest(sql)?.next(now);
            let features: Vec<&LookupKey> = activity.features().collect();
            let values = vec![
                integer_value(position.received_at.0)?,
                integer_value(position.number)?,
                customer.as_str().into(),
                activity.outcome().as_str().into(),
                integer_value(activity.at.0)?,
                serde_json::to_string(&features)?.into(),
                serde_json::to_string(activity)?.into(),
            ];
            sql.execute(insert, values)?;
            self.newest.set(Some(position));
            if position.number % PURGE_INTERVAL == 0 {
                purge(sql, RetainedActivity::new(position, now))?;
            }
        }
        Ok(())
    }

    /// Returns a page of entries.
    pub(super) fn list(
        &self,
        sql: &SqlTables,
        query: &ActivityQuery,
        now: UnixMillis,
    ) -> Result<ShardActivity> {
        let ActivityQuery { filter, page } = query;
        let retained = RetainedActivity::new(self.newest(sql)?, now);
        let end = ActivityPosition { received_at: UnixMillis(MAX_NUMBER), number: MAX_NUMBER };
        let (above, below) = match page.cursor {
            Cursor::Start => (ActivityPosition::default(), end),
            Cursor::After(position) => (ActivityPosition::default(), position),
            Cursor::Before(position) => (position, end),
        };
        let statement = match page.cursor {
            Cursor::Start | Cursor::After(_) => NEWEST_FIRST,
            Cursor::Before(_) => OLDEST_FIRST,
        };
        let ActivityFilter { customer, outcome, feature, first, last } = filter;
        let time =
            |at: Option<UnixMillis>| at.map_or(Ok(SqlStorageValue::Null), |at| integer_value(at.0));
        let text = |text: Option<&str>| text.map_or(SqlStorageValue::Null, Into::into);
        let values = vec![
            integer_value(above.received_at.0)?,
            integer_value(above.number)?,
            integer_value(below.received_at.0)?,
            integer_value(below.number)?,
            integer_value(retained.last_expired)?,
            integer_value(retained.since.0)?,
            text(customer.as_ref().map(CustomerId::as_str)),
            text(outcome.map(ActivityOutcome::as_str)),
            text(feature.as_ref().map(LookupKey::as_str)),
            time(*first)?,
            time(*last)?,
            integer_value(u64::try_from(page.fetch_limit()).unwrap_or(u64::MAX))?,
        ];
        let PageOf { data, has_more } = PageOf::from_fetched(page, sql.query(statement, values)?);
        // Skips rows that cannot be decoded, such as those of a newer deployment after a rollback.
        let data = data.into_iter().filter_map(entry_from_row).collect();
        let expired = "SELECT received_at FROM activity WHERE number = ? \
                       ORDER BY received_at, number LIMIT 1";
        let expired = sql.query(expired, vec![integer_value(retained.last_expired)?])?;
        let expired_at = expired.first().and_then(|row| row.first()).and_then(number_from_value);
        Ok(ShardActivity {
            entries: PageOf { data, has_more },
            complete_since: retained.complete_since(expired_at.map(UnixMillis)),
        })
    }

    fn newest(&self, sql: &SqlTables) -> Result<ActivityPosition> {
        if let Some(newest) = self.newest.get() {
            return Ok(newest);
        }
        let select = "SELECT received_at, number FROM activity \
                      ORDER BY received_at DESC, number DESC LIMIT 1";
        let rows = sql.query(select, vec![])?;
        let newest = rows.first().and_then(|row| position_from_row(row)).unwrap_or_default();
        self.newest.set(Some(newest));
        Ok(newest)
    }
}

/// Deletes what is not kept, except the newest entry of it: its time shows since when the rest is complete.
fn purge(sql: &SqlTables, retained: RetainedActivity) -> Result<()> {
    let RetainedActivity { last_expired, since } = retained;
    let by_count = "DELETE FROM activity WHERE (received_at, number) IN \
                    (SELECT received_at, number FROM activity ORDER BY received_at, number LIMIT ?1) \
                    AND (number < ?2 OR received_at < ?3)";
    let values =
        vec![integer_value(MAX_PURGED)?, integer_value(last_expired)?, integer_value(since.0)?];
    sql.execute(by_count, values)
}

fn entry_from_row(row: Vec<SqlStorageValue>) -> Option<StoredActivity> {
    let position = position_from_row(&row)?;
    let [_, _, SqlStorageValue::String(customer), SqlStorageValue::String(activity)] =
        <[SqlStorageValue; 4]>::try_from(row).ok()?
    else {
        return None;
    };
    Some(StoredActivity {
        position,
        customer: CustomerId::try_from(customer).ok()?,
        activity: rpc::decode(activity.as_bytes()).ok()?,
    })
}

fn position_from_row(row: &[SqlStorageValue]) -> Option<ActivityPosition> {
    let [received_at, number, ..] = row else { return None };
    let received_at = UnixMillis(number_from_value(received_at)?);
    Some(ActivityPosition { received_at, number: number_from_value(number)? })
}
