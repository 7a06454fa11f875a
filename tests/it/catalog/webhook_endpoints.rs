//! Webhook endpoints: how many, their URLs, their secrets and their event types.
//!
//! Specification: <https://docs.stripe.com/api/webhook_endpoints>.

use entgate::{
    catalog::deliveries::{AttemptOutcome, WebhookRequest},
    id::{Livemode, Timestamp},
    webhook::signature,
};
use serde_json::json;

use super::test_catalog::{ApiResponse, TestCatalog};
use crate::support::{NOW, test_endpoint};

const PATH: &str = "/v1/webhook_endpoints";

/// Posts an endpoint with this URL, valid or not.
fn post_endpoint(catalog: &TestCatalog, url: &str) -> ApiResponse {
    let url: String = form_urlencoded::byte_serialize(url.as_bytes()).collect();
    catalog.post(PATH, &format!("url={url}&enabled_events[]=*"))
}

/// Creates an endpoint that subscribes to all events, and returns its id and its secret.
#[track_caller]
fn create_endpoint(catalog: &TestCatalog) -> (String, String) {
    let endpoint = post_endpoint(catalog, "https://example.com/hook").expect_ok();
    let member = |name: &str| endpoint[name].as_str().unwrap().to_owned();
    (member("id"), member("secret"))
}

/// Emits an event, and returns its delivery, which succeeds.
fn deliver(catalog: &TestCatalog) -> WebhookRequest {
    catalog.create("/v1/customers", "");
    let request = catalog.lease_due(1).remove(0);
    catalog.record_attempt(&request.delivery, AttemptOutcome::Responded(200));
    request
}

/// Verifies a new delivery with each of these secrets.
fn verify_with<const N: usize>(
    catalog: &TestCatalog,
    secrets: [&str; N],
) -> [Result<(), signature::Error>; N] {
    let request = deliver(catalog);
    secrets.map(|secret| {
        let secrets = [test_endpoint(secret)];
        signature::verify(&request.signature, request.body.as_bytes(), &secrets, catalog.now)
            .map(drop)
    })
}

fn post_roll(catalog: &TestCatalog, endpoint: &str, form: &str) -> ApiResponse {
    catalog.post(&format!("{PATH}/{endpoint}/roll_secret"), form)
}

/// Rolls the secret of an endpoint, and returns the new secret.
#[track_caller]
fn roll_secret(catalog: &TestCatalog, endpoint: &str, form: &str) -> String {
    post_roll(catalog, endpoint, form).expect_ok()["secret"].as_str().unwrap().to_owned()
}

#[test]
fn a_seventeenth_endpoint_is_rejected_until_one_is_deleted() {
    let catalog = TestCatalog::new();
    let ids: Vec<_> = (0..16).map(|_| create_endpoint(&catalog).0).collect();
    let message = "You have reached the maximum of 16 webhook endpoints.";
    let rejected = post_endpoint(&catalog, "https://example.com");
    assert_eq!(rejected.error(), (400, "", "", message));
    catalog.post(&format!("{PATH}/{}", ids[0]), "disabled=true").expect_ok();
    let rejected = post_endpoint(&catalog, "https://example.com");
    assert_eq!(rejected.status, 400, "a disabled endpoint counts");
    catalog.delete(&format!("{PATH}/{}", ids[3])).expect_ok();
    create_endpoint(&catalog);
    assert_eq!(post_endpoint(&catalog, "https://example.com").status, 400);
}

#[test]
fn the_host_of_an_endpoint_is_public_in_live_mode() {
    let mut catalog = TestCatalog::new();
    let public = [
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
        "0xhook.example",
    ];
    let private = [
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
    // URL parsers do not accept these, or read an address in them that is not visible.
    let invalid = [
        "127.1",
        "2130706433",
        "017700000001",
        "0177.0.0.1",
        "127.0.0.1.",
        "[::1%25eth0]",
        "[v1.a]",
        "%6cocalhost",
        "127%2e0.0.1",
    ];
    let create = |catalog: &TestCatalog, host: &str| {
        let response = post_endpoint(catalog, &format!("https://{host}/hook"));
        if let Some(id) = response.body["id"].as_str() {
            catalog.delete(&format!("{PATH}/{id}")).expect_ok();
        }
        response
    };
    for host in public.iter().chain(&private) {
        assert_eq!(create(&catalog, host).status, 200, "{host} in test mode");
    }
    for host in invalid {
        let rejected = create(&catalog, host);
        let (status, code, param, _) = rejected.error();
        assert_eq!((status, code, param), (400, "url_invalid", "url"), "{host}");
    }
    catalog.livemode = Livemode::Live;
    for host in public {
        assert_eq!(create(&catalog, host).status, 200, "{host}");
    }
    let endpoint = create_endpoint(&catalog).0;
    for host in private {
        let name = host.rsplit_once(':').map_or(host, |(name, port)| {
            if port.bytes().all(|byte| byte.is_ascii_digit()) && !port.is_empty() {
                name
            } else {
                host
            }
        });
        let message =
            format!("Invalid URL: in live mode the host must be public, and {name} is not.");
        let expected = (400, "url_invalid", "url", message.as_str());
        assert_eq!(create(&catalog, host).error(), expected, "{host}");
        let form = format!("url=https://{host}/hook");
        let updated = catalog.post(&format!("{PATH}/{endpoint}"), &form);
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

#[test]
fn a_secret_from_the_caller_begins_with_whsec_and_has_at_least_16_characters() {
    let catalog = TestCatalog::new();
    let message = "A secret begins with whsec_ and has at least 16 letters, digits and marks. Omit \
                   it to have one generated.";
    let form = "url=https://example.com&enabled_events[]=*&secret";
    for (secret, is_valid) in [
        ("whsec_0123456789", true),
        ("whsec_012345678", false),
        ("secret_0123456789", false),
        ("whsec_01234+56789", false),
        ("whsec_0123456789é", false),
    ] {
        let response = catalog.post(PATH, &format!("{form}={secret}"));
        if is_valid {
            let created = response.expect_ok();
            assert_eq!(created["secret"], json!(secret));
            let path = format!("{PATH}/{}", created["id"].as_str().unwrap());
            assert_eq!(
                catalog.get(&path).expect_ok()["secret"],
                json!(null),
                "the secret is returned once"
            );
            assert_eq!(verify_with(&catalog, [secret]), [Ok(())]);
        } else {
            let expected = (400, "parameter_invalid", "secret", message);
            assert_eq!(response.error(), expected, "{secret}");
        }
    }
}

#[test]
fn a_rolled_secret_signs_until_the_second_that_it_expires() {
    let mismatch = signature::Error::Mismatch;
    for (form, seconds) in [("expires_in=100", 100), ("expires_in=86400", 86_400), ("", 86_400)] {
        let mut catalog = TestCatalog::new();
        let (id, previous) = create_endpoint(&catalog);
        let current = roll_secret(&catalog, &id, form);
        assert_eq!(verify_with(&catalog, [&previous, &current]), [Ok(()), Ok(())], "{form}");
        catalog.now = Timestamp(NOW.0 + seconds - 1);
        assert_eq!(
            verify_with(&catalog, [&previous, &current]),
            [Ok(()), Ok(())],
            "{form}, the last second"
        );
        catalog.now = Timestamp(NOW.0 + seconds);
        assert_eq!(
            verify_with(&catalog, [&previous, &current]),
            [Err(mismatch.clone()), Ok(())],
            "{form}, expired"
        );
        assert_eq!(deliver(&catalog).signature.matches("v1=").count(), 1, "{form}");
    }
    let catalog = TestCatalog::new();
    let (id, _) = create_endpoint(&catalog);
    for (expires_in, bound) in
        [("-1", "greater than or equal to 0"), ("86401", "less than or equal to 86400")]
    {
        let message = format!("This value must be {bound} (it currently is '{expires_in}').");
        let rejected = post_roll(&catalog, &id, &format!("expires_in={expires_in}"));
        let expected = (400, "parameter_invalid_integer", "expires_in", message.as_str());
        assert_eq!(rejected.error(), expected);
    }
}

#[test]
fn a_roll_is_rejected_while_four_previous_secrets_sign() {
    let mut catalog = TestCatalog::new();
    let (id, first) = create_endpoint(&catalog);
    let mut secrets = vec![first];
    for _ in 0..4 {
        secrets.push(roll_secret(&catalog, &id, "expires_in=50"));
    }
    let all: [&str; 5] = std::array::from_fn(|index| secrets[index].as_str());
    assert_eq!(verify_with(&catalog, all), [const { Ok(()) }; 5]);
    let message = "4 previous secrets still sign for this endpoint. Wait until one has expired.";
    for now in [NOW.0, NOW.0 + 49] {
        catalog.now = Timestamp(now);
        assert_eq!(post_roll(&catalog, &id, "expires_in=50").error(), (400, "", "", message));
    }
    catalog.now = Timestamp(NOW.0 + 50);
    let last = roll_secret(&catalog, &id, "expires_in=50");
    let mismatch = || Err(signature::Error::Mismatch);
    assert_eq!(verify_with(&catalog, [all[3], all[4], &last]), [mismatch(), Ok(()), Ok(())]);
}

#[test]
fn a_roll_without_overlap_expires_all_previous_secrets() {
    let catalog = TestCatalog::new();
    let (id, first) = create_endpoint(&catalog);
    let mut previous = vec![first];
    for _ in 0..4 {
        previous.push(roll_secret(&catalog, &id, ""));
    }
    let current = roll_secret(&catalog, &id, "expires_in=0");
    let mismatch = || Err(signature::Error::Mismatch);
    assert_eq!(
        verify_with(&catalog, [&previous[0], &previous[4], &current]),
        [mismatch(), mismatch(), Ok(())]
    );
    assert_eq!(deliver(&catalog).signature.matches("v1=").count(), 1);
}

#[test]
fn an_endpoint_subscribes_to_complete_event_types_and_to_at_most_500() {
    let catalog = TestCatalog::new();
    let form = "url=https://example.com";
    for (events, invalid) in [
        ("enabled_events[]=customer.*", "customer.*"),
        ("enabled_events[]=*&enabled_events[]=**", "**"),
        ("enabled_events[]=", ""),
    ] {
        let message =
            format!("Invalid event type: `{invalid}`. Use complete types, or `*` for all types.");
        let rejected = catalog.post(PATH, &format!("{form}&{events}"));
        let expected = (400, "parameter_invalid", "enabled_events", message.as_str());
        assert_eq!(rejected.error(), expected);
    }
    let list = |count: usize| {
        let events: Vec<_> = (0..count).map(|it| format!("enabled_events[]=a.{it}")).collect();
        catalog.post(PATH, &format!("{form}&{}", events.join("&")))
    };
    assert_eq!(list(500).expect_ok()["enabled_events"].as_array().unwrap().len(), 500);
    let message = "An endpoint can have up to 500 event types.";
    assert_eq!(list(501).error(), (400, "parameter_invalid", "enabled_events", message));
    let message = "Missing required param: enabled_events.";
    let rejected = catalog.post(PATH, form);
    assert_eq!(rejected.error(), (400, "parameter_missing", "enabled_events", message));
}
