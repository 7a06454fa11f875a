//! Reads of the source by a ledger.
//!
//! | caller             | joins a read in flight                      | waits                   |
//! |--------------------|---------------------------------------------|-------------------------|
//! | the alarm          | yes                                         | until the read ends     |
//! | a check or a list  | yes                                         | 10 s                    |
//! | a sync             | no: it may be older than the caller's state | as long as it asks      |
//! | the cron trigger   | no                                          | until the read ends     |
//!
//! A read that an event overtakes has no effect: the source's list may be older than the event. Not
//! here: what a list changes ([`crate::ledger::LedgerState::apply_source_list()`]), and the
//! requests to the source ([`crate::source`]).

use std::{pin::pin, rc::Rc};

use futures_util::{
    FutureExt as _,
    future::{Either, select},
};

use super::{
    instance::{Instance, SharedRead},
    slots,
    writes::log_activity,
};
use crate::{
    entitlement::{Decision, check},
    id::{CustomerKey, LookupKey},
    ledger::{
        activity::Activity,
        outbox::Task,
        ports::{
            LedgerPorts, LedgerStorage as _, LogLevel, NotFoundAdvice, PortError, SourceFailure,
            StepError,
        },
        reconcile::{Drift, ReadReason, Reconciliation},
        request::{LedgerResponse, SetOrigin, WaitFor},
        state::LedgerState,
        sync_status::{StatusReport, SyncProblem, SyncStatus},
    },
    waiting::{SharedFuture, within},
};

/// How long loads use the result that the source has no such customer, in milliseconds.
const UNKNOWN_TTL: u64 = 60_000;

/// The least back-off of loads after a failed read, in milliseconds.
const SOURCE_FAILURE_BACKOFF: u64 = 1_000;

/// How long a load or a sync waits for the source, in milliseconds.
const SOURCE_READ_TIMEOUT: u64 = 10_000;

/// How often a load starts a read again because events overtake it.
const MAX_READS: u32 = 3;

/// The pauses between the reads of a sync that waits, in milliseconds. An event usually ends the
/// wait earlier.
const INITIAL_SYNC_BACKOFF: u64 = 2_000;
const MAX_SYNC_BACKOFF: u64 = 8_000;

/// Returns the stored set. Reads the source first if the set cannot answer about these features. An
/// instance that may not change what is stored reads no source.
pub(super) async fn load<P: LedgerPorts>(
    instance: &Rc<Instance<P>>,
    customer: &CustomerKey,
    features: &[LookupKey],
) -> Result<LedgerResponse, StepError> {
    let ports = &instance.ports;
    for _ in 0..MAX_READS {
        let (can_answer, is_unknown, backoff) = ports.storage().read(|ledger| {
            let set = ledger.entitlements.as_ref();
            let can_answer = set.is_some_and(|set| set.can_answer(features));
            (can_answer, set.is_none(), backoff_cause(instance, ledger))
        })?;
        if can_answer || !ports.has_source(customer.livemode) {
            return Ok(LedgerResponse::Set(SetOrigin::Ledger));
        }
        if !ports.storage().may_write()? {
            return Ok(LedgerResponse::NewerRelease);
        }
        if is_unknown && ports.now() < instance.unknown_until.get() {
            return Ok(LedgerResponse::Set(SetOrigin::Ledger));
        }
        if let Some(cause) = backoff {
            return partial_or_error(instance, cause);
        }
        let read = join_read(instance, customer, ReadReason::OnDemand);
        match within(ports.sleep(SOURCE_READ_TIMEOUT), read).await {
            Some(Ok(Reconciliation::Superseded)) => {}
            Some(Ok(_)) => return Ok(LedgerResponse::Set(SetOrigin::Source)),
            Some(Err(cause)) => return partial_or_error(instance, cause),
            None => return partial_or_error(instance, timed_out(SOURCE_READ_TIMEOUT)),
        }
    }
    Ok(LedgerResponse::Set(SetOrigin::Ledger))
}

/// Reads the source, and returns the stored set. With `wait_for`, repeats that until the feature is
/// granted or the time is up.
pub(super) async fn sync<P: LedgerPorts>(
    instance: &Rc<Instance<P>>,
    customer: &CustomerKey,
    wait_for: Option<&WaitFor>,
) -> Result<LedgerResponse, StepError> {
    let ports = &instance.ports;
    let wait = wait_for.map_or(0, |wait_for| u64::from(wait_for.max_seconds).saturating_mul(1_000));
    let timeout = if wait == 0 { SOURCE_READ_TIMEOUT } else { wait };
    let is_granted = || match wait_for {
        None => Ok(false),
        Some(WaitFor { feature, .. }) => ports
            .storage()
            .read(|ledger| check(ledger.entitlements.as_ref(), feature) == Decision::Grant),
    };
    // The result of the last read that has ended.
    let mut result = Err(timed_out(timeout));
    let origin = {
        let reads = pin!(async {
            let mut pause = INITIAL_SYNC_BACKOFF;
            loop {
                result = fresh_read(instance, customer, ReadReason::OnDemand).await.map(drop);
                if wait == 0 || is_granted()? {
                    return Ok(SetOrigin::Source);
                }
                ports.sleep(pause).await;
                pause = pause.saturating_mul(2).min(MAX_SYNC_BACKOFF);
            }
        });
        let event = pin!(async {
            loop {
                instance.set_changed.changed().await;
                if is_granted()? {
                    return Ok::<SetOrigin, PortError>(SetOrigin::Ledger);
                }
            }
        });
        // A read that grants the feature ends before the change that it causes: it is polled first.
        match within(ports.sleep(timeout), select(reads, event)).await {
            Some(Either::Left((origin, _)) | Either::Right((origin, _))) => origin?,
            None => SetOrigin::Source,
        }
    };
    Ok(match result {
        _ if origin == SetOrigin::Ledger => LedgerResponse::Set(SetOrigin::Ledger),
        Ok(()) => LedgerResponse::Set(SetOrigin::Source),
        Err(_) if is_granted()? => LedgerResponse::Set(SetOrigin::Ledger),
        Err(cause) => LedgerResponse::SourceFailed(cause),
    })
}

/// Compares the stored set with the source's list, and replaces it if they differ.
pub(super) async fn reconcile<P: LedgerPorts>(
    instance: &Rc<Instance<P>>,
    customer: &CustomerKey,
) -> Result<LedgerResponse, StepError> {
    instance.ports.storage().update(customer, |ledger| {
        ledger.schedule_reconcile(instance.ports.now());
        Ok(())
    })?;
    Ok(match fresh_read(instance, customer, ReadReason::Reconcile).await {
        Ok(reconciliation) => LedgerResponse::Reconciled {
            drifted: matches!(reconciliation, Reconciliation::Drifted(_)),
        },
        Err(cause) => LedgerResponse::SourceFailed(cause),
    })
}

/// Returns the read of the source in flight, or starts one once it has a slot. If the slot is later,
/// its tasks are postponed.
pub(super) fn start_background_read<P: LedgerPorts>(
    instance: &Rc<Instance<P>>,
    customer: &CustomerKey,
) -> SharedFuture<()> {
    if let Some(read) = instance.source_read.borrow().clone() {
        return read.map(drop).boxed_local().shared();
    }
    if let Some(request) = instance.slot_request.borrow().clone() {
        return request;
    }
    let (this, customer) = (Rc::clone(instance), customer.clone());
    let request = instance.spawn_shared(async move {
        let may_start = slots::reserve_background(&this, &customer).await;
        let is_due = this.ports.storage().read(|ledger| ledger.is_read_due(this.ports.now()));
        this.slot_request.take();
        match may_start.and_then(|may_start| Ok(may_start && is_due?)) {
            Ok(true) => {
                // Logged where it fails.
                drop(join_read(&this, &customer, ReadReason::Reconcile).await);
            }
            // Another read completed the tasks meanwhile, or they were postponed.
            Ok(false) => this.schedule_alarm_or_log(&customer).await,
            Err(error) => {
                let key = customer.to_key();
                this.log_error(&format!("{key}: failed to start a read: {error}"));
                this.schedule_alarm_or_log(&customer).await;
            }
        }
    });
    instance.slot_request.replace(Some(request.clone()));
    request
}

/// Returns the read of the source in flight, or starts one.
pub(super) fn join_read<P: LedgerPorts>(
    instance: &Rc<Instance<P>>,
    customer: &CustomerKey,
    reason: ReadReason,
) -> SharedRead {
    if let Some(read) = instance.source_read.borrow().as_ref() {
        return read.clone();
    }
    instance.reads_started.set(instance.reads_started.get().wrapping_add(1));
    let (this, customer) = (Rc::clone(instance), customer.clone());
    let read = instance.spawn_shared(async move {
        let reconciliation = read_source(&this, &customer, reason).await;
        this.source_read.take();
        this.schedule_alarm_or_log(&customer).await;
        // Last, so that a caller of this read receives its result before the change.
        if let Ok(Reconciliation::Updated | Reconciliation::Drifted(_)) = reconciliation {
            this.notify_changed();
        }
        reconciliation.map_err(|error| error.to_string())
    });
    instance.source_read.replace(Some(read.clone()));
    read
}

/// Waits for a read that starts after this call, and that no event overtakes.
async fn fresh_read<P: LedgerPorts>(
    instance: &Rc<Instance<P>>,
    customer: &CustomerKey,
    reason: ReadReason,
) -> Result<Reconciliation, String> {
    let before = instance.reads_started.get();
    loop {
        let read = join_read(instance, customer, reason);
        let started = instance.reads_started.get();
        // No await since the caller stored a task: the platform commits the alarm together with it.
        instance.schedule_alarm().await.map_err(|error| error.to_string())?;
        let reconciliation = read.await;
        if started != before && reconciliation != Ok(Reconciliation::Superseded) {
            return reconciliation;
        }
    }
}

async fn read_source<P: LedgerPorts>(
    instance: &Rc<Instance<P>>,
    customer: &CustomerKey,
    reason: ReadReason,
) -> Result<Reconciliation, StepError> {
    let ports = &instance.ports;
    let storage = ports.storage();
    match reason {
        // The caller has a slot.
        ReadReason::Reconcile => {}
        ReadReason::OnDemand => slots::wait_for_slot(instance, customer).await?,
    }
    let read = storage.read(LedgerState::begin_source_read)?;
    let listed = match ports.read_source(customer).await {
        Some(Ok(listed)) => listed,
        Some(Err(failure)) => return Err(record_failure(instance, customer, failure).await),
        None => {
            storage.update(customer, |ledger| {
                ledger.cancel_source_tasks(ports.now());
                Ok(())
            })?;
            return Err(PortError("no Stripe key is set for this mode".to_owned()).into());
        }
    };
    instance.source_backoff.take();
    let now = ports.now();
    let applied = storage.update(customer, |ledger| {
        let reconciliation = ledger.apply_source_list(read, reason, &listed, now)?;
        if reconciliation == Reconciliation::NotFoundAtSource {
            ledger.source_failed(Some(SyncProblem::UnknownCustomer), now, now, ports.jitter());
        }
        let activity = Activity::from_reconciliation(&reconciliation, ledger.version(), now);
        Ok((reconciliation, activity))
    });
    let (reconciliation, activity) = match applied {
        Ok(applied) => applied,
        Err(error) => {
            // A list that cannot be stored is read again with back-off.
            storage.update(customer, |ledger| {
                ledger.source_failed(None, now, now, ports.jitter());
                Ok(())
            })?;
            return Err(error);
        }
    };
    if let Some(activity) = activity {
        log_activity(instance, customer, activity);
    }
    match &reconciliation {
        Reconciliation::InSync | Reconciliation::Updated | Reconciliation::Superseded => {}
        Reconciliation::Drifted(Drift { missing, extra, version }) => {
            let line = format!(
                "drift: {} lacked {missing} and had {extra} too many compared with the source's \
                 list, and no event reported the difference; version {version} corrects it",
                customer.to_key()
            );
            ports.log(LogLevel::Warning, &line);
        }
        Reconciliation::UnknownCustomer => {
            instance.unknown_until.set(now.saturating_add(UNKNOWN_TTL));
            report_problem(instance, customer, None).await;
        }
        Reconciliation::NotFoundAtSource => {
            let NotFoundAdvice { cause, advice } = ports.not_found_advice();
            instance.log_error(&format!(
                "{}: {cause}, but events about it were received; its entitlements stay. {advice}",
                customer.to_key()
            ));
            return Err(PortError(cause.to_owned()).into());
        }
    }
    Ok(reconciliation)
}

/// Logs and stores that a read failed. Returns the error.
async fn record_failure<P: LedgerPorts>(
    instance: &Rc<Instance<P>>,
    customer: &CustomerKey,
    failure: SourceFailure,
) -> StepError {
    let SourceFailure { cause, problem, retry_after_ms, is_rate_limited } = failure;
    let ports = &instance.ports;
    if is_rate_limited {
        let (this, livemode) = (Rc::clone(instance), customer.livemode);
        drop(instance.spawn_shared(async move { this.ports.report_rate_limit(livemode).await }));
    }
    let now = ports.now();
    let advice = match problem {
        Some(_) => ": set a key of this account that may read entitlements",
        None => "",
    };
    instance.log_error(&format!("{}: {cause}{advice}", customer.to_key()));
    let until = now.saturating_add(retry_after_ms);
    let load_again_at = until.max(now.saturating_add(SOURCE_FAILURE_BACKOFF));
    instance.source_backoff.replace(Some((load_again_at, cause.clone())));
    match ports.storage().customer() {
        Ok(Some(_)) => {
            let stored = ports.storage().update(customer, |ledger| {
                ledger.source_failed(problem, until, now, ports.jitter());
                Ok(())
            });
            if let Err(error) = stored {
                return error;
            }
        }
        Ok(None) if problem.is_some() => report_problem(instance, customer, problem).await,
        Ok(None) => {}
        Err(error) => return error.into(),
    }
    PortError(cause).into()
}

/// Reports a problem of the mode's API key to the customer index, or that there is none. A ledger
/// with nothing stored has no task for it, but the operator has to see the problem.
async fn report_problem<P: LedgerPorts>(
    instance: &Instance<P>,
    customer: &CustomerKey,
    problem: Option<SyncProblem>,
) {
    let status = SyncStatus { problem, ..SyncStatus::default() };
    let report = StatusReport { status, ..StatusReport::default() };
    let key = customer.livemode.key_prefix();
    if let Err(error) = instance.ports.send_report(key, &report).await {
        instance.log_error(&format!("failed to report to the customer index: {error}"));
    }
}

/// Returns why loads do not read the source now, if they do not.
fn backoff_cause<P: LedgerPorts>(instance: &Instance<P>, ledger: &LedgerState) -> Option<String> {
    let now = instance.ports.now();
    if let Some((until, cause)) = instance.source_backoff.borrow().as_ref()
        && now < *until
    {
        return Some(cause.clone());
    }
    let task = ledger.outbox.pending(Task::Read)?;
    (task.attempts > 0 && now < task.due_at)
        .then(|| "the last read of the source failed, and the next one is not due yet".to_owned())
}

/// Returns the stored part of a set, or the failure if nothing is stored.
fn partial_or_error<P: LedgerPorts>(
    instance: &Instance<P>,
    cause: String,
) -> Result<LedgerResponse, StepError> {
    let is_unknown = instance.ports.storage().read(|ledger| ledger.entitlements.is_none())?;
    Ok(if is_unknown {
        LedgerResponse::SourceFailed(cause)
    } else {
        LedgerResponse::Set(SetOrigin::Ledger)
    })
}

fn timed_out(millis: u64) -> String {
    format!("no response from the source within {} s", millis / 1_000)
}
