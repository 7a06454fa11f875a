//! The queue of bulk jobs, and detection of a changed policy.
//!
//! A job is stored when a product's features are applied, and when the policy of a status changes.
//! This file imports objects only, so that every recomputation can call [`detect_policy_change()`].
//! Running jobs is in [`bulk_jobs`](super::bulk_jobs).

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
    json::json_type,
    policy::StatusPolicy,
};

/// The index of all jobs.
pub(crate) const INDEX: &str = "bulk jobs";

/// The id of the only [`AppliedPolicy`].
const APPLIED_POLICY_ID: &str = "policy";

json_type! {
    /// A change of many subscriptions, in progress.
    #[derive(Clone, Debug, Eq, PartialEq, Serialize)]
    pub(crate) struct BulkJob {
        pub(crate) id: String,
        pub(crate) created: Timestamp,
        pub(crate) kind: JobKind,
        /// The position of the last subscription that was processed.
        pub(crate) cursor: Option<(Timestamp, i64)>,
    }

    /// Which subscriptions a job changes, and how.
    #[derive(Clone, Debug, Eq, PartialEq, Serialize)]
    pub(crate) enum JobKind {
        /// Reads the features of this product again.
        Product(String) = "Product",
        /// Recomputes the entitlements of customers with a subscription of this status.
        Status(Status) = "Status",
    }
}

impl Entity for BulkJob {
    const TYPE: &'static str = "bulk job";

    fn id(&self) -> &str {
        &self.id
    }

    fn index_entries(&self) -> Vec<IndexEntry> {
        vec![IndexEntry::new(INDEX, self.created)]
    }
}

json_type! {
    /// The policy that the stored entitlements were computed with.
    #[derive(Clone, Debug, Eq, PartialEq, Serialize)]
    struct AppliedPolicy {
        policy: StatusPolicy,
    }
}

impl Entity for AppliedPolicy {
    const TYPE: &'static str = "applied policy";

    fn id(&self) -> &'static str {
        APPLIED_POLICY_ID
    }

    fn index_entries(&self) -> Vec<IndexEntry> {
        Vec::new()
    }
}

/// Whether a job is stored, or the policy has changed.
pub(crate) fn is_pending(tx: &Tx<'_>) -> Result<bool, Error> {
    Ok(load_applied_policy(tx)? != Some(tx.policy) || tx.has_any(INDEX)?)
}

/// Starts a job for each status whose policy has changed since the stored entitlements were
/// computed. Must run before a recomputation with the new policy.
pub(crate) fn detect_policy_change(tx: &Tx<'_>) -> Result<(), Error> {
    let before = load_applied_policy(tx)?;
    if before == Some(tx.policy) {
        return Ok(());
    }
    tx.insert(&AppliedPolicy { policy: tx.policy })?;
    for &(_, status) in Status::ALL {
        let is_unchanged =
            before.is_some_and(|before| status.grants(before) == status.grants(tx.policy));
        if !is_unchanged && tx.has_any(&subscription::status_index(status))? {
            start_job(tx, JobKind::Status(status))?;
        }
    }
    Ok(())
}

pub(crate) fn start_job(tx: &Tx<'_>, kind: JobKind) -> Result<BulkJob, Error> {
    let id = tx.new_id("job_", 24);
    let job = BulkJob { id, created: tx.now, kind, cursor: None };
    tx.insert(&job)?;
    Ok(job)
}

fn load_applied_policy(tx: &Tx<'_>) -> Result<Option<StatusPolicy>, Error> {
    Ok(tx.find::<AppliedPolicy>(APPLIED_POLICY_ID)?.map(|applied| applied.policy))
}
