//! Features: their keys, and that archiving is for good.

use entgate::id::{self, LookupKey};
use serde_json::json;

use super::{Shop, shop};

const PATH: &str = "/v1/entitlements/features";

/// The features of a list by their ids.
#[track_caller]
fn listed(shop: &Shop, query: &str) -> Vec<String> {
    let list = shop.get(&format!("{PATH}?{query}")).done();
    let ids = list["data"].as_array().unwrap().iter();
    ids.map(|feature| feature["id"].as_str().unwrap().to_owned()).collect()
}

#[track_caller]
fn archive(shop: &Shop, feature: &str) {
    let archived = shop.post(&format!("{PATH}/{feature}"), "active=false").done();
    assert_eq!(archived["active"], json!(false));
}

#[test]
fn a_key_and_a_name_have_1_to_80_characters_of_however_many_bytes() {
    let shop = shop();
    for letter in ["a", "é", "€", "🗝"] {
        let (most, more) = (letter.repeat(80), letter.repeat(81));
        let made = shop.post(PATH, &format!("lookup_key={most}&name={most}")).done();
        assert_eq!([&made["lookup_key"], &made["name"]], [&json!(most), &json!(most)]);
        let head = letter.repeat(60);
        let message = format!("Invalid string: {head}…; must be at most 80 characters");
        for (param, target, form) in [
            ("lookup_key", PATH.to_owned(), format!("lookup_key={more}&name=x")),
            ("name", PATH.to_owned(), format!("lookup_key=x&name={more}")),
            ("name", format!("{PATH}/{}", made["id"].as_str().unwrap()), format!("name={more}")),
        ] {
            let refused = shop.post(&target, &form);
            let expected = (400, "parameter_invalid", param, message.as_str());
            assert_eq!(refused.refusal(), expected, "{letter}");
        }
    }
    for (param, form) in [("lookup_key", "lookup_key=&name=x"), ("name", "lookup_key=x&name=")] {
        let refused = shop.post(PATH, form);
        let (status, code, about, _) = refused.refusal();
        assert_eq!((status, code, about), (400, "parameter_invalid_empty", param));
    }
    assert_eq!(listed(&shop, "lookup_key=x"), [""; 0]);
}

#[test]
fn a_key_that_is_none_at_the_edge_is_none_here() {
    let shop = shop();
    for (key, written) in
        [("sms\n", "sms%0A"), ("\0", "%00"), ("\u{7f}", "%7F"), ("\u{85}", "%C2%85")]
    {
        assert_eq!(LookupKey::try_from(key), Err(id::Error::ControlCharacter), "{key:?}");
        let refused = shop.post(PATH, &format!("lookup_key={written}&name=x"));
        let (status, _, param, _) = refused.refusal();
        assert_eq!((status, param), (400, "lookup_key"), "{key:?}");
    }
}

#[test]
fn a_key_is_of_one_feature_that_is_not_archived() {
    let shop = shop();
    let sms = shop.feature("sms");
    let message = format!(
        "A feature with the lookup_key `sms` already exists: {sms}. Archive it, or use another key."
    );
    let again = shop.post(PATH, "lookup_key=sms&name=Other");
    let expected = (400, "resource_already_exists", "lookup_key", message.as_str());
    assert_eq!(again.refusal(), expected);
    for (why, key) in [("of other letters", "SMS"), ("with a blank", "sms+"), ("longer", "sms2")] {
        assert_eq!(shop.post(PATH, &format!("lookup_key={key}&name=x")).status, 200, "{why}");
    }
    assert_eq!(listed(&shop, "lookup_key=sms"), [sms.as_str()]);
}

#[test]
fn what_is_archived_stays_so_and_is_listed_apart() {
    let shop = shop();
    let (sms, fax) = (shop.feature("sms"), shop.feature("fax"));
    archive(&shop, &fax);
    let path = format!("{PATH}/{fax}");
    let before = shop.get(&path).done();
    let message =
        format!("The feature '{fax}' is archived and cannot be changed. Archiving is permanent.");
    for change in ["active=true", "active=false", "name=Telefax", "metadata[a]=1", ""] {
        let refused = shop.post(&path, change);
        assert_eq!(refused.refusal(), (400, "", "", message.as_str()), "{change}");
    }
    assert_eq!(shop.get(&path).done(), before);
    for (query, expected) in [
        ("", vec![&sms]),
        ("archived=false", vec![&sms]),
        ("archived=true", vec![&fax]),
        ("lookup_key=fax", vec![]),
        ("lookup_key=fax&archived=true", vec![&fax]),
        ("lookup_key=sms&archived=true", vec![]),
    ] {
        assert_eq!(listed(&shop, query).iter().collect::<Vec<_>>(), expected, "{query}");
    }
}

#[test]
fn a_key_is_free_again_each_time_that_its_feature_is_archived() {
    let shop = shop();
    let first = shop.feature("sms");
    archive(&shop, &first);
    let second = shop.feature("sms");
    archive(&shop, &second);
    let third = shop.feature("sms");
    assert_eq!(listed(&shop, "lookup_key=sms"), [third.as_str()]);
    assert_eq!(listed(&shop, "lookup_key=sms&archived=true"), [second, first]);
    assert_eq!(shop.post(PATH, "lookup_key=sms&name=x").status, 400);
}

#[test]
fn what_is_not_said_of_a_feature_stays_as_it_was() {
    let shop = shop();
    let made = shop.post(PATH, "lookup_key=sms&name=SMS&metadata[a]=1&metadata[b]=2").done();
    let path = format!("{PATH}/{}", made["id"].as_str().unwrap());
    for (form, name, metadata) in [
        ("", "SMS", json!({"a": "1", "b": "2"})),
        ("active=true", "SMS", json!({"a": "1", "b": "2"})),
        ("name=Texts", "Texts", json!({"a": "1", "b": "2"})),
        ("metadata[a]=&metadata[c]=3", "Texts", json!({"b": "2", "c": "3"})),
        ("metadata=", "Texts", json!({})),
    ] {
        let mut expected = made.clone();
        expected["name"] = json!(name);
        expected["metadata"] = metadata;
        assert_eq!(shop.post(&path, form).done(), expected, "{form}");
        assert_eq!(shop.get(&path).done(), expected, "{form}");
    }
}
