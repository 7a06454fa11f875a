//! The lists of customers: by id, and by problem.
//!
//! | list         | customers                                   | order                     |
//! |--------------|---------------------------------------------|---------------------------|
//! | of customers | all, or those whose id has a prefix         | id                        |
//! | of problems  | those with a failed task or another problem | since when, then id       |
//!
//! A position names both parts of the order. So a page of problems continues where the previous one
//! ended, even if the problem of its last customer was solved.

use std::cmp::Ordering;

use serde::Serialize;

use super::merge::merge_pages;
use crate::{
    id::{CustomerId, UnixMillis},
    json::{json_type, string_enum},
    ledger::{SyncProblem, SyncStatus},
    pagination::{PageOf, PageRequest},
};

json_type! {
    /// A request for a page of customers.
    #[derive(Clone, Debug, Eq, PartialEq, Serialize)]
    pub struct CustomerQuery {
        /// The prefix of the ids; `None` for all ids.
        pub prefix: Option<CustomerId>,
        /// Which problem the customers have; `None` for all customers.
        pub problem: Option<ProblemFilter>,
        /// The page.
        pub page: PageRequest<CustomerPosition>,
    }

    /// The position of a customer in a list.
    #[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
    pub struct CustomerPosition {
        /// Since when the customer has a problem; `None` in a list by id.
        pub problem_since: Option<UnixMillis>,
        /// The customer.
        pub id: CustomerId,
    }

    /// A customer in the index.
    #[derive(Clone, Debug, Eq, PartialEq, Serialize)]
    pub struct CustomerSyncStatus {
        /// The customer.
        pub id: CustomerId,
        /// The status in the customer's last report.
        pub status: SyncStatus,
        /// When the first of the reports with a problem arrived; `None` if the last one has none.
        pub problem_since: Option<UnixMillis>,
    }
}

string_enum! {
    /// Which problem customers have.
    #[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
    pub enum ProblemFilter {
        /// Any of the others.
        Any = "any",
        /// The source rejects the API key.
        KeyRefused = "key_refused",
        /// The source does not know the customer.
        UnknownCustomer = "unknown_customer",
        /// A task failed and is retried.
        Pending = "pending",
    }
}

impl CustomerQuery {
    /// Merges the pages of all shards.
    #[must_use]
    pub fn merge(&self, pages: Vec<PageOf<CustomerSyncStatus>>) -> PageOf<CustomerSyncStatus> {
        merge_pages(&self.page, pages, |one, other| self.compare(one, other))
    }

    /// The order of the list.
    #[must_use]
    pub fn compare(&self, one: &CustomerSyncStatus, other: &CustomerSyncStatus) -> Ordering {
        let by_problem = match self.problem {
            Some(_) => one.problem_since.cmp(&other.problem_since),
            None => Ordering::Equal,
        };
        by_problem.then_with(|| one.id.cmp(&other.id))
    }

    /// The position of a customer in the list.
    #[must_use]
    pub fn position(&self, customer: &CustomerSyncStatus) -> CustomerPosition {
        let problem_since = self.problem.and(customer.problem_since);
        CustomerPosition { problem_since, id: customer.id.clone() }
    }

    /// Whether a customer is in the list, on any page.
    #[must_use]
    pub fn includes(&self, customer: &CustomerSyncStatus) -> bool {
        let CustomerSyncStatus { id, status: SyncStatus { pending, problem, .. }, .. } = customer;
        let has_prefix =
            self.prefix.as_ref().is_none_or(|prefix| id.as_str().starts_with(prefix.as_str()));
        has_prefix
            && match self.problem {
                None => true,
                Some(ProblemFilter::Any) => customer.status.is_problem(),
                Some(ProblemFilter::KeyRefused) => *problem == Some(SyncProblem::KeyRefused),
                Some(ProblemFilter::UnknownCustomer) => {
                    *problem == Some(SyncProblem::UnknownCustomer)
                }
                Some(ProblemFilter::Pending) => *pending > 0,
            }
    }
}
