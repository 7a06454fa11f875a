//! `POST /ofrep/v1/evaluate/flags`: evaluates all flags of one customer, for clients with a cache.
//!
//! The flags are all features that exist, ordered by key. If one of them cannot be decided, the
//! evaluation fails: a client would use its own default for that flag. A client revalidates its cache with
//! `If-None-Match`, and after a refetch notification with `flagConfigEtag`. It never receives an older
//! version than one that it knows.

use std::collections::BTreeSet;

use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

use super::{
    super::{
        app::{App, Request, Response, header_str, raw_json_response},
        body::RequestBody,
        customer_set::{self, CustomerSet},
        error::evaluation::EvaluationError,
        known_features,
    },
    context::{self, EvaluationSubject},
    etag::{self, Etag},
    event_stream::EventStream,
    flag::{self, Flag},
};
use crate::{
    entitlement::Version,
    id::{CustomerKey, Livemode, Timestamp},
    store::{self, Freshness, ReadFrom, Store},
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BulkResponse<'a> {
    /// Ordered by key, so that equal flags have equal bodies.
    flags: Vec<Flag<'a>>,
    metadata: BulkMetadata,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_streams: Option<[EventStream; 1]>,
}

#[derive(Serialize)]
struct BulkMetadata {
    version: Version,
    livemode: Livemode,
}

/// Handles `POST /ofrep/v1/evaluate/flags`.
pub(in crate::api) async fn evaluate<S: Store>(
    app: &App<'_, S>,
    request: &mut Request,
    body: &impl RequestBody,
    now: Timestamp,
) -> Response {
    try_evaluate(app, request, body, now).await.unwrap_or_else(|error| {
        if let Some(cause) = error.cause() {
            (app.log)(cause);
        }
        error.to_response(None)
    })
}

async fn try_evaluate<S: Store>(
    app: &App<'_, S>,
    request: &mut Request,
    body: &impl RequestBody,
    now: Timestamp,
) -> Result<Response, EvaluationError> {
    let EvaluationSubject { customer, token } =
        context::authorize_customer(app, request, body, now).await?;
    let if_none_match = header_str(request, header::IF_NONE_MATCH).unwrap_or_default();
    let pushed =
        pushed_etag(request).map_or(Version::default(), |etag| etag::newest_version(&etag));
    let at_least = etag::newest_version(if_none_match).max(pushed);
    let loaded = load_at_least(app, &customer, at_least, now).await?;
    // Of a partial set, the features that exist may all be decided.
    let set = match loaded.effective_set() {
        set if set.source().is_some() => set,
        _ => loaded.complete()?,
    };
    let known = known_features::load_for_set(app, &customer, set, now).await?;
    let mut keys = BTreeSet::new();
    keys.extend(known.iter().chain(set.features()));

    let flags = keys.into_iter().map(|key| flag::evaluate(&loaded, key));
    let flags = flags.collect::<Result<_, _>>()?;
    let version = set.version();
    let secret = app.settings.token_secrets.first();
    let body = BulkResponse {
        flags,
        metadata: BulkMetadata { version, livemode: customer.livemode },
        event_streams: secret
            .and_then(|secret| EventStream::for_customer(&customer, token.as_ref(), secret, now))
            .map(|stream| [stream]),
    };
    // Serialization cannot fail: every map key in the body is a string.
    let body = serde_json::to_vec(&body).unwrap_or_default();
    let etag = Etag::new(version, &body);
    let mut response = if etag.matches(if_none_match) {
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

/// The `etag` of the refetch notification that caused the request.
fn pushed_etag(request: &Request) -> Option<String> {
    let query = request.uri().query().unwrap_or_default();
    let is_etag = |(name, _): &(_, _)| name == "flagConfigEtag";
    form_urlencoded::parse(query.as_bytes()).find(is_etag).map(|(_, etag)| etag.into_owned())
}

/// Loads the customer's record: of this version at least, or the ledger's current ones if the
/// ledger does not have that version.
async fn load_at_least<'a, S: Store>(
    app: &App<'a, S>,
    customer: &'a CustomerKey,
    at_least: Version,
    now: Timestamp,
) -> Result<CustomerSet<'a>, EvaluationError> {
    let freshness = Freshness { at_least, ..Freshness::default() };
    let freshness = customer_set::with_strict_features(app.settings, &[], freshness);
    let context = app.settings.answer_context(now);
    let loaded = match store::load(app.store, customer, &[], freshness, context).await {
        Err(store::Error::VersionNotReached { .. }) => {
            let from_ledger = Freshness { read_from: ReadFrom::Ledger, ..Freshness::default() };
            store::load(app.store, customer, &[], from_ledger, context).await
        }
        loaded => loaded,
    };
    Ok(CustomerSet::new(app.settings, customer, loaded?, now))
}
