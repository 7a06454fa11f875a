//! `POST /v1/tokens`: a token that opens one customer, for that customer's browser.
//!
//! The backend, which knows who has logged in, asks for it and hands it on. It is a JWT that lives
//! for minutes: [`crate::token`] says what is in it.

use http::StatusCode;
use serde::Serialize;

use super::{App, Request, Response, auth, error::Error, form::Params, json_response, settings};
use crate::{
    id::{CustomerId, CustomerKey, Livemode, Timestamp},
    store::Store,
    token::hs256::{AUDIENCE, NewToken},
};

/// How long a token lives if nothing is said, in seconds.
const DEFAULT_TTL: u64 = 900;

/// The longest that a token lives, in seconds: nothing takes it back before.
const MAX_TTL: u64 = 3_600;

#[derive(Serialize)]
struct TokenResponse<'a> {
    object: &'static str,
    customer: &'a CustomerId,
    livemode: Livemode,
    token: String,
    expires_at: Timestamp,
}

/// Makes a token.
pub(super) fn create<S: Store>(
    app: &App<'_, S>,
    request: &Request,
    now: Timestamp,
) -> Result<Response, Error> {
    let livemode = auth::authenticate_server(app.settings, request)?;
    let mut params = Params::from_body(request)?;
    let id = params.take_required_string("customer")?;
    let id = CustomerId::try_from(id).map_err(|error| Error::invalid_id("customer", &error))?;
    let lifetime = params.take_integer("expires_in", 1..=MAX_TTL)?.unwrap_or(DEFAULT_TTL);
    params.reject_unknown()?;
    let Some(secret) = app.settings.token_secrets.first() else {
        let message = format!("No tokens are made here: {} is not set.", settings::TOKEN_SECRETS);
        return Err(Error::unconfigured(message));
    };
    let expires = Timestamp(now.0.saturating_add_unsigned(lifetime));
    let customer = CustomerKey { livemode, id };
    let jti = format!("tok_{:032x}", (app.random)());
    let token = secret.sign(&NewToken {
        customer: &customer,
        audience: AUDIENCE,
        issued_at: now,
        expires_at: expires,
        jti: &jti,
    });
    let minted = TokenResponse {
        object: "customer_token",
        customer: &customer.id,
        livemode,
        token,
        expires_at: expires,
    };
    Ok(json_response(StatusCode::OK, &minted))
}
