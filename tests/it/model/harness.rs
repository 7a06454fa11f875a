//! A customer's ledger in a model of its environment.
//!
//! The process, its steps and the client for Stripe are the crate's own. Calls of the ledger are
//! tasks: a step of the history continues one of them, or lets time pass. A crash drops them, and
//! everything else that is not stored.

use std::{cell::RefCell, collections::BTreeMap, future::poll_fn, pin::pin, rc::Rc};

use entgate::{
    entitlement::{
        ActiveEntitlement, Completeness, Entitlements, SourceSet, Summary, SummaryPage, Version,
    },
    id::{Timestamp, UnixMillis},
    ledger::{ApplyOutcome, LedgerProcess, LedgerRequest, LedgerResponse, SourceAccess, WaitFor},
    policy::{GrantRule, SourcePolicy},
    store::memory::{Fault, MemoryTables},
};

use super::world::{CUSTOMER, RequestFault, Slot, World, WorldPorts, WriteResult, same};
use crate::support::customer;

/// The most entitlements that Stripe puts into an event.
const EVENT_PAGE: usize = 10;

pub(crate) struct Harness {
    world: Rc<World>,
    process: LedgerProcess<WorldPorts>,
    /// Whether events have a list.
    events_have_lists: bool,
    /// How many seconds Stripe's clock is ahead of ours.
    skew: i64,
    grants: u32,
    events: u32,
    deliveries: Rc<Deliveries>,
    pub(crate) dropped: bool,
    /// The content of each version.
    versions: BTreeMap<Version, (Completeness, Vec<ActiveEntitlement>)>,
}

/// The events of the customer.
#[derive(Default)]
struct Deliveries {
    /// Events that Stripe has created, and that were not acknowledged.
    unsent: RefCell<Vec<Summary>>,
    /// Events whose webhook is in progress.
    in_progress: RefCell<Vec<Summary>>,
    /// Acknowledged events, in the order of their acknowledgement.
    acknowledged: RefCell<Vec<Summary>>,
    /// Stored events, in the order in which they were applied.
    applied: RefCell<Vec<Summary>>,
}

impl Deliveries {
    fn note_if_applied(&self, event: &Summary, tables: &MemoryTables) {
        let mut applied = self.applied.borrow_mut();
        if tables.has_event(&event.event) && !applied.contains(event) {
            applied.push(event.clone());
        }
    }

    /// Ends the webhook of an event. Stripe sends the event again if it was not acknowledged.
    fn finish(&self, event: &Summary, outcome: Option<ApplyOutcome>) {
        let mut in_progress = self.in_progress.borrow_mut();
        let index = in_progress.iter().position(|other| other == event).unwrap();
        let event = in_progress.remove(index);
        let mut acknowledged = self.acknowledged.borrow_mut();
        let is_repeated = acknowledged.contains(&event);
        match outcome {
            Some(outcome) if is_repeated => assert_eq!(outcome, ApplyOutcome::Duplicate),
            Some(_) => acknowledged.push(event),
            None if is_repeated => {}
            None => self.unsent.borrow_mut().push(event),
        }
    }

    /// Ends all webhooks without an acknowledgement.
    fn fail_all(&self) {
        let lost = self.in_progress.borrow().clone();
        for event in &lost {
            self.finish(event, None);
        }
    }
}

impl Harness {
    pub(crate) fn new(access: SourceAccess, events_have_lists: bool, skew: i64) -> Self {
        let world = World::new(access);
        Self {
            process: LedgerProcess::new(WorldPorts(Rc::clone(&world))),
            world,
            events_have_lists,
            skew,
            grants: 0,
            events: 0,
            deliveries: Rc::default(),
            dropped: false,
            versions: BTreeMap::from([(Version(0), (Completeness::Complete, Vec::new()))]),
        }
    }

    fn now(&self) -> UnixMillis {
        self.world.time.now()
    }

    /// At Stripe, the customer gets the features from `first` on, `count` of them, and an event is
    /// created.
    pub(crate) fn change(&mut self, first: usize, count: usize) {
        let before = self.world.states.borrow().last().unwrap().clone();
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
        if before == after {
            return;
        }
        self.world.stripe.set_entitlements(CUSTOMER, after.clone());
        self.events += 1;
        let page: Vec<_> = after.iter().take(EVENT_PAGE).cloned().collect();
        let page = if page.len() < after.len() {
            SummaryPage::Truncated(page)
        } else {
            SummaryPage::Complete(page)
        };
        self.deliveries.unsent.borrow_mut().push(Summary {
            event: format!("evt_{}", self.events).try_into().unwrap(),
            customer: customer(CUSTOMER),
            created: Timestamp(self.now().to_timestamp().0 + self.skew),
            page: self.events_have_lists.then_some(page),
        });
        self.world.states.borrow_mut().push(after);
    }

    /// At Stripe, the customer changes twice in one second, and both events arrive at once.
    pub(crate) fn change_twice(&mut self, [first, second]: [(usize, usize); 2], in_order: bool) {
        let before = self.deliveries.unsent.borrow().len();
        self.change(first.0, first.1);
        self.change(second.0, second.1);
        let mut events = self.deliveries.unsent.borrow_mut().split_off(before);
        if !in_order {
            events.reverse();
        }
        for event in events {
            self.send(event);
        }
    }

    /// The operator sets another rule for paused subscriptions.
    pub(crate) fn set_policy(&mut self, paused: GrantRule) {
        self.world.policy.set(SourcePolicy::Stripe(paused));
    }

    /// Sends one of the events that were not acknowledged.
    pub(crate) fn deliver(&mut self, which: usize) {
        if let Some(event) = take(&self.deliveries.unsent, which) {
            self.send(event);
        }
    }

    /// Loses one of the events, if the source can be read.
    pub(crate) fn drop_event(&mut self, which: usize) {
        if self.world.access == SourceAccess::Available {
            self.dropped |= take(&self.deliveries.unsent, which).is_some();
        }
    }

    /// Sends an acknowledged event again.
    pub(crate) fn repeat(&mut self, which: usize) {
        let acknowledged = self.deliveries.acknowledged.borrow().clone();
        if !acknowledged.is_empty() {
            self.send(acknowledged[which % acknowledged.len()].clone());
        }
    }

    fn send(&self, event: Summary) {
        self.deliveries.in_progress.borrow_mut().push(event.clone());
        let (process, deliveries) = (self.process.clone(), Rc::clone(&self.deliveries));
        let world = Rc::clone(&self.world);
        self.spawn(async move {
            let request = LedgerRequest::Apply(event.clone());
            let mut response = pin!(process.handle(&request));
            let response = poll_fn(|context| {
                let response = response.as_mut().poll(context);
                deliveries.note_if_applied(&event, &world.tables);
                response
            });
            let outcome = match response.await {
                Ok(LedgerResponse::Receipt(receipt)) => Some(receipt.outcome),
                Ok(response) => panic!("{response:?}"),
                Err(_) => None,
            };
            deliveries.finish(&event, outcome);
        });
    }

    fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        self.world.time.spawn(task);
    }

    fn request(&self, request: LedgerRequest) {
        let process = self.process.clone();
        self.spawn(async move { drop(process.handle(&request).await) });
    }

    /// Continues the first task that can continue.
    pub(crate) fn poll(&mut self) {
        self.world.time.poll_next();
    }

    /// Lets time pass, and starts the alarm if it is due.
    pub(crate) fn pass_time(&mut self, millis: u64) {
        self.world.time.advance_to(self.now().saturating_add(millis));
        self.world.apply_late_writes();
        let is_due = self.world.alarm.get().is_some_and(|at| at <= self.now());
        if !is_due || self.world.is_alarm_running.get() {
            return;
        }
        self.world.alarm.take();
        self.world.is_alarm_running.set(true);
        let (process, world) = (self.process.clone(), Rc::clone(&self.world));
        self.spawn(async move {
            let result = process.run_due_tasks().await;
            world.is_alarm_running.set(false);
            if result.is_err() {
                world.retry_alarm();
            }
        });
    }

    /// A request loads the set: an incomplete set is read at the source.
    pub(crate) fn load(&mut self) {
        self.request(LedgerRequest::Load { customer: customer(CUSTOMER), features: vec![] });
    }

    /// A request reads the source, and waits so many seconds for a feature.
    pub(crate) fn sync(&mut self, feature: usize, max_seconds: u32) {
        let feature = format!("feat_test_{feature}").as_str().try_into().unwrap();
        let wait_for = (max_seconds > 0).then_some(WaitFor { feature, max_seconds });
        self.request(LedgerRequest::Sync { customer: customer(CUSTOMER), wait_for });
    }

    /// The last confirmation of the set is too old.
    pub(crate) fn reconcile(&mut self) {
        let is_known = self.world.tables.state().record.entitlements.is_some();
        if is_known && self.world.access == SourceAccess::Available {
            self.request(LedgerRequest::Reconcile(customer(CUSTOMER)));
        }
    }

    pub(crate) fn finish_write(&mut self, result: WriteResult) {
        self.world.finish_write(result);
    }

    /// The object crashes and loses everything that is not stored. A write in progress may take effect
    /// after so many milliseconds.
    pub(crate) fn crash(&mut self, late_effect: Option<u64>) {
        self.world.abandon_write(late_effect);
        self.world.time.abort_all();
        if self.world.is_alarm_running.take() {
            self.world.retry_alarm();
        }
        self.process = LedgerProcess::new(WorldPorts(Rc::clone(&self.world)));
        self.deliveries.fail_all();
    }

    pub(crate) fn fail_requests(&mut self, faults: &[RequestFault]) {
        self.world.request_faults.borrow_mut().extend(faults);
    }

    pub(crate) fn assign_slots(&mut self, slots: &[Slot]) {
        self.world.slots.borrow_mut().extend(slots);
    }

    pub(crate) fn fail_transaction(&mut self, fault: Fault) {
        self.world.tables.fail_next(fault);
    }

    pub(crate) fn fail_report(&mut self, fault: Fault) {
        self.world.report_faults.borrow_mut().push_back(fault);
    }

    /// Asserts what must be true after every step.
    pub(crate) fn assert_invariants(&mut self) {
        for event in &*self.deliveries.acknowledged.borrow() {
            assert!(self.world.tables.has_event(&event.event), "the id of {} is lost", event.event);
        }
        let state = self.world.tables.state();
        for record in &self.world.tables.take_records() {
            let (version, set) = (record.version, record.source.as_ref().unwrap());
            let content = (set.completeness, set.data.clone());
            let (newest, _) = self.versions.last_key_value().unwrap();
            assert!(version >= *newest, "version {version} after {newest}");
            let stored = self.versions.entry(version).or_insert_with(|| content.clone());
            assert_eq!(*stored, content, "version {version} is two sets");
            self.assert_set_existed(set);
        }
        self.world.oldest_state.set(self.world.last_read.get());
        if let Some(replica) = &*self.world.replica.borrow() {
            let set = replica.source.as_ref().unwrap();
            let content = (set.completeness, set.data.clone());
            let version = self.versions.get(&replica.version);
            assert_eq!(version, Some(&content), "the replica is no version of the ledger");
        }
        let is_stuck = self.world.time.is_idle()
            && state.outbox.next_due().is_some()
            && self.world.alarm.get().is_none();
        assert!(!is_stuck, "tasks are pending without an alarm: {:?}", state.outbox);
    }

    fn assert_set_existed(&self, set: &SourceSet) {
        let states = self.world.states.borrow();
        match set.completeness {
            Completeness::Complete => {
                let existed_since =
                    |from: usize| states[from..].iter().any(|state| same(state, &set.data));
                assert!(existed_since(0), "a set that never existed: {:?}", set.data);
                // With two clocks, an event may seem newer than a read that included it.
                let oldest_state = if self.skew == 0 { self.world.oldest_state.get() } else { 0 };
                assert!(existed_since(oldest_state), "the result of a read is undone");
            }
            Completeness::Partial => {
                for grant in &set.data {
                    let existed = states.iter().any(|state| state.contains(grant));
                    assert!(existed, "a grant that never existed: {grant:?}");
                }
            }
        }
    }

    /// Removes all faults, delivers all events, and runs all tasks.
    pub(crate) fn drain(&mut self) {
        self.world.request_faults.take();
        self.world.report_faults.take();
        self.world.tables.clear_faults();
        self.complete_tasks();
        // A lost event takes effect only when the ledger reads its set without any other reason. If that
        // is late already, it is spread first.
        for _ in 0..2 {
            let due = self.world.tables.state().reconcile_timer.due_at;
            if let Some(due) = due.filter(|_| self.dropped) {
                self.pass_time(due.millis_since(self.now()));
                self.complete_tasks();
            }
        }
    }

    /// Delivers events and lets time pass until nothing is pending.
    fn complete_tasks(&mut self) {
        for _ in 0..10_000 {
            while !self.deliveries.unsent.borrow().is_empty() {
                self.deliver(0);
            }
            let progress = self.world.time.poll_next();
            self.finish_write(WriteResult::Succeeded);
            self.assert_invariants();
            if progress {
                continue;
            }
            // The platform starts an alarm only after the one before it has ended.
            let is_alarm_running = self.world.is_alarm_running.get();
            let next = [
                self.world.time.next_timer(),
                self.world.alarm.get().filter(|_| !is_alarm_running),
                self.world.next_late_write(),
            ];
            let is_pending = self.world.tables.state().outbox.next_due().is_some()
                || self.world.time.next_timer().is_some()
                || self.world.next_late_write().is_some();
            match next.into_iter().flatten().min().filter(|_| is_pending) {
                Some(next) => self.pass_time(next.0.saturating_sub(self.now().0)),
                None if self.deliveries.unsent.borrow().is_empty() => {
                    assert!(self.world.time.is_idle(), "a task waits forever");
                    return;
                }
                None => {}
            }
        }
        panic!("the tasks never complete: {:?}", self.world.tables.state().outbox);
    }

    /// Asserts what must be true after [`Self::drain()`].
    pub(crate) fn assert_final_state(&self) {
        let state = self.world.tables.state();
        assert_eq!(state.outbox.next_due(), None, "tasks are pending");
        let record = state.record.entitlements.as_ref();
        let entitlements = state.record.source();
        let applied = self.deliveries.applied.borrow();
        let acknowledged = self.deliveries.acknowledged.borrow();
        assert!(acknowledged.iter().all(|event| applied.contains(event)));
        match self.world.access {
            SourceAccess::Available if applied.is_empty() && entitlements.is_none() => {}
            SourceAccess::Available => {
                let set = entitlements.unwrap();
                let states = self.world.states.borrow();
                let last = states.last().unwrap();
                assert_eq!(set.completeness, Completeness::Complete);
                assert!(same(&set.data, last), "Stripe has {last:?}, not {:?}", set.data);
            }
            SourceAccess::None => {
                // `max_by_key` returns the last maximum: the later arrival.
                let newest = applied.iter().max_by_key(|event| event.created);
                match newest.and_then(|event| event.page.as_ref()) {
                    None => assert_eq!(entitlements, None),
                    Some(SummaryPage::Complete(page)) => {
                        let set = entitlements.unwrap();
                        assert!(same(&set.data, page), "not the newest event's list");
                    }
                    Some(SummaryPage::Deleted) => panic!("no history deletes the customer"),
                    Some(SummaryPage::Truncated(page)) => {
                        let set = entitlements.unwrap();
                        assert_eq!(set.completeness, Completeness::Partial);
                        assert!(page.iter().all(|grant| set.data.contains(grant)));
                    }
                }
            }
        }
        self.assert_copies(record);
    }

    /// Asserts that the replica and the customer index are as new as the ledger.
    fn assert_copies(&self, record: Option<&Entitlements>) {
        match (&*self.world.replica.borrow(), record) {
            (Some(replica), Some(set)) => {
                let content = |record: &Entitlements| {
                    (record.version, record.source.as_ref().map(|set| set.policy))
                };
                assert_eq!(content(replica), content(set), "the replica lags");
            }
            (None, Some(set)) => assert!(set.is_blank() && set.version == Version(1)),
            (replica, None) => assert_eq!(*replica, None),
        }
        let pending = self.world.reported_status.get().map(|status| status.pending);
        assert_eq!(pending, record.map(|_| 0), "completed tasks are reported as pending");
        let sets = self.versions.values().flat_map(|(_, data)| data);
        let observed = sets.map(|grant| grant.lookup_key.clone()).collect();
        let reported = self.world.reported_features.borrow();
        assert_eq!(*reported, observed, "the features of all sets are reported");
    }
}

fn take(events: &RefCell<Vec<Summary>>, which: usize) -> Option<Summary> {
    let mut events = events.borrow_mut();
    if events.is_empty() {
        return None;
    }
    let index = which % events.len();
    Some(events.remove(index))
}
