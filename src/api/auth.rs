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

use super::{App, Request, error::Error, form::Params, settings::Settings, text};
use crate::{
    id::{Customer, CustomerId, Livemode, Timestamp},
    store::{Crypto as _, Store},
    token::{
        self, Algorithm, Claims, Expected, Jws,
        claims::Holder,
        jwk::PublicKey,
        keyring::Lookup,
        secret::{self, AUDIENCE, STREAM_AUDIENCE},
    },
};

/// The header of a server key, for those who cannot send another.
pub(super) const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Who asks.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Caller {
    /// The operator, about anybody of one mode.
    Server(Livemode),
    /// A customer, about nobody else.
    Customer(Holder),
}

/// What a token has to be made for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Purpose {
    /// For all that its customer may see.
    Everything,
    /// For hearing of changes: such a token stands in a URL, and opens nothing else.
    Notices,
}

/// Which mode the operator may see.
///
/// # Errors
///
/// 401 in Stripe's words, without a key or with one that is none of ours; 403 with a token.
pub(super) fn authenticate(settings: &Settings, request: &Request) -> Result<Livemode, Error> {
    let given = credential(request)?;
    if is_token(&given) {
        return Err(Error::needs_server_key());
    }
    server(settings, &given)
}

/// Who asks about a customer.
///
/// # Errors
///
/// 401 without a key or a token that is any good; 503 if that cannot be told.
pub(super) async fn caller<S: Store>(
    app: &App<'_, S>,
    request: &Request,
    now: Timestamp,
) -> Result<Caller, Error> {
    let given = credential(request)?;
    if is_token(&given) {
        return holder(app, &given, Purpose::Everything, now).await.map(Caller::Customer);
    }
    server(app.settings, &given).map(Caller::Server)
}

/// Who listens: as [`caller()`], or by a token in the URL, where a browser can send no header.
///
/// # Errors
///
/// As [`caller()`].
pub(super) async fn listener<S: Store>(
    app: &App<'_, S>,
    request: &Request,
    params: &mut Params,
    now: Timestamp,
) -> Result<Caller, Error> {
    match params.text("token")? {
        Some(token) => holder(app, &token, Purpose::Notices, now).await.map(Caller::Customer),
        None => caller(app, request, now).await,
    }
}

impl Caller {
    /// The customer who is asked about: takes `customer`, which a token's customer may leave out.
    ///
    /// # Errors
    ///
    /// 400 where nobody is named, or in a way that names nobody; 403 where a token names another one.
    pub(super) fn customer(&self, params: &mut Params) -> Result<Customer, Error> {
        let named = params.text("customer")?;
        self.about(named.as_deref(), &params.full("customer"))
    }

    /// The customer who is asked about, by this name or, for a token, by none; `param` is where the
    /// name stood.
    ///
    /// # Errors
    ///
    /// As [`Caller::customer()`].
    pub(super) fn about(&self, named: Option<&str>, param: &str) -> Result<Customer, Error> {
        match (self, named) {
            (Self::Customer(holder), Some(named)) if *named != *holder.customer.id.as_str() => {
                Err(Error::other_customer(param))
            }
            (Self::Customer(holder), _) => Ok(holder.customer.clone()),
            (Self::Server(_), None) => Err(Error::missing(param)),
            (Self::Server(livemode), Some(named)) => {
                let id = CustomerId::try_from(named)
                    .map_err(|error| Error::unnameable(param, &error))?;
                Ok(Customer { livemode: *livemode, id })
            }
        }
    }
}

fn credential(request: &Request) -> Result<String, Error> {
    let given = text(request, AUTHORIZATION).and_then(key);
    let given = given.or_else(|| text(request, API_KEY).map(|key| key.trim().to_owned()));
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
pub(super) fn mode(settings: &Settings, given: &str) -> Option<Livemode> {
    let mut livemode = None;
    // To the end even after a match, so that time does not tell which key it was.
    for key in &settings.api_keys {
        if key.is(given.as_bytes()) {
            livemode = Some(key.livemode);
        }
    }
    livemode
}

fn server(settings: &Settings, given: &str) -> Result<Livemode, Error> {
    mode(settings, given).ok_or_else(|| {
        let hint = if settings.api_keys.is_empty() {
            ". This deployment takes no key: ENTGATE_API_KEYS is not set"
        } else {
            ""
        };
        Error::unauthorized(format!("Invalid API Key provided: {}{hint}", masked(given)))
    })
}

/// Whose a token of our own is.
///
/// # Errors
///
/// Says why it is no good.
pub(super) fn minted(
    settings: &Settings,
    token: &Jws<'_>,
    purpose: Purpose,
    now: Timestamp,
) -> Result<Holder, token::Error> {
    secret::verify(&settings.token_secrets, token)?;
    let audiences: &[&str] = match purpose {
        Purpose::Everything => &[AUDIENCE],
        Purpose::Notices => &[AUDIENCE, STREAM_AUDIENCE],
    };
    let ours = Expected { issuer: None, audiences, customer: "sub", livemode: None };
    Claims::of(token)?.holder(&ours, now)
}

/// Whose a token is.
async fn holder<S: Store>(
    app: &App<'_, S>,
    token: &str,
    purpose: Purpose,
    now: Timestamp,
) -> Result<Holder, Error> {
    let token = Jws::parse(token)?;
    if token.algorithm == Algorithm::Hs256 {
        return Ok(minted(app.settings, &token, purpose, now)?);
    }
    let Some(issuer) = &app.settings.issuer else { return Err(token::Error::NoIssuer.into()) };
    let keys = issuers_keys(app, &token, now).await?;
    if keys.is_empty() {
        return Err(token::Error::UnknownKey.into());
    }
    let mut genuine = false;
    for key in &keys {
        genuine = app.store.crypto().verify(key, token.message, &token.signature).await?;
        if genuine {
            break;
        }
    }
    if !genuine {
        return Err(token::Error::Signature.into());
    }
    let audience = issuer.audience.as_deref();
    let theirs = Expected {
        issuer: Some(&issuer.name),
        audiences: audience.as_slice(),
        customer: &issuer.customer_claim,
        livemode: Some(issuer.livemode),
    };
    Ok(Claims::of(&token)?.holder(&theirs, now)?)
}

/// The issuer's keys that may have signed a token, fetched where that is due.
async fn issuers_keys<S: Store>(
    app: &App<'_, S>,
    token: &Jws<'_>,
    now: Timestamp,
) -> Result<Vec<PublicKey>, Error> {
    let keyring = app.keyring;
    match keyring.lookup(token, now) {
        Lookup::Try(keys) => return Ok(keys),
        Lookup::LeftAlone => return Err(Error::no_issuers_keys("it was asked a moment ago")),
        Lookup::Fetch => {}
    }
    let fetched = app.store.crypto().issuers_keys().await.map_err(|error| error.to_string());
    let kept = fetched.and_then(|document| keyring.fetched(&document, now).map_err(str::to_owned));
    if let Err(cause) = &kept {
        keyring.failed(now);
        (app.log)(&format!("the issuer's keys could not be read: {cause}"));
    }
    let known = keyring.known(token);
    match kept {
        // Those that were held before go on; but what none of them fits may be signed by a new one.
        Err(cause) if known.is_empty() => Err(Error::no_issuers_keys(&cause)),
        Ok(()) | Err(_) => Ok(known),
    }
}

fn key(authorization: &str) -> Option<String> {
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
fn masked(key: &str) -> String {
    let kind = ["sk_test_", "sk_live_"].into_iter().find(|kind| key.starts_with(kind));
    let rest: Vec<char> = key.chars().skip(kind.map_or(0, str::len)).collect();
    // Of a short key the last four would be most.
    let shown = if rest.len() >= 12 { rest.len() - 4 } else { rest.len() };
    let tail: String = rest.iter().skip(shown).collect();
    format!("{}****{tail}", kind.unwrap_or_default())
}
