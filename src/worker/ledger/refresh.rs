//! Reads of the source by a ledger object.
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

use std::rc::Rc;

use futures_util::future::{Either, select};
use worker::{Result, console_error, console_warn};

use super::{
    rpc::{LedgerResponse, LoadedRecord},
    state::{CustomerState, SharedRead},
    websockets::notify_changed,
    writes::send_report,
};
use crate::{
    api::settings::Source,
    entitlement::{Decision, check},
    id::{CustomerKey, LookupKey},
    ledger::{
        Activity, Drift, LedgerState, ReadReason, Reconciliation, StatusReport, SyncProblem,
        SyncStatus, Task,
    },
    source,
    store::{ServedBy, WaitFor},
    worker::{
        random::random_jitter,
        runtime::{now_millis, sleep},
    },
};

/// How long loads use the result that the source has no such customer, in milliseconds.
const UNKNOWN_TTL: u64 = 60_000;

/// The least back-off of loads after a failed read, in milliseconds.
const SOURCE_FAILURE_BACKOFF: u64 = 1_000;

/// How long a load waits for the source, in milliseconds.
const SOURCE_READ_TIMEOUT: u64 = 10_000;

/// How often a load starts a read again because events overtake it.
const MAX_READS: u32 = 3;

/// The pauses between the reads of a sync that waits, in milliseconds. An event usually ends the
/// wait earlier.
const INITIAL_SYNC_BACKOFF: u64 = 2_000;
const MAX_SYNC_BACKOFF: u64 = 8_000;

/// Returns the stored set. Reads the source first if the set cannot answer about these features. An
/// object that may not write its tables reads no source.
pub(super) async fn load(
    state: &Rc<CustomerState>,
    customer: &CustomerKey,
    features: &[LookupKey],
) -> Result<LedgerResponse> {
    for _ in 0..MAX_READS {
        let ledger = state.storage().ledger()?;
        let can_answer = ledger.entitlements.as_ref().is_some_and(|set| set.can_answer(features));
        if can_answer || state.source_client(customer.livemode).is_none() {
            return stored_response(state, ServedBy::Ledger);
        }
        if !state.storage().may_write()? {
            return Ok(LedgerResponse::NewerRelease);
        }
        if ledger.entitlements.is_none() && now_millis() < state.unknown_until.get() {
            return Ok(LedgerResponse::Record(LoadedRecord {
                record: None,
                served_by: ServedBy::Ledger,
            }));
        }
        if let Some(cause) = backoff_cause(state, &ledger) {
            return partial_or_error(state, cause);
        }
        let read = join_read(state, customer, ReadReason::OnDemand);
        match select(read, sleep(SOURCE_READ_TIMEOUT)).await {
            Either::Left((Ok(Reconciliation::Superseded), _)) => {}
            Either::Left((Ok(_), _)) => return stored_response(state, ServedBy::Source),
            Either::Left((Err(cause), _)) => return partial_or_error(state, cause),
            Either::Right(_) => return partial_or_error(state, timed_out(SOURCE_READ_TIMEOUT)),
        }
    }
    stored_response(state, ServedBy::Ledger)
}

/// Reads the source, and returns the stored set. With `wait_for`, repeats that until the feature is
/// granted or the time is up.
pub(super) async fn sync(
    state: &Rc<CustomerState>,
    customer: &CustomerKey,
    wait_for: Option<&WaitFor>,
) -> Result<LedgerResponse> {
    let is_granted = || -> Result<bool> {
        let Some(wait_for) = wait_for else { return Ok(false) };
        Ok(check(state.storage().ledger()?.entitlements.as_ref(), &wait_for.feature)
            == Decision::Grant)
    };
    let wait = wait_for.map_or(0, |until| u64::from(until.max_seconds).saturating_mul(1_000));
    let timeout = if wait == 0 { SOURCE_READ_TIMEOUT } else { wait };
    let deadline = now_millis().saturating_add(timeout);
    let remaining = || deadline.0.saturating_sub(now_millis().0);
    let mut pause = INITIAL_SYNC_BACKOFF;
    // The result of the last read that has ended.
    let mut result = Err(timed_out(timeout));
    loop {
        let mut read = Box::pin(fresh_read(state, customer, ReadReason::OnDemand));
        loop {
            let changed = Box::pin(state.set_changed.changed());
            match select(select(read, changed), sleep(remaining())).await {
                Either::Left((Either::Left((reconciliation, _)), _)) => {
                    result = reconciliation;
                    break;
                }
                Either::Left((Either::Right(((), pending)), _)) if !is_granted()? => read = pending,
                Either::Left(_) => return stored_response(state, ServedBy::Ledger),
                Either::Right(_) => break,
            }
        }
        let is_final = wait == 0 || is_granted()?;
        match &result {
            Ok(_) if is_final => return stored_response(state, ServedBy::Source),
            // An event granted the feature.
            Err(_) if is_granted()? => return stored_response(state, ServedBy::Ledger),
            Err(cause) if is_final => return Ok(LedgerResponse::Failed(cause.clone())),
            _ => {}
        }
        let next_read = now_millis().saturating_add(pause.min(remaining()));
        while now_millis() < next_read && !is_granted()? {
            let changed = Box::pin(state.set_changed.changed());
            select(changed, sleep(next_read.0.saturating_sub(now_millis().0))).await;
        }
        if is_granted()? {
            return stored_response(state, ServedBy::Ledger);
        }
        if remaining() == 0 {
            return match result {
                Ok(_) => stored_response(state, ServedBy::Source),
                Err(cause) => Ok(LedgerResponse::Failed(cause)),
            };
        }
        pause = pause.saturating_mul(2).min(MAX_SYNC_BACKOFF);
    }
}

/// Compares the stored set with the source's list, and replaces it if they differ.
pub(super) async fn reconcile(
    state: &Rc<CustomerState>,
    customer: &CustomerKey,
) -> Result<LedgerResponse> {
    state.storage().update(customer, |_, ledger| {
        ledger.schedule_reconcile(now_millis());
        Ok(())
    })?;
    Ok(match fresh_read(state, customer, ReadReason::Reconcile).await {
        Ok(reconciliation) => LedgerResponse::Reconciled {
            drifted: matches!(reconciliation, Reconciliation::Drifted(_)),
        },
        Err(cause) => LedgerResponse::Failed(cause),
    })
}

/// Returns the read of the source in flight, or starts one.
pub(super) fn join_read(
    state: &Rc<CustomerState>,
    customer: &CustomerKey,
    reason: ReadReason,
) -> SharedRead {
    if let Some(read) = state.source_read.borrow().as_ref() {
        return read.clone();
    }
    state.reads_started.set(state.reads_started.get().wrapping_add(1));
    let (this, customer) = (Rc::clone(state), customer.clone());
    let read = state.spawn_shared(async move {
        let reconciliation = read_source(&this, &customer, reason).await;
        this.source_read.take();
        if let Err(error) = this.schedule_alarm().await {
            console_error!("{}: failed to set the alarm: {error}", customer.to_key());
        }
        // Last, so that a caller of this read receives its result before the change.
        if let Ok(Reconciliation::Updated | Reconciliation::Drifted(_)) = reconciliation {
            notify_changed(&this);
        }
        reconciliation.map_err(|error| error.to_string())
    });
    state.source_read.replace(Some(read.clone()));
    read
}

/// Waits for a read that starts after this call, and that no event overtakes.
async fn fresh_read(
    state: &Rc<CustomerState>,
    customer: &CustomerKey,
    reason: ReadReason,
) -> std::result::Result<Reconciliation, String> {
    let before = state.reads_started.get();
    loop {
        let read = join_read(state, customer, reason);
        let started = state.reads_started.get();
        let reconciliation = read.await;
        if started != before {
            match reconciliation {
                Ok(Reconciliation::Superseded) => {}
                reconciliation => return reconciliation,
            }
        }
    }
}

async fn read_source(
    state: &CustomerState,
    customer: &CustomerKey,
    reason: ReadReason,
) -> Result<Reconciliation> {
    let storage = state.storage();
    let Some(client) = state.source_client(customer.livemode) else {
        storage.update(customer, |_, ledger| {
            ledger.cancel_source_tasks(now_millis());
            Ok(())
        })?;
        return Err("no Stripe key is set for this mode".into());
    };
    let read = storage.ledger()?.begin_source_read();
    let listed = match client.list_entitlements(&customer.id).await {
        Ok(listed) => listed,
        Err(error) => return Err(record_source_failure(state, customer, &error).await?.into()),
    };
    state.source_backoff.take();
    let result = storage.update(customer, |_, ledger| {
        let now = now_millis();
        let reconciliation = ledger.apply_source_list(read, reason, &listed, now);
        let reconciliation = reconciliation.map_err(|error| error.to_string())?;
        if reconciliation == Reconciliation::NotFoundAtSource {
            ledger.source_failed(Some(SyncProblem::UnknownCustomer), now, now, random_jitter());
        }
        let activity = Activity::from_reconciliation(&reconciliation, ledger.version(), now);
        Ok((reconciliation, activity))
    });
    let (reconciliation, activity) = match result {
        Ok(applied) => applied,
        Err(error) => {
            // A list that cannot be stored is read again with back-off.
            let now = now_millis();
            storage.update(customer, |_, ledger| {
                ledger.source_failed(None, now, now, random_jitter());
                Ok(())
            })?;
            return Err(error);
        }
    };
    if let Some(activity) = activity {
        state.log_activity(customer, activity);
    }
    match &reconciliation {
        Reconciliation::InSync | Reconciliation::Updated | Reconciliation::Superseded => {}
        Reconciliation::Drifted(Drift { missing, extra, version }) => {
            console_warn!(
                "drift: {} lacked {missing} and had {extra} too many compared with the source's \
                 list, and no event reported the difference; version {version} corrects it",
                customer.to_key()
            );
        }
        Reconciliation::UnknownCustomer => {
            state.unknown_until.set(now_millis().saturating_add(UNKNOWN_TTL));
            report_problem(state, customer, None).await;
        }
        Reconciliation::NotFoundAtSource => {
            let (cause, advice) = match state.source_kind() {
                Source::Stripe => (
                    "Stripe has no such customer",
                    "Check that STRIPE_API_KEY is of the account that sends the events.",
                ),
                #[cfg(feature = "catalog")]
                Source::Catalog => (
                    "the catalog has no such customer",
                    "While the catalog is the source, do not send events of a Stripe account.",
                ),
            };
            console_error!(
                "{}: {cause}, but events about it were received; its entitlements stay. {advice}",
                customer.to_key()
            );
            return Err(cause.into());
        }
    }
    Ok(reconciliation)
}

/// Logs and stores that a read failed. Returns the cause.
async fn record_source_failure(
    state: &CustomerState,
    customer: &CustomerKey,
    error: &source::Error,
) -> Result<String> {
    let now = now_millis();
    let problem = error.operator_problem();
    let advice = match problem {
        Some(_) => ": set a key of this account that may read entitlements",
        None => "",
    };
    console_error!("{}: {error}{advice}", customer.to_key());
    let cause = error.to_string();
    let until = now.saturating_add(error.retry_after_ms());
    state
        .source_backoff
        .replace(Some((until.max(now.saturating_add(SOURCE_FAILURE_BACKOFF)), cause.clone())));
    let storage = state.storage();
    if storage.customer()?.is_some() {
        storage.update(customer, |_, ledger| {
            ledger.source_failed(problem, until, now, random_jitter());
            Ok(())
        })?;
    } else if problem.is_some() {
        report_problem(state, customer, problem).await;
    }
    Ok(cause)
}

/// Reports a problem of the mode's API key to the customer index, or that there is none. A ledger
/// with nothing stored has no task for it, but the operator has to see the problem.
async fn report_problem(
    state: &CustomerState,
    customer: &CustomerKey,
    problem: Option<SyncProblem>,
) {
    let status = SyncStatus { problem, ..SyncStatus::default() };
    let report = StatusReport { status, ..StatusReport::default() };
    if let Err(error) = send_report(state, customer.livemode.key_prefix(), &report).await {
        console_error!("failed to report to the customer index: {error}");
    }
}

/// Returns why loads do not read the source now, if they do not.
fn backoff_cause(state: &CustomerState, ledger: &LedgerState) -> Option<String> {
    let now = now_millis();
    if let Some((until, cause)) = state.source_backoff.borrow().as_ref()
        && now < *until
    {
        return Some(cause.clone());
    }
    let task = ledger.outbox.pending(Task::Read)?;
    (task.attempts > 0 && now < task.due_at)
        .then(|| "the last read of the source failed, and the next one is not due yet".to_owned())
}

/// Returns the stored part of a set, or the failure if nothing is stored.
fn partial_or_error(state: &CustomerState, cause: String) -> Result<LedgerResponse> {
    if state.storage().ledger()?.entitlements.is_none() {
        return Ok(LedgerResponse::Failed(cause));
    }
    stored_response(state, ServedBy::Ledger)
}

fn stored_response(state: &CustomerState, served_by: ServedBy) -> Result<LedgerResponse> {
    let record = state.storage().read_record()?;
    Ok(LedgerResponse::Record(LoadedRecord { record, served_by }))
}

fn timed_out(millis: u64) -> String {
    format!("no response from the source within {} s", millis / 1_000)
}
