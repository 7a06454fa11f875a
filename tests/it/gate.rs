//! The browser core, with the vectors that the wasm and the JavaScript core also run, and with random
//! messages against serde.

use entgate::{
    entitlement::{Decision, DenyReason},
    gate::{LineSet, replay},
    id::{self, EntitlementId, LookupKey, Timestamp},
};
use proptest::prelude::*;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

/// Replays messages and returns the lines of the set.
fn lines(messages: &str) -> Option<String> {
    let mut bytes = messages.as_bytes().to_vec();
    let length = replay(&mut bytes)?;
    Some(String::from_utf8(bytes[..length].to_vec()).unwrap())
}

fn vectors() -> Value {
    serde_json::from_str(include_str!("../fixtures/gate.json")).unwrap()
}

#[test]
fn replay_returns_the_lines_of_the_vectors() {
    for vector in vectors()["replays"].as_array().unwrap() {
        let messages = vector["messages"].as_str().unwrap();
        assert_eq!(lines(messages).as_deref(), vector["lines"].as_str(), "{}", vector["why"]);
    }
}

#[test]
fn check_returns_the_decisions_of_the_vectors() {
    for vector in vectors()["checks"].as_array().unwrap() {
        let set = LineSet(vector["set"].as_str().unwrap().as_bytes());
        let feature = vector["feature"].as_str().unwrap().as_bytes();
        let now = Timestamp(vector["now"].as_i64().unwrap());
        let answer = match set.check(feature, now) {
            Decision::Deny(DenyReason::UnknownCustomer) => 2,
            Decision::Deny(_) => 0,
            Decision::Grant(_) => 1,
            Decision::Indeterminate => 3,
        };
        assert_eq!(answer, vector["answer"], "{}", vector["why"]);
    }
}

#[test]
fn truncated_messages_give_no_set() {
    for vector in vectors()["replays"].as_array().unwrap() {
        let messages = vector["messages"].as_str().unwrap().trim_end();
        if vector["lines"].is_null() || messages.len() > 1_000 {
            continue;
        }
        for (end, _) in messages.char_indices() {
            assert_eq!(lines(&messages[..end]), None, "{end} bytes of {messages}");
        }
    }
}

/// One message, decoded by serde.
#[derive(Deserialize)]
struct Message {
    #[serde(default, deserialize_with = "number")]
    version: Option<u64>,
    #[serde(default, deserialize_with = "number")]
    exp: Option<u64>,
    #[serde(default, deserialize_with = "not_null")]
    // The core does not know which characters the edge rejects in a customer's id.
    sub: Option<Parsed<EntitlementId>>,
    #[serde(default, deserialize_with = "not_null")]
    livemode: Option<bool>,
    #[serde(default, rename = "as_of", deserialize_with = "is_null")]
    unknown_customer: bool,
    #[serde(default, deserialize_with = "not_null")]
    entitlements: Option<Vec<Parsed<LookupKey>>>,
    #[serde(default, deserialize_with = "not_null")]
    data: Option<Vec<Item>>,
    #[serde(default, deserialize_with = "not_null")]
    has_more: Option<bool>,
    #[serde(default, deserialize_with = "not_null")]
    added: Option<Vec<Parsed<LookupKey>>>,
    #[serde(default, deserialize_with = "not_null")]
    removed: Option<Vec<Parsed<LookupKey>>>,
}

#[derive(Deserialize)]
struct Item {
    lookup_key: Parsed<LookupKey>,
}

/// An id or a key.
struct Parsed<T>(T);

impl<'de, T: TryFrom<String, Error = id::Error>> Deserialize<'de> for Parsed<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        T::try_from(String::deserialize(from)?).map(Self).map_err(serde::de::Error::custom)
    }
}

fn to_string<T: ToString>(Parsed(value): &Parsed<T>) -> String {
    value.to_string()
}

/// A member that may be missing but not null.
fn not_null<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

/// A number or null; returns whether it is null.
fn is_null<'de, D: Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    Option::<serde_json::Number>::deserialize(from).map(|number| number.is_none())
}

fn number<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    let number = u64::deserialize(from)?;
    if number > 999_999_999_999_999 {
        return Err(serde::de::Error::custom("more than fifteen digits"));
    }
    Ok(Some(number))
}

/// The content of a set.
#[derive(Debug, Eq, PartialEq)]
struct Set {
    version: u64,
    exp: u64,
    sub: Option<String>,
    live: bool,
    unknown_customer: bool,
    has_more: bool,
    keys: Vec<String>,
}

fn replay_with_serde(json: &str) -> Option<Set> {
    let messages: Vec<Message> = serde_json::from_str(json).ok()?;
    // serde's derive also decodes a struct from an array.
    let values: Vec<Value> = serde_json::from_str(json).ok()?;
    let items = values.iter().filter_map(|message| message["data"].as_array()).flatten();
    if !values.iter().chain(items).all(Value::is_object) {
        return None;
    }
    let changes = messages.iter().take_while(|message| message.added.is_some()).count();
    let (changes, base) = messages.split_at(changes);
    let (head, pages) = base.split_first()?;
    let mut version = head.version?;
    let mut keys: Vec<String> = Vec::new();
    let mut has_more = false;
    match &head.entitlements {
        Some(lookup_keys) if pages.is_empty() && head.data.is_none() && head.has_more.is_none() => {
            keys.extend(lookup_keys.iter().map(to_string));
        }
        None if !pages.is_empty() && head.data.is_none() && head.has_more.is_none() => {}
        _ => return None,
    }
    if head.removed.is_some() {
        return None;
    }
    for page in pages {
        let is_page = page.version.is_none() && page.exp.is_none() && page.entitlements.is_none();
        if !is_page || page.added.is_some() || page.removed.is_some() {
            return None;
        }
        keys.extend(page.data.as_ref()?.iter().map(|item| to_string(&item.lookup_key)));
        has_more = page.has_more?;
    }
    for change in changes.iter().rev() {
        let has_other_members = change.exp.is_some() || change.entitlements.is_some();
        if has_other_members || change.data.is_some() || change.has_more.is_some() {
            return None;
        }
        version += 1;
        if change.version != Some(version) {
            return None;
        }
        let removed: Vec<_> = change.removed.as_ref()?.iter().map(to_string).collect();
        let added: Vec<_> = change.added.as_ref()?.iter().map(to_string).collect();
        keys.retain(|key| !removed.contains(key) && !added.contains(key));
        keys.splice(0..0, added);
    }
    let sub = messages.iter().filter_map(|message| message.sub.as_ref()).map(to_string).next();
    Some(Set {
        version,
        exp: head.exp?,
        sub,
        live: messages.iter().any(|message| message.livemode == Some(true)),
        unknown_customer: head.unknown_customer && changes.is_empty(),
        has_more,
        keys,
    })
}

fn replay_into_lines(json: &str) -> Option<Set> {
    let lines = lines(json)?;
    let values_of = |kind: &str| -> Vec<String> {
        lines.lines().filter_map(|line| line.strip_prefix(kind)).map(str::to_owned).collect()
    };
    Some(Set {
        version: values_of("v")[0].parse().unwrap(),
        exp: values_of("e")[0].parse().unwrap(),
        sub: values_of("c").first().cloned(),
        live: !values_of("l").is_empty(),
        unknown_customer: !values_of("u").is_empty(),
        has_more: !values_of("m").is_empty(),
        keys: values_of("+"),
    })
}

/// Lookup keys, some of which need escapes or are not valid.
fn key() -> impl Strategy<Value = String> {
    prop_oneof![4 => "[a-e]", 1 => "[\"\\\\/a-zé€😀\u{7f}\u{9f}\n]{0,4}"]
}

fn keys() -> impl Strategy<Value = Vec<String>> {
    proptest::collection::vec(key(), 0..4)
}

/// Any JSON value.
fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(|value| json!(value)),
        any::<i64>().prop_map(|number| json!(number)),
        any::<f64>().prop_map(|number| json!(number)),
        ".{0,3}".prop_map(|string| json!(string)),
    ];
    leaf.prop_recursive(4, 16, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            proptest::collection::vec((".{0,3}", inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// The messages of a valid set.
fn valid_messages() -> impl Strategy<Value = Vec<Value>> {
    let change = (keys(), keys());
    let pages = proptest::collection::vec((keys(), any::<bool>()), 1..3);
    let head = (0_u64..3, any::<u32>(), any::<bool>(), any::<bool>());
    (proptest::collection::vec(change, 0..3), head, prop_oneof![keys().prop_map(Ok), pages.prop_map(Err)])
        .prop_map(|(changes, (version, exp, live, is_known), base)| {
            let as_of = is_known.then_some(5);
            let mut head = json!({ "sub": "cus_ada", "exp": exp, "version": version, "livemode": live, "as_of": as_of });
            let mut messages = Vec::new();
            let newest = version + changes.len() as u64;
            for (index, (added, mut removed)) in changes.into_iter().enumerate() {
                removed.retain(|key| !added.contains(key));
                messages.push(json!({ "version": newest - index as u64, "added": added, "removed": removed, "livemode": live }));
            }
            match base {
                Ok(keys) => head["entitlements"] = json!(keys),
                Err(pages) => {
                    messages.push(head);
                    messages.extend(pages.into_iter().map(|(keys, has_more)| {
                        let data: Vec<_> = keys.iter().map(|key| json!({ "id": "x", "lookup_key": key })).collect();
                        json!({ "data": data, "has_more": has_more, "url": "/" })
                    }));
                    return messages;
                }
            }
            messages.push(head);
            messages
        })
}

/// A change of messages that mostly makes them invalid.
#[derive(Clone, Debug)]
enum Mutation {
    SetMember(usize, &'static str, Value),
    RemoveMember(usize, usize),
    ReplaceCharacter(usize, char),
    DuplicateMessage(usize),
}

fn mutation() -> impl Strategy<Value = Mutation> {
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
        (any::<usize>(), proptest::sample::select(names), any_value())
            .prop_map(|(message, name, value)| Mutation::SetMember(message, name, value)),
        (any::<usize>(), any::<usize>())
            .prop_map(|(message, member)| Mutation::RemoveMember(message, member)),
        (
            any::<usize>(),
            proptest::sample::select("{}[],:\"\\ux0e1-+. \t\u{0}tn".chars().collect::<Vec<_>>())
        )
            .prop_map(|(index, character)| Mutation::ReplaceCharacter(index, character)),
        any::<usize>().prop_map(Mutation::DuplicateMessage),
    ]
}

fn mutate(mut messages: Vec<Value>, mutation: &Mutation) -> String {
    let count = messages.len();
    match mutation {
        Mutation::SetMember(message, name, value) => {
            let members = messages[message % count].as_object_mut().unwrap();
            members.insert((*name).into(), value.clone());
        }
        Mutation::RemoveMember(message, member) => {
            let members = messages[message % count].as_object_mut().unwrap();
            let name = members.keys().nth(member % members.len()).unwrap().clone();
            members.remove(&name);
        }
        Mutation::DuplicateMessage(message) => {
            messages.insert(message % count, messages[message % count].clone());
        }
        Mutation::ReplaceCharacter(..) => {}
    }
    let mut json = json!(messages).to_string();
    if let Mutation::ReplaceCharacter(index, character) = mutation {
        let positions: Vec<_> = json.char_indices().collect();
        let (start, replaced) = positions[index % positions.len()];
        json.replace_range(start..start + replaced.len_utf8(), &character.to_string());
    }
    json
}

#[track_caller]
fn assert_same_as_serde(json: &str) {
    assert_eq!(replay_into_lines(json), replay_with_serde(json), "{json}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn valid_messages_give_the_same_set_as_serde(messages in valid_messages()) {
        assert_same_as_serde(&json!(messages).to_string());
    }

    #[test]
    fn messages_that_serde_rejects_give_no_set(messages in valid_messages(), mutation in mutation()) {
        assert_same_as_serde(&mutate(messages, &mutation));
    }

    #[test]
    fn random_bytes_give_no_set_and_no_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        prop_assert_eq!(replay(&mut bytes), None);
    }
}
