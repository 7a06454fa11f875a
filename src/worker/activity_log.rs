//! The activity log: one Durable Object per mode with the most recent decisions, for operators.
//!
//! | `POST`, as JSON                | 200                         |
//! |--------------------------------|-----------------------------|
//! | [`ActivityLogRequest::Append`] | the activities are stored   |
//! | [`ActivityLogRequest::List`]   | an [`ActivityPage`] as JSON |
//!
//! A ledger appends after it has responded, and does not retry: an activity that cannot be stored
//! is lost. The log is separate from the customer index because it receives every event. When there
//! are many events, only the log may fall behind.

use std::cell::Cell;

use serde::Serialize;
use worker::{
    DurableObject, Env, Request, Response, Result, SqlStorageValue, State, durable_object,
};

use super::{
    objects::Objects,
    rpc,
    sql::{SqlTables, integer_value},
};
use crate::{
    id::{ActivityId, CustomerId, CustomerKey, Livemode},
    json::json_type,
    ledger::{ACTIVITY_RETENTION, Activity},
    pagination::{Cursor, PageOf, PageRequest},
    store::{self, ActivityEntry, ActivityPage},
};

/// The binding in `wrangler.toml`.
const BINDING: &str = "ACTIVITY_LOG";

/// The name of this store in errors.
const PORT: &str = "activity log";

/// `Number.MAX_SAFE_INTEGER`.
const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

const SCHEMA: [&str; 2] = [
    // The newest row is never deleted, so SQLite assigns no id twice.
    "CREATE TABLE IF NOT EXISTS activities (id INTEGER PRIMARY KEY, customer TEXT NOT NULL, \
     activity TEXT NOT NULL)",
    "CREATE INDEX IF NOT EXISTS by_customer ON activities (customer)",
];

const NEWEST_FIRST: &str = "SELECT id, customer, activity FROM activities \
    WHERE id > ? AND id < ? ORDER BY id DESC LIMIT ?";
const OLDEST_FIRST: &str = "SELECT id, customer, activity FROM activities \
    WHERE id > ? AND id < ? ORDER BY id LIMIT ?";
const CUSTOMER_NEWEST_FIRST: &str = "SELECT id, customer, activity FROM activities \
    WHERE id > ? AND id < ? AND customer = ? ORDER BY id DESC LIMIT ?";
const CUSTOMER_OLDEST_FIRST: &str = "SELECT id, customer, activity FROM activities \
    WHERE id > ? AND id < ? AND customer = ? ORDER BY id LIMIT ?";

/// The activity log's Durable Object.
#[durable_object(fetch)]
pub struct ActivityLogObject {
    sql: SqlTables,
    tables_created: Cell<bool>,
}

impl std::fmt::Debug for ActivityLogObject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ActivityLogObject").finish_non_exhaustive()
    }
}

json_type! {
    #[derive(Serialize)]
    enum ActivityLogRequest {
        /// Stores activities of a customer, in this order.
        Append { customer: CustomerId, activities: Vec<Activity> } = "append",
        /// Returns a page of the activities of one customer, or of all customers.
        List { customer: Option<CustomerId>, page: PageRequest<ActivityId> } = "list",
    }
}

impl DurableObject for ActivityLogObject {
    fn new(state: State, _env: Env) -> Self {
        Self { sql: SqlTables::new(&state), tables_created: Cell::default() }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        rpc::respond(&mut request, |message| self.handle(message)).await
    }
}

impl ActivityLogObject {
    fn handle(&self, message: ActivityLogRequest) -> Result<Response> {
        let (may_read, may_write) = (self.sql.may_read()?, self.sql.may_write()?);
        let allowed = match message {
            ActivityLogRequest::Append { .. } => may_write,
            ActivityLogRequest::List { .. } => may_read,
        };
        if !allowed {
            return rpc::newer_release_response();
        }
        if may_write && !self.tables_created.replace(true) {
            self.sql.create_tables(&SCHEMA)?;
        }
        match message {
            ActivityLogRequest::Append { customer, activities } => {
                self.append(&customer, &activities)?;
                Response::empty()
            }
            ActivityLogRequest::List { customer, page } => {
                rpc::json_response(&self.list_entries(customer.as_ref(), &page)?)
            }
        }
    }

    fn append(&self, customer: &CustomerId, activities: &[Activity]) -> Result<()> {
        for activity in activities {
            let values = vec![customer.as_str().into(), serde_json::to_string(activity)?.into()];
            self.sql
                .execute("INSERT INTO activities (customer, activity) VALUES (?, ?)", values)?;
        }
        let retention = u64::try_from(ACTIVITY_RETENTION).unwrap_or(u64::MAX);
        let delete = "DELETE FROM activities WHERE id <= (SELECT MAX(id) FROM activities) - ?";
        self.sql.execute(delete, vec![integer_value(retention)?])
    }

    fn list_entries(
        &self,
        customer: Option<&CustomerId>,
        page: &PageRequest<ActivityId>,
    ) -> Result<ActivityPage> {
        let (above, below) = match page.cursor {
            Cursor::Start => (0, MAX_SAFE_INTEGER),
            Cursor::After(ActivityId(id)) => (0, id.min(MAX_SAFE_INTEGER)),
            Cursor::Before(ActivityId(id)) => (id.min(MAX_SAFE_INTEGER), MAX_SAFE_INTEGER),
        };
        let statement = match (&page.cursor, customer) {
            (Cursor::Start | Cursor::After(_), None) => NEWEST_FIRST,
            (Cursor::Start | Cursor::After(_), Some(_)) => CUSTOMER_NEWEST_FIRST,
            (Cursor::Before(_), None) => OLDEST_FIRST,
            (Cursor::Before(_), Some(_)) => CUSTOMER_OLDEST_FIRST,
        };
        let mut values = vec![integer_value(above)?, integer_value(below)?];
        values.extend(customer.map(|customer| customer.as_str().into()));
        values.push(integer_value(u64::try_from(page.fetch_limit()).unwrap_or(u64::MAX))?);
        let PageOf { data, has_more } =
            PageOf::from_fetched(page, self.sql.query(statement, values)?);
        // Skips rows that cannot be decoded, such as those of a newer deployment after a rollback.
        let data = data.into_iter().filter_map(entry_from_row).collect();
        let newest = self.sql.query("SELECT MAX(id) FROM activities", vec![])?;
        let newest = newest.first().and_then(|row| row.first()).and_then(parse_activity_id);
        Ok(ActivityPage { entries: PageOf { data, has_more }, newest })
    }
}

fn entry_from_row(row: Vec<SqlStorageValue>) -> Option<ActivityEntry> {
    let [id, SqlStorageValue::String(customer), SqlStorageValue::String(activity)] =
        <[SqlStorageValue; 3]>::try_from(row).ok()?
    else {
        return None;
    };
    Some(ActivityEntry {
        id: parse_activity_id(&id)?,
        customer: CustomerId::try_from(customer).ok()?,
        activity: rpc::decode(activity.as_bytes()).ok()?,
    })
}

fn parse_activity_id(value: &SqlStorageValue) -> Option<ActivityId> {
    match value {
        SqlStorageValue::Integer(id) => u64::try_from(*id).ok().map(ActivityId),
        _ => None,
    }
}

/// The client of the activity logs of both modes.
pub(super) struct ActivityLogStub {
    objects: Objects,
}

impl ActivityLogStub {
    pub(super) fn from_env(env: &Env) -> Result<Self> {
        Ok(Self { objects: Objects::from_env(env, BINDING)? })
    }

    pub(super) async fn append(
        &self,
        customer: &CustomerKey,
        activities: Vec<Activity>,
    ) -> std::result::Result<(), store::Error> {
        let message = ActivityLogRequest::Append { customer: customer.id.clone(), activities };
        self.post(customer.livemode, &message).await.map(drop)
    }

    async fn post(
        &self,
        livemode: Livemode,
        message: &ActivityLogRequest,
    ) -> std::result::Result<Vec<u8>, store::Error> {
        let message = serde_json::to_string(message);
        rpc::call(&self.objects, PORT, livemode.as_str(), message).await
    }
}

impl store::ActivityLog for ActivityLogStub {
    async fn list(
        &self,
        livemode: Livemode,
        customer: Option<&CustomerId>,
        page: &PageRequest<ActivityId>,
    ) -> std::result::Result<ActivityPage, store::Error> {
        let message = ActivityLogRequest::List { customer: customer.cloned(), page: page.clone() };
        let response = self.post(livemode, &message).await?;
        rpc::decode(&response).map_err(|error| rpc::unreachable(PORT, &error))
    }
}
