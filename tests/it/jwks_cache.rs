//! The cache of an issuer's keys: which keys are accepted, when they are fetched, and failures.

use std::collections::BTreeMap;

use entgate::{
    id::Timestamp,
    store::memory::Fault,
    token::{
        Algorithm, JwksCache, Jws, PublicKey,
        jwks_cache::{FAILURE_BACKOFF, JWKS_TTL, KeyLookup, MAX_KEYS, MIN_REFETCH_INTERVAL},
    },
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::{
    support::{NOW, Service},
    token_fixtures::{CHECK, ec_key, issued, issued_as, issuers_claims, jwks, with_tokens},
};

/// The modulus of RFC 7638, section 3.1: 2,048 bits.
const MODULUS: &str = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";

/// RFC 8037, appendix A.2.
const ED25519: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

/// A modulus of so many bits, with the first and the last bit set.
fn modulus(bits: usize) -> String {
    use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
    let mut bytes = vec![0; bits.div_ceil(8)];
    bytes[0] = 1 << ((bits - 1) % 8);
    *bytes.last_mut().unwrap() |= 1;
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

#[test]
fn a_key_is_accepted_for_the_only_algorithm_of_its_kind() {
    let rsa = |n: &str, members: Value| {
        let mut key = json!({ "kty": "RSA", "n": n, "e": "AQAB" });
        key.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        key
    };
    let okp = |crv: &str, x: &str, members: Value| {
        let mut key = json!({ "kty": "OKP", "crv": crv, "x": x });
        key.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        key
    };
    let leading_zeros = format!("AAAA{MODULUS}");
    let (rs, es, ed) = (Some(Algorithm::Rs256), Some(Algorithm::Es256), Some(Algorithm::EdDsa));
    for (why, jwk, expected) in [
        ("RSA, RFC 7638's", rsa(MODULUS, json!({ "alg": "RS256", "kid": "2011-04-29" })), rs),
        ("RSA of 2,048 bits", rsa(&modulus(2_048), json!({})), rs),
        ("RSA of 2,047 bits", rsa(&modulus(2_047), json!({})), None),
        (
            "RSA of 2,041 bits, which have as many bytes as 2,048",
            rsa(&modulus(2_041), json!({})),
            None,
        ),
        ("RSA of 8,192 bits", rsa(&modulus(8_192), json!({})), rs),
        ("RSA of 8,193 bits", rsa(&modulus(8_193), json!({})), None),
        ("RSA with leading zeros", rsa(&leading_zeros, json!({})), rs),
        ("RSA with an empty modulus", rsa("", json!({})), None),
        ("RSA with the modulus 0", rsa(&"A".repeat(400), json!({})), None),
        ("RSA without `e`", json!({ "kty": "RSA", "n": MODULUS }), None),
        ("RSA with padding", rsa(&format!("{MODULUS}=="), json!({})), None),
        ("RSA for PS256", rsa(MODULUS, json!({ "alg": "PS256" })), None),
        ("RSA for RS512", rsa(MODULUS, json!({ "alg": "RS512" })), None),
        ("RSA for HS256", rsa(MODULUS, json!({ "alg": "HS256" })), None),
        ("RSA for encryption", rsa(MODULUS, json!({ "use": "enc" })), None),
        ("RSA for encryption, by its algorithm", rsa(MODULUS, json!({ "alg": "RSA-OAEP" })), None),
        (
            "RSA with a certificate",
            rsa(MODULUS, json!({ "use": "sig", "x5c": ["MII"], "x5t": "a" })),
            rs,
        ),
        ("RSA with the operation verify", rsa(MODULUS, json!({ "key_ops": ["verify"] })), rs),
        (
            "RSA with operations of encryption",
            rsa(MODULUS, json!({ "key_ops": ["encrypt", "wrapKey"] })),
            None,
        ),
        ("RSA without operations", rsa(MODULUS, json!({ "key_ops": [] })), None),
        (
            "RSA with operations that are not a list",
            rsa(MODULUS, json!({ "key_ops": "verify" })),
            None,
        ),
        ("RSA with an algorithm that is null", rsa(MODULUS, json!({ "alg": null })), None),
        ("EC, RFC 7515's", ec_key(&json!({ "alg": "ES256" })), es),
        ("EC for RS256", ec_key(&json!({ "alg": "RS256" })), None),
        ("EC on another curve", ec_key(&json!({ "crv": "P-384" })), None),
        ("EC on Bitcoin's curve", ec_key(&json!({ "crv": "secp256k1" })), None),
        ("EC without a curve", ec_key(&json!({ "crv": null })), None),
        ("EC without `y`", ec_key(&json!({ "y": null })), None),
        ("EC with a coordinate of 31 bytes", ec_key(&json!({ "x": &ED25519[..42] })), None),
        ("EC for key agreement", ec_key(&json!({ "use": "enc", "alg": "ECDH-ES" })), None),
        ("Ed25519, RFC 8037's", okp("Ed25519", ED25519, json!({ "alg": "EdDSA" })), ed),
        ("Ed25519 by its newer name", okp("Ed25519", ED25519, json!({ "alg": "Ed25519" })), ed),
        ("Ed25519 for ES256", okp("Ed25519", ED25519, json!({ "alg": "ES256" })), None),
        ("Ed448", okp("Ed448", ED25519, json!({})), None),
        ("X25519", okp("X25519", ED25519, json!({})), None),
        ("Ed25519 of 31 bytes", okp("Ed25519", &ED25519[..42], json!({})), None),
        ("a symmetric key", json!({ "kty": "oct", "k": MODULUS, "alg": "HS256" }), None),
        ("no `kty`", json!({ "n": MODULUS, "e": "AQAB" }), None),
        ("not an object", json!("key"), None),
    ] {
        assert_eq!(PublicKey::from_jwk(&jwk).map(|key| key.algorithm), expected, "{why}");
    }
}

#[test]
fn only_the_members_that_define_a_key_are_kept() {
    let jwk =
        ec_key(&json!({ "kid": "one", "d": "secret", "ext": true, "x5u": "https://a.example" }));
    let key = PublicKey::from_jwk(&jwk).unwrap();
    assert_eq!((key.kid.as_deref(), key.to_jwk()), (Some("one"), ec_key(&json!({}))));
}

/// RFC 7515, appendix A.1. Its key is not UTF-8, so it cannot be a [`entgate::token::TokenSecret`].
#[test]
fn the_signing_input_and_algorithm_of_the_rfcs_tokens_are_parsed() {
    use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
    let token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let key =
        "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    let jws = Jws::parse(token).unwrap();
    assert_eq!((jws.algorithm, &jws.kid), (Algorithm::Hs256, &None));
    let key = BASE64_URL_SAFE_NO_PAD.decode(key).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    mac.update(jws.signing_input.as_bytes());
    assert_eq!(mac.verify_slice(&jws.signature), Ok(()));
    // The headers of appendices A.2 and A.3, and of RFC 8037, appendix A.4; then `{"alg":"Ed25519"}`.
    for (header, algorithm) in [
        ("eyJhbGciOiJSUzI1NiJ9", Algorithm::Rs256),
        ("eyJhbGciOiJFUzI1NiJ9", Algorithm::Es256),
        ("eyJhbGciOiJFZERTQSJ9", Algorithm::EdDsa),
        ("eyJhbGciOiJFZDI1NTE5In0", Algorithm::EdDsa),
    ] {
        assert_eq!(Jws::parse(&format!("{header}.e30.")).unwrap().algorithm, algorithm);
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp(NOW.0 + seconds)
}

/// Looks up the keys for a token with this key id. Returns the ids of the candidates.
#[track_caller]
fn lookup(cache: &JwksCache, kid: &str, seconds: i64) -> Result<Vec<String>, KeyLookup> {
    let token = issued(kid, &json!({}));
    match cache.lookup(&Jws::parse(&token).unwrap(), at(seconds)) {
        KeyLookup::Candidates(keys) => Ok(keys.into_iter().filter_map(|key| key.kid).collect()),
        other => Err(other),
    }
}

fn candidate_one() -> Vec<String> {
    vec!["one".to_owned()]
}

#[test]
fn keys_are_fresh_for_ten_minutes_and_stay_in_use_while_fetches_fail() {
    let cache = JwksCache::default();
    assert_eq!(lookup(&cache, "one", 0), Err(KeyLookup::Fetch));
    cache.store(jwks(&["one"]).as_bytes(), at(0)).unwrap();
    assert_eq!(lookup(&cache, "one", JWKS_TTL - 1), Ok(candidate_one()));
    assert_eq!(lookup(&cache, "one", JWKS_TTL), Err(KeyLookup::Fetch), "they are stale");
    assert_eq!(
        lookup(&cache, "one", JWKS_TTL),
        Ok(candidate_one()),
        "one request fetches, and the others use the old keys"
    );
    cache.record_failure(at(JWKS_TTL));
    assert_eq!(lookup(&cache, "one", JWKS_TTL + MIN_REFETCH_INTERVAL - 1), Ok(candidate_one()));
    assert_eq!(
        lookup(&cache, "one", JWKS_TTL + MIN_REFETCH_INTERVAL),
        Err(KeyLookup::Fetch),
        "a minute later"
    );
    cache.store(jwks(&["one"]).as_bytes(), at(JWKS_TTL + MIN_REFETCH_INTERVAL)).unwrap();
    assert_eq!(lookup(&cache, "one", 2 * JWKS_TTL + MIN_REFETCH_INTERVAL - 1), Ok(candidate_one()));
}

#[test]
fn an_unknown_key_id_is_fetched_at_most_once_a_minute() {
    let cache = JwksCache::default();
    cache.store(jwks(&["one"]).as_bytes(), at(0)).unwrap();
    assert_eq!(
        lookup(&cache, "two", MIN_REFETCH_INTERVAL - 1),
        Ok(vec![]),
        "the last fetch was less than a minute ago"
    );
    assert_eq!(lookup(&cache, "two", MIN_REFETCH_INTERVAL), Err(KeyLookup::Fetch));
    assert_eq!(
        lookup(&cache, "two", MIN_REFETCH_INTERVAL),
        Err(KeyLookup::InFlight),
        "the fetch is in flight"
    );
    assert_eq!(lookup(&cache, "one", MIN_REFETCH_INTERVAL), Ok(candidate_one()));
    cache.store(jwks(&["one"]).as_bytes(), at(MIN_REFETCH_INTERVAL)).unwrap();
    for seconds in [MIN_REFETCH_INTERVAL, 2 * MIN_REFETCH_INTERVAL - 1] {
        assert_eq!(lookup(&cache, "three", seconds), Ok(vec![]), "{seconds}");
    }
    assert_eq!(lookup(&cache, "two", 2 * MIN_REFETCH_INTERVAL), Err(KeyLookup::Fetch));
    cache.record_failure(at(2 * MIN_REFETCH_INTERVAL));
    assert_eq!(
        lookup(&cache, "two", 3 * MIN_REFETCH_INTERVAL - 1),
        Err(KeyLookup::Backoff),
        "the last fetch failed"
    );
    assert_eq!(lookup(&cache, "two", 3 * MIN_REFETCH_INTERVAL), Err(KeyLookup::Fetch));
    cache.store(jwks(&["two"]).as_bytes(), at(3 * MIN_REFETCH_INTERVAL)).unwrap();
    assert_eq!(lookup(&cache, "two", 3 * MIN_REFETCH_INTERVAL), Ok(vec!["two".to_owned()]));
    assert_eq!(
        lookup(&cache, "one", 3 * MIN_REFETCH_INTERVAL),
        Ok(vec![]),
        "the old key is withdrawn"
    );
}

#[test]
fn a_fetch_without_a_result_does_not_block_later_fetches() {
    for (why, kid, started) in
        [("a new key id", "two", MIN_REFETCH_INTERVAL), ("stale keys", "one", JWKS_TTL)]
    {
        let cache = JwksCache::default();
        cache.store(jwks(&["one"]).as_bytes(), at(0)).unwrap();
        assert_eq!(lookup(&cache, kid, started), Err(KeyLookup::Fetch), "{why}");
        let meanwhile = lookup(&cache, kid, started + FAILURE_BACKOFF - 1);
        let expected = if kid == "one" { Ok(candidate_one()) } else { Err(KeyLookup::InFlight) };
        assert_eq!(meanwhile, expected, "{why}");
        assert_eq!(lookup(&cache, kid, started + FAILURE_BACKOFF), Err(KeyLookup::Fetch), "{why}");
        cache.store(jwks(&[kid]).as_bytes(), at(started + FAILURE_BACKOFF)).unwrap();
        let candidates = lookup(&cache, kid, started + FAILURE_BACKOFF);
        assert_eq!(candidates, Ok(vec![kid.to_owned()]), "{why}");
    }
}

#[test]
fn without_cached_keys_one_request_fetches_and_the_others_wait() {
    let cache = JwksCache::default();
    assert_eq!(lookup(&cache, "one", 0), Err(KeyLookup::Fetch));
    for (kid, seconds) in [("one", 0), ("two", 1), ("one", -5), ("one", FAILURE_BACKOFF - 1)] {
        assert_eq!(lookup(&cache, kid, seconds), Err(KeyLookup::InFlight), "{kid} {seconds}");
    }
    cache.store(jwks(&["one"]).as_bytes(), at(1)).unwrap();
    assert_eq!(lookup(&cache, "one", 1), Ok(candidate_one()));
    assert_eq!(lookup(&cache, "two", 1), Ok(vec![]));

    let cache = JwksCache::default();
    assert_eq!(lookup(&cache, "one", 0), Err(KeyLookup::Fetch));
    let later = lookup(&cache, "one", FAILURE_BACKOFF);
    assert_eq!(later, Err(KeyLookup::Fetch), "the first request was cancelled");
    assert_eq!(lookup(&cache, "one", FAILURE_BACKOFF), Err(KeyLookup::InFlight));
}

#[test]
fn without_cached_keys_there_is_a_back_off_after_a_failure() {
    let cache = JwksCache::default();
    assert_eq!(lookup(&cache, "one", 0), Err(KeyLookup::Fetch));
    cache.record_failure(at(0));
    assert_eq!(lookup(&cache, "one", FAILURE_BACKOFF - 1), Err(KeyLookup::Backoff));
    assert_eq!(lookup(&cache, "one", FAILURE_BACKOFF), Err(KeyLookup::Fetch));
    cache.record_failure(at(FAILURE_BACKOFF));
    assert_eq!(lookup(&cache, "one", -5), Err(KeyLookup::Backoff), "a clock that was set back");
}

#[test]
fn a_response_that_is_not_a_jwk_set_changes_nothing() {
    let cache = JwksCache::default();
    cache.store(jwks(&["one"]).as_bytes(), at(0)).unwrap();
    for (document, problem) in [
        ("", "it is not valid JSON"),
        ("<html>", "it is not valid JSON"),
        ("\u{0}", "it is not valid JSON"),
        ("[]", "it is not a JWK Set: it has no `keys`"),
        ("{}", "it is not a JWK Set: it has no `keys`"),
        (r#"{"keys":{}}"#, "it is not a JWK Set: it has no `keys`"),
        (r#"{"keys":null}"#, "it is not a JWK Set: it has no `keys`"),
        (r#"{"keys":[]}"#, "it has no key for RS256, ES256 or EdDSA"),
        (r#"{"keys":[1,null,{"kty":"oct","k":"a"}]}"#, "it has no key for RS256, ES256 or EdDSA"),
    ] {
        assert_eq!(cache.store(document.as_bytes(), at(0)), Err(problem), "{document}");
        assert_eq!(lookup(&cache, "one", 1), Ok(candidate_one()), "{document}");
    }
    let mixed =
        json!({ "keys": [1, { "kty": "oct", "k": "a" }, ec_key(&json!({ "kid": "two" }))] });
    assert_eq!(cache.store(mixed.to_string().as_bytes(), at(0)), Ok(()));
    assert_eq!(lookup(&cache, "two", 1), Ok(vec!["two".to_owned()]));
}

#[test]
fn at_most_32_keys_of_an_issuer_are_stored() {
    let cache = JwksCache::default();
    let names: Vec<_> = (0..=MAX_KEYS).map(|number| number.to_string()).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    cache.store(jwks(&names).as_bytes(), at(0)).unwrap();
    assert_eq!(lookup(&cache, "31", 1), Ok(vec!["31".to_owned()]));
    assert_eq!(lookup(&cache, "32", 1), Ok(vec![]));
}

#[test]
fn without_a_key_id_every_key_of_the_algorithm_is_a_candidate() {
    let cache = JwksCache::default();
    let rsa = json!({ "kty": "RSA", "n": MODULUS, "e": "AQAB", "kid": "one" });
    let keys = [
        ec_key(&json!({ "kid": "one" })),
        ec_key(&json!({ "kid": "two" })),
        ec_key(&json!({})),
        rsa,
    ];
    let document = json!({ "keys": keys }).to_string();
    cache.store(document.as_bytes(), at(0)).unwrap();
    for (why, header, expected) in [
        ("a key id", json!({ "alg": "ES256", "kid": "one" }), 2),
        (
            "a key id that only the key without one can match",
            json!({ "alg": "ES256", "kid": "three" }),
            1,
        ),
        ("no key id", json!({ "alg": "ES256" }), 3),
        ("a key id of two kinds of keys", json!({ "alg": "RS256", "kid": "one" }), 1),
        ("the key id of another kind of key", json!({ "alg": "RS256", "kid": "two" }), 0),
        ("an algorithm without a key", json!({ "alg": "EdDSA" }), 0),
    ] {
        let token = issued_as("one", &header.to_string(), "{}");
        let candidates = match cache.lookup(&Jws::parse(&token).unwrap(), at(1)) {
            KeyLookup::Candidates(keys) => keys.len(),
            other => panic!("{why}: {other:?}"),
        };
        assert_eq!(candidates, expected, "{why}");
    }
}

/// RFC 9864 renames the algorithm. The names of the token and of the key need not be the same.
#[test]
fn a_token_of_ed25519_is_accepted_under_both_names_of_the_algorithm() {
    for name_of_key in [json!({}), json!({ "alg": "EdDSA" }), json!({ "alg": "Ed25519" })] {
        let service = with_tokens(&[]);
        let mut key = json!({ "kty": "OKP", "crv": "Ed25519", "x": ED25519, "kid": "one" });
        key.as_object_mut().unwrap().extend(name_of_key.as_object().unwrap().clone());
        service.store.crypto.jwks.replace(json!({ "keys": [key] }).to_string());
        let claims = issuers_claims(&json!({})).to_string();
        for header in [r#"{"alg":"EdDSA"}"#, r#"{"alg":"Ed25519","kid":"one"}"#] {
            let token = issued_as("one", header, &claims);
            assert_eq!(check(&service, &token), accepted(), "{header} {name_of_key}");
        }
        for (header, alg) in [(r#"{"alg":"Ed448"}"#, "Ed448"), (r#"{"alg":"ed25519"}"#, "ed25519")]
        {
            let message = format!(
                "The token is signed with `{alg}`, and only HS256, RS256, ES256 and EdDSA are accepted."
            );
            let token = issued_as("one", header, &claims);
            assert_eq!(check(&service, &token), rejected(&message), "{header}");
        }
    }
}

/// Status, code and message of a check with a token of the issuer.
fn check(service: &Service, token: &str) -> (u16, String, String) {
    let answer = service.get_with(token, CHECK);
    (answer.status, answer.error("code").to_owned(), answer.error("message").to_owned())
}

fn accepted() -> (u16, String, String) {
    (200, String::new(), String::new())
}

fn keys_unavailable() -> (u16, String, String) {
    let message = "The keys of the token's issuer cannot be read at the moment, so that the token cannot be \
                   checked. Try again.";
    (503, String::new(), message.to_owned())
}

fn rejected(message: &str) -> (u16, String, String) {
    (401, "token_invalid".to_owned(), message.to_owned())
}

#[test]
fn a_token_cannot_be_verified_while_its_key_cannot_be_fetched() {
    let mut service = with_tokens(&[]);
    let (one, two) = (
        issued("one", &json!({ "exp": NOW.0 + 9_000 })),
        issued("two", &json!({ "exp": NOW.0 + 9_000 })),
    );
    let fetches = |service: &Service| service.store.crypto.calls.get();
    service.store.crypto.fail_next(Fault::Before);
    assert_eq!(check(&service, &one), keys_unavailable());
    let answer = service.get_with(&one, CHECK);
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    assert_eq!(fetches(&service), 1, "there is no second fetch during the back-off");

    service.now = at(FAILURE_BACKOFF);
    assert_eq!(check(&service, &one), accepted());
    assert_eq!(check(&service, &one), accepted());
    assert_eq!(fetches(&service), 2);
    let unknown = || rejected("The token is signed with an unknown key.");
    assert_eq!(check(&service, &two), unknown());
    assert_eq!(fetches(&service), 2);

    // The issuer rotates its key and is not reachable.
    service.store.crypto.jwks.replace(jwks(&["two"]));
    service.now = at(FAILURE_BACKOFF + MIN_REFETCH_INTERVAL);
    service.store.crypto.fail_next(Fault::After);
    assert_eq!(check(&service, &two), keys_unavailable());
    assert_eq!(check(&service, &two), keys_unavailable());
    assert_eq!(check(&service, &one), accepted(), "the cached key stays in use");
    assert_eq!(fetches(&service), 3);
    service.now = at(FAILURE_BACKOFF + 2 * MIN_REFETCH_INTERVAL);
    assert_eq!(check(&service, &two), accepted());
    assert_eq!(check(&service, &one), unknown(), "the old key is withdrawn");
    assert_eq!(fetches(&service), 4);
}

/// Checks with these tokens, all at the same time. Returns how often each outcome occurred.
fn check_concurrently(service: &Service, tokens: &[String]) -> Vec<((u16, String), usize)> {
    let request = |token: &String| {
        let request = http::Request::get(CHECK).header("authorization", format!("Bearer {token}"));
        request.body(Vec::new()).unwrap()
    };
    let mut counts = BTreeMap::new();
    for answer in service.concurrently(&tokens.iter().map(request).collect::<Vec<_>>()) {
        let message = answer.error("message").split('.').next().unwrap_or_default().to_owned();
        *counts.entry((answer.status, message)).or_insert(0) += 1;
    }
    counts.into_iter().collect()
}

#[test]
fn concurrent_requests_share_the_first_fetch() {
    let token = issued("one", &json!({}));
    for (why, delay, fault, status, message) in [
        ("the issuer responds at once", 0, None, 200, ""),
        ("the issuer responds later", 50, None, 200, ""),
        (
            "the issuer fails",
            50,
            Some(Fault::Before),
            503,
            "The keys of the token's issuer cannot be read at the moment, so that the token cannot be checked",
        ),
    ] {
        let service = with_tokens(&[]);
        service.store.crypto.delay.set(delay);
        if let Some(fault) = fault {
            service.store.crypto.fail_next(fault);
        }
        let outcomes = check_concurrently(&service, &vec![token.clone(); 40]);
        assert_eq!(outcomes, [((status, message.to_owned()), 40)], "{why}");
        assert_eq!(service.store.crypto.calls.get(), 1, "{why}");
    }
}

#[test]
fn a_request_does_not_wait_without_end_for_the_fetch_of_another_one() {
    let service = with_tokens(&[]);
    service.store.crypto.delay.set(1_000);
    let outcomes = check_concurrently(&service, &vec![issued("one", &json!({})); 3]);
    let counts: Vec<_> = outcomes.iter().map(|((status, _), count)| (*status, *count)).collect();
    assert_eq!(counts, [(200, 1), (503, 2)]);
    assert_eq!(service.store.crypto.calls.get(), 1);
}

#[test]
fn concurrent_requests_with_a_new_key_share_a_fetch_and_others_do_not_wait() {
    let mut service = with_tokens(&[]);
    let exp = json!({ "exp": NOW.0 + 9_000 });
    let (one, two) = (issued("one", &exp), issued("two", &exp));
    assert_eq!(check(&service, &one), accepted());
    service.now = at(MIN_REFETCH_INTERVAL);
    service.store.crypto.jwks.replace(jwks(&["one", "two"]));
    service.store.crypto.delay.set(50);
    let tokens: Vec<_> = [&two, &one].into_iter().cycle().take(40).cloned().collect();
    assert_eq!(check_concurrently(&service, &tokens), [((200, String::new()), 40)]);
    assert_eq!(service.store.crypto.calls.get(), 2);
}

#[test]
fn a_token_whose_claims_are_not_accepted_causes_no_fetch() {
    let service = with_tokens(&[]);
    let now = NOW.0;
    for (why, changes, expected) in [
        ("another issuer", json!({ "iss": "https://evil.example" }), (401, "token_invalid")),
        ("no issuer", json!({ "iss": null }), (401, "token_invalid")),
        ("an audience", json!({ "aud": "other" }), (401, "token_invalid")),
        ("expired", json!({ "exp": now - 60 }), (401, "token_expired")),
        ("no end", json!({ "exp": null }), (401, "token_invalid")),
        ("not valid yet", json!({ "nbf": now + 61 }), (401, "token_invalid")),
        ("issued later", json!({ "iat": now + 61 }), (401, "token_invalid")),
        ("no customer", json!({ "sub": null }), (403, "customer_missing")),
        ("an invalid customer", json!({ "sub": "cus ada" }), (403, "customer_missing")),
    ] {
        let answer = service.get_with(&issued("one", &changes), CHECK);
        assert_eq!((answer.status, answer.error("code")), expected, "{why}");
    }
    for (why, claims) in [("no claims", "{}"), ("not JSON", "x"), ("a list", "[]")] {
        let token = issued_as("one", r#"{"alg":"RS256"}"#, claims);
        assert_eq!(service.get_with(&token, CHECK).status, 401, "{why}");
    }
    assert_eq!(service.store.crypto.calls.get(), 0);
    assert_eq!(check(&service, &issued("one", &json!({}))), accepted());
    assert_eq!(service.store.crypto.calls.get(), 1);
}

#[test]
fn a_malformed_response_of_the_issuer_is_a_failed_fetch() {
    let mut service = with_tokens(&[]);
    let token = issued("one", &json!({ "exp": NOW.0 + 9_000 }));
    assert_eq!(check(&service, &token), accepted());
    service.store.crypto.jwks.replace("<html>".to_owned());
    service.now = at(JWKS_TTL);
    assert_eq!(check(&service, &token), accepted());
    let empty_cache = with_tokens(&[]);
    empty_cache.store.crypto.jwks.replace("<html>".to_owned());
    assert_eq!(check(&empty_cache, &token), keys_unavailable());
}

#[test]
fn only_keys_that_match_the_header_are_tried() {
    let service = with_tokens(&[]);
    service.store.crypto.jwks.replace(jwks(&["one", "two"]));
    let claims = issuers_claims(&json!({})).to_string();
    let mismatch = || rejected("The token's signature does not match.");
    for (why, token, expected) in [
        ("the second of two keys", issued_as("two", r#"{"alg":"ES256"}"#, &claims), accepted()),
        ("a third key", issued_as("three", r#"{"alg":"ES256"}"#, &claims), mismatch()),
        (
            "one key with the id of the other",
            issued_as("two", r#"{"alg":"ES256","kid":"one"}"#, &claims),
            mismatch(),
        ),
        (
            "another algorithm than the key's",
            issued_as("one", r#"{"alg":"RS256","kid":"one"}"#, &claims),
            rejected("The token is signed with an unknown key."),
        ),
        (
            "a key in the header",
            issued_as(
                "three",
                &json!({ "alg": "ES256", "jwk": ec_key(&json!({ "kid": "three" })) }).to_string(),
                &claims,
            ),
            mismatch(),
        ),
    ] {
        assert_eq!(check(&service, &token), expected, "{why}");
    }
    assert_eq!(service.store.crypto.calls.get(), 1);
}
