//! A simulation of entgate with up to 100 million customers: what each engine uses of its published limit.
//!
//! | module       | contents                                                                       |
//! |--------------|--------------------------------------------------------------------------------|
//! | `population` | the customers of the sample, and how they behave                               |
//! | `ledger`     | the steps of one ledger, by entgate's own rules, and what they use             |
//! | `simulation` | all ledgers of the sample in virtual time, and the budget of reads             |
//! | `poll`       | the event poll of a coordinator, by entgate's own process                      |
//! | `limits`     | published limits and prices, and what is assumed                               |
//! | `report`     | the tables                                                                     |
//!
//! `make scale` writes the tables into `docs/scale.md`. With `--check` it only compares them with the page.

mod ledger;
mod limits;
mod poll;
mod population;
mod random;
mod report;
mod simulation;
mod usage;

use std::{env, fs, process::ExitCode, thread};

use report::{Scale, Scenarios, WEIGHTS};

/// The page, from the folder of this crate.
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/scale.md");

fn main() -> ExitCode {
    let is_check = env::args().any(|argument| argument == "--check");
    let (scales, default_rate) = simulate();
    let tables = report::tables(&scales, &default_rate);
    for (name, table) in &tables {
        println!("{name}\n\n{table}");
    }
    let page = match fs::read_to_string(PAGE) {
        Ok(page) => page,
        Err(error) => return fail(&format!("failed to read {PAGE}: {error}")),
    };
    let Some(updated) = tables
        .iter()
        .try_fold(page.clone(), |page, (name, table)| replace_table(&page, name, table))
    else {
        return fail("docs/scale.md lacks a marker: `<!-- begin NAME -->` or `<!-- end -->`");
    };
    if updated == page {
        return ExitCode::SUCCESS;
    }
    if is_check {
        return fail("docs/scale.md has other tables: run `make scale`");
    }
    match fs::write(PAGE, updated) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&format!("failed to write {PAGE}: {error}")),
    }
}

/// Simulates each scale, with the most reads that Stripe allows and with the default.
fn simulate() -> (Vec<Scale>, Vec<Scale>) {
    let run = |rate, scenarios| {
        WEIGHTS.map(|weight| Scale::simulate(weight, rate, scenarios)).into_iter().collect()
    };
    thread::scope(|scope| {
        let default_rate = scope.spawn(|| run(limits::DEFAULT_RATE, Scenarios::None));
        let scales = run(limits::STRIPE_ENDPOINT, Scenarios::All);
        (scales, default_rate.join().expect("the simulation does not panic"))
    })
}

/// Replaces the table between two markers of the page.
fn replace_table(page: &str, name: &str, table: &str) -> Option<String> {
    let marker = format!("<!-- begin {name} -->\n");
    let begin = page.find(&marker)? + marker.len();
    let end = begin + page[begin..].find("<!-- end -->")?;
    Some(format!("{}\n{table}\n{}", &page[..begin], &page[end..]))
}

fn fail(error: &str) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::FAILURE
}
