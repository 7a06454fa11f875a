//! Writes of a ledger to others: the record to the replica, reports to the customer index, and
//! activities to the activity log.
//!
//! The first two are pending tasks of the ledger: a failed write is retried with exponential
//! back-off. Activities are best effort. Not here: when a write is due
//! ([`Outbox`](crate::ledger::Outbox)).

use std::rc::Rc;

use super::instance::Instance;
use crate::{
    id::CustomerKey,
    ledger::{
        activity::{ACTIVITY_RETENTION, Activity},
        outbox::Task,
        ports::{LedgerPorts, LedgerStorage as _, LogLevel, PortError, StepError},
    },
    waiting::{SharedFuture, within},
};

/// Timeout of a write of the replica, in milliseconds.
const REPLICA_WRITE_TIMEOUT: u64 = 30_000;

/// Timeout of an append to the activity log, in milliseconds. The activities are then dropped.
const APPEND_TIMEOUT: u64 = 5_000;

/// Returns the write of the replica in flight, or starts one if it is due.
pub(super) fn start_replica_write<P: LedgerPorts>(
    instance: &Rc<Instance<P>>,
    customer: &CustomerKey,
) -> Option<SharedFuture<()>> {
    let in_flight = instance.replica_write.borrow().clone();
    if in_flight.is_some() {
        return in_flight;
    }
    let now = instance.ports.now();
    match instance.ports.storage().read(|ledger| ledger.outbox.is_due(Task::Replica, now)) {
        Ok(true) => {}
        Ok(false) => return None,
        Err(error) => {
            instance.log_error(&format!(
                "{}: failed to read pending tasks: {error}",
                customer.to_key()
            ));
            return None;
        }
    }
    let (this, customer) = (Rc::clone(instance), customer.clone());
    let write = instance.spawn_shared(async move {
        if let Err(error) = write_replica(&this, &customer).await {
            let customer = customer.to_key();
            this.log_error(&format!("{customer}: failed to write the replica: {error}"));
        }
        this.replica_write.take();
        this.schedule_alarm_or_log(&customer).await;
    });
    instance.replica_write.replace(Some(write.clone()));
    Some(write)
}

async fn write_replica<P: LedgerPorts>(
    instance: &Instance<P>,
    customer: &CustomerKey,
) -> Result<(), StepError> {
    let ports = &instance.ports;
    let storage = ports.storage();
    let started = storage.update(customer, |ledger| Ok(ledger.begin_replica_write(ports.now())))?;
    let Some((write, record)) = started.zip(storage.read_record()?) else { return Ok(()) };
    let result =
        with_timeout(ports, REPLICA_WRITE_TIMEOUT, ports.write_replica(customer, &record)).await;
    storage.update(customer, |ledger| {
        match &result {
            Ok(()) => ledger.replica_write_succeeded(write, ports.now()),
            Err(_) => ledger.replica_write_failed(ports.now(), ports.jitter()),
        }
        Ok(())
    })?;
    Ok(result.map_err(|error| PortError(format!("{error} (will retry)")))?)
}

/// Reports the sync status and new features to the customer index, if a report is due.
pub(super) async fn report_if_due<P: LedgerPorts>(
    instance: &Instance<P>,
    customer: &CustomerKey,
) -> Result<(), StepError> {
    let ports = &instance.ports;
    let storage = ports.storage();
    if !storage.read(|ledger| ledger.outbox.is_due(Task::Report, ports.now()))? {
        return Ok(());
    }
    let Some(report) = storage.update(customer, |ledger| Ok(ledger.begin_report()))? else {
        return Ok(());
    };
    let result = ports.send_report(&customer.to_key(), &report).await;
    storage.update(customer, |ledger| {
        match &result {
            Ok(()) => ledger.report_succeeded(&report, ports.now()),
            Err(_) => ledger.report_failed(ports.now(), ports.jitter()),
        }
        Ok(())
    })?;
    if let Err(error) = result {
        let customer = customer.to_key();
        instance.log_error(&format!("{customer}: failed to report to the customer index: {error}"));
    }
    Ok(())
}

/// Appends an activity to the activity log, in the background and in order.
pub(super) fn log_activity<P: LedgerPorts>(
    instance: &Rc<Instance<P>>,
    customer: &CustomerKey,
    activity: Activity,
) {
    {
        let mut activities = instance.activities.borrow_mut();
        // The activity log keeps no more.
        if activities.len() >= ACTIVITY_RETENTION {
            activities.remove(0);
        }
        activities.push(activity);
    }
    if instance.is_appending.replace(true) {
        return;
    }
    let (this, customer) = (Rc::clone(instance), customer.clone());
    drop(instance.spawn_shared(async move {
        loop {
            // Lets the response be sent first.
            this.ports.sleep(0).await;
            let activities = this.activities.take();
            if activities.is_empty() {
                break;
            }
            let append = this.ports.append_activities(&customer, activities);
            if let Err(error) = with_timeout(&this.ports, APPEND_TIMEOUT, append).await {
                let line =
                    format!("{}: failed to append to the activity log: {error}", customer.to_key());
                this.ports.log(LogLevel::Warning, &line);
            }
        }
        this.is_appending.set(false);
    }));
}

/// Returns the result of a call, or an error if there is none within so many milliseconds.
async fn with_timeout<P: LedgerPorts>(
    ports: &P,
    millis: u64,
    call: impl Future<Output = Result<(), PortError>>,
) -> Result<(), PortError> {
    let result = within(ports.sleep(millis), call).await;
    result.unwrap_or_else(|| Err(PortError(format!("no response within {} s", millis / 1_000))))
}
