//! Data that is read from Stripe for a request: single entitlements, and the features of expanded lists.

use entgate::source::StripeResponse;
use serde_json::{Value, json};

use crate::support::{NOW, Service, event, item, service_with_stripe};

const LIST: &str = "/v1/entitlements/active_entitlements";
const UNAVAILABLE: &str =
    "The entitlements cannot be read or written at the moment. This is not a denial.";

/// A deployment that reads from Stripe, where Ada has these features.
fn with(keys: &[&str]) -> Service {
    let service = service_with_stripe();
    service.stripe_sends(&event("cus_ada", NOW.0 - 9, keys, false));
    service
}

/// Sets Stripe's response to the next request.
fn queue_response(service: &Service, status: u16, body: &Value) {
    let body = body.to_string().into_bytes();
    service.stripe().queue_response(Ok(StripeResponse {
        status,
        body,
        ..StripeResponse::default()
    }));
}

/// A feature object of Stripe.
fn feature(key: &str, name: &str) -> Value {
    json!({
        "id": format!("feat_test_{key}"),
        "object": "entitlements.feature",
        "active": true,
        "livemode": false,
        "lookup_key": key,
        "metadata": {},
        "name": name,
    })
}

#[test]
fn a_single_entitlement_is_stripes_response() {
    let service = service_with_stripe();
    let mut expanded = item("sms");
    expanded["feature"] = feature("sms", "Messages");
    for (query, target, body) in [
        ("", "/v1/entitlements/active_entitlements/ent%5Ftest%5Fsms", item("sms")),
        (
            "?expand[]=feature",
            "/v1/entitlements/active_entitlements/ent%5Ftest%5Fsms?expand%5B%5D=feature",
            expanded,
        ),
    ] {
        queue_response(&service, 200, &body);
        let answer = service.get(&format!("{LIST}/ent_test_sms{query}"));
        assert_eq!((answer.status, answer.body), (200, body));
        assert_eq!(service.stripe().requests().last().unwrap(), target);
    }
    let refused = service.get(&format!("{LIST}/ent_test_sms?expand[]=data.feature"));
    let message = "This property cannot be expanded (data.feature). Only feature can.";
    refused.assert_refuses("expand", "parameter_invalid", message, "the list's property");
}

#[test]
fn an_entitlement_is_missing_only_if_stripe_returns_resource_missing() {
    let service = service_with_stripe();
    let message = "No such active entitlement: 'ent_1'";
    let missing = json!({ "error": {
        "code": "resource_missing", "message": message, "param": "id", "type": "invalid_request_error",
    }});
    queue_response(&service, 404, &missing);
    let answer = service.get(&format!("{LIST}/ent_1"));
    assert_eq!((answer.status, &answer.body), (404, &missing));

    for (status, message) in [
        (401, "Stripe rejected STRIPE_API_KEY with status 401. Set another one."),
        (403, "Stripe rejected STRIPE_API_KEY with status 403. Set another one."),
        (400, UNAVAILABLE),
        (404, UNAVAILABLE),
    ] {
        queue_response(&service, status, &json!({}));
        let answer = service.get(&format!("{LIST}/ent_1"));
        assert_eq!((answer.status, answer.error("message")), (503, message), "{status}");
        assert_eq!(answer.header("retry-after"), Some("1"), "{status}");
    }
}

/// The names of the features in a list that expands them.
#[track_caller]
fn names(service: &Service) -> Vec<String> {
    let answer = service.get(&format!("{LIST}?customer=cus_ada&expand[]=data.feature"));
    assert_eq!(answer.status, 200, "{answer:?}");
    let data = answer.body["data"].as_array().unwrap();
    data.iter().map(|item| item["feature"]["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_list_is_expanded_from_one_list_of_features_and_single_reads_of_archived_ones() {
    let service = with(&["sms", "old", "export"]);
    let active = [feature("export", "Exports"), feature("other", "-"), feature("sms", "Messages")];
    queue_response(&service, 200, &json!({ "data": active, "has_more": false }));
    queue_response(&service, 200, &feature("old", "Faxes"));

    let answer = service.get(&format!("{LIST}?customer=cus_ada&expand[]=data.feature&limit=3"));
    let [mut sms, mut old, mut export] = [item("sms"), item("old"), item("export")];
    sms["feature"] = feature("sms", "Messages");
    old["feature"] = feature("old", "Faxes");
    export["feature"] = feature("export", "Exports");
    assert_eq!(answer.body["data"], json!([sms, old, export]));
    let requests =
        ["/v1/entitlements/features?limit=100", "/v1/entitlements/features/feat%5Ftest%5Fold"];
    assert_eq!(service.stripe().requests(), requests);

    assert_eq!(names(&service), ["Messages", "Faxes", "Exports"]);
    assert_eq!(service.stripe().requests(), requests, "the features are cached");
}

#[test]
fn concurrent_requests_share_one_list_of_features() {
    let request = || {
        let target = format!("{LIST}?customer=cus_ada&expand[]=data.feature");
        let request = http::Request::get(target).header("authorization", "Bearer sk_test_entgate");
        request.body(Vec::new()).unwrap()
    };
    let requests: Vec<_> = (0..20).map(|_| request()).collect();
    let statuses = |service: &Service| {
        let answers = service.concurrently(&requests);
        answers.iter().map(|answer| answer.status).collect::<Vec<_>>()
    };
    let features = [feature("export", "Exports"), feature("sms", "Messages")];
    for delay in [0, 50] {
        let service = with(&["sms", "export"]);
        service.stripe().set_delay(delay);
        queue_response(&service, 200, &json!({ "data": features, "has_more": false }));
        assert_eq!(statuses(&service), [200; 20], "{delay}");
        assert_eq!(service.stripe().requests(), ["/v1/entitlements/features?limit=100"], "{delay}");
        assert_eq!(names(&service), ["Messages", "Exports"], "{delay}");
    }
    let service = with(&["sms", "export"]);
    service.stripe().set_delay(5);
    queue_response(&service, 400, &json!({}));
    assert_eq!(statuses(&service), [503; 20], "they share the failure");
    assert_eq!(service.stripe().requests().len(), 1);
    queue_response(&service, 200, &json!({ "data": features, "has_more": false }));
    assert_eq!(names(&service), ["Messages", "Exports"], "the next request reads the list again");
}

#[test]
fn a_feature_is_read_again_after_300_s() {
    let mut service = with(&["sms"]);
    queue_response(&service, 200, &feature("sms", "Messages"));
    queue_response(&service, 200, &feature("sms", "Texts"));
    for (later, name, requests) in [(0, "Messages", 1), (299, "Messages", 1), (300, "Texts", 2)] {
        service.now.0 = NOW.0 + later;
        assert_eq!(names(&service), [name], "{later} s later");
        assert_eq!(service.stripe().requests().len(), requests, "{later} s later");
    }
    assert_eq!(service.stripe().requests(), ["/v1/entitlements/features/feat%5Ftest%5Fsms"; 2]);
}

#[test]
fn a_feature_that_cannot_be_read_fails_the_request() {
    let service = with(&["sms"]);
    for (status, body) in [(404, json!({})), (200, feature("other", "-")), (200, json!({}))] {
        queue_response(&service, status, &body);
        let answer = service.get(&format!("{LIST}?customer=cus_ada&expand[]=data.feature"));
        assert_eq!((answer.status, answer.error("message")), (503, UNAVAILABLE), "{status} {body}");
    }
}

#[test]
fn more_features_than_fit_in_the_cache_can_be_expanded() {
    let service = service_with_stripe();
    let page = |from: usize| {
        let data: Vec<_> = (from..from + 100).map(|n| feature(&format!("f{n}"), "-")).collect();
        json!({ "data": data, "has_more": true })
    };
    for (created, first) in [(1, 0), (2, 1_000)] {
        let keys = [format!("f{first}"), format!("f{}", first + 1)];
        service.stripe_sends(&event("cus_ada", NOW.0 + created, &[&keys[0], &keys[1]], false));
        (0..10).for_each(|n| queue_response(&service, 200, &page(first + 100 * n)));
        assert_eq!(names(&service), ["-", "-"]);
    }
    service.stripe_sends(&event("cus_ada", NOW.0 + 3, &["f0", "new"], false));
    queue_response(&service, 200, &feature("new", "New"));
    queue_response(&service, 200, &feature("f0", "-"));
    assert_eq!(names(&service), ["-", "New"]);
}
