//! Handlers of `/v1/webhook_endpoints`.
//!
//! Three extensions: `secret` at creation, for a receiver that already has one; `roll_secret`,
//! which Stripe offers in its dashboard only; and `deliveries`, the log of attempts.
//!
//! Specification: <https://docs.stripe.com/api/webhook_endpoints>.

use core::net::Ipv4Addr;

use http::Uri;
use serde_json::Value;

use super::{
    super::{
        error::{Error, excerpt},
        form::Params,
    },
    context::{RequestContext, deleted_object},
    params::MAX_STRING_LEN,
};
use crate::{
    catalog::{
        objects::{
            delivery_attempt::{self, DeliveryAttempt},
            webhook_endpoint::{self, WebhookEndpoint},
        },
        operations::webhook_endpoints::{
            self, MAX_SECRET_OVERLAP, NewWebhookEndpoint, WebhookEndpointUpdate,
        },
    },
    id::Livemode,
};

/// The most event types of one endpoint. There are fewer types than that.
const MAX_EVENT_TYPES: usize = 500;

pub(super) fn list(context: &mut RequestContext<'_>) -> Result<Value, Error> {
    let page = context.params.list_query()?;
    context.reject_unknown()?;
    let livemode = context.tx.livemode;
    let index = webhook_endpoint::INDEX.to_owned();
    context.page_response(
        &[index],
        &page,
        |_| true,
        |endpoint: &WebhookEndpoint| Ok(endpoint.to_json(livemode)),
    )
}

pub(super) fn create(context: &mut RequestContext<'_>) -> Result<Value, Error> {
    let livemode = context.tx.livemode;
    let params = &mut context.params;
    params.ignore(&["connect"]);
    let url = parse_url(params, livemode)?.ok_or_else(|| Error::missing_param("url"))?;
    let events =
        parse_enabled_events(params)?.ok_or_else(|| Error::missing_param("enabled_events"))?;
    let secret = params.non_empty("secret", MAX_STRING_LEN)?;
    let is_valid = |secret: &String| {
        secret.len() >= 16
            && secret.starts_with("whsec_")
            && secret.bytes().all(|byte| byte.is_ascii_graphic())
    };
    if secret.as_ref().is_some_and(|secret| !is_valid(secret)) {
        return Err(Error::parameter(
            "secret",
            "parameter_invalid",
            "A secret begins with whsec_ and has at least 16 letters, digits and marks. Omit it to \
             have one generated.",
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
    context.reject_unknown()?;
    let endpoint = webhook_endpoints::create(&context.tx, new)?;
    Ok(endpoint.to_json_with_secret(livemode))
}

pub(super) fn retrieve(context: &mut RequestContext<'_>) -> Result<Value, Error> {
    context.reject_unknown()?;
    let endpoint: WebhookEndpoint = context.tx.load(context.id(), "id")?;
    Ok(endpoint.to_json(context.tx.livemode))
}

pub(super) fn update(context: &mut RequestContext<'_>) -> Result<Value, Error> {
    let livemode = context.tx.livemode;
    let params = &mut context.params;
    let update = WebhookEndpointUpdate {
        url: parse_url(params, livemode)?,
        enabled_events: parse_enabled_events(params)?,
        disabled: params.optional_bool("disabled")?,
        description: params.bounded_string("description", MAX_STRING_LEN)?,
        metadata: params.metadata()?,
    };
    context.reject_unknown()?;
    let endpoint = webhook_endpoints::update(&context.tx, context.id(), update)?;
    Ok(endpoint.to_json(livemode))
}

pub(super) fn delete(context: &mut RequestContext<'_>) -> Result<Value, Error> {
    context.reject_unknown()?;
    webhook_endpoints::delete(&context.tx, context.id())?;
    Ok(deleted_object(context.id(), "webhook_endpoint"))
}

pub(super) fn roll_secret(context: &mut RequestContext<'_>) -> Result<Value, Error> {
    let expires_in = context
        .params
        .take_integer("expires_in", 0..=MAX_SECRET_OVERLAP)?
        .unwrap_or(MAX_SECRET_OVERLAP);
    context.reject_unknown()?;
    let endpoint = webhook_endpoints::roll_secret(&context.tx, context.id(), expires_in)?;
    Ok(endpoint.to_json_with_secret(context.tx.livemode))
}

pub(super) fn list_deliveries(context: &mut RequestContext<'_>) -> Result<Value, Error> {
    let page = context.params.list_query_with_created()?;
    context.reject_unknown()?;
    let endpoint: WebhookEndpoint = context.tx.load(context.id(), "id")?;
    let index = delivery_attempt::endpoint_index(&endpoint.id);
    context.page_response(
        &[index],
        &page,
        |_| true,
        |attempt: &DeliveryAttempt| Ok(attempt.to_json()),
    )
}

/// Takes the target URL. Events contain customer data, so that live mode requires HTTPS.
fn parse_url(params: &mut Params, livemode: Livemode) -> Result<Option<String>, Error> {
    let Some(url) = params.non_empty("url", MAX_STRING_LEN)? else { return Ok(None) };
    let invalid = |message: &str| Err(Error::parameter("url", "url_invalid", message));
    let Ok(uri) = url.parse::<Uri>() else {
        return invalid("Invalid URL: a complete one begins with https://.");
    };
    let Some(authority) = uri.authority() else {
        return invalid("Invalid URL: a complete one begins with https://.");
    };
    let port = authority.as_str().strip_prefix(authority.host()).unwrap_or_default();
    let is_port_valid =
        port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok());
    // A host that ends in a number must be an IPv4 address:
    // https://url.spec.whatwg.org/#concept-host-parser
    let host = authority.host();
    let last_label = host.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
    let is_number = !last_label.is_empty() && last_label.bytes().all(|byte| byte.is_ascii_digit());
    let is_host_valid = !host.is_empty() && (!is_number || host.parse::<Ipv4Addr>().is_ok());
    if authority.as_str().contains('@') {
        return invalid("Invalid URL: it must not contain a user name or a password.");
    }
    if !is_port_valid || !is_host_valid {
        return invalid("Invalid URL: the host or the port is not valid.");
    }
    match (uri.scheme_str(), livemode) {
        (Some("https"), _) | (Some("http"), Livemode::Test) => Ok(Some(url)),
        (Some("http"), Livemode::Live) => {
            invalid("Invalid URL: in live mode it begins with https://.")
        }
        _ => invalid("Invalid URL: it begins with https://, or in test mode with http://."),
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
    let invalid = |event: &&String| *event != "*" && (event.is_empty() || event.contains('*'));
    if let Some(invalid) = events.iter().find(invalid) {
        return Err(Error::parameter(
            "enabled_events",
            "parameter_invalid",
            format!(
                "Invalid event type: `{}`. Use complete types, or `*` for all types.",
                excerpt(invalid)
            ),
        ));
    }
    Ok(Some(events))
}
