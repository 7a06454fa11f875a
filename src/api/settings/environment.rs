//! Where the Worker runs: deployed, or for development.
//!
//! | in development only                | reason                                                          |
//! |------------------------------------|-----------------------------------------------------------------|
//! | short and published secrets        | `.dev.vars.example` has some, so that `make dev` needs no setup |
//! | every origin of this machine       | the port of a front-end server changes                          |
//!
//! In exchange, a request for any other host is refused there: otherwise any page that a developer
//! opens could read the Worker by DNS rebinding, with keys that everybody knows.

use http::Uri;

use super::value::{Error, parse_list};

/// Whether the Worker runs for development, and the host names of further machines that it answers.
pub const DEVELOPMENT: &str = "ENTGATE_DEVELOPMENT";

/// Where the Worker runs.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Environment {
    /// Deployed: every key and secret must be secret.
    #[default]
    Deployed,
    /// For development, on this machine and under these further host names, in lower case.
    Development(Vec<Box<str>>),
}

impl Environment {
    /// Parses the setting: a list of host names, or a word for yes or no.
    pub(super) fn parse(value: Option<String>) -> Result<Self, Error> {
        let value = value.unwrap_or_default().to_ascii_lowercase();
        match value.trim() {
            "" | "false" | "0" | "no" | "off" => return Ok(Self::Deployed),
            "true" | "1" | "yes" | "on" => return Ok(Self::Development(Vec::new())),
            _ => {}
        }
        let hosts = parse_list(DEVELOPMENT, Some(value), |item| {
            if is_host(item) {
                Ok(item.into())
            } else {
                Err("has an item that is not a host name without a port: devbox or 192.168.1.20")
            }
        });
        hosts.map(Self::Development)
    }

    /// Whether the Worker runs for development.
    #[must_use]
    pub fn is_development(&self) -> bool {
        matches!(self, Self::Development(_))
    }

    /// Whether the Worker answers requests for this host. `authority` is a host with an optional port.
    #[must_use]
    pub fn permits_host(&self, authority: &str) -> bool {
        match self {
            Self::Deployed => true,
            Self::Development(hosts) => host_of(authority).is_some_and(|host| {
                is_this_machine(host) || hosts.iter().any(|known| host.eq_ignore_ascii_case(known))
            }),
        }
    }

    /// Whether pages of this origin may send requests although no setting lists it.
    #[must_use]
    pub fn permits_origin(&self, origin: &str) -> bool {
        match self {
            Self::Deployed => false,
            Self::Development(_) => {
                let authority =
                    origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
                authority.and_then(host_of).is_some_and(is_this_machine)
            }
        }
    }
}

/// The host of an authority. `None` if it is not a host with an optional port.
fn host_of(authority: &str) -> Option<&str> {
    let (host, rest) = if authority.starts_with('[') {
        let end = authority.find(']')?.checked_add(1)?;
        authority.split_at_checked(end)?
    } else {
        authority.split_at(authority.find(':').unwrap_or(authority.len()))
    };
    let is_port = match rest.strip_prefix(':') {
        None => rest.is_empty(),
        Some(port) => port.bytes().all(|byte| byte.is_ascii_digit()),
    };
    is_port.then_some(host)
}

/// Whether a host is a name of this machine, which no other machine can have.
fn is_this_machine(host: &str) -> bool {
    const LOCALHOST: &str = "localhost";
    let local_suffix = host.len().checked_sub(LOCALHOST.len());
    // `*.localhost` is this machine: https://www.rfc-editor.org/rfc/rfc6761#section-6.3
    let name = local_suffix.and_then(|start| host.split_at_checked(start));
    let is_label_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let is_localhost = name.is_some_and(|(labels, name)| {
        name.eq_ignore_ascii_case(LOCALHOST)
            && (labels.is_empty() || labels.ends_with('.') && labels.bytes().all(is_label_byte))
    });
    is_localhost || matches!(host, "127.0.0.1" | "[::1]")
}

/// Whether a value is a host as browsers send it: a name, an IPv4 address, or an IPv6 address in brackets.
fn is_host(value: &str) -> bool {
    let uri = value.parse::<Uri>().ok();
    let is_authority = uri
        .as_ref()
        .and_then(Uri::authority)
        .is_some_and(|authority| authority.as_str() == value && authority.host() == value);
    let is_host_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"-._[]:".contains(&byte);
    is_authority && value.bytes().all(is_host_byte)
}
