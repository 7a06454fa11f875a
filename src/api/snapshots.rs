//! A customer's set as a signed JWT, which any backend verifies without asking, and the keys for that.
//!
//! | route                        | answer                                                            |
//! |------------------------------|-------------------------------------------------------------------|
//! | `GET /v1/snapshot`           | `snapshot`, a JWT of EdDSA: `sub`, `version`, `as_of`, `livemode`, `entitlements` (lookup keys), `iat`, `exp` |
//! | `GET /.well-known/jwks.json` | the public keys, <https://www.rfc-editor.org/rfc/rfc7517#section-5> |
//!
//! A snapshot is not a token: its `typ` is `entitlements+jwt`, and nothing here takes it back. What it
//! grants may be revoked before it expires.

use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::json;

use super::{
    App, Request, Response, auth, checks, error::Error, form::Params, json_response as answer,
    settings,
};
use crate::{
    entitlement::{Completeness, Version},
    id::{CustomerId, Livemode, Timestamp},
    store::{self, Crypto as _, Store},
    token::{Algorithm, SigningKey, jws},
};

/// How long a snapshot is good if nothing is said, in seconds.
const DEFAULT_TTL: u64 = 3_600;

/// The shortest and the longest time for which a snapshot can be good, in seconds: below a minute
/// clocks would decide, and after a day somebody else may be paying.
const TTL_RANGE: std::ops::RangeInclusive<u64> = 60..=86_400;

/// The most entitlements in a snapshot: with keys of 80 characters each it has 100 kB then.
const MAX_ENTITLEMENTS: usize = 1_000;

#[derive(Serialize)]
struct SnapshotResponse<'a> {
    object: &'static str,
    customer: &'a CustomerId,
    livemode: Livemode,
    version: Version,
    as_of: Option<Timestamp>,
    expires_at: Timestamp,
    snapshot: String,
}

/// `GET /v1/snapshot`.
pub(super) async fn retrieve<S: Store>(
    app: &App<'_, S>,
    request: &Request,
    now: Timestamp,
) -> Result<Response, Error> {
    let caller = auth::authenticate_any(app, request, now).await?;
    let mut params = Params::from_query(request)?;
    let customer = caller.take_customer(&mut params)?;
    let lifetime = params.take_integer("expires_in", TTL_RANGE)?.unwrap_or(DEFAULT_TTL);
    let freshness = checks::take_freshness(&mut params)?;
    params.reject_unknown()?;
    let Some(key) = app.settings.signing_keys.first() else {
        let message = format!("No snapshots are made here: {} is not set.", settings::SIGNING_KEY);
        return Err(Error::unconfigured(message));
    };

    let held = store::load(app.store, &customer, &[], freshness).await?.entitlements;
    if held.as_ref().is_some_and(|held| held.completeness == Completeness::Partial) {
        return Err(Error::incomplete(&customer.id));
    }
    let granted = held.as_ref().map_or(&[][..], |held| &held.data);
    if granted.len() > MAX_ENTITLEMENTS {
        return Err(Error::invalid(format!(
            "'{}' has {} entitlements, and a snapshot at most {MAX_ENTITLEMENTS}. Ask for the list.",
            customer.id,
            granted.len()
        )));
    }
    let version = held.as_ref().map_or(Version::default(), |held| held.version);
    let as_of = held.as_ref().map(|held| held.as_of);
    let expires_at = Timestamp(now.0.saturating_add_unsigned(lifetime));
    let keys: Vec<_> = granted.iter().map(|granted| &granted.lookup_key).collect();
    let header =
        json!({ "alg": Algorithm::EdDsa.name(), "typ": "entitlements+jwt", "kid": key.kid() });
    let claims = json!({
        "iss": request_origin(request),
        "sub": customer.id,
        "iat": now,
        "exp": expires_at,
        "livemode": customer.livemode,
        "version": version,
        "as_of": as_of,
        "entitlements": keys,
    });
    let message = jws::signing_input(&header, &claims);
    let signature = app.store.crypto().sign(key, &message).await?;
    Ok(answer(
        StatusCode::OK,
        &SnapshotResponse {
            object: "entitlement_snapshot",
            customer: &customer.id,
            livemode: customer.livemode,
            version,
            as_of,
            expires_at,
            snapshot: jws::serialize_compact(&message, &signature),
        },
    ))
}

/// `GET /.well-known/jwks.json`. The only answer that may be cached: a key is shown before it signs.
pub(super) fn jwks<S: Store>(app: &App<'_, S>) -> Response {
    let keys: Vec<_> = app.settings.signing_keys.iter().map(SigningKey::to_public_jwk).collect();
    let mut response = answer(StatusCode::OK, &json!({ "keys": keys }));
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    response
}

/// Where this deployment was asked, as far as the request says.
fn request_origin(request: &Request) -> String {
    let uri = request.uri();
    match (uri.scheme_str(), uri.authority()) {
        (Some(scheme), Some(authority)) => format!("{scheme}://{authority}"),
        _ => "entgate".to_owned(),
    }
}
