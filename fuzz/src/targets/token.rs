//! Tokens and keys. Lines: header, claims, signature, a JWK Set.
//!
//! `SIG0` and `SIG1` stand for the signatures with the secrets of the deployment, and in a header `KID0`
//! and `KID1` for the ids of the secrets. A first line that is not an object is a whole token.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use entgate::{
    id::{CustomerId, CustomerKey, Livemode, Timestamp},
    token::{JwksCache, Jws, PublicKey, SigningKey, jwks_cache::MAX_KEYS, jws::MAX_TOKEN_LEN},
};
use serde_json::{Map, Value, json};

use super::{
    hmac::hmac_sha256,
    json::{self, Rejection},
    lines::split_line,
    subject::{
        EXPIRY_LEEWAY, Expected, START_LEEWAY, TOKEN_SECRETS, token_secret_ids, validate_claims,
        verify_token,
    },
};
use crate::support::NOW;

/// What tokens must claim: our own, and those of an issuer.
const EXPECTED: [Expected; 2] = [
    Expected { issuer: None, audiences: &["entgate"], customer_claim: "sub", livemode: None },
    Expected {
        issuer: Some("https://login.example"),
        audiences: &[],
        customer_claim: "app.customer",
        livemode: Some(Livemode::Live),
    },
];

pub(crate) fn run(input: &[u8]) {
    let Some((header, rest)) = split_line(input) else { return };
    let Some((claims, rest)) = split_line(rest) else { return };
    let Some((signature, jwk_set)) = split_line(rest) else { return };
    let token = if header.starts_with('{') {
        let [kid0, kid1] = token_secret_ids();
        let header = header.replace("KID0", &kid0).replace("KID1", &kid1);
        compact(&header, claims, signature)
    } else {
        header.to_owned()
    };
    let keys = check_jwk_set(jwk_set);
    let jws = match (Jws::parse(&token), interpret_token(&token)) {
        (Ok(jws), Ok(expected)) => {
            let (algorithm, kid) = (jws.algorithm.name(), jws.kid.clone());
            assert_eq!((algorithm, kid, &jws.signature), expected.header(), "{token}");
            assert_eq!(verify_token(&jws).is_ok(), expected.is_signed(), "{token}");
            check_claims(&jws, &expected.claims);
            jws
        }
        (Ok(jws), Err(Rejection::Possible)) => jws,
        (Ok(jws), Err(Rejection::Certain)) => panic!("{token} is not valid: {jws:?}"),
        (Err(error), Ok(_)) => panic!("{token}: {error}"),
        (Err(_), Err(_)) => return,
    };
    check_candidates(&jws, jwk_set, &keys);
}

fn compact(header: &str, claims: &str, signature: &str) -> String {
    let encode = |part: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(part);
    let input = format!("{}.{}", encode(header.as_bytes()), encode(claims.as_bytes()));
    let secret = ["SIG0", "SIG1"].iter().position(|marker| *marker == signature);
    let signature = match secret {
        Some(index) => encode(&hmac_sha256(TOKEN_SECRETS[index].as_bytes(), input.as_bytes())),
        None => signature.to_owned(),
    };
    format!("{input}.{signature}")
}

/// A token, read by the reference.
struct Token {
    algorithm: &'static str,
    kid: Option<String>,
    input: String,
    signature: Vec<u8>,
    claims: Result<Map<String, Value>, Rejection>,
}

impl Token {
    fn header(&self) -> (&'static str, Option<String>, &Vec<u8>) {
        (self.algorithm, self.kid.clone(), &self.signature)
    }

    /// Whether a secret whose id may be that of the token signed it.
    fn is_signed(&self) -> bool {
        let secrets = token_secret_ids().into_iter().zip(TOKEN_SECRETS);
        let mut candidates =
            secrets.filter(|(id, _)| self.kid.as_ref().is_none_or(|kid| kid == id));
        candidates.any(|(_, secret)| {
            hmac_sha256(secret.as_bytes(), self.input.as_bytes())[..] == self.signature
        })
    }
}

fn interpret_token(token: &str) -> Result<Token, Rejection> {
    let invalid = Rejection::Certain;
    let parts: Vec<_> = token.split('.').collect();
    let [header, claims, signature] = parts[..] else { return Err(invalid) };
    let signature = decode_base64url(signature).ok_or(invalid)?;
    if token.len() > MAX_TOKEN_LEN {
        return Err(invalid);
    }
    let claims_json = decode_base64url(claims).ok_or(invalid);
    let header_object = object(&decode_base64url(header).ok_or(invalid)?)?;
    let string = |name: &str| match header_object.get(name) {
        None => Ok(None),
        Some(Value::String(string)) => Ok(Some(string.as_str())),
        Some(_) => Err(invalid),
    };
    let algorithm = match string("alg")?.ok_or(invalid)? {
        "HS256" => "HS256",
        "RS256" => "RS256",
        "ES256" => "ES256",
        "EdDSA" => "EdDSA",
        // RFC 9864: a second name of EdDSA, which need not be supported.
        "Ed25519" => return Err(Rejection::Possible),
        _ => return Err(invalid),
    };
    let kid = string("kid")?.map(str::to_owned);
    let typ = string("typ")?.map(str::to_ascii_lowercase);
    let typ_matches =
        typ.is_none_or(|typ| ["jwt", "at+jwt", "application/at+jwt"].contains(&&*typ));
    if !typ_matches || header_object.contains_key("crit") {
        return Err(invalid);
    }
    let claims = claims_json.and_then(|json| object(&json));
    let input = token.rsplit_once('.').map(|(input, _)| input.to_owned()).unwrap_or_default();
    Ok(Token { algorithm, kid, input, signature, claims })
}

/// An object in which no two members have one name.
fn object(document: &[u8]) -> Result<Map<String, Value>, Rejection> {
    match json::parse(document)? {
        value if json::has_duplicate_members(document, &value) => Err(Rejection::Certain),
        Value::Object(members) => Ok(members),
        _ => Err(Rejection::Certain),
    }
}

fn check_claims(jws: &Jws<'_>, claims: &Result<Map<String, Value>, Rejection>) {
    for expected in EXPECTED {
        let validated = validate_claims(jws, expected, NOW);
        match (&validated, claims) {
            (_, Err(Rejection::Possible)) | (Err(_), Err(Rejection::Certain)) => {}
            (Ok(_), Err(Rejection::Certain)) => panic!("not an object: {validated:?}"),
            (_, Ok(claims)) => {
                let subject = interpret_claims(claims, expected);
                assert_eq!(validated.as_ref().ok(), subject.as_ref(), "{validated:?} {claims:?}");
            }
        }
    }
}

/// The customer of a token, and until when it is accepted. `None` if it is not accepted.
fn interpret_claims(
    claims: &Map<String, Value>,
    expected: Expected,
) -> Option<(CustomerKey, Timestamp)> {
    let until = date(claims.get("exp")?)?.saturating_add(EXPIRY_LEEWAY);
    let has_begun = ["nbf", "iat"].iter().all(|name| match claims.get(*name) {
        None => true,
        Some(from) => date(from).is_some_and(|from| from.saturating_sub(START_LEEWAY) <= NOW.0),
    });
    let audiences: Option<Vec<_>> = match claims.get("aud") {
        Some(Value::Array(items)) => Some(items.iter().map(Value::as_str).collect::<Option<_>>()?),
        Some(audience) => Some(vec![audience.as_str()?]),
        None => None,
    };
    let is_for_us = match audiences {
        None => expected.audiences.is_empty(),
        Some(audiences) => audiences.iter().any(|one| expected.audiences.contains(one)),
    };
    let is_from_issuer = match expected.issuer {
        None => true,
        Some(issuer) => claims.get("iss").is_some_and(|iss| iss == issuer),
    };
    let whole = claims.get(expected.customer_claim);
    let customer = whole.or_else(|| {
        let (parent, name) = expected.customer_claim.split_once('.')?;
        claims.get(parent)?.as_object()?.get(name)
    })?;
    let id = CustomerId::try_from(customer.as_str()?).ok()?;
    let livemode = match expected.livemode {
        Some(livemode) => livemode,
        None => Livemode::from(claims.get("livemode")?.as_bool()?),
    };
    let is_accepted = NOW.0 < until && has_begun && is_for_us && is_from_issuer;
    is_accepted.then_some((CustomerKey { livemode, id }, Timestamp(until)))
}

/// Seconds without their fraction, limited to those of a timestamp.
#[expect(clippy::cast_possible_truncation, reason = "a float saturates as an integer")]
fn date(value: &Value) -> Option<i64> {
    let number = value.as_number()?;
    number.as_i64().or_else(|| number.as_f64().map(|seconds| seconds.floor() as i64))
}

/// A key, read by the reference.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Key {
    algorithm: &'static str,
    kid: Option<String>,
    members: Value,
}

/// Checks each key of a set, and returns the valid ones.
fn check_jwk_set(document: &[u8]) -> Vec<Key> {
    let value = json::parse(document).unwrap_or_default();
    let keys = value.get("keys").and_then(Value::as_array);
    let mut valid = Vec::new();
    for jwk in keys.into_iter().flatten().chain([&value]) {
        let key = interpret_key(jwk);
        let parsed = PublicKey::from_jwk(jwk);
        assert_eq!(parsed.as_ref().map(to_key), key, "{jwk}");
        check_signing_key(jwk, key.as_ref());
        if let (Some(parsed), Some(key)) = (parsed, key) {
            let again = PublicKey::from_jwk(&parsed.to_jwk());
            let without_kid = Key { kid: None, ..key.clone() };
            assert_eq!(again.as_ref().map(to_key), Some(without_kid), "{jwk}");
            valid.push(key);
        }
    }
    // The document itself is not one of its keys.
    if interpret_key(&value).is_some() {
        valid.pop();
    }
    valid
}

fn to_key(key: &PublicKey) -> Key {
    Key { algorithm: key.algorithm.name(), kid: key.kid.clone(), members: key.to_jwk() }
}

fn interpret_key(jwk: &Value) -> Option<Key> {
    let string = |name: &str| jwk.get(name).and_then(Value::as_str);
    let bytes = |name: &str| decode_base64url(string(name)?);
    let is_coordinate = |name: &str| bytes(name).is_some_and(|bytes| bytes.len() == 32);
    let (is_valid, algorithms, names): (_, &[&'static str], &[&str]) =
        match (string("kty")?, string("crv")) {
            ("RSA", _) => {
                let modulus = bytes("n")?;
                let bits = modulus.iter().flat_map(|byte| bits(usize::from(*byte), 8));
                let len = bits.skip_while(|bit| !bit).count();
                let is_valid = bytes("e").is_some() && (2_048..=8_192).contains(&len);
                (is_valid, &["RS256"], &["kty", "n", "e"])
            }
            ("EC", Some("P-256")) => {
                let is_valid = is_coordinate("x") && is_coordinate("y");
                (is_valid, &["ES256"], &["kty", "crv", "x", "y"])
            }
            // RFC 9864: a second name of EdDSA.
            ("OKP", Some("Ed25519")) => {
                (is_coordinate("x"), &["EdDSA", "Ed25519"], &["kty", "crv", "x"])
            }
            _ => return None,
        };
    let alg_matches = jwk.get("alg").is_none_or(|alg| algorithms.iter().any(|name| alg == name));
    let use_matches = jwk.get("use").is_none_or(|r#use| r#use == "sig");
    let ops_match = jwk.get("key_ops").is_none_or(|ops| {
        let ops = ops.as_array();
        ops.is_some_and(|ops| ops.contains(&json!("verify")) || ops.contains(&json!("sign")))
    });
    let members = names.iter().map(|name| ((*name).to_owned(), jwk[*name].clone()));
    let key = Key {
        algorithm: algorithms[0],
        kid: string("kid").map(str::to_owned),
        members: members.collect::<Map<_, _>>().into(),
    };
    (is_valid && alg_matches && use_matches && ops_match).then_some(key)
}

fn check_signing_key(jwk: &Value, public: Option<&Key>) {
    let public = public.filter(|key| key.algorithm == "EdDSA");
    let private = jwk
        .get("d")
        .map(|d| d.as_str().filter(|d| decode_base64url(d).is_some_and(|bytes| bytes.len() == 32)));
    let key = SigningKey::from_jwk(jwk);
    let is_valid = public.is_some() && private != Some(None);
    assert_eq!(key.is_some(), is_valid, "{jwk}");
    let Some(key) = key else { return };
    let private = private.flatten();
    assert_eq!(key.can_sign(), private.is_some(), "{jwk}");
    let exposed = key.expose_private_jwk();
    assert_eq!(exposed.as_ref().map(|jwk| &jwk["d"]), private.map(|_| &jwk["d"]));
    let published = key.to_public_jwk();
    assert_eq!(published.get("d"), None);
    assert_eq!((&published["kid"], &published["x"]), (&json!(key.kid()), &jwk["x"]));
    if let Some(kid) = public.and_then(|public| public.kid.as_deref()) {
        assert_eq!(key.kid(), kid);
    }
}

/// A JWK Set gives a token the keys of its algorithm whose `kid` is that of the token, or is absent.
fn check_candidates(jws: &Jws<'_>, jwk_set: &[u8], keys: &[Key]) {
    let is_ambiguous = match json::parse(jwk_set) {
        Ok(value) => json::has_duplicate_members(jwk_set, &value),
        Err(rejection) => rejection == Rejection::Possible,
    };
    if is_ambiguous {
        return;
    }
    let cache = JwksCache::default();
    let stored = cache.store(jwk_set, NOW);
    assert_eq!(stored.is_ok(), !keys.is_empty(), "{stored:?}");
    let may_sign = |key: &&Key| {
        let has_other_kid = matches!((&key.kid, &jws.kid), (Some(a), Some(b)) if a != b);
        key.algorithm == jws.algorithm.name() && !has_other_kid
    };
    let expected: Vec<_> = keys.iter().take(MAX_KEYS).filter(may_sign).cloned().collect();
    let candidates: Vec<_> = cache.cached_keys(jws).iter().map(to_key).collect();
    assert_eq!(candidates, expected);
}

/// Decodes base64url without padding: six bits a character. The bits after the last byte must be zero.
fn decode_base64url(encoded: &str) -> Option<Vec<u8>> {
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut decoded = Vec::new();
    for character in encoded.chars() {
        decoded.extend(bits(alphabet.find(character)?, 6));
    }
    let (bytes, rest) = decoded.split_at_checked(decoded.len() / 8 * 8)?;
    if rest.len() >= 6 || rest.contains(&true) {
        return None;
    }
    let to_byte = |bits: &[bool]| bits.iter().fold(0, |byte, bit| byte << 1 | u8::from(*bit));
    Some(bytes.chunks(8).map(to_byte).collect())
}

/// The lowest bits of a number, the highest of them first.
fn bits(number: usize, count: u32) -> impl Iterator<Item = bool> {
    (0..count).rev().map(move |bit| number >> bit & 1 == 1)
}
