//! What is done to very many subscriptions, a few at a time.
//!
//! | because                                        | each of these                              |
//! |------------------------------------------------|--------------------------------------------|
//! | a product's features are to be applied at once | with that product takes what it has now    |
//! | a status grants something else than before     | of that status has its customer's set settled |
//!
//! The work remembers how far it has come, so that a crash costs nothing and a request in between is
//! not kept waiting.

use crate::catalog::{
    engine::{
        entitlements::recompute,
        job_queue::{self, BulkJob, JobKind},
        save::{save, snapshot_features},
        transitions,
    },
    error::Error,
    objects::{
        event::EventType,
        product::Product,
        status::Status,
        subscription::{self, Subscription},
        test_clock,
    },
    storage::{IndexPosition, IndexRange, SortOrder},
    tx::Tx,
};

/// The subscriptions that an application gets to before it is answered.
const FIRST_BATCH: usize = 100;

/// How far an application has come when it is answered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum JobProgress {
    Done,
    InProgress,
}

/// Has all subscriptions with a product take what it has now.
pub(crate) fn apply_product_features(tx: &Tx<'_>, product: &str) -> Result<JobProgress, Error> {
    let product: Product = tx.load(product, "id")?;
    let application = job_queue::start_job(tx, JobKind::Product(product.id))?;
    run_batch(tx, &application, FIRST_BATCH)
}

/// Brings what is under way on by so many subscriptions.
pub(crate) fn run(tx: &Tx<'_>, limit: usize) -> Result<(), Error> {
    job_queue::detect_policy_change(tx)?;
    let first = IndexRange { after: None, before: None, order: SortOrder::Ascending, limit: 1 };
    let applications: Vec<BulkJob> = tx.list(job_queue::INDEX, first)?;
    match applications.first() {
        None => Ok(()),
        Some(application) => run_batch(tx, application, limit).map(drop),
    }
}

fn run_batch(tx: &Tx<'_>, application: &BulkJob, limit: usize) -> Result<JobProgress, Error> {
    let list = match &application.kind {
        JobKind::Product(product) => subscription::product_index(product),
        JobKind::Status(status) => subscription::status_index(*status),
    };
    let above = application.cursor.map(|(at, seq)| IndexPosition { at, seq });
    let more = limit.saturating_add(1);
    let range = IndexRange { after: above, before: None, order: SortOrder::Ascending, limit: more };
    let ahead: Vec<(IndexPosition, Subscription)> = tx.list_with_positions(&list, range)?;
    let reached = ahead.get(..limit.min(ahead.len())).unwrap_or_default();
    for (_, subscription) in reached {
        match &application.kind {
            JobKind::Product(product) => refresh_features(tx, subscription, product)?,
            JobKind::Status(_) => {
                let at = test_clock::now_on(tx, subscription.test_clock.as_deref())?;
                recompute(tx, &subscription.customer, at)?;
            }
        }
    }
    match reached.last() {
        Some((place, _)) if ahead.len() > limit => {
            let done = Some((place.at, place.seq));
            let after = BulkJob { cursor: done, ..application.clone() };
            tx.update(application, &after)?;
            Ok(JobProgress::InProgress)
        }
        _ => {
            tx.remove(application)?;
            Ok(JobProgress::Done)
        }
    }
}

/// Has the items with a product take what it has now.
fn refresh_features(tx: &Tx<'_>, before: &Subscription, product: &str) -> Result<(), Error> {
    let now = test_clock::now_on(tx, before.test_clock.as_deref())?;
    let before = match before.test_clock {
        None => &transitions::with_due_applied(tx, before.clone(), now)?,
        Some(_) => before,
    };
    if before.status == Status::Incomplete || before.status.is_final() {
        return Ok(());
    }
    let mut after = before.clone();
    for item in after.items.iter_mut().filter(|item| item.product == product) {
        snapshot_features(tx, std::slice::from_mut(item))?;
    }
    save(tx, Some(before), &after, EventType::SubscriptionUpdated, now)
}
