//! Verification, against headers that Stripe's own library made.

use entgate::{
    id::Timestamp,
    webhook::signature::{Error, MAX_HEADER_LEN, SigningSecret, verify},
};
use serde_json::Value;

use crate::support::{SECRET, v1};

const SIGNED: i64 = 1_700_000_000;

#[track_caller]
fn outcome(header: &str, body: &str, secrets: &[&str], now: i64) -> Result<(), Error> {
    let secrets: Vec<_> = secrets.iter().map(|text| SigningSecret::new(text).unwrap()).collect();
    verify(header, body.as_bytes(), &secrets, Timestamp(now)).map(drop)
}

fn stale(now: i64) -> Result<(), Error> {
    Err(Error::Stale { signed_at: Timestamp(SIGNED), now: Timestamp(now) })
}

#[test]
fn what_stripes_library_signs_is_genuine_and_one_changed_byte_is_not() {
    let vectors: Value = serde_json::from_str(include_str!("../fixtures/signatures.json")).unwrap();
    let now = Timestamp(vectors["timestamp"].as_i64().unwrap());
    for vector in vectors["vectors"].as_array().unwrap() {
        let why = vector["why"].as_str().unwrap();
        let header = vector["header"].as_str().unwrap();
        let secrets = [SigningSecret::new(vector["secret"].as_str().unwrap()).unwrap()];
        let mut body = hex::decode(vector["body"].as_str().unwrap()).unwrap();

        let verified = verify(header, &body, &secrets, now).map(|verified| verified.body().len());
        assert_eq!(verified, Ok(body.len()), "{why}");

        body.push(b' ');
        assert_eq!(verify(header, &body, &secrets, now).err(), Some(Error::Mismatch), "{why}");
    }
}

#[test]
fn each_way_to_be_wrong_has_its_own_error() {
    let genuine = v1("{}", SECRET, Timestamp(SIGNED));
    let good = format!("t={SIGNED},v1={genuine}");
    let other = v1("{}", "whsec_other", Timestamp(SIGNED));
    let upper = genuine.to_uppercase();
    let long = format!("{good},x={}", "y".repeat(MAX_HEADER_LEN - good.len() - 3));
    let malformed = Err(Error::Malformed);
    let mismatch = Err(Error::Mismatch);
    for (why, header, now, expected) in [
        ("as Stripe sends it", good.clone(), SIGNED, Ok(())),
        ("the last second it is fresh", good.clone(), SIGNED + 300, Ok(())),
        ("one second too old", good.clone(), SIGNED + 301, stale(SIGNED + 301)),
        ("the last second of the future", good.clone(), SIGNED - 300, Ok(())),
        ("one second too early", good.clone(), SIGNED - 301, stale(SIGNED - 301)),
        ("the end of time", good.clone(), i64::MAX, stale(i64::MAX)),
        ("the beginning of time", good.clone(), i64::MIN, stale(i64::MIN)),
        ("a second signature, ours", format!("t={SIGNED},v1={other},v1={genuine}"), SIGNED, Ok(())),
        ("a decoy scheme beside", format!("{good},v0=6ffbb59b2300aae63f27240606"), SIGNED, Ok(())),
        ("a trailing comma", format!("{good},"), SIGNED, Ok(())),
        ("elements in another order", format!("v1={genuine},t={SIGNED}"), SIGNED, Ok(())),
        ("the same time twice", format!("t={SIGNED},{good}"), SIGNED, Ok(())),
        ("as long as a header may be", long.clone(), SIGNED, Ok(())),
        ("one byte longer", format!("{long}y"), SIGNED, malformed.clone()),
        ("two different times", format!("t=1,{good}"), SIGNED, malformed.clone()),
        ("no header", String::new(), SIGNED, malformed.clone()),
        ("no time", format!("v1={genuine}"), SIGNED, malformed.clone()),
        ("no signature", format!("t={SIGNED}"), SIGNED, malformed.clone()),
        ("only the decoy", format!("t={SIGNED},v0={genuine}"), SIGNED, malformed.clone()),
        ("a fraction of a second", format!("t={SIGNED}.0,v1={genuine}"), SIGNED, malformed.clone()),
        ("a signed time", format!("t=+{SIGNED},v1={genuine}"), SIGNED, malformed.clone()),
        ("an empty time", format!("t=,v1={genuine}"), SIGNED, malformed.clone()),
        (
            "more seconds than there are",
            format!("t=9{SIGNED}0000000000,v1={genuine}"),
            SIGNED,
            malformed,
        ),
        ("upper-case hex", format!("t={SIGNED},v1={upper}"), SIGNED, mismatch.clone()),
        ("half a signature", format!("t={SIGNED},v1={}", &genuine[..32]), SIGNED, mismatch.clone()),
        ("a signature and more", format!("{good}00"), SIGNED, mismatch.clone()),
        ("no hex", format!("t={SIGNED},v1={}", "é".repeat(32)), SIGNED, mismatch.clone()),
        ("an empty signature", format!("t={SIGNED},v1="), SIGNED, mismatch.clone()),
        (
            "another time than was signed",
            format!("t={},v1={genuine}", SIGNED + 1),
            SIGNED,
            mismatch.clone(),
        ),
        ("another secret", format!("t={SIGNED},v1={other}"), SIGNED, mismatch),
    ] {
        assert_eq!(outcome(&header, "{}", &[SECRET], now), expected, "{why}");
    }
}

#[test]
fn any_of_our_secrets_will_do_and_none_is_none() {
    let header = format!("t={SIGNED},v1={}", v1("{}", SECRET, Timestamp(SIGNED)));
    assert_eq!(outcome(&header, "{}", &["whsec_other", SECRET], SIGNED), Ok(()));
    assert_eq!(outcome(&header, "{}", &[], SIGNED), Err(Error::Mismatch));
}

#[test]
fn a_secret_is_never_empty_and_never_printed() {
    assert!(SigningSecret::new("").is_none());
    assert_eq!(format!("{:?}", SigningSecret::new(SECRET)), "Some(SigningSecret(…))");
}

proptest::proptest! {
    #[test]
    fn no_header_and_no_body_makes_it_panic(header in ".*", body: Vec<u8>, now: i64) {
        let secrets = [SigningSecret::new(SECRET).unwrap()];
        let outcome = verify(&header, &body, &secrets, Timestamp(now)).map(drop);
        proptest::prop_assert!(outcome.is_err());
    }
}
