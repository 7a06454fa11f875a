//! What the coordinator asks the index: the failed tasks of all customers, and whose
//! ledgers must be woken.
//!
//! Each shard returns candidates, as many as the coordinator wants in total. The first ones of all shards
//! are chosen, and their shards lease them: a leased customer is no candidate for a while.

use serde::Serialize;

use crate::{
    coordinator::{Backlog, IndexQuery, IndexReport},
    id::{CustomerId, CustomerKey, Livemode, UnixMillis},
    json::json_type,
    ledger::SyncProblem,
};

use super::shard::Shard;

json_type! {
    /// What a shard knows of its customers.
    #[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
    pub struct ShardReport {
        /// The number of tasks with failed attempts.
        pub pending: u32,
        /// When the oldest of these tasks was created.
        pub pending_since: Option<UnixMillis>,
        /// The problem that was reported last.
        pub problem: Option<KeyProblem>,
        /// A problem of the mode's API key that a ledger without a customer reported.
        pub key_problem: Option<KeyProblem>,
        /// When the source last confirmed a set.
        pub last_confirmed_at: Option<UnixMillis>,
        /// Customers with a task that is overdue, and that were not woken since, first ones first.
        pub overdue: Vec<Candidate>,
        /// Customers that are unread and not leased, oldest first.
        pub unread: Vec<Candidate>,
        /// How many customers are unread, leased or not, if any were requested. A shard counts up to 10,000.
        pub unread_count: u32,
    }

    /// A problem, and when it was reported.
    #[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
    pub struct KeyProblem {
        /// The problem.
        pub problem: SyncProblem,
        /// When it was reported.
        pub reported_at: UnixMillis,
    }

    /// A customer whose ledger may have to be woken.
    #[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
    pub struct Candidate {
        /// Since when the customer waits: lower ones are first.
        pub since: u64,
        /// The customer.
        pub id: CustomerId,
    }

    /// The customers of a shard whose ledgers are woken now.
    #[derive(Clone, Debug, Eq, PartialEq, Serialize)]
    pub struct Lease {
        /// Why they are woken.
        pub kind: LeaseKind,
        /// The customers.
        pub ids: Vec<CustomerId>,
    }

    /// Why a ledger is woken.
    #[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
    pub enum LeaseKind {
        /// It has an overdue task.
        Overdue = "overdue",
        /// It must read the source.
        Unread = "unread",
    }
}

/// The result of all shards.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Survey {
    /// What the coordinator receives.
    pub report: IndexReport,
    /// What the shards store.
    pub leases: Vec<(Shard, Lease)>,
}

/// Merges the reports of all shards.
#[must_use]
pub fn merge_reports(query: IndexQuery, shards: Vec<(Shard, ShardReport)>) -> Survey {
    let mut backlog = Backlog::default();
    let (mut problem, mut key_problem) = (None::<KeyProblem>, None::<KeyProblem>);
    let mut last_confirmed_at = None;
    let (mut overdue, mut unread, mut unread_count) = (Vec::new(), Vec::new(), 0_u32);
    for (shard, report) in shards {
        backlog.pending = backlog.pending.saturating_add(report.pending);
        let since = [backlog.pending_since, report.pending_since];
        backlog.pending_since = since.into_iter().flatten().min();
        problem = latest(problem, report.problem);
        key_problem = latest(key_problem, report.key_problem);
        last_confirmed_at = last_confirmed_at.max(report.last_confirmed_at);
        overdue.extend(report.overdue.into_iter().map(|candidate| (candidate, shard)));
        unread.extend(report.unread.into_iter().map(|candidate| (candidate, shard)));
        unread_count = unread_count.saturating_add(report.unread_count);
    }
    // A set that was confirmed later proves that the mode's API key works.
    let key_problem = key_problem
        .filter(|problem| last_confirmed_at.is_none_or(|at: UnixMillis| at <= problem.reported_at));
    backlog.problem = latest(problem, key_problem).map(|reported| reported.problem);
    let mut leases = Vec::new();
    let overdue = choose(overdue, query.max_overdue, LeaseKind::Overdue, &mut leases);
    let unread = choose(unread, query.max_unread, LeaseKind::Unread, &mut leases);
    let keys = |ids: Vec<CustomerId>| to_keys(query.livemode, ids);
    let report =
        IndexReport { backlog, overdue: keys(overdue), unread: keys(unread), unread_count };
    Survey { report, leases }
}

fn latest(one: Option<KeyProblem>, other: Option<KeyProblem>) -> Option<KeyProblem> {
    [one, other].into_iter().flatten().max_by_key(|problem| problem.reported_at)
}

/// Chooses the first candidates, and adds their leases.
fn choose(
    mut candidates: Vec<(Candidate, Shard)>,
    limit: u32,
    kind: LeaseKind,
    leases: &mut Vec<(Shard, Lease)>,
) -> Vec<CustomerId> {
    candidates.sort_unstable();
    candidates.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    for shard in Shard::all() {
        let chosen = candidates.iter().filter(|(_, other)| *other == shard);
        let ids: Vec<CustomerId> = chosen.map(|(candidate, _)| candidate.id.clone()).collect();
        if !ids.is_empty() {
            leases.push((shard, Lease { kind, ids }));
        }
    }
    candidates.into_iter().map(|(candidate, _)| candidate.id).collect()
}

fn to_keys(livemode: Livemode, ids: Vec<CustomerId>) -> Vec<String> {
    ids.into_iter().map(|id| CustomerKey { livemode, id }.to_key()).collect()
}
