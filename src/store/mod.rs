//! Storage ports, and how a customer's set is loaded through them.
//!
//! | port              | purpose                                                                |
//! |-------------------|------------------------------------------------------------------------|
//! | [`Ledger`]        | the only writer of a customer's set: the source of truth at the edge   |
//! | [`Replica`]       | a copy readable at every location; it may lag                          |
//! | [`StripeClient`]  | the source, over a [`Transport`]; the ledger reads it                  |
//! | [`CustomerIndex`] | all known customers, their sync status, and recent decisions           |
//! | [`Coordinator`]   | the event poll of one mode, the state of all its ledgers, its features |
//! | [`CatalogClient`] | the built-in catalog as the source, over HTTP messages                 |
//! | [`Crypto`]        | public-key operations, and the client for an issuer's keys             |
//!
//! [`load()`] accepts a customer and a freshness, and returns the set and where it was found. An absent
//! replica never means "no": the ledger decides.
//!
//! [`record`] is the stored form of a set, [`record_cache`] caches records in an isolate, [`schema`] is
//! the rule which code may use stored tables, [`ledger_rows`] is what a ledger stores, and [`memory`] has
//! the stores for tests.
//!
//! Not here: Durable Objects and KV, which the Workers shell implements.

pub mod record;

pub mod record_cache;

pub mod schema;

pub mod ledger_rows;

pub mod memory;

use std::convert::Infallible;

use serde::Serialize;

use crate::{
    coordinator::CoordinatorStatus,
    customer_index::{ActivityFilter, ActivityId, ActivityPage, CustomerQuery, CustomerSyncStatus},
    effective_set::{AnswerContext, EffectiveSet, MissingSource},
    entitlement::{Entitlements, Summary, Version},
    id::{CustomerKey, Livemode, LookupKey, Timestamp},
    json::string_enum,
    ledger::{
        self, ApplyReceipt, ExplainQuery, ExplainReply, HistoryPage, HistoryQuery, OverrideReply,
        OverrideRequest, SetOrigin, WaitFor,
    },
    pagination::{PageOf, PageRequest},
    source::{StripeClient, Transport},
    token::{PublicKey, SigningKey},
};

/// Why a store did not return what was requested.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The store is unreachable or failed. A write may have taken effect.
    #[error("failed to call the {port}: {cause}")]
    Unreachable {
        /// The store.
        port: &'static str,
        /// The cause, for the log.
        cause: String,
    },
    /// The stored data cannot be decoded.
    #[error("failed to decode data of the {port}: {cause}")]
    Unreadable {
        /// The store.
        port: &'static str,
        /// The cause, for the log.
        cause: String,
    },
    /// A newer release wrote the stored data, and this code may not use it as requested.
    #[error("data of the {port} was written by a newer release")]
    NewerSchema {
        /// The store.
        port: &'static str,
    },
    /// The ledger rejected the event.
    #[error(transparent)]
    Ledger(#[from] ledger::Error),
    /// The requested version is newer than the ledger's.
    #[error("version {requested} was requested, the current version is {current}")]
    VersionNotReached {
        /// The version that the caller requested.
        requested: Version,
        /// The version of the ledger.
        current: Version,
    },
}

/// The only writer of a customer's set. Calls for one customer are serialised.
#[expect(async_fn_in_trait, reason = "a Worker has one thread: futures need not be `Send`")]
pub trait Ledger {
    /// Applies an event, by the rules of [`ledger::LedgerState::apply_event()`]. The effect is durable
    /// once this succeeds. If it fails, the event may or may not be applied, and may be sent again.
    async fn apply(&self, summary: &Summary, now: Timestamp) -> Result<ApplyReceipt, Error>;

    /// Returns the customer's record. Reads the source if the record cannot answer for these features, or
    /// for all features if the list is empty. If that read fails, returns what is known.
    async fn load(
        &self,
        customer: &CustomerKey,
        features: &[LookupKey],
    ) -> Result<LoadedSet, Error>;

    /// Reads the source now and returns the resulting set. With `wait_for`, repeats the read until the
    /// feature is granted or the time is over.
    async fn sync(
        &self,
        customer: &CustomerKey,
        wait_for: Option<&WaitFor>,
    ) -> Result<LoadedSet, Error>;

    /// Creates, updates, deletes or returns overrides. What it changed is durable once this succeeds. If it
    /// fails, the change may have taken effect.
    async fn manage_overrides(&self, request: &OverrideRequest) -> Result<OverrideReply, Error>;

    /// Returns a page of the customer's history.
    async fn list_history(&self, query: &HistoryQuery) -> Result<HistoryPage, Error>;

    /// Explains an answer. For an answer of now, reads the source as [`Self::load()`] does.
    async fn explain(&self, query: &ExplainQuery) -> Result<ExplainReply, Error>;
}

/// The copy of all sets that every location can read.
#[expect(async_fn_in_trait, reason = "a Worker has one thread: futures need not be `Send`")]
pub trait Replica {
    /// Replaces one customer's replica. Only that customer's ledger calls this.
    async fn save(&self, customer: &CustomerKey, set: &Entitlements) -> Result<(), Error>;

    /// Returns one customer's replica, or `None` if it was not written yet.
    async fn load(&self, customer: &CustomerKey) -> Result<Option<Entitlements>, Error>;
}

/// The index of known customers, their sync status, and recent decisions about them. Ledgers send
/// decisions on a best-effort basis, so entries may be missing.
#[expect(async_fn_in_trait, reason = "a Worker has one thread: futures need not be `Send`")]
pub trait CustomerIndex {
    /// Returns a page of the customers of this mode. A cursor need not be the position of a known
    /// customer.
    async fn list_customers(
        &self,
        livemode: Livemode,
        query: &CustomerQuery,
    ) -> Result<PageOf<CustomerSyncStatus>, Error>;

    /// Returns a page of the decisions of this mode, newest first. A cursor need not be the id of a
    /// stored entry.
    async fn list_activity(
        &self,
        livemode: Livemode,
        filter: &ActivityFilter,
        page: &PageRequest<ActivityId>,
    ) -> Result<ActivityPage, Error>;
}

/// The coordinators of both modes. Each call also sets the coordinator's alarm if that is lost.
#[expect(async_fn_in_trait, reason = "a Worker has one thread: futures need not be `Send`")]
pub trait Coordinator {
    /// Returns the status of one mode. The failed tasks were added up in the last minutes.
    async fn load_status(&self, livemode: Livemode) -> Result<CoordinatorStatus, Error>;

    /// Adds up the failed tasks of all customers of one mode, and returns its status.
    async fn load_fresh_status(&self, livemode: Livemode) -> Result<CoordinatorStatus, Error>;

    /// Returns the lookup keys of all features that a customer of this mode ever had, up to a limit.
    async fn list_features(&self, livemode: Livemode) -> Result<Vec<LookupKey>, Error>;

    /// Makes the event poll of one mode due at once.
    async fn poll_soon(&self, livemode: Livemode) -> Result<(), Error>;
}

/// The client for the built-in catalog.
#[expect(async_fn_in_trait, reason = "a Worker has one thread: futures need not be `Send`")]
pub trait CatalogClient {
    /// Sends a request to the catalog of one mode. The caller has authenticated the client. The effect
    /// is durable once this succeeds. If it fails, the effect is unknown.
    async fn send(
        &self,
        livemode: Livemode,
        request: &http::Request<Vec<u8>>,
    ) -> Result<http::Response<Vec<u8>>, Error>;
}

/// The client for a deployment without a catalog.
impl CatalogClient for Infallible {
    async fn send(
        &self,
        _: Livemode,
        _: &http::Request<Vec<u8>>,
    ) -> Result<http::Response<Vec<u8>>, Error> {
        match *self {}
    }
}

/// Public-key operations. The platform implements them: it is faster and smaller than any crate.
#[expect(async_fn_in_trait, reason = "a Worker has one thread: futures need not be `Send`")]
pub trait Crypto {
    /// Returns whether the key verifies the signature of the message, by the key's own algorithm.
    async fn verify(&self, key: &PublicKey, message: &str, signature: &[u8])
    -> Result<bool, Error>;

    /// Returns the key's signature of the message.
    async fn sign(&self, key: &SigningKey, message: &str) -> Result<Vec<u8>, Error>;

    /// Fetches the JWK Set of the issuer whose tokens are accepted.
    async fn fetch_jwks(&self) -> Result<Vec<u8>, Error>;
}

/// The stores and platform services of one deployment.
pub trait Store {
    /// The source of truth at the edge.
    fn ledger(&self) -> &impl Ledger;
    /// The replica at this location.
    fn replica(&self) -> &impl Replica;
    /// The index of known customers.
    fn customer_index(&self) -> &impl CustomerIndex;
    /// The coordinators of both modes.
    fn coordinator(&self) -> &impl Coordinator;
    /// The client for Stripe, if a key for that mode is configured.
    fn source(&self, livemode: Livemode) -> Option<&StripeClient<impl Transport>>;
    /// The built-in catalog, if it is the source.
    fn catalog(&self) -> Option<&impl CatalogClient>;
    /// The public-key operations.
    fn crypto(&self) -> &impl Crypto;
}

/// How recent a set must be. By default, any replica is recent enough.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Freshness {
    /// The lowest version that is accepted.
    pub at_least: Version,
    /// The store to read first.
    pub read_from: ReadFrom,
}

/// The store to read first.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum ReadFrom {
    /// The replica at this location.
    #[default]
    Replica,
    /// The ledger.
    Ledger,
}

string_enum! {
    /// The store that an answer came from.
    #[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
    pub enum ServedBy {
        /// The replica at this location.
        Replica = "replica",
        /// The ledger.
        Ledger = "ledger",
        /// The source, which was read for this answer.
        Source = "source",
        /// The record cache of the isolate.
        Memory = "memory",
    }
}

impl From<SetOrigin> for ServedBy {
    fn from(origin: SetOrigin) -> Self {
        match origin {
            SetOrigin::Ledger => Self::Ledger,
            SetOrigin::Source => Self::Source,
        }
    }
}

/// A customer's record, and where it was found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LoadedSet {
    /// The record, or `None` if there is none.
    pub entitlements: Option<Entitlements>,
    /// Where it was found.
    pub served_by: ServedBy,
    /// Whether the source was asked for what the record lacks.
    pub coverage: SourceCoverage,
}

/// What it means that a loaded record has no source set.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SourceCoverage {
    /// The source has no such customer, or there is no source to ask.
    Asked,
    /// The source was not asked.
    NotAsked,
    /// The source failed.
    Failed,
}

/// Loads a customer's record: from the replica if that decides these features and is recent enough,
/// otherwise from the ledger. The ledger reads the source if its record cannot answer for these features,
/// or for all features if the list is empty.
///
/// # Errors
///
/// When the ledger fails, or does not have the requested version.
pub async fn load(
    store: &impl Store,
    customer: &CustomerKey,
    features: &[LookupKey],
    freshness: Freshness,
    context: AnswerContext<'_>,
) -> Result<LoadedSet, Error> {
    let Freshness { at_least, read_from } = freshness;
    // A replica that fails, lags or decides too little is skipped: the ledger may have more. A version
    // counts if it was written: a start or an end that has passed since does not prove that the record has
    // what the ledger wrote before it.
    if read_from == ReadFrom::Replica
        && let Ok(Some(replica)) = store.replica().load(customer).await
        && replica.version >= at_least
        && EffectiveSet::new(Some(&replica), MissingSource::Undetermined, context)
            .can_answer(features)
    {
        return Ok(LoadedSet {
            entitlements: Some(replica),
            served_by: ServedBy::Replica,
            coverage: SourceCoverage::NotAsked,
        });
    }
    let loaded = store.ledger().load(customer, features).await?;
    let record = loaded.entitlements.as_ref();
    let current = EffectiveSet::new(record, MissingSource::Undetermined, context).version();
    if current < at_least {
        return Err(Error::VersionNotReached { requested: at_least, current });
    }
    Ok(loaded)
}
