//! One flag, for a server: its client names another customer in each request.
//!
//! The flag's key is the rest of the path. Some providers percent-encode it and some do not, so that it is
//! taken as it stands if there is such a feature, and else decoded.

use http::StatusCode;
use percent_encoding::percent_decode_str;

use super::{
    super::{
        App, Request, Response,
        error::{
            Error,
            evaluation::{ErrorCode, EvaluationError},
        },
        feature_cache, json_response,
    },
    context,
    flag::{self, Flag},
};
use crate::{
    entitlement::{Decision, Version, check},
    id::{CustomerKey, LookupKey, Timestamp},
    store::{self, Freshness, Store},
};

/// `POST /ofrep/v1/evaluate/flags/{key}`; `rest` is what stands for the key, as it was sent.
pub(in crate::api) async fn evaluate<S: Store>(
    app: &App<'_, S>,
    request: &Request,
    rest: &str,
    now: Timestamp,
) -> Response {
    let named = FlagKey::parse(rest);
    match try_evaluate(app, request, &named, now).await {
        Ok(response) => response,
        Err((failure, key)) => {
            if let Some(cause) = failure.cause() {
                (app.log)(cause);
            }
            failure.to_response(Some(key))
        }
    }
}

/// The key that a path names, in its two forms.
struct FlagKey {
    /// As the path has it, if that is another one and can be a key.
    raw: Option<LookupKey>,
    /// Decoded, if that can be a key.
    decoded: Option<LookupKey>,
    /// What a failure calls it.
    display: String,
}

impl FlagKey {
    fn parse(rest: &str) -> Self {
        // What is no UTF-8 once it is decoded was not encoded.
        let text = percent_decode_str(rest).decode_utf8().unwrap_or(rest.into());
        Self {
            raw: (text != rest).then(|| LookupKey::try_from(rest).ok()).flatten(),
            decoded: LookupKey::try_from(&*text).ok(),
            display: text.into_owned(),
        }
    }

    /// Each that it may be.
    fn candidates(&self) -> Vec<LookupKey> {
        self.raw.iter().chain(&self.decoded).cloned().collect()
    }
}

async fn try_evaluate<'a, S: Store>(
    app: &App<'_, S>,
    request: &Request,
    named: &'a FlagKey,
    now: Timestamp,
) -> Result<Response, (EvaluationError, &'a str)> {
    let failed = |failure| (failure, named.display.as_str());
    let customer = context::authorize_customer(app, request, now).await.map_err(failed)?;
    let keys = named.candidates();
    if keys.is_empty() {
        return Err(failed(flag_not_found(&named.display)));
    }
    let found = store::load(app.store, &customer, &keys, Freshness::default()).await;
    let held = found.map_err(|error| failed(error.into()))?.entitlements;
    let granted = |key: &LookupKey| check(held.as_ref(), key) == Decision::Grant;
    let mut key = named.decoded.as_ref();
    if let Some(raw) = &named.raw
        && (key.is_none() || granted(raw) || is_listed_feature(app, &customer, raw, now).await)
    {
        key = Some(raw);
    }
    let Some(key) = key else { return Err(failed(flag_not_found(&named.display))) };
    let failed = |failure| (failure, key.as_str());
    let flag = match flag::evaluate(held.as_ref(), &customer, key) {
        Flag::Failed(_) => return Err(failed(Error::incomplete(&customer.id).into())),
        Flag::Evaluated(flag) => flag,
    };
    if !granted(key) {
        let known = feature_cache::is_known(app, customer.livemode, key, now).await;
        if !known.map_err(|error| failed(error.into()))? {
            return Err(failed(flag_not_found(key.as_str())));
        }
    }
    let version = held.map_or(Version::default(), |held| held.version);
    Ok(json_response(StatusCode::OK, &flag.with_version(version)))
}

/// Whether there is such a feature, as far as can be told without asking anew.
async fn is_listed_feature<S: Store>(
    app: &App<'_, S>,
    customer: &CustomerKey,
    key: &LookupKey,
    now: Timestamp,
) -> bool {
    let known = feature_cache::all(app, customer.livemode, now).await;
    known.is_ok_and(|known| known.contains(key))
}

fn flag_not_found(key: &str) -> EvaluationError {
    EvaluationError::bad_request(
        ErrorCode::FlagNotFound,
        format!("There is no feature with the lookup key '{key}'."),
    )
}
