//! Where sets are kept: the ports, and how a set is found behind them.
//!
//! | port        | is                                                                     |
//! |-------------|------------------------------------------------------------------------|
//! | [`Ledger`]  | the one serialised writer per customer; what it holds is the truth     |
//! | [`Replica`] | the copy that every location reads; it may lag, and never says a no by itself |
//! | [`Stripe`]  | the source, over a [`Transport`]; the ledger reads it, and it alone knows some things |
//! | [`Roster`]  | who there is, where each of them stands, and what any of them ever held |
//! | [`Journal`] | what was decided lately, for people to look at                         |
//! | [`Catalog`] | the source, if it is kept here: whatever may be asked of it, in HTTP's form |
//! | [`Crypto`]  | what is done with public keys, and the way to those of an issuer       |
//!
//! [`record`] is the form in which a set is kept, [`columns`] what is listed of it as it stands there,
//! [`recent`] what was read a moment ago, [`part`] what is read of a list, [`memory`] the stores for
//! tests. What talks to Durable Objects and KV is in the Workers shell.

pub mod ledger_request;
pub mod memory;
pub mod pagination;
pub mod record;
pub mod record_cache;

use std::convert::Infallible;

use serde::Serialize;

use self::pagination::{PageOf, PageRequest};
use crate::{
    entitlement::{Completeness, Entitlements, Summary, Version},
    id::{ActivityId, CustomerId, CustomerKey, Livemode, LookupKey, Timestamp, UnixMillis},
    json::impl_from_json,
    ledger::{self, Activity, ApplyReceipt, SyncProblem, SyncStatus},
    source::{StripeClient, Transport},
    token::{PublicKey, SigningKey},
};

/// Why a store did not answer, or not what was asked for.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The store could not be reached, or failed. Whether a write was done is not known.
    #[error("the {port} is out of reach: {cause}")]
    Unreachable {
        /// Which store.
        port: &'static str,
        /// What it said, for the log.
        cause: String,
    },
    /// What is stored cannot be read.
    #[error("the {port} holds a record that cannot be read: {cause}")]
    Unreadable {
        /// Which store.
        port: &'static str,
        /// What is wrong with the record, for the log.
        cause: String,
    },
    /// The event does not fit.
    #[error(transparent)]
    Ledger(#[from] ledger::Error),
    /// The caller knows of a version that the ledger does not have.
    #[error("version {current} is current, and {requested} was requested")]
    VersionNotReached {
        /// What the caller asked for.
        requested: Version,
        /// What the ledger holds.
        current: Version,
    },
}

/// The one serialised writer per customer.
#[expect(async_fn_in_trait, reason = "a Worker has one thread: futures need not be `Send`")]
pub trait Ledger {
    /// Takes an event in, by the rules of [`ledger::Account::receive()`]. Once this answers, the
    /// effect is durable; if it fails, the event may or may not have been taken in, and may be sent
    /// again.
    async fn apply(&self, summary: &Summary, now: Timestamp) -> Result<ApplyReceipt, Error>;

    /// What the customer holds. Where that does not decide about these features (about all, if none
    /// is named), the source is asked; should that fail, a part is the answer.
    async fn load(
        &self,
        customer: &CustomerKey,
        features: &[LookupKey],
    ) -> Result<LoadedSet, Error>;

    /// What the customer holds by the source's list, read now, and again until it is as `until`
    /// wants it or the time is up.
    async fn sync(
        &self,
        customer: &CustomerKey,
        until: Option<&WaitFor>,
    ) -> Result<LoadedSet, Error>;
}

/// What a caller waits for.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct WaitFor {
    /// The feature that is to be granted.
    pub feature: LookupKey,
    /// For how many seconds at most.
    pub max_seconds: u32,
}

impl_from_json! { struct WaitFor { feature, max_seconds } }

/// The copy that every location reads.
#[expect(async_fn_in_trait, reason = "a Worker has one thread: futures need not be `Send`")]
pub trait Replica {
    /// Replaces the copy of one customer's set. Only that customer's ledger calls this.
    async fn save(&self, customer: &CustomerKey, set: &Entitlements) -> Result<(), Error>;

    /// The copy at hand, or none if there is none yet.
    async fn load(&self, customer: &CustomerKey) -> Result<Option<Entitlements>, Error>;
}

/// Who there is, and where each of them stands.
#[expect(async_fn_in_trait, reason = "a Worker has one thread: futures need not be `Send`")]
pub trait CustomerIndex {
    /// What is owed, over all customers.
    async fn load_backlog(&self) -> Result<Backlog, Error>;

    /// The lookup keys of the features that anybody of this mode ever held, as far as there is room.
    async fn list_features(&self, livemode: Livemode) -> Result<Vec<LookupKey>, Error>;

    /// A part of the customers of this mode, in the order of their ids; where a prefix is given, of
    /// those whose ids begin with it. A cursor need not be anybody's id.
    async fn list_customers(
        &self,
        livemode: Livemode,
        prefix: Option<&CustomerId>,
        part: &PageRequest<CustomerId>,
    ) -> Result<PageOf<CustomerSyncStatus>, Error>;
}

/// A customer whom the roster knows.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct CustomerSyncStatus {
    /// Who it is.
    pub id: CustomerId,
    /// Where the customer stands, by the last report.
    pub status: SyncStatus,
}

impl_from_json! { struct CustomerSyncStatus { id, status } }

/// What was decided lately, for people to look at. Customers' ledgers tell it, and owe it nothing: what
/// it did not hear of is not in it, and what it holds proves nothing.
#[expect(async_fn_in_trait, reason = "a Worker has one thread: futures need not be `Send`")]
pub trait ActivityLog {
    /// A part of the last [`ledger::ACTIVITY_MEMORY`] decisions of this mode, newest first; where a
    /// customer is given, of those about this one. A cursor need not be an entry that is remembered.
    async fn list(
        &self,
        livemode: Livemode,
        customer: Option<&CustomerId>,
        part: &PageRequest<ActivityId>,
    ) -> Result<ActivityPage, Error>;
}

/// What is read of the journal at once.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct ActivityPage {
    /// The part that was asked for.
    pub entries: PageOf<ActivityEntry>,
    /// The newest entry of the whole mode, if there is one: no later one was ever told to anybody.
    pub newest: Option<ActivityId>,
}

impl_from_json! { struct ActivityPage { entries, newest } }

/// An entry of the journal.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct ActivityEntry {
    /// Its place: later entries have higher ones.
    pub id: ActivityId,
    /// Whose set was decided about.
    pub customer: CustomerId,
    /// What was decided.
    pub activity: Activity,
}

impl_from_json! { struct ActivityEntry { id, customer, activity } }

/// What is owed, over all customers.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Backlog {
    /// How many debts were tried in vain.
    pub pending: u32,
    /// Since when the oldest of them is owed.
    pub pending_since: Option<UnixMillis>,
    /// What the operator has to see to.
    pub problem: Option<SyncProblem>,
}

impl_from_json! { struct Backlog { pending, pending_since, problem } }

/// The source, kept in this deployment itself.
#[expect(async_fn_in_trait, reason = "a Worker has one thread: futures need not be `Send`")]
pub trait CatalogClient {
    /// Answers a request by the catalog of one mode. Who asks has been seen to. Once this answers,
    /// what was asked for is durable; if it fails, it may or may not have been done.
    async fn send(
        &self,
        livemode: Livemode,
        request: &http::Request<Vec<u8>>,
    ) -> Result<http::Response<Vec<u8>>, Error>;
}

/// A catalog where there can be none.
impl CatalogClient for Infallible {
    async fn send(
        &self,
        _: Livemode,
        _: &http::Request<Vec<u8>>,
    ) -> Result<http::Response<Vec<u8>>, Error> {
        match *self {}
    }
}

/// What is done with public keys: the platform's, which is faster at it and smaller than any crate.
#[expect(async_fn_in_trait, reason = "a Worker has one thread: futures need not be `Send`")]
pub trait Crypto {
    /// Whether the key made the signature over the message, by the key's own algorithm.
    async fn verify(&self, key: &PublicKey, message: &str, signature: &[u8])
    -> Result<bool, Error>;

    /// The key's signature over the message.
    async fn sign(&self, key: &SigningKey, message: &str) -> Result<Vec<u8>, Error>;

    /// The keys of the issuer whose tokens are taken: a JWK Set, as it answers it.
    async fn fetch_jwks(&self) -> Result<Vec<u8>, Error>;
}

/// The stores of one deployment, and what else the platform has to do.
pub trait Store {
    /// The truth.
    fn ledger(&self) -> &impl Ledger;
    /// The copy at hand.
    fn replica(&self) -> &impl Replica;
    /// Who there is.
    fn customer_index(&self) -> &impl CustomerIndex;
    /// What was decided lately.
    fn activity_log(&self) -> &impl ActivityLog;
    /// Where the truth comes from, if it can be read in that mode.
    fn source(&self, livemode: Livemode) -> Option<&StripeClient<impl Transport>>;
    /// The source itself, if it is kept here.
    fn catalog(&self) -> Option<&impl CatalogClient>;
    /// What is done with public keys.
    fn crypto(&self) -> &impl Crypto;
}

/// How new an answer has to be. By default whatever is at hand will do.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Freshness {
    /// No older version will do.
    pub at_least: Version,
    /// Where to look first.
    pub read_from: ReadFrom,
}

/// Where a set is looked for first.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum ReadFrom {
    /// In the copy at hand.
    #[default]
    Replica,
    /// In the truth.
    Ledger,
}

/// Which store an answer came from.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ServedBy {
    /// The copy at hand.
    Replica,
    /// The truth.
    Ledger,
    /// The source, read for this answer.
    Source,
    /// The copy, read a moment ago for another answer.
    Memory,
}

impl_from_json! {
    enum ServedBy {
        Replica = "replica", Ledger = "ledger", Source = "source", Memory = "memory",
    }
}

impl ServedBy {
    /// Its name in answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Replica => "replica",
            Self::Ledger => "ledger",
            Self::Source => "source",
            Self::Memory => "memory",
        }
    }
}

/// A customer's set, and where it was found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LoadedSet {
    /// The set, or none if nobody knows the customer.
    pub entitlements: Option<Entitlements>,
    /// Where it was found.
    pub served_by: ServedBy,
}

/// Finds a customer's set: in the replica if that is new enough and whole, else in the ledger, and
/// through the ledger at the source where that does not decide about these features (about all, if
/// none is named).
///
/// # Errors
///
/// When the ledger is needed and out of reach, or does not have the version asked for.
pub async fn load(
    store: &impl Store,
    customer: &CustomerKey,
    features: &[LookupKey],
    freshness: Freshness,
) -> Result<LoadedSet, Error> {
    let Freshness { at_least, read_from: first } = freshness;
    // A replica that fails, lags, or knows a part only is no answer: the ledger may know more.
    if first == ReadFrom::Replica
        && let Ok(Some(copy)) = store.replica().load(customer).await
        && copy.version >= at_least
        && copy.completeness == Completeness::Complete
    {
        return Ok(LoadedSet { entitlements: Some(copy), served_by: ServedBy::Replica });
    }
    let found = store.ledger().load(customer, features).await?;
    let version = found.entitlements.as_ref().map_or(Version::default(), |held| held.version);
    if version < at_least {
        return Err(Error::VersionNotReached { requested: at_least, current: version });
    }
    Ok(found)
}
