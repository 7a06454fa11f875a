//! Events: <https://docs.stripe.com/api/events>. They are there for thirty days.

use serde_json::Value;

use super::{super::error::Error, context::RequestContext, params::MAX_STRING_LEN};
use crate::catalog::{
    engine::deliveries,
    objects::event::{self, Event},
    repository::Entity as _,
};

/// The most types that a list can be asked for, by Stripe's API.
const MAX_TYPES: usize = 20;

pub(super) fn list(visit: &mut RequestContext<'_>) -> Result<Value, Error> {
    let params = &mut visit.params;
    let r#type = params.non_empty("type", MAX_STRING_LEN)?;
    let mut types = params.take_list("types")?;
    let delivered = params.optional_bool("delivery_success")?;
    let mut page = params.list_query_with_created()?;
    visit.reject_unknown()?;
    if r#type.is_some() && !types.is_empty() {
        return Err(Error::parameter(
            "types",
            "parameters_exclusive",
            "You may only specify one of these parameters: type, types.",
        ));
    }
    if types.len() > MAX_TYPES {
        let message = format!("You can ask for at most {MAX_TYPES} types at once.");
        return Err(Error::parameter("types", "parameter_invalid", message));
    }
    let param = if types.is_empty() { "type" } else { "types" };
    types.extend(r#type.filter(|r#type| r#type != "*"));
    if let Some(odd) = types.iter().find(|r#type| wildcard_prefix(r#type).contains('*')) {
        return Err(Error::parameter(
            param,
            "parameter_invalid",
            format!("Invalid type: {odd}. A `*` stands at the end, after a dot: customer.*"),
        ));
    }
    let lists: Vec<String> = match (types.is_empty(), delivered) {
        (true, Some(false)) => vec![event::UNDELIVERED_INDEX.to_owned()],
        (true, _) => vec![event::INDEX.to_owned()],
        (false, _) => types.iter().map(|r#type| event::type_index(r#type)).collect(),
    };
    let oldest = Some(event::retention_start(visit.tx.now));
    page.created.first = page.created.first.max(oldest);
    let livemode = visit.tx.livemode;
    let keep = |event: &Event| delivered.is_none_or(|delivered| delivered == event.is_delivered());
    visit.page_response(&lists, &page, keep, |event: &Event| Ok(event.to_json(livemode)))
}

/// What of a type stands before its `.*`.
fn wildcard_prefix(r#type: &str) -> &str {
    r#type.strip_suffix(".*").unwrap_or(r#type)
}

pub(super) fn retrieve(visit: &mut RequestContext<'_>) -> Result<Value, Error> {
    visit.reject_unknown()?;
    let event = load_unexpired(visit)?;
    Ok(event.to_json(visit.tx.livemode))
}

/// Sends an event again to one endpoint: what Stripe's CLI does with `stripe events resend`.
pub(super) fn retry(visit: &mut RequestContext<'_>) -> Result<Value, Error> {
    let endpoint = visit.params.required_non_empty("webhook_endpoint", MAX_STRING_LEN)?;
    visit.reject_unknown()?;
    let event = load_unexpired(visit)?;
    let event = deliveries::resend(&visit.tx, &event.id, &endpoint)?;
    Ok(event.to_json(visit.tx.livemode))
}

fn load_unexpired(visit: &RequestContext<'_>) -> Result<Event, Error> {
    let event: Event = visit.tx.load(visit.id(), "id")?;
    if event.is_expired(visit.tx.now) {
        return Err(Error::not_found(format!("No such {}: '{}'", Event::TYPE, event.id)));
    }
    Ok(event)
}
