//! What a catalog's process runs on: transactions, the alarm, ledgers, HTTP, time, tasks and the log.
//!
//! The shell implements [`CatalogPorts`] for a Durable Object, and tests implement it with a
//! simulated time and with failures. When anything runs is decided in
//! [`process`](super::process).

use futures_util::future::LocalBoxFuture;

use crate::{
    catalog::{
        deliveries::{AttemptOutcome, WebhookRequest},
        storage::StorageError,
        tx::Tx,
    },
    entitlement::Summary,
    id::UnixMillis,
};

/// The platform below the process of one catalog.
#[expect(async_fn_in_trait, reason = "a Worker has one thread: futures need not be `Send`")]
pub trait CatalogPorts: 'static {
    /// Runs `work` once, in a transaction. It is rolled back if `work` returns false, or if this code
    /// may not write the tables.
    ///
    /// # Errors
    ///
    /// When the transaction fails.
    fn transact(&self, work: &mut dyn FnMut(Tx<'_>) -> bool) -> Result<(), StorageError>;

    /// Returns whether this code may write the tables.
    ///
    /// # Errors
    ///
    /// When the storage fails.
    fn may_write(&self) -> Result<bool, StorageError>;

    /// Sets the only alarm, or deletes it. The first poll stores it: the platform commits it together
    /// with a transaction before it.
    async fn set_alarm(&self, at: Option<UnixMillis>) -> Result<(), StorageError>;

    /// Sends a webhook request. Ends after a timeout that is shorter than a lease.
    async fn send_webhook(&self, request: &WebhookRequest) -> AttemptOutcome;

    /// Applies a summary to the customer's ledger. Fails if the ledger may not have stored it.
    async fn apply_summary(&self, summary: &Summary) -> Result<(), String>;

    /// Returns the current time.
    fn now(&self) -> UnixMillis;

    /// Resolves after this many milliseconds. Other tasks run first, also for 0.
    async fn sleep(&self, millis: u64);

    /// Runs a task to its end, without waiting for it.
    fn spawn(&self, task: LocalBoxFuture<'static, ()>);

    /// Logs an error.
    fn log(&self, line: &str);
}
