//! All flags, for a client that keeps them: one customer, asked about again when something changed.

use std::collections::BTreeSet;

use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

use super::{
    super::{
        App, Request, Response, error::evaluation::EvaluationError, feature_cache, header_str,
        raw_json_response,
    },
    context,
    etag::{self, Etag},
    event_stream::EventStream,
    flag::{self, Flag},
};
use crate::{
    entitlement::{Entitlements, Version},
    id::{CustomerKey, Livemode, Timestamp},
    store::{self, Freshness, ReadFrom, Store},
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BulkResponse<'a> {
    /// In the order of their keys, so that the same flags are the same body.
    flags: Vec<Flag<'a>>,
    metadata: BulkMetadata,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_streams: Option<[EventStream; 1]>,
}

/// What is told of all of them.
#[derive(Serialize)]
struct BulkMetadata {
    version: Version,
    livemode: Livemode,
}

/// `POST /ofrep/v1/evaluate/flags`.
pub(in crate::api) async fn evaluate<S: Store>(
    app: &App<'_, S>,
    request: &Request,
    now: Timestamp,
) -> Response {
    try_evaluate(app, request, now).await.unwrap_or_else(|failure| {
        if let Some(cause) = failure.cause() {
            (app.log)(cause);
        }
        failure.to_response(None)
    })
}

async fn try_evaluate<S: Store>(
    app: &App<'_, S>,
    request: &Request,
    now: Timestamp,
) -> Result<Response, EvaluationError> {
    let customer = context::authorize_customer(app, request, now).await?;
    let named = header_str(request, header::IF_NONE_MATCH).unwrap_or_default();
    let pushed =
        pushed_etag(request).map_or(Version::default(), |etag| etag::newest_version(&etag));
    let held = load_at_least(app, &customer, etag::newest_version(named).max(pushed)).await?;
    let held = held.as_ref();
    let known = feature_cache::all_for_set(app, customer.livemode, held, now).await?;
    let granted = held.iter().flat_map(|held| &held.data).map(|granted| &granted.lookup_key);
    let mut keys = BTreeSet::new();
    keys.extend(known.iter().chain(granted));

    let version = held.map_or(Version::default(), |held| held.version);
    let secret = app.settings.token_secrets.first();
    let told = BulkResponse {
        flags: keys.into_iter().map(|key| flag::evaluate(held, &customer, key)).collect(),
        metadata: BulkMetadata { version, livemode: customer.livemode },
        event_streams: secret.map(|secret| [EventStream::for_customer(&customer, secret, now)]),
    };
    // Nothing that is answered here fails to serialise: no map has a key that is no text.
    let body = serde_json::to_vec(&told).unwrap_or_default();
    let etag = Etag::new(version, &body);
    let mut response = if etag.matches(named) {
        let mut response = Response::default();
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        let no_store = HeaderValue::from_static("no-store");
        response.headers_mut().insert(header::CACHE_CONTROL, no_store);
        response
    } else {
        raw_json_response(StatusCode::OK, body)
    };
    if let Some(etag) = etag.to_header() {
        response.headers_mut().insert(header::ETAG, etag);
    }
    Ok(response)
}

/// What a push has told the client to ask for.
fn pushed_etag(request: &Request) -> Option<String> {
    let query = request.uri().query().unwrap_or_default();
    let named = |(name, _): &(_, _)| name == "flagConfigEtag";
    form_urlencoded::parse(query.as_bytes()).find(named).map(|(_, etag)| etag.into_owned())
}

/// What is held: no older than what the client knows of, if the ledger has that.
async fn load_at_least<S: Store>(
    app: &App<'_, S>,
    customer: &CustomerKey,
    at_least: Version,
) -> Result<Option<Entitlements>, EvaluationError> {
    let newer = Freshness { at_least, ..Freshness::default() };
    let found = match store::load(app.store, customer, &[], newer).await {
        Err(store::Error::VersionNotReached { .. }) => {
            let truth = Freshness { read_from: ReadFrom::Ledger, ..Freshness::default() };
            store::load(app.store, customer, &[], truth).await
        }
        found => found,
    };
    Ok(found?.entitlements)
}
