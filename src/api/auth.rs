//! Who asks? Server keys, as Stripe's SDKs (Bearer) and curl users (Basic, no password) send them.
//!
//! <https://docs.stripe.com/api/authentication>; Basic as RFC 7617, the key being the user name.

use base64::{Engine as _, prelude::BASE64_STANDARD};

use http::header::AUTHORIZATION;

use super::{Request, error::Error, settings::Settings, text};
use crate::id::Livemode;

/// Which mode the caller may see.
///
/// # Errors
///
/// 401 in Stripe's words, without a key or with one that is none of ours.
pub(super) fn authenticate(settings: &Settings, request: &Request) -> Result<Livemode, Error> {
    let given = text(request, AUTHORIZATION).and_then(key).filter(|key| !key.is_empty()).ok_or_else(|| {
        Error::unauthorized(
            "You did not provide an API key. You need to provide your API key in the Authorization \
             header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').",
        )
    })?;
    let mut livemode = None;
    // To the end even after a match, so that time does not tell which key it was.
    for key in &settings.api_keys {
        if key.is(given.as_bytes()) {
            livemode = Some(key.livemode);
        }
    }
    livemode.ok_or_else(|| {
        let hint = if settings.api_keys.is_empty() {
            ". This deployment takes no key: ENTGATE_API_KEYS is not set"
        } else {
            ""
        };
        Error::unauthorized(format!("Invalid API Key provided: {}{hint}", masked(&given)))
    })
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
