//! Webhook endpoints: how many, their URLs, their secrets and their event types.
//!
//! Specification: <https://docs.stripe.com/api/webhook_endpoints>.

use entgate::{
    catalog::deliveries::{AttemptOutcome, WebhookRequest},
    id::Timestamp,
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
