//! Signed snapshots: a customer's entitlements as a JWT that any backend can verify offline.
//!
//! | route                        | response                                                          |
//! |------------------------------|-------------------------------------------------------------------|
//! | `GET /v1/snapshot`           | `snapshot`, an EdDSA JWT: `sub`, `version`, `as_of`, `livemode`, `entitlements` (lookup keys), `iat`, `exp`, `changes_at` |
//! | `GET /.well-known/jwks.json` | the public keys, as a JWK Set                                     |
//!
//! If an override grants something in it that ends before the snapshot would, the snapshot expires
//! [`LOSS_LEEWAY`] after that. `changes_at` is when the next override starts or ends.
//!
//! A snapshot is not a customer token: its `typ` is `entitlements+jwt`, and no route accepts it. It
//! cannot be revoked, so an entitlement may end before the snapshot expires.
//!
//! Specification: <https://www.rfc-editor.org/rfc/rfc7517#section-5>.

use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::json;

use super::{
    app::{App, Request, Response, json_response},
    auth, checks, customer_set,
    error::{Error, excerpt},
    form::Params,
    settings,
};
use crate::{
    entitlement::Version,
    id::{CustomerId, Livemode, Timestamp},
    store::{Crypto as _, Store},
    token::{Algorithm, SigningKey, jws},
};

/// The default lifetime of a snapshot, in seconds.
const DEFAULT_TTL: u64 = 3_600;

/// The lifetimes that a request may set, in seconds. Below a minute, clock skew would dominate; after
/// a day, the subscription may have changed.
const TTL_RANGE: std::ops::RangeInclusive<u64> = 60..=86_400;

/// The maximum number of entitlements in a snapshot: with keys of 80 characters, it has 100 kB.
const MAX_ENTITLEMENTS: usize = 1_000;

/// The most seconds for which a snapshot grants a feature whose override has ended.
const LOSS_LEEWAY: i64 = 60;

#[derive(Serialize)]
struct SnapshotResponse<'a> {
    object: &'static str,
    customer: &'a CustomerId,
    livemode: Livemode,
    version: Version,
    as_of: Option<Timestamp>,
    expires_at: Timestamp,
    changes_at: Option<Timestamp>,
    snapshot: String,
}

/// Handles `GET /v1/snapshot`.
pub(super) async fn retrieve<S: Store>(
    app: &App<'_, S>,
    request: &Request,
    now: Timestamp,
) -> Result<Response, Error> {
    let principal = auth::authenticate_any(app, request, now).await?;
    let mut params = Params::from_query(request)?;
    params.accept(&["customer", "expires_in", "fresh", "at_least"])?;
    let customer = principal.take_customer(&mut params)?;
    let ttl = params.take_integer("expires_in", TTL_RANGE)?.unwrap_or(DEFAULT_TTL);
    let freshness = checks::take_freshness(&mut params)?;
    params.reject_unknown()?;
    let Some(key) = app.settings.signing_keys.first() else {
        let message = format!("Snapshots are disabled: {} is not set.", settings::SIGNING_KEY);
        return Err(Error::unconfigured(message));
    };

    let loaded = customer_set::load(app, &customer, &[], freshness, now).await?;
    let set = loaded.complete()?;
    let data = set.rows(&customer);
    if data.len() > MAX_ENTITLEMENTS {
        return Err(Error::invalid(format!(
            "'{}' has {} entitlements, and a snapshot has at most {MAX_ENTITLEMENTS}. Use the list.",
            excerpt(customer.id.as_str()),
            data.len()
        )));
    }
    let (version, as_of, changes_at) = (set.version(), loaded.as_of(), set.next_change());
    let longest = now.saturating_add_unsigned(ttl);
    let expires_at =
        set.next_loss().map_or(longest, |loss| loss.saturating_add(LOSS_LEEWAY).min(longest));
    let keys: Vec<_> = data.iter().map(|entitlement| &entitlement.lookup_key).collect();
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
        "changes_at": changes_at,
        "entitlements": keys,
    });
    let signing_input = jws::signing_input(&header, &claims);
    let signature = app.store.crypto().sign(key, &signing_input).await?;
    Ok(json_response(
        StatusCode::OK,
        &SnapshotResponse {
            object: "entitlement_snapshot",
            customer: &customer.id,
            livemode: customer.livemode,
            version,
            as_of,
            expires_at,
            changes_at,
            snapshot: jws::serialize_compact(&signing_input, &signature),
        },
    ))
}

/// Handles `GET /.well-known/jwks.json`. It is the only cacheable response: a key is published before
/// it signs.
pub(super) fn jwks<S: Store>(app: &App<'_, S>) -> Response {
    let keys: Vec<_> = app.settings.signing_keys.iter().map(SigningKey::to_public_jwk).collect();
    let mut response = json_response(StatusCode::OK, &json!({ "keys": keys }));
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    response
}

/// The origin of the request's URL, for `iss`.
fn request_origin(request: &Request) -> String {
    let uri = request.uri();
    match (uri.scheme_str(), uri.authority()) {
        (Some(scheme), Some(authority)) => format!("{scheme}://{authority}"),
        _ => "entgate".to_owned(),
    }
}
