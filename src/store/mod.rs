//! Where sets are kept: the ports, and how a set is found behind them.
//!
//! | port        | is                                                                     |
//! |-------------|------------------------------------------------------------------------|
//! | [`Ledger`]  | the one serialised writer per customer; what it holds is the truth     |
//! | [`Replica`] | the copy that every location reads; it may lag, and never says a no by itself |
//!
//! [`record`] is the form in which both keep a set, [`memory`] both of them for tests. What talks to
//! Durable Objects and KV is in the Workers shell. The third port of the design, the source, is not
//! here yet.

pub mod memory;
pub mod record;

use serde::{Deserialize, Serialize};

use crate::{
    entitlement::{Coverage, Entitlements, Summary, Version},
    id::{Customer, Timestamp},
    ledger::{self, Outcome},
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
    #[error("version {held} is held, and {asked} was asked for")]
    Behind {
        /// What the caller asked for.
        asked: Version,
        /// What the ledger holds.
        held: Version,
    },
}

/// What became of an event, and where the customer stands since.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Receipt {
    /// What became of it.
    pub effect: Effect,
    /// The version held since.
    pub version: Version,
}

impl Receipt {
    /// The receipt of an outcome, and the set that is to be kept, if any. `before` is the version
    /// held until now.
    #[must_use]
    pub fn of(outcome: Outcome, before: Version) -> (Self, Option<Entitlements>) {
        let (effect, set) = match outcome {
            Outcome::Changed(set) => (Effect::Applied, Some(set)),
            Outcome::Unchanged(set) => (Effect::Unchanged, Some(set)),
            Outcome::Duplicate => (Effect::Duplicate, None),
            Outcome::Stale => (Effect::Stale, None),
        };
        let version = set.as_ref().map_or(before, |set| set.version);
        (Self { effect, version }, set)
    }
}

/// What became of an event.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// The set changed.
    Applied,
    /// The set was this already.
    Unchanged,
    /// The event was applied before.
    Duplicate,
    /// Something newer was held.
    Stale,
}

/// The one serialised writer per customer.
#[expect(async_fn_in_trait, reason = "a Worker has one thread: futures need not be `Send`")]
pub trait Ledger {
    /// Applies an event by the rules of [`ledger::apply()`]. Once this answers, the effect is
    /// durable; if it fails, the event may or may not have been applied, and may be sent again.
    async fn apply(&self, summary: &Summary, now: Timestamp) -> Result<Receipt, Error>;

    /// The newest set, or none if nothing was ever heard of the customer.
    async fn load(&self, customer: &Customer) -> Result<Option<Entitlements>, Error>;
}

/// The copy that every location reads.
#[expect(async_fn_in_trait, reason = "a Worker has one thread: futures need not be `Send`")]
pub trait Replica {
    /// Replaces the copy of one customer's set. Only that customer's ledger calls this.
    async fn save(&self, customer: &Customer, set: &Entitlements) -> Result<(), Error>;

    /// The copy at hand, or none if there is none yet.
    async fn load(&self, customer: &Customer) -> Result<Option<Entitlements>, Error>;
}

/// The stores of one deployment.
pub trait Store {
    /// The truth.
    fn ledger(&self) -> &impl Ledger;
    /// The copy at hand.
    fn replica(&self) -> &impl Replica;
}

/// How new an answer has to be. By default whatever is at hand will do.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Freshness {
    /// No older version will do.
    pub at_least: Version,
    /// Where to look first.
    pub first: First,
}

/// Where a set is looked for first.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum First {
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
}

/// A customer's set, and where it was found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Found {
    /// The set, or none if nothing was ever heard of the customer.
    pub held: Option<Entitlements>,
    /// Where it was found.
    pub served_by: ServedBy,
}

/// Finds a customer's set: in the replica if that is new enough and whole, else in the ledger.
///
/// # Errors
///
/// When the ledger is needed and out of reach, or does not have the version asked for.
pub async fn find(
    store: &impl Store,
    customer: &Customer,
    freshness: Freshness,
) -> Result<Found, Error> {
    let Freshness { at_least, first } = freshness;
    // A replica that fails, lags, or knows a part only is no answer: the ledger may know more.
    if first == First::Replica
        && let Ok(Some(copy)) = store.replica().load(customer).await
        && copy.version >= at_least
        && copy.coverage == Coverage::Whole
    {
        return Ok(Found { held: Some(copy), served_by: ServedBy::Replica });
    }
    let held = store.ledger().load(customer).await?;
    let version = held.as_ref().map_or(Version::default(), |held| held.version);
    if version < at_least {
        return Err(Error::Behind { asked: at_least, held: version });
    }
    Ok(Found { held, served_by: ServedBy::Ledger })
}
