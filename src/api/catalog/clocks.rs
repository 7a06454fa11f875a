//! Test clocks: <https://docs.stripe.com/api/test_clocks>. There are none in live mode.

use serde_json::Value;

use super::{super::error::Error, Visit, deleted};
use crate::{
    catalog::clock::{self, Clock},
    id::Livemode,
};

/// The most characters of a clock's name. Stripe tells no limit.
const NAME: usize = 300;

pub(super) fn list(visit: &mut Visit<'_>) -> Result<Value, Error> {
    for_tests_only(visit)?;
    let page = visit.params.page()?;
    visit.finish()?;
    let livemode = visit.catalog.livemode;
    let list = clock::LIST.to_owned();
    visit.page(&[list], &page, |_| true, |clock: &Clock| Ok(clock.shown(livemode)))
}

pub(super) fn create(visit: &mut Visit<'_>) -> Result<Value, Error> {
    for_tests_only(visit)?;
    let frozen = visit.params.moment("frozen_time")?;
    let frozen = frozen.ok_or_else(|| Error::missing("frozen_time"))?;
    let name = visit.params.filled("name", NAME)?;
    visit.finish()?;
    let clock = clock::create(&visit.catalog, frozen, name)?;
    Ok(clock.shown(visit.catalog.livemode))
}

pub(super) fn retrieve(visit: &mut Visit<'_>) -> Result<Value, Error> {
    for_tests_only(visit)?;
    visit.finish()?;
    let clock = visit.catalog.clock(visit.id(), "id")?;
    Ok(clock.shown(visit.catalog.livemode))
}

pub(super) fn advance(visit: &mut Visit<'_>) -> Result<Value, Error> {
    for_tests_only(visit)?;
    let to = visit.params.moment("frozen_time")?;
    let to = to.ok_or_else(|| Error::missing("frozen_time"))?;
    visit.finish()?;
    let clock = clock::advance(&visit.catalog, visit.id(), to)?;
    Ok(clock.shown(visit.catalog.livemode))
}

pub(super) fn delete(visit: &mut Visit<'_>) -> Result<Value, Error> {
    for_tests_only(visit)?;
    visit.finish()?;
    clock::delete(&visit.catalog, visit.id())?;
    Ok(deleted(visit.id(), "test_helpers.test_clock"))
}

fn for_tests_only(visit: &Visit<'_>) -> Result<(), Error> {
    match visit.catalog.livemode {
        Livemode::Test => Ok(()),
        Livemode::Live => Err(Error::invalid(
            "Test clocks are of test mode: use a key that begins with sk_test_.",
        )),
    }
}
