//! The stores in memory, for tests: they keep what a test looks at, and fail when it says so.
//!
//! A store fails in two ways that look alike from outside: before the write, and after it. Tests
//! queue a [`Fault`] for the next call of either kind. Nothing here outlives the process.

mod journal;
mod roster;

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, HashMap, VecDeque},
    fmt,
};

pub use self::{journal::MemoryJournal, roster::MemoryRoster};
use super::{
    Catalog, Crypto, Error, Found, Journal, Ledger, Replica, Roster, ServedBy, Store, Until,
};
use crate::{
    entitlement::{Entitlements, Summary},
    id::{Customer, EventId, Livemode, LookupKey, Millis, Timestamp},
    ledger::{Account, Activity, EVENT_MEMORY, Finding, List, Occasion, Receipt, Sighting},
    source::{self, Stripe, Transport as _},
    token::{PublicKey, SigningKey},
};

/// How the next call of a store fails.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// Nothing is done, and an error answered.
    Before,
    /// The work is done, and an error answered.
    After,
}

/// A ledger, its replica, its roster and its journal in memory, and a catalog if there is one.
#[derive(Debug, Default)]
pub struct Memory {
    /// The truth.
    pub ledger: MemoryLedger,
    /// The copy. Nothing writes it but a test, through [`Memory::replicate()`] or itself.
    pub replica: MemoryReplica,
    /// The overview. Nothing writes it but a test, through [`Memory::replicate()`] or itself.
    pub roster: MemoryRoster,
    /// What was decided. Nothing writes it but a test, through [`Memory::replicate()`] or itself.
    pub journal: MemoryJournal,
    /// The source, if it is kept here.
    pub catalog: Option<MemoryCatalog>,
    /// What is done with public keys.
    pub crypto: MemoryCrypto,
}

/// A ledger in memory.
#[derive(Debug, Default)]
pub struct MemoryLedger {
    /// The source, if there is one.
    pub source: Option<Stripe<source::memory::Memory>>,
    customers: RefCell<HashMap<Customer, Row>>,
    decided: RefCell<Vec<(Customer, Activity)>>,
    faults: RefCell<VecDeque<Fault>>,
}

/// A catalog in memory: whoever answers for it. What it is made of stands above the stores, so that
/// a test puts it together.
pub struct MemoryCatalog {
    answer: Box<Answer>,
    faults: RefCell<VecDeque<Fault>>,
}

/// Public keys without their arithmetic: a signature is the key's name and the message. What the real
/// one is, is shown where the platform is.
#[derive(Debug, Default)]
pub struct MemoryCrypto {
    /// What the issuer answers.
    pub issuers_keys: RefCell<String>,
    /// How often it was asked.
    pub asked: Cell<u32>,
    faults: RefCell<VecDeque<Fault>>,
}

/// What a request to the catalog of one mode comes to.
type Answer = dyn Fn(Livemode, &http::Request<Vec<u8>>) -> http::Response<Vec<u8>>;

/// A replica in memory.
#[derive(Debug, Default)]
pub struct MemoryReplica {
    copies: RefCell<HashMap<Customer, Entitlements>>,
    faults: RefCell<VecDeque<Fault>>,
}

#[derive(Debug, Default)]
struct Row {
    account: Account,
    seen: BTreeMap<EventId, Timestamp>,
}

impl Memory {
    /// Copies what the ledger holds into the replica, tells the roster where everybody stands, as the
    /// outbox does in time, and the journal what was decided.
    pub fn replicate(&self) {
        let mut customers = self.ledger.customers.borrow_mut();
        for (customer, row) in customers.iter_mut() {
            if let Some(report) = row.account.reporting() {
                row.account.reported(&report, Millis::default());
                self.roster.note(customer, report);
            }
        }
        let sets = customers.iter().filter_map(|(customer, row)| {
            row.account.held.as_ref().map(|held| (customer.clone(), held.clone()))
        });
        self.replica.copies.borrow_mut().extend(sets);
        for (customer, activity) in self.ledger.decided.take() {
            self.journal.note(&customer, activity);
        }
    }
}

impl MemoryLedger {
    /// Lets the next call fail.
    pub fn fail_next(&self, fault: Fault) {
        self.faults.borrow_mut().push_back(fault);
    }
}

impl MemoryReplica {
    /// Lets the next call fail.
    pub fn fail_next(&self, fault: Fault) {
        self.faults.borrow_mut().push_back(fault);
    }
}

impl MemoryCatalog {
    /// A catalog for which this answers.
    #[must_use]
    pub fn new(
        answer: impl Fn(Livemode, &http::Request<Vec<u8>>) -> http::Response<Vec<u8>> + 'static,
    ) -> Self {
        Self { answer: Box::new(answer), faults: RefCell::default() }
    }

    /// Lets the next call fail.
    pub fn fail_next(&self, fault: Fault) {
        self.faults.borrow_mut().push_back(fault);
    }
}

impl MemoryCrypto {
    /// Lets the next call fail.
    pub fn fail_next(&self, fault: Fault) {
        self.faults.borrow_mut().push_back(fault);
    }

    /// What a key of this name signs a message with.
    #[must_use]
    pub fn signature(kid: &str, message: &str) -> Vec<u8> {
        format!("{kid} {message}").into_bytes()
    }
}

impl Crypto for MemoryCrypto {
    async fn verify(
        &self,
        key: &PublicKey,
        message: &str,
        signature: &[u8],
    ) -> Result<bool, Error> {
        let kid = key.kid.as_deref().unwrap_or_default();
        faulty(&self.faults, "crypto", || Ok(Self::signature(kid, message) == signature))
    }

    async fn sign(&self, key: &SigningKey, message: &str) -> Result<Vec<u8>, Error> {
        faulty(&self.faults, "crypto", || Ok(Self::signature(key.kid(), message)))
    }

    async fn issuers_keys(&self) -> Result<Vec<u8>, Error> {
        self.asked.set(self.asked.get().saturating_add(1));
        faulty(&self.faults, "issuer", || Ok(self.issuers_keys.borrow().clone().into_bytes()))
    }
}

impl fmt::Debug for MemoryCatalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryCatalog").field("faults", &self.faults).finish_non_exhaustive()
    }
}

impl Store for Memory {
    fn ledger(&self) -> &impl Ledger {
        &self.ledger
    }

    fn replica(&self) -> &impl Replica {
        &self.replica
    }

    fn roster(&self) -> &impl Roster {
        &self.roster
    }

    fn journal(&self) -> &impl Journal {
        &self.journal
    }

    fn source(&self, _: Livemode) -> Option<&Stripe<impl source::Transport>> {
        self.ledger.source.as_ref()
    }

    fn catalog(&self) -> Option<&impl Catalog> {
        self.catalog.as_ref()
    }

    fn crypto(&self) -> &impl Crypto {
        &self.crypto
    }
}

impl Catalog for MemoryCatalog {
    async fn ask(
        &self,
        livemode: Livemode,
        request: &http::Request<Vec<u8>>,
    ) -> Result<http::Response<Vec<u8>>, Error> {
        faulty(&self.faults, "catalog", || Ok((self.answer)(livemode, request)))
    }
}

impl Ledger for MemoryLedger {
    async fn apply(&self, summary: &Summary, now: Timestamp) -> Result<Receipt, Error> {
        faulty(&self.faults, "ledger", || {
            let mut customers = self.customers.borrow_mut();
            let row = customers.entry(summary.customer.clone()).or_default();
            row.seen.retain(|_, seen| now.0.saturating_sub(seen.0) <= EVENT_MEMORY);
            let sighting = if row.seen.contains_key(&summary.event) {
                Sighting::Repeated
            } else {
                Sighting::First
            };
            let list = if self.source.is_some() { List::Confirms } else { List::Absent };
            let receipt = row.account.receive(summary, sighting, list, Millis::from(now))?;
            row.seen.entry(summary.event.clone()).or_insert(now);
            let activity = Activity::of(summary, receipt, Millis::from(now));
            self.decided.borrow_mut().push((summary.customer.clone(), activity));
            Ok(receipt)
        })
    }

    async fn find(&self, customer: &Customer, features: &[LookupKey]) -> Result<Found, Error> {
        faulty(&self.faults, "ledger", || Ok(()))?;
        let held = self.held(customer);
        let known = held.as_ref().is_some_and(|held| held.decides(features));
        if known || self.source.is_none() {
            return Ok(Found { held, served_by: ServedBy::Ledger });
        }
        match self.sync(customer, None).await {
            Err(_) if held.is_some() => Ok(Found { held, served_by: ServedBy::Ledger }),
            found => found,
        }
    }

    async fn sync(&self, customer: &Customer, _: Option<&Until>) -> Result<Found, Error> {
        let unreachable = |cause: String| Error::Unreachable { port: "source", cause };
        let Some(stripe) = &self.source else { return Err(unreachable("no key".to_owned())) };
        let told =
            stripe.told(&customer.id).await.map_err(|error| unreachable(error.to_string()))?;
        let mut customers = self.customers.borrow_mut();
        let mut account =
            customers.get(customer).map_or_else(Account::default, |row| row.account.clone());
        let now = stripe.transport().now();
        let finding = account.told(account.reading(), Occasion::Ask, &told, now)?;
        if finding == Finding::Doubtful {
            return Err(unreachable("Stripe knows no such customer".to_owned()));
        }
        let activity = Activity::found(&finding, account.version(), now);
        self.decided.borrow_mut().extend(activity.map(|activity| (customer.clone(), activity)));
        let held = account.held.clone();
        // Nobody is nobody's row.
        if held.is_some() {
            customers.entry(customer.clone()).or_default().account = account;
        }
        Ok(Found { held, served_by: ServedBy::Source })
    }
}

impl MemoryLedger {
    fn held(&self, customer: &Customer) -> Option<Entitlements> {
        self.customers.borrow().get(customer).and_then(|row| row.account.held.clone())
    }
}

impl MemoryReplica {
    /// The copy of one customer's set; none while the replica is told to fail.
    #[must_use]
    pub fn copy(&self, customer: &Customer) -> Option<Entitlements> {
        if self.faults.borrow().is_empty() {
            self.copies.borrow().get(customer).cloned()
        } else {
            None
        }
    }
}

impl Replica for MemoryReplica {
    async fn save(&self, customer: &Customer, set: &Entitlements) -> Result<(), Error> {
        faulty(&self.faults, "replica", || {
            self.copies.borrow_mut().insert(customer.clone(), set.clone());
            Ok(())
        })
    }

    async fn load(&self, customer: &Customer) -> Result<Option<Entitlements>, Error> {
        faulty(&self.faults, "replica", || Ok(self.copies.borrow().get(customer).cloned()))
    }
}

fn faulty<T>(
    faults: &RefCell<VecDeque<Fault>>,
    port: &'static str,
    work: impl FnOnce() -> Result<T, Error>,
) -> Result<T, Error> {
    let failure = |cause: &str| Error::Unreachable { port, cause: cause.to_owned() };
    let fault = faults.borrow_mut().pop_front();
    match fault {
        None => work(),
        Some(Fault::Before) => Err(failure("told to fail before the work")),
        Some(Fault::After) => {
            work()?;
            Err(failure("told to fail after the work"))
        }
    }
}
