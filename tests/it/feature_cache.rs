//! One entitlement by its id, and the features of a list: what Stripe tells and the ledger does not keep.

use entgate::source::StripeResponse;
use serde_json::{Value, json};

use crate::support::{NOW, Service, event, item, service_with_stripe};

const LIST: &str = "/v1/entitlements/active_entitlements";
const NOT_A_NO: &str =
    "The entitlements cannot be read or written at the moment. This is not a no.";

/// A deployment that can read Stripe, and holds these of Ada.
fn with(keys: &[&str]) -> Service {
    let service = service_with_stripe();
    service.stripe_sends(&event("cus_ada", NOW.0 - 9, keys, false));
    service
}

/// Stripe answers the next request so.
fn answers(service: &Service, status: u16, body: &Value) {
    let body = body.to_string().into_bytes();
    service.stripe().queue_response(Ok(StripeResponse {
        status,
        body,
        ..StripeResponse::default()
    }));
}

/// A feature as Stripe tells it.
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
fn an_entitlement_by_its_id_is_stripes_answer() {
    let service = service_with_stripe();
    let mut whole = item("sms");
    whole["feature"] = feature("sms", "Messages");
    for (query, target, body) in [
        ("", "/v1/entitlements/active_entitlements/ent%5Ftest%5Fsms", item("sms")),
        (
            "?expand[]=feature",
            "/v1/entitlements/active_entitlements/ent%5Ftest%5Fsms?expand%5B%5D=feature",
            whole,
        ),
    ] {
        answers(&service, 200, &body);
        let answer = service.get(&format!("{LIST}/ent_test_sms{query}"));
        assert_eq!((answer.status, answer.body), (200, body));
        assert_eq!(service.stripe().requests().last().unwrap(), target);
    }
    let refused = service.get(&format!("{LIST}/ent_test_sms?expand[]=data.feature"));
    let message = "This property cannot be expanded (data.feature). Only feature can.";
    refused.assert_refuses("expand", "parameter_invalid", message, "the list's own word");
}

#[test]
fn an_entitlement_that_stripe_does_not_tell_is_missing_only_if_stripe_says_so() {
    let service = service_with_stripe();
    let message = "No such active entitlement: 'ent_1'";
    let missing = json!({ "error": {
        "code": "resource_missing", "message": message, "param": "id", "type": "invalid_request_error",
    }});
    answers(&service, 404, &missing);
    let answer = service.get(&format!("{LIST}/ent_1"));
    assert_eq!((answer.status, &answer.body), (404, &missing));

    for (status, message) in [
        (401, "Stripe refuses STRIPE_API_KEY with status 401. Set another one."),
        (403, "Stripe refuses STRIPE_API_KEY with status 403. Set another one."),
        (400, NOT_A_NO),
        (404, NOT_A_NO),
    ] {
        answers(&service, status, &json!({}));
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
fn a_list_is_expanded_from_one_reading_of_all_features_and_the_archived_ones_singly() {
    let service = with(&["sms", "old", "export"]);
    let active = [feature("export", "Exports"), feature("other", "-"), feature("sms", "Messages")];
    answers(&service, 200, &json!({ "data": active, "has_more": false }));
    answers(&service, 200, &feature("old", "Faxes"));

    let answer = service.get(&format!("{LIST}?customer=cus_ada&expand[]=data.feature&limit=3"));
    let [mut sms, mut old, mut export] = [item("sms"), item("old"), item("export")];
    sms["feature"] = feature("sms", "Messages");
    old["feature"] = feature("old", "Faxes");
    export["feature"] = feature("export", "Exports");
    assert_eq!(answer.body["data"], json!([sms, old, export]));
    let asked =
        ["/v1/entitlements/features?limit=100", "/v1/entitlements/features/feat%5Ftest%5Fold"];
    assert_eq!(service.stripe().requests(), asked);

    assert_eq!(names(&service), ["Messages", "Faxes", "Exports"]);
    assert_eq!(service.stripe().requests(), asked, "they are kept");
}

#[test]
fn a_feature_is_read_again_after_300_s() {
    let mut service = with(&["sms"]);
    answers(&service, 200, &feature("sms", "Messages"));
    answers(&service, 200, &feature("sms", "Texts"));
    for (later, name, requests) in [(0, "Messages", 1), (299, "Messages", 1), (300, "Texts", 2)] {
        service.now.0 = NOW.0 + later;
        assert_eq!(names(&service), [name], "{later} s later");
        assert_eq!(service.stripe().requests().len(), requests, "{later} s later");
    }
    assert_eq!(service.stripe().requests(), ["/v1/entitlements/features/feat%5Ftest%5Fsms"; 2]);
}

#[test]
fn a_feature_that_cannot_be_read_is_no_reason_to_leave_it_out() {
    let service = with(&["sms"]);
    for (status, body) in [(404, json!({})), (200, feature("other", "-")), (200, json!({}))] {
        answers(&service, status, &body);
        let answer = service.get(&format!("{LIST}?customer=cus_ada&expand[]=data.feature"));
        assert_eq!((answer.status, answer.error("message")), (503, NOT_A_NO), "{status} {body}");
    }
}

#[test]
fn more_features_than_are_kept_can_still_be_expanded() {
    let service = service_with_stripe();
    let page = |from: usize| {
        let data: Vec<_> = (from..from + 100).map(|n| feature(&format!("f{n}"), "-")).collect();
        json!({ "data": data, "has_more": true })
    };
    for (created, first) in [(1, 0), (2, 1_000)] {
        let keys = [format!("f{first}"), format!("f{}", first + 1)];
        service.stripe_sends(&event("cus_ada", NOW.0 + created, &[&keys[0], &keys[1]], false));
        (0..10).for_each(|n| answers(&service, 200, &page(first + 100 * n)));
        assert_eq!(names(&service), ["-", "-"]);
    }
    service.stripe_sends(&event("cus_ada", NOW.0 + 3, &["f0", "new"], false));
    answers(&service, 200, &feature("new", "New"));
    answers(&service, 200, &feature("f0", "-"));
    assert_eq!(names(&service), ["-", "New"]);
}
