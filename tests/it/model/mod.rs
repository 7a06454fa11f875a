//! Model test of the ledger: in any history, the ledger ends in Stripe's state, and its answers are
//! never wrong on the way.
//!
//! Random histories of one customer become events. They arrive in any order, twice, late or never, and
//! several at a time. Two changes may fall into one second. Requests, transactions and writes fail before and after their effect. The object
//! crashes between any two steps, and time jumps: forwards, and back.
//! Operators create, update and delete overrides, which start and end, and set other default features. Each
//! answer is that of a simple reference.
//! `PROPTEST_CASES` sets the number of histories.

mod deliveries;
mod harness;
mod override_commands;
mod overrides;
pub(crate) mod world;

use entgate::{
    id::Timestamp,
    ledger::{OverrideEnd, SourceAccess},
    override_period::OverrideEffect,
    policy::GrantRule,
    store::memory::Fault,
};
use proptest::{
    collection::vec,
    option,
    prelude::{Just, Strategy, any},
    prop_oneof,
    sample::subsequence,
    test_runner::{Config, TestRunner},
};

use self::{
    harness::Harness,
    override_commands::OverrideStep,
    world::{RequestFault, Slot, WriteResult},
};

/// The number of histories, unless `PROPTEST_CASES` sets another.
const CASES: u32 = 10_000;

/// One step of a history.
#[derive(Clone, Debug)]
enum Step {
    /// At Stripe, the customer has so many features from that one on.
    Change(usize, usize),
    /// Two changes in one second, whose events arrive at once: in their order or not.
    ChangeTwice([(usize, usize); 2], bool),
    Policy(GrantRule),
    DefaultFeatures(Vec<usize>),
    Override(OverrideStep),
    Explain(usize),
    Deliver(usize),
    Drop(usize),
    Repeat(usize),
    Poll,
    PassTime(u64),
    SetClockBack(u64),
    Load,
    Sync(usize, u32),
    Reconcile,
    FinishWrite(WriteResult),
    FailRequests(Vec<RequestFault>),
    FailTransaction(Fault),
    FailReport(Fault),
    Slots(Vec<Slot>),
    Crash(Option<u64>),
}

/// A request of an operator, mostly about seconds that a history reaches.
fn override_step() -> impl Strategy<Value = OverrideStep> {
    let start = || option::of(-3_i64..20);
    let end = || {
        prop_oneof![
            2 => Just(OverrideEnd::Never),
            1 => Just(OverrideEnd::Now),
            3 => (-2_i64..40).prop_map(|seconds| OverrideEnd::At(Timestamp(seconds))),
            3 => (0_i64..30).prop_map(OverrideEnd::After),
        ]
    };
    let effect = prop_oneof![3 => Just(OverrideEffect::Grant), 2 => Just(OverrideEffect::Deny)];
    prop_oneof![
        5 => (0_usize..6, effect, start(), end()).prop_map(|(feature, effect, start, end)| {
            OverrideStep::Create { feature, effect, start, end }
        }),
        3 => (any::<usize>(), start(), option::of(end()))
            .prop_map(|(which, start, end)| OverrideStep::Update { which, start, end }),
        1 => any::<usize>().prop_map(OverrideStep::Delete),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let any = any::<usize>;
    // A failed write takes effect within five minutes or never, as the ledger assumes.
    let late = || prop_oneof![4 => 0_u64..4_000, 1 => 4_000_u64..300_000];
    let size = || prop_oneof![6 => 0_usize..4, 3 => 4_usize..13, 1 => 90_usize..301];
    let duration = prop_oneof![
        4 => 0_u64..1_000,
        3 => 1_000_u64..12_000,
        1 => Just(3_600_000),
        1 => Just(86_400_000),
    ];
    let write_result = prop_oneof![
        5 => Just(WriteResult::Succeeded),
        1 => Just(WriteResult::FailedBefore),
        1 => Just(WriteResult::FailedAfter),
        2 => late().prop_map(WriteResult::FailedWithLateEffect),
    ];
    let request_fault = prop_oneof![
        Just(RequestFault::ConnectionLost),
        Just(RequestFault::Malformed),
        (0..6_usize).prop_map(|index| RequestFault::Status([401, 403, 404, 429, 500, 503][index])),
    ];
    let slot = prop_oneof![
        4 => (0_u64..20_000).prop_map(Slot::After),
        1 => Just(Slot::After(7_200_000)),
        1 => Just(Slot::NoAnswer),
        1 => Just(Slot::Fails),
    ];
    let fault = || prop_oneof![Just(Fault::Before), Just(Fault::After)];
    prop_oneof![
        5 => (0_usize..20, size()).prop_map(|(first, count)| Step::Change(first, count)),
        1 => ([(0_usize..20, size()), (0_usize..20, size())], proptest::bool::ANY)
            .prop_map(|(changes, in_order)| Step::ChangeTwice(changes, in_order)),
        1 => prop_oneof![Just(GrantRule::Keep), Just(GrantRule::Revoke)].prop_map(Step::Policy),
        1 => subsequence((0_usize..8).collect::<Vec<_>>(), 0..4)
            .prop_shuffle()
            .prop_map(Step::DefaultFeatures),
        5 => override_step().prop_map(Step::Override),
        1 => (0_usize..10).prop_map(Step::Explain),
        6 => any().prop_map(Step::Deliver),
        1 => any().prop_map(Step::Drop),
        1 => any().prop_map(Step::Repeat),
        5 => duration.prop_map(Step::PassTime),
        1 => (0_u64..60_000).prop_map(Step::SetClockBack),
        24 => Just(Step::Poll),
        1 => Just(Step::Load),
        1 => (0_usize..20, 0_u32..25).prop_map(|(feature, wait)| Step::Sync(feature, wait)),
        1 => Just(Step::Reconcile),
        4 => write_result.prop_map(Step::FinishWrite),
        1 => vec(request_fault, 1..5).prop_map(Step::FailRequests),
        1 => fault().prop_map(Step::FailTransaction),
        1 => fault().prop_map(Step::FailReport),
        1 => vec(slot, 1..4).prop_map(Step::Slots),
        1 => option::of(late()).prop_map(Step::Crash),
    ]
}

/// Runs a history, and then lets everything succeed.
#[track_caller]
fn run_history(access: SourceAccess, events_have_lists: bool, skew: i64, steps: &[Step]) {
    let mut harness = Harness::new(access, events_have_lists, skew);
    for step in steps {
        match step {
            Step::Change(first, count) => harness.change(*first, *count),
            Step::ChangeTwice(changes, in_order) => harness.change_twice(*changes, *in_order),
            Step::Policy(paused) => harness.set_policy(*paused),
            Step::DefaultFeatures(numbers) => harness.set_default_features(numbers),
            Step::Override(step) => harness.manage(step),
            Step::Explain(feature) => harness.explain(*feature),
            Step::Deliver(which) => harness.deliver(*which),
            Step::Drop(which) => harness.drop_event(*which),
            Step::Repeat(which) => harness.repeat(*which),
            Step::Poll => harness.poll(),
            Step::PassTime(millis) => harness.pass_time(*millis),
            Step::SetClockBack(millis) => harness.set_clock_back(*millis),
            Step::Load => harness.load(),
            Step::Sync(feature, wait) => harness.sync(*feature, *wait),
            Step::Reconcile => harness.reconcile(),
            Step::FinishWrite(result) => harness.finish_write(*result),
            Step::FailRequests(faults) => harness.fail_requests(faults),
            Step::FailTransaction(fault) => harness.fail_transaction(*fault),
            Step::FailReport(fault) => harness.fail_report(*fault),
            Step::Slots(slots) => harness.assign_slots(slots),
            Step::Crash(late_effect) => harness.crash(*late_effect),
        }
        harness.assert_invariants();
    }
    harness.drain();
    harness.assert_final_state();
}

fn run_histories(access: SourceAccess, events_have_lists: bool) {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    let cases = cases.unwrap_or(CASES);
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let skew = prop_oneof![3 => Just(0), 1 => -3_i64..4];
    TestRunner::new(config)
        .run(&(skew, vec(step(), 1..80)), |(skew, steps)| {
            run_history(access, events_have_lists, skew, &steps);
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn every_history_with_a_key_ends_in_stripes_state() {
    run_histories(SourceAccess::Available, true);
}

#[test]
fn every_history_without_a_key_ends_in_the_state_of_the_newest_event() {
    run_histories(SourceAccess::None, true);
}

#[test]
fn every_history_of_events_without_lists_ends_in_stripes_state() {
    run_histories(SourceAccess::Available, false);
}

#[test]
fn an_unknown_customer_whose_list_cannot_be_read_leaves_no_pending_task() {
    let rejected = Step::FailRequests(vec![RequestFault::Status(401)]);
    let steps = [rejected, Step::Load, Step::Poll, Step::Poll];
    run_history(SourceAccess::Available, true, 0, &steps);
}
