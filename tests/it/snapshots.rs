//! Snapshots and the keys that prove them. What JOSE libraries say of the signature is shown in workerd.

use serde_json::{Value, json};

use crate::{
    support::{NOW, Service, configured, event},
    token_fixtures::{SIGNING_KEY, issued, part, token, with_tokens},
};

const AT: i64 = 1_700_000_000;
const KID: &str = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k";

fn with_ada() -> Service {
    let service = with_tokens(&[]);
    service.stripe_sends(&event("cus_ada", AT, &["sms", "export"], false));
    service.stripe_sends(&event("cus_cy", AT, &["sms"], true));
    service
}

/// What a snapshot says.
fn words(body: &Value) -> Value {
    part(body["snapshot"].as_str().unwrap(), 1)
}

#[test]
fn a_snapshot_says_what_is_held_by_whom_and_until_when() {
    let service = with_ada();
    let answer = service.get("/v1/snapshot?customer=cus_ada");
    let snapshot = answer.body["snapshot"].as_str().unwrap();
    assert_eq!(
        (answer.status, &answer.body),
        (
            200,
            &json!({
                "object": "entitlement_snapshot", "customer": "cus_ada", "livemode": false,
                "version": 1, "as_of": AT, "expires_at": NOW.0 + 3_600, "snapshot": snapshot,
            })
        )
    );
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let header = json!({ "alg": "EdDSA", "typ": "entitlements+jwt", "kid": KID });
    assert_eq!(part(snapshot, 0), header);
    assert_eq!(
        words(&answer.body),
        json!({
            "iss": "entgate", "sub": "cus_ada", "iat": NOW, "exp": NOW.0 + 3_600, "livemode": false,
            "version": 1, "as_of": AT, "entitlements": ["sms", "export"],
        })
    );
    let asked_there = service.request(
        "GET",
        "https://gate.example/v1/snapshot?customer=cus_ada",
        &[("x-api-key", "sk_test_entgate")],
        b"",
    );
    assert_eq!(words(&asked_there.body)["iss"], "https://gate.example");
}

#[test]
fn a_customer_fetches_their_own_and_one_nothing_is_held_of_has_none() {
    let service = with_ada();
    for token in [token(&json!({})), issued("one", &json!({}))] {
        let answer = service.get_with(&token, "/v1/snapshot");
        assert_eq!(words(&answer.body)["entitlements"], json!(["sms", "export"]));
    }
    let nobody = service.get("/v1/snapshot?customer=cus_new");
    assert_eq!(
        (nobody.status, &nobody.body["version"], &nobody.body["as_of"]),
        (200, &json!(0), &json!(null))
    );
    assert_eq!(words(&nobody.body)["entitlements"], json!([]));
    let named = service.get("/v1/snapshot");
    named.assert_refuses("customer", "parameter_missing", "Missing required param: customer.", "");
}

#[test]
fn a_snapshot_is_good_for_a_minute_to_a_day() {
    let service = with_ada();
    let below = "This value must be greater than or equal to 60 (it currently is '59').";
    let above = "This value must be less than or equal to 86400 (it currently is '86401').";
    for (query, expected) in [
        ("", Ok(3_600)),
        ("&expires_in=60", Ok(60)),
        ("&expires_in=86400", Ok(86_400)),
        ("&expires_in=59", Err(below)),
        ("&expires_in=86401", Err(above)),
    ] {
        let answer = service.get(&format!("/v1/snapshot?customer=cus_ada{query}"));
        match expected {
            Ok(lifetime) => {
                assert_eq!(answer.body["expires_at"], NOW.0 + lifetime, "{query}");
                assert_eq!(words(&answer.body)["exp"], NOW.0 + lifetime, "{query}");
            }
            Err(message) => {
                answer.assert_refuses("expires_in", "parameter_invalid_integer", message, query);
            }
        }
    }
}

#[test]
fn what_is_not_known_is_not_signed() {
    let service = with_ada();
    let part = service.get("/v1/snapshot?customer=cus_cy");
    assert_eq!((part.status, part.error("code")), (503, "entitlements_incomplete"));
    let later = service.get("/v1/snapshot?customer=cus_ada&at_least=2");
    assert_eq!((later.status, later.error("code")), (503, "version_not_reached"));
    assert_eq!(service.get("/v1/snapshot?customer=cus_ada&at_least=1&fresh=true").status, 200);
    service.store.crypto.fail_next(entgate::store::memory::Fault::Before);
    let unsigned = service.get("/v1/snapshot?customer=cus_ada");
    assert_eq!((unsigned.status, unsigned.header("retry-after")), (503, Some("1")));
}

#[test]
fn a_snapshot_has_a_thousand_entitlements_at_most() {
    let service = with_tokens(&[]);
    let names: Vec<_> = (0..=1_000).map(|number| format!("f{number}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    service.stripe_sends(&event("cus_ada", AT, &names[..1_000], false));
    service.stripe_sends(&event("cus_bob", AT, &names, false));
    let most = service.get("/v1/snapshot?customer=cus_ada");
    assert_eq!(words(&most.body)["entitlements"].as_array().unwrap().len(), 1_000);
    let more = service.get("/v1/snapshot?customer=cus_bob");
    let message = "'cus_bob' has 1001 entitlements, and a snapshot at most 1000. Ask for the list.";
    assert_eq!((more.status, more.error("message")), (400, message));
}

#[test]
fn a_snapshot_is_no_token() {
    let service = with_ada();
    let snapshot = service.get("/v1/snapshot?customer=cus_ada").body["snapshot"].clone();
    let answer = service.get_with(snapshot.as_str().unwrap(), "/v1/check?feature=sms");
    let message = "the token is of the type `entitlements+jwt`, which opens nothing.";
    assert_eq!((answer.status, answer.error("message")), (401, message));
}

#[test]
fn the_keys_are_anybodys_and_tell_no_secret() {
    let shown = json!({
        "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        "alg": "EdDSA", "use": "sig", "kid": KID,
    });
    let named = shown.as_object().unwrap().clone();
    let next = json!({ "kty": "OKP", "crv": "Ed25519", "x": "A".repeat(43), "kid": "next" });
    let two = format!(r#"{{"keys":[{SIGNING_KEY},{next}]}}"#);
    let mut also = next;
    also.as_object_mut()
        .unwrap()
        .extend([("alg".into(), json!("EdDSA")), ("use".into(), json!("sig"))]);
    for (why, key, keys) in [
        ("none", "", json!([])),
        ("one", SIGNING_KEY, json!([named])),
        ("the next one too", &two, json!([named, also])),
    ] {
        let service = configured(&[("ENTGATE_SIGNING_KEY", key)]);
        let answer = service.request("GET", "/.well-known/jwks.json", &[], b"");
        assert_eq!((answer.status, &answer.body), (200, &json!({ "keys": keys })), "{why}");
        assert_eq!(answer.header("cache-control"), Some("public, max-age=300"), "{why}");
    }
    let service = configured(&[("ENTGATE_API_KEYS", "sk_test_entgate")]);
    let answer = service.get("/v1/snapshot?customer=cus_ada");
    let message = "No snapshots are made here: ENTGATE_SIGNING_KEY is not set.";
    assert_eq!((answer.status, answer.error("message")), (503, message));
}
