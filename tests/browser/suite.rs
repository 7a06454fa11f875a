//! The core in wasm, run by a JavaScript engine: `node.rs` in Node, `chrome.rs` in a browser.

use entgate::{
    browser,
    entitlement::{Completeness, Entitlements, SourceSet, SummaryPage, Version},
    gate::{self, ed25519},
    id::{Livemode, Timestamp},
    ledger::{self, Dedup, SetUpdate},
    policy::{GrantRule, SourcePolicy},
    store::record,
    webhook::{
        signature::{self, EndpointSecret, Error, SigningSecret, TOLERANCE},
        stripe::{self, Incoming},
    },
};
use serde_json::Value;
use wasm_bindgen_test::wasm_bindgen_test;

#[wasm_bindgen_test]
fn signatures_of_stripes_library_are_valid_for_300_seconds() {
    let vectors: Value = serde_json::from_str(include_str!("../fixtures/signatures.json")).unwrap();
    let signed_at = vectors["timestamp"].as_i64().unwrap();
    let limit = i64::try_from(TOLERANCE).unwrap();
    for vector in vectors["vectors"].as_array().unwrap() {
        let header = vector["header"].as_str().unwrap();
        let secrets = [endpoint_secret(vector)];
        let body = hex::decode(vector["body"].as_str().unwrap()).unwrap();
        let outcome =
            |body: &[u8], now| signature::verify(header, body, &secrets, Timestamp(now)).map(drop);
        assert_eq!(outcome(&body, signed_at + limit), Ok(()));
        let (signed_at, now) = (Timestamp(signed_at), Timestamp(signed_at + limit + 1));
        assert_eq!(outcome(&body, now.0), Err(Error::Stale { signed_at, now }));
        assert_eq!(outcome(&[&body[..], b"x"].concat(), signed_at.0), Err(Error::Mismatch));
    }
}

fn endpoint_secret(vector: &Value) -> EndpointSecret {
    let secret = SigningSecret::new(vector["secret"].as_str().unwrap()).unwrap();
    EndpointSecret { livemode: Livemode::Test, secret }
}

#[wasm_bindgen_test]
fn a_summary_is_signed_verified_parsed_applied_encoded_and_decoded() {
    let vectors: Value = serde_json::from_str(include_str!("../fixtures/signatures.json")).unwrap();
    let vector = &vectors["vectors"][0];
    let body = hex::decode(vector["body"].as_str().unwrap()).unwrap();
    let secrets = [endpoint_secret(vector)];
    // The event was created after the time of the vectors, and an event is created before it is signed.
    let as_of = Timestamp(1_706_111_369);
    let header = signature::sign(&body, secrets.iter().map(|it| it.secret.clone()), as_of);
    let verified = signature::verify(&header, &body, &secrets, as_of).unwrap();
    let Ok(Incoming::Summary(summary)) = stripe::parse(verified, GrantRule::Keep) else {
        panic!("no summary")
    };
    let Ok(SetUpdate::Changed(set)) =
        ledger::apply(None, Dedup::New, &summary, SourcePolicy::default())
    else {
        panic!("nothing changed")
    };
    let Some(SummaryPage::Complete(data)) = summary.page else { panic!("not complete") };
    let expected = SourceSet {
        as_of,
        completeness: Completeness::Complete,
        policy: SourcePolicy::default(),
        data,
    };
    assert_eq!(set, expected);
    let record = Entitlements { version: Version(1), source: Some(set), ..Entitlements::default() };
    assert_eq!(record::decode(&record::encode(&record).unwrap()), Ok(record));
}

#[wasm_bindgen_test]
fn replay_returns_the_lines_of_the_vectors() {
    let vectors: Value = serde_json::from_str(include_str!("../fixtures/gate.json")).unwrap();
    for vector in vectors["replays"].as_array().unwrap() {
        let mut buffer = vector["messages"].as_str().unwrap().as_bytes().to_vec();
        let lines =
            gate::replay(&mut buffer).map(|length| String::from_utf8_lossy(&buffer[..length]));
        assert_eq!(lines.as_deref(), vector["lines"].as_str(), "{}", vector["why"]);
    }
}

#[wasm_bindgen_test]
fn an_empty_buffer_and_lengths_beyond_it_give_no_set_and_no_decision() {
    assert!(!browser::buffer_ptr().is_null());
    assert_eq!(browser::load(0), 0);
    assert_eq!(browser::load(browser::BUFFER_LEN + 1), 0);
    assert_eq!(browser::check(0, 0, 0.0), 3);
    assert_eq!(browser::check(browser::BUFFER_LEN, 1, f64::NAN), 3);
    assert!(!browser::verify(usize::MAX));
}

/// <https://www.rfc-editor.org/rfc/rfc8032#section-7.1>, its first test.
#[wasm_bindgen_test]
fn a_signature_of_the_rfc_is_valid() {
    let bytes = |hex: &str| hex::decode(hex).unwrap();
    let key = bytes("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
    let signature = bytes(
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155\
         5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    );
    let (key, signature) = (key.first_chunk().unwrap(), signature.first_chunk().unwrap());
    assert!(ed25519::verify(key, b"", signature));
    assert!(!ed25519::verify(key, b"x", signature));
}
