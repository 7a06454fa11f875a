//! Snapshots and their public keys. `tests/worker/snapshots.test.mjs` verifies them with JOSE libraries.

use serde_json::{Value, json};

use crate::{
    support::{NOW, Service, configured, event},
    token_fixtures::{SIGNING_KEY, issued, part, token, with_tokens},
};

const AT: i64 = 1_700_000_000;
const KID: &str = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k";

/// A deployment where Ada has two features and the set of Cy is incomplete.
fn with_ada() -> Service {
    let service = with_tokens(&[]);
    service.stripe_sends(&event("cus_ada", AT, &["sms", "export"], false));
    service.stripe_sends(&event("cus_cy", AT, &["sms"], true));
    service
}

/// The claims of a snapshot.
fn claims(body: &Value) -> Value {
    part(body["snapshot"].as_str().unwrap(), 1)
}

#[test]
fn a_snapshot_contains_the_customer_the_entitlements_and_the_expiry() {
    let service = with_ada();
    let answer = service.get("/v1/snapshot?customer=cus_ada");
    let snapshot = answer.body["snapshot"].as_str().unwrap();
    assert_eq!(
        (answer.status, &answer.body),
        (
            200,
            &json!({
                "object": "entitlement_snapshot", "customer": "cus_ada", "livemode": false,
                "version": 1, "as_of": AT, "expires_at": NOW.0 + 3_600,
                "changes_at": null, "snapshot": snapshot,
            })
        )
    );
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let header = json!({ "alg": "EdDSA", "typ": "entitlements+jwt", "kid": KID });
    assert_eq!(part(snapshot, 0), header);
    assert_eq!(
        claims(&answer.body),
        json!({
            "iss": "entgate", "sub": "cus_ada", "iat": NOW, "exp": NOW.0 + 3_600, "livemode": false,
            "version": 1, "as_of": AT, "changes_at": null, "entitlements": ["sms", "export"],
        })
    );
    let at_origin = service.request(
        "GET",
        "https://gate.localhost/v1/snapshot?customer=cus_ada",
        &[("x-api-key", "sk_test_entgate")],
        b"",
    );
    assert_eq!(claims(&at_origin.body)["iss"], "https://gate.localhost");
}

#[test]
fn a_token_returns_its_customers_snapshot_and_an_unknown_customer_has_an_empty_one() {
    let service = with_ada();
    for token in [token(&json!({})), issued("one", &json!({}))] {
        let answer = service.get_with(&token, "/v1/snapshot");
        assert_eq!(claims(&answer.body)["entitlements"], json!(["sms", "export"]));
    }
    let unknown = service.get("/v1/snapshot?customer=cus_new");
    assert_eq!(
        (unknown.status, &unknown.body["version"], &unknown.body["as_of"]),
        (200, &json!(0), &json!(null))
    );
    assert_eq!(claims(&unknown.body)["entitlements"], json!([]));
    let without_customer = service.get("/v1/snapshot");
    let missing = "Missing required param: customer.";
    without_customer.assert_refuses("customer", "parameter_missing", missing, "no customer");
}

#[test]
fn the_lifetime_of_a_snapshot_is_a_minute_to_a_day() {
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
            Ok(ttl) => {
                assert_eq!(answer.body["expires_at"], NOW.0 + ttl, "{query}");
                assert_eq!(claims(&answer.body)["exp"], NOW.0 + ttl, "{query}");
            }
            Err(message) => {
                answer.assert_refuses("expires_in", "parameter_invalid_integer", message, query);
            }
        }
    }
}

#[test]
fn an_unknown_set_is_not_signed() {
    let service = with_ada();
    let incomplete = service.get("/v1/snapshot?customer=cus_cy");
    assert_eq!((incomplete.status, incomplete.error("code")), (503, "entitlements_incomplete"));
    let newer = service.get("/v1/snapshot?customer=cus_ada&at_least=2");
    assert_eq!((newer.status, newer.error("code")), (503, "version_not_reached"));
    assert_eq!(service.get("/v1/snapshot?customer=cus_ada&at_least=1&fresh=true").status, 200);
    service.store.crypto.fail_next(entgate::store::memory::Fault::Before);
    let unsigned = service.get("/v1/snapshot?customer=cus_ada");
    assert_eq!((unsigned.status, unsigned.header("retry-after")), (503, Some("1")));
}

#[test]
fn a_snapshot_has_at_most_a_thousand_entitlements() {
    let service = with_tokens(&[]);
    let names: Vec<_> = (0..=1_000).map(|number| format!("f{number}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    service.stripe_sends(&event("cus_ada", AT, &names[..1_000], false));
    service.stripe_sends(&event("cus_bob", AT, &names, false));
    let at_limit = service.get("/v1/snapshot?customer=cus_ada");
    assert_eq!(claims(&at_limit.body)["entitlements"].as_array().unwrap().len(), 1_000);
    let past_limit = service.get("/v1/snapshot?customer=cus_bob");
    let message = "'cus_bob' has 1001 entitlements, and a snapshot has at most 1000. Use the list.";
    assert_eq!((past_limit.status, past_limit.error("message")), (400, message));
}

#[test]
fn a_snapshot_is_not_accepted_as_a_token() {
    let service = with_ada();
    let snapshot = service.get("/v1/snapshot?customer=cus_ada").body["snapshot"].clone();
    let answer = service.get_with(snapshot.as_str().unwrap(), "/v1/check?feature=sms");
    let message = "The token is of the type `entitlements+jwt`, which is not accepted.";
    assert_eq!((answer.status, answer.error("message")), (401, message));
}

#[test]
fn the_public_keys_are_public_and_contain_no_secret() {
    let public_key = json!({
        "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        "alg": "EdDSA", "use": "sig", "kid": KID,
    });
    let current = public_key.as_object().unwrap().clone();
    let next = json!({ "kty": "OKP", "crv": "Ed25519", "x": "A".repeat(43), "kid": "next" });
    let two = format!(r#"{{"keys":[{SIGNING_KEY},{next}]}}"#);
    let mut next_public = next;
    next_public
        .as_object_mut()
        .unwrap()
        .extend([("alg".into(), json!("EdDSA")), ("use".into(), json!("sig"))]);
    for (why, key, keys) in [
        ("no key", "", json!([])),
        ("one key", SIGNING_KEY, json!([current])),
        ("the next key too", &two, json!([current, next_public])),
    ] {
        let service = configured(&[("ENTGATE_SIGNING_KEY", key)]);
        let answer = service.request("GET", "/.well-known/jwks.json", &[], b"");
        assert_eq!((answer.status, &answer.body), (200, &json!({ "keys": keys })), "{why}");
        assert_eq!(answer.header("cache-control"), Some("public, max-age=300"), "{why}");
    }
    let service = configured(&[("ENTGATE_API_KEYS", "sk_test_entgate")]);
    let answer = service.get("/v1/snapshot?customer=cus_ada");
    let message = "Snapshots are disabled: ENTGATE_SIGNING_KEY is not set.";
    assert_eq!((answer.status, answer.error("message")), (503, message));
}
