//! A question, carried from one call to another.

use entgate::{
    api::fast_path::{FastQuery, FastRoute},
    entitlement::Version,
    id::{CustomerKey, EntitlementId, Livemode, LookupKey},
    store::pagination::{Cursor, PageRequest},
};
use proptest::prelude::*;

fn question(route: FastRoute, livemode: bool, id: &str, at_least: u64) -> FastQuery {
    let customer = CustomerKey { livemode: Livemode::from(livemode), id: id.try_into().unwrap() };
    FastQuery { route, customer, at_least: Version(at_least) }
}

fn feature(text: &str) -> LookupKey {
    text.try_into().unwrap()
}

fn page(limit: usize, cursor: &Cursor<&str>) -> FastRoute {
    let id = |text: &str| EntitlementId::try_from(text).unwrap();
    let cursor = match cursor {
        Cursor::Start => Cursor::Start,
        Cursor::After(text) => Cursor::After(id(text)),
        Cursor::Before(text) => Cursor::Before(id(text)),
    };
    FastRoute::List(PageRequest { limit, cursor })
}

#[test]
fn a_question_is_carried_in_a_text_that_begins_with_the_key_of_its_record() {
    for (question, text) in [
        (
            question(FastRoute::Authorize(feature("sms")), true, "cus_ada", u64::MAX),
            "?live:cus_ada\n18446744073709551615\nauthorize\nsms",
        ),
        (
            question(FastRoute::Check(feature("sms")), false, "cus_ada", 0),
            "?test:cus_ada\n0\ncheck\nsms",
        ),
        (question(page(10, &Cursor::Start), false, "cus_ada", 7), "?test:cus_ada\n7\nlist\n10\n\n"),
        (
            question(page(1, &Cursor::After("ent_1")), false, "cus_ada", 0),
            "?test:cus_ada\n0\nlist\n1\nent_1\n",
        ),
        (
            question(page(100, &Cursor::Before("ent_1")), false, "cus_ada", 0),
            "?test:cus_ada\n0\nlist\n100\n\nent_1",
        ),
    ] {
        assert_eq!(question.encode(), text);
        assert_eq!(FastQuery::decode(text), Some(question), "{text:?}");
    }
}

#[test]
fn what_is_no_question_written_down_is_none() {
    for line in [
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
        assert_eq!(FastQuery::decode(line), None, "{line:?}");
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
        name.prop_map(|text| FastRoute::Check(feature(&text))),
        name.prop_map(|text| FastRoute::Authorize(feature(&text))),
        (1_usize..=100, cursor)
            .prop_map(|(limit, cursor)| FastRoute::List(PageRequest { limit, cursor })),
    ]
}

proptest! {
    #[test]
    fn a_question_is_the_same_once_carried(
        route in route(),
        livemode: bool,
        id in "[^\\p{Cc}]{1,20}",
        at_least: u64,
    ) {
        let question = question(route, livemode, &id, at_least);
        prop_assert_eq!(FastQuery::decode(&question.encode()), Some(question));
    }

    #[test]
    fn no_text_makes_the_reader_of_questions_panic(text: String) {
        prop_assert_eq!(FastQuery::decode(&text), None);
        let _ = FastQuery::decode(&format!("?test:cus_ada\n0\nlist\n{text}"));
    }
}
