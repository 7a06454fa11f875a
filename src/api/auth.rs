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
//! Stripe's SDKs use Bearer, and curl users use Basic with the key as user name (RFC 7617). Tokens are
//! verified here, with secrets of this deployment or with keys of the configured issuer. A customer id
//! in a request is accepted only if the credential permits that customer.
//!
//! Specification: <https://docs.stripe.com/api/authentication>.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::header::{AUTHORIZATION, HeaderName};

use super::{
    app::{App, Request, header_str},
    error::Error,
    form::Params,
    settings::{API_KEYS, ApiKey, KeyKind, Settings},
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

/// The header for clients that cannot set `Authorization`.
pub(super) const API_KEY_HEADER: HeaderName = HeaderName::from_static("x-api-key");

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
    let (key, credential) = read_server_key(settings, request)?;
    match key.kind {
        KeyKind::Secret => Ok(key.livemode),
        KeyKind::Restricted => Err(Error::key_lacks_permission(&redact(&credential))),
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

fn read_credential(settings: &Settings, request: &Request) -> Result<String, Error> {
    let credential = header_str(request, AUTHORIZATION).and_then(parse_authorization);
    let credential =
        credential.or_else(|| header_str(request, API_KEY_HEADER).map(|key| key.trim().to_owned()));
    credential.filter(|credential| !credential.is_empty()).ok_or_else(|| {
        Error::unauthorized(format!(
            "You did not provide an API key. You need to provide your API key in the Authorization \
             header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY'). {}",
            describe_keys(settings)
        ))
    })
}

/// Whether a credential is a token. A JWT has two dots; a truncated one still begins with `{"` in
/// base64.
fn is_token(credential: &str) -> bool {
    !is_server_key(credential)
        && (credential.matches('.').count() >= 2 || credential.starts_with("eyJ"))
}

/// Whether a credential has the prefix of a server key.
pub(super) fn is_server_key(credential: &str) -> bool {
    credential.starts_with("sk_") || credential.starts_with("rk_")
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

/// Which keys a caller needs: users of Stripe try Stripe's first.
fn describe_keys(settings: &Settings) -> String {
    let has = |livemode| settings.api_keys.iter().any(|key| key.livemode == livemode);
    let modes = match (has(Livemode::Test), has(Livemode::Live)) {
        (true, true) => "has keys of test mode and of live mode",
        (true, false) => "has keys of test mode only",
        (false, true) => "has keys of live mode only",
        (false, false) => "has none, because that is not set",
    };
    format!("The keys are entgate's own, in {API_KEYS}, and not Stripe's. This deployment {modes}.")
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

fn parse_authorization(authorization: &str) -> Option<String> {
    let (scheme, credentials) = authorization.trim().split_once(' ')?;
    let credentials = credentials.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(credentials.to_owned());
    }
    if scheme.eq_ignore_ascii_case("basic") {
        let decoded = String::from_utf8(BASE64_STANDARD.decode(credentials).ok()?).ok()?;
        return Some(match decoded.split_once(':') {
            Some((user, _)) => user.to_owned(),
            None => decoded,
        });
    }
    None
}

/// A rejected key as a message may contain it: its prefix and last four characters, as at Stripe.
fn redact(key: &str) -> String {
    let prefixes = ["sk_test_", "sk_live_", "rk_test_", "rk_live_"];
    let prefix = prefixes.into_iter().find(|prefix| key.starts_with(prefix));
    let rest: Vec<char> = key.chars().skip(prefix.map_or(0, str::len)).collect();
    // Four characters would be most of a short key.
    let hidden = if rest.len() >= 12 { rest.len() - 4 } else { rest.len() };
    let visible: String = rest.iter().skip(hidden).collect();
    format!("{}****{visible}", prefix.unwrap_or_default())
}
