//! Test clocks: <https://docs.stripe.com/api/test_clocks>. There are none in live mode.

use serde_json::Value;

use super::{
    super::error::Error,
    context::{RequestContext, deleted_object},
};
use crate::{
    catalog::{
        objects::test_clock::{self, TestClock},
        operations::test_clocks,
    },
    id::Livemode,
};

/// The most characters of a clock's name. Stripe tells no limit.
const MAX_NAME_LEN: usize = 300;

pub(super) fn list(visit: &mut RequestContext<'_>) -> Result<Value, Error> {
    require_test_mode(visit)?;
    let page = visit.params.list_query()?;
    visit.reject_unknown()?;
    let livemode = visit.tx.livemode;
    let list = test_clock::INDEX.to_owned();
    visit.page_response(&[list], &page, |_| true, |clock: &TestClock| Ok(clock.to_json(livemode)))
}

pub(super) fn create(visit: &mut RequestContext<'_>) -> Result<Value, Error> {
    require_test_mode(visit)?;
    let frozen = visit.params.timestamp("frozen_time")?;
    let frozen = frozen.ok_or_else(|| Error::missing_param("frozen_time"))?;
    let name = visit.params.non_empty("name", MAX_NAME_LEN)?;
    visit.reject_unknown()?;
    let clock = test_clocks::create(&visit.tx, frozen, name)?;
    Ok(clock.to_json(visit.tx.livemode))
}

pub(super) fn retrieve(visit: &mut RequestContext<'_>) -> Result<Value, Error> {
    require_test_mode(visit)?;
    visit.reject_unknown()?;
    let clock = test_clock::load(&visit.tx, visit.id(), "id")?;
    Ok(clock.to_json(visit.tx.livemode))
}

pub(super) fn advance(visit: &mut RequestContext<'_>) -> Result<Value, Error> {
    require_test_mode(visit)?;
    let to = visit.params.timestamp("frozen_time")?;
    let to = to.ok_or_else(|| Error::missing_param("frozen_time"))?;
    visit.reject_unknown()?;
    let clock = test_clocks::advance(&visit.tx, visit.id(), to)?;
    Ok(clock.to_json(visit.tx.livemode))
}

pub(super) fn delete(visit: &mut RequestContext<'_>) -> Result<Value, Error> {
    require_test_mode(visit)?;
    visit.reject_unknown()?;
    test_clocks::delete(&visit.tx, visit.id())?;
    Ok(deleted_object(visit.id(), "test_helpers.test_clock"))
}

fn require_test_mode(visit: &RequestContext<'_>) -> Result<(), Error> {
    match visit.tx.livemode {
        Livemode::Test => Ok(()),
        Livemode::Live => Err(Error::invalid(
            "Test clocks are of test mode: use a key that begins with sk_test_.",
        )),
    }
}
