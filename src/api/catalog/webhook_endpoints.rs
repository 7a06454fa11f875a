//! Webhook endpoints: <https://docs.stripe.com/api/webhook_endpoints>.
//!
//! Ours are `secret` at creation, for a receiver that has one already; rolling it, for which Stripe
//! has its dashboard only; and the log of deliveries.

use core::net::Ipv4Addr;

use http::Uri;
use serde_json::Value;

use super::{
    super::{error::Error, form::Params},
    context::{RequestContext, deleted_object},
    params::MAX_STRING_LEN,
};
use crate::{
    catalog::{
        objects::{
            delivery_attempt::{self, Attempt},
            webhook_endpoint::{self, WebhookEndpoint},
        },
        operations::webhook_endpoints::{
            self, MAX_SECRET_OVERLAP, NewWebhookEndpoint, WebhookEndpointUpdate,
        },
    },
    id::Livemode,
};

/// The most event types of one endpoint: more than there are.
const MAX_EVENT_TYPES: usize = 500;

pub(super) fn list(visit: &mut RequestContext<'_>) -> Result<Value, Error> {
    let page = visit.params.list_query()?;
    visit.reject_unknown()?;
    let livemode = visit.tx.livemode;
    let list = webhook_endpoint::INDEX.to_owned();
    visit.page_response(
        &[list],
        &page,
        |_| true,
        |endpoint: &WebhookEndpoint| Ok(endpoint.to_json(livemode)),
    )
}

pub(super) fn create(visit: &mut RequestContext<'_>) -> Result<Value, Error> {
    let livemode = visit.tx.livemode;
    let params = &mut visit.params;
    params.ignore(&["connect"]);
    let url = parse_url(params, livemode)?.ok_or_else(|| Error::missing_param("url"))?;
    let events =
        parse_enabled_events(params)?.ok_or_else(|| Error::missing_param("enabled_events"))?;
    let secret = params.non_empty("secret", MAX_STRING_LEN)?;
    let fits = |secret: &String| {
        secret.len() >= 16
            && secret.starts_with("whsec_")
            && secret.bytes().all(|byte| byte.is_ascii_graphic())
    };
    if secret.as_ref().is_some_and(|secret| !fits(secret)) {
        return Err(Error::parameter(
            "secret",
            "parameter_invalid",
            "A secret begins with whsec_ and has at least 16 letters, digits and marks. Leave it out \
             to have one made.",
        ));
    }
    let new = NewWebhookEndpoint {
        url,
        enabled_events: events,
        api_version: params.non_empty("api_version", MAX_STRING_LEN)?,
        description: params.non_empty("description", MAX_STRING_LEN)?,
        metadata: params.metadata()?,
        secret,
    };
    visit.reject_unknown()?;
    let endpoint = webhook_endpoints::create(&visit.tx, new)?;
    Ok(endpoint.to_json_with_secret(livemode))
}

pub(super) fn retrieve(visit: &mut RequestContext<'_>) -> Result<Value, Error> {
    visit.reject_unknown()?;
    let endpoint: WebhookEndpoint = visit.tx.load(visit.id(), "id")?;
    Ok(endpoint.to_json(visit.tx.livemode))
}

pub(super) fn update(visit: &mut RequestContext<'_>) -> Result<Value, Error> {
    let livemode = visit.tx.livemode;
    let params = &mut visit.params;
    let update = WebhookEndpointUpdate {
        url: parse_url(params, livemode)?,
        enabled_events: parse_enabled_events(params)?,
        disabled: params.optional_bool("disabled")?,
        description: params.bounded_string("description", MAX_STRING_LEN)?,
        metadata: params.metadata()?,
    };
    visit.reject_unknown()?;
    let endpoint = webhook_endpoints::update(&visit.tx, visit.id(), update)?;
    Ok(endpoint.to_json(livemode))
}

pub(super) fn delete(visit: &mut RequestContext<'_>) -> Result<Value, Error> {
    visit.reject_unknown()?;
    webhook_endpoints::delete(&visit.tx, visit.id())?;
    Ok(deleted_object(visit.id(), "webhook_endpoint"))
}

pub(super) fn roll_secret(visit: &mut RequestContext<'_>) -> Result<Value, Error> {
    let expires_in = visit
        .params
        .take_integer("expires_in", 0..=MAX_SECRET_OVERLAP)?
        .unwrap_or(MAX_SECRET_OVERLAP);
    visit.reject_unknown()?;
    let endpoint = webhook_endpoints::roll_secret(&visit.tx, visit.id(), expires_in)?;
    Ok(endpoint.to_json_with_secret(visit.tx.livemode))
}

pub(super) fn list_deliveries(visit: &mut RequestContext<'_>) -> Result<Value, Error> {
    let page = visit.params.list_query_with_created()?;
    visit.reject_unknown()?;
    let endpoint: WebhookEndpoint = visit.tx.load(visit.id(), "id")?;
    let log = delivery_attempt::endpoint_index(&endpoint.id);
    visit.page_response(&[log], &page, |_| true, |attempt: &Attempt| Ok(attempt.to_json()))
}

/// Where events go. In live mode they say who has bought what, and go nowhere in the clear.
fn parse_url(params: &mut Params, livemode: Livemode) -> Result<Option<String>, Error> {
    let Some(url) = params.non_empty("url", MAX_STRING_LEN)? else { return Ok(None) };
    let failed = |message: &str| Err(Error::parameter("url", "url_invalid", message));
    let Ok(uri) = url.parse::<Uri>() else {
        return failed("Invalid URL: a complete one begins with https://.");
    };
    let Some(authority) = uri.authority() else {
        return failed("Invalid URL: a complete one begins with https://.");
    };
    let port = authority.as_str().strip_prefix(authority.host()).unwrap_or_default();
    let port_fits =
        port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok());
    // What ends in a number is an address, or nothing: https://url.spec.whatwg.org/#concept-host-parser
    let host = authority.host();
    let last = host.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
    let is_number = !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit());
    let host_fits = !host.is_empty() && (!is_number || host.parse::<Ipv4Addr>().is_ok());
    if authority.as_str().contains('@') {
        return failed("Invalid URL: it has a name or a password in it.");
    }
    if !port_fits || !host_fits {
        return failed("Invalid URL: its host or its port is none.");
    }
    match (uri.scheme_str(), livemode) {
        (Some("https"), _) | (Some("http"), Livemode::Test) => Ok(Some(url)),
        (Some("http"), Livemode::Live) => {
            failed("Invalid URL: in live mode it begins with https://.")
        }
        _ => failed("Invalid URL: it begins with https://, or in test mode with http://."),
    }
}

fn parse_enabled_events(params: &mut Params) -> Result<Option<Vec<String>>, Error> {
    let events = params.take_list("enabled_events")?;
    if events.is_empty() {
        return Ok(None);
    }
    if events.len() > MAX_EVENT_TYPES {
        let message = format!("An endpoint can have up to {MAX_EVENT_TYPES} event types.");
        return Err(Error::parameter("enabled_events", "parameter_invalid", message));
    }
    let odd = |event: &&String| *event != "*" && (event.is_empty() || event.contains('*'));
    if let Some(odd) = events.iter().find(odd) {
        return Err(Error::parameter(
            "enabled_events",
            "parameter_invalid",
            format!("Invalid event type: `{odd}`. Give whole types, or `*` for all of them."),
        ));
    }
    Ok(Some(events))
}
