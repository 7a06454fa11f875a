//! Handlers of `/v1/events`. Events are retained for thirty days.
//!
//! `retry` is Stripe's undocumented endpoint behind `stripe events resend`.
//!
//! Specification: <https://docs.stripe.com/api/events>.

use serde_json::Value;

use super::{
    super::error::{Error, excerpt},
    context::RequestContext,
    params::MAX_STRING_LEN,
};
use crate::catalog::{
    engine::deliveries,
    objects::event::{self, Event},
    page::ListConditions,
    repository::Entity as _,
};

/// The most types in the filter of a list, by Stripe's API.
const MAX_TYPES: usize = 20;

pub(super) fn list(context: &mut RequestContext<'_>) -> Result<Value, Error> {
    let params = &mut context.params;
    let r#type = params.non_empty("type", MAX_STRING_LEN)?;
    let mut types = params.take_list("types")?;
    let delivered = params.optional_bool("delivery_success")?;
    let mut page = params.list_query_with_created()?;
    context.reject_unknown()?;
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
    if let Some(invalid) = types.iter().find(|r#type| wildcard_prefix(r#type).contains('*')) {
        return Err(Error::parameter(
            param,
            "parameter_invalid",
            format!(
                "Invalid type: {}. A `*` must be at the end, after a dot: customer.*",
                excerpt(invalid)
            ),
        ));
    }
    let indexes: Vec<String> = match (types.is_empty(), delivered) {
        (true, Some(false)) => vec![event::UNDELIVERED_INDEX.to_owned()],
        (true, _) => vec![event::INDEX.to_owned()],
        (false, _) => types.iter().map(|r#type| event::type_index(r#type)).collect(),
    };
    let oldest = Some(event::retention_start(context.tx.now));
    page.created.first = page.created.first.max(oldest);
    let livemode = context.tx.livemode;
    let now = context.tx.now;
    let conditions = ListConditions {
        belongs: &|event: &Event| {
            let is_selected = types.is_empty() || types.iter().any(|it| matches(it, &event.r#type));
            is_selected && !event.is_expired(now)
        },
        is_listed: &|event: &Event| {
            delivered.is_none_or(|delivered| delivered == event.is_delivered())
        },
    };
    context.page_response(&indexes, &page, &conditions, &|event| Ok(event.to_json(livemode)))
}

/// Whether a type pattern selects a type: `customer.*` selects `customer.created`.
fn matches(pattern: &str, r#type: &str) -> bool {
    match pattern.strip_suffix(".*") {
        Some(prefix) => r#type.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('.')),
        None => pattern == r#type,
    }
}

/// The prefix of a type pattern before `.*`.
fn wildcard_prefix(r#type: &str) -> &str {
    r#type.strip_suffix(".*").unwrap_or(r#type)
}

pub(super) fn retrieve(context: &mut RequestContext<'_>) -> Result<Value, Error> {
    context.reject_unknown()?;
    let event = load_unexpired(context)?;
    Ok(event.to_json(context.tx.livemode))
}

/// Sends an event to one endpoint again.
pub(super) fn retry(context: &mut RequestContext<'_>) -> Result<Value, Error> {
    let endpoint = context.params.required_non_empty("webhook_endpoint", MAX_STRING_LEN)?;
    context.reject_unknown()?;
    let event = load_unexpired(context)?;
    let event = deliveries::resend(&context.tx, &event.id, &endpoint)?;
    Ok(event.to_json(context.tx.livemode))
}

fn load_unexpired(context: &RequestContext<'_>) -> Result<Event, Error> {
    let event: Event = context.tx.load(context.id(), "id")?;
    if event.is_expired(context.tx.now) {
        return Err(Error::not_found(format!("No such {}: '{}'", Event::TYPE, event.id)));
    }
    Ok(event)
}
