//! Features: lookup keys, updates and archiving.
//!
//! Specification: <https://docs.stripe.com/api/entitlements/feature>.

use entgate::id::{self, LookupKey};
use serde_json::json;

use super::test_catalog::TestCatalog;

const PATH: &str = "/v1/entitlements/features";

#[track_caller]
fn list(catalog: &TestCatalog, query: &str) -> Vec<String> {
    catalog.list_ids(&format!("{PATH}?{query}"))
}

#[track_caller]
fn archive(catalog: &TestCatalog, feature: &str) {
    let archived = catalog.post(&format!("{PATH}/{feature}"), "active=false").expect_ok();
    assert_eq!(archived["active"], json!(false));
}

#[test]
fn a_lookup_key_and_a_name_have_1_to_80_characters_of_any_byte_length() {
    let catalog = TestCatalog::new();
    for letter in ["a", "é", "€", "🗝"] {
        let (longest, too_long) = (letter.repeat(80), letter.repeat(81));
        let created =
            catalog.post(PATH, &format!("lookup_key={longest}&name={longest}")).expect_ok();
        assert_eq!([&created["lookup_key"], &created["name"]], [&json!(longest), &json!(longest)]);
        let prefix = letter.repeat(60);
        let message = format!("Invalid string: {prefix}…; must be at most 80 characters");
        for (param, target, form) in [
            ("lookup_key", PATH.to_owned(), format!("lookup_key={too_long}&name=x")),
            ("name", PATH.to_owned(), format!("lookup_key=x&name={too_long}")),
            (
                "name",
                format!("{PATH}/{}", created["id"].as_str().unwrap()),
                format!("name={too_long}"),
            ),
        ] {
            let rejected = catalog.post(&target, &form);
            let expected = (400, "parameter_invalid", param, message.as_str());
            assert_eq!(rejected.error(), expected, "{letter}");
        }
    }
    for (param, form) in [("lookup_key", "lookup_key=&name=x"), ("name", "lookup_key=x&name=")] {
        let rejected = catalog.post(PATH, form);
        let (status, code, name, _) = rejected.error();
        assert_eq!((status, code, name), (400, "parameter_invalid_empty", param));
    }
    assert_eq!(list(&catalog, "lookup_key=x"), [""; 0]);
}

#[test]
fn a_lookup_key_that_the_entitlement_api_rejects_is_rejected() {
    let catalog = TestCatalog::new();
    for (key, encoded) in
        [("sms\n", "sms%0A"), ("\0", "%00"), ("\u{7f}", "%7F"), ("\u{85}", "%C2%85")]
    {
        assert_eq!(LookupKey::try_from(key), Err(id::Error::ControlCharacter), "{key:?}");
        let rejected = catalog.post(PATH, &format!("lookup_key={encoded}&name=x"));
        let (status, _, param, _) = rejected.error();
        assert_eq!((status, param), (400, "lookup_key"), "{key:?}");
    }
}

#[test]
fn a_lookup_key_belongs_to_at_most_one_active_feature() {
    let catalog = TestCatalog::new();
    let sms = catalog.create_feature("sms");
    let message = format!(
        "A feature with the lookup_key `sms` already exists: {sms}. Archive it, or use another key."
    );
    let rejected = catalog.post(PATH, "lookup_key=sms&name=Other");
    let expected = (400, "resource_already_exists", "lookup_key", message.as_str());
    assert_eq!(rejected.error(), expected);
    for (why, key) in
        [("other letter case", "SMS"), ("a trailing space", "sms+"), ("a longer key", "sms2")]
    {
        assert_eq!(catalog.post(PATH, &format!("lookup_key={key}&name=x")).status, 200, "{why}");
    }
    assert_eq!(list(&catalog, "lookup_key=sms"), [sms.as_str()]);
}

#[test]
fn an_archived_feature_cannot_be_changed_and_is_listed_separately() {
    let catalog = TestCatalog::new();
    let (sms, fax) = (catalog.create_feature("sms"), catalog.create_feature("fax"));
    archive(&catalog, &fax);
    let path = format!("{PATH}/{fax}");
    let before = catalog.get(&path).expect_ok();
    let message =
        format!("The feature '{fax}' is archived and cannot be changed. Archiving is permanent.");
    for change in ["active=true", "active=false", "name=Telefax", "metadata[a]=1", ""] {
        let rejected = catalog.post(&path, change);
        assert_eq!(rejected.error(), (400, "", "", message.as_str()), "{change}");
    }
    assert_eq!(catalog.get(&path).expect_ok(), before);
    for (query, expected) in [
        ("", vec![&sms]),
        ("archived=false", vec![&sms]),
        ("archived=true", vec![&fax]),
        ("lookup_key=fax", vec![]),
        ("lookup_key=fax&archived=true", vec![&fax]),
        ("lookup_key=sms&archived=true", vec![]),
    ] {
        assert_eq!(list(&catalog, query).iter().collect::<Vec<_>>(), expected, "{query}");
    }
}

#[test]
fn archiving_a_feature_frees_its_lookup_key() {
    let catalog = TestCatalog::new();
    let first = catalog.create_feature("sms");
    archive(&catalog, &first);
    let second = catalog.create_feature("sms");
    archive(&catalog, &second);
    let third = catalog.create_feature("sms");
    assert_eq!(list(&catalog, "lookup_key=sms"), [third.as_str()]);
    assert_eq!(list(&catalog, "lookup_key=sms&archived=true"), [second, first]);
    assert_eq!(catalog.post(PATH, "lookup_key=sms&name=x").status, 400);
}

#[test]
fn an_update_leaves_absent_parameters_unchanged() {
    let catalog = TestCatalog::new();
    let created =
        catalog.post(PATH, "lookup_key=sms&name=SMS&metadata[a]=1&metadata[b]=2").expect_ok();
    let path = format!("{PATH}/{}", created["id"].as_str().unwrap());
    for (form, name, metadata) in [
        ("", "SMS", json!({"a": "1", "b": "2"})),
        ("active=true", "SMS", json!({"a": "1", "b": "2"})),
        ("name=Texts", "Texts", json!({"a": "1", "b": "2"})),
        ("metadata[a]=&metadata[c]=3", "Texts", json!({"b": "2", "c": "3"})),
        ("metadata=", "Texts", json!({})),
    ] {
        let mut expected = created.clone();
        expected["name"] = json!(name);
        expected["metadata"] = metadata;
        assert_eq!(catalog.post(&path, form).expect_ok(), expected, "{form}");
        assert_eq!(catalog.get(&path).expect_ok(), expected, "{form}");
    }
}
