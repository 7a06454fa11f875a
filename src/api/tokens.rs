//! `POST /v1/tokens`: creates a token that gives a browser access to one customer.
//!
//! The operator's backend, which authenticates its users, requests the token and passes it on. The
//! token is a JWT with a short lifetime; its format is in [`crate::token`].

use http::StatusCode;
use serde::Serialize;

use super::{
    app::{App, Request, Response, json_response},
    auth,
    body::{self, MAX_BODY_BYTES, RequestBody},
    error::Error,
    form::Params,
    settings,
};
use crate::{
    id::{CustomerId, CustomerKey, Livemode, Timestamp},
    store::Store,
    token::hs256::{AUDIENCE, NewToken},
};

/// The default lifetime of a token, in seconds.
const DEFAULT_TTL: u64 = 900;

/// The maximum lifetime of a token, in seconds: a token cannot be revoked.
const MAX_TTL: u64 = 3_600;

#[derive(Serialize)]
struct TokenResponse<'a> {
    object: &'static str,
    customer: &'a CustomerId,
    livemode: Livemode,
    token: String,
    expires_at: Timestamp,
}

/// Handles `POST /v1/tokens`.
pub(super) async fn create<S: Store>(
    app: &App<'_, S>,
    request: &mut Request,
    body: &impl RequestBody,
    now: Timestamp,
) -> Result<Response, Error> {
    let livemode = auth::authenticate_server(app.settings, request)?;
    body::receive(request, body, MAX_BODY_BYTES).await?;
    let mut params = Params::from_body(request)?;
    params.accept(&["customer", "expires_in"])?;
    let id = params.take_required_string("customer")?;
    let id = CustomerId::try_from(id).map_err(|error| Error::invalid_id("customer", &error))?;
    let ttl = params.take_integer("expires_in", 1..=MAX_TTL)?.unwrap_or(DEFAULT_TTL);
    params.reject_unknown()?;
    let Some(secret) = app.settings.token_secrets.first() else {
        let message =
            format!("Customer tokens are disabled: {} is not set.", settings::TOKEN_SECRETS);
        return Err(Error::unconfigured(message));
    };
    let expires_at = now.saturating_add_unsigned(ttl);
    let customer = CustomerKey { livemode, id };
    let jti = format!("tok_{:032x}", (app.random)());
    let token = secret.sign(&NewToken {
        customer: &customer,
        audience: AUDIENCE,
        issued_at: now,
        expires_at,
        jti: &jti,
    });
    let body = TokenResponse {
        object: "customer_token",
        customer: &customer.id,
        livemode,
        token,
        expires_at,
    };
    Ok(json_response(StatusCode::OK, &body))
}
