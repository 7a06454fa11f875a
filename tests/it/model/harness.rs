//! A customer's ledger, and the world around it: Stripe, KV, the roster, the runtime and time.
//!
//! The ledger's part is the crate's own: [`Account`] and [`Stripe`]. What is modelled is what can go
//! wrong around them. A read is a future that is polled one request at a time, so that anything may
//! happen between two pages; a crash drops it, and with it all that is not written down.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    future::Future,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use entgate::{
    entitlement::{ActiveEntitlement, Completeness, Entitlements, Summary, SummaryPage, Version},
    id::{CustomerId, EventId, LookupKey, Timestamp, UnixMillis},
    ledger::{
        Dedup, Jitter, LedgerState, ReadReason, Reconciliation, SourceAccess, SourceRead,
        SourceState, SyncStatus, Task,
    },
    source::{self, StripeClient, StripeResponse, Transport, fake::FakeStripe},
};

use crate::support::customer;

const CUSTOMER: &str = "cus_ada";

/// Stripe puts at most so many entitlements into an event.
const EVENT_PAGE: usize = 10;

/// How a write of the replica ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Put {
    Done,
    FailedBefore,
    FailedAfter,
    /// It fails, and lands so many milliseconds later all the same.
    FailedAndLandsIn(u64),
}

/// How a request to Stripe fails.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fault {
    Lost,
    Status(u16),
    Malformed,
}

/// Stripe behind a line on which each answer takes a step, and where it fails when told so.
#[derive(Clone, Default)]
struct Line {
    stripe: Rc<FakeStripe>,
    faults: Rc<RefCell<Vec<Fault>>>,
    now: Rc<Cell<u64>>,
}

impl Transport for Line {
    async fn get(&self, target: &str) -> Result<StripeResponse, String> {
        let fault = self.faults.borrow_mut().pop();
        let reply = match fault {
            None => self.stripe.get(target).await,
            Some(Fault::Lost) => Err("the connection was cut".to_owned()),
            Some(Fault::Status(status)) => {
                Ok(StripeResponse { status, ..StripeResponse::default() })
            }
            Some(Fault::Malformed) => Ok(StripeResponse {
                status: 200,
                body: b"{\"data\":[".to_vec(),
                ..StripeResponse::default()
            }),
        };
        step().await;
        reply
    }

    async fn sleep(&self, _millis: u64) {
        step().await;
    }

    fn now(&self) -> UnixMillis {
        UnixMillis(self.now.get())
    }

    fn random(&self) -> f64 {
        0.5
    }
}

/// Lets something else happen.
async fn step() {
    let mut waited = false;
    std::future::poll_fn(|_| {
        if std::mem::replace(&mut waited, true) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

type Read = Pin<Box<dyn Future<Output = Result<SourceState, source::Error>>>>;

pub(crate) struct World {
    list: SourceAccess,
    /// Whether events say what is held.
    told: bool,
    line: Line,
    /// How many seconds Stripe's clock is ahead of ours.
    skew: i64,
    /// All states of the customer at Stripe, the last one being now's.
    states: Vec<Vec<ActiveEntitlement>>,
    grants: u32,
    events: u32,
    /// Events that are on their way.
    pending: Vec<Summary>,
    /// Events that were acknowledged, in the order of their arrival.
    acknowledged: Vec<Summary>,
    pub(crate) dropped: bool,

    /// What is written down.
    account: LedgerState,
    seen: BTreeSet<EventId>,
    /// What is not.
    reading: Option<(SourceRead, ReadReason, usize, Read)>,
    writing: Option<Entitlements>,

    replica: Option<Entitlements>,
    landing: Vec<(u64, Entitlements)>,
    roster: Option<SyncStatus>,
    /// The features that the roster was told of.
    told_of: BTreeSet<LookupKey>,
    /// What every version was.
    versions: BTreeMap<Version, (Completeness, Vec<ActiveEntitlement>)>,
    /// The oldest state that may be held: a read has shown it.
    floor: usize,
}

impl World {
    pub(crate) fn new(list: SourceAccess, told: bool, skew: i64) -> Self {
        let world = Self {
            list,
            told,
            line: Line::default(),
            skew,
            states: vec![Vec::new()],
            grants: 0,
            events: 0,
            pending: Vec::new(),
            acknowledged: Vec::new(),
            dropped: false,
            account: LedgerState::default(),
            seen: BTreeSet::new(),
            reading: None,
            writing: None,
            replica: None,
            landing: Vec::new(),
            roster: None,
            told_of: BTreeSet::new(),
            versions: BTreeMap::from([(Version(0), (Completeness::Complete, Vec::new()))]),
            floor: 0,
        };
        world.line.now.set(1_700_000_000_000);
        world.line.stripe.set_entitlements(CUSTOMER, Vec::new());
        world
    }

    fn now(&self) -> UnixMillis {
        self.line.now()
    }

    /// Stripe's customer holds the features from `first` on, `count` of them, and an event says so.
    pub(crate) fn change(&mut self, first: usize, count: usize) {
        let before = self.states.last().unwrap();
        let mut after = Vec::with_capacity(count);
        for feature in first..first + count {
            let feature = format!("feat_test_{feature}").try_into().unwrap();
            // A grant that goes on keeps its id; one that is given anew gets another.
            let kept = before.iter().find(|granted| granted.feature == feature).cloned();
            after.push(kept.unwrap_or_else(|| {
                self.grants += 1;
                ActiveEntitlement {
                    id: format!("ent_test_{}", self.grants).try_into().unwrap(),
                    lookup_key: feature.as_str().try_into().unwrap(),
                    feature,
                }
            }));
        }
        if *before == after {
            return;
        }
        self.line.stripe.set_entitlements(CUSTOMER, after.clone());
        self.events += 1;
        let page: Vec<_> = after.iter().take(EVENT_PAGE).cloned().collect();
        let page = if page.len() < after.len() {
            SummaryPage::Truncated(page)
        } else {
            SummaryPage::Complete(page)
        };
        self.pending.push(Summary {
            event: format!("evt_{}", self.events).try_into().unwrap(),
            customer: customer(CUSTOMER),
            created: Timestamp(self.now().to_timestamp().0 + self.skew),
            page: self.told.then_some(page),
        });
        self.states.push(after);
    }

    /// One of the events on their way arrives, or never will.
    pub(crate) fn deliver(&mut self, which: usize) {
        if !self.pending.is_empty() {
            let event = self.pending.remove(which % self.pending.len());
            self.receive(&event);
        }
    }

    pub(crate) fn drop_event(&mut self, which: usize) {
        if self.list == SourceAccess::Available && !self.pending.is_empty() {
            self.pending.remove(which % self.pending.len());
            self.dropped = true;
        }
    }

    /// An event that was acknowledged arrives again.
    pub(crate) fn repeat(&mut self, which: usize) {
        if !self.acknowledged.is_empty() {
            let event = self.acknowledged[which % self.acknowledged.len()].clone();
            let before = self.account.clone();
            self.receive(&event);
            assert_eq!(self.account, before, "a duplicate changes nothing");
        }
    }

    fn receive(&mut self, event: &Summary) {
        let sighting = if self.seen.contains(&event.event) { Dedup::Duplicate } else { Dedup::New };
        self.account.apply_event(event, sighting, self.list, self.now()).unwrap();
        if self.seen.insert(event.event.clone()) {
            self.acknowledged.push(event.clone());
        }
    }

    pub(crate) fn pass(&mut self, millis: u64) {
        self.line.now.set(self.now().0 + millis);
        let now = self.now().0;
        let (landed, left) = self.landing.drain(..).partition(|(at, _)| *at <= now);
        self.landing = left;
        for (_, copy) in Vec::from_iter::<Vec<(u64, Entitlements)>>(landed) {
            self.replica = Some(copy);
        }
    }

    /// The alarm goes off: what is due is begun.
    pub(crate) fn wake(&mut self, roster_fails: bool) {
        let now = self.now();
        let due = |task| self.account.outbox.is_due(task, now);
        if due(Task::Read) || due(Task::Confirm) {
            self.read(ReadReason::Reconcile);
        }
        if self.account.outbox.is_due(Task::Replica, now) && self.writing.is_none() {
            self.writing = self.account.begin_replica_write(now).cloned();
        }
        if self.account.outbox.is_due(Task::Report, now)
            && let Some(report) = self.account.begin_report()
        {
            if roster_fails {
                self.account.report_failed(now, Jitter(0.5));
            } else {
                self.roster = Some(report.status);
                self.told_of.extend(report.features.iter().cloned());
                self.account.report_succeeded(&report, now);
            }
        }
    }

    /// Somebody asks: what is not known whole is read.
    pub(crate) fn ask(&mut self) {
        let whole = self
            .account
            .entitlements
            .as_ref()
            .is_some_and(|held| held.completeness == Completeness::Complete);
        if !whole && self.list == SourceAccess::Available {
            self.read(ReadReason::OnDemand);
        }
    }

    /// The set was not confirmed for long.
    pub(crate) fn reconcile(&mut self) {
        if self.account.entitlements.is_some() && self.list == SourceAccess::Available {
            self.account.schedule_reconcile(self.now());
        }
    }

    fn read(&mut self, occasion: ReadReason) {
        if self.reading.is_none() {
            let line = self.line.clone();
            let read = Box::pin(async move {
                let id = CustomerId::try_from(CUSTOMER).unwrap();
                StripeClient::new(line).list_entitlements(&id).await
            });
            let begun = self.states.len() - 1;
            self.reading = Some((self.account.begin_source_read(), occasion, begun, read));
        }
    }

    /// The read goes one request further.
    pub(crate) fn step_read(&mut self) {
        let Some((reading, occasion, begun, mut read)) = self.reading.take() else { return };
        let mut context = Context::from_waker(Waker::noop());
        let now = self.now();
        match read.as_mut().poll(&mut context) {
            Poll::Pending => self.reading = Some((reading, occasion, begun, read)),
            Poll::Ready(Ok(told)) => {
                let finding =
                    self.account.apply_source_list(reading, occasion, &told, now).unwrap();
                let right = matches!(
                    finding,
                    Reconciliation::InSync | Reconciliation::Updated | Reconciliation::Drifted(_)
                );
                if let (SourceState::List(list), true) = (told, right) {
                    let mut states = begun..self.states.len();
                    let shown = states.find(|at| same(&self.states[*at], &list));
                    self.floor = self.floor.max(shown.unwrap());
                }
            }
            Poll::Ready(Err(error)) => {
                let until = now.saturating_add(error.retry_after_ms());
                self.account.source_failed(error.operator_problem(), until, now, Jitter(0.5));
            }
        }
    }

    pub(crate) fn finish_write(&mut self, end: Put) {
        let Some(copy) = self.writing.take() else { return };
        let now = self.now();
        let version = copy.version;
        match end {
            Put::Done | Put::FailedAfter => self.replica = Some(copy),
            Put::FailedBefore => {}
            Put::FailedAndLandsIn(millis) => self.landing.push((now.0 + millis, copy)),
        }
        if end == Put::Done {
            self.account.replica_write_succeeded(version, now);
        } else {
            self.account.replica_write_failed(now, Jitter(0.5));
        }
    }

    /// The object dies, and all that was not written down with it. A write that was under way may
    /// land or not.
    pub(crate) fn crash(&mut self, lands: Option<u64>) {
        self.reading = None;
        if let (Some(copy), Some(millis)) = (self.writing.take(), lands) {
            self.landing.push((self.now().0 + millis, copy));
        }
    }

    pub(crate) fn fail(&mut self, faults: &[Fault]) {
        self.line.faults.borrow_mut().extend(faults);
    }

    fn holds(&self, list: &[ActiveEntitlement]) -> bool {
        self.account.entitlements.as_ref().is_some_and(|held| same(&held.data, list))
    }

    /// What must be true at every moment.
    pub(crate) fn look(&mut self) {
        for event in &self.acknowledged {
            assert!(self.seen.contains(&event.event), "{} is forgotten", event.event);
        }
        if let Some(held) = &self.account.entitlements {
            let content = (held.completeness, held.data.clone());
            let (newest, _) = self.versions.last_key_value().unwrap();
            assert!(held.version >= *newest, "version {} after {newest}", held.version);
            let known = self.versions.entry(held.version).or_insert_with(|| content.clone());
            assert_eq!(*known, content, "version {} is two sets", held.version);
            match held.completeness {
                Completeness::Complete => {
                    let was = |from: usize| {
                        self.states[from..].iter().any(|state| same(state, &held.data))
                    };
                    assert!(was(0), "a set that never was: {:?}", held.data);
                    // With two clocks an event may seem newer than a read that held it already.
                    let floor = if self.skew == 0 { self.floor } else { 0 };
                    assert!(was(floor), "what a read has shown is undone");
                }
                Completeness::Partial => {
                    for granted in &held.data {
                        let was = self.states.iter().any(|state| state.contains(granted));
                        assert!(was, "a grant that never was: {granted:?}");
                    }
                }
            }
        }
        if let Some(copy) = &self.replica {
            let content = (copy.completeness, copy.data.clone());
            assert_eq!(self.versions.get(&copy.version), Some(&content), "a copy of nothing");
        }
        let standing = self.account.outbox.next_due();
        assert!(standing.is_none() || standing >= Some(UnixMillis(1_700_000_000_000)));
    }

    /// Everything works again, and what is on its way arrives: all debts are paid.
    pub(crate) fn settle(&mut self) {
        self.line.faults.borrow_mut().clear();
        while !self.pending.is_empty() {
            self.deliver(0);
            self.look();
        }
        self.pay();
        // Of what was dropped nobody hears until the set is confirmed once more.
        if self.dropped {
            self.reconcile();
            self.pay();
        }
    }

    /// Time passes until nothing is owed.
    fn pay(&mut self) {
        for _ in 0..200 {
            let landing = self.landing.iter().map(|(at, _)| *at).min();
            let busy = self.reading.is_some() || self.writing.is_some();
            let next = self.account.outbox.next_due().map(|due| due.0);
            if !busy && landing.is_none() && next.is_none() {
                return;
            }
            while self.reading.is_some() {
                self.step_read();
            }
            self.finish_write(Put::Done);
            self.look();
            let next = [landing, self.account.outbox.next_due().map(|due| due.0)];
            if let Some(next) = next.into_iter().flatten().min() {
                self.pass(next.saturating_sub(self.now().0));
            }
            self.wake(false);
        }
        panic!("debts are never paid: {:?}", self.account.outbox);
    }

    /// What must be true in the end.
    pub(crate) fn look_at_the_end(&self) {
        let held = self.account.entitlements.as_ref();
        match self.list {
            SourceAccess::Available if self.acknowledged.is_empty() && held.is_none() => {}
            SourceAccess::Available => {
                let held = held.unwrap();
                let state = self.states.last().unwrap();
                assert_eq!(held.completeness, Completeness::Complete);
                assert!(same(&held.data, state), "not Stripe's: {:?}, but {state:?}", held.data);
            }
            SourceAccess::None => {
                // `max_by_key` takes the last of several: the later arrival.
                let newest = self.acknowledged.iter().max_by_key(|event| event.created);
                match newest.and_then(|event| event.page.as_ref()) {
                    None => assert_eq!(held, None),
                    Some(SummaryPage::Complete(page)) => {
                        assert!(self.holds(page), "not the newest event's")
                    }
                    Some(SummaryPage::Truncated(page)) => {
                        let held = held.unwrap();
                        assert_eq!(held.completeness, Completeness::Partial);
                        assert!(page.iter().all(|granted| held.data.contains(granted)));
                    }
                }
            }
        }
        match (&self.replica, held) {
            (Some(copy), Some(held)) => assert_eq!(copy.version, held.version, "the replica lags"),
            (None, Some(held)) => assert_eq!((held.version, held.data.len()), (Version(1), 0)),
            (copy, None) => assert_eq!(*copy, None),
        }
        let pending = self.roster.map(|standing| standing.pending);
        assert_eq!(pending, held.map(|_| 0), "the roster tells of debts that are paid");
        let sets = self.versions.values().flat_map(|(_, data)| data);
        let held_once = sets.map(|granted| granted.lookup_key.clone()).collect::<BTreeSet<_>>();
        assert_eq!(self.told_of, held_once, "the roster knows what was in any set");
    }
}

/// Whether two lists hold the same grants, in any order.
fn same(one: &[ActiveEntitlement], other: &[ActiveEntitlement]) -> bool {
    let ids = |list: &[ActiveEntitlement]| {
        list.iter().map(|granted| granted.id.as_str().to_owned()).collect::<BTreeSet<_>>()
    };
    one.len() == other.len() && ids(one) == ids(other)
}
