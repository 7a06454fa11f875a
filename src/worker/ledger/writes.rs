//! Writes of a ledger to others: the record to the replica, and reports to the customer index.
//!
//! Each is a pending task of the ledger: a failed write is retried with exponential back-off. Not
//! here: when a write is due ([`crate::ledger::Outbox`]).

use std::{pin::pin, rc::Rc};

use futures_util::future::{Either, select};
use worker::{Result, console_error};

use super::state::CustomerState;
use crate::{
    entitlement::Version,
    id::CustomerKey,
    ledger::{StatusReport, Task},
    worker::{
        random::random_jitter,
        rpc::cause,
        runtime::{SharedFuture, now_millis, sleep},
    },
};

/// Timeout of a write of the replica, in milliseconds.
const REPLICA_WRITE_TIMEOUT: u64 = 30_000;

/// Returns the write of the replica in flight, or starts one if it is due.
pub(super) fn start_replica_write(
    state: &Rc<CustomerState>,
    customer: &CustomerKey,
) -> Option<SharedFuture<()>> {
    let in_flight = state.replica_write.borrow().clone();
    if in_flight.is_some() {
        return in_flight;
    }
    match state.storage().outbox() {
        Ok(outbox) if outbox.is_due(Task::Replica, now_millis()) => {}
        Ok(_) => return None,
        Err(error) => {
            console_error!("{}: failed to read pending tasks: {error}", customer.to_key());
            return None;
        }
    }
    let (this, customer) = (Rc::clone(state), customer.clone());
    let write = state.spawn_shared(async move {
        if let Err(error) = write_replica(&this, &customer).await {
            console_error!("{}: failed to write the replica: {error}", customer.to_key());
        }
        this.replica_write.take();
        if let Err(error) = this.schedule_alarm().await {
            console_error!("{}: failed to set the alarm: {error}", customer.to_key());
        }
    });
    state.replica_write.replace(Some(write.clone()));
    Some(write)
}

async fn write_replica(state: &CustomerState, customer: &CustomerKey) -> Result<()> {
    let storage = state.storage();
    let started: Option<(Version, Vec<u8>)> = storage.update(customer, |storage, ledger| {
        let Some(version) = ledger.begin_replica_write(now_millis()).map(|set| set.version) else {
            return Ok(None);
        };
        Ok(storage.read_record()?.map(|record| (version, record)))
    })?;
    let Some((version, record)) = started else { return Ok(()) };
    let put = pin!(put_record(state, customer, &record));
    let result = match select(put, sleep(REPLICA_WRITE_TIMEOUT)).await {
        Either::Left((result, _)) => result.map_err(|error| error.to_string()),
        Either::Right(_) => Err(format!("no response within {} s", REPLICA_WRITE_TIMEOUT / 1_000)),
    };
    storage.update(customer, |_, ledger| {
        match &result {
            Ok(()) => ledger.replica_write_succeeded(version, now_millis()),
            Err(_) => ledger.replica_write_failed(now_millis(), random_jitter()),
        }
        Ok(())
    })?;
    result.map_err(|cause| format!("{cause} (will retry)").into())
}

async fn put_record(state: &CustomerState, customer: &CustomerKey, record: &[u8]) -> Result<()> {
    let put = state.replica()?.put(&customer.to_key(), record).await;
    put.map_err(|error| error.to_string().into())
}

/// Reports the sync status and new features to the customer index, if a report is due.
pub(super) async fn report_if_due(state: &CustomerState, customer: &CustomerKey) -> Result<()> {
    let storage = state.storage();
    if !storage.outbox()?.is_due(Task::Report, now_millis()) {
        return Ok(());
    }
    let Some(report) = storage.update(customer, |_, ledger| Ok(ledger.begin_report()))? else {
        return Ok(());
    };
    let result = send_report(state, &customer.to_key(), &report).await;
    storage.update(customer, |_, ledger| {
        match &result {
            Ok(()) => ledger.report_succeeded(&report, now_millis()),
            Err(_) => ledger.report_failed(now_millis(), random_jitter()),
        }
        Ok(())
    })?;
    if let Err(error) = result {
        console_error!("{}: failed to report to the customer index: {error}", customer.to_key());
    }
    Ok(())
}

/// Sends a report about a customer's key, or about the key of a mode.
pub(super) async fn send_report(
    state: &CustomerState,
    key: &str,
    report: &StatusReport,
) -> Result<()> {
    state.customer_index()?.report(key, report).await.map_err(cause)
}
