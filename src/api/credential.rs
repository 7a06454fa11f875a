//! The credential of a request: where it is, what kind it is, and how a message may show it.
//!
//! Stripe's SDKs use Bearer, and curl users use Basic with the key as user name (RFC 7617). Whether a
//! credential is valid is not decided here.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::header::{AUTHORIZATION, HeaderName};

use super::{
    app::{Request, header_str},
    error::Error,
    settings::{API_KEYS, Settings},
};
use crate::id::Livemode;

/// The header for clients that cannot set `Authorization`.
pub(super) const API_KEY_HEADER: HeaderName = HeaderName::from_static("x-api-key");

/// The credential of a request.
///
/// # Errors
///
/// 401 without one.
pub(super) fn read_credential(settings: &Settings, request: &Request) -> Result<String, Error> {
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

/// Which keys a caller needs: users of Stripe try Stripe's first.
pub(super) fn describe_keys(settings: &Settings) -> String {
    let has = |livemode| settings.api_keys.iter().any(|key| key.livemode == livemode);
    let modes = match (has(Livemode::Test), has(Livemode::Live)) {
        (true, true) => "has keys of test mode and of live mode",
        (true, false) => "has keys of test mode only",
        (false, true) => "has keys of live mode only",
        (false, false) => "has none, because that is not set",
    };
    format!("The keys are entgate's own, in {API_KEYS}, and not Stripe's. This deployment {modes}.")
}

/// Whether a credential is a token. A JWT has two dots; a truncated one still begins with `{"` in
/// base64.
pub(super) fn is_token(credential: &str) -> bool {
    !is_server_key(credential)
        && (credential.matches('.').count() >= 2 || credential.starts_with("eyJ"))
}

/// Whether a credential has the prefix of a server key.
pub(super) fn is_server_key(credential: &str) -> bool {
    credential.starts_with("sk_") || credential.starts_with("rk_")
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

/// A key as a message may contain it: its prefix and last four characters, as at Stripe.
pub(super) fn redact(key: &str) -> String {
    let prefixes = ["sk_test_", "sk_live_", "rk_test_", "rk_live_"];
    let prefix = prefixes.into_iter().find(|prefix| key.starts_with(prefix));
    let rest: Vec<char> = key.chars().skip(prefix.map_or(0, str::len)).collect();
    // Four characters would be most of a short key.
    let hidden = if rest.len() >= 12 { rest.len() - 4 } else { rest.len() };
    let visible: String = rest.iter().skip(hidden).collect();
    format!("{}****{visible}", prefix.unwrap_or_default())
}
