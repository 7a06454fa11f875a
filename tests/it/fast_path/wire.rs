//! The strings that the fast path exchanges with JavaScript: the vectors of `tests/vectors`, which the tests of
//! the JavaScript side read too.

use entgate::{
    api::{
        Response,
        fast_path::{
            FastAnswer, FastList, FastQuery, FastRoute,
            wire::{
                decode_event, decode_query, encode_answer, encode_event, encode_query,
                encode_response,
            },
        },
    },
    entitlement::{Decision, GrantReason, Summary, Version},
    id::{CustomerId, CustomerKey, EntitlementId, Livemode, LookupKey, Timestamp},
    json,
    pagination::{Cursor, PageRequest},
    store::{ServedBy, record::FeatureLookup},
};
use proptest::prelude::*;
use serde_json::Value;

/// The vectors of this section, each with its purpose and its encoded string.
fn vectors(section: &str) -> Vec<(Value, String, String)> {
    let file: Value = serde_json::from_str(include_str!("../../vectors/fast-path.json")).unwrap();
    let vectors = file[section].as_array().unwrap().iter();
    vectors.map(|vector| (vector.clone(), text(&vector["why"]), text(&vector["encoded"]))).collect()
}

/// A string of a vector: a string, or a list of strings and of strings with their repetitions.
fn text(value: &Value) -> String {
    match value {
        Value::String(string) => string.clone(),
        parts => (parts.as_array().unwrap().iter())
            .map(|part| match part {
                Value::String(string) => string.clone(),
                part => {
                    let times = part[1].as_u64().unwrap().try_into().unwrap();
                    part[0].as_str().unwrap().repeat(times)
                }
            })
            .collect(),
    }
}

fn number<T: std::str::FromStr<Err: std::fmt::Debug>>(value: &Value) -> T {
    value.as_str().unwrap().parse().unwrap()
}

fn query(route: FastRoute, livemode: bool, id: &str, at_least: u64) -> FastQuery {
    let customer = CustomerKey { livemode: Livemode::from(livemode), id: id.try_into().unwrap() };
    FastQuery { route, customer, at_least: Version(at_least) }
}

fn feature(key: &str) -> LookupKey {
    key.try_into().unwrap()
}

fn route_of(vector: &Value) -> FastRoute {
    let (name, arguments) = vector["route"].as_object().unwrap().iter().next().unwrap();
    match name.as_str() {
        "check" => FastRoute::Check(feature(&text(arguments))),
        "authorize" => FastRoute::Authorize(feature(&text(arguments))),
        _ => {
            let id = |name: &str| EntitlementId::try_from(text(&arguments[name]));
            let cursor = match (id("starting_after"), id("ending_before")) {
                (Ok(id), _) => Cursor::After(id),
                (_, Ok(id)) => Cursor::Before(id),
                _ => Cursor::Start,
            };
            let limit = arguments["limit"].as_u64().unwrap().try_into().unwrap();
            FastRoute::List(PageRequest { limit, cursor })
        }
    }
}

fn answer_of(vector: &Value) -> FastAnswer {
    let (name, answer) = vector["answer"].as_object().unwrap().iter().next().unwrap();
    if name == "check" {
        return FastAnswer::Check(text(answer));
    }
    let (version, as_of) =
        (Version(number(&answer["version"])), Timestamp(number(&answer["as_of"])));
    let served_by: ServedBy = json::from_slice(answer["served_by"].to_string().as_bytes()).unwrap();
    if name == "granted" {
        let lookup = FeatureLookup {
            version,
            record_version: version,
            as_of: Some(as_of),
            decision: Decision::Grant(GrantReason::ActiveEntitlement),
        };
        return FastAnswer::Granted(lookup, served_by);
    }
    FastAnswer::List(FastList { body: text(&answer["body"]), version, as_of, served_by })
}

fn response_of(vector: &Value) -> Response {
    let status = u16::try_from(vector["status"].as_u64().unwrap()).unwrap();
    let mut response = http::Response::builder().status(status);
    for (name, value) in vector["headers"].as_object().unwrap() {
        response = response.header(name, text(value));
    }
    response.body(text(&vector["body"]).into_bytes()).unwrap()
}

fn summary_of(vector: &Value) -> Summary {
    let mut summary = vector["summary"].clone();
    for id in ["/event", "/customer/id"] {
        let id = summary.pointer_mut(id).unwrap();
        *id = text(id).into();
    }
    json::from_slice(summary.to_string().as_bytes()).unwrap()
}

#[test]
fn a_query_is_encoded_as_in_the_vectors() {
    for (vector, why, encoded) in vectors("queries") {
        let livemode = vector["livemode"].as_bool().unwrap();
        let (customer, at_least) = (text(&vector["customer"]), number(&vector["at_least"]));
        let query = query(route_of(&vector), livemode, &customer, at_least);
        assert_eq!(encode_query(&query), encoded, "{why}");
        assert_eq!(query.customer.to_key(), text(&vector["record_key"]), "{why}");
        assert_eq!(decode_query(&encoded), Some(query), "{why}");
    }
}

#[test]
fn a_malformed_query_is_not_decoded() {
    for (_, why, encoded) in vectors("invalid_queries") {
        assert_eq!(decode_query(&encoded), None, "{why}");
    }
}

#[test]
fn an_answer_is_encoded_as_in_the_vectors() {
    for (vector, why, encoded) in vectors("answers") {
        let customer = CustomerId::try_from(text(&vector["customer"])).unwrap();
        assert_eq!(encode_answer(answer_of(&vector), &customer), encoded, "{why}");
    }
}

#[test]
fn a_response_is_encoded_as_in_the_vectors() {
    for (vector, why, encoded) in vectors("responses") {
        assert_eq!(encode_response(&response_of(&vector)), encoded, "{why}");
    }
}

#[test]
fn an_event_is_encoded_as_in_the_vectors() {
    for (vector, why, encoded) in vectors("events") {
        let summary = summary_of(&vector);
        assert_eq!(summary.customer.to_key(), text(&vector["key"]), "{why}");
        assert_eq!(encode_event(summary.clone()), Some(encoded.clone()), "{why}");
        let decoded = Some((summary.customer, summary.event));
        assert_eq!(decode_event(&encoded), decoded, "{why}");
    }
}

#[test]
fn a_malformed_event_is_not_decoded() {
    for (_, why, encoded) in vectors("invalid_events") {
        assert_eq!(decode_event(&encoded), None, "{why}");
    }
}

fn route() -> impl Strategy<Value = FastRoute> {
    let name = "[^\\p{Cc}]{1,20}";
    let cursor = prop_oneof![
        Just(Cursor::Start),
        name.prop_map(|id| Cursor::After(id.try_into().unwrap())),
        name.prop_map(|id| Cursor::Before(id.try_into().unwrap())),
    ];
    prop_oneof![
        name.prop_map(|key| FastRoute::Check(feature(&key))),
        name.prop_map(|key| FastRoute::Authorize(feature(&key))),
        (1_usize..=100, cursor)
            .prop_map(|(limit, cursor)| FastRoute::List(PageRequest { limit, cursor })),
    ]
}

proptest! {
    #[test]
    fn a_decoded_query_equals_the_encoded_one(
        route in route(),
        livemode: bool,
        id in "[!-~é山🦀]{1,20}",
        at_least: u64,
    ) {
        let query = query(route, livemode, &id, at_least);
        prop_assert_eq!(decode_query(&encode_query(&query)), Some(query));
    }

    #[test]
    fn no_string_makes_the_decoder_panic(string: String) {
        prop_assert_eq!(decode_query(&string), None);
        let _ = decode_query(&format!("?test:cus_ada\n0\nlist\n{string}"));
    }
}
