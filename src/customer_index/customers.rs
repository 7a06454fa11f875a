//! The lists of customers: by id, by problem, and by the next end of an override.
//!
//! | list         | customers                                      | order                  |
//! |--------------|------------------------------------------------|------------------------|
//! | of customers | all, or those whose id has a prefix            | id                     |
//! | of problems  | those with a failed task or another problem    | since when, then id    |
//! | of ends      | those with an override that ends before a time | the first end, then id |
//!
//! A position names both parts of the order. So a page of problems continues where the previous one
//! ended, even if the problem of its last customer was solved.

use std::cmp::Ordering;

use serde::Serialize;

use super::merge::merge_pages;
use crate::{
    id::{CustomerId, Timestamp, UnixMillis},
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
        /// Which of these customers, and in which order.
        pub selection: CustomerSelection,
        /// The page.
        pub page: PageRequest<CustomerPosition>,
    }

    /// Which customers are listed, and in which order.
    #[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
    pub enum CustomerSelection {
        /// All customers, by id.
        All = "all",
        /// Those with this problem, by the time since when they have one, then by id.
        Problem(ProblemFilter) = "problem",
        /// Those whose next end of an override is before this time, by that end, then by id.
        EndsBefore(Timestamp) = "ends_before",
    }

    /// The position of a customer in a list.
    #[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
    pub struct CustomerPosition {
        /// The time that the list is ordered by: in milliseconds since when the customer has a problem, or
        /// in seconds when its next override ends. `None` in a list by id.
        pub time: Option<u64>,
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
        self.time(one).cmp(&self.time(other)).then_with(|| one.id.cmp(&other.id))
    }

    /// The position of a customer in the list.
    #[must_use]
    pub fn position(&self, customer: &CustomerSyncStatus) -> CustomerPosition {
        CustomerPosition { time: self.time(customer), id: customer.id.clone() }
    }

    /// The time of a customer that the list is ordered by.
    fn time(&self, customer: &CustomerSyncStatus) -> Option<u64> {
        match self.selection {
            CustomerSelection::All => None,
            CustomerSelection::Problem(_) => customer.problem_since.map(|since| since.0),
            CustomerSelection::EndsBefore(_) => {
                customer.status.next_override_end.and_then(|end| u64::try_from(end.0).ok())
            }
        }
    }

    /// Whether a customer is in the list, on any page.
    #[must_use]
    pub fn includes(&self, customer: &CustomerSyncStatus) -> bool {
        let CustomerSyncStatus { id, status, .. } = customer;
        let SyncStatus { pending, problem, next_override_end, .. } = status;
        let has_prefix =
            self.prefix.as_ref().is_none_or(|prefix| id.as_str().starts_with(prefix.as_str()));
        has_prefix
            && match self.selection {
                CustomerSelection::All => true,
                CustomerSelection::Problem(ProblemFilter::Any) => status.is_problem(),
                CustomerSelection::Problem(ProblemFilter::KeyRefused) => {
                    *problem == Some(SyncProblem::KeyRefused)
                }
                CustomerSelection::Problem(ProblemFilter::UnknownCustomer) => {
                    *problem == Some(SyncProblem::UnknownCustomer)
                }
                CustomerSelection::Problem(ProblemFilter::Pending) => *pending > 0,
                CustomerSelection::EndsBefore(time) => {
                    next_override_end.is_some_and(|end| end < time)
                }
            }
    }
}
