//! Handlers of `/v1/test_helpers/test_clocks`. They exist in test mode only.
//!
//! Specification: <https://docs.stripe.com/api/test_clocks>.

use serde_json::Value;

use super::{
    super::error::Error,
    context::{RequestContext, deleted_object},
};
use crate::{
    catalog::{
        objects::test_clock::{self, TestClock},
        operations::test_clocks,
        page::ListConditions,
    },
    id::Livemode,
};

/// The most characters of a clock's name. Stripe documents no limit.
const MAX_NAME_LEN: usize = 300;

pub(super) fn list(context: &mut RequestContext<'_>) -> Result<Value, Error> {
    require_test_mode(context)?;
    let page = context.params.list_query()?;
    context.reject_unknown()?;
    let livemode = context.tx.livemode;
    let index = test_clock::INDEX.to_owned();
    context.page_response(&[index], &page, &ListConditions::default(), &|clock: &TestClock| {
        Ok(clock.to_json(livemode))
    })
}

pub(super) fn create(context: &mut RequestContext<'_>) -> Result<Value, Error> {
    require_test_mode(context)?;
    let frozen_time = context.params.timestamp("frozen_time")?;
    let frozen_time = frozen_time.ok_or_else(|| Error::missing_param("frozen_time"))?;
    let name = context.params.non_empty("name", MAX_NAME_LEN)?;
    context.reject_unknown()?;
    let clock = test_clocks::create(&context.tx, frozen_time, name)?;
    Ok(clock.to_json(context.tx.livemode))
}

pub(super) fn retrieve(context: &mut RequestContext<'_>) -> Result<Value, Error> {
    require_test_mode(context)?;
    context.reject_unknown()?;
    let clock = test_clock::load(&context.tx, context.id(), "id")?;
    Ok(clock.to_json(context.tx.livemode))
}

pub(super) fn advance(context: &mut RequestContext<'_>) -> Result<Value, Error> {
    require_test_mode(context)?;
    let target = context.params.timestamp("frozen_time")?;
    let target = target.ok_or_else(|| Error::missing_param("frozen_time"))?;
    context.reject_unknown()?;
    let clock = test_clocks::advance(&context.tx, context.id(), target)?;
    Ok(clock.to_json(context.tx.livemode))
}

pub(super) fn delete(context: &mut RequestContext<'_>) -> Result<Value, Error> {
    require_test_mode(context)?;
    context.reject_unknown()?;
    test_clocks::delete(&context.tx, context.id())?;
    Ok(deleted_object(context.id(), "test_helpers.test_clock"))
}

fn require_test_mode(context: &RequestContext<'_>) -> Result<(), Error> {
    match context.tx.livemode {
        Livemode::Test => Ok(()),
        Livemode::Live => Err(Error::invalid(
            "Test clocks are only available in test mode: use a key that begins with sk_test_.",
        )),
    }
}
