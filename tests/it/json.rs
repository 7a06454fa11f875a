//! Types in JSON: [`json_type!`] and the decoding of what it declares.
//!
//! What must not compile is in the documentation of the macro.

mod declared_types;
mod strict_documents;

use std::collections::BTreeMap;

use entgate::json::{Error, from_slice, json_type};
use serde::{Deserialize, Serialize};

json_type! {
    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    struct Sample {
        r#type: SampleKind,
        count: u32,
        note: Option<String>,
        pairs: Vec<(String, i64)>,
        notes: BTreeMap<String, String>,
        time: SampleTime,
    }

    #[derive(Debug, Default, Deserialize, PartialEq, Serialize)]
    enum SampleKind {
        #[default]
        Large = "large",
        /// A name that no convention derives.
        Small = "very small",
        Number(u64) = "number",
        Range { first: u16, last: Option<u16> } = "range",
    }

    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    struct SampleTime(i64);
}

const SAMPLE: &str = concat!(
    r#"{"type":"very small","count":4294967295,"note":null,"#,
    r#""pairs":[["a",-1]],"notes":{"b":"c"},"time":-7}"#
);

#[test]
fn the_encoding_is_that_of_serde() {
    for kind in ["\"large\"", r#"{"number":7}"#, r#"{"range":{"first":1,"last":null}}"#] {
        let json = SAMPLE.replace("\"very small\"", kind);
        let sample: Sample = serde_json::from_str(&json).unwrap();
        assert_eq!(serde_json::to_string(&sample).unwrap(), json);
        assert_eq!(from_slice(json.as_bytes()), Ok(sample));
    }
    assert_eq!(SampleKind::default(), SampleKind::Large);
}

#[test]
fn an_extra_field_is_ignored_and_a_missing_optional_field_is_none() {
    let changed = SAMPLE.replace(r#""note":null"#, r#""more":[{}]"#);
    assert_eq!(from_slice::<Sample>(changed.as_bytes()), from_slice(SAMPLE.as_bytes()));
}

#[test]
fn escapes_in_names_and_strings_are_decoded() {
    let escaped =
        SAMPLE.replace(r#""time""#, r#""\u0074ime""#).replace("very small", r"very\u0020small");
    assert_eq!(from_slice::<Sample>(escaped.as_bytes()), from_slice(SAMPLE.as_bytes()));
    let notes = SAMPLE.replace(r#"{"b":"c"}"#, r#"{"\"b\n":"\ud83d\ude00","é":"\\"}"#);
    let Sample { notes, .. } = from_slice(notes.as_bytes()).unwrap();
    let expected = [("\"b\n".to_owned(), "😀".to_owned()), ("é".to_owned(), "\\".to_owned())];
    assert_eq!(notes, BTreeMap::from(expected));
}

#[test]
fn the_last_of_two_members_of_one_name_counts() {
    for (from, to) in [
        (r#""time":-7"#, r#""time":"no number","time":-7"#),
        (r#"{"b":"c"}"#, r#"{"b":"no","b":"c"}"#),
    ] {
        let doubled = SAMPLE.replace(from, to);
        assert_eq!(from_slice::<Sample>(doubled.as_bytes()), from_slice(SAMPLE.as_bytes()), "{to}");
    }
    let doubled = br#"{"a":1,"b":[{"c":null,"c":1.5}],"a":-2}"#;
    let value: serde_json::Value = from_slice(doubled).unwrap();
    assert_eq!(value.to_string(), r#"{"a":-2,"b":[{"c":1.5}]}"#);
    assert_eq!(value, serde_json::from_slice::<serde_json::Value>(doubled).unwrap());
}

#[test]
fn a_document_of_127_levels_is_decoded_and_one_more_is_an_error() {
    let nested = |levels| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert!(from_slice::<serde_json::Value>(nested(127).as_bytes()).is_ok());
    let error = from_slice::<serde_json::Value>(nested(128).as_bytes()).unwrap_err();
    assert_eq!(error.to_string(), "recursion limit exceeded at line 1 column 128");
}

#[test]
fn a_field_of_the_wrong_type_is_named_and_fails_the_whole_value() {
    for (from, to, member) in [
        (SAMPLE, "[]", ""),
        (r#""very small""#, r#""small""#, "type"),
        (r#""very small""#, "7", "type"),
        (r#""very small""#, r#"{"number":-1}"#, "type"),
        (r#""very small""#, r#"{"number":1,"large":null}"#, "type"),
        (r#""very small""#, r#"{"range":7}"#, "type"),
        (r#""very small""#, r#"{"range":{}}"#, "first"),
        ("4294967295", "4294967296", "count"),
        ("4294967295", "1.0", "count"),
        (r#""count":4294967295,"#, "", "count"),
        ("null", "1", "note"),
        (r#"["a",-1]"#, r#"["a"]"#, "pairs"),
        (r#"["a",-1]"#, r#"["a",-1,0]"#, "pairs"),
        (r#""c""#, "null", "notes"),
        ("-7", "\"-7\"", "time"),
    ] {
        let changed = SAMPLE.replace(from, to);
        assert_eq!(
            from_slice::<Sample>(changed.as_bytes()),
            Err(Error::WrongType(member)),
            "{changed}"
        );
    }
    let truncated = SAMPLE.trim_end_matches('}');
    let Err(Error::Syntax(message)) = from_slice::<Sample>(truncated.as_bytes()) else {
        panic!("{truncated}")
    };
    assert_eq!(
        message,
        format!("EOF while parsing an object at line 1 column {}", truncated.len())
    );
}
