//! What has happened is found by its type and by when it did, for thirty days.

use entgate::id::Timestamp;
use serde_json::{Value, json};

use super::{
    Shop,
    events::{kinds, listed},
    fixture::{DAY, FEBRUARY, JANUARY, Stage, stage},
    shop,
};
use crate::support::NOW;

const PATH: &str = "/v1/events";

/// A shop in which all has happened of which there are events.
fn eventful() -> Stage {
    let stage = stage();
    let shop = &stage.shop;
    let subscription = stage.subscribe("");
    stage.pause(&subscription).done();
    stage.resume(&subscription, "").done();
    stage.update(&subscription, "metadata[a]=1").done();
    shop.delete(&format!("/v1/subscriptions/{subscription}")).done();
    shop.post(&format!("/v1/customers/{}", stage.customer), "name=Ada").done();
    shop.post(&format!("/v1/products/{}", stage.product), "name=Pro").done();
    shop.post(&format!("/v1/prices/{}", stage.price), "active=false").done();
    shop.delete(&format!("/v1/products/{}", shop.product(&[]))).done();
    stage.advance(FEBRUARY);
    shop.delete(&format!("/v1/test_helpers/test_clocks/{}", stage.clock)).done();
    shop.work();
    stage
}

#[test]
fn an_event_is_found_by_its_type_and_by_all_that_its_type_begins_with() {
    let stage = eventful();
    let shop = &stage.shop;
    let all = listed(shop, "");
    let mut types = kinds(&all);
    types.sort_unstable();
    types.dedup();
    assert_eq!(types.len(), 18);
    let count = |prefix: &str| types.iter().filter(|kind| kind.starts_with(prefix)).count();
    assert_eq!([count("customer."), count("customer.subscription.")], [8, 5]);
    let found = |query: &str| listed(shop, query);
    let of = |fits: &dyn Fn(&str) -> bool| -> Vec<Value> {
        all.iter().filter(|event| fits(event["type"].as_str().unwrap())).cloned().collect()
    };
    for kind in &types {
        assert_eq!(found(&format!("type={kind}")), of(&|it| it == *kind), "{kind}");
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
        let expected = of(&|kind| kind.starts_with(prefix));
        assert_ne!(expected, [Value::Null; 0]);
        assert_eq!(found(&format!("type={prefix}*")), expected, "{prefix}*");
    }
    assert_eq!(found("type=*"), all);
    for query in ["type=customer", "type=Customer.created", "type=invoice.*", "type=created"] {
        assert_eq!(found(query), [Value::Null; 0], "{query}");
    }
    let twice = "types[]=customer.*&types[]=customer.subscription.created&types[]=price.updated";
    assert_eq!(found(twice), of(&|it| it.starts_with("customer.") || it == "price.updated"));
}

#[test]
fn a_type_is_whole_or_ends_in_a_dot_and_a_star_and_there_are_20_at_most() {
    let shop = shop();
    let list = |query: &str| shop.get(&format!("{PATH}?{query}"));
    for odd in ["**", "*.created", "customer.*.created", "cust*", "customer*"] {
        let message =
            format!("Invalid type: {odd}. A `*` stands at the end, after a dot: customer.*");
        for (param, query) in [("type", format!("type={odd}")), ("types", format!("types[]={odd}"))]
        {
            let expected = (400, "parameter_invalid", param, message.as_str());
            assert_eq!(list(&query).refusal(), expected);
        }
    }
    let message = "You may only specify one of these parameters: type, types.";
    let both = list("type=price.created&types[]=price.updated");
    assert_eq!(both.refusal(), (400, "parameters_exclusive", "types", message));
    let types = |count: usize| list(&vec!["types[]=price.created"; count].join("&"));
    assert_eq!(types(20).status, 200);
    let message = "You can ask for at most 20 types at once.";
    assert_eq!(types(21).refusal(), (400, "parameter_invalid", "types", message));
}

#[test]
fn events_are_found_by_when_they_happened_outside_of_all_clocks() {
    let mut stage = stage();
    let subscription = stage.subscribe("");
    for seconds in [100, 200] {
        stage.shop.now = Timestamp(NOW.0 + seconds);
        stage.update(&subscription, &format!("metadata[a]={seconds}")).done();
        stage.advance(JANUARY + seconds);
    }
    let found = |query: &str| -> Vec<i64> {
        let events = listed(&stage.shop, &format!("type=customer.*&{query}"));
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
        assert_eq!(found(&query), expected, "{query}");
    }
    let created = stage.shown(&subscription)["created"].clone();
    assert_eq!(created, json!(JANUARY), "what it is about is dated by the clock");
}

#[test]
fn an_event_is_there_for_thirty_days() {
    let mut shop = shop();
    let form = "url=https://example.com&enabled_events[]=*";
    let endpoint = shop.make("/v1/webhook_endpoints", form);
    for seconds in [0, 1] {
        shop.now = Timestamp(NOW.0 + seconds);
        shop.make("/v1/customers", "");
    }
    let events = listed(&shop, "");
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

    shop.now = Timestamp(NOW.0 + 30 * DAY);
    assert_eq!(shop.get(&path).status, 200);
    assert_eq!(shop.post(&retry, &form).status, 200);
    let events = |shop: &Shop| queries.each_ref().map(|query| listed(shop, query).len());
    assert_eq!(events(&shop), [2, 2, 2, 2, 2, 0]);
    shop.now = Timestamp(NOW.0 + 30 * DAY + 1);
    let message = format!("No such event: '{older}'");
    let expected = (404, "resource_missing", "id", message.as_str());
    assert_eq!(shop.get(&path).refusal(), expected);
    assert_eq!(shop.post(&retry, &form).refusal(), expected);
    assert_eq!(events(&shop), [1, 1, 1, 1, 1, 0]);
    shop.make("/v1/customers", "");
    assert_eq!(shop.get(&path).refusal(), expected, "it is really gone");
    assert_eq!(events(&shop), [2, 2, 2, 2, 2, 1]);
}
