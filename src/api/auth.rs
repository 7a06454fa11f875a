//! Authentication: server keys, and customer tokens that name one customer.
//!
//! A server key is a secret key (`sk_…`), which opens every route, or a read-only key (`rk_…`), which
//! opens the routes that read the entitlements of customers. A customer token opens some of those.
//!
//! | credential in                   | server key | customer token          |
//! |---------------------------------|------------|-------------------------|
//! | `Authorization: Bearer`         | yes        | yes                     |
//! | `Authorization: Basic`          | yes        | yes                     |
//! | `X-API-Key`                     | yes        | yes                     |
//! | `?token=` of a stream           | no         | yes                     |
//!
//! A [`BoundCaller`] needs none of these.
//!
//! How a request has a credential is in `credential`. Tokens are verified here, with secrets of this
//! deployment or with keys of the configured issuer. A customer id in a request is accepted only if the
//! credential permits that customer.
//!
//! Specification: <https://docs.stripe.com/api/authentication>.

use super::{
    app::{App, Request},
    credential::{describe_keys, is_token, read_credential, redact},
    error::Error,
    form::Params,
    settings::{ApiKey, KeyKind, Settings},
};
use crate::{
    id::{CustomerId, CustomerKey, Livemode, Timestamp},
    store::{Crypto as _, Store},
    token::{
        self, Algorithm, Jws, LEEWAY, Validation,
        claims::{self, TokenSubject},
        hs256::{self, AUDIENCE, REFETCH_STREAM_AUDIENCE},
        jwk::PublicKey,
        jwks_cache::KeyLookup,
    },
    waiting::poll_while,
};

/// How long a request waits for the issuer's keys that another one fetches, in milliseconds: a little
/// longer than that fetch may take.
const JWKS_WAIT_TIMEOUT: u64 = 6_000;

/// A caller that needs no key: another Worker of the account, which is bound to this deployment for one
/// mode. The shell adds it to the extensions of a request, which no client can do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BoundCaller(pub Livemode);

/// An authenticated caller with a secret key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Operator {
    /// The mode of the key.
    pub(super) livemode: Livemode,
    /// The key as responses may contain it.
    pub(super) redacted_key: String,
}

/// An authenticated caller.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Principal {
    /// The operator or a backend: any customer of one mode.
    Server(Livemode),
    /// One customer.
    Customer(TokenSubject),
}

/// What a token must give access to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum TokenScope {
    /// Everything that its customer may read.
    Full,
    /// The refetch stream of OpenFeature. Some tokens give access to nothing else.
    RefetchStream,
}

/// Checks that the request is for a host that this deployment answers: in development, for this machine.
///
/// # Errors
///
/// 403 for any other host.
pub(super) fn check_host(settings: &Settings, authority: &str) -> Result<(), Error> {
    if settings.environment.permits_host(authority) {
        return Ok(());
    }
    Err(Error::host_not_allowed(authority))
}

/// Authenticates the operator by a secret key, and returns its mode.
///
/// # Errors
///
/// 401 without a valid key; 403 with a read-only key or a customer token.
pub(super) fn authenticate_server(
    settings: &Settings,
    request: &Request,
) -> Result<Livemode, Error> {
    Ok(authenticate_operator(settings, request)?.livemode)
}

/// Authenticates the operator by a secret key, and returns who that is.
///
/// # Errors
///
/// As [`authenticate_server()`].
pub(super) fn authenticate_operator(
    settings: &Settings,
    request: &Request,
) -> Result<Operator, Error> {
    let (key, credential) = read_server_key(settings, request)?;
    let redacted_key = redact(&credential);
    match key.kind {
        KeyKind::Secret => Ok(Operator { livemode: key.livemode, redacted_key }),
        KeyKind::Restricted => Err(Error::key_lacks_permission(&redacted_key)),
    }
}

/// Authenticates the operator by a secret key, or another Worker by its binding, and returns the mode.
///
/// # Errors
///
/// As [`authenticate_server()`].
pub(super) fn authenticate_server_or_bound(
    settings: &Settings,
    request: &Request,
) -> Result<Livemode, Error> {
    match request.extensions().get() {
        Some(BoundCaller(livemode)) => Ok(*livemode),
        None => authenticate_server(settings, request),
    }
}

/// Authenticates a backend by a secret key or a read-only key, and returns its mode.
///
/// # Errors
///
/// 401 without a valid key; 403 with a customer token.
pub(super) fn authenticate_reader(
    settings: &Settings,
    request: &Request,
) -> Result<Livemode, Error> {
    Ok(read_server_key(settings, request)?.0.livemode)
}

/// Authenticates a backend, by a secret key, a read-only key or its binding, or a customer.
///
/// # Errors
///
/// 401 without a valid key or token; 503 if the issuer's keys are unavailable.
pub(super) async fn authenticate_any<S: Store>(
    app: &App<'_, S>,
    request: &Request,
    now: Timestamp,
) -> Result<Principal, Error> {
    if let Some(BoundCaller(livemode)) = request.extensions().get() {
        return Ok(Principal::Server(*livemode));
    }
    let credential = read_credential(app.settings, request)?;
    if is_token(&credential) {
        let subject = verify_token(app, &credential, TokenScope::Full, now).await?;
        return Ok(Principal::Customer(subject));
    }
    Ok(Principal::Server(verify_server_key(app.settings, &credential)?.livemode))
}

/// Authenticates the caller of a stream: by a token in the URL, since a browser's `EventSource` sends
/// no headers, or as [`authenticate_any()`] does.
///
/// # Errors
///
/// As [`authenticate_any()`].
pub(super) async fn authenticate_stream<S: Store>(
    app: &App<'_, S>,
    request: &Request,
    params: &mut Params,
    scope: TokenScope,
    now: Timestamp,
) -> Result<Principal, Error> {
    match params.take_string("token")? {
        Some(token) => verify_token(app, &token, scope, now).await.map(Principal::Customer),
        None => authenticate_any(app, request, now).await,
    }
}

impl Principal {
    /// Takes the parameter `customer`, which is optional with a customer token.
    ///
    /// # Errors
    ///
    /// 400 if the customer is missing or not a valid id; 403 if the token names another customer.
    pub(super) fn take_customer(&self, params: &mut Params) -> Result<CustomerKey, Error> {
        let id = params.take_string("customer")?;
        if id.is_none() && matches!(self, Self::Server(_)) {
            return Err(params.missing("customer"));
        }
        self.authorize_customer(id.as_deref(), &params.qualified("customer"))
    }

    /// Authorizes access to a customer. `param` is the parameter that contained the id.
    ///
    /// # Errors
    ///
    /// As [`Principal::take_customer()`].
    pub(super) fn authorize_customer(
        &self,
        id: Option<&str>,
        param: &str,
    ) -> Result<CustomerKey, Error> {
        match (self, id) {
            (Self::Customer(subject), Some(id)) if *id != *subject.customer.id.as_str() => {
                Err(Error::customer_mismatch(param))
            }
            (Self::Customer(subject), _) => Ok(subject.customer.clone()),
            (Self::Server(_), None) => Err(Error::missing_param(param)),
            (Self::Server(livemode), Some(id)) => {
                let id =
                    CustomerId::try_from(id).map_err(|error| Error::invalid_id(param, &error))?;
                Ok(CustomerKey { livemode: *livemode, id })
            }
        }
    }
}

/// The server key that equals the credential.
pub(super) fn match_server_key<'a>(settings: &'a Settings, credential: &str) -> Option<&'a ApiKey> {
    let mut matching = None;
    // The loop does not stop at a match, so that its duration does not reveal which key matched.
    for key in &settings.api_keys {
        if key.matches(credential.as_bytes()) {
            matching = Some(key);
        }
    }
    matching
}

/// The server key of a request, and the credential that it equals.
fn read_server_key<'a>(
    settings: &'a Settings,
    request: &Request,
) -> Result<(&'a ApiKey, String), Error> {
    let credential = read_credential(settings, request)?;
    if is_token(&credential) {
        return Err(Error::needs_server_key());
    }
    Ok((verify_server_key(settings, &credential)?, credential))
}

fn verify_server_key<'a>(settings: &'a Settings, credential: &str) -> Result<&'a ApiKey, Error> {
    match_server_key(settings, credential).ok_or_else(|| {
        let keys = describe_keys(settings);
        Error::unauthorized(format!("Invalid API Key provided: {}. {keys}", redact(credential)))
    })
}

/// Verifies a token that this deployment signed.
///
/// # Errors
///
/// When the token is invalid, with the reason.
pub(super) fn verify_own_token(
    settings: &Settings,
    token: &Jws<'_>,
    scope: TokenScope,
    now: Timestamp,
) -> Result<TokenSubject, token::Error> {
    hs256::verify(&settings.token_secrets, token)?;
    let audiences: &[&str] = match scope {
        TokenScope::Full => &[AUDIENCE],
        TokenScope::RefetchStream => &[AUDIENCE, REFETCH_STREAM_AUDIENCE],
    };
    let validation = Validation {
        issuer: None,
        audiences,
        customer_claim: "sub",
        livemode: None,
        expiry_leeway: 0,
    };
    claims::validate(token, &validation, now)
}

/// Verifies a token of this deployment or of the configured issuer.
async fn verify_token<S: Store>(
    app: &App<'_, S>,
    token: &str,
    scope: TokenScope,
    now: Timestamp,
) -> Result<TokenSubject, Error> {
    let token = Jws::parse(token)?;
    if token.algorithm == Algorithm::Hs256 {
        return Ok(verify_own_token(app.settings, &token, scope, now)?);
    }
    let Some(issuer) = &app.settings.issuer else { return Err(token::Error::NoIssuer.into()) };
    let audience = issuer.audience.as_deref();
    let validation = Validation {
        issuer: Some(&issuer.name),
        audiences: audience.as_slice(),
        customer_claim: &issuer.customer_claim,
        livemode: Some(issuer.livemode),
        expiry_leeway: LEEWAY,
    };
    // First, so that a token that cannot be accepted causes no request to the issuer.
    let subject = claims::validate(&token, &validation, now)?;
    let keys = load_issuer_keys(app, &token, now).await?;
    if keys.is_empty() {
        return Err(token::Error::UnknownKey.into());
    }
    let mut is_verified = false;
    for key in &keys {
        is_verified = app.store.crypto().verify(key, token.signing_input, &token.signature).await?;
        if is_verified {
            break;
        }
    }
    if !is_verified {
        return Err(token::Error::InvalidSignature.into());
    }
    Ok(subject)
}

/// The issuer's keys that may have signed a token. Fetches the JWK Set if it is due, or waits for the
/// fetch of another request.
async fn load_issuer_keys<S: Store>(
    app: &App<'_, S>,
    token: &Jws<'_>,
    now: Timestamp,
) -> Result<Vec<PublicKey>, Error> {
    let cache = app.jwks_cache;
    let mut lookup = cache.lookup(token, now);
    if lookup == KeyLookup::InFlight {
        poll_while(app.sleep, JWKS_WAIT_TIMEOUT, |waited| {
            lookup = cache.lookup(token, now.saturating_add_unsigned(waited / 1_000));
            lookup == KeyLookup::InFlight
        })
        .await;
    }
    match lookup {
        KeyLookup::Candidates(keys) => return Ok(keys),
        KeyLookup::InFlight => {
            return Err(Error::issuer_keys_unavailable("the fetch of another request takes long"));
        }
        KeyLookup::Backoff => {
            return Err(Error::issuer_keys_unavailable("the last fetch failed"));
        }
        KeyLookup::Fetch => {}
    }
    let fetched = app.store.crypto().fetch_jwks().await.map_err(|error| error.to_string());
    let stored = fetched.and_then(|document| cache.store(&document, now).map_err(str::to_owned));
    if let Err(cause) = &stored {
        cache.record_failure(now);
        (app.log)(&format!("failed to fetch the JWKS: {cause}"));
    }
    let cached = cache.cached_keys(token);
    match stored {
        // Older cached keys stay valid. If none of them fits, a key that is not fetched yet may.
        Err(cause) if cached.is_empty() => Err(Error::issuer_keys_unavailable(&cause)),
        Ok(()) | Err(_) => Ok(cached),
    }
}
