//! `POST /ofrep/v1/evaluate/flags/{key}`: evaluates one flag, for servers.
//!
//! The flag's key is the rest of the path. Some providers percent-encode it and some do not. The key
//! is therefore used as sent if such a feature exists, and decoded otherwise.

use http::StatusCode;
use percent_encoding::percent_decode_str;

use super::{
    super::{
        app::{App, Request, Response, json_response},
        body::RequestBody,
        customer_set,
        error::{
            evaluation::{ErrorCode, EvaluationError},
            excerpt,
        },
        known_features,
    },
    context, flag,
};
use crate::{
    id::{CustomerKey, LookupKey, Timestamp},
    store::{Freshness, Store},
};

/// Handles `POST /ofrep/v1/evaluate/flags/{key}`; `path_key` is the key as sent.
pub(in crate::api) async fn evaluate<S: Store>(
    app: &App<'_, S>,
    request: &mut Request,
    body: &impl RequestBody,
    path_key: &str,
    now: Timestamp,
) -> Response {
    let flag_key = FlagKey::parse(path_key);
    match try_evaluate(app, request, body, &flag_key, now).await {
        Ok(response) => response,
        Err((error, key)) => {
            if let Some(cause) = error.cause() {
                (app.log)(cause);
            }
            error.to_response(Some(key))
        }
    }
}

/// The key in the path, in both forms.
struct FlagKey {
    /// The key as sent, if it differs from the decoded one and is a valid lookup key.
    raw: Option<LookupKey>,
    /// The decoded key, if it is a valid lookup key.
    decoded: Option<LookupKey>,
    /// The key in an error.
    display: String,
}

impl FlagKey {
    fn parse(path_key: &str) -> Self {
        // A key that does not decode to UTF-8 was not encoded.
        let decoded = percent_decode_str(path_key).decode_utf8().unwrap_or(path_key.into());
        let raw = (decoded != path_key).then(|| LookupKey::try_from(path_key).ok()).flatten();
        Self { raw, decoded: LookupKey::try_from(&*decoded).ok(), display: decoded.into_owned() }
    }

    /// Every lookup key that the path may mean.
    fn candidates(&self) -> Vec<LookupKey> {
        self.raw.iter().chain(&self.decoded).cloned().collect()
    }
}

async fn try_evaluate<'a, S: Store>(
    app: &App<'_, S>,
    request: &mut Request,
    body: &impl RequestBody,
    flag_key: &'a FlagKey,
    now: Timestamp,
) -> Result<Response, (EvaluationError, &'a str)> {
    let with_display = |error| (error, flag_key.display.as_str());
    let subject = context::authorize_customer(app, request, body, now).await;
    let customer = subject.map_err(with_display)?.customer;
    let candidates = flag_key.candidates();
    if candidates.is_empty() {
        return Err(with_display(flag_not_found(&flag_key.display)));
    }
    let loaded = customer_set::load(app, &customer, &candidates, Freshness::default(), now).await;
    let set = loaded.map_err(|error| with_display(error.into()))?;
    let is_granted = |key: &LookupKey| set.effective_set().check(key).is_grant();
    let mut key = flag_key.decoded.as_ref();
    if let Some(raw) = &flag_key.raw
        && (key.is_none() || is_granted(raw) || is_listed(app, &customer, raw, now).await)
    {
        key = Some(raw);
    }
    let Some(key) = key else { return Err(with_display(flag_not_found(&flag_key.display))) };
    let with_key = |error| (error, key.as_str());
    let flag = flag::evaluate(&set, key);
    let flag = flag.map_err(|error| with_key(error.into()))?;
    let is_named = set.effective_set().features().any(|feature| feature == key);
    if !is_named {
        let exists = known_features::exists(app, customer.livemode, key, now).await;
        if !exists.map_err(|error| with_key(error.into()))? {
            return Err(with_key(flag_not_found(key.as_str())));
        }
    }
    let version = set.effective_set().version();
    Ok(json_response(StatusCode::OK, &flag.with_version(version)))
}

/// Whether the list of features, at most a minute old, contains this key.
async fn is_listed<S: Store>(
    app: &App<'_, S>,
    customer: &CustomerKey,
    key: &LookupKey,
    now: Timestamp,
) -> bool {
    let known = known_features::load(app, customer.livemode, now).await;
    known.is_ok_and(|known| known.contains(key))
}

fn flag_not_found(key: &str) -> EvaluationError {
    EvaluationError::bad_request(
        ErrorCode::FlagNotFound,
        format!("There is no feature with the lookup key '{}'.", excerpt(key)),
    )
}
