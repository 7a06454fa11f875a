//! Lists on the hot path.

use entgate::{
    api::fast_path::{self, FastAnswer, FastQuery, FastRoute},
    entitlement::{
        ActiveEntitlement,
        Completeness::{Complete, Partial},
        Entitlements, Version,
    },
    id::{CustomerKey, Livemode, Timestamp},
    store::{
        Replica as _, ServedBy,
        pagination::{Cursor, PageRequest},
        record,
    },
};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{KEY, asked, with_ada};
use crate::{
    support::{Service, configured, customer, event, grants, service},
    token_fixtures::{self, token},
};

const LIST: &str = "/v1/entitlements/active_entitlements";

/// What the hot path answers to this query, asked with a server key.
fn listed(service: &Service, query: &str) -> Option<String> {
    asked(service, &format!("{LIST}?{query}"), &[("authorization", KEY)])
}

#[test]
fn a_plain_list_is_stripes_to_the_letter() {
    let service = with_ada();
    let answer = listed(&service, "customer=cus_ada&limit=1").unwrap();
    assert_eq!(
        answer,
        r#"{"object":"list","data":[{"id":"ent_test_sms","object":"entitlements.active_entitlement","feature":"feat_test_sms","livemode":false,"lookup_key":"sms"}],"has_more":true,"url":"/v1/entitlements/active_entitlements"}"#
    );
    service.stripe_sends(&event("cus_ada", 1_700_000_001, &[], false));
    assert_eq!(
        listed(&service, "customer=cus_ada").unwrap(),
        r#"{"object":"list","data":[],"has_more":false,"url":"/v1/entitlements/active_entitlements"}"#
    );
}

#[test]
fn each_mode_has_its_own_list() {
    let service = with_ada();
    let set = Entitlements {
        version: Version(1),
        as_of: Timestamp(-1),
        completeness: Complete,
        data: grants(&["fax"]),
    };
    let live = CustomerKey { livemode: Livemode::Live, ..customer("cus_ada") };
    pollster::block_on(service.store.replica.save(&live, &set)).unwrap();
    let target = format!("{LIST}?customer=cus_ada");
    let headers = [("authorization", "Bearer sk_live_entgate")];
    assert_eq!(
        asked(&service, &target, &headers).unwrap(),
        r#"{"object":"list","data":[{"id":"ent_test_fax","object":"entitlements.active_entitlement","feature":"feat_test_fax","livemode":true,"lookup_key":"fax"}],"has_more":false,"url":"/v1/entitlements/active_entitlements"}"#
    );
    assert_eq!(service.request("GET", &target, &headers, b"").keys(), ["fax"]);
}

#[test]
fn a_customers_own_token_lists_that_customer_alone() {
    let service = token_fixtures::with_ada(&[]);
    let bearer = format!("Bearer {}", token(&json!({})));
    for (target, answers) in [
        (LIST.to_owned(), true),
        (format!("{LIST}?"), true),
        (format!("{LIST}?limit=3"), true),
        (format!("{LIST}?customer=cus_ada"), true),
        (format!("{LIST}?customer=cus_bob"), false),
        (format!("{LIST}?expand[]=data.feature"), false),
    ] {
        let headers = [("authorization", bearer.as_str())];
        let answered = asked(&service, &target, &headers);
        assert_eq!(answered.is_some(), answers, "{target}");
        let long = service.request("GET", &target, &headers, b"");
        assert_eq!(long.status == 200, answers, "{target}");
    }
}

#[test]
fn a_page_goes_forth_and_back_from_a_cursor_and_what_is_no_page_goes_the_long_way() {
    let names: Vec<_> = (0..101).map(|n| format!("f{n}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let service = service();
    service.stripe_sends(&event("cus_ada", 1_700_000_000, &names, false));
    for (query, expected) in [
        ("", Some((0..10, true))),
        ("&limit=1", Some((0..1, true))),
        ("&limit=100", Some((0..100, true))),
        ("&limit=0100", Some((0..100, true))),
        ("&limit=0", None),
        ("&limit=101", None),
        ("&limit=", None),
        ("&limit=-1", None),
        ("&limit=ten", None),
        ("&limit=18446744073709551617", None),
        ("&limit=1&limit=2", None),
        ("&limit=100&starting_after=ent_test_f0", Some((1..101, false))),
        ("&limit=99&starting_after=ent_test_f0", Some((1..100, true))),
        ("&starting_after=ent_test_f99", Some((100..101, false))),
        ("&starting_after=ent_test_f100", Some((101..101, false))),
        ("&starting_after=ent_test_f101", None),
        ("&starting_after=ent_test_f", None),
        ("&starting_after=f0", None),
        ("&starting_after=feat_test_f0", None),
        ("&starting_after=", None),
        ("&limit=2&ending_before=ent_test_f100", Some((98..100, true))),
        ("&limit=2&ending_before=ent_test_f2", Some((0..2, false))),
        ("&limit=2&ending_before=ent_test_f1", Some((0..1, false))),
        ("&ending_before=ent_test_f0", Some((0..0, false))),
        ("&ending_before=ent_test_f101", None),
        ("&ending_before=", None),
        ("&starting_after=ent_test_f0&ending_before=ent_test_f2", None),
        ("&starting_after=ent%5Ftest_f0", None),
    ] {
        let found = listed(&service, &format!("customer=cus_ada{query}")).map(|body| {
            let body: Value = serde_json::from_str(&body).unwrap();
            let data = body["data"].as_array().unwrap().clone();
            let keys = data.iter().map(|item| item["lookup_key"].as_str().unwrap().to_owned());
            (keys.collect::<Vec<_>>(), body["has_more"].as_bool().unwrap())
        });
        let expected = expected.map(|(range, more)| {
            (names[range].iter().map(ToString::to_string).collect::<Vec<_>>(), more)
        });
        assert_eq!(found, expected, "{query}");
        service.get(&format!("{LIST}?customer=cus_ada{query}"));
    }
}

#[test]
fn what_is_no_plain_list_goes_the_long_way() {
    let service = with_ada();
    for (why, target) in [
        ("nobody is named", LIST.to_owned()),
        ("nobody is known", format!("{LIST}?customer=cus_bob")),
        ("features to be shown whole", format!("{LIST}?customer=cus_ada&expand[]=data.feature")),
        ("an empty expand", format!("{LIST}?customer=cus_ada&expand=")),
        ("the ledger", format!("{LIST}?customer=cus_ada&fresh=true")),
        ("not the ledger, in words", format!("{LIST}?customer=cus_ada&fresh=false")),
        ("a feature", format!("{LIST}?customer=cus_ada&feature=sms")),
        ("an unknown parameter", format!("{LIST}?customer=cus_ada&created=1")),
        ("an escape", format!("{LIST}?customer=cus%5Fada")),
        ("a newer one", format!("{LIST}?customer=cus_ada&at_least=2")),
        ("one of them", format!("{LIST}/ent_test_sms?customer=cus_ada")),
        ("a slash at the end", format!("{LIST}/?customer=cus_ada")),
        ("the path of a summary", "/v1/customer/cus_ada/entitlements?limit=1".to_owned()),
        ("a check of a page", "/v1/check?customer=cus_ada&feature=sms&limit=1".to_owned()),
        (
            "a proxy that pages",
            "/v1/authorize?customer=cus_ada&feature=sms&starting_after=ent_1".to_owned(),
        ),
    ] {
        assert_eq!(asked(&service, &target, &[("authorization", KEY)]), None, "{why}");
    }
    assert_eq!(asked(&service, &format!("{LIST}?customer=cus_ada"), &[]), None, "nobody asks");
    assert!(listed(&service, "customer=cus_ada&at_least=1").is_some(), "new enough");

    service.stripe_sends(&event("cus_ada", 1_700_000_001, &["sms"], true));
    assert_eq!(listed(&service, "customer=cus_ada"), None, "known in part");
}

#[test]
fn the_catalog_answers_its_lists_itself() {
    for (source, answers) in [("stripe", true), ("catalog", false)] {
        let service = configured(&[
            ("ENTGATE_API_KEYS", "sk_test_entgate"),
            ("STRIPE_WEBHOOK_SECRETS", "whsec_test_entgate"),
            ("ENTGATE_SOURCE", source),
        ]);
        service.stripe_sends(&event("cus_ada", 1_700_000_000, &["sms"], false));
        assert_eq!(listed(&service, "customer=cus_ada").is_some(), answers, "{source}");
        let check = "/v1/check?customer=cus_ada&feature=sms";
        assert!(asked(&service, check, &[("authorization", KEY)]).is_some(), "{source}");
    }
}

/// The first page of a set.
fn told(set: &Entitlements, served_by: ServedBy) -> Option<FastAnswer> {
    let question = page_of(10, &Cursor::Start, Livemode::Test);
    fast_path::answer_from_record(&question, &record::encode(set).unwrap(), served_by)
}

fn page_of(limit: usize, cursor: &Cursor<&str>, livemode: Livemode) -> FastQuery {
    let cursor = match cursor {
        Cursor::Start => Cursor::Start,
        Cursor::After(id) => Cursor::After((*id).try_into().unwrap()),
        Cursor::Before(id) => Cursor::Before((*id).try_into().unwrap()),
    };
    let route = FastRoute::List(PageRequest { limit, cursor });
    FastQuery {
        route,
        customer: CustomerKey { livemode, ..customer("cus_ada") },
        at_least: Version(0),
    }
}

#[test]
fn no_list_is_told_from_memory_since_it_lacks_what_was_paid_for_a_moment_ago() {
    let set = Entitlements {
        version: Version(1),
        as_of: Timestamp(1),
        completeness: Complete,
        data: grants(&["sms"]),
    };
    assert_eq!(told(&set, ServedBy::Memory), None);
    assert!(told(&set, ServedBy::Replica).is_some());
    assert_eq!(told(&Entitlements { completeness: Partial, ..set }, ServedBy::Replica), None);
}

proptest! {
    #[test]
    fn a_list_is_what_the_set_would_be_written_as(
        version: u64,
        as_of in i64::MIN + 1..,
        live: bool,
        names in proptest::collection::vec(["[a,\"\\\\\\]é ]{1,4}", "[^\\p{Cc}]{1,4}", "[^\\p{Cc}]{1,20}"], 0..20),
        limit in 1_usize..=100,
        place: prop::sample::Index,
        direction in 0..3,
    ) {
        let data: Vec<_> = names
            .iter()
            .map(|[id, feature, key]| ActiveEntitlement {
                id: id.as_str().try_into().unwrap(),
                feature: feature.as_str().try_into().unwrap(),
                lookup_key: key.as_str().try_into().unwrap(),
            })
            .collect();
        let index = place.index(data.len().max(1)).min(data.len());
        let id = data.get(index).map_or("ent_none", |granted| granted.id.as_str()).to_owned();
        // Of two with one id the first one counts.
        let index = data.iter().position(|granted| granted.id.as_str() == id);
        let (cursor, range) = match (direction, index) {
            (0, _) => (Cursor::Start, Some((0, limit))),
            (1, index) => (Cursor::After(&*id), index.map(|at| (at + 1, at + 1 + limit))),
            (_, index) => (Cursor::Before(&*id), index.map(|at| (at.saturating_sub(limit), at))),
        };
        let more = |(start, end)| if direction == 2 { start > 0 } else { end < data.len() };
        let expected = range.map(|(start, end)| {
            let items: Vec<_> = data[start..end.min(data.len())]
                .iter()
                .map(|granted| {
                    json!({
                        "id": granted.id.as_str(),
                        "object": "entitlements.active_entitlement",
                        "feature": granted.feature.as_str(),
                        "livemode": live,
                        "lookup_key": granted.lookup_key.as_str(),
                    })
                })
                .collect();
            let has_more = more((start, end));
            json!({ "object": "list", "data": items, "has_more": has_more, "url": LIST })
                .to_string()
        });
        // A cursor with an escape goes the long way.
        let expected = expected.filter(|_| direction == 0 || !id.contains(['"', '\\']));
        let expected = expected.map(|body| fast_path::FastList {
            body,
            version: Version(version),
            as_of: Timestamp(as_of),
            served_by: ServedBy::Replica,
        });

        let set = Entitlements {
            version: Version(version),
            as_of: Timestamp(as_of),
            completeness: Complete,
            data: data.clone(),
        };
        let question = page_of(limit, &cursor, live.into());
        let told = fast_path::answer_from_record(&question, &record::encode(&set).unwrap(), ServedBy::Replica);
        prop_assert_eq!(told, expected.map(FastAnswer::List));
    }
}
