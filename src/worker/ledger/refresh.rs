//! A customer's Durable Object reads the source: for itself, and for those who ask.
//!
//! | who asks           | takes a read that is under way | waits                                  |
//! |--------------------|--------------------------------|----------------------------------------|
//! | the alarm          | yes                            | for its end                            |
//! | a check or a list  | yes                            | ten seconds                            |
//! | a sync             | no: it may be older than what the caller knows | as long as it says     |
//! | the reconciliation | no                             | for its end                            |

use std::{rc::Rc, task::Poll};

use futures_util::future::{Either, poll_fn, select};
use worker::{Result, console_error, console_warn};

use super::{
    object::{CustomerState, random_jitter},
    rpc::{LedgerResponse, LoadedRecord},
};
use crate::worker::{SharedFuture, now_millis, sleep};
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
};

/// How long it is remembered that the source knows no such customer, in milliseconds.
const UNKNOWN_TTL: u64 = 60_000;

/// How long the source is left alone by those who ask after it could not be read, in milliseconds.
const SOURCE_FAILURE_BACKOFF: u64 = 1_000;

/// How long a check waits for the source, in milliseconds.
const SOURCE_READ_TIMEOUT: u64 = 10_000;

/// How often a read is begun anew for a check because events keep coming in.
const MAX_READS: u32 = 3;

/// The pauses between the reads of a sync that waits, in milliseconds: events come faster, and are
/// what it mostly waits for.
const INITIAL_SYNC_BACKOFF: u64 = 2_000;
const MAX_SYNC_BACKOFF: u64 = 8_000;

impl CustomerState {
    /// What is held, read at the source where that does not decide about these features.
    pub(in crate::worker) async fn load(
        self: &Rc<Self>,
        customer: &CustomerKey,
        features: &[LookupKey],
    ) -> Result<LedgerResponse> {
        for _ in 0..MAX_READS {
            let account = self.storage().state()?;
            let decided =
                account.entitlements.as_ref().is_some_and(|held| held.can_answer(features));
            if decided || self.source_client(customer.livemode).is_none() {
                return self.stored_response(ServedBy::Ledger);
            }
            if account.entitlements.is_none() && now_millis() < self.unknown_until.get() {
                return Ok(LedgerResponse::Record(LoadedRecord {
                    record: None,
                    served_by: ServedBy::Ledger,
                }));
            }
            if let Some(cause) = self.backoff_cause(&account) {
                return self.partial_or_error(cause);
            }
            let read = self.join_read(customer, ReadReason::OnDemand);
            match select(read, sleep(SOURCE_READ_TIMEOUT)).await {
                Either::Left((Ok(Reconciliation::Superseded), _)) => {}
                Either::Left((Ok(_), _)) => return self.stored_response(ServedBy::Source),
                Either::Left((Err(cause), _)) => return self.partial_or_error(cause),
                Either::Right(_) => return self.partial_or_error(timed_out(SOURCE_READ_TIMEOUT)),
            }
        }
        self.stored_response(ServedBy::Ledger)
    }

    /// What the source says now, or as soon as a feature is granted.
    pub(in crate::worker) async fn sync(
        self: &Rc<Self>,
        customer: &CustomerKey,
        until: Option<&WaitFor>,
    ) -> Result<LedgerResponse> {
        let granted = || -> Result<bool> {
            let Some(until) = until else { return Ok(false) };
            Ok(check(self.storage().state()?.entitlements.as_ref(), &until.feature)
                == Decision::Grant)
        };
        let wait = until.map_or(0, |until| u64::from(until.max_seconds).saturating_mul(1_000));
        let patience = if wait == 0 { SOURCE_READ_TIMEOUT } else { wait };
        let deadline = now_millis().saturating_add(patience);
        let left = || deadline.0.saturating_sub(now_millis().0);
        let mut pause = INITIAL_SYNC_BACKOFF;
        // What the last read came to that came to an end.
        let mut told = Err(timed_out(patience));
        loop {
            let mut read = Box::pin(self.fresh_read(customer, ReadReason::OnDemand));
            loop {
                let changed = Box::pin(self.wait_for_change(self.change_count.get()));
                match select(select(read, changed), sleep(left())).await {
                    Either::Left((Either::Left((finding, _)), _)) => {
                        told = finding;
                        break;
                    }
                    Either::Left((Either::Right(((), same)), _)) if !granted()? => read = same,
                    Either::Left(_) => return self.stored_response(ServedBy::Ledger),
                    Either::Right(_) => break,
                }
            }
            let decided = wait == 0 || granted()?;
            match &told {
                Ok(_) if decided => return self.stored_response(ServedBy::Source),
                // An event has told of it.
                Err(_) if granted()? => return self.stored_response(ServedBy::Ledger),
                Err(cause) if decided => return Ok(LedgerResponse::Failed(cause.clone())),
                _ => {}
            }
            let again = now_millis().saturating_add(pause.min(left()));
            while now_millis() < again && !granted()? {
                let changed = Box::pin(self.wait_for_change(self.change_count.get()));
                select(changed, sleep(again.0.saturating_sub(now_millis().0))).await;
            }
            if granted()? {
                return self.stored_response(ServedBy::Ledger);
            }
            if left() == 0 {
                return match told {
                    Ok(_) => self.stored_response(ServedBy::Source),
                    Err(cause) => Ok(LedgerResponse::Failed(cause)),
                };
            }
            pause = pause.saturating_mul(2).min(MAX_SYNC_BACKOFF);
        }
    }

    /// Whether what is held is what the source says.
    pub(in crate::worker) async fn reconcile(
        self: &Rc<Self>,
        customer: &CustomerKey,
    ) -> Result<LedgerResponse> {
        self.storage().update(customer, |_, account| {
            account.schedule_reconcile(now_millis());
            Ok(())
        })?;
        Ok(match self.fresh_read(customer, ReadReason::Reconcile).await {
            Ok(finding) => LedgerResponse::Reconciled {
                drifted: matches!(finding, Reconciliation::Drifted(_)),
            },
            Err(cause) => LedgerResponse::Failed(cause),
        })
    }

    /// Reads the source, together with whoever reads it now.
    pub(in crate::worker) fn join_read(
        self: &Rc<Self>,
        customer: &CustomerKey,
        occasion: ReadReason,
    ) -> SharedFuture<std::result::Result<Reconciliation, String>> {
        if let Some(read) = self.source_read.borrow().as_ref() {
            return read.clone();
        }
        self.reads_started.set(self.reads_started.get().wrapping_add(1));
        let (desk, customer) = (Rc::clone(self), customer.clone());
        let read = self.spawn_shared(async move {
            let finding = desk.read_source(&customer, occasion).await;
            desk.source_read.take();
            if let Err(error) = desk.schedule_alarm().await {
                console_error!("{}: no alarm is set: {error}", customer.to_key());
            }
            // Last, so that who waits for this read hears of it first.
            if let Ok(Reconciliation::Updated | Reconciliation::Drifted(_)) = finding {
                desk.notify_changed();
            }
            finding.map_err(|error| error.to_string())
        });
        self.source_read.replace(Some(read.clone()));
        read
    }

    /// Reads the source from now on: a read that is under way does not count.
    async fn fresh_read(
        self: &Rc<Self>,
        customer: &CustomerKey,
        occasion: ReadReason,
    ) -> std::result::Result<Reconciliation, String> {
        let before = self.reads_started.get();
        loop {
            let read = self.join_read(customer, occasion);
            let begun = self.reads_started.get();
            let finding = read.await;
            if begun != before {
                match finding {
                    Ok(Reconciliation::Superseded) => {}
                    finding => return finding,
                }
            }
        }
    }

    async fn read_source(
        &self,
        customer: &CustomerKey,
        occasion: ReadReason,
    ) -> Result<Reconciliation> {
        let tables = self.storage();
        let Some(stripe) = self.source_client(customer.livemode) else {
            tables.update(customer, |_, account| {
                account.cancel_source_tasks(now_millis());
                Ok(())
            })?;
            return Err("there is no key to read Stripe with".into());
        };
        let reading = tables.state()?.begin_source_read();
        let told = stripe.list_entitlements(&customer.id).await;
        let told = match told {
            Ok(told) => told,
            Err(error) => return Err(self.record_source_failure(customer, &error).await?.into()),
        };
        self.source_backoff.take();
        let finding = tables.update(customer, |_, account| {
            let now = now_millis();
            let finding = account.apply_source_list(reading, occasion, &told, now);
            let finding = finding.map_err(|error| error.to_string())?;
            if finding == Reconciliation::NotFoundAtSource {
                account.source_failed(
                    Some(SyncProblem::UnknownCustomer),
                    now,
                    now,
                    random_jitter(),
                );
            }
            let activity = Activity::from_reconciliation(&finding, account.version(), now);
            Ok((finding, activity))
        });
        let (finding, activity) = match finding {
            Ok(found) => found,
            Err(error) => {
                // What cannot be kept now is read again later, and not at once.
                let now = now_millis();
                tables.update(customer, |_, account| {
                    account.source_failed(None, now, now, random_jitter());
                    Ok(())
                })?;
                return Err(error);
            }
        };
        if let Some(activity) = activity {
            self.log_activity(customer, activity);
        }
        match &finding {
            Reconciliation::InSync | Reconciliation::Updated | Reconciliation::Superseded => {}
            Reconciliation::Drifted(Drift { missing: granted, extra: revoked, version }) => {
                console_warn!(
                    "drift: {} lacked {granted} and had {revoked} too many by Stripe's list, of \
                     which no event told; version {version} is right",
                    customer.to_key()
                );
            }
            Reconciliation::UnknownCustomer => {
                self.unknown_until.set(now_millis().saturating_add(UNKNOWN_TTL));
                self.report_problem(customer, None).await;
            }
            Reconciliation::NotFoundAtSource => {
                let (cause, advice) = match self.source_kind() {
                    Source::Stripe => (
                        "Stripe knows no such customer",
                        "Is STRIPE_API_KEY of the account that sends the events?",
                    ),
                    #[cfg(feature = "catalog")]
                    Source::Catalog => (
                        "the catalog knows no such customer",
                        "While it is the source, events of others are for nobody here.",
                    ),
                };
                console_error!(
                    "{}: {cause}, of whom events came in; what is held stays. {advice}",
                    customer.to_key()
                );
                return Err(cause.into());
            }
        }
        Ok(finding)
    }

    /// Notes that the source did not tell, and answers why.
    async fn record_source_failure(
        &self,
        customer: &CustomerKey,
        error: &source::Error,
    ) -> Result<String> {
        let now = now_millis();
        let trouble = error.operator_problem();
        let advice = match trouble {
            Some(_) => ": set a key of this account that may read entitlements",
            None => "",
        };
        console_error!("{}: {error}{advice}", customer.to_key());
        let cause = error.to_string();
        let until = now.saturating_add(error.retry_after_ms());
        self.source_backoff
            .replace(Some((until.max(now.saturating_add(SOURCE_FAILURE_BACKOFF)), cause.clone())));
        let tables = self.storage();
        if tables.customer()?.is_some() {
            tables.update(customer, |_, account| {
                account.source_failed(trouble, until, now, random_jitter());
                Ok(())
            })?;
        } else if trouble.is_some() {
            self.report_problem(customer, trouble).await;
        }
        Ok(cause)
    }

    /// Tells the roster of a trouble, or that there is none: nothing is kept of a stranger, and the
    /// operator has to hear of it all the same.
    async fn report_problem(&self, customer: &CustomerKey, trouble: Option<SyncProblem>) {
        let standing = SyncStatus { problem: trouble, ..SyncStatus::default() };
        let report = StatusReport { status: standing, ..StatusReport::default() };
        let told = match self.customer_index() {
            Ok(roster) => roster.report(customer.livemode.key_prefix(), &report).await,
            Err(error) => Err(error),
        };
        if let Err(error) = told {
            console_error!("the roster is not told: {error}");
        }
    }

    /// Why the source is not asked now, if so.
    fn backoff_cause(&self, account: &LedgerState) -> Option<String> {
        let now = now_millis();
        if let Some((until, cause)) = self.source_backoff.borrow().as_ref()
            && now < *until
        {
            return Some(cause.clone());
        }
        let debt = account.outbox.pending(Task::Read)?;
        (debt.attempts > 0 && now < debt.due_at)
            .then(|| "Stripe could not be read, and is asked again later".to_owned())
    }

    /// The part that is held, or why nothing is known.
    fn partial_or_error(&self, cause: String) -> Result<LedgerResponse> {
        if self.storage().state()?.entitlements.is_none() {
            return Ok(LedgerResponse::Failed(cause));
        }
        self.stored_response(ServedBy::Ledger)
    }

    fn stored_response(&self, served_by: ServedBy) -> Result<LedgerResponse> {
        let record = self.storage().read_record()?;
        Ok(LedgerResponse::Record(LoadedRecord { record, served_by }))
    }

    /// Waits until the set is another one than it was at so many changes.
    fn wait_for_change(&self, seen: u64) -> impl Future<Output = ()> {
        poll_fn(move |context| {
            if self.change_count.get() != seen {
                return Poll::Ready(());
            }
            let mut waiting = self.wakers.borrow_mut();
            if !waiting.iter().any(|waker| waker.will_wake(context.waker())) {
                waiting.push(context.waker().clone());
            }
            Poll::Pending
        })
    }
}

fn timed_out(millis: u64) -> String {
    format!("Stripe did not answer for {} s", millis / 1_000)
}
