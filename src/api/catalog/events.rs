//! Events: <https://docs.stripe.com/api/events>. They are there for thirty days.

use serde_json::Value;

use super::{super::error::Error, Visit, fields::TEXT};
use crate::catalog::{
    Object as _,
    event::{self, Event},
    outbox,
};

/// The most types that a list can be asked for, by Stripe's API.
const TYPES: usize = 20;

pub(super) fn list(visit: &mut Visit<'_>) -> Result<Value, Error> {
    let params = &mut visit.params;
    let r#type = params.filled("type", TEXT)?;
    let mut types = params.list("types")?;
    let delivered = params.boolean("delivery_success")?;
    let mut page = params.page_by_date()?;
    visit.finish()?;
    if r#type.is_some() && !types.is_empty() {
        return Err(Error::parameter(
            "types",
            "parameters_exclusive",
            "You may only specify one of these parameters: type, types.",
        ));
    }
    if types.len() > TYPES {
        let message = format!("You can ask for at most {TYPES} types at once.");
        return Err(Error::parameter("types", "parameter_invalid", message));
    }
    let param = if types.is_empty() { "type" } else { "types" };
    types.extend(r#type.filter(|r#type| r#type != "*"));
    if let Some(odd) = types.iter().find(|r#type| wildcard(r#type).contains('*')) {
        return Err(Error::parameter(
            param,
            "parameter_invalid",
            format!("Invalid type: {odd}. A `*` stands at the end, after a dot: customer.*"),
        ));
    }
    let lists: Vec<String> = match (types.is_empty(), delivered) {
        (true, Some(false)) => vec![event::UNDELIVERED.to_owned()],
        (true, _) => vec![event::LIST.to_owned()],
        (false, _) => types.iter().map(|r#type| event::list(r#type)).collect(),
    };
    let oldest = Some(event::oldest(visit.catalog.now));
    page.created.first = page.created.first.max(oldest);
    let livemode = visit.catalog.livemode;
    let keep = |event: &Event| delivered.is_none_or(|delivered| delivered == event.is_delivered());
    visit.page(&lists, &page, keep, |event: &Event| Ok(event.shown(livemode)))
}

/// What of a type stands before its `.*`.
fn wildcard(r#type: &str) -> &str {
    r#type.strip_suffix(".*").unwrap_or(r#type)
}

pub(super) fn retrieve(visit: &mut Visit<'_>) -> Result<Value, Error> {
    visit.finish()?;
    let event = present(visit)?;
    Ok(event.shown(visit.catalog.livemode))
}

/// Sends an event again to one endpoint: what Stripe's CLI does with `stripe events resend`.
pub(super) fn retry(visit: &mut Visit<'_>) -> Result<Value, Error> {
    let endpoint = visit.params.needed("webhook_endpoint", TEXT)?;
    visit.finish()?;
    let event = present(visit)?;
    let event = outbox::send_again(&visit.catalog, &event.id, &endpoint)?;
    Ok(event.shown(visit.catalog.livemode))
}

fn present(visit: &Visit<'_>) -> Result<Event, Error> {
    let event: Event = visit.catalog.load(visit.id(), "id")?;
    if event.is_expired(visit.catalog.now) {
        return Err(Error::not_here(format!("No such {}: '{}'", Event::KIND, event.id)));
    }
    Ok(event)
}
