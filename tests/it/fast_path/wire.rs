//! The strings that the fast path exchanges with JavaScript.

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
    entitlement::{SummaryPage, Version},
    id::{CustomerId, CustomerKey, EntitlementId, Livemode, LookupKey, Timestamp},
    json,
    store::{
        ServedBy,
        ledger_request::LedgerRequest,
        pagination::{Cursor, PageRequest},
        record::FeatureLookup,
    },
};
use proptest::prelude::*;

use crate::support::{grants, summary};

fn query(route: FastRoute, livemode: bool, id: &str, at_least: u64) -> FastQuery {
    let customer = CustomerKey { livemode: Livemode::from(livemode), id: id.try_into().unwrap() };
    FastQuery { route, customer, at_least: Version(at_least) }
}

fn feature(key: &str) -> LookupKey {
    key.try_into().unwrap()
}

fn page(limit: usize, cursor: &Cursor<&str>) -> FastRoute {
    let id = |id: &str| EntitlementId::try_from(id).unwrap();
    let cursor = match cursor {
        Cursor::Start => Cursor::Start,
        Cursor::After(cursor) => Cursor::After(id(cursor)),
        Cursor::Before(cursor) => Cursor::Before(id(cursor)),
    };
    FastRoute::List(PageRequest { limit, cursor })
}

#[test]
fn an_encoded_query_begins_with_the_key_of_its_record() {
    for (query, encoded) in [
        (
            query(FastRoute::Authorize(feature("sms")), true, "cus_ada", u64::MAX),
            "?live:cus_ada\n18446744073709551615\nauthorize\nsms",
        ),
        (
            query(FastRoute::Check(feature("sms")), false, "cus_ada", 0),
            "?test:cus_ada\n0\ncheck\nsms",
        ),
        (query(page(10, &Cursor::Start), false, "cus_ada", 7), "?test:cus_ada\n7\nlist\n10\n\n"),
        (
            query(page(1, &Cursor::After("ent_1")), false, "cus_ada", 0),
            "?test:cus_ada\n0\nlist\n1\nent_1\n",
        ),
        (
            query(page(100, &Cursor::Before("ent_1")), false, "cus_ada", 0),
            "?test:cus_ada\n0\nlist\n100\n\nent_1",
        ),
    ] {
        assert_eq!(encode_query(&query), encoded);
        assert_eq!(decode_query(encoded), Some(query), "{encoded:?}");
    }
}

#[test]
fn a_malformed_query_is_not_decoded() {
    for encoded in [
        "",
        "?",
        "test:cus_ada\n0\ncheck\nsms",
        "?cus_ada\n0\ncheck\nsms",
        "?test:\n0\ncheck\nsms",
        "?test:cus_ada\n-1\ncheck\nsms",
        "?test:cus_ada\n0\nsync\nsms",
        "?test:cus_ada\n0\ncheck",
        "?test:cus_ada\n0\ncheck\n",
        "?test:cus_ada\n0\ncheck\nsms\n",
        "?test:cus_ada\n0\nlist",
        "?test:cus_ada\n0\nlist\n10\n",
        "?test:cus_ada\n0\nlist\n0\n\n",
        "?test:cus_ada\n0\nlist\n101\n\n",
        "?test:cus_ada\n0\nlist\n10\nent_1\nent_2",
        "?test:cus_ada\n0\nlist\n10\n\n\n",
    ] {
        assert_eq!(decode_query(encoded), None, "{encoded:?}");
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

#[test]
fn an_answer_is_encoded_as_a_check_object_or_as_a_response() {
    let customer = CustomerId::try_from("cus_ada").unwrap();
    let (version, as_of) = (Version(7), Timestamp(-1));
    let lookup = FeatureLookup { entitled: true, version, as_of };
    let list = FastList { body: "{}".to_owned(), version, as_of, served_by: ServedBy::Replica };
    for (answer, encoded) in [
        (FastAnswer::Check("{\"a\":1}".to_owned()), "{\"a\":1}"),
        (
            FastAnswer::Granted(lookup, ServedBy::Memory),
            "204\nentgate-version: 7\nentgate-as-of: -1\nentgate-served-by: memory\n\
             cache-control: no-store\nvary: Origin\nentgate-customer: cus_ada\n\n",
        ),
        (
            FastAnswer::List(list),
            "200\nentgate-version: 7\nentgate-as-of: -1\nentgate-served-by: replica\n\
             cache-control: no-store\nvary: Origin\ncontent-type: application/json\n\n{}",
        ),
    ] {
        assert_eq!(encode_answer(answer, &customer), encoded);
    }
}

#[test]
fn a_response_is_encoded_with_its_status_headers_and_body() {
    let mut response = Response::new(b"{}".to_vec());
    *response.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
    response.headers_mut().insert("retry-after", http::HeaderValue::from_static("1"));
    assert_eq!(encode_response(&response), "503\nretry-after: 1\n\n{}");
}

#[test]
fn an_encoded_event_names_the_customer_and_the_event_before_the_request() {
    let summary = summary("evt_1", 1, SummaryPage::Complete(grants(&["sms"])));
    let encoded = encode_event(summary.clone()).unwrap();
    let request = encoded.strip_prefix("!test:cus_ada\nevt_1\n").unwrap();
    assert_eq!(
        json::from_slice::<LedgerRequest>(request.as_bytes()),
        Ok(LedgerRequest::Apply(summary.clone()))
    );
    assert_eq!(decode_event(&encoded), Some((summary.customer, summary.event)));
    for malformed in ["", "!", "test:cus_ada\nevt_1\n{}", "!cus_ada\nevt_1\n{}", "!test:cus_ada"] {
        assert_eq!(decode_event(malformed), None, "{malformed:?}");
    }
}

proptest! {
    #[test]
    fn a_decoded_query_equals_the_encoded_one(
        route in route(),
        livemode: bool,
        id in "[^\\p{Cc}]{1,20}",
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
