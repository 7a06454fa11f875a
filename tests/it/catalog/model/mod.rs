//! Whatever is done in whatever order, customers hold what the rules say, and are told of each change.
//!
//! | file       | is                                                                                |
//! |------------|-----------------------------------------------------------------------------------|
//! | [`strategies`]  | what may happen, at random                                                        |
//! | [`reference`] · [`subscription`] | the rules once more, as plainly as they can be told: what time does |
//! | [`requests`] · [`updates`] | and what requests do                                              |
//! | [`harness`]  | a history on both sides, and what must agree after each step                      |
//! | [`steps_run`]  | each step, told to the rules and asked of the API                                 |
//! | [`event_checks`]   | the events, each of which must be told once                                       |
//!
//! `PROPTEST_CASES` sets how many histories are tried.

mod event_checks;
mod harness;
mod reference;
mod requests;
mod steps_run;
mod strategies;
mod subscription;
mod updates;

use proptest::{
    collection::vec,
    test_runner::{Config, RngAlgorithm, TestRunner},
};

use self::{
    harness::World,
    reference::Policy,
    subscription::{Method, Missing, Payment, Status},
};

/// How many histories are tried unless `PROPTEST_CASES` says otherwise.
const CASES: u32 = 2_000;

/// The most steps of a history: it has half as many on average.
const STEPS: usize = 80;

/// One thing that happens, and whether the work that is due after it is put off.
#[derive(Clone, Debug)]
struct Step {
    what: Happening,
    late: bool,
}

/// What happens. Numbers name what there is by its place, modulo how many there are.
#[derive(Clone, Debug)]
enum Happening {
    Sell(Sale),
    Serve(Service),
    Subscribe(Purchase),
    Interrupt(usize, Interruption),
    Amend(usize, Update),
    /// Somebody asks what a customer may use.
    Ask(usize),
    Pass(Passing),
}

#[derive(Clone, Debug)]
enum Sale {
    /// A feature with one of a few keys.
    Feature(usize),
    Archive(usize),
    Product,
    /// A product gets so many new features.
    Stock(usize, usize),
    Attach(usize, usize),
    Detach(usize, usize),
    Apply(usize),
    /// A price of a product for so many days; for nothing, or not.
    Price(usize, i64, bool),
    Withdraw(usize),
}

#[derive(Clone, Debug)]
enum Service {
    /// A customer on a clock, or on none.
    Customer(Option<usize>, Method),
    Pays(usize, Method),
    Leaves(usize),
}

/// A subscription to be. Moments are so many seconds from now.
#[derive(Clone, Debug)]
struct Purchase {
    customer: usize,
    prices: Vec<usize>,
    trial_days: i64,
    method: Method,
    payment: Payment,
    missing: Missing,
    invoices: bool,
    anchor_in: Option<i64>,
    at_period_end: bool,
    cancel_in: Option<i64>,
}

#[derive(Clone, Debug)]
enum Interruption {
    Cancel,
    Pause,
    /// With a period that begins now, or not.
    Resume(bool),
}

/// What one request changes about a subscription. Moments are so many seconds from now.
#[derive(Clone, Debug, Default)]
struct Update {
    items: Vec<Change>,
    ending: Option<Ending>,
    told: Option<Status>,
    /// When a trial is to end: at zero, now.
    trial: Option<i64>,
    missing: Option<Missing>,
    method: Option<Method>,
    invoices: Option<bool>,
    collection: Option<Collection>,
    /// A period begins now.
    anew: bool,
}

/// What becomes of an item.
#[derive(Clone, Debug)]
enum Change {
    Add(usize),
    Price(usize, usize),
    Quantity(usize),
    Remove(usize),
}

#[derive(Clone, Copy, Debug)]
enum Ending {
    AtPeriodEnd(bool),
    /// So many seconds from now, or not any more.
    In(Option<i64>),
}

/// Whether invoices are collected.
#[derive(Clone, Copy, Debug)]
enum Collection {
    On,
    PausedFor(i64),
}

#[derive(Clone, Debug)]
enum Passing {
    Clock,
    DeleteClock(usize),
    Advance(usize, i64),
    Time(i64),
    Policy(Policy),
}

#[test]
fn every_history_leaves_customers_with_what_the_rules_say_and_tells_of_each_change() {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    let cases = cases.unwrap_or(CASES);
    // The cheapest numbers will do: each choice between strategies seeds as many others anew.
    let rng_algorithm = RngAlgorithm::XorShift;
    let config = Config { cases, failure_persistence: None, rng_algorithm, ..Config::default() };
    TestRunner::new(config)
        .run(&vec(strategies::step(), 1..STEPS), |steps| {
            let mut world = World::new();
            for step in &steps {
                world.happen(step);
            }
            world.end();
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
}
