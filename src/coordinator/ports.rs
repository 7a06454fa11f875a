//! What a coordinator needs from its platform: storage, Stripe, ledgers, the customer index, time.
//!
//! A port does one operation, once. When it is called, and what happens if it fails, is decided in
//! [`process`](super::process).

use std::collections::BTreeSet;

use serde::Serialize;

use super::{
    state::{CoordinatorState, RetryTask},
    status::Backlog,
};
use crate::{
    id::{CustomerKey, EventId, Livemode, LookupKey, Timestamp, UnixMillis},
    json::json_type,
    ledger::{ApplyReceipt, LedgerRequest, LogLevel, PortError},
    policy::GrantRule,
    source::{self, EventPage, EventQuery},
};

/// The settings of one mode.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CoordinatorSettings {
    /// The mode.
    pub livemode: Livemode,
    /// Whether this mode has any key or secret. Otherwise there is nothing to do.
    pub is_used: bool,
    /// Whether the source of this mode can be read.
    pub has_source: bool,
    /// Whether a webhook may bring events.
    pub has_webhook_secret: bool,
    /// The time between two passes of the event poll, in milliseconds; `None` if no poll runs.
    pub poll_interval: Option<u64>,
    /// The most reads of Stripe a second.
    pub rate: u32,
    /// What paused subscriptions grant, which decides the types of events.
    pub paused: GrantRule,
}

json_type! {
    /// A request to the customer index, about the customers of one mode.
    #[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
    pub struct IndexQuery {
        /// The mode.
        pub livemode: Livemode,
        /// The most customers of [`IndexReport::overdue`], which are leased.
        pub max_overdue: u32,
        /// The most customers of [`IndexReport::unread`], which are leased.
        pub max_unread: u32,
        /// A customer is unread if the source was last read before this time.
        pub read_before: UnixMillis,
    }

    /// What the customer index knows.
    #[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
    pub struct IndexReport {
        /// The failed tasks of all customers.
        pub backlog: Backlog,
        /// Keys of customers with a task that failed and is overdue by ten minutes.
        pub overdue: Vec<String>,
        /// Keys of customers that are unread and not leased, oldest first.
        pub unread: Vec<String>,
        /// How many customers are unread, leased or not, if any were requested.
        pub unread_count: u32,
    }
}

impl IndexReport {
    /// Whether no task has failed, and no ledger must be woken.
    pub(super) fn is_quiet(&self) -> bool {
        let Self { backlog: Backlog { pending, problem, .. }, overdue, unread_count, .. } = self;
        *pending == 0 && problem.is_none() && overdue.is_empty() && *unread_count == 0
    }
}

/// The stored data of one coordinator. Calls are synchronous, and calls without an await between them
/// are stored together.
pub trait CoordinatorStorage {
    /// Returns whether this code may change what is stored.
    ///
    /// # Errors
    ///
    /// When the storage fails, as for all methods.
    fn may_write(&self) -> Result<bool, PortError>;

    /// Returns what `select` reads in the state. A state that is missing is the default. One that cannot
    /// be decoded is the default with a gap.
    ///
    /// # Errors
    ///
    /// When the storage fails.
    fn read<T>(&self, select: impl FnOnce(&CoordinatorState) -> T) -> Result<T, PortError>;

    /// Changes the state.
    ///
    /// # Errors
    ///
    /// When the storage fails.
    fn update<T>(&self, step: impl FnOnce(&mut CoordinatorState) -> T) -> Result<T, PortError>;

    /// Returns whether an event is known.
    ///
    /// # Errors
    ///
    /// When the storage fails.
    fn has_event(&self, event: &EventId) -> Result<bool, PortError>;

    /// Stores the id of an event.
    ///
    /// # Errors
    ///
    /// When the storage fails.
    fn record_event(&self, event: &EventId, created: Timestamp) -> Result<(), PortError>;

    /// Deletes the ids of events that were created before this time.
    ///
    /// # Errors
    ///
    /// When the storage fails.
    fn purge_events(&self, before: Timestamp) -> Result<(), PortError>;

    /// Returns the tasks that are due, at most `limit` of them, oldest first.
    ///
    /// # Errors
    ///
    /// When the storage fails.
    fn due_retries(&self, limit: u32, now: UnixMillis) -> Result<Vec<RetryTask>, PortError>;

    /// Returns how many tasks there are, and when the next one is due.
    ///
    /// # Errors
    ///
    /// When the storage fails.
    fn retries(&self) -> Result<(u32, Option<UnixMillis>), PortError>;

    /// Stores a task, in place of one with the same event.
    ///
    /// # Errors
    ///
    /// When the storage fails.
    fn put_retry(&self, task: &RetryTask) -> Result<(), PortError>;

    /// Returns the features that were observed.
    ///
    /// # Errors
    ///
    /// When the storage fails.
    fn features(&self) -> Result<BTreeSet<LookupKey>, PortError>;

    /// Stores a feature.
    ///
    /// # Errors
    ///
    /// When the storage fails.
    fn add_feature(&self, feature: &LookupKey) -> Result<(), PortError>;

    /// Deletes the task of an event.
    ///
    /// # Errors
    ///
    /// When the storage fails.
    fn delete_retry(&self, event: &EventId) -> Result<(), PortError>;
}

/// The platform of one coordinator.
#[expect(async_fn_in_trait, reason = "a Worker has one thread: futures need not be `Send`")]
pub trait CoordinatorPorts {
    /// The stored data.
    fn storage(&self) -> &impl CoordinatorStorage;

    /// Returns the settings.
    ///
    /// # Errors
    ///
    /// When a setting is malformed.
    fn settings(&self) -> Result<CoordinatorSettings, PortError>;

    /// Lists events of the account with one request.
    async fn list_events(&self, query: EventQuery<'_>) -> Result<EventPage, source::Error>;

    /// Sends an event to the ledger of its customer.
    async fn send_event(
        &self,
        customer: &CustomerKey,
        request: &LedgerRequest,
    ) -> Result<ApplyReceipt, PortError>;

    /// Compares a customer's set with the source.
    async fn reconcile(&self, customer: &CustomerKey) -> Result<(), PortError>;

    /// Sets the alarm of a customer's ledger again, if it has pending tasks and no alarm.
    async fn rearm(&self, customer: &CustomerKey) -> Result<(), PortError>;

    /// Asks the customer index.
    async fn query_index(&self, request: IndexQuery) -> Result<IndexReport, PortError>;

    /// Returns when the alarm goes off. While it is handled, there is none.
    async fn alarm(&self) -> Result<Option<UnixMillis>, PortError>;

    /// Sets the only alarm.
    async fn set_alarm(&self, at: UnixMillis) -> Result<(), PortError>;

    /// Resolves after this many milliseconds.
    async fn sleep(&self, millis: u64);

    /// Returns the current time.
    fn now(&self) -> UnixMillis;

    /// Writes a line to the log.
    fn log(&self, level: LogLevel, line: &str);
}
