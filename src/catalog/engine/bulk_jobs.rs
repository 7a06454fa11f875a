//! What is done to very many subscriptions, a few at a time.
//!
//! | because                                        | each of these                              |
//! |------------------------------------------------|--------------------------------------------|
//! | a product's features are to be applied at once | with that product takes what it has now    |
//! | a status grants something else than before     | of that status has its customer's set settled |
//!
//! The work remembers how far it has come, so that a crash costs nothing and a request in between is
//! not kept waiting.

use serde::Serialize;

use crate::{
    catalog::{
        Error, Tx,
        engine::entitlements::recompute,
        objects::{
            event::EventType,
            product::Product,
            status::Status,
            subscription::{self, Subscription},
        },
        repository::Entity,
        storage::{IndexEntry, IndexPosition, IndexRange, SortOrder},
    },
    id::Timestamp,
    json::impl_from_json,
    policy::StatusPolicy,
};

/// The subscriptions that an application gets to before it is answered.
const FIRST_BATCH: usize = 100;

/// The list of what is under way.
const INDEX: &str = "applications";

/// Where the policy is kept by which all sets were derived.
const APPLIED_POLICY_ID: &str = "policy";

/// Something that is under way.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
struct BulkJob {
    id: String,
    created: Timestamp,
    kind: JobKind,
    /// The place of the last subscription that it got to.
    cursor: Option<(Timestamp, i64)>,
}

impl_from_json! { struct BulkJob { id, created, kind, cursor } }

#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
enum JobKind {
    Product(String),
    Status(Status),
}

impl_from_json! { enum JobKind { Product(_) = "Product", Status(_) = "Status" } }

impl Entity for BulkJob {
    const TYPE: &'static str = "application";

    fn id(&self) -> &str {
        &self.id
    }

    fn index_entries(&self) -> Vec<IndexEntry> {
        vec![IndexEntry::new(INDEX, self.created)]
    }
}

/// The policy by which all sets were derived.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
struct AppliedPolicy {
    policy: StatusPolicy,
}

impl_from_json! { struct AppliedPolicy { policy } }

impl Entity for AppliedPolicy {
    const TYPE: &'static str = "settings";

    fn id(&self) -> &'static str {
        APPLIED_POLICY_ID
    }

    fn index_entries(&self) -> Vec<IndexEntry> {
        Vec::new()
    }
}

/// How far an application has come when it is answered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum JobProgress {
    Done,
    InProgress,
}

/// Has all subscriptions with a product take what it has now.
pub(crate) fn apply_product_features(
    catalog: &Tx<'_>,
    product: &str,
) -> Result<JobProgress, Error> {
    let product: Product = catalog.load(product, "id")?;
    let application = catalog.start_job(JobKind::Product(product.id))?;
    run_batch(catalog, &application, FIRST_BATCH)
}

/// Whether there is something under way, or to begin.
pub(crate) fn is_pending(catalog: &Tx<'_>) -> Result<bool, Error> {
    Ok(load_applied_policy(catalog)? != Some(catalog.policy) || catalog.has_any(INDEX)?)
}

/// Brings what is under way on by so many subscriptions.
pub(crate) fn run(catalog: &Tx<'_>, limit: usize) -> Result<(), Error> {
    detect_policy_change(catalog)?;
    let first = IndexRange { after: None, before: None, order: SortOrder::Ascending, limit: 1 };
    let applications: Vec<BulkJob> = catalog.list(INDEX, first)?;
    match applications.first() {
        None => Ok(()),
        Some(application) => run_batch(catalog, application, limit).map(drop),
    }
}

/// Notices that the policy is another one than the sets were derived by, before one is derived by it:
/// whoever it concerns is settled in time.
pub(crate) fn detect_policy_change(catalog: &Tx<'_>) -> Result<(), Error> {
    let before = load_applied_policy(catalog)?;
    if before == Some(catalog.policy) {
        return Ok(());
    }
    catalog.insert(&AppliedPolicy { policy: catalog.policy })?;
    for status in Status::ALL {
        let same = before.is_some_and(|it| status.grants(it) == status.grants(catalog.policy));
        if !same && catalog.has_any(&subscription::status_index(status))? {
            catalog.start_job(JobKind::Status(status))?;
        }
    }
    Ok(())
}

impl Tx<'_> {
    fn start_job(&self, what: JobKind) -> Result<BulkJob, Error> {
        let id = self.new_id("app_", 24);
        let application = BulkJob { id, created: self.now, kind: what, cursor: None };
        self.insert(&application)?;
        Ok(application)
    }
}

fn load_applied_policy(catalog: &Tx<'_>) -> Result<Option<StatusPolicy>, Error> {
    Ok(catalog.find::<AppliedPolicy>(APPLIED_POLICY_ID)?.map(|derived| derived.policy))
}

fn run_batch(catalog: &Tx<'_>, application: &BulkJob, limit: usize) -> Result<JobProgress, Error> {
    let list = match &application.kind {
        JobKind::Product(product) => subscription::product_index(product),
        JobKind::Status(status) => subscription::status_index(*status),
    };
    let above = application.cursor.map(|(at, seq)| IndexPosition { at, seq });
    let more = limit.saturating_add(1);
    let range = IndexRange { after: above, before: None, order: SortOrder::Ascending, limit: more };
    let ahead: Vec<(IndexPosition, Subscription)> = catalog.list_with_positions(&list, range)?;
    let reached = ahead.get(..limit.min(ahead.len())).unwrap_or_default();
    for (_, subscription) in reached {
        match &application.kind {
            JobKind::Product(product) => refresh_features(catalog, subscription, product)?,
            JobKind::Status(_) => {
                let at = catalog.now_on(subscription.test_clock.as_deref())?;
                recompute(catalog, &subscription.customer, at)?;
            }
        }
    }
    match reached.last() {
        Some((place, _)) if ahead.len() > limit => {
            let done = Some((place.at, place.seq));
            let after = BulkJob { cursor: done, ..application.clone() };
            catalog.update(application, &after)?;
            Ok(JobProgress::InProgress)
        }
        _ => {
            catalog.remove(application)?;
            Ok(JobProgress::Done)
        }
    }
}

/// Has the items with a product take what it has now.
fn refresh_features(catalog: &Tx<'_>, before: &Subscription, product: &str) -> Result<(), Error> {
    let now = catalog.now_on(before.test_clock.as_deref())?;
    let before = match before.test_clock {
        None => &catalog.with_due_applied(before.clone(), now)?,
        Some(_) => before,
    };
    if before.status == Status::Incomplete || before.status.is_final() {
        return Ok(());
    }
    let mut after = before.clone();
    for item in after.items.iter_mut().filter(|item| item.product == product) {
        catalog.snapshot_features(std::slice::from_mut(item))?;
    }
    catalog.save(Some(before), &after, EventType::SubscriptionUpdated, now)
}
