//! Who needs a read of the source, and how long each of them waits for it.
//!
//! | caller             | joins a read in flight                      | waits                   |
//! |--------------------|---------------------------------------------|-------------------------|
//! | the alarm          | yes                                         | until the read ends     |
//! | a check or a list  | yes                                         | 10 s                    |
//! | a sync             | no: it may be older than the caller's state | as long as it asks      |
//! | the sweep          | no: it starts none while one is scheduled   | until the read ends     |
//!
//! Not here: the read itself, which is in `reads`.

use std::{pin::pin, rc::Rc};

use futures_util::future::{Either, select};

use super::{
    instance::Instance,
    reads::{NO_KEY, fresh_read, join_read},
};
use crate::{
    effective_set::AnswerContext,
    entitlement::Decision,
    id::{CustomerKey, LookupKey},
    ledger::{
        outbox::Task,
        ports::{LedgerPorts, LedgerStorage as _, PortError, StepError},
        reconcile::{ReadReason, Reconciliation},
        request::{LedgerResponse, SetOrigin, WaitFor},
        state::LedgerState,
    },
    waiting::within,
};

/// How long a load or a sync waits for the source, in milliseconds.
const SOURCE_READ_TIMEOUT: u64 = 10_000;

/// How often a load starts a read again because events overtake it.
const MAX_READS: u32 = 3;

/// The pauses between the reads of a sync that waits, in milliseconds. An event usually ends the
/// wait earlier.
const INITIAL_SYNC_BACKOFF: u64 = 2_000;
const MAX_SYNC_BACKOFF: u64 = 8_000;

/// Returns the stored record. Reads the source first if the record cannot answer about these features, or
/// has a set of another source. A set that was read under another policy is returned, and read again in the
/// background. An instance that may not change what is stored reads no source.
pub(super) async fn load<P: LedgerPorts>(
    instance: &Rc<Instance<P>>,
    customer: &CustomerKey,
    features: &[LookupKey],
) -> Result<LedgerResponse, StepError> {
    let ports = &instance.ports;
    catch_up(instance, customer).await?;
    for _ in 0..MAX_READS {
        let policy = ports.source_policy();
        let (can_answer, is_unknown, is_outdated, backoff) =
            with_effective_set(instance, |ledger, context| {
                let set = ledger.known_set(policy);
                let can_answer = ledger.record.effective_set(context).can_answer(features);
                let is_outdated = set.is_some_and(|set| set.policy != policy);
                let is_unknown = ledger.record.source().is_none();
                (can_answer, is_unknown, is_outdated, backoff_cause(instance, ledger))
            })?;
        if can_answer {
            if is_outdated && ports.has_source(customer.livemode) && ports.storage().may_write()? {
                schedule_reread(instance, customer).await?;
            }
            return Ok(LedgerResponse::Set(SetOrigin::Ledger));
        }
        if !ports.has_source(customer.livemode) {
            return set_or_error(instance, features, NO_KEY.to_owned());
        }
        if !ports.storage().may_write()? {
            return Ok(LedgerResponse::NewerRelease);
        }
        if is_unknown && ports.now() < instance.unknown_until.get() {
            return Ok(LedgerResponse::Set(SetOrigin::Ledger));
        }
        if let Some(cause) = backoff {
            return known_part_or_error(instance, features, cause);
        }
        let read = join_read(instance, customer, ReadReason::OnDemand);
        match within(ports.sleep(SOURCE_READ_TIMEOUT), read).await {
            Some(Ok(Reconciliation::Superseded)) => {}
            Some(Ok(_)) => return Ok(LedgerResponse::Set(SetOrigin::Source)),
            Some(Err(cause)) => return known_part_or_error(instance, features, cause),
            None => return known_part_or_error(instance, features, timed_out(SOURCE_READ_TIMEOUT)),
        }
    }
    known_part_or_error(instance, features, "events overtook every read of the source".to_owned())
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
        Some(WaitFor { feature, .. }) => with_effective_set(instance, |ledger, context| {
            ledger.record.effective_set(context).check(feature).is_grant()
        }),
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

/// Compares the stored set with the source's list, and replaces it if they differ. A ledger that will
/// read its set anyway, such as a new one, is not read twice.
pub(super) async fn reconcile<P: LedgerPorts>(
    instance: &Rc<Instance<P>>,
    customer: &CustomerKey,
) -> Result<LedgerResponse, StepError> {
    if instance.ports.storage().read(|ledger| ledger.outbox.is_read_scheduled())? {
        // The alarm may be lost.
        instance.schedule_alarm().await?;
        return Ok(LedgerResponse::Reconciled { drifted: false });
    }
    instance.update(customer, |ledger, now| {
        ledger.schedule_reconcile(now);
        Ok(())
    })?;
    Ok(match fresh_read(instance, customer, ReadReason::Reconcile).await {
        Ok(reconciliation) => LedgerResponse::Reconciled {
            drifted: matches!(reconciliation, Reconciliation::Drifted(_)),
        },
        Err(cause) => LedgerResponse::SourceFailed(cause),
    })
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

/// Returns the part of the record that is known, or the failure if it decides none of these features.
fn known_part_or_error<P: LedgerPorts>(
    instance: &Instance<P>,
    features: &[LookupKey],
    cause: String,
) -> Result<LedgerResponse, StepError> {
    let is_known = with_effective_set(instance, |ledger, context| {
        let set = ledger.record.effective_set(context);
        set.source().is_some()
            || features.iter().any(|feature| set.check(feature) != Decision::Indeterminate)
    })?;
    Ok(if is_known {
        LedgerResponse::KnownPart(cause)
    } else {
        LedgerResponse::SourceFailed(cause)
    })
}

/// Returns the stored record, or the failure if its source set is of another source.
fn set_or_error<P: LedgerPorts>(
    instance: &Instance<P>,
    features: &[LookupKey],
    cause: String,
) -> Result<LedgerResponse, StepError> {
    let policy = instance.ports.source_policy();
    let is_of_source = instance
        .ports
        .storage()
        .read(|ledger| ledger.record.source().is_none() || ledger.known_set(policy).is_some())?;
    if is_of_source {
        return Ok(LedgerResponse::Set(SetOrigin::Ledger));
    }
    known_part_or_error(instance, features, cause)
}

/// Carries out what is due. A request sees the state of now even before the alarm does that. An instance
/// that may not change what is stored leaves it to a later one: every answer adds it.
pub(super) async fn catch_up<P: LedgerPorts>(
    instance: &Rc<Instance<P>>,
    customer: &CustomerKey,
) -> Result<(), StepError> {
    let ports = &instance.ports;
    let (default_features, now) = (ports.default_features(), ports.now().to_timestamp());
    let storage = ports.storage();
    let is_behind = storage.read(|ledger| ledger.record.is_behind(&default_features, now))?;
    if is_behind && storage.may_write()? {
        instance.update(customer, |_, _| Ok(()))?;
        instance.schedule_alarm().await?;
    }
    Ok(())
}

/// Reads the state, with what an answer of now depends on.
fn with_effective_set<P: LedgerPorts, T>(
    instance: &Instance<P>,
    select: impl FnOnce(&LedgerState, AnswerContext<'_>) -> T,
) -> Result<T, PortError> {
    let ports = &instance.ports;
    let default_features = ports.default_features();
    ports.storage().read(|ledger| {
        let context = AnswerContext {
            policy: ports.source_policy(),
            default_features: &default_features,
            now: ports.now().to_timestamp(),
        };
        select(ledger, context)
    })
}

/// Reads the source in the background, since the set was read under another policy.
async fn schedule_reread<P: LedgerPorts>(
    instance: &Instance<P>,
    customer: &CustomerKey,
) -> Result<(), StepError> {
    let storage = instance.ports.storage();
    if storage.read(LedgerState::will_read)? {
        return Ok(());
    }
    instance.update(customer, |ledger, now| {
        ledger.schedule_reconcile(now);
        Ok(())
    })?;
    Ok(instance.schedule_alarm().await?)
}

fn timed_out(millis: u64) -> String {
    format!("no response from the source within {} s", millis / 1_000)
}
