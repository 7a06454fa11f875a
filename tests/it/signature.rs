//! Signature verification, with headers that Stripe's own library created.

use entgate::{
    id::Timestamp,
    webhook::signature::{Error, MAX_HEADER_LEN, SigningSecret, verify},
};
use serde_json::Value;

use crate::support::{SECRET, test_endpoint, v1};

const SIGNED: i64 = 1_700_000_000;

#[track_caller]
fn verify_at(header: &str, body: &str, secrets: &[&str], now: i64) -> Result<(), Error> {
    let secrets: Vec<_> = secrets.iter().map(|secret| test_endpoint(secret)).collect();
    verify(header, body.as_bytes(), &secrets, Timestamp(now)).map(drop)
}

fn stale(now: i64) -> Result<(), Error> {
    Err(Error::Stale { signed_at: Timestamp(SIGNED), now: Timestamp(now) })
}

#[test]
fn signatures_of_stripes_library_match_and_one_more_byte_makes_them_fail() {
    let vectors: Value = serde_json::from_str(include_str!("../fixtures/signatures.json")).unwrap();
    let now = Timestamp(vectors["timestamp"].as_i64().unwrap());
    for vector in vectors["vectors"].as_array().unwrap() {
        let why = vector["why"].as_str().unwrap();
        let header = vector["header"].as_str().unwrap();
        let secrets = [test_endpoint(vector["secret"].as_str().unwrap())];
        let mut body = hex::decode(vector["body"].as_str().unwrap()).unwrap();

        let verified = verify(header, &body, &secrets, now).map(|verified| verified.body().len());
        assert_eq!(verified, Ok(body.len()), "{why}");

        body.push(b' ');
        assert_eq!(verify(header, &body, &secrets, now).err(), Some(Error::Mismatch), "{why}");
    }
}

#[test]
fn each_kind_of_invalid_header_has_its_own_error() {
    let signature = v1("{}", SECRET, Timestamp(SIGNED));
    let good = format!("t={SIGNED},v1={signature}");
    let other = v1("{}", "whsec_other", Timestamp(SIGNED));
    let upper = signature.to_uppercase();
    let long = format!("{good},x={}", "y".repeat(MAX_HEADER_LEN - good.len() - 3));
    let malformed = Err(Error::Malformed);
    let mismatch = Err(Error::Mismatch);
    for (why, header, now, expected) in [
        ("as Stripe sends it", good.clone(), SIGNED, Ok(())),
        ("the last second of the tolerance", good.clone(), SIGNED + 300, Ok(())),
        ("one second too old", good.clone(), SIGNED + 301, stale(SIGNED + 301)),
        ("the last second of the tolerance, in the future", good.clone(), SIGNED - 300, Ok(())),
        ("one second too early", good.clone(), SIGNED - 301, stale(SIGNED - 301)),
        ("the last timestamp", good.clone(), i64::MAX, stale(i64::MAX)),
        ("the first timestamp", good.clone(), i64::MIN, stale(i64::MIN)),
        (
            "a second signature, with our secret",
            format!("t={SIGNED},v1={other},v1={signature}"),
            SIGNED,
            Ok(()),
        ),
        (
            "an additional decoy scheme",
            format!("{good},v0=6ffbb59b2300aae63f27240606"),
            SIGNED,
            Ok(()),
        ),
        ("a trailing comma", format!("{good},"), SIGNED, Ok(())),
        ("elements in another order", format!("v1={signature},t={SIGNED}"), SIGNED, Ok(())),
        ("the same timestamp twice", format!("t={SIGNED},{good}"), SIGNED, Ok(())),
        ("a header of the maximum length", long.clone(), SIGNED, Ok(())),
        ("one byte longer", format!("{long}y"), SIGNED, malformed.clone()),
        ("two different timestamps", format!("t=1,{good}"), SIGNED, malformed.clone()),
        ("no header", String::new(), SIGNED, malformed.clone()),
        ("no timestamp", format!("v1={signature}"), SIGNED, malformed.clone()),
        ("no signature", format!("t={SIGNED}"), SIGNED, malformed.clone()),
        ("only the decoy", format!("t={SIGNED},v0={signature}"), SIGNED, malformed.clone()),
        (
            "a fraction of a second",
            format!("t={SIGNED}.0,v1={signature}"),
            SIGNED,
            malformed.clone(),
        ),
        (
            "a timestamp with a sign",
            format!("t=+{SIGNED},v1={signature}"),
            SIGNED,
            malformed.clone(),
        ),
        ("an empty timestamp", format!("t=,v1={signature}"), SIGNED, malformed.clone()),
        (
            "a timestamp that is too large",
            format!("t=9{SIGNED}0000000000,v1={signature}"),
            SIGNED,
            malformed,
        ),
        ("upper-case hex", format!("t={SIGNED},v1={upper}"), SIGNED, mismatch.clone()),
        (
            "half a signature",
            format!("t={SIGNED},v1={}", &signature[..32]),
            SIGNED,
            mismatch.clone(),
        ),
        ("a signature with a suffix", format!("{good}00"), SIGNED, mismatch.clone()),
        (
            "a signature that is not hex",
            format!("t={SIGNED},v1={}", "é".repeat(32)),
            SIGNED,
            mismatch.clone(),
        ),
        ("an empty signature", format!("t={SIGNED},v1="), SIGNED, mismatch.clone()),
        (
            "another timestamp than the signed one",
            format!("t={},v1={signature}", SIGNED + 1),
            SIGNED,
            mismatch.clone(),
        ),
        ("another secret", format!("t={SIGNED},v1={other}"), SIGNED, mismatch),
    ] {
        assert_eq!(verify_at(&header, "{}", &[SECRET], now), expected, "{why}");
    }
}

#[test]
fn any_secret_may_match_and_without_secrets_none_does() {
    let header = format!("t={SIGNED},v1={}", v1("{}", SECRET, Timestamp(SIGNED)));
    assert_eq!(verify_at(&header, "{}", &["whsec_other", SECRET], SIGNED), Ok(()));
    assert_eq!(verify_at(&header, "{}", &[], SIGNED), Err(Error::Mismatch));
}

#[test]
fn a_secret_is_not_empty_and_is_not_in_debug_output() {
    assert!(SigningSecret::new("").is_none());
    assert_eq!(format!("{:?}", SigningSecret::new(SECRET)), "Some(SigningSecret(…))");
}

proptest::proptest! {
    #[test]
    fn random_headers_and_bodies_fail_without_a_panic(header in ".*", body: Vec<u8>, now: i64) {
        let secrets = [test_endpoint(SECRET)];
        let outcome = verify(&header, &body, &secrets, Timestamp(now)).map(drop);
        proptest::prop_assert!(outcome.is_err());
    }
}
