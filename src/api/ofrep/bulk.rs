//! All flags, for a client that keeps them: one customer, asked about again when something changed.

use std::collections::BTreeSet;

use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

use super::{
    super::{App, Request, Response, error::evaluation::Failure, features, json_text, text},
    context,
    etag::{self, Etag},
    flag::{self, Flag},
    notices::EventStream,
};
use crate::{
    entitlement::{Entitlements, Version},
    id::{Customer, Livemode, Timestamp},
    store::{self, First, Freshness, Store},
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    /// In the order of their keys, so that the same flags are the same body.
    flags: Vec<Flag<'a>>,
    metadata: Metadata,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_streams: Option<[EventStream; 1]>,
}

/// What is told of all of them.
#[derive(Serialize)]
struct Metadata {
    version: Version,
    livemode: Livemode,
}

/// `POST /ofrep/v1/evaluate/flags`.
pub(in crate::api) async fn evaluate<S: Store>(
    app: &App<'_, S>,
    request: &Request,
    now: Timestamp,
) -> Response {
    answer(app, request, now).await.unwrap_or_else(|failure| {
        if let Some(cause) = failure.cause() {
            (app.log)(cause);
        }
        failure.response(None)
    })
}

async fn answer<S: Store>(
    app: &App<'_, S>,
    request: &Request,
    now: Timestamp,
) -> Result<Response, Failure> {
    let customer = context::customer(app, request, now).await?;
    let named = text(request, header::IF_NONE_MATCH).unwrap_or_default();
    let pushed = pushed(request).map_or(Version::default(), |etag| etag::version(&etag));
    let held = find(app, &customer, etag::version(named).max(pushed)).await?;
    let held = held.as_ref();
    let known = features::known_beside(app, customer.livemode, held, now).await?;
    let granted = held.iter().flat_map(|held| &held.data).map(|granted| &granted.lookup_key);
    let mut keys = BTreeSet::new();
    keys.extend(known.iter().chain(granted));

    let version = held.map_or(Version::default(), |held| held.version);
    let secret = app.settings.token_secrets.first();
    let told = Answer {
        flags: keys.into_iter().map(|key| flag::of(held, &customer, key)).collect(),
        metadata: Metadata { version, livemode: customer.livemode },
        event_streams: secret.map(|secret| [EventStream::of(&customer, secret, now)]),
    };
    // Nothing that is answered here fails to serialise: no map has a key that is no text.
    let body = serde_json::to_vec(&told).unwrap_or_default();
    let etag = Etag::of(version, &body);
    let mut response = if etag.is_named_in(named) {
        let mut response = Response::default();
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        let no_store = HeaderValue::from_static("no-store");
        response.headers_mut().insert(header::CACHE_CONTROL, no_store);
        response
    } else {
        json_text(StatusCode::OK, body)
    };
    if let Some(etag) = etag.header() {
        response.headers_mut().insert(header::ETAG, etag);
    }
    Ok(response)
}

/// What a push has told the client to ask for.
fn pushed(request: &Request) -> Option<String> {
    let query = request.uri().query().unwrap_or_default();
    let named = |(name, _): &(_, _)| name == "flagConfigEtag";
    form_urlencoded::parse(query.as_bytes()).find(named).map(|(_, etag)| etag.into_owned())
}

/// What is held: no older than what the client knows of, if the ledger has that.
async fn find<S: Store>(
    app: &App<'_, S>,
    customer: &Customer,
    at_least: Version,
) -> Result<Option<Entitlements>, Failure> {
    let newer = Freshness { at_least, ..Freshness::default() };
    let found = match store::find(app.store, customer, &[], newer).await {
        Err(store::Error::Behind { .. }) => {
            let truth = Freshness { first: First::Ledger, ..Freshness::default() };
            store::find(app.store, customer, &[], truth).await
        }
        found => found,
    };
    Ok(found?.held)
}
