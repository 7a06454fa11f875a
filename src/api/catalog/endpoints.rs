//! Webhook endpoints: <https://docs.stripe.com/api/webhook_endpoints>.
//!
//! Ours are `secret` at creation, for a receiver that has one already; rolling it, for which Stripe
//! has its dashboard only; and the log of deliveries.

use core::net::Ipv4Addr;

use http::Uri;
use serde_json::Value;

use super::{
    super::{error::Error, form::Params},
    Visit, deleted,
    fields::TEXT,
};
use crate::{
    catalog::{
        attempt::{self, Attempt},
        endpoint::{self, Endpoint, New, OVERLAP, Update},
    },
    id::Livemode,
};

/// The most event types of one endpoint: more than there are.
const EVENTS: usize = 500;

pub(super) fn list(visit: &mut Visit<'_>) -> Result<Value, Error> {
    let page = visit.params.page()?;
    visit.finish()?;
    let livemode = visit.catalog.livemode;
    let list = endpoint::LIST.to_owned();
    visit.page(&[list], &page, |_| true, |endpoint: &Endpoint| Ok(endpoint.shown(livemode)))
}

pub(super) fn create(visit: &mut Visit<'_>) -> Result<Value, Error> {
    let livemode = visit.catalog.livemode;
    let params = &mut visit.params;
    params.ignore(&["connect"]);
    let url = url(params, livemode)?.ok_or_else(|| Error::missing("url"))?;
    let events = events(params)?.ok_or_else(|| Error::missing("enabled_events"))?;
    let secret = params.filled("secret", TEXT)?;
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
    let new = New {
        url,
        enabled_events: events,
        api_version: params.filled("api_version", TEXT)?,
        description: params.filled("description", TEXT)?,
        metadata: params.metadata()?,
        secret,
    };
    visit.finish()?;
    let endpoint = endpoint::create(&visit.catalog, new)?;
    Ok(endpoint.shown_with_secret(livemode))
}

pub(super) fn retrieve(visit: &mut Visit<'_>) -> Result<Value, Error> {
    visit.finish()?;
    let endpoint: Endpoint = visit.catalog.load(visit.id(), "id")?;
    Ok(endpoint.shown(visit.catalog.livemode))
}

pub(super) fn update(visit: &mut Visit<'_>) -> Result<Value, Error> {
    let livemode = visit.catalog.livemode;
    let params = &mut visit.params;
    let update = Update {
        url: url(params, livemode)?,
        enabled_events: events(params)?,
        disabled: params.boolean("disabled")?,
        description: params.string("description", TEXT)?,
        metadata: params.metadata()?,
    };
    visit.finish()?;
    let endpoint = endpoint::update(&visit.catalog, visit.id(), update)?;
    Ok(endpoint.shown(livemode))
}

pub(super) fn delete(visit: &mut Visit<'_>) -> Result<Value, Error> {
    visit.finish()?;
    endpoint::delete(&visit.catalog, visit.id())?;
    Ok(deleted(visit.id(), "webhook_endpoint"))
}

pub(super) fn roll_secret(visit: &mut Visit<'_>) -> Result<Value, Error> {
    let expires_in = visit.params.integer("expires_in", 0..=OVERLAP)?.unwrap_or(OVERLAP);
    visit.finish()?;
    let endpoint = endpoint::roll(&visit.catalog, visit.id(), expires_in)?;
    Ok(endpoint.shown_with_secret(visit.catalog.livemode))
}

pub(super) fn deliveries(visit: &mut Visit<'_>) -> Result<Value, Error> {
    let page = visit.params.page_by_date()?;
    visit.finish()?;
    let endpoint: Endpoint = visit.catalog.load(visit.id(), "id")?;
    let log = attempt::log(&endpoint.id);
    visit.page(&[log], &page, |_| true, |attempt: &Attempt| Ok(attempt.shown()))
}

/// Where events go. In live mode they say who has bought what, and go nowhere in the clear.
fn url(params: &mut Params, livemode: Livemode) -> Result<Option<String>, Error> {
    let Some(url) = params.filled("url", TEXT)? else { return Ok(None) };
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

fn events(params: &mut Params) -> Result<Option<Vec<String>>, Error> {
    let events = params.list("enabled_events")?;
    if events.is_empty() {
        return Ok(None);
    }
    if events.len() > EVENTS {
        let message = format!("An endpoint can have up to {EVENTS} event types.");
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
