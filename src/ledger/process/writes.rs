//! Writes of a ledger to others: the record to the replica, and reports and activities to the customer
//! index.
//!
//! The record and the report are pending tasks of the ledger: a failed write is retried with exponential
//! back-off. Activities are best effort. One message has both, so an event causes one. Not here: when a
//! write is due ([`Outbox`](crate::ledger::Outbox)).

use std::rc::Rc;

use super::instance::Instance;
use crate::{
    id::CustomerKey,
    ledger::{
        activity::Activity,
        outbox::{PendingTask, Task},
        ports::{LedgerPorts, LedgerStorage as _, LogLevel, PortError, StepError},
        replica_writes::ReplicaWrite,
        sync_status::{IndexMessage, StatusReport, SyncProblem, SyncStatus},
    },
    waiting::{SharedFuture, within},
};

/// Timeout of a write of the replica, in milliseconds.
const REPLICA_WRITE_TIMEOUT: u64 = 30_000;

/// Timeout of a message to the customer index, in milliseconds. Its activities are then dropped.
const INDEX_TIMEOUT: u64 = 5_000;

/// How long a message waits for the write of the replica, in milliseconds.
const MAX_INDEX_DELAY: u64 = 1_000;

/// The most activities that wait for a message. A ledger applies some hundred events within its timeout.
const MAX_WAITING_ACTIVITIES: usize = 1_000;

/// Returns the write of the replica in flight, or starts one if it is due.
pub(super) fn start_replica_write<P: LedgerPorts>(
    instance: &Rc<Instance<P>>,
    customer: &CustomerKey,
) -> Option<SharedFuture<()>> {
    let in_flight = instance.replica_write.borrow().clone();
    if in_flight.is_some() {
        return in_flight;
    }
    match begin_if_due(instance, customer) {
        Ok(begun) => join_replica_write(instance, customer, begun),
        Err(error) => {
            let customer = customer.to_key();
            instance.log_error(&format!("{customer}: failed to start a replica write: {error}"));
            None
        }
    }
}

fn begin_if_due<P: LedgerPorts>(
    instance: &Instance<P>,
    customer: &CustomerKey,
) -> Result<Option<ReplicaWrite>, StepError> {
    let (storage, now) = (instance.ports.storage(), instance.ports.now());
    if !storage.read(|ledger| ledger.outbox.is_due(Task::Replica, now))? {
        return Ok(None);
    }
    instance.update(customer, |ledger, now| Ok(ledger.begin_replica_write(now)))
}

/// Continues the write of the replica that the last step has begun, or returns the one in flight.
pub(super) fn join_replica_write<P: LedgerPorts>(
    instance: &Rc<Instance<P>>,
    customer: &CustomerKey,
    begun: Option<ReplicaWrite>,
) -> Option<SharedFuture<()>> {
    let Some(begun) = begun else { return instance.replica_write.borrow().clone() };
    // Read now: another step may change it before the future runs.
    let record = instance.ports.storage().read_record();
    let (this, customer) = (Rc::clone(instance), customer.clone());
    let write = instance.spawn_shared(async move {
        let written = match record {
            Ok(record) => write_replica(&this, &customer, begun, record).await,
            Err(error) => Err(error.into()),
        };
        if let Err(error) = written {
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
    begun: ReplicaWrite,
    record: Option<Vec<u8>>,
) -> Result<(), StepError> {
    let Some(record) = record else { return Ok(()) };
    let ports = &instance.ports;
    let result =
        with_timeout(ports, REPLICA_WRITE_TIMEOUT, ports.write_replica(customer, &record)).await;
    instance.update(customer, |ledger, now| {
        match &result {
            Ok(()) => ledger.replica_write_succeeded(begun, now),
            Err(_) => ledger.replica_write_failed(now, ports.jitter()),
        }
        Ok(())
    })?;
    Ok(result.map_err(|error| PortError(format!("{error} (will retry)")))?)
}

/// Starts to report the sync status and new features to the customer index, if a report is due.
pub(super) fn start_report_if_due<P: LedgerPorts>(
    instance: &Rc<Instance<P>>,
    customer: &CustomerKey,
) -> Result<Option<SharedFuture<()>>, StepError> {
    let ports = &instance.ports;
    let is_due = ports.storage().read(|ledger| ledger.outbox.is_due(Task::Report, ports.now()))?;
    Ok(is_due.then(|| start_index_messages(instance, customer)))
}

/// Sends an activity to the customer index, in the background and in order.
pub(super) fn log_activity<P: LedgerPorts>(
    instance: &Rc<Instance<P>>,
    customer: &CustomerKey,
    activity: Activity,
) {
    {
        let mut activities = instance.activities.borrow_mut();
        if activities.len() >= MAX_WAITING_ACTIVITIES {
            activities.remove(0);
        }
        activities.push(activity);
    }
    drop(start_index_messages(instance, customer));
}

/// Returns the messages to the customer index in flight, or starts to send what waits.
fn start_index_messages<P: LedgerPorts>(
    instance: &Rc<Instance<P>>,
    customer: &CustomerKey,
) -> SharedFuture<()> {
    if let Some(in_flight) = instance.index_messages.borrow().clone() {
        return in_flight;
    }
    let (this, customer) = (Rc::clone(instance), customer.clone());
    let messages = instance.spawn_shared(async move {
        // Lets the response be sent first.
        this.ports.sleep(0).await;
        loop {
            // A write in flight would be reported as a task that failed.
            let write = this.replica_write.borrow().clone();
            if let Some(write) = write {
                within(this.ports.sleep(MAX_INDEX_DELAY), write).await;
            }
            match send_index_message(&this, &customer).await {
                Ok(IndexProgress::Sent) => {}
                Ok(IndexProgress::NothingWaits) => break,
                Err(error) => {
                    let customer = customer.to_key();
                    this.log_error(&format!(
                        "{customer}: failed to send to the customer index: {error}"
                    ));
                    break;
                }
            }
        }
        this.index_messages.take();
        // The report is postponed or completed.
        this.schedule_alarm_or_log(&customer).await;
    });
    instance.index_messages.replace(Some(messages.clone()));
    messages
}

enum IndexProgress {
    Sent,
    NothingWaits,
}

/// Sends one message: the activities that wait, and the report. A report that failed waits until it is due.
async fn send_index_message<P: LedgerPorts>(
    instance: &Instance<P>,
    customer: &CustomerKey,
) -> Result<IndexProgress, StepError> {
    let ports = &instance.ports;
    let storage = ports.storage();
    let activities = instance.activities.take();
    let now = ports.now();
    let must_report = storage.read(|ledger| {
        let is_settled = instance.replica_write.borrow().is_none();
        let joins = |task: PendingTask| !activities.is_empty() && is_settled && task.attempts == 0;
        let task = ledger.outbox.pending(Task::Report);
        task.is_some_and(|task| task.due_at <= now || joins(task))
    })?;
    let report = if must_report {
        instance.update(customer, |ledger, _| Ok(ledger.begin_report()))?
    } else {
        None
    };
    if report.is_none() && activities.is_empty() {
        return Ok(IndexProgress::NothingWaits);
    }
    let message = IndexMessage { key: customer.to_key(), report, activities };
    let result = with_timeout(ports, INDEX_TIMEOUT, ports.send_to_index(&message)).await;
    if let Some(report) = &message.report {
        instance.update(customer, |ledger, now| {
            match &result {
                Ok(()) => ledger.report_succeeded(report, now),
                Err(_) => ledger.report_failed(now, ports.jitter()),
            }
            Ok(())
        })?;
    }
    if let Err(error) = result {
        let customer = customer.to_key();
        let line = format!("{customer}: failed to send to the customer index: {error}");
        ports.log(LogLevel::Warning, &line);
    }
    Ok(IndexProgress::Sent)
}

/// Reports a problem of the mode's API key to the customer index, or that there is none. A ledger
/// with nothing stored has no task for it, but the operator has to see the problem.
pub(super) async fn report_problem<P: LedgerPorts>(
    instance: &Instance<P>,
    customer: &CustomerKey,
    problem: Option<SyncProblem>,
) {
    let status = SyncStatus { problem, ..SyncStatus::default() };
    let message = IndexMessage {
        key: customer.livemode.key_prefix().to_owned(),
        report: Some(StatusReport { status, ..StatusReport::default() }),
        activities: Vec::new(),
    };
    if let Err(error) = instance.ports.send_to_index(&message).await {
        instance.log_error(&format!("failed to report to the customer index: {error}"));
    }
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
