//! Lists of events: filters by type and by creation time, and retention.
//!
//! Specification: <https://docs.stripe.com/api/events/list>.

use entgate::id::Timestamp;
use serde_json::{Value, json};

use super::{
    fixture::{DAY, FEBRUARY, Fixture, JANUARY, fixture},
    test_catalog::{TestCatalog, event_types},
};
use crate::support::NOW;

const PATH: &str = "/v1/events";

/// A fixture with at least one event of each type.
fn fixture_with_all_events() -> Fixture {
    let fixture = fixture();
    let catalog = &fixture.catalog;
    let subscription = fixture.subscribe("&trial_period_days=3");
    fixture.update(&subscription, "trial_end=now").expect_ok();
    fixture.pause(&subscription).expect_ok();
    fixture.resume(&subscription, "").expect_ok();
    fixture.update(&subscription, "metadata[a]=1").expect_ok();
    catalog.delete(&format!("/v1/subscriptions/{subscription}")).expect_ok();
    catalog.post(&format!("/v1/customers/{}", fixture.customer), "name=Ada").expect_ok();
    catalog.post(&format!("/v1/products/{}", fixture.product), "name=Pro").expect_ok();
    catalog.post(&format!("/v1/prices/{}", fixture.price), "active=false").expect_ok();
    catalog.delete(&format!("/v1/products/{}", catalog.create_product(&[]))).expect_ok();
    fixture.advance(FEBRUARY);
    catalog.delete(&format!("/v1/test_helpers/test_clocks/{}", fixture.clock)).expect_ok();
    catalog.run_due();
    fixture
}

#[test]
fn events_are_listed_by_type_and_by_type_prefix() {
    let fixture = fixture_with_all_events();
    let catalog = &fixture.catalog;
    let all = catalog.list_events("");
    let mut types = event_types(&all);
    types.sort_unstable();
    types.dedup();
    assert_eq!(types.len(), 19);
    let count = |prefix: &str| types.iter().filter(|it| it.starts_with(prefix)).count();
    assert_eq!([count("customer."), count("customer.subscription.")], [9, 6]);
    let list = |query: &str| catalog.list_events(query);
    let matching = |is_match: &dyn Fn(&str) -> bool| -> Vec<Value> {
        all.iter().filter(|event| is_match(event["type"].as_str().unwrap())).cloned().collect()
    };
    for event_type in &types {
        assert_eq!(
            list(&format!("type={event_type}")),
            matching(&|it| it == *event_type),
            "{event_type}"
        );
    }
    for prefix in [
        "customer.",
        "customer.subscription.",
        "entitlements.",
        "entitlements.active_entitlement_summary.",
        "price.",
        "product.",
        "test_helpers.",
        "test_helpers.test_clock.",
    ] {
        let expected = matching(&|it| it.starts_with(prefix));
        assert_ne!(expected, [Value::Null; 0]);
        assert_eq!(list(&format!("type={prefix}*")), expected, "{prefix}*");
    }
    assert_eq!(list("type=*"), all);
    for query in ["type=customer", "type=Customer.created", "type=invoice.*", "type=created"] {
        assert_eq!(list(query), [Value::Null; 0], "{query}");
    }
    let overlapping =
        "types[]=customer.*&types[]=customer.subscription.created&types[]=price.updated";
    assert_eq!(
        list(overlapping),
        matching(&|it| it.starts_with("customer.") || it == "price.updated")
    );
}

#[test]
fn a_type_filter_is_complete_or_ends_in_a_dot_and_a_star_and_a_list_accepts_20() {
    let catalog = TestCatalog::new();
    let list = |query: &str| catalog.get(&format!("{PATH}?{query}"));
    for invalid in ["**", "*.created", "customer.*.created", "cust*", "customer*"] {
        let message =
            format!("Invalid type: {invalid}. A `*` must be at the end, after a dot: customer.*");
        for (param, query) in
            [("type", format!("type={invalid}")), ("types", format!("types[]={invalid}"))]
        {
            let expected = (400, "parameter_invalid", param, message.as_str());
            assert_eq!(list(&query).error(), expected);
        }
    }
    let message = "You may only specify one of these parameters: type, types.";
    let both = list("type=price.created&types[]=price.updated");
    assert_eq!(both.error(), (400, "parameters_exclusive", "types", message));
    let types = |count: usize| list(&vec!["types[]=price.created"; count].join("&"));
    assert_eq!(types(20).status, 200);
    let message = "You can ask for at most 20 types at once.";
    assert_eq!(types(21).error(), (400, "parameter_invalid", "types", message));
}

#[test]
fn events_are_listed_by_creation_time_outside_of_test_clocks() {
    let mut fixture = fixture();
    let subscription = fixture.subscribe("");
    for seconds in [100, 200] {
        fixture.catalog.now = Timestamp(NOW.0 + seconds);
        fixture.update(&subscription, &format!("metadata[a]={seconds}")).expect_ok();
        fixture.advance(JANUARY + seconds);
    }
    let times = |query: &str| -> Vec<i64> {
        let events = fixture.catalog.list_events(&format!("type=customer.*&{query}"));
        events.iter().map(|event| event["created"].as_i64().unwrap() - NOW.0).collect()
    };
    let at = |bound: &str, seconds: i64| format!("created[{bound}]={}", NOW.0 + seconds);
    for (query, expected) in [
        (String::new(), &[200, 100, 0, 0][..]),
        (format!("created={}", NOW.0 + 100), &[100]),
        (format!("created={}", NOW.0 + 101), &[]),
        (at("gt", 0), &[200, 100]),
        (at("gt", -1), &[200, 100, 0, 0]),
        (at("gte", 0), &[200, 100, 0, 0]),
        (at("gte", 1), &[200, 100]),
        (at("lt", 200), &[100, 0, 0]),
        (at("lt", 201), &[200, 100, 0, 0]),
        (at("lte", 200), &[200, 100, 0, 0]),
        (at("lte", 199), &[100, 0, 0]),
        (format!("{}&{}", at("gt", 0), at("lt", 200)), &[100]),
        (format!("{}&{}", at("gte", 100), at("lte", 100)), &[100]),
        (format!("{}&{}", at("gt", 100), at("lt", 100)), &[]),
        (format!("created={JANUARY}"), &[]),
    ] {
        assert_eq!(times(&query), expected, "{query}");
    }
    let created = fixture.retrieve(&subscription)["created"].clone();
    assert_eq!(created, json!(JANUARY), "the subscription has the time of the clock");
}

#[test]
fn an_event_is_retained_for_thirty_days() {
    let mut catalog = TestCatalog::new();
    let form = "url=https://example.com&enabled_events[]=*";
    let endpoint = catalog.create("/v1/webhook_endpoints", form);
    for seconds in [0, 1] {
        catalog.now = Timestamp(NOW.0 + seconds);
        catalog.create("/v1/customers", "");
    }
    let events = catalog.list_events("");
    let [newer, older] = [&events[0], &events[1]].map(|event| event["id"].as_str().unwrap());
    let path = format!("{PATH}/{older}");
    let retry = format!("{path}/retry");
    let form = format!("webhook_endpoint={endpoint}");
    let queries = [
        String::new(),
        "type=customer.created".to_owned(),
        "types[]=customer.*".to_owned(),
        "delivery_success=false".to_owned(),
        format!("created[gte]={}", NOW.0 - 1),
        format!("ending_before={newer}"),
    ];

    catalog.now = Timestamp(NOW.0 + 30 * DAY);
    assert_eq!(catalog.get(&path).status, 200);
    assert_eq!(catalog.post(&retry, &form).status, 200);
    let counts =
        |catalog: &TestCatalog| queries.each_ref().map(|query| catalog.list_events(query).len());
    assert_eq!(counts(&catalog), [2, 2, 2, 2, 2, 0]);
    catalog.now = Timestamp(NOW.0 + 30 * DAY + 1);
    let message = format!("No such event: '{older}'");
    let expected = (404, "resource_missing", "id", message.as_str());
    assert_eq!(catalog.get(&path).error(), expected);
    assert_eq!(catalog.post(&retry, &form).error(), expected);
    assert_eq!(counts(&catalog), [1, 1, 1, 1, 1, 0]);
    catalog.create("/v1/customers", "");
    assert_eq!(catalog.get(&path).error(), expected, "the new event has purged it");
    assert_eq!(counts(&catalog), [2, 2, 2, 2, 2, 1]);
}
