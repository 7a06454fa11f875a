//! The stored form.

use entgate::{
    entitlement::{
        Coverage::{Partial, Whole},
        Entitlements, Version,
    },
    id::Timestamp,
    store::record::{Error, read, write},
};
use proptest::prelude::*;

use crate::support::grants;

#[test]
fn form_1_is_written_as_it_stands_here_and_read_for_ever() {
    let set = Entitlements {
        version: Version(3),
        as_of: Timestamp(1_706_111_369),
        coverage: Whole,
        data: grants(&["sms"]),
    };
    let form_1 = r#"{"v":1,"version":3,"as_of":1706111369,"coverage":"whole","data":[{"id":"ent_test_sms","feature":"feat_test_sms","lookup_key":"sms"}]}"#;
    assert_eq!(String::from_utf8(write(&set).unwrap()).unwrap(), form_1);
    assert_eq!(read(form_1.as_bytes()), Ok(set));
}

#[test]
fn a_newer_form_is_refused_and_not_guessed_at() {
    let newer = br#"{"v":2,"version":3,"as_of":1,"coverage":"whole","data":[]}"#;
    assert_eq!(read(newer), Err(Error::Form(2)));
}

#[test]
fn what_is_no_record_is_not_an_empty_set() {
    for bytes in [&b""[..], b"{}", b"null", b"[]", b"\xff", br#"{"v":1}"#] {
        assert!(matches!(read(bytes), Err(Error::Shape(_))), "{bytes:?}");
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(
        version: u64,
        as_of: i64,
        whole: bool,
        keys in proptest::collection::vec("[^\\p{Cc}]{1,20}", 0..20),
    ) {
        let keys: Vec<_> = keys.iter().map(String::as_str).collect();
        let coverage = if whole { Whole } else { Partial };
        let (version, as_of) = (Version(version), Timestamp(as_of));
        let set = Entitlements { version, as_of, coverage, data: grants(&keys) };
        prop_assert_eq!(read(&write(&set).unwrap()), Ok(set));
    }

    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>) {
        prop_assert!(read(&bytes).is_err());
    }
}
