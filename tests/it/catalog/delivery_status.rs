//! What becomes of deliveries: who has still to be told, who was not, and who is told again.

use entgate::{catalog::deliveries::AttemptOutcome, id::Timestamp};
use serde_json::{Value, json};

use super::{
    Shop,
    deliveries::{endpoint, fail, log, pending, taken, tell},
    events::listed,
    fixture::DAY,
    shop,
};
use crate::support::NOW;

const ENDPOINTS: &str = "/v1/webhook_endpoints";

/// The events that were delivered to all, and those that were not.
fn sorted(shop: &Shop) -> [Vec<Value>; 2] {
    ["true", "false"].map(|flag| {
        let events = listed(shop, &format!("delivery_success={flag}"));
        events.iter().map(|event| event["id"].clone()).collect()
    })
}

/// Fails until nobody tries any more.
fn exhaust(shop: &mut Shop) {
    while let Some(due) = shop.next_delivery() {
        shop.now = due;
        shop.take(100).iter().for_each(|parcel| fail(shop, parcel));
    }
}

#[track_caller]
fn send_again(shop: &Shop, event: &str, endpoint: &str) -> Value {
    let form = format!("webhook_endpoint={endpoint}");
    shop.post(&format!("/v1/events/{event}/retry"), &form).done()
}

#[test]
fn what_is_sent_is_the_event_as_it_is_when_it_is_sent() {
    let mut shop = shop();
    let form = "url=https://example.com/old&enabled_events[]=customer.created";
    let old = format!("{form}&api_version=2020-08-27");
    let old = shop.make(ENDPOINTS, &old);
    let form = "url=https://example.com/product&enabled_events[]=product.created";
    shop.make(ENDPOINTS, form);
    let new = endpoint(&shop);
    let event = tell(&shop);
    let shown = shop.get(&format!("/v1/events/{event}")).done();
    assert_eq!(shown["pending_webhooks"], json!(2));
    let mut parcels = shop.take(100);
    parcels.sort_by(|a, b| a.url.cmp(&b.url));
    let [to_new, to_old] = parcels.try_into().unwrap();
    let body = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    assert_eq!((to_new.endpoint, to_new.url), (new, "https://example.com/hook".to_owned()));
    assert_eq!(body(&to_new.body), shown);
    assert_eq!((&to_old.endpoint, to_old.url.as_str()), (&old, "https://example.com/old"));
    let mut in_old = shown.clone();
    in_old["api_version"] = json!("2020-08-27");
    assert_eq!(body(&to_old.body), in_old);

    shop.report(&to_new.delivery, AttemptOutcome::Responded(200));
    shop.post(&format!("{ENDPOINTS}/{old}"), "url=https://example.com/moved").done();
    shop.now = Timestamp(NOW.0 + 60);
    let again = taken(&shop);
    assert_eq!(again.url, "https://example.com/moved");
    in_old["pending_webhooks"] = json!(1);
    assert_eq!(body(&again.body), in_old);
}

#[test]
fn an_event_is_pending_until_each_endpoint_has_it_or_is_given_up() {
    let mut shop = shop();
    let before = tell(&shop);
    let endpoints = [1, 2, 3].map(|_| endpoint(&shop));
    let event = tell(&shop);
    let is_pending = |shop: &Shop| [&before, &event].map(|event| pending(shop, event));
    let delivered = |shop: &Shop| sorted(shop)[0] == [json!(event), json!(before)];
    assert_eq!(is_pending(&shop), [json!(0), json!(3)]);
    assert_eq!(sorted(&shop), [[json!(before)], [json!(event)]]);
    let parcels = shop.take(100);
    assert_eq!(is_pending(&shop), [json!(0), json!(3)], "it is not known yet");
    fail(&shop, &parcels[0]);
    assert_eq!(is_pending(&shop), [json!(0), json!(3)], "it will be tried again");
    for (parcel, left) in [(&parcels[0], 2), (&parcels[1], 1), (&parcels[2], 0)] {
        assert!(!delivered(&shop));
        shop.report(&parcel.delivery, AttemptOutcome::Responded(200));
        assert_eq!(is_pending(&shop), [json!(0), json!(left)]);
    }
    assert!(delivered(&shop));

    let other = tell(&shop);
    let parcels = shop.take(100);
    shop.report(&parcels[0].delivery, AttemptOutcome::Responded(200));
    let late = parcels.into_iter().skip(1).find(|parcel| parcel.endpoint != endpoints[0]);
    let late = late.unwrap();
    shop.delete(&format!("{ENDPOINTS}/{}", late.endpoint)).done();
    assert_eq!(shop.take(100), []);
    assert_eq!(pending(&shop, &other), json!(1));
    exhaust(&mut shop);
    assert_eq!(pending(&shop, &other), json!(0));
    assert_eq!(sorted(&shop)[1], [json!(other)], "nothing is pending, and two were not told");
}

#[test]
fn an_event_counts_as_delivered_once_all_who_were_not_told_have_got_it_after_all() {
    let mut shop = shop();
    let [first, second] = [endpoint(&shop), endpoint(&shop)];
    let event = tell(&shop);
    exhaust(&mut shop);
    let (none, it) = (Vec::new(), vec![json!(event)]);
    assert_eq!(sorted(&shop), [none.clone(), it.clone()]);
    let type_too = "type=customer.created&delivery_success";
    let found = |shop: &Shop, flag: bool| listed(shop, &format!("{type_too}={flag}")).len();
    assert_eq!([found(&shop, true), found(&shop, false)], [0, 1]);

    assert_eq!(send_again(&shop, &event, &first)["pending_webhooks"], json!(1));
    assert_eq!(shop.next_delivery(), Some(shop.now));
    shop.report(&taken(&shop).delivery, AttemptOutcome::Responded(200));
    assert_eq!(sorted(&shop), [none.clone(), it.clone()], "there is another one");
    send_again(&shop, &event, &second);
    fail(&shop, &taken(&shop));
    assert_eq!((pending(&shop, &event), sorted(&shop)), (json!(1), [none.clone(), it.clone()]));
    exhaust(&mut shop);
    assert_eq!((pending(&shop, &event), sorted(&shop)), (json!(0), [none.clone(), it.clone()]));
    send_again(&shop, &event, &second);
    shop.report(&taken(&shop).delivery, AttemptOutcome::Responded(204));
    assert_eq!((pending(&shop, &event), sorted(&shop)), (json!(0), [it.clone(), none.clone()]));
    assert_eq!([found(&shop, true), found(&shop, false)], [1, 0]);

    send_again(&shop, &event, &first);
    assert_eq!(sorted(&shop), [none.clone(), it.clone()], "it is pending again");
    shop.report(&taken(&shop).delivery, AttemptOutcome::Responded(200));
    assert_eq!(sorted(&shop), [it, none]);
}

#[test]
fn an_event_is_sent_again_to_whom_it_was_not_sent_at_all() {
    let shop = shop();
    let event = tell(&shop);
    let later = endpoint(&shop);
    let other = shop.make(ENDPOINTS, "url=https://example.com&enabled_events[]=product.created");
    for endpoint in [later, other] {
        send_again(&shop, &event, &endpoint);
        let parcel = taken(&shop);
        let body: Value = serde_json::from_str(&parcel.body).unwrap();
        assert_eq!((parcel.endpoint, &body["id"]), (endpoint, &json!(event)));
        assert_eq!(body["pending_webhooks"], json!(1));
        shop.report(&parcel.delivery, AttemptOutcome::Responded(200));
        assert_eq!(pending(&shop, &event), json!(0));
    }
}

#[test]
fn an_event_is_sent_again_only_to_an_endpoint_that_is_there_and_not_disabled() {
    let shop = shop();
    let [off, gone] = [endpoint(&shop), endpoint(&shop)];
    shop.post(&format!("{ENDPOINTS}/{off}"), "disabled=true").done();
    shop.delete(&format!("{ENDPOINTS}/{gone}")).done();
    let event = tell(&shop);
    let retry = |event: &str, form: &str| shop.post(&format!("/v1/events/{event}/retry"), form);
    let missing = "Missing required param: webhook_endpoint.";
    let disabled = format!("The webhook endpoint '{off}' is disabled.");
    let no_endpoint = format!("No such webhook endpoint: '{gone}'");
    for (event, form, status, code, param, message) in [
        (event.as_str(), "", 400, "parameter_missing", "webhook_endpoint", missing),
        (&event, &format!("webhook_endpoint={off}"), 400, "", "", &disabled),
        (
            &event,
            &format!("webhook_endpoint={gone}"),
            400,
            "resource_missing",
            "webhook_endpoint",
            &no_endpoint,
        ),
        (
            "evt_x",
            &format!("webhook_endpoint={off}"),
            404,
            "resource_missing",
            "id",
            "No such event: 'evt_x'",
        ),
    ] {
        assert_eq!(retry(event, form).refusal(), (status, code, param, message), "{form}");
    }
    assert_eq!((shop.take(100), pending(&shop, &event)), (vec![], json!(0)));
}

#[test]
fn the_log_of_an_endpoint_has_each_try_of_thirty_days_newest_first() {
    let mut shop = shop();
    let [one, other] = [endpoint(&shop), endpoint(&shop)];
    let event = tell(&shop);
    for parcel in shop.take(100) {
        let is_one = parcel.endpoint == one;
        shop.report(&parcel.delivery, AttemptOutcome::Responded(if is_one { 503 } else { 200 }));
    }
    shop.now = Timestamp(NOW.0 + 2);
    shop.report(&taken(&shop).delivery, AttemptOutcome::Failed("refused".to_owned()));
    shop.now = Timestamp(NOW.0 + 7);
    shop.report(&taken(&shop).delivery, AttemptOutcome::Responded(201));
    let names = ["attempt", "created", "event", "outcome", "status", "error", "next_attempt"];
    let expected = [
        json!([3, NOW.0 + 7, event, "succeeded", 201, null, null]),
        json!([2, NOW.0 + 2, event, "failed", null, "refused", NOW.0 + 7]),
        json!([1, NOW.0, event, "failed", 503, null, NOW.0 + 2]),
    ];
    assert_eq!(log(&shop, &one, &names), expected);
    let expected_of_other = [json!([1, NOW.0, event, "succeeded", 200, null, null])];
    assert_eq!(log(&shop, &other, &names), expected_of_other);

    let path = format!("{ENDPOINTS}/{one}/deliveries");
    let count = |query: &str| {
        let list = shop.get(&format!("{path}?{query}")).done();
        (list["data"].as_array().unwrap().len(), list["has_more"].clone())
    };
    for (query, found, more) in [
        ("limit=2".to_owned(), 2, true),
        ("limit=3".to_owned(), 3, false),
        (format!("created[gt]={NOW}"), 2, false),
        (format!("created[gte]={NOW}"), 3, false),
        (format!("created[lt]={}", NOW.0 + 7), 2, false),
        (format!("created={}", NOW.0 + 2), 1, false),
    ] {
        assert_eq!(count(&query), (found, json!(more)), "{query}");
    }
    let unknown = shop.get(&format!("{ENDPOINTS}/we_x/deliveries"));
    let expected_of_none = (404, "resource_missing", "id", "No such webhook endpoint: 'we_x'");
    assert_eq!(unknown.refusal(), expected_of_none);

    shop.post(&format!("{ENDPOINTS}/{one}"), "disabled=true").done();
    for (seconds, left) in [(30 * DAY, &expected[..]), (30 * DAY + 1, &expected[..2])] {
        shop.now = Timestamp(NOW.0 + seconds);
        tell(&shop);
        shop.report(&taken(&shop).delivery, AttemptOutcome::Responded(200));
        assert_eq!(log(&shop, &one, &names), left);
    }
}
