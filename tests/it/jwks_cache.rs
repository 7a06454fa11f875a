//! An issuer's keys: which are taken, when they are asked for, and what goes on without them.

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

/// A modulus of so many bits, the first and the last of them set.
fn modulus(bits: usize) -> String {
    use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
    let mut bytes = vec![0; bits.div_ceil(8)];
    bytes[0] = 1 << ((bits - 1) % 8);
    *bytes.last_mut().unwrap() |= 1;
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

#[test]
fn a_key_is_taken_for_the_one_algorithm_that_it_is_for() {
    let rsa = |n: &str, more: Value| {
        let mut key = json!({ "kty": "RSA", "n": n, "e": "AQAB" });
        key.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        key
    };
    let okp = |crv: &str, x: &str, more: Value| {
        let mut key = json!({ "kty": "OKP", "crv": crv, "x": x });
        key.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        key
    };
    let leading = format!("AAAA{MODULUS}");
    let (rs, es, ed) = (Some(Algorithm::Rs256), Some(Algorithm::Es256), Some(Algorithm::EdDsa));
    for (why, jwk, expected) in [
        ("RSA, RFC 7638's", rsa(MODULUS, json!({ "alg": "RS256", "kid": "2011-04-29" })), rs),
        ("RSA of 2,048 bits", rsa(&modulus(2_048), json!({})), rs),
        ("RSA of 2,047 bits", rsa(&modulus(2_047), json!({})), None),
        ("RSA of 2,041 bits, which fill as many bytes", rsa(&modulus(2_041), json!({})), None),
        ("RSA of 8,192 bits", rsa(&modulus(8_192), json!({})), rs),
        ("RSA of 8,193 bits", rsa(&modulus(8_193), json!({})), None),
        ("RSA with zeros before", rsa(&leading, json!({})), rs),
        ("RSA of nothing", rsa("", json!({})), None),
        ("RSA of zeros", rsa(&"A".repeat(400), json!({})), None),
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
        ("RSA that verifies", rsa(MODULUS, json!({ "key_ops": ["verify"] })), rs),
        ("RSA that encrypts", rsa(MODULUS, json!({ "key_ops": ["encrypt", "wrapKey"] })), None),
        ("RSA that does nothing", rsa(MODULUS, json!({ "key_ops": [] })), None),
        ("RSA that does it in words", rsa(MODULUS, json!({ "key_ops": "verify" })), None),
        ("RSA, and no algorithm", rsa(MODULUS, json!({ "alg": null })), None),
        ("EC, RFC 7515's", ec_key(&json!({ "alg": "ES256" })), es),
        ("EC for RS256", ec_key(&json!({ "alg": "RS256" })), None),
        ("EC on another curve", ec_key(&json!({ "crv": "P-384" })), None),
        ("EC on Bitcoin's curve", ec_key(&json!({ "crv": "secp256k1" })), None),
        ("EC without a curve", ec_key(&json!({ "crv": null })), None),
        ("EC without `y`", ec_key(&json!({ "y": null })), None),
        ("EC with a coordinate of 31 bytes", ec_key(&json!({ "x": &ED25519[..42] })), None),
        ("EC for agreement", ec_key(&json!({ "use": "enc", "alg": "ECDH-ES" })), None),
        ("Ed25519, RFC 8037's", okp("Ed25519", ED25519, json!({ "alg": "EdDSA" })), ed),
        ("Ed25519 by its newer name", okp("Ed25519", ED25519, json!({ "alg": "Ed25519" })), ed),
        ("Ed25519 for ES256", okp("Ed25519", ED25519, json!({ "alg": "ES256" })), None),
        ("Ed448", okp("Ed448", ED25519, json!({})), None),
        ("X25519", okp("X25519", ED25519, json!({})), None),
        ("Ed25519 of 31 bytes", okp("Ed25519", &ED25519[..42], json!({})), None),
        ("a secret", json!({ "kty": "oct", "k": MODULUS, "alg": "HS256" }), None),
        ("no kind", json!({ "n": MODULUS, "e": "AQAB" }), None),
        ("no object", json!("key"), None),
    ] {
        assert_eq!(PublicKey::from_jwk(&jwk).map(|key| key.algorithm), expected, "{why}");
    }
}

#[test]
fn of_a_key_nothing_is_kept_but_what_makes_it() {
    let jwk =
        ec_key(&json!({ "kid": "one", "d": "secret", "ext": true, "x5u": "https://a.example" }));
    let key = PublicKey::from_jwk(&jwk).unwrap();
    assert_eq!((key.kid.as_deref(), key.to_jwk()), (Some("one"), ec_key(&json!({}))));
}

/// RFC 7515, appendix A.1: the key is no text, so that no secret of ours can be it.
#[test]
fn what_is_signed_and_with_what_is_read_as_rfc_7515_has_it() {
    use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
    let token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let key =
        "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    let read = Jws::parse(token).unwrap();
    assert_eq!((read.algorithm, &read.kid), (Algorithm::Hs256, &None));
    let key = BASE64_URL_SAFE_NO_PAD.decode(key).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    mac.update(read.signing_input.as_bytes());
    assert_eq!(mac.verify_slice(&read.signature), Ok(()));
    // Appendices A.2 and A.3, and RFC 8037, appendix A.4, by their headers.
    for (header, algorithm) in [
        ("eyJhbGciOiJSUzI1NiJ9", Algorithm::Rs256),
        ("eyJhbGciOiJFUzI1NiJ9", Algorithm::Es256),
        ("eyJhbGciOiJFZERTQSJ9", Algorithm::EdDsa),
    ] {
        assert_eq!(Jws::parse(&format!("{header}.e30.")).unwrap().algorithm, algorithm);
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp(NOW.0 + seconds)
}

/// What a token signed by this key leads to: the names of the keys to be tried.
#[track_caller]
fn lookup(keyring: &JwksCache, kid: &str, seconds: i64) -> Result<Vec<String>, KeyLookup> {
    let token = issued(kid, &json!({}));
    match keyring.lookup(&Jws::parse(&token).unwrap(), at(seconds)) {
        KeyLookup::Candidates(keys) => Ok(keys.into_iter().filter_map(|key| key.kid).collect()),
        other => Err(other),
    }
}

fn one() -> Vec<String> {
    vec!["one".to_owned()]
}

#[test]
fn keys_are_fresh_for_ten_minutes_and_go_on_while_the_issuer_fails() {
    let keyring = JwksCache::default();
    assert_eq!(lookup(&keyring, "one", 0), Err(KeyLookup::Fetch));
    keyring.store(jwks(&["one"]).as_bytes(), at(0)).unwrap();
    assert_eq!(lookup(&keyring, "one", JWKS_TTL - 1), Ok(one()));
    assert_eq!(lookup(&keyring, "one", JWKS_TTL), Err(KeyLookup::Fetch), "they are old");
    assert_eq!(lookup(&keyring, "one", JWKS_TTL), Ok(one()), "one asks, and the others go on");
    keyring.record_failure(at(JWKS_TTL));
    assert_eq!(lookup(&keyring, "one", JWKS_TTL + MIN_REFETCH_INTERVAL - 1), Ok(one()));
    assert_eq!(
        lookup(&keyring, "one", JWKS_TTL + MIN_REFETCH_INTERVAL),
        Err(KeyLookup::Fetch),
        "a minute later"
    );
    keyring.store(jwks(&["one"]).as_bytes(), at(JWKS_TTL + MIN_REFETCH_INTERVAL)).unwrap();
    assert_eq!(lookup(&keyring, "one", 2 * JWKS_TTL + MIN_REFETCH_INTERVAL - 1), Ok(one()));
}

#[test]
fn an_unknown_name_is_asked_for_once_a_minute_at_most() {
    let keyring = JwksCache::default();
    keyring.store(jwks(&["one"]).as_bytes(), at(0)).unwrap();
    assert_eq!(
        lookup(&keyring, "two", MIN_REFETCH_INTERVAL - 1),
        Ok(vec![]),
        "it was asked a moment ago"
    );
    assert_eq!(lookup(&keyring, "two", MIN_REFETCH_INTERVAL), Err(KeyLookup::Fetch));
    assert_eq!(
        lookup(&keyring, "two", MIN_REFETCH_INTERVAL),
        Err(KeyLookup::Backoff),
        "it has not answered yet"
    );
    assert_eq!(lookup(&keyring, "one", MIN_REFETCH_INTERVAL), Ok(one()));
    keyring.store(jwks(&["one"]).as_bytes(), at(MIN_REFETCH_INTERVAL)).unwrap();
    for seconds in [MIN_REFETCH_INTERVAL, 2 * MIN_REFETCH_INTERVAL - 1] {
        assert_eq!(lookup(&keyring, "three", seconds), Ok(vec![]), "{seconds}");
    }
    assert_eq!(lookup(&keyring, "two", 2 * MIN_REFETCH_INTERVAL), Err(KeyLookup::Fetch));
    keyring.record_failure(at(2 * MIN_REFETCH_INTERVAL));
    assert_eq!(
        lookup(&keyring, "two", 3 * MIN_REFETCH_INTERVAL - 1),
        Err(KeyLookup::Backoff),
        "nobody can tell"
    );
    assert_eq!(lookup(&keyring, "two", 3 * MIN_REFETCH_INTERVAL), Err(KeyLookup::Fetch));
    keyring.store(jwks(&["two"]).as_bytes(), at(3 * MIN_REFETCH_INTERVAL)).unwrap();
    assert_eq!(lookup(&keyring, "two", 3 * MIN_REFETCH_INTERVAL), Ok(vec!["two".to_owned()]));
    assert_eq!(
        lookup(&keyring, "one", 3 * MIN_REFETCH_INTERVAL),
        Ok(vec![]),
        "the old one is withdrawn"
    );
}

#[test]
fn who_asks_and_hangs_up_keeps_nobody_from_asking() {
    for (why, kid, asked) in
        [("a new name", "two", MIN_REFETCH_INTERVAL), ("old keys", "one", JWKS_TTL)]
    {
        let keyring = JwksCache::default();
        keyring.store(jwks(&["one"]).as_bytes(), at(0)).unwrap();
        assert_eq!(lookup(&keyring, kid, asked), Err(KeyLookup::Fetch), "{why}");
        let meanwhile = lookup(&keyring, kid, asked + FAILURE_BACKOFF - 1);
        let expected = if kid == "one" { Ok(one()) } else { Err(KeyLookup::Backoff) };
        assert_eq!(meanwhile, expected, "{why}");
        assert_eq!(lookup(&keyring, kid, asked + FAILURE_BACKOFF), Err(KeyLookup::Fetch), "{why}");
        keyring.store(jwks(&[kid]).as_bytes(), at(asked + FAILURE_BACKOFF)).unwrap();
        let found = lookup(&keyring, kid, asked + FAILURE_BACKOFF);
        assert_eq!(found, Ok(vec![kid.to_owned()]), "{why}");
    }
}

#[test]
fn an_issuer_of_whom_nothing_is_known_is_left_alone_after_a_failure() {
    let keyring = JwksCache::default();
    assert_eq!(lookup(&keyring, "one", 0), Err(KeyLookup::Fetch));
    assert_eq!(lookup(&keyring, "one", 0), Err(KeyLookup::Fetch), "nobody can wait for another's");
    keyring.record_failure(at(0));
    assert_eq!(lookup(&keyring, "one", FAILURE_BACKOFF - 1), Err(KeyLookup::Backoff));
    assert_eq!(lookup(&keyring, "one", FAILURE_BACKOFF), Err(KeyLookup::Fetch));
    assert_eq!(lookup(&keyring, "one", -5), Err(KeyLookup::Backoff), "a clock that went back");
}

#[test]
fn what_is_no_set_of_keys_changes_nothing() {
    let keyring = JwksCache::default();
    keyring.store(jwks(&["one"]).as_bytes(), at(0)).unwrap();
    for (document, problem) in [
        ("", "it is no JSON"),
        ("<html>", "it is no JSON"),
        ("\u{0}", "it is no JSON"),
        ("[]", "it is no JWK Set: it lacks `keys`"),
        ("{}", "it is no JWK Set: it lacks `keys`"),
        (r#"{"keys":{}}"#, "it is no JWK Set: it lacks `keys`"),
        (r#"{"keys":null}"#, "it is no JWK Set: it lacks `keys`"),
        (r#"{"keys":[]}"#, "it has no key for RS256, ES256 or EdDSA"),
        (r#"{"keys":[1,null,{"kty":"oct","k":"a"}]}"#, "it has no key for RS256, ES256 or EdDSA"),
    ] {
        assert_eq!(keyring.store(document.as_bytes(), at(0)), Err(problem), "{document}");
        assert_eq!(lookup(&keyring, "one", 1), Ok(one()), "{document}");
    }
    let mixed =
        json!({ "keys": [1, { "kty": "oct", "k": "a" }, ec_key(&json!({ "kid": "two" }))] });
    assert_eq!(keyring.store(mixed.to_string().as_bytes(), at(0)), Ok(()));
    assert_eq!(lookup(&keyring, "two", 1), Ok(vec!["two".to_owned()]));
}

#[test]
fn of_an_issuer_32_keys_are_kept() {
    let keyring = JwksCache::default();
    let names: Vec<_> = (0..=MAX_KEYS).map(|number| number.to_string()).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    keyring.store(jwks(&names).as_bytes(), at(0)).unwrap();
    assert_eq!(lookup(&keyring, "31", 1), Ok(vec!["31".to_owned()]));
    assert_eq!(lookup(&keyring, "32", 1), Ok(vec![]));
}

#[test]
fn where_a_key_or_a_token_has_no_name_any_key_of_the_algorithm_may_fit() {
    let keyring = JwksCache::default();
    let rsa = json!({ "kty": "RSA", "n": MODULUS, "e": "AQAB", "kid": "one" });
    let keys = [
        ec_key(&json!({ "kid": "one" })),
        ec_key(&json!({ "kid": "two" })),
        ec_key(&json!({})),
        rsa,
    ];
    let document = json!({ "keys": keys }).to_string();
    keyring.store(document.as_bytes(), at(0)).unwrap();
    for (why, header, expected) in [
        ("a name", json!({ "alg": "ES256", "kid": "one" }), 2),
        (
            "a name that only the nameless one can have",
            json!({ "alg": "ES256", "kid": "three" }),
            1,
        ),
        ("no name", json!({ "alg": "ES256" }), 3),
        ("a name of a key of two kinds", json!({ "alg": "RS256", "kid": "one" }), 1),
        ("the name of a key of another kind", json!({ "alg": "RS256", "kid": "two" }), 0),
        ("an algorithm without a key", json!({ "alg": "EdDSA" }), 0),
    ] {
        let token = issued_as("one", &header.to_string(), "{}");
        let found = match keyring.lookup(&Jws::parse(&token).unwrap(), at(1)) {
            KeyLookup::Candidates(keys) => keys.len(),
            other => panic!("{why}: {other:?}"),
        };
        assert_eq!(found, expected, "{why}");
    }
}

/// Status, code and message of a check with a token of the issuer's.
fn check(service: &Service, token: &str) -> (u16, String, String) {
    let answer = service.get_with(token, CHECK);
    (answer.status, answer.error("code").to_owned(), answer.error("message").to_owned())
}

fn taken() -> (u16, String, String) {
    (200, String::new(), String::new())
}

fn not_known() -> (u16, String, String) {
    let message = "The keys of the token's issuer cannot be read at the moment, so that the token cannot be \
                   checked. Try again.";
    (503, String::new(), message.to_owned())
}

fn refused(message: &str) -> (u16, String, String) {
    (401, "token_invalid".to_owned(), message.to_owned())
}

#[test]
fn whether_a_token_is_genuine_is_not_known_without_its_issuer() {
    let mut service = with_tokens(&[]);
    let (one, two) = (
        issued("one", &json!({ "exp": NOW.0 + 9_000 })),
        issued("two", &json!({ "exp": NOW.0 + 9_000 })),
    );
    let asked = |service: &Service| service.store.crypto.calls.get();
    service.store.crypto.fail_next(Fault::Before);
    assert_eq!(check(&service, &one), not_known());
    let answer = service.get_with(&one, CHECK);
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    assert_eq!(asked(&service), 1, "it is left alone");

    service.now = at(FAILURE_BACKOFF);
    assert_eq!(check(&service, &one), taken());
    assert_eq!(check(&service, &one), taken());
    assert_eq!(asked(&service), 2);
    let unknown = || refused("the token is signed with a key that is not known here.");
    assert_eq!(check(&service, &two), unknown());
    assert_eq!(asked(&service), 2);

    // The issuer takes another key, and is out of reach.
    service.store.crypto.jwks.replace(jwks(&["two"]));
    service.now = at(FAILURE_BACKOFF + MIN_REFETCH_INTERVAL);
    service.store.crypto.fail_next(Fault::After);
    assert_eq!(check(&service, &two), not_known());
    assert_eq!(check(&service, &two), not_known());
    assert_eq!(check(&service, &one), taken(), "what was known goes on");
    assert_eq!(asked(&service), 3);
    service.now = at(FAILURE_BACKOFF + 2 * MIN_REFETCH_INTERVAL);
    assert_eq!(check(&service, &two), taken());
    assert_eq!(check(&service, &one), unknown(), "it is withdrawn");
    assert_eq!(asked(&service), 4);
}

#[test]
fn an_issuer_that_answers_nonsense_has_not_answered() {
    let mut service = with_tokens(&[]);
    let token = issued("one", &json!({ "exp": NOW.0 + 9_000 }));
    assert_eq!(check(&service, &token), taken());
    service.store.crypto.jwks.replace("<html>".to_owned());
    service.now = at(JWKS_TTL);
    assert_eq!(check(&service, &token), taken());
    let unheard_of = with_tokens(&[]);
    unheard_of.store.crypto.jwks.replace("<html>".to_owned());
    assert_eq!(check(&unheard_of, &token), not_known());
}

#[test]
fn each_key_that_may_have_signed_is_tried_and_no_other() {
    let service = with_tokens(&[]);
    service.store.crypto.jwks.replace(jwks(&["one", "two"]));
    let words = issuers_claims(&json!({})).to_string();
    let mismatch = || refused("the token's signature does not match.");
    for (why, token, expected) in [
        ("the second of two", issued_as("two", r#"{"alg":"ES256"}"#, &words), taken()),
        ("a third", issued_as("three", r#"{"alg":"ES256"}"#, &words), mismatch()),
        (
            "one by the other's name",
            issued_as("two", r#"{"alg":"ES256","kid":"one"}"#, &words),
            mismatch(),
        ),
        (
            "another algorithm than the key's",
            issued_as("one", r#"{"alg":"RS256","kid":"one"}"#, &words),
            refused("the token is signed with a key that is not known here."),
        ),
        (
            "a key that it brings along",
            issued_as(
                "three",
                &json!({ "alg": "ES256", "jwk": ec_key(&json!({ "kid": "three" })) }).to_string(),
                &words,
            ),
            mismatch(),
        ),
    ] {
        assert_eq!(check(&service, &token), expected, "{why}");
    }
    assert_eq!(service.store.crypto.calls.get(), 1);
}
