//! The core in wasm: the same rules, run by a JavaScript engine. `node.rs` and `chrome.rs` say which.

use entgate::{
    browser::Gate,
    entitlement::{Coverage, Entitlements, Page, Paused, Version},
    id::Timestamp,
    ledger::{self, Outcome, Sighting},
    store::record,
    webhook::{
        signature::{self, Error, Secret, TOLERANCE},
        stripe::{self, Incoming},
    },
};
use serde_json::Value;
use wasm_bindgen_test::wasm_bindgen_test;

const LIST: &str = r#"{"object":"list","data":[
    {"id":"ent_1","object":"entitlements.active_entitlement","feature":"feat_1","livemode":false,"lookup_key":"sms"}
],"has_more":false,"url":"/v1/entitlements/active_entitlements"}"#;

#[wasm_bindgen_test]
fn what_stripes_library_signs_is_genuine_for_300_seconds() {
    let vectors: Value = serde_json::from_str(include_str!("../fixtures/signatures.json")).unwrap();
    let signed_at = vectors["timestamp"].as_i64().unwrap();
    let limit = i64::try_from(TOLERANCE).unwrap();
    for vector in vectors["vectors"].as_array().unwrap() {
        let header = vector["header"].as_str().unwrap();
        let secrets = [Secret::new(vector["secret"].as_str().unwrap()).unwrap()];
        let body = hex::decode(vector["body"].as_str().unwrap()).unwrap();
        let outcome =
            |body: &[u8], now| signature::verify(header, body, &secrets, Timestamp(now)).map(drop);
        assert_eq!(outcome(&body, signed_at + limit), Ok(()));
        let (signed_at, now) = (Timestamp(signed_at), Timestamp(signed_at + limit + 1));
        assert_eq!(outcome(&body, now.0), Err(Error::Stale { signed_at, now }));
        assert_eq!(outcome(&[&body[..], b"x"].concat(), signed_at.0), Err(Error::Mismatch));
    }
}

#[wasm_bindgen_test]
fn a_summary_goes_from_the_signed_body_into_the_stored_form_and_back() {
    let vectors: Value = serde_json::from_str(include_str!("../fixtures/signatures.json")).unwrap();
    let vector = &vectors["vectors"][0];
    let body = hex::decode(vector["body"].as_str().unwrap()).unwrap();
    let secrets = [Secret::new(vector["secret"].as_str().unwrap()).unwrap()];
    let now = Timestamp(vectors["timestamp"].as_i64().unwrap());
    let verified =
        signature::verify(vector["header"].as_str().unwrap(), &body, &secrets, now).unwrap();
    let Ok(Incoming::Summary(summary)) = stripe::parse(verified, Paused::Keep) else {
        panic!("no summary")
    };
    let Ok(Outcome::Changed(set)) = ledger::apply(None, Sighting::First, &summary) else {
        panic!("nothing changed")
    };
    let Some(Page::Whole(data)) = summary.page else { panic!("not the whole") };
    let (version, as_of) = (Version(1), Timestamp(1_706_111_369));
    let expected = Entitlements { version, as_of, coverage: Coverage::Whole, data };
    assert_eq!(set, expected);
    assert_eq!(record::read(&record::write(&set).unwrap()), Ok(set));
}

#[wasm_bindgen_test]
fn a_gate_answers_yes_no_and_not_known() {
    let gate = Gate::new(LIST).unwrap();
    assert_eq!(gate.has("sms"), Some(true));
    assert_eq!(gate.has("sso"), Some(false));
    assert_eq!(gate.has(""), Some(false));
    assert_eq!(gate.list(), ["sms"]);

    let page = LIST.replace(r#""has_more":false"#, r#""has_more":true"#);
    let gate = Gate::new(&page).unwrap();
    assert_eq!((gate.has("sms"), gate.has("sso")), (Some(true), None));
}

#[wasm_bindgen_test]
fn what_is_no_list_makes_no_gate() {
    for text in ["", "{}", "[]", r#"{"data":[],"has_more":"no"}"#] {
        assert!(Gate::new(text).is_err(), "{text}");
    }
}
