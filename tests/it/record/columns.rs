//! The grants of a record as slices.

use entgate::{
    entitlement::{
        ActiveEntitlement,
        Completeness::{Complete, Partial},
        Entitlements, SourceSet, Version,
    },
    id::Timestamp,
    policy::SourcePolicy,
    store::record::{
        columns::{Columns, GrantRef, parse_complete_set},
        decode, encode,
    },
};
use proptest::prelude::*;

use crate::{
    mutated_bytes::{mutate, mutations},
    support::{grants, record_of},
};

fn set(keys: &[&str]) -> Entitlements {
    record_of(3, source_set(keys))
}

fn source_set(keys: &[&str]) -> SourceSet {
    SourceSet {
        as_of: Timestamp(-7),
        completeness: Complete,
        policy: SourcePolicy::default(),
        data: grants(keys),
    }
}

/// A record with one grant, whose key is inserted without escaping.
fn with_key(key: &[u8]) -> Vec<u8> {
    let header = br#"{"v":1,"source":"stripe/keep","version":3,"as_of":1,"completeness":"complete","keys":[""#;
    [&header[..], key, br#""],"features":["feat_1"],"ids":["ent_1"]}"#].concat()
}

/// Whether the bytes are a record. A leading space forces decoding as JSON, since no record is encoded
/// with one.
fn decodes(record: &[u8]) -> bool {
    decode(&[b" ", record].concat()).is_ok()
}

/// Decodes the slices.
fn to_set(columns: &Columns<'_>) -> Entitlements {
    let unescape = |raw: &str| serde_json::from_str::<String>(&format!("\"{raw}\"")).unwrap();
    let to_entitlement = |grant: &GrantRef<'_>| ActiveEntitlement {
        id: unescape(grant.id).try_into().unwrap(),
        feature: unescape(grant.feature).try_into().unwrap(),
        lookup_key: unescape(grant.lookup_key).try_into().unwrap(),
    };
    let Columns { version, as_of, grants } = columns;
    let data = grants.iter().map(to_entitlement).collect();
    let policy = SourcePolicy::default();
    record_of(version.0, SourceSet { as_of: *as_of, completeness: Complete, policy, data })
}

#[test]
fn a_grant_has_its_strings_as_they_are_encoded() {
    let record = encode(&set(&["sms", "é", "a\"]\\", "\u{10ffff}"])).unwrap();
    let grant = |id, feature, lookup_key| GrantRef { id, feature, lookup_key };
    let grants = vec![
        grant("ent_test_sms", "feat_test_sms", "sms"),
        grant("ent_test_é", "feat_test_é", "é"),
        grant(r#"ent_test_a\"]\\"#, r#"feat_test_a\"]\\"#, r#"a\"]\\"#),
        grant("ent_test_\u{10ffff}", "feat_test_\u{10ffff}", "\u{10ffff}"),
    ];
    assert_eq!(
        parse_complete_set(&record),
        Some(Columns { version: Version(3), as_of: Timestamp(-7), grants })
    );
    let empty = Columns { version: Version(3), as_of: Timestamp(-7), grants: Vec::new() };
    assert_eq!(parse_complete_set(&encode(&set(&[])).unwrap()), Some(empty));
    let partial = record_of(3, SourceSet { completeness: Partial, ..source_set(&["sms"]) });
    assert_eq!(parse_complete_set(&encode(&partial).unwrap()), None);
}

#[test]
fn a_truncated_record_is_not_parsed() {
    for keys in [&[][..], &["sms"], &["a\"]}", "sso"]] {
        let record = encode(&set(keys)).unwrap();
        for end in 0..record.len() {
            assert_eq!(parse_complete_set(&record[..end]), None, "truncated at {end}");
        }
    }
}

#[test]
fn a_record_of_another_format_or_structure_is_not_parsed() {
    let good = String::from_utf8(encode(&set(&["sms"])).unwrap()).unwrap();
    for (why, from, to) in [
        ("format 0", r#""v":1"#, r#""v":0"#),
        ("a newer format", r#""v":1"#, r#""v":2"#),
        ("white space", r#""v":1,"#, r#""v":1, "#),
        ("a negative version", r#""version":3"#, r#""version":-3"#),
        ("a version with a leading zero", r#""version":3"#, r#""version":03"#),
        ("no version", r#""version":3"#, r#""version":"#),
        ("a version too large", r#""version":3"#, r#""version":18446744073709551616"#),
        ("a timestamp of negative zero", r#""as_of":-7"#, r#""as_of":-0"#),
        ("a timestamp too small", r#""as_of":-7"#, r#""as_of":-9223372036854775809"#),
        ("a partial set", r#""complete""#, r#""partial""#),
        ("another member name", "features", "featured"),
        ("an extra key", r#"["sms"]"#, r#"["sms","sso"]"#),
        ("a missing key", r#"["sms"]"#, "[]"),
        ("an extra feature", r#"["feat_test_sms"]"#, r#"["feat_test_sms","feat_1"]"#),
        ("a missing feature", r#"["feat_test_sms"]"#, "[]"),
        ("an extra id", r#"["ent_test_sms"]"#, r#"["ent_test_sms","ent_1"]"#),
        ("a missing id", r#"["ent_test_sms"]"#, "[]"),
        ("an extra comma", r#"["sms"]"#, r#"["sms",]"#),
        ("a number", r#"["sms"]"#, "[1]"),
        ("an empty key", r#"["sms"]"#, r#"[""]"#),
        ("a trailing space", "]}", "]} "),
        ("another member", "]}", r#"],"more":1}"#),
    ] {
        let bad = good.replacen(from, to, 1);
        assert_ne!(bad, good, "{why}");
        assert_eq!(parse_complete_set(bad.as_bytes()), None, "{why}");
    }
}

#[test]
fn a_string_is_accepted_up_to_its_maximum_length() {
    let good = String::from_utf8(encode(&set(&["sms"])).unwrap()).unwrap();
    for (string, limit) in [("sms", 20_000), ("feat_test_sms", 255), ("ent_test_sms", 255)] {
        let string = format!("\"{string}\"");
        for (length, valid) in [(limit, true), (limit + 1, false)] {
            let record = good.replacen(&string, &format!("\"{}\"", "a".repeat(length)), 1);
            assert_eq!(parse_complete_set(record.as_bytes()).is_some(), valid, "{string} {length}");
            assert_eq!(decodes(record.as_bytes()), valid, "{string} {length}");
        }
    }
}

#[test]
fn each_byte_is_treated_alike_at_any_position_in_a_string() {
    for position in 0..=17 {
        for byte in 0..=u8::MAX {
            let mut key = [b'a'; 18];
            key[position] = byte;
            let record = with_key(&key);
            let valid = matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
            assert_eq!(parse_complete_set(&record).is_some(), valid, "{byte:#x} at {position}");
            assert_eq!(decodes(&record), valid, "{byte:#x} at {position}");
        }
        for character in '\u{80}'..='\u{1ff}' {
            let key = format!("{}{character}{}", &"aaaaaaaaa"[..position / 2], "aaaaaaaaa");
            let record = with_key(key.as_bytes());
            assert_eq!(
                parse_complete_set(&record).is_some(),
                character >= '\u{a0}',
                "{character:?}"
            );
            assert_eq!(decodes(&record), character >= '\u{a0}', "{character:?}");
        }
    }
}

#[test]
fn only_escapes_that_are_encoded_are_parsed() {
    for (escape, valid) in [
        (r#"\""#, true),
        (r"\\", true),
        (r"\/", false),
        (r"\n", false),
        (r"\u0061", false),
        (r"\u0000", false),
        (r"\x", false),
        (r"\", false),
    ] {
        for padding in ["", "aaaaaa", "aaaaaaa", "aaaaaaaa"] {
            let record = with_key([padding, escape].concat().as_bytes());
            assert_eq!(parse_complete_set(&record).is_some(), valid, "{padding}{escape}");
        }
    }
}

fn sets() -> impl Strategy<Value = Entitlements> {
    let keys = proptest::collection::vec("[a,:\"\\\\\\[\\]{}é ]{1,12}|[^\\p{Cc}]{1,20}", 0..8);
    (any::<u64>(), i64::MIN + 1.., any::<bool>(), keys).prop_map(
        |(version, as_of, complete, keys)| {
            let keys: Vec<_> = keys.iter().map(String::as_str).collect();
            let completeness = if complete { Complete } else { Partial };
            let (as_of, policy) = (Timestamp(as_of), SourcePolicy::default());
            let data = grants(&keys);
            record_of(version, SourceSet { as_of, completeness, policy, data })
        },
    )
}

proptest! {
    #[test]
    fn the_grants_of_a_record_are_the_set(set in sets()) {
        let record = encode(&set).unwrap();
        let parsed = parse_complete_set(&record).map(|columns| to_set(&columns));
        let is_complete =
            |set: &Entitlements| set.source.as_ref().unwrap().completeness == Complete;
        prop_assert_eq!(parsed, Some(set).filter(is_complete));
    }

    #[test]
    fn a_mutated_record_is_parsed_as_it_is_decoded(
        set in sets(),
        mutations in mutations(b"\"\\,:[]{}0-1 nu\x1f\x7f\x80\x9f\xa0\xc2", 1..4),
    ) {
        let source = set.source.map(|source| SourceSet { completeness: Complete, ..source });
        let record = encode(&Entitlements { source, ..set }).unwrap();
        let record = mutate(record, mutations, 0);
        if let Some(columns) = parse_complete_set(&record) {
            // A leading space forces decoding as JSON.
            prop_assert_eq!(decode(&[b" ", &record[..]].concat()), Ok(to_set(&columns)));
        }
    }

    #[test]
    fn no_bytes_make_parsing_panic(bytes: Vec<u8>) {
        prop_assert_eq!(parse_complete_set(&bytes), None);
        let _ = parse_complete_set(&with_key(&bytes));
    }
}
