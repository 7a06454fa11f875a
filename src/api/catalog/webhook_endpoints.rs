//! Handlers of `/v1/webhook_endpoints`.
//!
//! Three extensions: `secret` at creation, for a receiver that already has one; `roll_secret`,
//! which Stripe offers in its dashboard only; and `deliveries`, the log of attempts.
//!
//! Specification: <https://docs.stripe.com/api/webhook_endpoints>.

use serde_json::Value;

use super::{
    super::{
        error::{Error, excerpt},
        form::Params,
    },
    context::{RequestContext, deleted_object},
    endpoint_url::parse_url,
    params::MAX_STRING_LEN,
};
use crate::catalog::{
    objects::{
        api_version::ApiVersion,
        delivery_attempt::{self, DeliveryAttempt},
        webhook_endpoint::{self, WebhookEndpoint},
    },
    operations::webhook_endpoints::{
        self, MAX_SECRET_OVERLAP, NewWebhookEndpoint, WebhookEndpointUpdate,
    },
    page::ListConditions,
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
        &ListConditions::default(),
        &|endpoint: &WebhookEndpoint| Ok(endpoint.to_json(livemode)),
    )
}

pub(super) fn create(context: &mut RequestContext<'_>) -> Result<Value, Error> {
    let livemode = context.tx.livemode;
    let params = &mut context.params;
    params.ignore(&["connect"]);
    let url = parse_url(params, livemode)?.ok_or_else(|| params.missing("url"))?;
    let events = parse_enabled_events(params)?.ok_or_else(|| params.missing("enabled_events"))?;
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
        api_version: parse_api_version(params)?,
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
        &ListConditions {
            belongs: &|it: &DeliveryAttempt| it.endpoint == endpoint.id,
            ..ListConditions::default()
        },
        &|attempt: &DeliveryAttempt| Ok(attempt.to_json()),
    )
}

/// Takes the version of Stripe's API of the endpoint's events.
fn parse_api_version(params: &mut Params) -> Result<Option<ApiVersion>, Error> {
    let Some(version) = params.non_empty("api_version", MAX_STRING_LEN)? else { return Ok(None) };
    let parsed = ApiVersion::parse(&version);
    parsed.map(Some).ok_or_else(|| Error::invalid_api_version(&version).with_param("api_version"))
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
