//! The Durable Object of one shard.
//!
//! A ledger sends a message when an event was processed, or when its sync status changed. So requests about
//! all customers need 32 objects instead of every ledger.
//!
//! A message is stored before its features are passed to the coordinator. If the coordinator fails, the
//! ledger sends the report again, without the decisions. The first problem since the coordinator last asked
//! is reported to it.

use std::cell::{Cell, RefCell};

use wasm_bindgen::prelude::wasm_bindgen;
use worker::{Env, Result, console_warn, worker_sys::DurableObjectState};

use super::{
    activity::ActivityTable, customers::CustomerTable, features::FeatureTable, stub::IndexRequest,
};
use crate::{
    customer_index::{
        ActivityPosition, CustomerSyncStatus, RetainedActivity, ShardActivity, ShardReport,
        SlotBlock,
    },
    id::{CustomerId, Livemode, UnixMillis},
    ledger::{IndexMessage, StatusReport},
    pagination::PageOf,
    worker::{
        coordinator::CoordinatorStub,
        rpc::{ObjectResponse, respond},
        runtime::now_millis,
        sql::SqlTables,
    },
};

/// One shard of the customer index.
#[wasm_bindgen]
pub struct CustomerIndexObject {
    env: Env,
    sql: SqlTables,
    tables_created: Cell<bool>,
    activity: ActivityTable,
    features: FeatureTable,
    /// Whether the coordinator knows of a problem since it last asked.
    is_problem_reported: Cell<bool>,
    slots: RefCell<SlotBlock>,
}

impl std::fmt::Debug for CustomerIndexObject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CustomerIndexObject").finish_non_exhaustive()
    }
}

/// What JavaScript calls. `#[durable_object]` would need `fetch`, which this object does not have.
#[wasm_bindgen]
impl CustomerIndexObject {
    /// Creates the object with this state.
    #[must_use]
    #[wasm_bindgen(constructor)]
    pub fn new(state: DurableObjectState, env: Env) -> Self {
        Self {
            env,
            sql: SqlTables::new(&state.into()),
            tables_created: Cell::default(),
            activity: ActivityTable::default(),
            features: FeatureTable::default(),
            is_problem_reported: Cell::default(),
            slots: RefCell::default(),
        }
    }

    /// Responds to an `IndexRequest`.
    pub async fn request(&self, message: String) -> String {
        respond(&message, async |message| self.handle(message).await).await
    }
}

impl CustomerIndexObject {
    async fn handle(&self, message: IndexRequest) -> Result<ObjectResponse> {
        let (may_read, may_write) = (self.sql.may_read()?, self.sql.may_write()?);
        let allowed = match message {
            IndexRequest::Message(_) | IndexRequest::Lease(_) => may_write,
            IndexRequest::Survey(_)
            | IndexRequest::ReserveRead(_)
            | IndexRequest::Customers(_)
            | IndexRequest::Activity(_) => may_read,
        };
        if !allowed {
            return Ok(ObjectResponse::newer_release());
        }
        if let IndexRequest::ReserveRead(livemode) = message {
            return self.reserve_read(livemode).await;
        }
        let is_message = matches!(message, IndexRequest::Message(_));
        // A shard without customers stays without tables.
        if !is_message && self.sql.access()?.is_none() {
            return empty_response(&message, now_millis());
        }
        if may_write && !self.tables_created.replace(true) {
            let schemas = [CustomerTable::SCHEMA, ActivityTable::SCHEMA, FeatureTable::SCHEMA];
            self.sql.create_tables(&schemas.concat())?;
        }
        let now = now_millis();
        let customers = CustomerTable(&self.sql);
        match message {
            IndexRequest::Message(message) => self.store(message, now).await,
            IndexRequest::Survey(query) => {
                self.is_problem_reported.set(false);
                ObjectResponse::json(&customers.survey(query, now)?)
            }
            // It needs no table.
            IndexRequest::ReserveRead(livemode) => self.reserve_read(livemode).await,
            IndexRequest::Lease(lease) => {
                customers.lease(&lease, now)?;
                Ok(ObjectResponse::empty())
            }
            IndexRequest::Customers(query) => ObjectResponse::json(&customers.list(&query)?),
            IndexRequest::Activity(query) => {
                ObjectResponse::json(&self.activity.list(&self.sql, &query, now)?)
            }
        }
    }

    async fn store(&self, message: IndexMessage, now: UnixMillis) -> Result<ObjectResponse> {
        let IndexMessage { key, report, activities } = message;
        let Some((livemode, id)) = Livemode::split_key(&key) else {
            return Err(format!("`{key}` has no mode").into());
        };
        let customers = CustomerTable(&self.sql);
        if let Some(StatusReport { status, .. }) = &report {
            customers.upsert(id, status, now)?;
        }
        if let Ok(customer) = CustomerId::try_from(id)
            && let Err(error) = self.activity.append(&self.sql, &customer, &activities, now)
        {
            console_warn!("{key}: failed to store activity: {error}");
        }
        if report.as_ref().is_some_and(|report| report.status.is_problem()) {
            self.report_problem(livemode).await;
        }
        if let Some(StatusReport { features, .. }) = report {
            let new = self.features.unknown(&self.sql, features)?;
            if !new.is_empty() {
                let coordinator = CoordinatorStub::from_env(&self.env)?;
                let added = coordinator.add_features(livemode, new.clone()).await;
                added.map_err(|error| error.to_string())?;
                self.features.add(&self.sql, new)?;
            }
        }
        Ok(ObjectResponse::empty())
    }

    /// Assigns the slot of a routine read.
    async fn reserve_read(&self, livemode: Livemode) -> Result<ObjectResponse> {
        let stored = self.slots.borrow_mut().take(now_millis());
        if let Some(slot) = stored {
            return ObjectResponse::json(&slot);
        }
        let coordinator = CoordinatorStub::from_env(&self.env)?;
        let size = self.slots.borrow().next_size();
        let reserved = coordinator.reserve_routine_reads(livemode, size).await;
        let reserved = reserved.map_err(|error| error.to_string())?;
        let first = self.slots.borrow_mut().add(reserved, now_millis());
        ObjectResponse::json(&first.ok_or_else(|| "the coordinator reserved no read".to_owned())?)
    }

    /// Lets the coordinator add up the index soon. It does so later in any case.
    async fn report_problem(&self, livemode: Livemode) {
        if self.is_problem_reported.replace(true) {
            return;
        }
        let reported = match CoordinatorStub::from_env(&self.env) {
            Ok(coordinator) => {
                coordinator.survey_soon(livemode).await.map_err(|error| error.to_string())
            }
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = reported {
            self.is_problem_reported.set(false);
            console_warn!("failed to report a problem to the coordinator: {error}");
        }
    }
}

/// The response of a shard that has received no message.
fn empty_response(message: &IndexRequest, now: UnixMillis) -> Result<ObjectResponse> {
    match message {
        IndexRequest::Survey(_) => ObjectResponse::json(&ShardReport::default()),
        IndexRequest::Customers(_) => {
            let page = PageOf::<CustomerSyncStatus> { data: Vec::new(), has_more: false };
            ObjectResponse::json(&page)
        }
        IndexRequest::Activity(_) => {
            let complete_since =
                RetainedActivity::new(ActivityPosition::default(), now).complete_since(None);
            let entries = PageOf { data: Vec::new(), has_more: false };
            ObjectResponse::json(&ShardActivity { entries, complete_since })
        }
        IndexRequest::Message(_) | IndexRequest::ReserveRead(_) | IndexRequest::Lease(_) => {
            Ok(ObjectResponse::empty())
        }
    }
}
