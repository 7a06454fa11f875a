//! Runs bulk jobs: changes of many subscriptions, in batches.
//!
//! | job       | each of these subscriptions                                          |
//! |-----------|----------------------------------------------------------------------|
//! | `Product` | with the product: reads the product's features, and is saved         |
//! | `Status`  | of the status: recomputes the entitlements of its customer           |
//!
//! A job stores its cursor after each batch. A crash repeats at most one batch, and requests run
//! between two batches. The jobs themselves are in [`job_queue`](super::job_queue).

use crate::catalog::{
    engine::{
        entitlements::recompute,
        job_queue::{self, BulkJob, JobKind},
        save::{save, snapshot_features},
        transitions,
    },
    error::Error,
    objects::{
        product::Product,
        status::Status,
        subscription::{self, Subscription},
        test_clock,
    },
    storage::{IndexPosition, IndexRange, SortOrder},
    tx::Tx,
};

/// The subscriptions of a job that are processed before the request returns.
const FIRST_BATCH: usize = 100;

/// The progress of a job when the request returns.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum JobProgress {
    Done,
    InProgress,
}

/// Applies a product's current features to all subscriptions with it.
pub(crate) fn apply_product_features(tx: &Tx<'_>, product: &str) -> Result<JobProgress, Error> {
    let product: Product = tx.load(product, "id")?;
    let job = job_queue::start_job(tx, JobKind::Product(product.id))?;
    run_batch(tx, &job, FIRST_BATCH)
}

/// Runs the next batch of the oldest job, for at most `limit` subscriptions.
pub(crate) fn run(tx: &Tx<'_>, limit: usize) -> Result<(), Error> {
    job_queue::detect_policy_change(tx)?;
    let first = IndexRange::earliest();
    let jobs: Vec<BulkJob> = tx.list(job_queue::INDEX, first)?;
    match jobs.first() {
        None => Ok(()),
        Some(job) => run_batch(tx, job, limit).map(drop),
    }
}

fn run_batch(tx: &Tx<'_>, job: &BulkJob, limit: usize) -> Result<JobProgress, Error> {
    let index = match &job.kind {
        JobKind::Product(product) => subscription::product_index(product),
        JobKind::Status(status) => subscription::status_index(*status),
    };
    let after = job.cursor.map(|(at, seq)| IndexPosition { at, seq });
    let fetch_limit = limit.saturating_add(1);
    let range = IndexRange { after, before: None, order: SortOrder::Ascending, limit: fetch_limit };
    let pending: Vec<(IndexPosition, Subscription)> = tx.list_with_positions(&index, range)?;
    let batch = pending.get(..limit.min(pending.len())).unwrap_or_default();
    for (_, subscription) in batch {
        match &job.kind {
            JobKind::Product(product) => refresh_features(tx, subscription, product)?,
            JobKind::Status(_) => {
                let at = test_clock::now_on(tx, subscription.test_clock.as_deref())?;
                recompute(tx, &subscription.customer, at)?;
            }
        }
    }
    match batch.last() {
        Some((position, _)) if pending.len() > limit => {
            let cursor = Some((position.at, position.seq));
            tx.update(job, &BulkJob { cursor, ..job.clone() })?;
            Ok(JobProgress::InProgress)
        }
        _ => {
            tx.remove(job)?;
            Ok(JobProgress::Done)
        }
    }
}

/// Applies the product's current features to the items with it.
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
    save(tx, Some(before), after, now).map(drop)
}
