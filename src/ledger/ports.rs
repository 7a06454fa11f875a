//! What a ledger's process needs from its platform: storage, the source, the replica, time.
//!
//! A port does one operation, once. When it is called, how long the process waits for it, and what
//! happens if it fails is decided in [`process`](super::process).

use futures_util::future::LocalBoxFuture;

use super::{
    history::{HistoryEntry, HistoryQuery},
    outbox::Jitter,
    overrides::{OverrideSelection, StoredOverride},
    reconcile::{ReadPriority, SourceState},
    rules::{Dedup, Error},
    state::LedgerState,
    sync_status::{IndexMessage, SyncProblem},
};
use crate::{
    effective_set::MissingSource,
    id::{CustomerKey, EventId, Livemode, LookupKey, Timestamp, UnixMillis},
    policy::SourcePolicy,
};

/// Why a port failed, for the log.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct PortError(pub String);

/// Why a step of a ledger failed: nothing is stored, unless the transaction itself failed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum StepError {
    /// The new set would break a rule.
    #[error(transparent)]
    Rule(#[from] Error),
    /// A port failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// Why the source returned no state of a customer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SourceFailure {
    /// The cause, for the log and for callers that wait.
    pub cause: String,
    /// The problem that requires operator action, if it is one.
    pub problem: Option<SyncProblem>,
    /// The minimum delay before the next read, in milliseconds.
    pub retry_after_ms: u64,
    /// Whether the source limits the rate of requests (429).
    pub is_rate_limited: bool,
}

/// The stored data of one ledger. Calls are synchronous.
pub trait LedgerStorage {
    /// Returns whether this code may read what is stored.
    ///
    /// # Errors
    ///
    /// When the storage fails, as for all methods.
    fn may_read(&self) -> Result<bool, PortError>;

    /// Returns whether this code may change what is stored.
    ///
    /// # Errors
    ///
    /// When the storage fails.
    fn may_write(&self) -> Result<bool, PortError>;

    /// Returns the customer, or `None` if nothing is stored.
    ///
    /// # Errors
    ///
    /// When the storage fails.
    fn customer(&self) -> Result<Option<CustomerKey>, PortError>;

    /// Returns what `select` reads in the state.
    ///
    /// # Errors
    ///
    /// When the storage fails.
    fn read<T>(&self, select: impl FnOnce(&LedgerState) -> T) -> Result<T, PortError>;

    /// Returns the encoded record, or `None` if there is none.
    ///
    /// # Errors
    ///
    /// When the storage fails.
    fn read_record(&self) -> Result<Option<Vec<u8>>, PortError>;

    /// Returns the selected overrides, newest first.
    ///
    /// # Errors
    ///
    /// When the storage fails.
    fn read_overrides(
        &self,
        selection: &OverrideSelection,
    ) -> Result<Vec<StoredOverride>, PortError>;

    /// Returns up to `limit` entries of the history that match the query and are not expired. The order is
    /// that in which the query reads.
    ///
    /// # Errors
    ///
    /// When the storage fails.
    fn read_history(
        &self,
        query: &HistoryQuery,
        now: Timestamp,
    ) -> Result<Vec<HistoryEntry>, PortError>;

    /// Runs a step and stores what it changed, in one transaction, with the rows that it added. If the step fails, nothing is
    /// stored. If the transaction fails, it may have been committed.
    ///
    /// # Errors
    ///
    /// When the step or the storage fails.
    fn update<T>(
        &self,
        customer: &CustomerKey,
        step: impl FnOnce(&mut LedgerState) -> Result<T, StepError>,
    ) -> Result<T, StepError>;

    /// Runs the step of an event, as [`Self::update()`] does, and stores the event's id with it. The step
    /// receives whether the id was stored within the last [`EVENT_RETENTION`](super::EVENT_RETENTION)
    /// seconds. A duplicate must not change the state, and stores nothing.
    ///
    /// # Errors
    ///
    /// When the step or the storage fails.
    fn update_with_event<T>(
        &self,
        customer: &CustomerKey,
        event: &EventId,
        now: Timestamp,
        step: impl FnOnce(&mut LedgerState, Dedup) -> Result<T, StepError>,
    ) -> Result<T, StepError>;
}

/// The platform of one ledger.
#[expect(async_fn_in_trait, reason = "a Worker has one thread: futures need not be `Send`")]
pub trait LedgerPorts: Sized + 'static {
    /// The stored data.
    fn storage(&self) -> &impl LedgerStorage;

    /// Returns whether the source of this mode can be read.
    fn has_source(&self, livemode: Livemode) -> bool;

    /// Returns the source, and the status policy under which it is read now.
    fn source_policy(&self) -> SourcePolicy;

    /// Returns the features that every customer has.
    fn default_features(&self) -> Vec<LookupKey>;

    /// Returns what it means that there is no source set, where no source can be read.
    fn missing_source(&self) -> MissingSource;

    /// Reserves a read of the source, within the budget of the customer's mode. Returns the time of its
    /// slot, or `None` if the source has no budget.
    async fn reserve_read(
        &self,
        customer: &CustomerKey,
        priority: ReadPriority,
    ) -> Result<Option<UnixMillis>, PortError>;

    /// Reports that the source limits the rate of requests of this mode.
    async fn report_rate_limit(&self, livemode: Livemode);

    /// Reads the state of a customer at the source. The result is `None` if the source of this mode
    /// cannot be read.
    async fn read_source(
        &self,
        customer: &CustomerKey,
    ) -> Option<Result<SourceState, SourceFailure>>;

    /// Returns what it means that the source does not know the customer of a set, and what to do.
    fn not_found_advice(&self) -> NotFoundAdvice;

    /// Writes the record of the set to the replica.
    async fn write_replica(&self, customer: &CustomerKey, record: &[u8]) -> Result<(), PortError>;

    /// Sends a message to the customer index.
    async fn send_to_index(&self, message: &IndexMessage) -> Result<(), PortError>;

    /// Sends the stored changes to the subscribers that have not received them.
    fn notify_subscribers(&self);

    /// Sets the alarm, or deletes it. The effect is durable together with the last transaction, if
    /// nothing was awaited in between.
    async fn set_alarm(&self, at: Option<UnixMillis>) -> Result<(), PortError>;

    /// Runs a future to its end, even if the request that started it has ended.
    fn spawn(&self, future: LocalBoxFuture<'static, ()>);

    /// Resolves after this many milliseconds.
    fn sleep(&self, millis: u64) -> impl Future<Output = ()>;

    /// Returns the current time.
    fn now(&self) -> UnixMillis;

    /// Returns the jitter of one back-off.
    fn jitter(&self) -> Jitter;

    /// Writes a line to the log.
    fn log(&self, level: LogLevel, line: &str);
}

/// What it means that the source does not know the customer of a set.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NotFoundAdvice {
    /// The cause.
    pub cause: &'static str,
    /// What the operator should check.
    pub advice: &'static str,
}

/// The severity of a line in the log.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LogLevel {
    /// An operator may want to know it.
    Warning,
    /// Something failed.
    Error,
}
