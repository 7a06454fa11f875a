//! Lists on the fast path.

use entgate::{
    api::fast_path::{
        ExistingFeatures, FastAnswer, FastList, FastQuery, FastRoute, answer_from_record,
    },
    entitlement::{
        ActiveEntitlement,
        Completeness::{Complete, Partial},
        SourceSet, Version,
    },
    id::{CustomerKey, Livemode, Timestamp},
    pagination::{Cursor, PageRequest},
    policy::SourcePolicy,
    store::{Replica as _, ServedBy, record},
};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{KEY, fast_get, with_ada};
use crate::{
    support::{Service, configured, customer, event, grants, record_of, service},
    token_fixtures::{self, token},
};

const LIST: &str = "/v1/entitlements/active_entitlements";

/// The fast path's list for this query, with a server key.
fn fast_list(service: &Service, query: &str) -> Option<String> {
    fast_get(service, &format!("{LIST}?{query}"), &[("authorization", KEY)])
}

#[test]
fn a_list_is_exactly_stripes() {
    let service = with_ada();
    let answer = fast_list(&service, "customer=cus_ada&limit=1").unwrap();
    assert_eq!(
        answer,
        r#"{"object":"list","data":[{"id":"ent_test_sms","object":"entitlements.active_entitlement","feature":"feat_test_sms","livemode":false,"lookup_key":"sms"}],"has_more":true,"url":"/v1/entitlements/active_entitlements"}"#
    );
    service.stripe_sends(&event("cus_ada", 1_700_000_001, &[], false));
    assert_eq!(
        fast_list(&service, "customer=cus_ada").unwrap(),
        r#"{"object":"list","data":[],"has_more":false,"url":"/v1/entitlements/active_entitlements"}"#
    );
}

#[test]
fn each_mode_has_its_own_list() {
    let service = with_ada();
    let set = SourceSet {
        as_of: Timestamp(-1),
        completeness: Complete,
        policy: SourcePolicy::default(),
        data: grants(&["fax"]),
    };
    let set = record_of(1, set);
    let live = CustomerKey { livemode: Livemode::Live, ..customer("cus_ada") };
    pollster::block_on(service.store.replica.save(&live, &set)).unwrap();
    let target = format!("{LIST}?customer=cus_ada");
    let headers = [("authorization", "Bearer sk_live_entgate")];
    assert_eq!(
        fast_get(&service, &target, &headers).unwrap(),
        r#"{"object":"list","data":[{"id":"ent_test_fax","object":"entitlements.active_entitlement","feature":"feat_test_fax","livemode":true,"lookup_key":"fax"}],"has_more":false,"url":"/v1/entitlements/active_entitlements"}"#
    );
    assert_eq!(service.request("GET", &target, &headers, b"").keys(), ["fax"]);
}

#[test]
fn a_customer_token_lists_its_customer_only() {
    let service = token_fixtures::with_ada(&[]);
    let bearer = format!("Bearer {}", token(&json!({})));
    for (target, is_answered) in [
        (LIST.to_owned(), true),
        (format!("{LIST}?"), true),
        (format!("{LIST}?limit=3"), true),
        (format!("{LIST}?customer=cus_ada"), true),
        (format!("{LIST}?customer=cus_bob"), false),
        (format!("{LIST}?expand[]=data.feature"), false),
    ] {
        let headers = [("authorization", bearer.as_str())];
        let answer = fast_get(&service, &target, &headers);
        assert_eq!(answer.is_some(), is_answered, "{target}");
        let slow = service.request("GET", &target, &headers, b"");
        assert_eq!(slow.status == 200, is_answered, "{target}");
    }
}

#[test]
fn a_page_starts_at_a_cursor_and_invalid_pages_take_the_slow_path() {
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
        let page = fast_list(&service, &format!("customer=cus_ada{query}")).map(|body| {
            let body: Value = serde_json::from_str(&body).unwrap();
            let data = body["data"].as_array().unwrap().clone();
            let keys = data.iter().map(|item| item["lookup_key"].as_str().unwrap().to_owned());
            (keys.collect::<Vec<_>>(), body["has_more"].as_bool().unwrap())
        });
        let expected = expected.map(|(range, has_more)| {
            (names[range].iter().map(ToString::to_string).collect::<Vec<_>>(), has_more)
        });
        assert_eq!(page, expected, "{query}");
        service.get(&format!("{LIST}?customer=cus_ada{query}"));
    }
}

#[test]
fn any_other_list_takes_the_slow_path() {
    let service = with_ada();
    for (why, target) in [
        ("no customer", LIST.to_owned()),
        ("an unknown customer", format!("{LIST}?customer=cus_bob")),
        ("expanded features", format!("{LIST}?customer=cus_ada&expand[]=data.feature")),
        ("an empty expand", format!("{LIST}?customer=cus_ada&expand=")),
        ("a read from the ledger", format!("{LIST}?customer=cus_ada&fresh=true")),
        ("an explicit `fresh=false`", format!("{LIST}?customer=cus_ada&fresh=false")),
        ("a feature", format!("{LIST}?customer=cus_ada&feature=sms")),
        ("an unknown parameter", format!("{LIST}?customer=cus_ada&created=1")),
        ("an escape", format!("{LIST}?customer=cus%5Fada")),
        ("a newer version", format!("{LIST}?customer=cus_ada&at_least=2")),
        ("a single entitlement", format!("{LIST}/ent_test_sms?customer=cus_ada")),
        ("a slash at the end", format!("{LIST}/?customer=cus_ada")),
        ("the path in a summary", "/v1/customer/cus_ada/entitlements?limit=1".to_owned()),
        ("a check with a page", "/v1/check?customer=cus_ada&feature=sms&limit=1".to_owned()),
        (
            "an authorization with a page",
            "/v1/authorize?customer=cus_ada&feature=sms&starting_after=ent_1".to_owned(),
        ),
    ] {
        assert_eq!(fast_get(&service, &target, &[("authorization", KEY)]), None, "{why}");
    }
    assert_eq!(fast_get(&service, &format!("{LIST}?customer=cus_ada"), &[]), None, "no credential");
    assert!(fast_list(&service, "customer=cus_ada&at_least=1").is_some(), "a current version");

    service.stripe_sends(&event("cus_ada", 1_700_000_001, &["sms"], true));
    assert_eq!(fast_list(&service, "customer=cus_ada"), None, "an incomplete set");
}

#[test]
fn the_catalog_answers_its_own_lists() {
    for (source, is_answered) in [("stripe", true), ("catalog", false)] {
        let service = configured(&[
            ("ENTGATE_API_KEYS", "sk_test_entgate"),
            ("STRIPE_WEBHOOK_SECRETS", "whsec_test_entgate"),
            ("ENTGATE_SOURCE", source),
        ]);
        service.stripe_sends(&event("cus_ada", 1_700_000_000, &["sms"], false));
        assert_eq!(fast_list(&service, "customer=cus_ada").is_some(), is_answered, "{source}");
        let check = "/v1/check?customer=cus_ada&feature=sms";
        assert!(fast_get(&service, check, &[("authorization", KEY)]).is_some(), "{source}");
    }
}

/// The first page of a set.
fn first_page(set: &SourceSet, served_by: ServedBy) -> Option<FastAnswer> {
    let query = page_query(10, &Cursor::Start, Livemode::Test);
    let record = record::encode(&record_of(1, set.clone())).unwrap();
    let existing = &mut ExistingFeatures::default();
    let record = (&record[..], served_by);
    answer_from_record(&service().settings, &query, record, existing, Timestamp(0))
}

fn page_query(limit: usize, cursor: &Cursor<&str>, livemode: Livemode) -> FastQuery {
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
fn a_cached_record_answers_no_list_because_it_may_lack_a_new_purchase() {
    let set = SourceSet {
        as_of: Timestamp(1),
        completeness: Complete,
        policy: SourcePolicy::default(),
        data: grants(&["sms"]),
    };
    assert_eq!(first_page(&set, ServedBy::Memory), None);
    assert!(first_page(&set, ServedBy::Replica).is_some());
    assert_eq!(first_page(&SourceSet { completeness: Partial, ..set }, ServedBy::Replica), None);
}

proptest! {
    #[test]
    fn a_list_equals_the_serialized_page_of_the_set(
        version: u64,
        as_of in i64::MIN + 1..,
        live: bool,
        names in proptest::collection::vec(["[a,\"\\\\\\]é ]{1,4}", "[^\\p{Cc}]{1,4}", "[^\\p{Cc}]{1,20}"], 0..20),
        limit in 1_usize..=100,
        position: prop::sample::Index,
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
        let index = position.index(data.len().max(1)).min(data.len());
        let id = data.get(index).map_or("ent_none", |entitlement| entitlement.id.as_str()).to_owned();
        // Of two entitlements with one id, the first one counts.
        let index = data.iter().position(|entitlement| entitlement.id.as_str() == id);
        let (cursor, range) = match (direction, index) {
            (0, _) => (Cursor::Start, Some((0, limit))),
            (1, index) => (Cursor::After(&*id), index.map(|at| (at + 1, at + 1 + limit))),
            (_, index) => (Cursor::Before(&*id), index.map(|at| (at.saturating_sub(limit), at))),
        };
        let has_more = |(start, end)| if direction == 2 { start > 0 } else { end < data.len() };
        let expected = range.map(|(start, end)| {
            let items: Vec<_> = data[start..end.min(data.len())]
                .iter()
                .map(|entitlement| {
                    json!({
                        "id": entitlement.id.as_str(),
                        "object": "entitlements.active_entitlement",
                        "feature": entitlement.feature.as_str(),
                        "livemode": live,
                        "lookup_key": entitlement.lookup_key.as_str(),
                    })
                })
                .collect();
            let has_more = has_more((start, end));
            json!({ "object": "list", "data": items, "has_more": has_more, "url": LIST })
                .to_string()
        });
        // A cursor with an escape takes the slow path.
        let expected = expected.filter(|_| direction == 0 || !id.contains(['"', '\\']));
        let expected = expected.map(|body| FastList {
            body,
            version: Version(version),
            as_of: Timestamp(as_of),
            served_by: ServedBy::Replica,
        });

        let set = SourceSet {
            as_of: Timestamp(as_of),
            completeness: Complete, policy: SourcePolicy::default(),
            data: data.clone(),
        };
        let query = page_query(limit, &cursor, live.into());
        let record = record::encode(&record_of(version, set)).unwrap();
        let settings = &service().settings;
        let existing = &mut ExistingFeatures::default();
        let record = (&record[..], ServedBy::Replica);
        let answer = answer_from_record(settings, &query, record, existing, Timestamp(0));
        prop_assert_eq!(answer, expected.map(FastAnswer::List));
    }
}
