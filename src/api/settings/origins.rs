//! Which pages of other origins a browser may let ask: <https://fetch.spec.whatwg.org/#http-cors-protocol>.

use core::net::Ipv6Addr;

use super::{Error, parse_list};

/// Browsers' origins for CORS.
pub const ALLOWED_ORIGINS: &str = "ENTGATE_ALLOWED_ORIGINS";

/// Which origins may ask.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum AllowedOrigins {
    /// None.
    #[default]
    None,
    /// These.
    List(Vec<Box<str>>),
    /// Whichever: a token in a header opens, and no cookie does.
    Any,
}

impl AllowedOrigins {
    pub(super) fn parse(text: Option<String>) -> Result<Self, Error> {
        let origins = parse_list(ALLOWED_ORIGINS, text, |item| {
            if item == "*" {
                return Ok(Box::from(item));
            }
            if is_origin(item) { Ok(item.into()) } else { Err(INVALID_ORIGIN) }
        })?;
        Ok(match origins.as_slice() {
            [] => Self::None,
            [any] if **any == *"*" => Self::Any,
            all if all.iter().any(|origin| **origin == *"*") => {
                return Err(Error { name: ALLOWED_ORIGINS, problem: "has `*` beside others" });
            }
            _ => Self::List(origins),
        })
    }

    /// What `Access-Control-Allow-Origin` says to a page of this origin.
    #[must_use]
    pub fn allow_origin<'a>(&self, origin: &'a str) -> Option<&'a str> {
        match self {
            Self::None => None,
            Self::Any => Some("*"),
            Self::List(origins) => origins.iter().any(|one| **one == *origin).then_some(origin),
        }
    }
}

/// Whether a browser would write it so: a host in lower case, no port that goes without saying, and
/// nothing behind. What it would not write would never be allowed, and nobody would know why.
fn is_origin(text: &str) -> bool {
    let (host, usual) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
        (Some(host), _) => (host, "443"),
        (None, Some(host)) => (host, "80"),
        (None, None) => return false,
    };
    let colon = host.rfind(':').filter(|_| !host.ends_with(']'));
    let (name, port) = match colon.and_then(|at| host.split_at_checked(at)) {
        Some((name, port)) => (name, port.strip_prefix(':')),
        None => (host, None),
    };
    let sound = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-._".contains(c);
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    let named = match address {
        Some(address) => address.parse::<Ipv6Addr>().is_ok_and(|it| it.to_string() == *address),
        None => !name.is_empty() && name.chars().all(sound),
    };
    let ported = |port: &str| {
        port != usual && port.parse::<u16>().is_ok_and(|number| number.to_string() == *port)
    };
    named && port.is_none_or(ported)
}

const INVALID_ORIGIN: &str =
    "has an item that is no origin as browsers write it: https://app.example.com";
