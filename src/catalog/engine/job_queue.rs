//! The queue of bulk jobs.

use serde::Serialize;

use crate::{
    catalog::{
        error::Error,
        objects::{status::Status, subscription},
        repository::Entity,
        storage::IndexEntry,
        tx::Tx,
    },
    id::Timestamp,
    json::impl_from_json,
    policy::StatusPolicy,
};

/// The list of what is under way.
pub(crate) const INDEX: &str = "applications";

/// Where the policy is kept by which all sets were derived.
pub(crate) const APPLIED_POLICY_ID: &str = "policy";

/// Something that is under way.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct BulkJob {
    pub(crate) id: String,
    pub(crate) created: Timestamp,
    pub(crate) kind: JobKind,
    /// The place of the last subscription that it got to.
    pub(crate) cursor: Option<(Timestamp, i64)>,
}

impl_from_json! { struct BulkJob { id, created, kind, cursor } }

#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(crate) enum JobKind {
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

/// Whether there is something under way, or to begin.
pub(crate) fn is_pending(tx: &Tx<'_>) -> Result<bool, Error> {
    Ok(load_applied_policy(tx)? != Some(tx.policy) || tx.has_any(INDEX)?)
}

/// Notices that the policy is another one than the sets were derived by, before one is derived by it:
/// whoever it concerns is settled in time.
pub(crate) fn detect_policy_change(tx: &Tx<'_>) -> Result<(), Error> {
    let before = load_applied_policy(tx)?;
    if before == Some(tx.policy) {
        return Ok(());
    }
    tx.insert(&AppliedPolicy { policy: tx.policy })?;
    for status in Status::ALL {
        let same = before.is_some_and(|it| status.grants(it) == status.grants(tx.policy));
        if !same && tx.has_any(&subscription::status_index(status))? {
            start_job(tx, JobKind::Status(status))?;
        }
    }
    Ok(())
}

pub(crate) fn start_job(tx: &Tx<'_>, what: JobKind) -> Result<BulkJob, Error> {
    let id = tx.new_id("app_", 24);
    let application = BulkJob { id, created: tx.now, kind: what, cursor: None };
    tx.insert(&application)?;
    Ok(application)
}

fn load_applied_policy(tx: &Tx<'_>) -> Result<Option<StatusPolicy>, Error> {
    Ok(tx.find::<AppliedPolicy>(APPLIED_POLICY_ID)?.map(|derived| derived.policy))
}
