//! The delivery status of events: pending, delivered, failed and resent.

use entgate::{catalog::deliveries::AttemptOutcome, id::Timestamp};
use serde_json::{Value, json};

use super::{
    deliveries::{
        create_endpoint, emit_event, fail_attempt, lease_one, list_attempts, pending_webhooks,
    },
    fixture::DAY,
    test_catalog::TestCatalog,
};
use crate::support::NOW;

const ENDPOINTS: &str = "/v1/webhook_endpoints";

/// The events that were delivered to every endpoint, and the other events.
fn by_delivery_success(catalog: &TestCatalog) -> [Vec<Value>; 2] {
    ["true", "false"].map(|flag| {
        let events = catalog.list_events(&format!("delivery_success={flag}"));
        events.iter().map(|event| event["id"].clone()).collect()
    })
}

/// Fails each attempt until all deliveries are abandoned.
fn fail_until_abandoned(catalog: &mut TestCatalog) {
    while let Some(due) = catalog.next_delivery_due() {
        catalog.now = due;
        catalog.lease_due(100).iter().for_each(|request| fail_attempt(catalog, request));
    }
}

#[track_caller]
fn resend(catalog: &TestCatalog, event: &str, endpoint: &str) -> Value {
    let form = format!("webhook_endpoint={endpoint}");
    catalog.post(&format!("/v1/events/{event}/retry"), &form).expect_ok()
}

#[test]
fn a_delivery_sends_the_current_event_to_the_current_url() {
    let mut catalog = TestCatalog::new();
    let form = "url=https://example.com/old&enabled_events[]=customer.created";
    let old = catalog.create(ENDPOINTS, &format!("{form}&api_version=2020-08-27"));
    let form = "url=https://example.com/product&enabled_events[]=product.created";
    catalog.create(ENDPOINTS, form);
    let new = create_endpoint(&catalog);
    let event = emit_event(&catalog);
    let event = catalog.get(&format!("/v1/events/{event}")).expect_ok();
    assert_eq!(event["pending_webhooks"], json!(2));
    let mut requests = catalog.lease_due(100);
    requests.sort_by(|a, b| a.url.cmp(&b.url));
    let [to_new, to_old] = requests.try_into().unwrap();
    let decode = |body: &str| serde_json::from_str::<Value>(body).unwrap();
    assert_eq!((to_new.endpoint, to_new.url), (new, "https://example.com/hook".to_owned()));
    assert_eq!(decode(&to_new.body), event);
    assert_eq!((&to_old.endpoint, to_old.url.as_str()), (&old, "https://example.com/old"));
    let mut in_old = event.clone();
    in_old["api_version"] = json!("2020-08-27");
    assert_eq!(decode(&to_old.body), in_old);

    catalog.record_attempt(&to_new.delivery, AttemptOutcome::Responded(200));
    catalog.post(&format!("{ENDPOINTS}/{old}"), "url=https://example.com/moved").expect_ok();
    catalog.now = Timestamp(NOW.0 + 60);
    let second = lease_one(&catalog);
    assert_eq!(second.url, "https://example.com/moved");
    in_old["pending_webhooks"] = json!(1);
    assert_eq!(decode(&second.body), in_old);
}

#[test]
fn an_event_is_pending_until_each_delivery_succeeds_or_is_abandoned() {
    let mut catalog = TestCatalog::new();
    let before = emit_event(&catalog);
    let endpoints = [1, 2, 3].map(|_| create_endpoint(&catalog));
    let event = emit_event(&catalog);
    let counts =
        |catalog: &TestCatalog| [&before, &event].map(|event| pending_webhooks(catalog, event));
    let delivered =
        |catalog: &TestCatalog| by_delivery_success(catalog)[0] == [json!(event), json!(before)];
    assert_eq!(counts(&catalog), [json!(0), json!(3)]);
    assert_eq!(by_delivery_success(&catalog), [[json!(before)], [json!(event)]]);
    let requests = catalog.lease_due(100);
    assert_eq!(counts(&catalog), [json!(0), json!(3)], "no outcome is recorded yet");
    fail_attempt(&catalog, &requests[0]);
    assert_eq!(counts(&catalog), [json!(0), json!(3)], "it will be retried");
    for (request, remaining) in [(&requests[0], 2), (&requests[1], 1), (&requests[2], 0)] {
        assert!(!delivered(&catalog));
        catalog.record_attempt(&request.delivery, AttemptOutcome::Responded(200));
        assert_eq!(counts(&catalog), [json!(0), json!(remaining)]);
    }
    assert!(delivered(&catalog));

    let other = emit_event(&catalog);
    let requests = catalog.lease_due(100);
    catalog.record_attempt(&requests[0].delivery, AttemptOutcome::Responded(200));
    let late = requests.into_iter().skip(1).find(|request| request.endpoint != endpoints[0]);
    let late = late.unwrap();
    catalog.delete(&format!("{ENDPOINTS}/{}", late.endpoint)).expect_ok();
    assert_eq!(catalog.lease_due(100), []);
    assert_eq!(pending_webhooks(&catalog, &other), json!(1));
    fail_until_abandoned(&mut catalog);
    assert_eq!(pending_webhooks(&catalog, &other), json!(0));
    assert_eq!(
        by_delivery_success(&catalog)[1],
        [json!(other)],
        "nothing is pending, and two deliveries failed"
    );
}

#[test]
fn an_event_counts_as_delivered_once_a_resend_to_each_failed_endpoint_succeeds() {
    let mut catalog = TestCatalog::new();
    let [first, second] = [create_endpoint(&catalog), create_endpoint(&catalog)];
    let event = emit_event(&catalog);
    fail_until_abandoned(&mut catalog);
    let (none, all) = (Vec::new(), vec![json!(event)]);
    assert_eq!(by_delivery_success(&catalog), [none.clone(), all.clone()]);
    let query = "type=customer.created&delivery_success";
    let count =
        |catalog: &TestCatalog, flag: bool| catalog.list_events(&format!("{query}={flag}")).len();
    assert_eq!([count(&catalog, true), count(&catalog, false)], [0, 1]);

    assert_eq!(resend(&catalog, &event, &first)["pending_webhooks"], json!(1));
    assert_eq!(catalog.next_delivery_due(), Some(catalog.now));
    catalog.record_attempt(&lease_one(&catalog).delivery, AttemptOutcome::Responded(200));
    assert_eq!(
        by_delivery_success(&catalog),
        [none.clone(), all.clone()],
        "the other endpoint has not received it"
    );
    resend(&catalog, &event, &second);
    fail_attempt(&catalog, &lease_one(&catalog));
    assert_eq!(
        (pending_webhooks(&catalog, &event), by_delivery_success(&catalog)),
        (json!(1), [none.clone(), all.clone()])
    );
    fail_until_abandoned(&mut catalog);
    assert_eq!(
        (pending_webhooks(&catalog, &event), by_delivery_success(&catalog)),
        (json!(0), [none.clone(), all.clone()])
    );
    resend(&catalog, &event, &second);
    catalog.record_attempt(&lease_one(&catalog).delivery, AttemptOutcome::Responded(204));
    assert_eq!(
        (pending_webhooks(&catalog, &event), by_delivery_success(&catalog)),
        (json!(0), [all.clone(), none.clone()])
    );
    assert_eq!([count(&catalog, true), count(&catalog, false)], [1, 0]);

    resend(&catalog, &event, &first);
    assert_eq!(by_delivery_success(&catalog), [none.clone(), all.clone()], "it is pending again");
    catalog.record_attempt(&lease_one(&catalog).delivery, AttemptOutcome::Responded(200));
    assert_eq!(by_delivery_success(&catalog), [all, none]);
}

#[test]
fn an_event_can_be_resent_to_an_endpoint_that_it_was_never_sent_to() {
    let catalog = TestCatalog::new();
    let event = emit_event(&catalog);
    let later = create_endpoint(&catalog);
    let other =
        catalog.create(ENDPOINTS, "url=https://example.com&enabled_events[]=product.created");
    for endpoint in [later, other] {
        resend(&catalog, &event, &endpoint);
        let request = lease_one(&catalog);
        let body: Value = serde_json::from_str(&request.body).unwrap();
        assert_eq!((request.endpoint, &body["id"]), (endpoint, &json!(event)));
        assert_eq!(body["pending_webhooks"], json!(1));
        catalog.record_attempt(&request.delivery, AttemptOutcome::Responded(200));
        assert_eq!(pending_webhooks(&catalog, &event), json!(0));
    }
}

#[test]
fn an_event_can_be_resent_only_to_an_existing_enabled_endpoint() {
    let catalog = TestCatalog::new();
    let [off, deleted] = [create_endpoint(&catalog), create_endpoint(&catalog)];
    catalog.post(&format!("{ENDPOINTS}/{off}"), "disabled=true").expect_ok();
    catalog.delete(&format!("{ENDPOINTS}/{deleted}")).expect_ok();
    let event = emit_event(&catalog);
    let resend = |event: &str, form: &str| catalog.post(&format!("/v1/events/{event}/retry"), form);
    let missing_param = "Missing required param: webhook_endpoint.";
    let disabled = format!("The webhook endpoint '{off}' is disabled.");
    let missing_endpoint = format!("No such webhook endpoint: '{deleted}'");
    for (event, form, status, code, param, message) in [
        (event.as_str(), "", 400, "parameter_missing", "webhook_endpoint", missing_param),
        (&event, &format!("webhook_endpoint={off}"), 400, "", "", &disabled),
        (
            &event,
            &format!("webhook_endpoint={deleted}"),
            400,
            "resource_missing",
            "webhook_endpoint",
            &missing_endpoint,
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
        assert_eq!(resend(event, form).error(), (status, code, param, message), "{form}");
    }
    assert_eq!((catalog.lease_due(100), pending_webhooks(&catalog, &event)), (vec![], json!(0)));
}

#[test]
fn an_endpoint_lists_each_attempt_of_the_last_thirty_days_newest_first() {
    let mut catalog = TestCatalog::new();
    let [one, other] = [create_endpoint(&catalog), create_endpoint(&catalog)];
    let event = emit_event(&catalog);
    for request in catalog.lease_due(100) {
        let is_one = request.endpoint == one;
        catalog.record_attempt(
            &request.delivery,
            AttemptOutcome::Responded(if is_one { 503 } else { 200 }),
        );
    }
    catalog.now = Timestamp(NOW.0 + 2);
    catalog.record_attempt(
        &lease_one(&catalog).delivery,
        AttemptOutcome::Failed("refused".to_owned()),
    );
    catalog.now = Timestamp(NOW.0 + 7);
    catalog.record_attempt(&lease_one(&catalog).delivery, AttemptOutcome::Responded(201));
    let names = ["attempt", "created", "event", "outcome", "status", "error", "next_attempt"];
    let expected = [
        json!([3, NOW.0 + 7, event, "succeeded", 201, null, null]),
        json!([2, NOW.0 + 2, event, "failed", null, "refused", NOW.0 + 7]),
        json!([1, NOW.0, event, "failed", 503, null, NOW.0 + 2]),
    ];
    assert_eq!(list_attempts(&catalog, &one, &names), expected);
    let expected_of_other = [json!([1, NOW.0, event, "succeeded", 200, null, null])];
    assert_eq!(list_attempts(&catalog, &other, &names), expected_of_other);

    let path = format!("{ENDPOINTS}/{one}/deliveries");
    let count = |query: &str| {
        let list = catalog.get(&format!("{path}?{query}")).expect_ok();
        (list["data"].as_array().unwrap().len(), list["has_more"].clone())
    };
    for (query, len, has_more) in [
        ("limit=2".to_owned(), 2, true),
        ("limit=3".to_owned(), 3, false),
        (format!("created[gt]={NOW}"), 2, false),
        (format!("created[gte]={NOW}"), 3, false),
        (format!("created[lt]={}", NOW.0 + 7), 2, false),
        (format!("created={}", NOW.0 + 2), 1, false),
    ] {
        assert_eq!(count(&query), (len, json!(has_more)), "{query}");
    }
    let unknown = catalog.get(&format!("{ENDPOINTS}/we_x/deliveries"));
    let not_found = (404, "resource_missing", "id", "No such webhook endpoint: 'we_x'");
    assert_eq!(unknown.error(), not_found);

    catalog.post(&format!("{ENDPOINTS}/{one}"), "disabled=true").expect_ok();
    for (seconds, expected) in [(30 * DAY, &expected[..]), (30 * DAY + 1, &expected[..2])] {
        catalog.now = Timestamp(NOW.0 + seconds);
        emit_event(&catalog);
        catalog.record_attempt(&lease_one(&catalog).delivery, AttemptOutcome::Responded(200));
        assert_eq!(list_attempts(&catalog, &one, &names), expected);
    }
}
