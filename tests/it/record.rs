//! The stored form.

use entgate::{
    entitlement::{
        Completeness::{Complete, Partial},
        Decision, Entitlements, Version, check,
    },
    id::{LookupKey, Timestamp},
    store::record::{Error, FeatureLookup, decode, encode, lookup_feature},
};
use proptest::prelude::*;

use crate::{
    mutated_bytes::{changed, changes},
    support::grants,
};

#[test]
fn a_record_has_exactly_these_bytes_and_decodes_to_the_same_set() {
    let set = Entitlements {
        version: Version(3),
        as_of: Timestamp(1_706_111_369),
        completeness: Complete,
        data: grants(&["sms"]),
    };
    let record = r#"{"v":1,"version":3,"as_of":1706111369,"completeness":"complete","keys":["sms"],"features":["feat_test_sms"],"ids":["ent_test_sms"]}"#;
    assert_eq!(String::from_utf8(encode(&set).unwrap()).unwrap(), record);
    assert_eq!(decode(record.as_bytes()), Ok(set));
}

#[test]
fn a_record_of_another_format_is_rejected() {
    for version in [0, 2] {
        let other = format!(
            r#"{{"v":{version},"version":3,"as_of":1,"completeness":"complete","keys":[]}}"#
        );
        assert_eq!(decode(other.as_bytes()), Err(Error::UnsupportedVersion(version)));
        assert_eq!(lookup_feature(other.as_bytes(), &key("sms")), None);
    }
}

#[test]
fn what_is_no_record_is_not_an_empty_set() {
    for bytes in [&b""[..], b"{}", b"null", b"[]", b"\xff", br#"{"v":1}"#] {
        assert!(matches!(decode(bytes), Err(Error::Invalid(_))), "{bytes:?}");
    }
}

#[test]
fn lists_of_different_lengths_are_no_record() {
    let torn = br#"{"v":1,"version":3,"as_of":1,"completeness":"complete","keys":["sms"],"features":[],"ids":[]}"#;
    assert!(matches!(decode(torn), Err(Error::Invalid(_))));
}

#[test]
fn a_glance_sees_what_reading_sees() {
    let granted =
        |entitled| Some(FeatureLookup { version: Version(3), as_of: Timestamp(-7), entitled });
    for (why, keys, asked, expected) in [
        ("the only one", &["sms"][..], "sms", granted(true)),
        ("the last one", &["a", "b", "sms"], "sms", granted(true)),
        ("an empty set", &[], "sms", granted(false)),
        ("the beginning of another", &["sms-pro"], "sms", granted(false)),
        ("the end of another", &["pro-sms"], "sms", granted(false)),
        ("in another, in quotes", &["a\"sms\"b"], "sms", granted(false)),
        ("at the end of another, behind a quote", &["a\"sms"], "sms", granted(false)),
        ("behind one that ends with a backslash", &["a\\", "sms"], "sms", granted(true)),
        ("with a comma, across two others", &["a,", "b"], ",", granted(false)),
        ("the word that comes behind the list", &["a"], "features", granted(false)),
        ("no ASCII", &["é", "ü"], "ü", granted(true)),
        ("with an escape, it has to be read", &["a\"b"], "a\"b", None),
    ] {
        let set = Entitlements {
            version: Version(3),
            as_of: Timestamp(-7),
            completeness: Complete,
            data: grants(keys),
        };
        assert_eq!(lookup_feature(&encode(&set).unwrap(), &key(asked)), expected, "{why}");
        let part = Entitlements { completeness: Partial, ..set };
        assert_eq!(lookup_feature(&encode(&part).unwrap(), &key(asked)), None, "{why}, in a part");
    }
}

#[test]
fn a_record_that_was_cut_or_changed_form_gives_no_glance() {
    let set = Entitlements {
        version: Version(3),
        as_of: Timestamp(1),
        completeness: Complete,
        data: grants(&["sms", "sso"]),
    };
    let record = encode(&set).unwrap();
    for end in 0..record.len() {
        assert_eq!(lookup_feature(&record[..end], &key("sso")), None, "cut at {end}");
    }
    for form in [
        r#"{"v":1,"version":3,"as_of":1,"completeness":"complete","data":[]}"#,
        r#"{ "v":1,"version":3,"as_of":1,"completeness":"complete","keys":["sso"],"features":[],"ids":[]}"#,
        r#"{"v":1,"version":-3,"as_of":1,"completeness":"complete","keys":["sso"],"features":[],"ids":[]}"#,
        r#"{"v":1,"version":03,"as_of":1,"completeness":"complete","keys":["sso"],"features":[],"ids":[]}"#,
        r#"{"v":1,"version":3,"as_of":-0,"completeness":"complete","keys":["sso"],"features":[],"ids":[]}"#,
        r#"{"v":1,"version":3,"as_of":1,"completeness":"complete","keys":[1],"features":[],"ids":[]}"#,
        r#"{"v":1,"version":99999999999999999999,"as_of":1,"completeness":"complete","keys":["sso"],"features":[],"ids":[]}"#,
    ] {
        assert_eq!(lookup_feature(form.as_bytes(), &key("sso")), None, "{form}");
    }
}

fn key(text: &str) -> LookupKey {
    LookupKey::try_from(text).unwrap()
}

/// Whether a key is in a list that begins here, looked for byte by byte.
fn slowly(list: &[u8], wanted: &str) -> Option<bool> {
    if list.first() == Some(&b']') {
        return Some(false);
    }
    let mut at = 0;
    loop {
        let begin = at + 1;
        let mut end = (*list.get(at)? == b'"').then_some(begin)?;
        while *list.get(end)? != b'"' {
            end += if list[end] == b'\\' { 2 } else { 1 };
        }
        if &list[begin..end] == wanted.as_bytes() {
            return Some(true);
        }
        match list.get(end + 1)? {
            b',' => at = end + 2,
            b']' => return Some(false),
            _ => return None,
        }
    }
}

proptest! {
    #[test]
    fn a_glance_is_never_other_than_the_decision(
        version: u64,
        as_of in i64::MIN + 1..,
        whole: bool,
        keys in proptest::collection::vec("[a,\"\\\\\\[\\]é ]{1,4}", 0..8),
        asked in "[a,\"\\\\\\[\\]é ]{1,4}",
    ) {
        let keys: Vec<_> = keys.iter().map(String::as_str).collect();
        let coverage = if whole { Complete } else { Partial };
        let (version, as_of) = (Version(version), Timestamp(as_of));
        let set = Entitlements { version, as_of, completeness: coverage, data: grants(&keys) };
        for asked in keys.iter().copied().chain([asked.as_str()]) {
            let seen = lookup_feature(&encode(&set).unwrap(), &key(asked));
            let decided = match check(Some(&set), &key(asked)) {
                _ if asked.contains(['"', '\\']) => None,
                Decision::Grant if whole => Some(true),
                Decision::Deny(_) => Some(false),
                Decision::Grant | Decision::Indeterminate => None,
            };
            let expected = decided.map(|entitled| FeatureLookup { version, as_of, entitled });
            prop_assert_eq!(seen, expected);
        }
    }

    #[test]
    fn whatever_the_keys_were_changed_to_a_glance_misses_none_of_their_bytes(
        keys in proptest::collection::vec("[a,\"\\\\\\[\\]é]{1,20}", 0..6),
        asked in "[a,\\[\\]é]{1,20}",
        changes in changes(b"\"\\,[]}a", 0..4),
    ) {
        let mut list = serde_json::to_vec(&keys).unwrap().split_off(1);
        list.extend_from_slice(br#","features":[],"ids":[]}"#);
        let list = changed(list, changes, 2);
        let head = br#"{"v":1,"version":3,"as_of":1,"completeness":"complete","keys":["#;
        let record = [&head[..], &list].concat();
        let plain = keys.iter().filter(|key| !key.contains(['"', '\\']));
        for asked in plain.chain([&asked]) {
            let seen = lookup_feature(&record, &key(asked)).map(|glance| glance.entitled);
            prop_assert_eq!(seen, slowly(&list, asked), "{} in {:?}", asked, record);
        }
    }

    #[test]
    fn no_bytes_make_a_glance_panic(bytes: Vec<u8>, tail: Vec<u8>) {
        prop_assert_eq!(lookup_feature(&bytes, &key("sms")), None);
        let head = br#"{"v":1,"version":3,"as_of":1,"completeness":"complete","keys":["#;
        let _ = lookup_feature(&[&head[..], &tail, b"]}"].concat(), &key("sms"));
    }

    #[test]
    fn what_is_written_is_read_again(
        version: u64,
        as_of: i64,
        whole: bool,
        keys in proptest::collection::vec("[^\\p{Cc}]{1,20}", 0..20),
    ) {
        let keys: Vec<_> = keys.iter().map(String::as_str).collect();
        let coverage = if whole { Complete } else { Partial };
        let (version, as_of) = (Version(version), Timestamp(as_of));
        let set = Entitlements { version, as_of, completeness: coverage, data: grants(&keys) };
        prop_assert_eq!(decode(&encode(&set).unwrap()), Ok(set));
    }

    #[test]
    fn whatever_a_record_was_changed_to_it_is_read_as_json_is(
        whole: bool,
        keys in proptest::collection::vec("[a,:\"\\\\\\[\\]{}é ]{1,20}", 0..6),
        changes in changes(b"\"\\,:[]{}0-1 nu\x1f\x7f\x80\x9f\xa0\xc2", 0..4),
    ) {
        let keys: Vec<_> = keys.iter().map(String::as_str).collect();
        let coverage = if whole { Complete } else { Partial };
        let (version, as_of) = (Version(3), Timestamp(-7));
        let set = Entitlements { version, as_of, completeness: coverage, data: grants(&keys) };
        let record = changed(encode(&set).unwrap(), changes, 0);
        // A space in front is nothing to JSON, and is never written.
        let spaced = [b" ", &record[..]].concat();
        match (decode(&record), decode(&spaced)) {
            (Err(Error::Invalid(_)), Err(Error::Invalid(_))) => {}
            (read, spaced) => prop_assert_eq!(read, spaced),
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>) {
        prop_assert!(decode(&bytes).is_err());
    }
}
