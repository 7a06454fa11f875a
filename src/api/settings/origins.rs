//! The origins whose pages may call this deployment from a browser.
//!
//! Specification: <https://fetch.spec.whatwg.org/#http-cors-protocol>. The response headers are in
//! `api::cors`.

use core::net::Ipv6Addr;

use super::value::{Error, parse_list};

/// The origins that may send cross-origin requests.
pub const ALLOWED_ORIGINS: &str = "ENTGATE_ALLOWED_ORIGINS";

/// Which origins may send cross-origin requests.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum AllowedOrigins {
    /// No origin.
    #[default]
    None,
    /// These origins.
    List(Vec<Box<str>>),
    /// Every origin. This is safe because no cookie authenticates a caller.
    Any,
}

impl AllowedOrigins {
    pub(super) fn parse(value: Option<String>) -> Result<Self, Error> {
        let origins = parse_list(ALLOWED_ORIGINS, value, |item| {
            if item == "*" {
                return Ok(Box::from(item));
            }
            if is_origin(item) { Ok(item.into()) } else { Err(INVALID_ORIGIN) }
        })?;
        Ok(match origins.as_slice() {
            [] => Self::None,
            [any] if **any == *"*" => Self::Any,
            all if all.iter().any(|origin| **origin == *"*") => {
                let problem = "has `*` together with other origins";
                return Err(Error { name: ALLOWED_ORIGINS, problem });
            }
            _ => Self::List(origins),
        })
    }

    /// The value of `Access-Control-Allow-Origin` for a page of this origin.
    #[must_use]
    pub fn allow_origin<'a>(&self, origin: &'a str) -> Option<&'a str> {
        match self {
            Self::None => None,
            Self::Any => Some("*"),
            Self::List(origins) => {
                origins.iter().any(|allowed| **allowed == *origin).then_some(origin)
            }
        }
    }
}

const INVALID_ORIGIN: &str =
    "has an item that is not an origin as browsers send it: https://app.example.com";

/// The schemes whose pages have no origin that a browser sends: their hosts would match no request.
const SCHEMES_WITHOUT_ORIGIN: [&str; 9] =
    ["about", "blob", "data", "file", "filesystem", "ftp", "javascript", "ws", "wss"];

/// Whether a value is an origin as browsers serialize it: a lower-case host, no default port, no path.
/// Any other form would match no request, without a visible reason.
///
/// Apps and extensions have schemes of their own, `capacitor://localhost`. Their hosts may have
/// upper-case letters, since only those of `http` and `https` are normalized.
fn is_origin(value: &str) -> bool {
    let Some((scheme, authority)) = value.split_once("://") else { return false };
    let default_port = match scheme {
        "https" => Some("443"),
        "http" => Some("80"),
        _ if is_app_scheme(scheme) => None,
        _ => return false,
    };
    let colon = authority.rfind(':').filter(|_| !authority.ends_with(']'));
    let (host, port) = match colon.and_then(|index| authority.split_at_checked(index)) {
        Some((host, port)) => (host, port.strip_prefix(':')),
        None => (authority, None),
    };
    let is_normalized = default_port.is_some();
    let is_host_char = |c: char| {
        c.is_ascii_alphanumeric() && !(is_normalized && c.is_ascii_uppercase()) || "-._".contains(c)
    };
    let ipv6 = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let is_valid_host = match ipv6 {
        Some(ipv6) => ipv6.parse::<Ipv6Addr>().is_ok_and(|parsed| parsed.to_string() == *ipv6),
        None => !host.is_empty() && host.chars().all(is_host_char),
    };
    let is_valid_port = |port: &str| {
        Some(port) != default_port
            && port.parse::<u16>().is_ok_and(|number| number.to_string() == *port)
    };
    is_valid_host && port.is_none_or(is_valid_port)
}

/// Whether this is the scheme of an app or an extension: <https://www.rfc-editor.org/rfc/rfc3986#section-3.1>.
fn is_app_scheme(scheme: &str) -> bool {
    let is_scheme_char =
        |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '+' | '-' | '.');
    scheme.starts_with(|c: char| c.is_ascii_lowercase())
        && scheme.chars().all(is_scheme_char)
        && !SCHEMES_WITHOUT_ORIGIN.contains(&scheme)
}
