//! Which strings are ids of customers, on every way into the service.

use entgate::id::{CustomerId, Error, LookupKey};
use serde_json::json;

use crate::{
    support::{NOW, event},
    token_fixtures::{status_and_error, token, with_tokens},
};

const INVISIBLE: &str = "a string with white space or invisible characters";

#[test]
fn the_ids_of_other_systems_are_accepted() {
    for id in [
        "cus_NffrFeUfNV2Hib",
        "ada@example.com",
        "ada+test@example.com",
        "018f3c2e-7b1a-7c3e-9d2f-1a2b3c4d5e6f",
        "{018F3C2E-7B1A-7C3E-9D2F-1A2B3C4D5E6F}",
        "auth0|5f7c8ec7c33c6c004bbafe82",
        "org:acme/users/7",
        "urn:uuid:018f3c2e-7b1a-7c3e-9d2f-1a2b3c4d5e6f",
        "müller",
        "山田",
        "שלום",
        "🦀",
        "\"",
        "\\",
        "~",
    ] {
        assert_eq!(CustomerId::try_from(id).unwrap().as_str(), id);
    }
}

#[test]
fn an_id_has_no_character_that_is_invisible_or_reorders_others() {
    for (why, character, error) in [
        ("NUL", '\0', Error::ControlCharacter),
        ("a tabulator", '\t', Error::ControlCharacter),
        ("a line break", '\n', Error::ControlCharacter),
        ("delete", '\u{7f}', Error::ControlCharacter),
        ("next line", '\u{85}', Error::ControlCharacter),
        ("a blank", ' ', Error::InvisibleCharacter),
        ("a blank that does not break", '\u{a0}', Error::InvisibleCharacter),
        ("a soft hyphen", '\u{ad}', Error::InvisibleCharacter),
        ("the Arabic letter mark", '\u{61c}', Error::InvisibleCharacter),
        ("a thin blank", '\u{2009}', Error::InvisibleCharacter),
        ("a blank without width", '\u{200b}', Error::InvisibleCharacter),
        ("a joiner", '\u{200d}', Error::InvisibleCharacter),
        ("the right-to-left mark", '\u{200f}', Error::InvisibleCharacter),
        ("the line separator", '\u{2028}', Error::InvisibleCharacter),
        ("the paragraph separator", '\u{2029}', Error::InvisibleCharacter),
        ("an embedding", '\u{202a}', Error::InvisibleCharacter),
        ("the right-to-left override", '\u{202e}', Error::InvisibleCharacter),
        ("a word joiner", '\u{2060}', Error::InvisibleCharacter),
        ("an isolate", '\u{2066}', Error::InvisibleCharacter),
        ("the end of an isolate", '\u{2069}', Error::InvisibleCharacter),
        ("an ideographic blank", '\u{3000}', Error::InvisibleCharacter),
        ("a Hangul filler", '\u{3164}', Error::InvisibleCharacter),
        ("a variation selector", '\u{fe0f}', Error::InvisibleCharacter),
        ("a byte order mark", '\u{feff}', Error::InvisibleCharacter),
        ("an annotation", '\u{fff9}', Error::InvisibleCharacter),
        ("a tag", '\u{e0041}', Error::InvisibleCharacter),
    ] {
        for id in
            [format!("cus_{character}ada"), format!("{character}ada"), format!("ada{character}")]
        {
            assert_eq!(CustomerId::try_from(id.as_str()), Err(error.clone()), "{why}: {id:?}");
        }
    }
    // The visible neighbours of these ranges.
    for character in
        ['!', '\u{a1}', '\u{ac}', '\u{ae}', '\u{2010}', '\u{2027}', '\u{2030}', '\u{2070}']
    {
        let id = format!("cus_{character}");
        assert_eq!(CustomerId::try_from(id.as_str()).unwrap().as_str(), id);
    }
    assert_eq!(LookupKey::try_from("24 hour support").unwrap().as_str(), "24 hour support");
}

#[test]
fn an_id_with_invisible_characters_is_rejected_on_every_route() {
    let service = with_tokens(&[]);
    let event = service.stripe_sends(&event("cus_\u{202e}ada", NOW.0, &["sms"], false));
    let message = format!(
        "The signature is valid, but the event cannot be parsed: `data.object.customer` is {INVISIBLE}."
    );
    assert_eq!((event.status, event.error("message")), (400, message.as_str()));

    let in_query = "cus_%E2%80%AEada";
    for target in [
        format!("/v1/check?customer={in_query}&feature=sms"),
        format!("/v1/authorize?customer={in_query}&feature=sms"),
        format!("/v1/entitlements/active_entitlements?customer={in_query}"),
        format!("/v1/snapshot?customer={in_query}"),
        format!("/v1/stream?customer={in_query}"),
        format!("/v1/activity?customer={in_query}"),
    ] {
        let message = format!("Invalid string for 'customer': {INVISIBLE}");
        let answer = service.get(&target);
        answer.assert_refuses("customer", "parameter_invalid_string", &message, &target);
    }
    for (path, body) in [
        ("/v1/tokens", json!({ "customer": "cus ada" })),
        ("/v1/check", json!({ "customer": "cus ada", "feature": "sms" })),
    ] {
        let answer = service.post_json(path, &body);
        assert_eq!((answer.status, answer.error("param")), (400, "customer"), "{path}");
    }
    let body = json!({ "context": { "targetingKey": "cus ada" } });
    let answer = service.post_json("/ofrep/v1/evaluate/flags", &body);
    assert_eq!(answer.body["errorDetails"], format!("The targetingKey is {INVISIBLE}."));
    let answer = service.get_with(&token(&json!({ "sub": "cus ada" })), "/v1/check?feature=sms");
    let message = format!("The token's customer is {INVISIBLE}.");
    assert_eq!(status_and_error(&answer), (403, "customer_missing", message.as_str()));
}
