//! The journal: one Durable Object a mode that knows what was decided lately, for people to look at.
//!
//! Customers' objects tell it after they have answered, and do not try again: what it does not hear of
//! is lost. It is an object of its own, beside the roster, since it hears of every event, and of an
//! event no less while there are many: that may cost entries here, and must not keep the roster from
//! telling what is owed.
//!
//! | `POST`, as JSON    | answer                        |
//! |--------------------|-------------------------------|
//! | [`Message::Note`]  | 200, once it is kept          |
//! | [`Message::Read`]  | 200, an [`Excerpt`] as JSON   |

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use futures_util::future::{Either, select};
use serde::Serialize;
use worker::{
    DurableObject, Env, ObjectNamespace, Request, Response, Result, SqlStorageValue, State,
    console_warn, durable_object,
};

use super::{
    rpc, sleep,
    sql::{SqlTables, integer_value},
};
use crate::{
    id::{ActivityId, CustomerId, CustomerKey, Livemode},
    json::impl_from_json,
    ledger::{ACTIVITY_RETENTION, Activity},
    store::{
        self, ActivityEntry, ActivityPage,
        pagination::{Cursor, PageOf, PageRequest},
    },
};

/// The binding in `wrangler.toml`.
const BINDING: &str = "ACTIVITY_LOG";

/// How long a customer's object waits for the journal before it drops what it told, in milliseconds.
const APPEND_TIMEOUT: u64 = 5_000;

/// The last number that JavaScript can count to.
const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

const SCHEMA: [&str; 2] = [
    // The newest entry is never deleted, so that no number is given twice.
    "CREATE TABLE IF NOT EXISTS entries (id INTEGER PRIMARY KEY, customer TEXT NOT NULL, \
     activity TEXT NOT NULL)",
    "CREATE INDEX IF NOT EXISTS by_customer ON entries (customer)",
];

const NEWEST_FIRST: &str = "SELECT id, customer, activity FROM entries \
    WHERE id > ? AND id < ? ORDER BY id DESC LIMIT ?";
const OLDEST_FIRST: &str = "SELECT id, customer, activity FROM entries \
    WHERE id > ? AND id < ? ORDER BY id LIMIT ?";
const CUSTOMER_NEWEST_FIRST: &str = "SELECT id, customer, activity FROM entries \
    WHERE id > ? AND id < ? AND customer = ? ORDER BY id DESC LIMIT ?";
const CUSTOMER_OLDEST_FIRST: &str = "SELECT id, customer, activity FROM entries \
    WHERE id > ? AND id < ? AND customer = ? ORDER BY id LIMIT ?";

/// The journal's Durable Object.
#[durable_object(fetch)]
pub struct ActivityLogObject {
    sql: SqlTables,
    created: Cell<bool>,
}

impl std::fmt::Debug for ActivityLogObject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ActivityLogObject").finish_non_exhaustive()
    }
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum ActivityLogRequest {
    /// What was decided about a customer, in this order.
    Append { customer: CustomerId, activities: Vec<Activity> },
    /// What was decided, about everybody or a customer?
    List { customer: Option<CustomerId>, part: PageRequest<ActivityId> },
}

impl_from_json! {
    enum ActivityLogRequest {
        Append { customer, activities } = "append", List { customer, part } = "list",
    }
}

impl DurableObject for ActivityLogObject {
    fn new(state: State, _env: Env) -> Self {
        Self { sql: SqlTables::new(&state), created: Cell::default() }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let message = rpc::read_request(&mut request).await;
        let answer = message.and_then(|message| self.handle(message));
        answer.or_else(|error| rpc::error_response(&error))
    }
}

impl ActivityLogObject {
    fn handle(&self, message: ActivityLogRequest) -> Result<Response> {
        if !self.created.replace(true) {
            self.sql.create_tables(&SCHEMA)?;
        }
        match message {
            ActivityLogRequest::Append { customer, activities } => {
                self.append(&customer, &activities)?;
                Response::empty()
            }
            ActivityLogRequest::List { customer, part } => {
                rpc::json_response(&self.list_entries(customer.as_ref(), &part)?)
            }
        }
    }

    fn append(&self, customer: &CustomerId, activities: &[Activity]) -> Result<()> {
        for activity in activities {
            let values = vec![customer.as_str().into(), serde_json::to_string(activity)?.into()];
            self.sql.execute("INSERT INTO entries (customer, activity) VALUES (?, ?)", values)?;
        }
        let memory = u64::try_from(ACTIVITY_RETENTION).unwrap_or(u64::MAX);
        let forget = "DELETE FROM entries WHERE id <= (SELECT MAX(id) FROM entries) - ?";
        self.sql.execute(forget, vec![integer_value(memory)?])
    }

    fn list_entries(
        &self,
        customer: Option<&CustomerId>,
        part: &PageRequest<ActivityId>,
    ) -> Result<ActivityPage> {
        let (above, below) = match part.cursor {
            Cursor::Start => (0, MAX_SAFE_INTEGER),
            Cursor::After(ActivityId(id)) => (0, id.min(MAX_SAFE_INTEGER)),
            Cursor::Before(ActivityId(id)) => (id.min(MAX_SAFE_INTEGER), MAX_SAFE_INTEGER),
        };
        let statement = match (&part.cursor, customer) {
            (Cursor::Start | Cursor::After(_), None) => NEWEST_FIRST,
            (Cursor::Start | Cursor::After(_), Some(_)) => CUSTOMER_NEWEST_FIRST,
            (Cursor::Before(_), None) => OLDEST_FIRST,
            (Cursor::Before(_), Some(_)) => CUSTOMER_OLDEST_FIRST,
        };
        let mut values = vec![integer_value(above)?, integer_value(below)?];
        values.extend(customer.map(|customer| customer.as_str().into()));
        values.push(integer_value(u64::try_from(part.fetch_limit()).unwrap_or(u64::MAX))?);
        let PageOf { data, has_more } =
            PageOf::from_fetched(part, self.sql.query(statement, values)?);
        // What another deployment wrote in another form is left out.
        let data = data.into_iter().filter_map(entry_from_row).collect();
        let newest = self.sql.query("SELECT MAX(id) FROM entries", vec![])?;
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

/// The way to the journals.
pub(super) struct ActivityLogStub {
    namespace: ObjectNamespace,
}

impl ActivityLogStub {
    pub(super) fn from_env(env: &Env) -> Result<Self> {
        Ok(Self { namespace: env.durable_object(BINDING)? })
    }

    async fn append(&self, customer: &CustomerKey, activities: Vec<Activity>) -> Result<()> {
        let message = ActivityLogRequest::Append { customer: customer.id.clone(), activities };
        self.post(customer.livemode, &message).await.map(drop)
    }

    async fn request_page(
        &self,
        livemode: Livemode,
        customer: Option<&CustomerId>,
        part: &PageRequest<ActivityId>,
    ) -> Result<ActivityPage> {
        let message = ActivityLogRequest::List { customer: customer.cloned(), part: part.clone() };
        rpc::decode(&self.post(livemode, &message).await?)
    }

    async fn post(&self, livemode: Livemode, message: &ActivityLogRequest) -> Result<Vec<u8>> {
        let message = serde_json::to_string(message)?;
        rpc::call(&self.namespace, rpc::mode_name(livemode), message).await
    }
}

impl store::ActivityLog for ActivityLogStub {
    async fn list(
        &self,
        livemode: Livemode,
        customer: Option<&CustomerId>,
        part: &PageRequest<ActivityId>,
    ) -> std::result::Result<ActivityPage, store::Error> {
        self.request_page(livemode, customer, part).await.map_err(|error| {
            store::Error::Unreachable { port: "activity log", cause: error.to_string() }
        })
    }
}

/// What was decided about one customer, and the journal is yet to be told.
#[derive(Default)]
pub(super) struct ActivityBuffer {
    pending: RefCell<Vec<Activity>>,
    flushing: Cell<bool>,
}

impl ActivityBuffer {
    /// Adds a note, and answers the work of telling it, unless somebody is at that. It comes after the
    /// answer that is being made, tells one after the other, and fails nobody.
    pub(super) fn push(
        self: &Rc<Self>,
        env: &Env,
        customer: &CustomerKey,
        activity: Activity,
    ) -> Option<impl Future<Output = ()> + use<>> {
        {
            let mut untold = self.pending.borrow_mut();
            // The journal remembers no more than this.
            if untold.len() >= ACTIVITY_RETENTION {
                untold.remove(0);
            }
            untold.push(activity);
        }
        if self.flushing.replace(true) {
            return None;
        }
        let (notes, env, customer) = (Rc::clone(self), env.clone(), customer.clone());
        Some(async move {
            loop {
                sleep(0).await;
                let untold = notes.pending.take();
                if untold.is_empty() {
                    break;
                }
                if let Err(error) = append_with_timeout(&env, &customer, untold).await {
                    console_warn!("{}: the journal is not told: {error}", customer.to_key());
                }
            }
            notes.flushing.set(false);
        })
    }
}

async fn append_with_timeout(
    env: &Env,
    customer: &CustomerKey,
    activities: Vec<Activity>,
) -> Result<()> {
    let journal = ActivityLogStub::from_env(env)?;
    let told = std::pin::pin!(journal.append(customer, activities));
    match select(told, sleep(APPEND_TIMEOUT)).await {
        Either::Left((told, _)) => told,
        Either::Right(_) => Err("it does not answer".into()),
    }
}
