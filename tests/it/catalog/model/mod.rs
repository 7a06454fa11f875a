//! Random sequences of requests and time steps: the catalog must agree with a reference model.
//!
//! | file | contents |
//! |------|----------|
//! | [`steps`] · [`strategies`] | the steps of a sequence · how they are generated |
//! | [`subscription`] · [`reference`] | the reference model, written as simply as possible: state and time |
//! | [`requests`] · [`updates`] | the reference model: requests · updates of subscriptions |
//! | [`harness`] · [`steps_run`] · [`subscription_steps`] | the catalog next to the model · each step runs on both |
//! | [`event_checks`] · [`state_checks`] | the events of a step · the lists of a customer |
//!
//! Both accept or both reject each request. Each change emits its events, and the last event of a
//! subscription has its current state. `PROPTEST_CASES` sets the number of sequences.

mod subscription;

mod reference;

mod steps;
mod strategies;

mod requests;
mod updates;

mod harness;

mod event_checks;
mod state_checks;

mod subscription_steps;

mod steps_run;

use proptest::{
    collection::vec,
    test_runner::{Config, RngAlgorithm, TestRunner},
};

/// The number of sequences unless `PROPTEST_CASES` is set.
const DEFAULT_CASES: u32 = 2_000;

/// The maximum length of a sequence. The average is half of it.
const MAX_STEPS: usize = 80;

#[test]
fn the_catalog_agrees_with_the_reference_model_after_each_random_step() {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    let cases = cases.unwrap_or(DEFAULT_CASES);
    // Each choice between strategies seeds other generators, so a fast algorithm matters.
    let rng_algorithm = RngAlgorithm::XorShift;
    let config = Config { cases, failure_persistence: None, rng_algorithm, ..Config::default() };
    TestRunner::new(config)
        .run(&vec(strategies::timed_step(), 1..MAX_STEPS), |steps| {
            let mut harness = steps_run::set_up();
            for step in &steps {
                steps_run::run(&mut harness, step);
            }
            steps_run::finish(&mut harness);
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
}
