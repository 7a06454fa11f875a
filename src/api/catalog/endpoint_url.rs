//! The target URL of a webhook endpoint.
//!
//! | mode | scheme            | host                                                   |
//! |------|-------------------|--------------------------------------------------------|
//! | test | `http` or `https` | any, also of this machine                              |
//! | live | `https`           | public: a name with a dot, or a globally reachable address |
//!
//! Events contain customer data, and the outcome of a delivery is shown, so live mode must not reach
//! into a private network. A public name that resolves to a private address cannot be detected here.
//!
//! Specification: <https://url.spec.whatwg.org/#host-parsing>,
//! <https://www.iana.org/assignments/iana-ipv4-special-registry>,
//! <https://www.iana.org/assignments/iana-ipv6-special-registry>.

use core::net::{Ipv4Addr, Ipv6Addr};

use http::Uri;

use super::{
    super::{error::Error, form::Params},
    params::MAX_STRING_LEN,
};
use crate::id::Livemode;

/// The last labels of names that have a meaning in one network only.
/// <https://www.iana.org/assignments/special-use-domain-names>
const PRIVATE_DOMAINS: [&str; 10] = [
    "arpa",
    "corp",
    "home",
    "internal",
    "intranet",
    "lan",
    "local",
    "localdomain",
    "localhost",
    "private",
];

/// The IPv4 networks that are not globally reachable: address and length of the prefix.
const PRIVATE_NETWORKS: [(Ipv4Addr, u32); 15] = [
    (Ipv4Addr::UNSPECIFIED, 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// Takes the target URL.
pub(super) fn parse_url(params: &mut Params, livemode: Livemode) -> Result<Option<String>, Error> {
    let Some(url) = params.non_empty("url", MAX_STRING_LEN)? else { return Ok(None) };
    match check(&url, livemode) {
        Ok(()) => Ok(Some(url)),
        Err(message) => {
            Err(Error::parameter("url", "url_invalid", format!("Invalid URL: {message}")))
        }
    }
}

fn check(url: &str, livemode: Livemode) -> Result<(), String> {
    let incomplete = || "a complete one begins with https://.".to_owned();
    let uri: Uri = url.parse().map_err(|_| incomplete())?;
    let authority = uri.authority().ok_or_else(incomplete)?;
    if authority.as_str().contains('@') {
        return Err("it must not contain a user name or a password.".to_owned());
    }
    let port = authority.as_str().strip_prefix(authority.host()).unwrap_or_default();
    let is_port_valid =
        port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok());
    let Some(host) = Host::parse(authority.host()).filter(|_| is_port_valid) else {
        return Err("the host or the port is not valid.".to_owned());
    };
    match (uri.scheme_str(), livemode) {
        (Some("https" | "http"), Livemode::Test) => Ok(()),
        (Some("https"), Livemode::Live) if host.is_public() => Ok(()),
        (Some("https"), Livemode::Live) => {
            Err(format!("in live mode the host must be public, and {} is not.", authority.host()))
        }
        (Some("http"), Livemode::Live) => Err("in live mode it begins with https://.".to_owned()),
        _ => Err("it begins with https://, or in test mode with http://.".to_owned()),
    }
}

/// A host of a URL.
enum Host {
    V4(Ipv4Addr),
    V6(Ipv6Addr),
    /// An IPv4 address in another notation, such as `0x7f000001`. URL parsers accept it.
    NumericName,
    /// A name in lower case, without the dot at the end.
    Name(String),
}

impl Host {
    /// Parses a host. `None` if no URL parser accepts it.
    fn parse(host: &str) -> Option<Self> {
        if let Some(address) = host.strip_prefix('[') {
            return address.strip_suffix(']')?.parse().ok().map(Self::V6);
        }
        // A percent-encoded letter would hide the real name.
        if host.is_empty() || host.contains('%') {
            return None;
        }
        let name = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        let last_label = name.rsplit('.').next().unwrap_or_default();
        // A host that ends in a number is an IPv4 address:
        // https://url.spec.whatwg.org/#ends-in-a-number-checker
        if !last_label.is_empty() && last_label.bytes().all(|byte| byte.is_ascii_digit()) {
            return host.parse().ok().map(Self::V4);
        }
        let is_hex = last_label
            .strip_prefix("0x")
            .is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        Some(if is_hex { Self::NumericName } else { Self::Name(name) })
    }

    fn is_public(&self) -> bool {
        match self {
            Self::V4(address) => is_public_v4(*address),
            Self::V6(address) => is_public_v6(*address),
            Self::NumericName => false,
            Self::Name(name) => match name.rsplit_once('.') {
                Some((rest, domain)) => !rest.is_empty() && !PRIVATE_DOMAINS.contains(&domain),
                None => false,
            },
        }
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let is_in = |(network, len): &(Ipv4Addr, u32)| {
        let mask = u32::MAX.checked_shl(32_u32.saturating_sub(*len)).unwrap_or(0);
        (address.to_bits() ^ network.to_bits()) & mask == 0
    };
    !PRIVATE_NETWORKS.iter().any(is_in)
}

/// Whether an address is global unicast, `2000::/3`, and neither reserved nor a form of an IPv4
/// address (Teredo, 6to4).
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    match (first, second) {
        (0x2001, 0..=0x01ff | 0x0db8) | (0x2002, _) | (0x3fff, 0..=0x0fff) => false,
        _ => first & 0xe000 == 0x2000,
    }
}
