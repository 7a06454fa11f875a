//! A customer's ledger in a model of its environment: Stripe, KV, the customer index, and time.
//!
//! [`LedgerState`] and [`StripeClient`] are the crate's own. The model covers the failures around them.
//! A read is a future that is polled one request at a time, so that other steps can run between two
//! pages. A crash drops the read, and everything else that is not stored.

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

/// The most entitlements that Stripe puts into an event.
const EVENT_PAGE: usize = 10;

/// The result of a write of the replica.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum WriteResult {
    Succeeded,
    FailedBefore,
    FailedAfter,
    /// The write fails, and takes effect so many milliseconds later all the same.
    FailedWithLateEffect(u64),
}

/// How a request to Stripe fails.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fault {
    ConnectionLost,
    Status(u16),
    Malformed,
}

/// A transport to Stripe on which each response takes a step, with injected faults.
#[derive(Clone, Default)]
struct FlakyStripe {
    stripe: Rc<FakeStripe>,
    faults: Rc<RefCell<Vec<Fault>>>,
    now: Rc<Cell<u64>>,
}

impl Transport for FlakyStripe {
    async fn get(&self, target: &str) -> Result<StripeResponse, String> {
        let fault = self.faults.borrow_mut().pop();
        let response = match fault {
            None => self.stripe.get(target).await,
            Some(Fault::ConnectionLost) => Err("the connection was cut".to_owned()),
            Some(Fault::Status(status)) => {
                Ok(StripeResponse { status, ..StripeResponse::default() })
            }
            Some(Fault::Malformed) => Ok(StripeResponse {
                status: 200,
                body: b"{\"data\":[".to_vec(),
                ..StripeResponse::default()
            }),
        };
        yield_once().await;
        response
    }

    async fn sleep(&self, _millis: u64) {
        yield_once().await;
    }

    fn now(&self) -> UnixMillis {
        UnixMillis(self.now.get())
    }

    fn random(&self) -> f64 {
        0.5
    }
}

/// Lets another step run.
async fn yield_once() {
    let mut yielded = false;
    std::future::poll_fn(|_| {
        if std::mem::replace(&mut yielded, true) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

type ReadFuture = Pin<Box<dyn Future<Output = Result<SourceState, source::Error>>>>;

pub(crate) struct Harness {
    access: SourceAccess,
    /// Whether events have a list.
    events_have_lists: bool,
    transport: FlakyStripe,
    /// How many seconds Stripe's clock is ahead of ours.
    skew: i64,
    /// All states of the customer at Stripe. The last one is the current state.
    states: Vec<Vec<ActiveEntitlement>>,
    grants: u32,
    events: u32,
    /// Events that Stripe has created and not delivered.
    in_flight: Vec<Summary>,
    /// Acknowledged events, in the order of their arrival.
    acknowledged: Vec<Summary>,
    pub(crate) dropped: bool,

    /// The stored state, which survives a crash.
    state: LedgerState,
    event_ids: BTreeSet<EventId>,
    /// A read and a write in progress, which do not survive a crash. The number is the index of the
    /// state at Stripe when the read started.
    read: Option<(SourceRead, ReadReason, usize, ReadFuture)>,
    write: Option<Entitlements>,

    replica: Option<Entitlements>,
    /// Failed writes that take effect later, each with its time.
    late_writes: Vec<(u64, Entitlements)>,
    reported_status: Option<SyncStatus>,
    reported_features: BTreeSet<LookupKey>,
    /// The content of each version.
    versions: BTreeMap<Version, (Completeness, Vec<ActiveEntitlement>)>,
    /// The index of the oldest state that the ledger may have: a read returned it.
    oldest_state: usize,
}

impl Harness {
    pub(crate) fn new(access: SourceAccess, events_have_lists: bool, skew: i64) -> Self {
        let harness = Self {
            access,
            events_have_lists,
            transport: FlakyStripe::default(),
            skew,
            states: vec![Vec::new()],
            grants: 0,
            events: 0,
            in_flight: Vec::new(),
            acknowledged: Vec::new(),
            dropped: false,
            state: LedgerState::default(),
            event_ids: BTreeSet::new(),
            read: None,
            write: None,
            replica: None,
            late_writes: Vec::new(),
            reported_status: None,
            reported_features: BTreeSet::new(),
            versions: BTreeMap::from([(Version(0), (Completeness::Complete, Vec::new()))]),
            oldest_state: 0,
        };
        harness.transport.now.set(1_700_000_000_000);
        harness.transport.stripe.set_entitlements(CUSTOMER, Vec::new());
        harness
    }

    fn now(&self) -> UnixMillis {
        self.transport.now()
    }

    /// At Stripe, the customer gets the features from `first` on, `count` of them, and an event is
    /// created.
    pub(crate) fn change(&mut self, first: usize, count: usize) {
        let before = self.states.last().unwrap();
        let mut after = Vec::with_capacity(count);
        for feature in first..first + count {
            let feature = format!("feat_test_{feature}").try_into().unwrap();
            // A continued grant keeps its id. A renewed grant gets another one.
            let continued = before.iter().find(|grant| grant.feature == feature).cloned();
            after.push(continued.unwrap_or_else(|| {
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
        self.transport.stripe.set_entitlements(CUSTOMER, after.clone());
        self.events += 1;
        let page: Vec<_> = after.iter().take(EVENT_PAGE).cloned().collect();
        let page = if page.len() < after.len() {
            SummaryPage::Truncated(page)
        } else {
            SummaryPage::Complete(page)
        };
        self.in_flight.push(Summary {
            event: format!("evt_{}", self.events).try_into().unwrap(),
            customer: customer(CUSTOMER),
            created: Timestamp(self.now().to_timestamp().0 + self.skew),
            page: self.events_have_lists.then_some(page),
        });
        self.states.push(after);
    }

    /// Delivers one of the events in flight.
    pub(crate) fn deliver(&mut self, which: usize) {
        if !self.in_flight.is_empty() {
            let event = self.in_flight.remove(which % self.in_flight.len());
            self.apply(&event);
        }
    }

    /// Loses one of the events in flight, if the source can be read.
    pub(crate) fn drop_event(&mut self, which: usize) {
        if self.access == SourceAccess::Available && !self.in_flight.is_empty() {
            self.in_flight.remove(which % self.in_flight.len());
            self.dropped = true;
        }
    }

    /// Delivers an acknowledged event again.
    pub(crate) fn repeat(&mut self, which: usize) {
        if !self.acknowledged.is_empty() {
            let event = self.acknowledged[which % self.acknowledged.len()].clone();
            let before = self.state.clone();
            self.apply(&event);
            assert_eq!(self.state, before, "a duplicate changes nothing");
        }
    }

    fn apply(&mut self, event: &Summary) {
        let dedup =
            if self.event_ids.contains(&event.event) { Dedup::Duplicate } else { Dedup::New };
        self.state.apply_event(event, dedup, self.access, self.now()).unwrap();
        if self.event_ids.insert(event.event.clone()) {
            self.acknowledged.push(event.clone());
        }
    }

    pub(crate) fn pass_time(&mut self, millis: u64) {
        self.transport.now.set(self.now().0 + millis);
        let now = self.now().0;
        let (due, later) = self.late_writes.drain(..).partition(|(at, _)| *at <= now);
        self.late_writes = later;
        for (_, set) in Vec::from_iter::<Vec<(u64, Entitlements)>>(due) {
            self.replica = Some(set);
        }
    }

    /// The alarm fires: due tasks start.
    pub(crate) fn run_due_tasks(&mut self, report_fails: bool) {
        let now = self.now();
        let due = |task| self.state.outbox.is_due(task, now);
        if due(Task::Read) || due(Task::Confirm) {
            self.begin_read(ReadReason::Reconcile);
        }
        if self.state.outbox.is_due(Task::Replica, now) && self.write.is_none() {
            self.write = self.state.begin_replica_write(now).cloned();
        }
        if self.state.outbox.is_due(Task::Report, now)
            && let Some(report) = self.state.begin_report()
        {
            if report_fails {
                self.state.report_failed(now, Jitter(0.5));
            } else {
                self.reported_status = Some(report.status);
                self.reported_features.extend(report.features.iter().cloned());
                self.state.report_succeeded(&report, now);
            }
        }
    }

    /// A request loads the set: an incomplete set is read at the source.
    pub(crate) fn load(&mut self) {
        let is_complete = self
            .state
            .entitlements
            .as_ref()
            .is_some_and(|set| set.completeness == Completeness::Complete);
        if !is_complete && self.access == SourceAccess::Available {
            self.begin_read(ReadReason::OnDemand);
        }
    }

    /// The last confirmation of the set is too old.
    pub(crate) fn reconcile(&mut self) {
        if self.state.entitlements.is_some() && self.access == SourceAccess::Available {
            self.state.schedule_reconcile(self.now());
        }
    }

    fn begin_read(&mut self, reason: ReadReason) {
        if self.read.is_none() {
            let transport = self.transport.clone();
            let future = Box::pin(async move {
                let id = CustomerId::try_from(CUSTOMER).unwrap();
                StripeClient::new(transport).list_entitlements(&id).await
            });
            let started_at = self.states.len() - 1;
            self.read = Some((self.state.begin_source_read(), reason, started_at, future));
        }
    }

    /// Continues the read by one request.
    pub(crate) fn continue_read(&mut self) {
        let Some((read, reason, started_at, mut future)) = self.read.take() else { return };
        let mut context = Context::from_waker(Waker::noop());
        let now = self.now();
        match future.as_mut().poll(&mut context) {
            Poll::Pending => self.read = Some((read, reason, started_at, future)),
            Poll::Ready(Ok(source)) => {
                let reconciliation =
                    self.state.apply_source_list(read, reason, &source, now).unwrap();
                let is_applied = matches!(
                    reconciliation,
                    Reconciliation::InSync | Reconciliation::Updated | Reconciliation::Drifted(_)
                );
                if let (SourceState::List(list), true) = (source, is_applied) {
                    let mut states = started_at..self.states.len();
                    let returned = states.find(|index| same(&self.states[*index], &list));
                    self.oldest_state = self.oldest_state.max(returned.unwrap());
                }
            }
            Poll::Ready(Err(error)) => {
                let not_before = now.saturating_add(error.retry_after_ms());
                self.state.source_failed(error.operator_problem(), not_before, now, Jitter(0.5));
            }
        }
    }

    pub(crate) fn finish_write(&mut self, result: WriteResult) {
        let Some(set) = self.write.take() else { return };
        let now = self.now();
        let version = set.version;
        match result {
            WriteResult::Succeeded | WriteResult::FailedAfter => self.replica = Some(set),
            WriteResult::FailedBefore => {}
            WriteResult::FailedWithLateEffect(millis) => {
                self.late_writes.push((now.0 + millis, set));
            }
        }
        if result == WriteResult::Succeeded {
            self.state.replica_write_succeeded(version, now);
        } else {
            self.state.replica_write_failed(now, Jitter(0.5));
        }
    }

    /// The object crashes and loses everything that is not stored. A write in progress may take effect
    /// after so many milliseconds.
    pub(crate) fn crash(&mut self, late_effect: Option<u64>) {
        self.read = None;
        if let (Some(set), Some(millis)) = (self.write.take(), late_effect) {
            self.late_writes.push((self.now().0 + millis, set));
        }
    }

    pub(crate) fn fail(&mut self, faults: &[Fault]) {
        self.transport.faults.borrow_mut().extend(faults);
    }

    fn has_entitlements(&self, list: &[ActiveEntitlement]) -> bool {
        self.state.entitlements.as_ref().is_some_and(|set| same(&set.data, list))
    }

    /// Asserts what must be true after every step.
    pub(crate) fn assert_invariants(&mut self) {
        for event in &self.acknowledged {
            assert!(self.event_ids.contains(&event.event), "the id of {} is lost", event.event);
        }
        if let Some(set) = &self.state.entitlements {
            let content = (set.completeness, set.data.clone());
            let (newest, _) = self.versions.last_key_value().unwrap();
            assert!(set.version >= *newest, "version {} after {newest}", set.version);
            let stored = self.versions.entry(set.version).or_insert_with(|| content.clone());
            assert_eq!(*stored, content, "version {} is two sets", set.version);
            match set.completeness {
                Completeness::Complete => {
                    let existed_since = |from: usize| {
                        self.states[from..].iter().any(|state| same(state, &set.data))
                    };
                    assert!(existed_since(0), "a set that never existed: {:?}", set.data);
                    // With two clocks, an event may seem newer than a read that included it.
                    let oldest_state = if self.skew == 0 { self.oldest_state } else { 0 };
                    assert!(existed_since(oldest_state), "the result of a read is undone");
                }
                Completeness::Partial => {
                    for grant in &set.data {
                        let existed = self.states.iter().any(|state| state.contains(grant));
                        assert!(existed, "a grant that never existed: {grant:?}");
                    }
                }
            }
        }
        if let Some(replica) = &self.replica {
            let content = (replica.completeness, replica.data.clone());
            let version = self.versions.get(&replica.version);
            assert_eq!(version, Some(&content), "the replica is no version of the ledger");
        }
        let next_due = self.state.outbox.next_due();
        assert!(next_due.is_none() || next_due >= Some(UnixMillis(1_700_000_000_000)));
    }

    /// Removes all faults, delivers all events, and runs all tasks.
    pub(crate) fn drain(&mut self) {
        self.transport.faults.borrow_mut().clear();
        while !self.in_flight.is_empty() {
            self.deliver(0);
            self.assert_invariants();
        }
        self.complete_tasks();
        // A lost event takes effect only at the next confirmation.
        if self.dropped {
            self.reconcile();
            self.complete_tasks();
        }
    }

    /// Lets time pass until no task is pending.
    fn complete_tasks(&mut self) {
        for _ in 0..200 {
            let late_write = self.late_writes.iter().map(|(at, _)| *at).min();
            let busy = self.read.is_some() || self.write.is_some();
            let next = self.state.outbox.next_due().map(|due| due.0);
            if !busy && late_write.is_none() && next.is_none() {
                return;
            }
            while self.read.is_some() {
                self.continue_read();
            }
            self.finish_write(WriteResult::Succeeded);
            self.assert_invariants();
            let next = [late_write, self.state.outbox.next_due().map(|due| due.0)];
            if let Some(next) = next.into_iter().flatten().min() {
                self.pass_time(next.saturating_sub(self.now().0));
            }
            self.run_due_tasks(false);
        }
        panic!("the tasks never complete: {:?}", self.state.outbox);
    }

    /// Asserts what must be true after [`Self::drain()`].
    pub(crate) fn assert_final_state(&self) {
        let entitlements = self.state.entitlements.as_ref();
        match self.access {
            SourceAccess::Available if self.acknowledged.is_empty() && entitlements.is_none() => {}
            SourceAccess::Available => {
                let set = entitlements.unwrap();
                let state = self.states.last().unwrap();
                assert_eq!(set.completeness, Completeness::Complete);
                assert!(same(&set.data, state), "Stripe has {state:?}, not {:?}", set.data);
            }
            SourceAccess::None => {
                // `max_by_key` returns the last maximum: the later arrival.
                let newest = self.acknowledged.iter().max_by_key(|event| event.created);
                match newest.and_then(|event| event.page.as_ref()) {
                    None => assert_eq!(entitlements, None),
                    Some(SummaryPage::Complete(page)) => {
                        assert!(self.has_entitlements(page), "not the newest event's list");
                    }
                    Some(SummaryPage::Truncated(page)) => {
                        let set = entitlements.unwrap();
                        assert_eq!(set.completeness, Completeness::Partial);
                        assert!(page.iter().all(|grant| set.data.contains(grant)));
                    }
                }
            }
        }
        match (&self.replica, entitlements) {
            (Some(replica), Some(set)) => {
                assert_eq!(replica.version, set.version, "the replica lags");
            }
            (None, Some(set)) => assert_eq!((set.version, set.data.len()), (Version(1), 0)),
            (replica, None) => assert_eq!(*replica, None),
        }
        let pending = self.reported_status.map(|status| status.pending);
        assert_eq!(pending, entitlements.map(|_| 0), "completed tasks are reported as pending");
        let sets = self.versions.values().flat_map(|(_, data)| data);
        let observed = sets.map(|grant| grant.lookup_key.clone()).collect::<BTreeSet<_>>();
        assert_eq!(self.reported_features, observed, "the features of all sets are reported");
    }
}

/// Whether two lists contain the same grants, in any order.
fn same(one: &[ActiveEntitlement], other: &[ActiveEntitlement]) -> bool {
    let ids = |list: &[ActiveEntitlement]| {
        list.iter().map(|grant| grant.id.as_str().to_owned()).collect::<BTreeSet<_>>()
    };
    one.len() == other.len() && ids(one) == ids(other)
}
