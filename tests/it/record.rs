//! The stored form of a set.

mod columns;

use std::collections::BTreeSet;

use entgate::{
    entitlement::{
        Completeness::{Complete, Partial},
        Decision, DenyReason, GrantReason, SourceSet, Version,
    },
    id::{LookupKey, Timestamp},
    policy::{GrantRule, SourcePolicy, StatusPolicy},
    store::record::{Error, FeatureLookup, decode, encode, lookup_feature, was_read_under},
};
use proptest::prelude::*;

use crate::{
    mutated_bytes::{mutate, mutations},
    support::{grants, record_of},
};

/// Looks up a feature without default features.
fn lookup(record: &[u8], feature: &str) -> Option<FeatureLookup> {
    lookup_feature(record, &key(feature), &[], Timestamp(0))
}

/// The result for a record without overrides.
fn plain_lookup(version: Version, as_of: Timestamp, entitled: bool) -> FeatureLookup {
    let decision = if entitled {
        Decision::Grant(GrantReason::ActiveEntitlement)
    } else {
        Decision::Deny(DenyReason::NotEntitled)
    };
    FeatureLookup { version, record_version: version, as_of: Some(as_of), decision }
}

#[test]
fn a_record_has_exactly_these_bytes_and_decodes_to_the_same_set() {
    let set = record_of(
        3,
        SourceSet {
            as_of: Timestamp(1_706_111_369),
            completeness: Complete,
            policy: SourcePolicy::default(),
            data: grants(&["sms"]),
        },
    );
    let record = r#"{"v":1,"source":"stripe/keep","version":3,"as_of":1706111369,"completeness":"complete","keys":["sms"],"features":["feat_test_sms"],"ids":["ent_test_sms"]}"#;
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
        assert_eq!(lookup(other.as_bytes(), "sms"), None);
    }
}

#[test]
fn bytes_that_are_not_a_record_are_invalid() {
    for bytes in [&b""[..], b"{}", b"null", b"[]", b"\xff", br#"{"v":1}"#] {
        assert!(matches!(decode(bytes), Err(Error::Invalid(_))), "{bytes:?}");
    }
}

#[test]
fn lists_of_different_lengths_are_invalid() {
    let record = br#"{"v":1,"source":"stripe/keep","version":3,"as_of":1,"completeness":"complete","keys":["sms"],"features":[],"ids":[]}"#;
    assert!(matches!(decode(record), Err(Error::Invalid(_))));
}

#[test]
fn a_lookup_finds_a_key_exactly_when_the_list_contains_it() {
    let found = |entitled| Some(plain_lookup(Version(3), Timestamp(-7), entitled));
    for (why, keys, wanted, expected) in [
        ("the only key", &["sms"][..], "sms", found(true)),
        ("the last key", &["a", "b", "sms"], "sms", found(true)),
        ("an empty set", &[], "sms", found(false)),
        ("a prefix of another key", &["sms-pro"], "sms", found(false)),
        ("a suffix of another key", &["pro-sms"], "sms", found(false)),
        ("inside another key, in quotes", &["a\"sms\"b"], "sms", found(false)),
        ("at the end of another key, after a quote", &["a\"sms"], "sms", found(false)),
        ("after a key that ends with a backslash", &["a\\", "sms"], "sms", found(true)),
        ("with a comma, across two other keys", &["a,", "b"], ",", found(false)),
        ("the name of the next member", &["a"], "features", found(false)),
        ("non-ASCII", &["é", "ü"], "ü", found(true)),
        ("with an escape, which requires decoding", &["a\"b"], "a\"b", None),
    ] {
        let set = SourceSet {
            as_of: Timestamp(-7),
            completeness: Complete,
            policy: SourcePolicy::default(),
            data: grants(keys),
        };
        let complete = encode(&record_of(3, set.clone())).unwrap();
        assert_eq!(lookup(&complete, wanted), expected, "{why}");
        let partial = record_of(3, SourceSet { completeness: Partial, ..set });
        assert_eq!(
            lookup(&encode(&partial).unwrap(), wanted),
            expected.filter(|found| found.decision.is_grant()),
            "{why}, in a partial set"
        );
    }
}

#[test]
fn a_lookup_in_a_truncated_or_reformatted_record_returns_none() {
    let set = SourceSet {
        as_of: Timestamp(1),
        completeness: Complete,
        policy: SourcePolicy::default(),
        data: grants(&["sms", "sso"]),
    };
    let record = encode(&record_of(3, set)).unwrap();
    for end in 0..record.len() {
        assert_eq!(lookup(&record[..end], "sso"), None, "truncated at {end}");
    }
    for record in [
        r#"{"v":1,"source":"stripe/keep","version":3,"as_of":1,"completeness":"complete","data":[]}"#,
        r#"{"v":1,"source":"stripe/keep","version":3,"as_of":1,"completeness":"complete","keys":["s\u0073o"],"features":["f"],"ids":["e"]}"#,
        r#"{"v":1,"source":"stripe/keep","version":3,"as_of":1,"completeness":"complete","keys":["s\/o","sso"],"features":["f","f"],"ids":["e","g"]}"#,
        r#"{ "v":1,"source":"stripe/keep","version":3,"as_of":1,"completeness":"complete","keys":["sso"],"features":[],"ids":[]}"#,
        r#"{"v":1,"source":"stripe/keep","version":-3,"as_of":1,"completeness":"complete","keys":["sso"],"features":[],"ids":[]}"#,
        r#"{"v":1,"source":"stripe/keep","version":03,"as_of":1,"completeness":"complete","keys":["sso"],"features":[],"ids":[]}"#,
        r#"{"v":1,"source":"stripe/keep","version":3,"as_of":-0,"completeness":"complete","keys":["sso"],"features":[],"ids":[]}"#,
        r#"{"v":1,"source":"stripe/keep","version":3,"as_of":1,"completeness":"complete","keys":[1],"features":[],"ids":[]}"#,
        r#"{"v":1,"source":"stripe/keep","version":99999999999999999999,"as_of":1,"completeness":"complete","keys":["sso"],"features":[],"ids":[]}"#,
    ] {
        assert_eq!(lookup(record.as_bytes(), "sso"), None, "{record}");
    }
}

fn key(key: &str) -> LookupKey {
    LookupKey::try_from(key).unwrap()
}

/// Whether a list contains a key, compared byte by byte: the reference implementation.
fn list_contains(list: &[u8], wanted: &str) -> Option<bool> {
    if list.first() == Some(&b']') {
        return Some(false);
    }
    let mut index = 0;
    loop {
        let start = index + 1;
        let mut end = (*list.get(index)? == b'"').then_some(start)?;
        while *list.get(end)? != b'"' {
            let is_escape = list[end] == b'\\';
            if is_escape && !matches!(list.get(end + 1)?, b'"' | b'\\') {
                return None;
            }
            end += if is_escape { 2 } else { 1 };
        }
        if &list[start..end] == wanted.as_bytes() {
            return Some(true);
        }
        match list.get(end + 1)? {
            b',' => index = end + 2,
            b']' => return Some(false),
            _ => return None,
        }
    }
}

proptest! {
    #[test]
    fn a_lookup_equals_the_decision(
        version: u64,
        as_of in i64::MIN + 1..,
        complete: bool,
        keys in proptest::collection::vec("[a,\"\\\\\\[\\]é ]{1,4}", 0..8),
        wanted in "[a,\"\\\\\\[\\]é ]{1,4}",
    ) {
        let keys: Vec<_> = keys.iter().map(String::as_str).collect();
        let completeness = if complete { Complete } else { Partial };
        let as_of = Timestamp(as_of);
        let set = SourceSet { as_of, completeness, policy: SourcePolicy::default(), data: grants(&keys) };
        let record = encode(&record_of(version, set)).unwrap();
        for wanted in keys.iter().copied().chain([wanted.as_str()]) {
            let decided = match keys.contains(&wanted) {
                _ if wanted.contains(['"', '\\']) => None,
                true => Some(true),
                false => complete.then_some(false),
            };
            let expected = decided.map(|entitled| plain_lookup(Version(version), as_of, entitled));
            prop_assert_eq!(lookup(&record, wanted), expected);
        }
    }

    #[test]
    fn a_lookup_in_mutated_keys_equals_a_bytewise_search(
        keys in proptest::collection::vec("[a,\"\\\\\\[\\]é]{1,20}", 0..6),
        wanted in "[a,\\[\\]é]{1,20}",
        mutations in mutations(b"\"\\,[]}a", 0..4),
    ) {
        let mut list = serde_json::to_vec(&keys).unwrap().split_off(1);
        list.extend_from_slice(br#","features":[],"ids":[]}"#);
        let list = mutate(list, mutations, 2);
        let header = br#"{"v":1,"source":"stripe/keep","version":3,"as_of":1,"completeness":"complete","keys":["#;
        let record = [&header[..], &list].concat();
        let unescaped = keys.iter().filter(|key| !key.contains(['"', '\\']));
        for wanted in unescaped.chain([&wanted]) {
            let found = lookup(&record, wanted).map(|lookup| lookup.decision.is_grant());
            prop_assert_eq!(found, list_contains(&list, wanted), "{} in {:?}", wanted, record);
        }
    }

    #[test]
    fn no_bytes_make_a_lookup_panic(bytes: Vec<u8>, tail: Vec<u8>) {
        prop_assert_eq!(lookup(&bytes, "sms"), None);
        let header = br#"{"v":1,"source":"stripe/keep","version":3,"as_of":1,"completeness":"complete","keys":["#;
        let _ = lookup(&[&header[..], &tail, b"]}"].concat(), "sms");
    }

    #[test]
    fn an_encoded_set_decodes_to_itself(
        version: u64,
        as_of: i64,
        complete: bool,
        keys in proptest::collection::vec("[^\\p{Cc}]{1,20}", 0..20),
    ) {
        let keys: Vec<_> = keys.iter().map(String::as_str).collect();
        let completeness = if complete { Complete } else { Partial };
        let as_of = Timestamp(as_of);
        let set = SourceSet { as_of, completeness, policy: SourcePolicy::default(), data: grants(&keys) };
        let set = record_of(version, set);
        prop_assert_eq!(decode(&encode(&set).unwrap()), Ok(set));
    }

    #[test]
    fn a_mutated_record_decodes_as_json_does(
        complete: bool,
        keys in proptest::collection::vec("[a,:\"\\\\\\[\\]{}é ]{1,20}", 0..6),
        mutations in mutations(b"\"\\,:[]{}0-1 nu\x1f\x7f\x80\x9f\xa0\xc2", 0..4),
    ) {
        let keys: Vec<_> = keys.iter().map(String::as_str).collect();
        let completeness = if complete { Complete } else { Partial };
        let (version, as_of) = (3, Timestamp(-7));
        let set = SourceSet { as_of, completeness, policy: SourcePolicy::default(), data: grants(&keys) };
        let record = mutate(encode(&record_of(version, set)).unwrap(), mutations, 0);
        // JSON ignores a leading space, and no record is encoded with one.
        let spaced = [b" ", &record[..]].concat();
        match (decode(&record), decode(&spaced)) {
            (Err(Error::Invalid(_)), Err(Error::Invalid(_))) => {}
            (decoded, spaced) => prop_assert_eq!(decoded, spaced),
        }
    }

    #[test]
    fn no_bytes_make_decode_panic(bytes: Vec<u8>) {
        prop_assert!(decode(&bytes).is_err());
    }
}

#[test]
fn a_record_names_its_source_and_its_policy() {
    let rules = [GrantRule::Keep, GrantRule::Revoke];
    let mut policies = rules.map(SourcePolicy::Stripe).to_vec();
    for (past_due, unpaid, paused) in triples(rules) {
        policies.push(SourcePolicy::Catalog(StatusPolicy { past_due, unpaid, paused }));
    }
    let mut names = BTreeSet::new();
    for policy in &policies {
        assert_eq!(SourcePolicy::parse(policy.as_str()), Some(*policy));
        names.insert(policy.as_str());
        let set = SourceSet {
            as_of: Timestamp(1),
            completeness: Complete,
            policy: *policy,
            data: grants(&["sms"]),
        };
        let set = record_of(3, set);
        let record = encode(&set).unwrap();
        assert_eq!(decode(&record), Ok(set), "{policy:?}");
        assert!(lookup(&record, "sms").is_some_and(|found| found.decision.is_grant()));
        for other in &policies {
            assert_eq!(was_read_under(&record, *other), other == policy, "{policy:?} {other:?}");
        }
    }
    assert_eq!((names.len(), policies.len()), (10, 10));
    for name in ["", "stripe", "stripe/", "stripe/keep,keep", "catalog/keep,keep", "paddle/keep"] {
        assert_eq!(SourcePolicy::parse(name), None, "{name}");
        let record = format!(
            r#"{{"v":1,"source":"{name}","version":3,"as_of":1,"completeness":"complete","keys":[],"features":[],"ids":[]}}"#
        );
        let error = Error::Invalid("an unknown source".to_owned());
        assert_eq!(decode(record.as_bytes()), Err(error), "{name}");
        assert_eq!(lookup(record.as_bytes(), "sms"), None, "{name}");
    }
}

/// All triples of two rules.
fn triples(rules: [GrantRule; 2]) -> Vec<(GrantRule, GrantRule, GrantRule)> {
    let pairs = rules.iter().flat_map(|one| rules.map(|two| (*one, two)));
    pairs.flat_map(|(one, two)| rules.map(|three| (one, two, three))).collect()
}
