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
    Work,
    customer::{Desk, jitter},
    messages::{Answer, Found},
    millis, sleep,
};
use crate::{
    api::settings::Source,
    entitlement::{Decision, check},
    id::{Customer, LookupKey},
    ledger::{Account, Activity, Drift, Finding, Occasion, Report, Standing, Task, Trouble},
    source,
    store::{ServedBy, Until},
};

/// How long it is remembered that the source knows no such customer, in milliseconds.
const NOBODY: u64 = 60_000;

/// How long the source is left alone by those who ask after it could not be read, in milliseconds.
const LEFT_ALONE: u64 = 1_000;

/// How long a check waits for the source, in milliseconds.
const PATIENCE: u64 = 10_000;

/// How often a read is begun anew for a check because events keep coming in.
const READS: u32 = 3;

/// The pauses between the reads of a sync that waits, in milliseconds: events come faster, and are
/// what it mostly waits for.
const FIRST_PAUSE: u64 = 2_000;
const LONGEST_PAUSE: u64 = 8_000;

impl Desk {
    /// What is held, read at the source where that does not decide about these features.
    pub(super) async fn find(
        self: &Rc<Self>,
        customer: &Customer,
        features: &[LookupKey],
    ) -> Result<Answer> {
        for _ in 0..READS {
            let account = self.tables().account()?;
            let decided = account.held.as_ref().is_some_and(|held| held.decides(features));
            if decided || self.stripe(customer.livemode).is_none() {
                return self.answer(ServedBy::Ledger);
            }
            if account.held.is_none() && millis() < self.nobody.get() {
                return Ok(Answer::Found(Found { record: None, served_by: ServedBy::Ledger }));
            }
            if let Some(cause) = self.left_alone(&account) {
                return self.part(cause);
            }
            let read = self.read(customer, Occasion::Ask);
            match select(read, sleep(PATIENCE)).await {
                Either::Left((Ok(Finding::Overtaken), _)) => {}
                Either::Left((Ok(_), _)) => return self.answer(ServedBy::Source),
                Either::Left((Err(cause), _)) => return self.part(cause),
                Either::Right(_) => return self.part(silent(PATIENCE)),
            }
        }
        self.answer(ServedBy::Ledger)
    }

    /// What the source says now, or as soon as a feature is granted.
    pub(super) async fn sync(
        self: &Rc<Self>,
        customer: &Customer,
        until: Option<&Until>,
    ) -> Result<Answer> {
        let granted = || -> Result<bool> {
            let Some(until) = until else { return Ok(false) };
            Ok(check(self.tables().account()?.held.as_ref(), &until.feature) == Decision::Grant)
        };
        let wait = until.map_or(0, |until| u64::from(until.wait).saturating_mul(1_000));
        let patience = if wait == 0 { PATIENCE } else { wait };
        let deadline = millis().plus(patience);
        let left = || deadline.0.saturating_sub(millis().0);
        let mut pause = FIRST_PAUSE;
        // What the last read came to that came to an end.
        let mut told = Err(silent(patience));
        loop {
            let mut read = Box::pin(self.read_anew(customer, Occasion::Ask));
            loop {
                let changed = Box::pin(self.changed(self.changes.get()));
                match select(select(read, changed), sleep(left())).await {
                    Either::Left((Either::Left((finding, _)), _)) => {
                        told = finding;
                        break;
                    }
                    Either::Left((Either::Right(((), same)), _)) if !granted()? => read = same,
                    Either::Left(_) => return self.answer(ServedBy::Ledger),
                    Either::Right(_) => break,
                }
            }
            let decided = wait == 0 || granted()?;
            match &told {
                Ok(_) if decided => return self.answer(ServedBy::Source),
                // An event has told of it.
                Err(_) if granted()? => return self.answer(ServedBy::Ledger),
                Err(cause) if decided => return Ok(Answer::Failed(cause.clone())),
                _ => {}
            }
            let again = millis().plus(pause.min(left()));
            while millis() < again && !granted()? {
                let changed = Box::pin(self.changed(self.changes.get()));
                select(changed, sleep(again.0.saturating_sub(millis().0))).await;
            }
            if granted()? {
                return self.answer(ServedBy::Ledger);
            }
            if left() == 0 {
                return match told {
                    Ok(_) => self.answer(ServedBy::Source),
                    Err(cause) => Ok(Answer::Failed(cause)),
                };
            }
            pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
        }
    }

    /// Whether what is held is what the source says.
    pub(super) async fn confirm(self: &Rc<Self>, customer: &Customer) -> Result<Answer> {
        self.tables().step(customer, |_, account| {
            account.doubt(millis());
            Ok(())
        })?;
        Ok(match self.read_anew(customer, Occasion::Confirm).await {
            Ok(finding) => Answer::Checked { drifted: matches!(finding, Finding::Drifted(_)) },
            Err(cause) => Answer::Failed(cause),
        })
    }

    /// Reads the source, together with whoever reads it now.
    pub(super) fn read(
        self: &Rc<Self>,
        customer: &Customer,
        occasion: Occasion,
    ) -> Work<std::result::Result<Finding, String>> {
        if let Some(read) = self.reading.borrow().as_ref() {
            return read.clone();
        }
        self.readings.set(self.readings.get().wrapping_add(1));
        let (desk, customer) = (Rc::clone(self), customer.clone());
        let read = self.share(async move {
            let finding = desk.consult(&customer, occasion).await;
            desk.reading.take();
            if let Err(error) = desk.arm().await {
                console_error!("{}: no alarm is set: {error}", customer.key());
            }
            // Last, so that who waits for this read hears of it first.
            if let Ok(Finding::Completed | Finding::Drifted(_)) = finding {
                desk.tell();
            }
            finding.map_err(|error| error.to_string())
        });
        self.reading.replace(Some(read.clone()));
        read
    }

    /// Reads the source from now on: a read that is under way does not count.
    async fn read_anew(
        self: &Rc<Self>,
        customer: &Customer,
        occasion: Occasion,
    ) -> std::result::Result<Finding, String> {
        let before = self.readings.get();
        loop {
            let read = self.read(customer, occasion);
            let begun = self.readings.get();
            let finding = read.await;
            if begun != before {
                match finding {
                    Ok(Finding::Overtaken) => {}
                    finding => return finding,
                }
            }
        }
    }

    async fn consult(&self, customer: &Customer, occasion: Occasion) -> Result<Finding> {
        let tables = self.tables();
        let Some(stripe) = self.stripe(customer.livemode) else {
            tables.step(customer, |_, account| {
                account.forgo(millis());
                Ok(())
            })?;
            return Err("there is no key to read Stripe with".into());
        };
        let reading = tables.account()?.reading();
        let told = stripe.told(&customer.id).await;
        let told = match told {
            Ok(told) => told,
            Err(error) => return Err(self.unanswered(customer, &error).await?.into()),
        };
        self.left_alone.take();
        let finding = tables.step(customer, |_, account| {
            let now = millis();
            let finding = account.told(reading, occasion, &told, now);
            let finding = finding.map_err(|error| error.to_string())?;
            if finding == Finding::Doubtful {
                account.unanswered(Some(Trouble::UnknownCustomer), now, now, jitter());
            }
            let activity = Activity::found(&finding, account.version(), now);
            Ok((finding, activity))
        });
        let (finding, activity) = match finding {
            Ok(found) => found,
            Err(error) => {
                // What cannot be kept now is read again later, and not at once.
                let now = millis();
                tables.step(customer, |_, account| {
                    account.unanswered(None, now, now, jitter());
                    Ok(())
                })?;
                return Err(error);
            }
        };
        if let Some(activity) = activity {
            self.note(customer, activity);
        }
        match &finding {
            Finding::Right | Finding::Completed | Finding::Overtaken => {}
            Finding::Drifted(Drift { granted, revoked, version }) => {
                console_warn!(
                    "drift: {} lacked {granted} and had {revoked} too many by Stripe's list, of \
                     which no event told; version {version} is right",
                    customer.key()
                );
            }
            Finding::Nobody => {
                self.nobody.set(millis().plus(NOBODY));
                self.note_trouble(customer, None).await;
            }
            Finding::Doubtful => {
                let (cause, advice) = match self.source() {
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
                    customer.key()
                );
                return Err(cause.into());
            }
        }
        Ok(finding)
    }

    /// Notes that the source did not tell, and answers why.
    async fn unanswered(&self, customer: &Customer, error: &source::Error) -> Result<String> {
        let now = millis();
        let trouble = error.trouble();
        let advice = match trouble {
            Some(_) => ": set a key of this account that may read entitlements",
            None => "",
        };
        console_error!("{}: {error}{advice}", customer.key());
        let cause = error.to_string();
        let until = now.plus(error.pause());
        self.left_alone.replace(Some((until.max(now.plus(LEFT_ALONE)), cause.clone())));
        let tables = self.tables();
        if tables.owner()?.is_some() {
            tables.step(customer, |_, account| {
                account.unanswered(trouble, until, now, jitter());
                Ok(())
            })?;
        } else if trouble.is_some() {
            self.note_trouble(customer, trouble).await;
        }
        Ok(cause)
    }

    /// Tells the roster of a trouble, or that there is none: nothing is kept of a stranger, and the
    /// operator has to hear of it all the same.
    async fn note_trouble(&self, customer: &Customer, trouble: Option<Trouble>) {
        let standing = Standing { trouble, ..Standing::default() };
        let report = Report { standing, ..Report::default() };
        let told = match self.roster() {
            Ok(roster) => roster.report(customer.livemode.prefix(), &report).await,
            Err(error) => Err(error),
        };
        if let Err(error) = told {
            console_error!("the roster is not told: {error}");
        }
    }

    /// Why the source is not asked now, if so.
    fn left_alone(&self, account: &Account) -> Option<String> {
        let now = millis();
        if let Some((until, cause)) = self.left_alone.borrow().as_ref()
            && now < *until
        {
            return Some(cause.clone());
        }
        let debt = account.outbox.debt(Task::Read)?;
        (debt.tries > 0 && now < debt.due)
            .then(|| "Stripe could not be read, and is asked again later".to_owned())
    }

    /// The part that is held, or why nothing is known.
    fn part(&self, cause: String) -> Result<Answer> {
        if self.tables().account()?.held.is_none() {
            return Ok(Answer::Failed(cause));
        }
        self.answer(ServedBy::Ledger)
    }

    fn answer(&self, served_by: ServedBy) -> Result<Answer> {
        let record = self.tables().record()?;
        Ok(Answer::Found(Found { record, served_by }))
    }

    /// Waits until the set is another one than it was at so many changes.
    fn changed(&self, seen: u64) -> impl Future<Output = ()> {
        poll_fn(move |context| {
            if self.changes.get() != seen {
                return Poll::Ready(());
            }
            let mut waiting = self.waiting.borrow_mut();
            if !waiting.iter().any(|waker| waker.will_wake(context.waker())) {
                waiting.push(context.waker().clone());
            }
            Poll::Pending
        })
    }
}

fn silent(millis: u64) -> String {
    format!("Stripe did not answer for {} s", millis / 1_000)
}
