//! Whatever the network does, the ledger ends in Stripe's state, and says nothing wrong on the way.
//!
//! Random histories of one customer are turned into events, which arrive in any order, twice, late
//! or never, between reads and writes that fail before and after their effect, crashes, and jumps of
//! time. `PROPTEST_CASES` sets how many histories are tried.

mod harness;

use entgate::ledger::SourceAccess;
use proptest::{
    collection::vec,
    option,
    prelude::{Just, Strategy, any},
    prop_oneof,
    test_runner::{Config, TestRunner},
};

use self::harness::{Fault, Put, World};

/// How many histories are tried unless `PROPTEST_CASES` says otherwise.
const CASES: u32 = 10_000;

/// One thing that happens.
#[derive(Clone, Debug)]
enum Step {
    /// At Stripe, the customer holds so many features from that one on.
    Change(usize, usize),
    Deliver(usize),
    Drop(usize),
    Repeat(usize),
    Pass(u64),
    Wake {
        roster_fails: bool,
    },
    Ask,
    Reconcile,
    Read,
    Write(Put),
    Fail(Vec<Fault>),
    Crash(Option<u64>),
}

fn step() -> impl Strategy<Value = Step> {
    let any = any::<usize>;
    // A write that failed lands within four seconds or never: what the outbox assumes.
    let late = || 0_u64..4_000;
    let size = prop_oneof![6 => 0_usize..4, 3 => 4_usize..13, 1 => 90_usize..301];
    let pass = prop_oneof![
        4 => 0_u64..1_000,
        3 => 1_000_u64..12_000,
        1 => Just(3_600_000),
        1 => Just(86_400_000),
    ];
    let put = prop_oneof![
        5 => Just(Put::Done),
        1 => Just(Put::FailedBefore),
        1 => Just(Put::FailedAfter),
        2 => late().prop_map(Put::FailedAndLandsIn),
    ];
    let fault = prop_oneof![
        Just(Fault::Lost),
        Just(Fault::Malformed),
        (0..6_usize).prop_map(|at| Fault::Status([401, 403, 404, 429, 500, 503][at])),
    ];
    prop_oneof![
        5 => (0_usize..20, size).prop_map(|(first, count)| Step::Change(first, count)),
        6 => any().prop_map(Step::Deliver),
        1 => any().prop_map(Step::Drop),
        1 => any().prop_map(Step::Repeat),
        5 => pass.prop_map(Step::Pass),
        6 => proptest::bool::weighted(0.2).prop_map(|roster_fails| Step::Wake { roster_fails }),
        1 => Just(Step::Ask),
        1 => Just(Step::Reconcile),
        8 => Just(Step::Read),
        4 => put.prop_map(Step::Write),
        1 => vec(fault, 1..5).prop_map(Step::Fail),
        1 => option::of(late()).prop_map(Step::Crash),
    ]
}

/// What happens to a customer, and then everything works again.
#[track_caller]
fn live(list: SourceAccess, told: bool, skew: i64, steps: &[Step]) {
    let mut world = World::new(list, told, skew);
    for step in steps {
        match step {
            Step::Change(first, count) => world.change(*first, *count),
            Step::Deliver(which) => world.deliver(*which),
            Step::Drop(which) => world.drop_event(*which),
            Step::Repeat(which) => world.repeat(*which),
            Step::Pass(millis) => world.pass(*millis),
            Step::Wake { roster_fails } => world.wake(*roster_fails),
            Step::Ask => world.ask(),
            Step::Reconcile => world.reconcile(),
            Step::Read => world.step_read(),
            Step::Write(end) => world.finish_write(*end),
            Step::Fail(faults) => world.fail(faults),
            Step::Crash(lands) => world.crash(*lands),
        }
        world.look();
    }
    world.settle();
    world.look_at_the_end();
}

fn try_histories(list: SourceAccess, told: bool) {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    let cases = cases.unwrap_or(CASES);
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let skew = prop_oneof![3 => Just(0), 1 => -3_i64..4];
    TestRunner::new(config)
        .run(&(skew, vec(step(), 1..60)), |(skew, steps)| {
            live(list, told, skew, &steps);
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn with_a_key_every_history_ends_in_stripes_state() {
    try_histories(SourceAccess::Available, true);
}

#[test]
fn without_a_key_every_history_ends_in_the_state_of_the_newest_event() {
    try_histories(SourceAccess::None, true);
}

#[test]
fn events_that_do_not_say_what_is_held_lead_to_stripes_state_too() {
    try_histories(SourceAccess::Available, false);
}

#[test]
fn a_stranger_whose_list_cannot_be_read_leaves_nothing_that_is_owed() {
    let refused = Step::Fail(vec![Fault::Status(401)]);
    live(SourceAccess::Available, true, 0, &[refused, Step::Ask, Step::Read, Step::Read]);
}
