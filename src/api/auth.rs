//! Who asks? Server keys, as Stripe's SDKs (Bearer) and curl users (Basic, no password) send them, and
//! tokens that name one customer.
//!
//! | carried by                      | server key | customer's token        |
//! |---------------------------------|------------|-------------------------|
//! | `Authorization: Bearer`         | yes        | yes                     |
//! | `Authorization: Basic`          | yes        | yes                     |
//! | `X-API-Key`                     | yes        | yes                     |
//! | `?token=`, of a stream          | no         | yes                     |
//!
//! <https://docs.stripe.com/api/authentication>; Basic as RFC 7617, the key being the user name. A
//! token is checked here; nothing else that a caller says of itself is believed.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::header::{AUTHORIZATION, HeaderName};

use super::{App, Request, error::Error, form::Params, header_str, settings::Settings};
use crate::{
    id::{CustomerId, CustomerKey, Livemode, Timestamp},
    store::{Crypto as _, Store},
    token::{
        self, Algorithm, Claims, Jws, Validation,
        claims::TokenSubject,
        hs256::{self, AUDIENCE, STREAM_AUDIENCE},
        jwk::PublicKey,
        jwks_cache::KeyLookup,
    },
};

/// The header of a server key, for those who cannot send another.
pub(super) const API_KEY_HEADER: HeaderName = HeaderName::from_static("x-api-key");

/// Who asks.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Principal {
    /// The operator, about anybody of one mode.
    Server(Livemode),
    /// A customer, about nobody else.
    Customer(TokenSubject),
}

/// What a token has to be made for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum TokenScope {
    /// For all that its customer may see.
    Full,
    /// For hearing of changes: such a token stands in a URL, and opens nothing else.
    Stream,
}

/// Which mode the operator may see.
///
/// # Errors
///
/// 401 in Stripe's words, without a key or with one that is none of ours; 403 with a token.
pub(super) fn authenticate_server(
    settings: &Settings,
    request: &Request,
) -> Result<Livemode, Error> {
    let given = read_credential(request)?;
    if is_token(&given) {
        return Err(Error::needs_server_key());
    }
    verify_server_key(settings, &given)
}

/// Who asks about a customer.
///
/// # Errors
///
/// 401 without a key or a token that is any good; 503 if that cannot be told.
pub(super) async fn authenticate_any<S: Store>(
    app: &App<'_, S>,
    request: &Request,
    now: Timestamp,
) -> Result<Principal, Error> {
    let given = read_credential(request)?;
    if is_token(&given) {
        return verify_token(app, &given, TokenScope::Full, now).await.map(Principal::Customer);
    }
    verify_server_key(app.settings, &given).map(Principal::Server)
}

/// Who listens: as [`caller()`], or by a token in the URL, where a browser can send no header.
///
/// # Errors
///
/// As [`caller()`].
pub(super) async fn authenticate_stream<S: Store>(
    app: &App<'_, S>,
    request: &Request,
    params: &mut Params,
    now: Timestamp,
) -> Result<Principal, Error> {
    match params.take_string("token")? {
        Some(token) => {
            verify_token(app, &token, TokenScope::Stream, now).await.map(Principal::Customer)
        }
        None => authenticate_any(app, request, now).await,
    }
}

impl Principal {
    /// The customer who is asked about: takes `customer`, which a token's customer may leave out.
    ///
    /// # Errors
    ///
    /// 400 where nobody is named, or in a way that names nobody; 403 where a token names another one.
    pub(super) fn take_customer(&self, params: &mut Params) -> Result<CustomerKey, Error> {
        let named = params.take_string("customer")?;
        self.authorize_customer(named.as_deref(), &params.qualified("customer"))
    }

    /// The customer who is asked about, by this name or, for a token, by none; `param` is where the
    /// name stood.
    ///
    /// # Errors
    ///
    /// As [`Caller::customer()`].
    pub(super) fn authorize_customer(
        &self,
        named: Option<&str>,
        param: &str,
    ) -> Result<CustomerKey, Error> {
        match (self, named) {
            (Self::Customer(holder), Some(named)) if *named != *holder.customer.id.as_str() => {
                Err(Error::customer_mismatch(param))
            }
            (Self::Customer(holder), _) => Ok(holder.customer.clone()),
            (Self::Server(_), None) => Err(Error::missing_param(param)),
            (Self::Server(livemode), Some(named)) => {
                let id = CustomerId::try_from(named)
                    .map_err(|error| Error::invalid_id(param, &error))?;
                Ok(CustomerKey { livemode: *livemode, id })
            }
        }
    }
}

fn read_credential(request: &Request) -> Result<String, Error> {
    let given = header_str(request, AUTHORIZATION).and_then(parse_authorization);
    let given =
        given.or_else(|| header_str(request, API_KEY_HEADER).map(|key| key.trim().to_owned()));
    given.filter(|key| !key.is_empty()).ok_or_else(|| {
        Error::unauthorized(
            "You did not provide an API key. You need to provide your API key in the Authorization \
             header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').",
        )
    })
}

/// Two dots make a token; one that lost them is known by its first letters, `{"` in base64.
fn is_token(given: &str) -> bool {
    !given.starts_with("sk_") && (given.matches('.').count() >= 2 || given.starts_with("eyJ"))
}

/// The mode that a server key opens, if it is one.
pub(super) fn match_server_key(settings: &Settings, given: &str) -> Option<Livemode> {
    let mut livemode = None;
    // To the end even after a match, so that time does not tell which key it was.
    for key in &settings.api_keys {
        if key.matches(given.as_bytes()) {
            livemode = Some(key.livemode);
        }
    }
    livemode
}

fn verify_server_key(settings: &Settings, given: &str) -> Result<Livemode, Error> {
    match_server_key(settings, given).ok_or_else(|| {
        let hint = if settings.api_keys.is_empty() {
            ". This deployment takes no key: ENTGATE_API_KEYS is not set"
        } else {
            ""
        };
        Error::unauthorized(format!("Invalid API Key provided: {}{hint}", redact(given)))
    })
}

/// Whose a token of our own is.
///
/// # Errors
///
/// Says why it is no good.
pub(super) fn verify_own_token(
    settings: &Settings,
    token: &Jws<'_>,
    purpose: TokenScope,
    now: Timestamp,
) -> Result<TokenSubject, token::Error> {
    hs256::verify(&settings.token_secrets, token)?;
    let audiences: &[&str] = match purpose {
        TokenScope::Full => &[AUDIENCE],
        TokenScope::Stream => &[AUDIENCE, STREAM_AUDIENCE],
    };
    let ours = Validation { issuer: None, audiences, customer_claim: "sub", livemode: None };
    Claims::from_jws(token)?.validate(&ours, now)
}

/// Whose a token is.
async fn verify_token<S: Store>(
    app: &App<'_, S>,
    token: &str,
    purpose: TokenScope,
    now: Timestamp,
) -> Result<TokenSubject, Error> {
    let token = Jws::parse(token)?;
    if token.algorithm == Algorithm::Hs256 {
        return Ok(verify_own_token(app.settings, &token, purpose, now)?);
    }
    let Some(issuer) = &app.settings.issuer else { return Err(token::Error::NoIssuer.into()) };
    let keys = load_issuer_keys(app, &token, now).await?;
    if keys.is_empty() {
        return Err(token::Error::UnknownKey.into());
    }
    let mut genuine = false;
    for key in &keys {
        genuine = app.store.crypto().verify(key, token.signing_input, &token.signature).await?;
        if genuine {
            break;
        }
    }
    if !genuine {
        return Err(token::Error::InvalidSignature.into());
    }
    let audience = issuer.audience.as_deref();
    let theirs = Validation {
        issuer: Some(&issuer.name),
        audiences: audience.as_slice(),
        customer_claim: &issuer.customer_claim,
        livemode: Some(issuer.livemode),
    };
    Ok(Claims::from_jws(&token)?.validate(&theirs, now)?)
}

/// The issuer's keys that may have signed a token, fetched where that is due.
async fn load_issuer_keys<S: Store>(
    app: &App<'_, S>,
    token: &Jws<'_>,
    now: Timestamp,
) -> Result<Vec<PublicKey>, Error> {
    let keyring = app.jwks_cache;
    match keyring.lookup(token, now) {
        KeyLookup::Candidates(keys) => return Ok(keys),
        KeyLookup::Backoff => {
            return Err(Error::issuer_keys_unavailable("it was asked a moment ago"));
        }
        KeyLookup::Fetch => {}
    }
    let fetched = app.store.crypto().fetch_jwks().await.map_err(|error| error.to_string());
    let kept = fetched.and_then(|document| keyring.store(&document, now).map_err(str::to_owned));
    if let Err(cause) = &kept {
        keyring.record_failure(now);
        (app.log)(&format!("the issuer's keys could not be read: {cause}"));
    }
    let known = keyring.cached_keys(token);
    match kept {
        // Those that were held before go on; but what none of them fits may be signed by a new one.
        Err(cause) if known.is_empty() => Err(Error::issuer_keys_unavailable(&cause)),
        Ok(()) | Err(_) => Ok(known),
    }
}

fn parse_authorization(authorization: &str) -> Option<String> {
    let (scheme, credentials) = authorization.trim().split_once(' ')?;
    let credentials = credentials.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(credentials.to_owned());
    }
    if scheme.eq_ignore_ascii_case("basic") {
        let text = String::from_utf8(BASE64_STANDARD.decode(credentials).ok()?).ok()?;
        return Some(match text.split_once(':') {
            Some((user, _)) => user.to_owned(),
            None => text,
        });
    }
    None
}

/// What may be shown of a key that was given: its kind and its last four characters, as Stripe does.
fn redact(key: &str) -> String {
    let kind = ["sk_test_", "sk_live_"].into_iter().find(|kind| key.starts_with(kind));
    let rest: Vec<char> = key.chars().skip(kind.map_or(0, str::len)).collect();
    // Of a short key the last four would be most.
    let shown = if rest.len() >= 12 { rest.len() - 4 } else { rest.len() };
    let tail: String = rest.iter().skip(shown).collect();
    format!("{}****{tail}", kind.unwrap_or_default())
}
