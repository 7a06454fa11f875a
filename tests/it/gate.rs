//! What a client reads of what the edge says: vectors that the wasm and its JavaScript twin are held
//! to as well, and whatever proptest makes up, against what serde reads.

use entgate::{
    entitlement::{Decision, DenyReason},
    gate::{LineSet, replay},
    id::{CustomerId, LookupKey, Timestamp},
};
use proptest::prelude::*;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

/// The lines that a text makes.
fn lines(said: &str) -> Option<String> {
    let mut bytes = said.as_bytes().to_vec();
    let length = replay(&mut bytes)?;
    Some(String::from_utf8(bytes[..length].to_vec()).unwrap())
}

fn vectors() -> Value {
    serde_json::from_str(include_str!("../fixtures/gate.json")).unwrap()
}

#[test]
fn what_was_said_is_read_as_the_vectors_have_it() {
    for vector in vectors()["reads"].as_array().unwrap() {
        let said = vector["said"].as_str().unwrap();
        assert_eq!(lines(said).as_deref(), vector["lines"].as_str(), "{}", vector["why"]);
    }
}

#[test]
fn what_is_held_is_checked_as_the_vectors_have_it() {
    for vector in vectors()["checks"].as_array().unwrap() {
        let held = LineSet(vector["held"].as_str().unwrap().as_bytes());
        let feature = vector["feature"].as_str().unwrap().as_bytes();
        let now = Timestamp(vector["now"].as_i64().unwrap());
        let answer = match held.check(feature, now) {
            Decision::Deny(DenyReason::NotEntitled) => 0,
            Decision::Grant => 1,
            Decision::Deny(DenyReason::UnknownCustomer) => 2,
            Decision::Indeterminate => 3,
        };
        assert_eq!(answer, vector["answer"], "{}", vector["why"]);
    }
}

#[test]
fn a_text_that_ends_anywhere_before_its_end_makes_no_set() {
    for vector in vectors()["reads"].as_array().unwrap() {
        let said = vector["said"].as_str().unwrap().trim_end();
        if vector["lines"].is_null() || said.len() > 1_000 {
            continue;
        }
        for (end, _) in said.char_indices() {
            assert_eq!(lines(&said[..end]), None, "{end} bytes of {said}");
        }
    }
}

/// One text, as serde reads it.
#[derive(Deserialize)]
struct Text {
    #[serde(default, deserialize_with = "number")]
    version: Option<u64>,
    #[serde(default, deserialize_with = "number")]
    exp: Option<u64>,
    #[serde(default, deserialize_with = "given")]
    sub: Option<CustomerId>,
    #[serde(default, deserialize_with = "given")]
    livemode: Option<bool>,
    #[serde(default, rename = "as_of", deserialize_with = "null")]
    unheard_of: bool,
    #[serde(default, deserialize_with = "given")]
    entitlements: Option<Vec<LookupKey>>,
    #[serde(default, deserialize_with = "given")]
    data: Option<Vec<Item>>,
    #[serde(default, deserialize_with = "given")]
    has_more: Option<bool>,
    #[serde(default, deserialize_with = "given")]
    added: Option<Vec<LookupKey>>,
    #[serde(default, deserialize_with = "given")]
    removed: Option<Vec<LookupKey>>,
}

#[derive(Deserialize)]
struct Item {
    lookup_key: LookupKey,
}

/// Where a member is there, it has a value: null is none.
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

/// A number or null, and whether it is null.
fn null<'de, D: Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    Option::<serde_json::Number>::deserialize(from).map(|number| number.is_none())
}

fn number<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    let number = u64::deserialize(from)?;
    if number > 999_999_999_999_999 {
        return Err(serde::de::Error::custom("more than fifteen digits"));
    }
    Ok(Some(number))
}

/// What a set is, by serde's reading: its version, its end, its customer and mode, whether that one is
/// unheard of and whether there is more, and the keys.
#[derive(Debug, Eq, PartialEq)]
struct Set {
    version: u64,
    exp: u64,
    sub: Option<String>,
    live: bool,
    unheard_of: bool,
    more: bool,
    keys: Vec<String>,
}

fn by_serde(said: &str) -> Option<Set> {
    let texts: Vec<Text> = serde_json::from_str(said).ok()?;
    // Serde's derive reads a struct from an array too.
    let values: Vec<Value> = serde_json::from_str(said).ok()?;
    let items = values.iter().filter_map(|text| text["data"].as_array()).flatten();
    if !values.iter().chain(items).all(Value::is_object) {
        return None;
    }
    let changes = texts.iter().take_while(|text| text.added.is_some()).count();
    let (changes, base) = texts.split_at(changes);
    let (head, pages) = base.split_first()?;
    let mut version = head.version?;
    let mut keys: Vec<String> = Vec::new();
    let mut more = false;
    match &head.entitlements {
        Some(granted) if pages.is_empty() && head.data.is_none() && head.has_more.is_none() => {
            keys.extend(granted.iter().map(LookupKey::to_string));
        }
        None if !pages.is_empty() && head.data.is_none() && head.has_more.is_none() => {}
        _ => return None,
    }
    if head.removed.is_some() {
        return None;
    }
    for page in pages {
        let none = page.version.is_none() && page.exp.is_none() && page.entitlements.is_none();
        if !none || page.added.is_some() || page.removed.is_some() {
            return None;
        }
        keys.extend(page.data.as_ref()?.iter().map(|item| item.lookup_key.to_string()));
        more = page.has_more?;
    }
    for change in changes.iter().rev() {
        let other = change.exp.is_some() || change.entitlements.is_some();
        if other || change.data.is_some() || change.has_more.is_some() {
            return None;
        }
        version += 1;
        if change.version != Some(version) {
            return None;
        }
        let removed: Vec<_> = change.removed.as_ref()?.iter().map(LookupKey::to_string).collect();
        let added: Vec<_> = change.added.as_ref()?.iter().map(LookupKey::to_string).collect();
        keys.retain(|key| !removed.contains(key) && !added.contains(key));
        keys.splice(0..0, added);
    }
    let sub = texts.iter().filter_map(|text| text.sub.as_ref()).map(ToString::to_string).next();
    Some(Set {
        version,
        exp: head.exp?,
        sub,
        live: texts.iter().any(|text| text.livemode == Some(true)),
        unheard_of: head.unheard_of && changes.is_empty(),
        more,
        keys,
    })
}

fn by_lines(said: &str) -> Option<Set> {
    let lines = lines(said)?;
    let of = |kind: &str| -> Vec<String> {
        lines.lines().filter_map(|line| line.strip_prefix(kind)).map(str::to_owned).collect()
    };
    Some(Set {
        version: of("v")[0].parse().unwrap(),
        exp: of("e")[0].parse().unwrap(),
        sub: of("c").first().cloned(),
        live: !of("l").is_empty(),
        unheard_of: !of("u").is_empty(),
        more: !of("m").is_empty(),
        keys: of("+"),
    })
}

/// Keys that need every kind of escape.
fn key() -> impl Strategy<Value = String> {
    prop_oneof![4 => "[a-e]", 1 => "[\"\\\\/a-zé€😀\u{7f}\u{9f}\n]{0,4}"]
}

fn keys() -> impl Strategy<Value = Vec<String>> {
    proptest::collection::vec(key(), 0..4)
}

/// What nobody asked for, and what is of the wrong kind.
fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(|flag| json!(flag)),
        any::<i64>().prop_map(|number| json!(number)),
        any::<f64>().prop_map(|number| json!(number)),
        ".{0,3}".prop_map(|text| json!(text)),
    ];
    leaf.prop_recursive(4, 16, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            proptest::collection::vec((".{0,3}", inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// The texts of a set that is right, and how many changes are in it.
fn texts() -> impl Strategy<Value = Vec<Value>> {
    let change = (keys(), keys());
    let pages = proptest::collection::vec((keys(), any::<bool>()), 1..3);
    let head = (0_u64..3, any::<u32>(), any::<bool>(), any::<bool>());
    (proptest::collection::vec(change, 0..3), head, prop_oneof![keys().prop_map(Ok), pages.prop_map(Err)])
        .prop_map(|(changes, (version, exp, live, heard_of), base)| {
            let as_of = heard_of.then_some(5);
            let mut head = json!({ "sub": "cus_ada", "exp": exp, "version": version, "livemode": live, "as_of": as_of });
            let mut texts = Vec::new();
            let newest = version + changes.len() as u64;
            for (newer, (added, mut removed)) in changes.into_iter().enumerate() {
                removed.retain(|key| !added.contains(key));
                texts.push(json!({ "version": newest - newer as u64, "added": added, "removed": removed, "livemode": live }));
            }
            match base {
                Ok(keys) => head["entitlements"] = json!(keys),
                Err(pages) => {
                    texts.push(head);
                    texts.extend(pages.into_iter().map(|(keys, more)| {
                        let data: Vec<_> = keys.iter().map(|key| json!({ "id": "x", "lookup_key": key })).collect();
                        json!({ "data": data, "has_more": more, "url": "/" })
                    }));
                    return texts;
                }
            }
            texts.push(head);
            texts
        })
}

/// Something done to texts that makes them wrong, mostly.
#[derive(Clone, Debug)]
enum Harm {
    Member(usize, &'static str, Value),
    Without(usize, usize),
    Byte(usize, char),
    Twice(usize),
}

fn harm() -> impl Strategy<Value = Harm> {
    let names = vec![
        "version",
        "exp",
        "sub",
        "livemode",
        "as_of",
        "entitlements",
        "data",
        "has_more",
        "added",
        "removed",
        "other",
        "lookup_key",
    ];
    prop_oneof![
        (any::<usize>(), proptest::sample::select(names), anything())
            .prop_map(|(text, name, value)| Harm::Member(text, name, value)),
        (any::<usize>(), any::<usize>()).prop_map(|(text, member)| Harm::Without(text, member)),
        (
            any::<usize>(),
            proptest::sample::select("{}[],:\"\\ux0e1-+. \t\u{0}tn".chars().collect::<Vec<_>>())
        )
            .prop_map(|(at, character)| Harm::Byte(at, character)),
        any::<usize>().prop_map(Harm::Twice),
    ]
}

fn harmed(mut texts: Vec<Value>, harm: &Harm) -> String {
    let count = texts.len();
    match harm {
        Harm::Member(text, name, value) => {
            texts[text % count].as_object_mut().unwrap().insert((*name).into(), value.clone());
        }
        Harm::Without(text, member) => {
            let members = texts[text % count].as_object_mut().unwrap();
            let name = members.keys().nth(member % members.len()).unwrap().clone();
            members.remove(&name);
        }
        Harm::Twice(text) => texts.insert(text % count, texts[text % count].clone()),
        Harm::Byte(..) => {}
    }
    let mut said = json!(texts).to_string();
    if let Harm::Byte(at, character) = harm {
        let places: Vec<_> = said.char_indices().collect();
        let (at, old) = places[at % places.len()];
        said.replace_range(at..at + old.len_utf8(), &character.to_string());
    }
    said
}

#[track_caller]
fn agreed(said: &str) {
    assert_eq!(by_lines(said), by_serde(said), "{said}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn a_set_is_what_serde_reads(texts in texts()) {
        agreed(&json!(texts).to_string());
    }

    #[test]
    fn what_is_wrong_to_serde_is_wrong(texts in texts(), harm in harm()) {
        agreed(&harmed(texts, &harm));
    }

    #[test]
    fn whatever_the_bytes_are_they_are_read_or_refused(mut bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        prop_assert_eq!(replay(&mut bytes), None);
    }
}
