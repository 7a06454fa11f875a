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
    object, sleep,
    sql::{Sql, integer},
};
use crate::{
    id::{ActivityId, Customer, CustomerId, Livemode},
    json::readable,
    ledger::{ACTIVITY_MEMORY, Activity},
    store::{
        self, Entry, Excerpt,
        part::{Cursor, Listed, Part},
    },
};

/// The binding in `wrangler.toml`.
const BINDING: &str = "JOURNAL";

/// How long a customer's object waits for the journal before it drops what it told, in milliseconds.
const PATIENCE: u64 = 5_000;

/// The last number that JavaScript can count to.
const LAST: u64 = (1 << 53) - 1;

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
const NEWEST_OF_ONE_FIRST: &str = "SELECT id, customer, activity FROM entries \
    WHERE id > ? AND id < ? AND customer = ? ORDER BY id DESC LIMIT ?";
const OLDEST_OF_ONE_FIRST: &str = "SELECT id, customer, activity FROM entries \
    WHERE id > ? AND id < ? AND customer = ? ORDER BY id LIMIT ?";

/// The journal's Durable Object.
#[durable_object(fetch)]
pub struct Journal {
    sql: Sql,
    created: Cell<bool>,
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Journal").finish_non_exhaustive()
    }
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Message {
    /// What was decided about a customer, in this order.
    Note { customer: CustomerId, activities: Vec<Activity> },
    /// What was decided, about everybody or a customer?
    Read { customer: Option<CustomerId>, part: Part<ActivityId> },
}

readable! {
    enum Message {
        Note { customer, activities } = "note", Read { customer, part } = "read",
    }
}

impl DurableObject for Journal {
    fn new(state: State, _env: Env) -> Self {
        Self { sql: Sql::of(&state), created: Cell::default() }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let message = object::heard(&mut request).await;
        let answer = message.and_then(|message| self.answer(message));
        answer.or_else(|error| object::failed(&error))
    }
}

impl Journal {
    fn answer(&self, message: Message) -> Result<Response> {
        if !self.created.replace(true) {
            self.sql.create(&SCHEMA)?;
        }
        match message {
            Message::Note { customer, activities } => {
                self.note(&customer, &activities)?;
                Response::empty()
            }
            Message::Read { customer, part } => {
                object::answer(&self.read(customer.as_ref(), &part)?)
            }
        }
    }

    fn note(&self, customer: &CustomerId, activities: &[Activity]) -> Result<()> {
        for activity in activities {
            let values = vec![customer.as_str().into(), serde_json::to_string(activity)?.into()];
            self.sql.run("INSERT INTO entries (customer, activity) VALUES (?, ?)", values)?;
        }
        let memory = u64::try_from(ACTIVITY_MEMORY).unwrap_or(u64::MAX);
        let forget = "DELETE FROM entries WHERE id <= (SELECT MAX(id) FROM entries) - ?";
        self.sql.run(forget, vec![integer(memory)?])
    }

    fn read(&self, customer: Option<&CustomerId>, part: &Part<ActivityId>) -> Result<Excerpt> {
        let (above, below) = match part.cursor {
            Cursor::Start => (0, LAST),
            Cursor::After(ActivityId(id)) => (0, id.min(LAST)),
            Cursor::Before(ActivityId(id)) => (id.min(LAST), LAST),
        };
        let statement = match (&part.cursor, customer) {
            (Cursor::Start | Cursor::After(_), None) => NEWEST_FIRST,
            (Cursor::Start | Cursor::After(_), Some(_)) => NEWEST_OF_ONE_FIRST,
            (Cursor::Before(_), None) => OLDEST_FIRST,
            (Cursor::Before(_), Some(_)) => OLDEST_OF_ONE_FIRST,
        };
        let mut values = vec![integer(above)?, integer(below)?];
        values.extend(customer.map(|customer| customer.as_str().into()));
        values.push(integer(u64::try_from(part.reads()).unwrap_or(u64::MAX))?);
        let Listed { data, has_more } = Listed::of(part, self.sql.rows(statement, values)?);
        // What another deployment wrote in another form is left out.
        let data = data.into_iter().filter_map(entry).collect();
        let newest = self.sql.rows("SELECT MAX(id) FROM entries", vec![])?;
        let newest = newest.first().and_then(|row| row.first()).and_then(place);
        Ok(Excerpt { entries: Listed { data, has_more }, newest })
    }
}

fn entry(row: Vec<SqlStorageValue>) -> Option<Entry> {
    let [id, SqlStorageValue::String(customer), SqlStorageValue::String(activity)] =
        <[SqlStorageValue; 3]>::try_from(row).ok()?
    else {
        return None;
    };
    Some(Entry {
        id: place(&id)?,
        customer: CustomerId::try_from(customer).ok()?,
        activity: object::read(activity.as_bytes()).ok()?,
    })
}

fn place(value: &SqlStorageValue) -> Option<ActivityId> {
    match value {
        SqlStorageValue::Integer(id) => u64::try_from(*id).ok().map(ActivityId),
        _ => None,
    }
}

/// The way to the journals.
pub(super) struct DurableJournal {
    journals: ObjectNamespace,
}

impl DurableJournal {
    pub(super) fn open(env: &Env) -> Result<Self> {
        Ok(Self { journals: env.durable_object(BINDING)? })
    }

    async fn note(&self, customer: &Customer, activities: Vec<Activity>) -> Result<()> {
        let message = Message::Note { customer: customer.id.clone(), activities };
        self.send(customer.livemode, &message).await.map(drop)
    }

    async fn read(
        &self,
        livemode: Livemode,
        customer: Option<&CustomerId>,
        part: &Part<ActivityId>,
    ) -> Result<Excerpt> {
        let message = Message::Read { customer: customer.cloned(), part: part.clone() };
        object::read(&self.send(livemode, &message).await?)
    }

    async fn send(&self, livemode: Livemode, message: &Message) -> Result<Vec<u8>> {
        let message = serde_json::to_string(message)?;
        object::send(&self.journals, object::of_mode(livemode), message).await
    }
}

impl store::Journal for DurableJournal {
    async fn entries(
        &self,
        livemode: Livemode,
        customer: Option<&CustomerId>,
        part: &Part<ActivityId>,
    ) -> std::result::Result<Excerpt, store::Error> {
        self.read(livemode, customer, part).await.map_err(|error| store::Error::Unreachable {
            port: "journal",
            cause: error.to_string(),
        })
    }
}

/// What was decided about one customer, and the journal is yet to be told.
#[derive(Default)]
pub(super) struct Notes {
    untold: RefCell<Vec<Activity>>,
    telling: Cell<bool>,
}

impl Notes {
    /// Adds a note, and answers the work of telling it, unless somebody is at that. It comes after the
    /// answer that is being made, tells one after the other, and fails nobody.
    pub(super) fn add(
        self: &Rc<Self>,
        env: &Env,
        customer: &Customer,
        activity: Activity,
    ) -> Option<impl Future<Output = ()> + use<>> {
        {
            let mut untold = self.untold.borrow_mut();
            // The journal remembers no more than this.
            if untold.len() >= ACTIVITY_MEMORY {
                untold.remove(0);
            }
            untold.push(activity);
        }
        if self.telling.replace(true) {
            return None;
        }
        let (notes, env, customer) = (Rc::clone(self), env.clone(), customer.clone());
        Some(async move {
            loop {
                sleep(0).await;
                let untold = notes.untold.take();
                if untold.is_empty() {
                    break;
                }
                if let Err(error) = tell(&env, &customer, untold).await {
                    console_warn!("{}: the journal is not told: {error}", customer.key());
                }
            }
            notes.telling.set(false);
        })
    }
}

async fn tell(env: &Env, customer: &Customer, activities: Vec<Activity>) -> Result<()> {
    let journal = DurableJournal::open(env)?;
    let told = std::pin::pin!(journal.note(customer, activities));
    match select(told, sleep(PATIENCE)).await {
        Either::Left((told, _)) => told,
        Either::Right(_) => Err("it does not answer".into()),
    }
}
