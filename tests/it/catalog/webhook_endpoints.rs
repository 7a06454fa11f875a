//! Webhook endpoints: how many, where they may be, and which secrets sign.

use entgate::{
    catalog::deliveries::{AttemptOutcome, WebhookRequest},
    id::{Livemode, Timestamp},
    webhook::signature::{self, SigningSecret},
};
use serde_json::json;

use super::{Answer, Shop, shop};
use crate::support::NOW;

const PATH: &str = "/v1/webhook_endpoints";

/// Asks for an endpoint at an address, whatever it looks like.
fn endpoint_at(shop: &Shop, url: &str) -> Answer {
    let url: String = form_urlencoded::byte_serialize(url.as_bytes()).collect();
    shop.post(PATH, &format!("url={url}&enabled_events[]=*"))
}

/// An endpoint of all events, and its secret.
#[track_caller]
fn endpoint(shop: &Shop) -> (String, String) {
    let made = endpoint_at(shop, "https://example.com/hook").done();
    let text = |name: &str| made[name].as_str().unwrap().to_owned();
    (text("id"), text("secret"))
}

/// What an endpoint is sent now, which it says that it got.
fn delivered(shop: &Shop) -> WebhookRequest {
    shop.make("/v1/customers", "");
    let parcel = shop.take(1).remove(0);
    shop.report(&parcel.delivery, AttemptOutcome::Responded(200));
    parcel
}

/// Which of these secrets a delivery of now can be verified with.
fn proofs<const N: usize>(shop: &Shop, secrets: [&str; N]) -> [Result<(), signature::Error>; N] {
    let parcel = delivered(shop);
    secrets.map(|secret| {
        let secrets = [SigningSecret::new(secret).unwrap()];
        signature::verify(&parcel.signature, parcel.body.as_bytes(), &secrets, shop.now).map(drop)
    })
}

fn roll(shop: &Shop, endpoint: &str, form: &str) -> Answer {
    shop.post(&format!("{PATH}/{endpoint}/roll_secret"), form)
}

#[track_caller]
fn rolled(shop: &Shop, endpoint: &str, form: &str) -> String {
    roll(shop, endpoint, form).done()["secret"].as_str().unwrap().to_owned()
}

#[test]
fn there_are_sixteen_endpoints_and_a_seventeenth_once_one_is_gone() {
    let shop = shop();
    let made: Vec<_> = (0..16).map(|_| endpoint(&shop).0).collect();
    let message = "You have reached the maximum of 16 webhook endpoints.";
    let refused = endpoint_at(&shop, "https://example.com");
    assert_eq!(refused.refusal(), (400, "", "", message));
    shop.post(&format!("{PATH}/{}", made[0]), "disabled=true").done();
    let refused = endpoint_at(&shop, "https://example.com");
    assert_eq!(refused.status, 400, "one that is disabled counts");
    shop.delete(&format!("{PATH}/{}", made[3])).done();
    endpoint(&shop);
    assert_eq!(endpoint_at(&shop, "https://example.com").status, 400);
}

#[test]
fn an_endpoint_is_at_a_whole_address_which_is_encrypted_in_live_mode() {
    let whole = "Invalid URL: a complete one begins with https://.";
    let test = "Invalid URL: it begins with https://, or in test mode with http://.";
    let live = "Invalid URL: in live mode it begins with https://.";
    let named = "Invalid URL: it has a name or a password in it.";
    for (url, in_test, in_live) in [
        ("https://example.com", None, None),
        ("HTTPS://EXAMPLE.COM:8443/hook?a=b#c", None, None),
        ("https://[2001:db8::1]/hook", None, None),
        ("http://localhost:8787/hook", None, Some(live)),
        ("http://example.com", None, Some(live)),
        ("ftp://example.com", Some(test), Some(test)),
        ("example.com", Some(test), Some(test)),
        ("/hook", Some(whole), Some(whole)),
        ("https://", Some(whole), Some(whole)),
        ("https:///hook", Some(whole), Some(whole)),
        ("https://example.com/a b", Some(whole), Some(whole)),
        ("https://ada@example.com", Some(named), Some(named)),
        ("https://ada:secret@example.com", Some(named), Some(named)),
    ] {
        for (livemode, refusal) in [(Livemode::Test, in_test), (Livemode::Live, in_live)] {
            let mut shop = shop();
            shop.livemode = livemode;
            let answer = endpoint_at(&shop, url);
            match refusal {
                None => assert_eq!(answer.done()["url"], json!(url)),
                Some(message) => {
                    let expected = (400, "url_invalid", "url", message);
                    assert_eq!(answer.refusal(), expected, "{url} in {livemode:?}");
                }
            }
        }
    }
}

/// Node's `new URL` refuses them, and so does whoever is to send a request there.
#[test]
fn an_address_without_a_host_or_with_a_port_that_is_none_is_refused() {
    let shop = shop();
    for url in ["https://:443/", "https://example.com:99999", "https://example.com:http"] {
        let answer = endpoint_at(&shop, url);
        let (status, code, param, _) = answer.refusal();
        assert_eq!((status, code, param), (400, "url_invalid", "url"), "{url}");
    }
}

#[test]
fn a_secret_of_ones_own_begins_with_whsec_and_has_16_characters_or_more() {
    let shop = shop();
    let message = "A secret begins with whsec_ and has at least 16 letters, digits and marks. Leave \
                   it out to have one made.";
    let form = "url=https://example.com&enabled_events[]=*&secret";
    for (secret, taken) in [
        ("whsec_0123456789", true),
        ("whsec_012345678", false),
        ("secret_0123456789", false),
        ("whsec_01234+56789", false),
        ("whsec_0123456789é", false),
    ] {
        let answer = shop.post(PATH, &format!("{form}={secret}"));
        if taken {
            let made = answer.done();
            assert_eq!(made["secret"], json!(secret));
            let path = format!("{PATH}/{}", made["id"].as_str().unwrap());
            assert_eq!(shop.get(&path).done()["secret"], json!(null), "shown once");
            assert_eq!(proofs(&shop, [secret]), [Ok(())]);
        } else {
            let expected = (400, "parameter_invalid", "secret", message);
            assert_eq!(answer.refusal(), expected, "{secret}");
        }
    }
}

#[test]
fn a_secret_that_was_rolled_signs_until_the_second_that_was_said() {
    let no = signature::Error::Mismatch;
    for (form, seconds) in [("expires_in=100", 100), ("expires_in=86400", 86_400), ("", 86_400)] {
        let mut shop = shop();
        let (id, old) = endpoint(&shop);
        let new = rolled(&shop, &id, form);
        assert_eq!(proofs(&shop, [&old, &new]), [Ok(()), Ok(())], "{form}");
        shop.now = Timestamp(NOW.0 + seconds - 1);
        assert_eq!(proofs(&shop, [&old, &new]), [Ok(()), Ok(())], "{form}, the last second");
        shop.now = Timestamp(NOW.0 + seconds);
        assert_eq!(proofs(&shop, [&old, &new]), [Err(no.clone()), Ok(())], "{form}, over");
        assert_eq!(delivered(&shop).signature.matches("v1=").count(), 1, "{form}");
    }
    let shop = shop();
    let (id, _) = endpoint(&shop);
    for (expires_in, bound) in
        [("-1", "greater than or equal to 0"), ("86401", "less than or equal to 86400")]
    {
        let message = format!("This value must be {bound} (it currently is '{expires_in}').");
        let refused = roll(&shop, &id, &format!("expires_in={expires_in}"));
        let expected = (400, "parameter_invalid_integer", "expires_in", message.as_str());
        assert_eq!(refused.refusal(), expected);
    }
}

#[test]
fn four_secrets_of_before_sign_and_a_fifth_waits_until_one_has_expired() {
    let mut shop = shop();
    let (id, first) = endpoint(&shop);
    let mut secrets = vec![first];
    for _ in 0..4 {
        secrets.push(rolled(&shop, &id, "expires_in=50"));
    }
    let all: [&str; 5] = std::array::from_fn(|index| secrets[index].as_str());
    assert_eq!(proofs(&shop, all), [const { Ok(()) }; 5]);
    let message = "4 secrets of before still sign for this endpoint. Wait until one has expired.";
    for now in [NOW.0, NOW.0 + 49] {
        shop.now = Timestamp(now);
        assert_eq!(roll(&shop, &id, "expires_in=50").refusal(), (400, "", "", message));
    }
    shop.now = Timestamp(NOW.0 + 50);
    let last = rolled(&shop, &id, "expires_in=50");
    let no = || Err(signature::Error::Mismatch);
    assert_eq!(proofs(&shop, [all[3], all[4], &last]), [no(), Ok(()), Ok(())]);
}

#[test]
fn a_roll_without_overlap_ends_all_that_signed_before_however_many() {
    let shop = shop();
    let (id, first) = endpoint(&shop);
    let mut before = vec![first];
    for _ in 0..4 {
        before.push(rolled(&shop, &id, ""));
    }
    let now = rolled(&shop, &id, "expires_in=0");
    let no = || Err(signature::Error::Mismatch);
    assert_eq!(proofs(&shop, [&before[0], &before[4], &now]), [no(), no(), Ok(())]);
    assert_eq!(delivered(&shop).signature.matches("v1=").count(), 1);
}

#[test]
fn an_endpoint_asks_for_whole_types_or_all_and_for_500_at_most() {
    let shop = shop();
    let form = "url=https://example.com";
    for (events, odd) in [
        ("enabled_events[]=customer.*", "customer.*"),
        ("enabled_events[]=*&enabled_events[]=**", "**"),
        ("enabled_events[]=", ""),
    ] {
        let message =
            format!("Invalid event type: `{odd}`. Give whole types, or `*` for all of them.");
        let refused = shop.post(PATH, &format!("{form}&{events}"));
        let expected = (400, "parameter_invalid", "enabled_events", message.as_str());
        assert_eq!(refused.refusal(), expected);
    }
    let list = |count: usize| {
        let events: Vec<_> = (0..count).map(|it| format!("enabled_events[]=a.{it}")).collect();
        shop.post(PATH, &format!("{form}&{}", events.join("&")))
    };
    assert_eq!(list(500).done()["enabled_events"].as_array().unwrap().len(), 500);
    let message = "An endpoint can have up to 500 event types.";
    assert_eq!(list(501).refusal(), (400, "parameter_invalid", "enabled_events", message));
    let message = "Missing required param: enabled_events.";
    let none = shop.post(PATH, form);
    assert_eq!(none.refusal(), (400, "parameter_missing", "enabled_events", message));
}
