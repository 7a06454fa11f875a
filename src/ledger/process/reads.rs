//! Reads of the source by a ledger: one at a time, shared by all that need one.
//!
//! A read that an event overtakes has no effect: the source's list may be older than the event. A failed
//! read is repeated with back-off. Not here: what a list changes
//! ([`crate::ledger::LedgerState::apply_source_list()`]), and the requests to the source
//! ([`crate::source`]).

use std::rc::Rc;

use futures_util::FutureExt as _;

use serde_json::json;

use super::{
    instance::{Instance, SharedRead},
    slots,
    writes::{log_activity, report_problem},
};
use crate::{
    id::CustomerKey,
    ledger::{
        activity::Activity,
        ports::{
            LedgerPorts, LedgerStorage as _, LogLevel, NotFoundAdvice, PortError, SourceFailure,
            StepError,
        },
        reconcile::{ReadReason, Reconciliation},
        state::LedgerState,
        sync_status::SyncProblem,
    },
    waiting::SharedFuture,
};

/// How long loads use the result that the source has no such customer, in milliseconds.
const UNKNOWN_TTL: u64 = 60_000;

/// The least back-off of loads after a failed read, in milliseconds.
const SOURCE_FAILURE_BACKOFF: u64 = 1_000;

/// Why the source is not read.
pub(super) const NO_KEY: &str = "no Stripe key is set for this mode";

/// Returns whether a read of the source is in flight, or waits for the time of its slot to be assigned.
pub(super) fn is_reading<P: LedgerPorts>(instance: &Instance<P>) -> bool {
    instance.source_read.borrow().is_some() || instance.slot_request.borrow().is_some()
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
        let is_due =
            this.ports.storage().read(|ledger| ledger.outbox.is_read_due(this.ports.now()));
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
        let mut has_changed = false;
        let reconciliation = read_source(&this, &customer, reason, &mut has_changed).await;
        this.source_read.take();
        this.schedule_alarm_or_log(&customer).await;
        // Last, so that a caller of this read receives its result before the change.
        if has_changed {
            this.notify_changed();
        }
        reconciliation.map_err(|error| error.to_string())
    });
    instance.source_read.replace(Some(read.clone()));
    read
}

/// Waits for a read that starts after this call, and that no event overtakes.
pub(super) async fn fresh_read<P: LedgerPorts>(
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
    has_changed: &mut bool,
) -> Result<Reconciliation, StepError> {
    let ports = &instance.ports;
    let storage = ports.storage();
    match reason {
        // The caller has a slot.
        ReadReason::Reconcile => {}
        ReadReason::OnDemand => slots::wait_for_slot(instance, customer).await?,
    }
    let policy = ports.source_policy();
    let read = storage.read(|ledger| ledger.begin_source_read(policy))?;
    let listed = match ports.read_source(customer).await {
        Some(Ok(listed)) => listed,
        Some(Err(failure)) => return Err(record_failure(instance, customer, failure).await),
        None => {
            instance.update(customer, |ledger, now| {
                ledger.cancel_source_tasks(now);
                Ok(())
            })?;
            return Err(PortError(NO_KEY.to_owned()).into());
        }
    };
    instance.source_backoff.take();
    let now = ports.now();
    let applied = instance.update_silently(customer, |ledger, now| {
        let reconciliation =
            ledger.apply_source_list(read, reason, &listed, now, ports.jitter())?;
        if reconciliation == Reconciliation::NotFoundAtSource {
            ledger.source_failed(Some(SyncProblem::UnknownCustomer), now, now, ports.jitter());
        }
        let activity = Activity::from_reconciliation(&reconciliation, ledger.version(), now);
        Ok((reconciliation, activity))
    });
    let (reconciliation, activity) = match applied {
        Ok(applied) => {
            *has_changed = applied.has_changed;
            applied.value
        }
        Err(error) => {
            // A list that cannot be stored is read again with back-off.
            instance.update(customer, |ledger, now| {
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
        Reconciliation::InSync | Reconciliation::Corrected(_) | Reconciliation::Superseded => {}
        Reconciliation::Drifted(change) => {
            let (missing, extra) = change.counts();
            let version = storage.read(LedgerState::version)?;
            // The source's list differed, and no event had reported the difference.
            let line = json!({
                "message": "drift",
                "customer": customer.to_key(),
                "missing": missing,
                "extra": extra,
                "version": version,
            });
            ports.log(LogLevel::Warning, &line.to_string());
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
            let stored = instance.update(customer, |ledger, now| {
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
