//! The stored form, as rows.

use entgate::{
    entitlement::{
        ActiveEntitlement,
        Completeness::{Complete, Partial},
        Entitlements, Version,
    },
    id::Timestamp,
    store::{
        columns::{Columns, GrantRef, parse_complete_set},
        record::{decode, encode},
    },
};
use proptest::prelude::*;

use crate::{
    mutated_bytes::{changed, changes},
    support::grants,
};

fn set(keys: &[&str]) -> Entitlements {
    let (version, as_of) = (Version(3), Timestamp(-7));
    Entitlements { version, as_of, completeness: Complete, data: grants(keys) }
}

/// A record with one grant of this key, which is put in as it is.
fn with_key(key: &[u8]) -> Vec<u8> {
    let head = br#"{"v":1,"version":3,"as_of":1,"completeness":"complete","keys":[""#;
    [&head[..], key, br#""],"features":["feat_1"],"ids":["ent_1"]}"#].concat()
}

/// Whether it is a record, asked in a way that has nothing to do with rows: what has a space in front
/// is not as it is written, and JSON all the same.
fn reads(record: &[u8]) -> bool {
    decode(&[b" ", record].concat()).is_ok()
}

/// What rows say in plain words.
fn plain(columns: &Columns<'_>) -> Entitlements {
    let text = |raw: &str| serde_json::from_str::<String>(&format!("\"{raw}\"")).unwrap();
    let grant = |row: &GrantRef<'_>| ActiveEntitlement {
        id: text(row.id).try_into().unwrap(),
        feature: text(row.feature).try_into().unwrap(),
        lookup_key: text(row.lookup_key).try_into().unwrap(),
    };
    let Columns { version, as_of, grants: rows } = columns;
    let data = rows.iter().map(grant).collect();
    Entitlements { version: *version, as_of: *as_of, completeness: Complete, data }
}

#[test]
fn a_row_is_a_grant_and_its_texts_are_as_they_are_written() {
    let record = encode(&set(&["sms", "é", "a\"]\\", "\u{10ffff}"])).unwrap();
    let row = |id, feature, lookup_key| GrantRef { id, feature, lookup_key };
    let rows = vec![
        row("ent_test_sms", "feat_test_sms", "sms"),
        row("ent_test_é", "feat_test_é", "é"),
        row(r#"ent_test_a\"]\\"#, r#"feat_test_a\"]\\"#, r#"a\"]\\"#),
        row("ent_test_\u{10ffff}", "feat_test_\u{10ffff}", "\u{10ffff}"),
    ];
    assert_eq!(
        parse_complete_set(&record),
        Some(Columns { version: Version(3), as_of: Timestamp(-7), grants: rows })
    );
    let none = Columns { version: Version(3), as_of: Timestamp(-7), grants: Vec::new() };
    assert_eq!(parse_complete_set(&encode(&set(&[])).unwrap()), Some(none));
    let part = Entitlements { completeness: Partial, ..set(&["sms"]) };
    assert_eq!(parse_complete_set(&encode(&part).unwrap()), None);
}

#[test]
fn a_record_that_was_cut_has_no_rows() {
    for keys in [&[][..], &["sms"], &["a\"]}", "sso"]] {
        let record = encode(&set(keys)).unwrap();
        for end in 0..record.len() {
            assert_eq!(parse_complete_set(&record[..end]), None, "cut at {end}");
        }
    }
}

#[test]
fn a_record_of_another_form_or_shape_has_no_rows() {
    let good = String::from_utf8(encode(&set(&["sms"])).unwrap()).unwrap();
    for (why, from, to) in [
        ("format 0", r#""v":1"#, r#""v":0"#),
        ("a newer format", r#""v":1"#, r#""v":2"#),
        ("white space", r#""v":1,"#, r#""v":1, "#),
        ("a version below 0", r#""version":3"#, r#""version":-3"#),
        ("a version with a zero in front", r#""version":3"#, r#""version":03"#),
        ("no version", r#""version":3"#, r#""version":"#),
        ("a version too large", r#""version":3"#, r#""version":18446744073709551616"#),
        ("a moment that is no whole number", r#""as_of":-7"#, r#""as_of":-0"#),
        ("a moment too early", r#""as_of":-7"#, r#""as_of":-9223372036854775809"#),
        ("a part", r#""complete""#, r#""partial""#),
        ("another order", "features", "featured"),
        ("a key too many", r#"["sms"]"#, r#"["sms","sso"]"#),
        ("a key too few", r#"["sms"]"#, "[]"),
        ("a feature too many", r#"["feat_test_sms"]"#, r#"["feat_test_sms","feat_1"]"#),
        ("a feature too few", r#"["feat_test_sms"]"#, "[]"),
        ("an id too many", r#"["ent_test_sms"]"#, r#"["ent_test_sms","ent_1"]"#),
        ("an id too few", r#"["ent_test_sms"]"#, "[]"),
        ("a comma too many", r#"["sms"]"#, r#"["sms",]"#),
        ("a number", r#"["sms"]"#, "[1]"),
        ("an empty key", r#"["sms"]"#, r#"[""]"#),
        ("something behind it", "]}", "]} "),
        ("another member", "]}", r#"],"more":1}"#),
    ] {
        let bad = good.replacen(from, to, 1);
        assert_ne!(bad, good, "{why}");
        assert_eq!(parse_complete_set(bad.as_bytes()), None, "{why}");
    }
}

#[test]
fn a_name_is_as_long_as_it_may_be_and_no_longer() {
    let good = String::from_utf8(encode(&set(&["sms"])).unwrap()).unwrap();
    for (name, limit) in [("sms", 20_000), ("feat_test_sms", 255), ("ent_test_sms", 255)] {
        let name = format!("\"{name}\"");
        for (length, given) in [(limit, true), (limit + 1, false)] {
            let record = good.replacen(&name, &format!("\"{}\"", "a".repeat(length)), 1);
            assert_eq!(parse_complete_set(record.as_bytes()).is_some(), given, "{name} {length}");
            assert_eq!(reads(record.as_bytes()), given, "{name} {length}");
        }
    }
}

#[test]
fn every_byte_counts_alike_wherever_it_stands_in_a_name() {
    for place in 0..=17 {
        for byte in 0..=u8::MAX {
            let mut key = [b'a'; 18];
            key[place] = byte;
            let record = with_key(&key);
            let given = matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
            assert_eq!(parse_complete_set(&record).is_some(), given, "{byte:#x} at {place}");
            assert_eq!(reads(&record), given, "{byte:#x} at {place}");
        }
        for character in '\u{80}'..='\u{1ff}' {
            let key = format!("{}{character}{}", &"aaaaaaaaa"[..place / 2], "aaaaaaaaa");
            let record = with_key(key.as_bytes());
            assert_eq!(
                parse_complete_set(&record).is_some(),
                character >= '\u{a0}',
                "{character:?}"
            );
            assert_eq!(reads(&record), character >= '\u{a0}', "{character:?}");
        }
    }
}

#[test]
fn an_escape_that_is_never_written_has_to_be_read() {
    for (escape, known) in [
        (r#"\""#, true),
        (r"\\", true),
        (r"\/", false),
        (r"\n", false),
        (r"\u0061", false),
        (r"\u0000", false),
        (r"\x", false),
        (r"\", false),
    ] {
        for space in ["", "aaaaaa", "aaaaaaa", "aaaaaaaa"] {
            let record = with_key([space, escape].concat().as_bytes());
            assert_eq!(parse_complete_set(&record).is_some(), known, "{space}{escape}");
        }
    }
}

fn sets() -> impl Strategy<Value = Entitlements> {
    let names = proptest::collection::vec("[a,:\"\\\\\\[\\]{}é ]{1,12}|[^\\p{Cc}]{1,20}", 0..8);
    (any::<u64>(), i64::MIN + 1.., any::<bool>(), names).prop_map(
        |(version, as_of, whole, names)| {
            let names: Vec<_> = names.iter().map(String::as_str).collect();
            let coverage = if whole { Complete } else { Partial };
            let (version, as_of) = (Version(version), Timestamp(as_of));
            Entitlements { version, as_of, completeness: coverage, data: grants(&names) }
        },
    )
}

proptest! {
    #[test]
    fn the_rows_of_a_record_are_the_set(set in sets()) {
        let record = encode(&set).unwrap();
        let rows = parse_complete_set(&record).map(|columns| plain(&columns));
        prop_assert_eq!(rows, Some(set).filter(|set| set.completeness == Complete));
    }

    #[test]
    fn whatever_a_record_was_changed_to_its_rows_are_what_it_is_read_as(
        set in sets(),
        changes in changes(b"\"\\,:[]{}0-1 nu\x1f\x7f\x80\x9f\xa0\xc2", 1..4),
    ) {
        let record = encode(&Entitlements { completeness: Complete, ..set }).unwrap();
        let record = changed(record, changes, 0);
        if let Some(columns) = parse_complete_set(&record) {
            // With a space in front it is no longer as it is written, and still JSON.
            prop_assert_eq!(decode(&[b" ", &record[..]].concat()), Ok(plain(&columns)));
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>) {
        prop_assert_eq!(parse_complete_set(&bytes), None);
        let _ = parse_complete_set(&with_key(&bytes));
    }
}
