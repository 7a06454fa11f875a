//! A customer's ledger in a model of its environment.
//!
//! The process, its steps and the client for Stripe are the crate's own. Calls of the ledger are
//! tasks: a step of the history continues one of them, or lets time pass. A crash drops them, and
//! everything else that is not stored.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    future::poll_fn,
    pin::pin,
    rc::Rc,
};

use entgate::{
    effective_set::{AnswerContext, EffectiveSet, MissingSource},
    entitlement::{
        ActiveEntitlement, Completeness, Entitlements, SourceSet, Summary, SummaryPage, Version,
    },
    id::{LookupKey, Timestamp, UnixMillis},
    ledger::{
        ExplainQuery, ExplainReply, HistoryEntry, HistoryQuery, LedgerProcess, LedgerRequest,
        LedgerResponse, LedgerState, LedgerStorage as _, OverrideRequest, SourceAccess, WaitFor,
    },
    override_period::OverridePeriod,
    policy::{GrantRule, SourcePolicy},
    store::memory::Fault,
};

use super::{
    deliveries::{Deliveries, take},
    override_commands::OverrideStep,
    overrides::{Reference, feature},
    world::{ALARM_RETRY, CUSTOMER, RequestFault, Slot, World, WorldPorts, WriteResult, same},
};
use crate::support::customer;

/// The most entitlements that Stripe puts into an event.
const EVENT_PAGE: usize = 10;

pub(crate) struct Harness {
    world: Rc<World>,
    process: LedgerProcess<WorldPorts>,
    /// Whether events have a list.
    events_have_lists: bool,
    /// How many milliseconds Stripe's clock is ahead of ours.
    skew: i64,
    grants: u32,
    events: u32,
    deliveries: Rc<Deliveries>,
    pub(crate) dropped: bool,
    /// The content of each version.
    versions: BTreeMap<Version, VersionContent>,
    /// What the overrides and the default features mean.
    reference: Rc<RefCell<Reference>>,
}

/// What one version of the record is: the source set, and the overrides that have not ended.
#[derive(Clone, Debug, Eq, PartialEq)]
struct VersionContent {
    source: Option<(Completeness, Vec<ActiveEntitlement>)>,
    overrides: Vec<OverridePeriod>,
}

impl VersionContent {
    /// The content of a record at a time, when some of its overrides may have ended.
    fn at(record: &Entitlements, at: Timestamp) -> Self {
        let source = record.source.as_ref().map(|set| (set.completeness, set.data.clone()));
        Self { source, overrides: Self::overrides_at(record, at).cloned().collect() }
    }

    /// Whether this is the content of a record at a time. Copies nothing: it is compared after every step.
    fn is_at(&self, record: &Entitlements, at: Timestamp) -> bool {
        let source = record.source.as_ref().map(|set| (set.completeness, &set.data));
        let own = self.source.as_ref().map(|(completeness, data)| (*completeness, data));
        own == source && self.overrides.iter().eq(Self::overrides_at(record, at))
    }

    fn overrides_at(record: &Entitlements, at: Timestamp) -> impl Iterator<Item = &OverridePeriod> {
        let is_kept = move |it: &&OverridePeriod| it.expires_at.is_none_or(|end| end > at);
        record.overrides.iter().filter(is_kept)
    }
}

impl Harness {
    pub(crate) fn new(access: SourceAccess, events_have_lists: bool, skew: i64) -> Self {
        let world = World::new(access);
        Self {
            process: LedgerProcess::new(WorldPorts(Rc::clone(&world))),
            world,
            events_have_lists,
            skew: skew * 1_000,
            grants: 0,
            events: 0,
            deliveries: Rc::default(),
            dropped: false,
            versions: BTreeMap::new(),
            reference: Rc::default(),
        }
    }

    fn now(&self) -> UnixMillis {
        self.world.time.now()
    }

    fn stripes_time(&self) -> Timestamp {
        let now = i64::try_from(self.now().0).unwrap();
        Timestamp((now + self.skew).div_euclid(1_000))
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
            created: self.stripes_time(),
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

    /// The operator sets other default features.
    pub(crate) fn set_default_features(&mut self, numbers: &[usize]) {
        let features = numbers.iter().map(|number| feature(*number)).collect();
        self.world.default_features.replace(features);
    }

    /// Our clock is set back.
    pub(crate) fn set_clock_back(&mut self, millis: u64) {
        self.skew += i64::try_from(millis).unwrap();
        self.world.set_clock_back(millis);
        let mut reference = self.reference.borrow_mut();
        reference.clock_was_set_back();
        // Starts and ends that the ledger has not carried out may happen after other changes.
        drop(self.versions.split_off(&reference.version().next()));
    }

    /// An operator creates, updates or deletes an override.
    pub(crate) fn manage(&mut self, step: &OverrideStep) {
        let command = self.reference.borrow_mut().make_command(step, self.now());
        let (process, world) = (self.process.clone(), Rc::clone(&self.world));
        let reference = Rc::clone(&self.reference);
        self.spawn(async move {
            let customer = customer(CUSTOMER);
            let request = OverrideRequest { customer, command: command.clone() };
            let request = LedgerRequest::ManageOverrides(request);
            let mut response = pin!(process.handle(&request));
            let mut expected = None;
            let response = poll_fn(|context| {
                let response = response.as_mut().poll(context);
                // The first poll runs the transaction.
                expected.get_or_insert_with(|| {
                    let entries = new_entries(&world, reference.borrow().version());
                    reference.borrow_mut().carry_out(&command, &entries, world.time.now())
                });
                response
            });
            match response.await {
                Ok(LedgerResponse::Overrides(reply)) => expected.unwrap().assert_reply(&reply),
                Ok(response) => panic!("{response:?}"),
                Err(_) => {}
            }
        });
    }

    /// A request asks why the customer has a feature.
    pub(crate) fn explain(&mut self, number: usize) {
        let (process, world) = (self.process.clone(), Rc::clone(&self.world));
        let reference = Rc::clone(&self.reference);
        self.spawn(async move {
            let query = explain_query(feature(number), None);
            let response = process.handle(&LedgerRequest::Explain(query)).await;
            if let Ok(LedgerResponse::Explained(ExplainReply::Explained(explanation))) = response {
                let state = world.tables.state();
                let default_features = world.default_features.borrow();
                let known = (state.record.source(), &default_features[..]);
                let now = world.time.now();
                reference.borrow().assert_explanation(&explanation, &feature(number), known, now);
            }
        });
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
        for record in &self.world.tables.take_records() {
            let newest = self.versions.last_key_value().map_or(Version::default(), |(v, _)| *v);
            assert!(record.version >= newest, "version {} after {newest}", record.version);
            self.note_version(record.version, record, record.advanced_to);
            if let Some(set) = &record.source {
                self.assert_set_existed(set);
            }
        }
        self.world.oldest_state.set(self.world.last_read.get());
        if let Some(replica) = &*self.world.replica.borrow() {
            let content = self.versions.get(&replica.version);
            let is_version = content.is_some_and(|it| it.is_at(replica, replica.advanced_to));
            assert!(
                is_version,
                "the replica is no version of the ledger: {replica:?}, {content:?}"
            );
        }
        let world = Rc::clone(&self.world);
        world.tables.read(|state| self.assert_state(state)).unwrap();
    }

    /// Asserts what must be true of the stored state after every step.
    fn assert_state(&mut self, state: &LedgerState) {
        self.assert_answers(state);
        if self.world.time.is_idle() {
            let alarm = self.world.alarm.get();
            let is_stuck = state.outbox.next_due().is_some() && alarm.is_none();
            assert!(!is_stuck, "tasks are pending without an alarm: {:?}", state.outbox);
            // The platform's alarm does not follow a clock that is set back.
            if let Some(edge) = state.record.next_edge().map(UnixMillis::from)
                && self.skew == 0
            {
                let latest = edge.max(self.now().saturating_add(ALARM_RETRY));
                let is_early = alarm.is_some_and(|alarm| alarm <= latest);
                assert!(is_early, "the alarm at {alarm:?} is after a start or end at {edge:?}");
            }
        }
    }

    /// Notes what a version of a record is at a time, which must be one state.
    fn note_version(&mut self, version: Version, record: &Entitlements, at: Timestamp) {
        let first = || VersionContent::at(record, at);
        let stored = self.versions.entry(version).or_insert_with(first);
        assert!(
            stored.is_at(record, at),
            "version {version} is two states: {stored:?}, {record:?}"
        );
    }

    /// Asserts that the history and each answer of the ledger are those of the reference.
    fn assert_answers(&mut self, state: &LedgerState) {
        let now = self.now();
        let default_features = self.world.default_features.borrow().clone();
        {
            let mut reference = self.reference.borrow_mut();
            let entries = new_entries(&self.world, reference.version());
            reference.follow_history(&entries, state);
            reference.assert_answers(state, &default_features, now);
        }
        if let Some(record) = &state.record.entitlements {
            let context = AnswerContext {
                policy: SourcePolicy::default(),
                default_features: &default_features,
                now: now.to_timestamp(),
            };
            let set = EffectiveSet::new(Some(record), MissingSource::Undetermined, context);
            self.note_version(set.version(), record, set.at());
        }
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
        self.pass_edges();
    }

    /// Lets the alarm carry out each start and end of an override.
    fn pass_edges(&mut self) {
        while let Some(edge) = self.world.tables.state().record.next_edge() {
            let alarm = self.world.alarm.get().unwrap();
            self.pass_time(alarm.max(edge.into()).millis_since(self.now()));
            self.complete_tasks();
            let next = self.world.tables.state().record.next_edge();
            assert!(next.is_none_or(|next| next > edge), "the alarm did not carry out {edge}");
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
            let next_task = self.world.tables.read(|state| state.outbox.next_due());
            let is_pending = next_task.unwrap().is_some()
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
        self.assert_past();
    }

    /// Asserts that an explanation of a past time is what the ledger would have answered then.
    fn assert_past(&self) {
        let now = self.now().to_timestamp();
        for (at, keys) in self.reference.borrow().past() {
            let asked: BTreeSet<_> = keys.iter().take(2).cloned().chain([feature(0)]).collect();
            for key in asked.into_iter().filter(|_| at < now) {
                let request = LedgerRequest::Explain(explain_query(key.clone(), Some(at)));
                let response = self.world.time.run_until(self.process.handle(&request));
                let Some(Ok(LedgerResponse::Explained(ExplainReply::Explained(explanation)))) =
                    response
                else {
                    panic!("{response:?}")
                };
                let entitled = explanation.entitled.unwrap_or_default();
                assert_eq!(entitled, keys.contains(&key), "{key} at {at}: {explanation:?}");
            }
        }
    }

    /// Asserts that the replica and the customer index are as new as the ledger.
    fn assert_copies(&self, record: Option<&Entitlements>) {
        match (&*self.world.replica.borrow(), record) {
            (Some(replica), Some(set)) => {
                let policy = |record: &Entitlements| record.source.as_ref().map(|set| set.policy);
                assert_eq!((replica.version, policy(replica)), (set.version, policy(set)), "lags");
                assert_eq!(replica.advanced_to, set.advanced_to, "the replica lags");
                let content = VersionContent::at(replica, Timestamp::MIN);
                assert_eq!(content, VersionContent::at(set, Timestamp::MIN), "the replica lags");
            }
            (None, Some(set)) => assert!(set.is_blank(), "the replica is missing: {set:?}"),
            (replica, None) => assert_eq!(*replica, None),
        }
        let pending = self.world.reported_status.get().map(|status| status.pending);
        assert_eq!(pending, record.map(|_| 0), "completed tasks are reported as pending");
        let sources = self.versions.values().filter_map(|content| content.source.as_ref());
        let of_sources = sources.flat_map(|(_, data)| data).map(|grant| grant.lookup_key.clone());
        let mut observed = self.reference.borrow().observed.clone();
        observed.extend(of_sources);
        let reported = self.world.reported_features.borrow();
        assert_eq!(*reported, observed, "the features of all sets are reported");
    }
}

/// The entries of the history after a version, oldest first.
fn new_entries(world: &World, after: Version) -> Vec<HistoryEntry> {
    let query = HistoryQuery {
        customer: customer(CUSTOMER),
        after: Some(after),
        before: None,
        first: None,
        last: None,
        limit: u32::MAX,
    };
    world.tables.read_history(&query, world.time.now().to_timestamp()).unwrap()
}

fn explain_query(feature: LookupKey, at: Option<Timestamp>) -> ExplainQuery {
    ExplainQuery { customer: customer(CUSTOMER), feature, at }
}
