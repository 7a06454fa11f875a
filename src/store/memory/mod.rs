//! The stores in memory, for tests: they keep what a test looks at, and fail when it says so.
//!
//! A store fails in two ways that look alike from outside: before the write, and after it. Tests
//! queue a [`Fault`] for the next call of either kind. Nothing here outlives the process.

mod activity_log;
mod customer_index;

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, HashMap, VecDeque},
    fmt,
};

pub use self::{activity_log::MemoryActivityLog, customer_index::MemoryCustomerIndex};
use super::{
    ActivityLog, CatalogClient, Crypto, CustomerIndex, Error, Ledger, LoadedSet, Replica, ServedBy,
    Store, WaitFor,
};
use crate::{
    entitlement::{Entitlements, Summary},
    id::{CustomerKey, EventId, Livemode, LookupKey, Timestamp, UnixMillis},
    ledger::{
        Activity, ApplyReceipt, Dedup, EVENT_RETENTION, LedgerState, ReadReason, Reconciliation,
        SourceAccess,
    },
    source::{self, StripeClient, Transport as _},
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
pub struct MemoryStore {
    /// The truth.
    pub ledger: MemoryLedger,
    /// The copy. Nothing writes it but a test, through [`Memory::replicate()`] or itself.
    pub replica: MemoryReplica,
    /// The overview. Nothing writes it but a test, through [`Memory::replicate()`] or itself.
    pub customer_index: MemoryCustomerIndex,
    /// What was decided. Nothing writes it but a test, through [`Memory::replicate()`] or itself.
    pub activity_log: MemoryActivityLog,
    /// The source, if it is kept here.
    pub catalog: Option<MemoryCatalog>,
    /// What is done with public keys.
    pub crypto: MemoryCrypto,
}

/// A ledger in memory.
#[derive(Debug, Default)]
pub struct MemoryLedger {
    /// The source, if there is one.
    pub source: Option<StripeClient<source::fake::FakeStripe>>,
    customers: RefCell<HashMap<CustomerKey, CustomerRow>>,
    activities: RefCell<Vec<(CustomerKey, Activity)>>,
    faults: RefCell<VecDeque<Fault>>,
}

/// A catalog in memory: whoever answers for it. What it is made of stands above the stores, so that
/// a test puts it together.
pub struct MemoryCatalog {
    handler: Box<RequestHandler>,
    faults: RefCell<VecDeque<Fault>>,
}

/// Public keys without their arithmetic: a signature is the key's name and the message. What the real
/// one is, is shown where the platform is.
#[derive(Debug, Default)]
pub struct MemoryCrypto {
    /// What the issuer answers.
    pub jwks: RefCell<String>,
    /// How often it was asked.
    pub calls: Cell<u32>,
    faults: RefCell<VecDeque<Fault>>,
}

/// What a request to the catalog of one mode comes to.
type RequestHandler = dyn Fn(Livemode, &http::Request<Vec<u8>>) -> http::Response<Vec<u8>>;

/// A replica in memory.
#[derive(Debug, Default)]
pub struct MemoryReplica {
    sets: RefCell<HashMap<CustomerKey, Entitlements>>,
    faults: RefCell<VecDeque<Fault>>,
}

#[derive(Debug, Default)]
struct CustomerRow {
    state: LedgerState,
    events: BTreeMap<EventId, Timestamp>,
}

impl MemoryStore {
    /// Copies what the ledger holds into the replica, tells the roster where everybody stands, as the
    /// outbox does in time, and the journal what was decided.
    pub fn replicate(&self) {
        let mut customers = self.ledger.customers.borrow_mut();
        for (customer, row) in customers.iter_mut() {
            if let Some(report) = row.state.begin_report() {
                row.state.report_succeeded(&report, UnixMillis::default());
                self.customer_index.record(customer, report);
            }
        }
        let sets = customers.iter().filter_map(|(customer, row)| {
            row.state.entitlements.as_ref().map(|held| (customer.clone(), held.clone()))
        });
        self.replica.sets.borrow_mut().extend(sets);
        for (customer, activity) in self.ledger.activities.take() {
            self.activity_log.record(&customer, activity);
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
        Self { handler: Box::new(answer), faults: RefCell::default() }
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
    pub fn fake_signature(kid: &str, message: &str) -> Vec<u8> {
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
        with_fault(&self.faults, "crypto", || Ok(Self::fake_signature(kid, message) == signature))
    }

    async fn sign(&self, key: &SigningKey, message: &str) -> Result<Vec<u8>, Error> {
        with_fault(&self.faults, "crypto", || Ok(Self::fake_signature(key.kid(), message)))
    }

    async fn fetch_jwks(&self) -> Result<Vec<u8>, Error> {
        self.calls.set(self.calls.get().saturating_add(1));
        with_fault(&self.faults, "issuer", || Ok(self.jwks.borrow().clone().into_bytes()))
    }
}

impl fmt::Debug for MemoryCatalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryCatalog").field("faults", &self.faults).finish_non_exhaustive()
    }
}

impl Store for MemoryStore {
    fn ledger(&self) -> &impl Ledger {
        &self.ledger
    }

    fn replica(&self) -> &impl Replica {
        &self.replica
    }

    fn customer_index(&self) -> &impl CustomerIndex {
        &self.customer_index
    }

    fn activity_log(&self) -> &impl ActivityLog {
        &self.activity_log
    }

    fn source(&self, _: Livemode) -> Option<&StripeClient<impl source::Transport>> {
        self.ledger.source.as_ref()
    }

    fn catalog(&self) -> Option<&impl CatalogClient> {
        self.catalog.as_ref()
    }

    fn crypto(&self) -> &impl Crypto {
        &self.crypto
    }
}

impl CatalogClient for MemoryCatalog {
    async fn send(
        &self,
        livemode: Livemode,
        request: &http::Request<Vec<u8>>,
    ) -> Result<http::Response<Vec<u8>>, Error> {
        with_fault(&self.faults, "catalog", || Ok((self.handler)(livemode, request)))
    }
}

impl Ledger for MemoryLedger {
    async fn apply(&self, summary: &Summary, now: Timestamp) -> Result<ApplyReceipt, Error> {
        with_fault(&self.faults, "ledger", || {
            let mut customers = self.customers.borrow_mut();
            let row = customers.entry(summary.customer.clone()).or_default();
            row.events.retain(|_, seen| now.0.saturating_sub(seen.0) <= EVENT_RETENTION);
            let sighting =
                if row.events.contains_key(&summary.event) { Dedup::Duplicate } else { Dedup::New };
            let list =
                if self.source.is_some() { SourceAccess::Available } else { SourceAccess::None };
            let receipt = row.state.apply_event(summary, sighting, list, UnixMillis::from(now))?;
            row.events.entry(summary.event.clone()).or_insert(now);
            let activity = Activity::from_event(summary, receipt, UnixMillis::from(now));
            self.activities.borrow_mut().push((summary.customer.clone(), activity));
            Ok(receipt)
        })
    }

    async fn load(
        &self,
        customer: &CustomerKey,
        features: &[LookupKey],
    ) -> Result<LoadedSet, Error> {
        with_fault(&self.faults, "ledger", || Ok(()))?;
        let held = self.entitlements(customer);
        let known = held.as_ref().is_some_and(|held| held.can_answer(features));
        if known || self.source.is_none() {
            return Ok(LoadedSet { entitlements: held, served_by: ServedBy::Ledger });
        }
        match self.sync(customer, None).await {
            Err(_) if held.is_some() => {
                Ok(LoadedSet { entitlements: held, served_by: ServedBy::Ledger })
            }
            found => found,
        }
    }

    async fn sync(&self, customer: &CustomerKey, _: Option<&WaitFor>) -> Result<LoadedSet, Error> {
        let unreachable = |cause: String| Error::Unreachable { port: "source", cause };
        let Some(stripe) = &self.source else { return Err(unreachable("no key".to_owned())) };
        let told = stripe
            .list_entitlements(&customer.id)
            .await
            .map_err(|error| unreachable(error.to_string()))?;
        let mut customers = self.customers.borrow_mut();
        let mut account =
            customers.get(customer).map_or_else(LedgerState::default, |row| row.state.clone());
        let now = stripe.transport().now();
        let finding = account.apply_source_list(
            account.begin_source_read(),
            ReadReason::OnDemand,
            &told,
            now,
        )?;
        if finding == Reconciliation::NotFoundAtSource {
            return Err(unreachable("Stripe knows no such customer".to_owned()));
        }
        let activity = Activity::from_reconciliation(&finding, account.version(), now);
        self.activities.borrow_mut().extend(activity.map(|activity| (customer.clone(), activity)));
        let held = account.entitlements.clone();
        // Nobody is nobody's row.
        if held.is_some() {
            customers.entry(customer.clone()).or_default().state = account;
        }
        Ok(LoadedSet { entitlements: held, served_by: ServedBy::Source })
    }
}

impl MemoryLedger {
    fn entitlements(&self, customer: &CustomerKey) -> Option<Entitlements> {
        self.customers.borrow().get(customer).and_then(|row| row.state.entitlements.clone())
    }
}

impl MemoryReplica {
    /// The copy of one customer's set; none while the replica is told to fail.
    #[must_use]
    pub fn stored_set(&self, customer: &CustomerKey) -> Option<Entitlements> {
        if self.faults.borrow().is_empty() {
            self.sets.borrow().get(customer).cloned()
        } else {
            None
        }
    }
}

impl Replica for MemoryReplica {
    async fn save(&self, customer: &CustomerKey, set: &Entitlements) -> Result<(), Error> {
        with_fault(&self.faults, "replica", || {
            self.sets.borrow_mut().insert(customer.clone(), set.clone());
            Ok(())
        })
    }

    async fn load(&self, customer: &CustomerKey) -> Result<Option<Entitlements>, Error> {
        with_fault(&self.faults, "replica", || Ok(self.sets.borrow().get(customer).cloned()))
    }
}

fn with_fault<T>(
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
