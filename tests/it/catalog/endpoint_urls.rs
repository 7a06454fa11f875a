//! The URLs of webhook endpoints, and the hosts that live mode accepts.
//!
//! Specification: <https://url.spec.whatwg.org/#host-parsing>.

use entgate::id::Livemode;
use serde_json::json;

use super::test_catalog::{ApiResponse, TestCatalog};

const PATH: &str = "/v1/webhook_endpoints";

/// Hosts that both modes accept.
const PUBLIC_HOSTS: [&str; 19] = [
    "example.com",
    "example.com.",
    "hooks.example.com:8443",
    "localhost.example.com",
    "local.example",
    "8.8.8.8",
    "11.0.0.1",
    "100.63.255.255",
    "100.128.0.1",
    "172.15.0.1",
    "172.32.0.1",
    "192.167.0.1",
    "169.253.0.1",
    "223.255.255.255",
    "[2606:4700::1111]",
    "[2001:200::1]",
    "[2606:4700:0:0:0:0:0:1]",
    "[2606:4700:1:2:3:4:5::]",
    "0xhook.example",
];

/// Hosts that only test mode accepts.
const PRIVATE_HOSTS: [&str; 54] = [
    "localhost",
    "LOCALHOST",
    "localhost.",
    "api.localhost",
    "localhost:8787",
    "intranet",
    "db",
    "printer.local",
    "Printer.LOCAL.",
    "metadata.google.internal",
    "host.docker.internal",
    "router.lan",
    "nas.home.arpa",
    "1.0.0.127.in-addr.arpa",
    "a.localdomain",
    "127.0.0.1",
    "127.255.255.254:443",
    "0.0.0.0",
    "10.0.0.1",
    "100.64.0.1",
    "100.127.255.255",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.2.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "0x7f000001",
    "0X7F000001",
    "127.0.0.0x1",
    "0x8080808",
    "0x",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:8.8.8.8]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "[2001::1]",
    "[2001:db8::1]",
    "[3fff::1]",
    "[fc00::1]",
    "[fd12:3456::1]",
    "[fe80::1]",
    "[fec0::1]",
    "[ff02::1]",
];

/// Hosts that URL parsers do not accept, or in which they read an address that is not visible.
const INVALID_HOSTS: [&str; 18] = [
    "127.1",
    "2130706433",
    "017700000001",
    "0177.0.0.1",
    "127.0.0.1.",
    "[::1%25eth0]",
    "[1:2:3]",
    "[1:::2]",
    "[1::2::3]",
    "[1:2:3:4:5:6:7:8:9]",
    "[1::2:3:4:5:6:7:8]",
    "[12345::1]",
    "[::g]",
    "[::256.0.0.1]",
    "[]",
    "[v1.a]",
    "%6cocalhost",
    "127%2e0.0.1",
];

/// Posts an endpoint with this URL, valid or not.
fn post_endpoint(catalog: &TestCatalog, url: &str) -> ApiResponse {
    let url: String = form_urlencoded::byte_serialize(url.as_bytes()).collect();
    catalog.post(PATH, &format!("url={url}&enabled_events[]=*"))
}

/// Posts an endpoint at a host, and deletes it.
#[track_caller]
fn post_host(catalog: &TestCatalog, host: &str) -> ApiResponse {
    let response = post_endpoint(catalog, &format!("https://{host}/hook"));
    if let Some(id) = response.body["id"].as_str() {
        catalog.delete(&format!("{PATH}/{id}")).expect_ok();
    }
    response
}

/// A host without its port.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.parse::<u16>().is_ok() => name,
        _ => host,
    }
}

#[test]
fn test_mode_accepts_every_host_that_is_valid() {
    let catalog = TestCatalog::new();
    for host in PUBLIC_HOSTS.iter().chain(&PRIVATE_HOSTS) {
        assert_eq!(post_host(&catalog, host).status, 200, "{host}");
    }
    for host in INVALID_HOSTS {
        let rejected = post_host(&catalog, host);
        let (status, code, param, _) = rejected.error();
        assert_eq!((status, code, param), (400, "url_invalid", "url"), "{host}");
    }
}

#[test]
fn live_mode_accepts_public_hosts_only() {
    let mut catalog = TestCatalog::new();
    catalog.livemode = Livemode::Live;
    for host in PUBLIC_HOSTS {
        assert_eq!(post_host(&catalog, host).status, 200, "{host}");
    }
    let endpoint = post_endpoint(&catalog, "https://example.com").expect_ok();
    let update = format!("{PATH}/{}", endpoint["id"].as_str().unwrap());
    for host in PRIVATE_HOSTS {
        let message = format!(
            "Invalid URL: in live mode the host must be public, and {} is not.",
            without_port(host)
        );
        let expected = (400, "url_invalid", "url", message.as_str());
        assert_eq!(post_host(&catalog, host).error(), expected, "{host}");
        let updated = catalog.post(&update, &format!("url=https://{host}/hook"));
        assert_eq!(updated.error(), expected, "{host}");
    }
}

#[test]
fn an_endpoint_url_is_absolute_and_uses_https_in_live_mode() {
    let incomplete = "Invalid URL: a complete one begins with https://.";
    let test = "Invalid URL: it begins with https://, or in test mode with http://.";
    let live = "Invalid URL: in live mode it begins with https://.";
    let credentials = "Invalid URL: it must not contain a user name or a password.";
    for (url, in_test, in_live) in [
        ("https://example.com", None, None),
        ("HTTPS://EXAMPLE.COM:8443/hook?a=b#c", None, None),
        ("https://[2606:4700::1111]/hook", None, None),
        ("http://localhost:8787/hook", None, Some(live)),
        ("http://example.com", None, Some(live)),
        ("ftp://example.com", Some(test), Some(test)),
        ("example.com", Some(test), Some(test)),
        ("/hook", Some(incomplete), Some(incomplete)),
        ("https://", Some(incomplete), Some(incomplete)),
        ("https:///hook", Some(incomplete), Some(incomplete)),
        ("https://example.com/a b", Some(incomplete), Some(incomplete)),
        ("https://ada@example.com", Some(credentials), Some(credentials)),
        ("https://ada:secret@example.com", Some(credentials), Some(credentials)),
    ] {
        for (livemode, error) in [(Livemode::Test, in_test), (Livemode::Live, in_live)] {
            let mut catalog = TestCatalog::new();
            catalog.livemode = livemode;
            let response = post_endpoint(&catalog, url);
            match error {
                None => assert_eq!(response.expect_ok()["url"], json!(url)),
                Some(message) => {
                    let expected = (400, "url_invalid", "url", message);
                    assert_eq!(response.error(), expected, "{url} in {livemode:?}");
                }
            }
        }
    }
}

/// Node's `new URL` rejects these URLs too.
#[test]
fn a_url_without_a_host_or_with_an_invalid_port_is_rejected() {
    let catalog = TestCatalog::new();
    for url in ["https://:443/", "https://example.com:99999", "https://example.com:http"] {
        let response = post_endpoint(&catalog, url);
        let (status, code, param, _) = response.error();
        assert_eq!((status, code, param), (400, "url_invalid", "url"), "{url}");
    }
}
