//! `POST /v1/tokens`: a token that opens one customer, for that customer's browser.
//!
//! The backend, which knows who has logged in, asks for it and hands it on. It is a JWT that lives
//! for minutes: [`crate::token`] says what is in it.

use http::StatusCode;
use serde::Serialize;

use super::{App, Request, Response, auth, error::Error, form::Params, json, settings};
use crate::{
    id::{Customer, CustomerId, Livemode, Timestamp},
    store::Store,
    token::secret::{AUDIENCE, Words},
};

/// How long a token lives if nothing is said, in seconds.
const DEFAULT: u64 = 900;

/// The longest that a token lives, in seconds: nothing takes it back before.
const LONGEST: u64 = 3_600;

#[derive(Serialize)]
struct Minted<'a> {
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
    let livemode = auth::authenticate(app.settings, request)?;
    let mut params = Params::body(request)?;
    let id = params.required("customer")?;
    let id = CustomerId::try_from(id).map_err(|error| Error::unnameable("customer", &error))?;
    let lifetime = params.integer("expires_in", 1..=LONGEST)?.unwrap_or(DEFAULT);
    params.finish()?;
    let Some(secret) = app.settings.token_secrets.first() else {
        let message = format!("No tokens are made here: {} is not set.", settings::TOKEN_SECRETS);
        return Err(Error::unconfigured(message));
    };
    let expires = Timestamp(now.0.saturating_add_unsigned(lifetime));
    let customer = Customer { livemode, id };
    let jti = format!("tok_{:032x}", (app.random)());
    let token = secret.seal(&Words {
        customer: &customer,
        audience: AUDIENCE,
        issued: now,
        expires,
        jti: &jti,
    });
    let minted = Minted {
        object: "customer_token",
        customer: &customer.id,
        livemode,
        token,
        expires_at: expires,
    };
    Ok(json(StatusCode::OK, &minted))
}
