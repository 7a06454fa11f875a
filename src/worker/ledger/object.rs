//! A ledger's Durable Object: accepts events, answers requests, and runs pending tasks.
//!
//! An event is applied in one transaction, together with the tasks that follow from it. The alarm
//! is set before the object responds. So a crash leaves either an event that was not acknowledged,
//! which Stripe sends again, or a task that the alarm runs. A task runs at once if it can, and by
//! the alarm if it is not due yet or fails.

use std::rc::Rc;

use futures_util::future::{Either, select};
use wasm_bindgen::prelude::wasm_bindgen;
use worker::{DurableObject, Env, Method, Request, Response, Result, State, durable_object};

use super::{
    refresh,
    rpc::{LedgerRequest, receipt_response, to_http_response},
    state::CustomerState,
    websockets, writes,
};
use crate::{
    entitlement::Summary,
    id::UnixMillis,
    ledger::{Activity, ApplyOutcome, ApplyReceipt, ReadReason, SourceAccess, Task},
    worker::{
        rpc::{error_response, newer_release_response, read_request},
        runtime::{now_millis, sleep},
    },
};

/// How long an event waits for the write of the replica before it is acknowledged, in milliseconds.
const ACKNOWLEDGE_TIMEOUT: u64 = 2_000;

/// How often the replica's task is checked during a read of the source, in milliseconds.
const POLL_INTERVAL: u64 = 1_000;

/// The ledger of one customer.
#[durable_object(alarm)]
pub struct LedgerObject {
    state: Rc<CustomerState>,
}

impl std::fmt::Debug for LedgerObject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LedgerObject").finish_non_exhaustive()
    }
}

impl DurableObject for LedgerObject {
    fn new(context: State, env: Env) -> Self {
        Self { state: Rc::new(CustomerState::new(context, env)) }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        handle(&self.state, &mut request).await.or_else(|error| error_response(&error))
    }

    async fn alarm(&self) -> Result<Response> {
        run_due_tasks(&self.state).await?;
        Response::empty()
    }
}

/// Handlers of WebSocket events. The crate's own trait would need a handler of messages.
#[wasm_bindgen]
impl LedgerObject {
    /// Ignores a message: subscribers send none.
    #[wasm_bindgen(js_name = webSocketMessage)]
    pub fn web_socket_message(&self) {}

    /// Closes our end after the subscriber closed its end.
    #[wasm_bindgen(js_name = webSocketClose)]
    pub fn web_socket_close(&self, socket: web_sys::WebSocket) {
        websockets::close(&socket.into(), websockets::NORMAL_CLOSURE);
    }

    /// Closes our end after the connection failed.
    #[wasm_bindgen(js_name = webSocketError)]
    pub fn web_socket_error(&self, socket: web_sys::WebSocket) {
        websockets::close(&socket.into(), websockets::NORMAL_CLOSURE);
    }
}

async fn handle(state: &Rc<CustomerState>, request: &mut Request) -> Result<Response> {
    let storage = state.storage();
    if request.method() == Method::Get {
        let may_read = storage.may_read()?;
        return if may_read {
            websockets::accept(state, request)
        } else {
            newer_release_response()
        };
    }
    let Some(message) = read_request(request).await? else { return newer_release_response() };
    let allowed = match message {
        LedgerRequest::Load { .. } => storage.may_read()?,
        LedgerRequest::Apply(_)
        | LedgerRequest::Sync { .. }
        | LedgerRequest::Reconcile(_)
        | LedgerRequest::Rearm => storage.may_write()?,
    };
    if !allowed {
        return newer_release_response();
    }
    match message {
        LedgerRequest::Apply(summary) => receipt_response(apply(state, &summary).await?),
        LedgerRequest::Load { customer, features } => {
            to_http_response(refresh::load(state, &customer, &features).await?)
        }
        LedgerRequest::Sync { customer, wait_for } => {
            to_http_response(refresh::sync(state, &customer, wait_for.as_ref()).await?)
        }
        LedgerRequest::Reconcile(customer) => {
            to_http_response(refresh::reconcile(state, &customer).await?)
        }
        LedgerRequest::Rearm => {
            state.schedule_alarm().await?;
            Response::empty()
        }
    }
}

/// Applies an event. Returns once its effect is stored, and waits a little for the replica.
async fn apply(state: &Rc<CustomerState>, summary: &Summary) -> Result<ApplyReceipt> {
    let access = match state.source_client(summary.customer.livemode) {
        Some(_) => SourceAccess::Available,
        None => SourceAccess::None,
    };
    let now = now_millis();
    let receipt = state.storage().update(&summary.customer, |storage, ledger| {
        let dedup = storage.check_duplicate(&summary.event)?;
        let receipt = ledger.apply_event(summary, dedup, access, now);
        let receipt = receipt.map_err(|error| error.to_string())?;
        storage.record_event(&summary.event, now.to_timestamp())?;
        Ok(receipt)
    })?;
    state.unknown_until.set(UnixMillis::default());
    if receipt.outcome == ApplyOutcome::Applied {
        websockets::notify_changed(state);
    }
    // Before any await, so that activities have the order of the transactions.
    state.log_activity(&summary.customer, Activity::from_event(summary, receipt, now));
    let write = match receipt.outcome {
        ApplyOutcome::Applied => writes::start_replica_write(state, &summary.customer),
        _ => None,
    };
    // No await since the transaction: the platform commits the alarm together with it. The alarm is
    // late enough for the write in flight.
    state.schedule_alarm().await?;
    if let Some(write) = write {
        select(write, sleep(ACKNOWLEDGE_TIMEOUT)).await;
    }
    Ok(receipt)
}

/// Runs the pending tasks that are due.
async fn run_due_tasks(state: &Rc<CustomerState>) -> Result<()> {
    state.alarm_fired();
    let storage = state.storage();
    if !storage.may_write()? {
        return state.postpone_alarm().await;
    }
    let Some(customer) = storage.customer()? else { return Ok(()) };
    let outbox = storage.outbox()?;
    let due = |task| outbox.is_due(task, now_millis());
    let mut read = (due(Task::Read) || due(Task::Confirm))
        .then(|| refresh::join_read(state, &customer, ReadReason::Reconcile));
    loop {
        if let Some(write) = writes::start_replica_write(state, &customer) {
            write.await;
        }
        writes::report_if_due(state, &customer).await?;
        let Some(pending) = read.take() else { break };
        if let Either::Right(((), pending)) = select(pending, sleep(POLL_INTERVAL)).await {
            read = Some(pending);
        }
    }
    state.schedule_alarm().await
}
