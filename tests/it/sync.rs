//! Reads from Stripe: unknown customers, truncated pages, and `POST /v1/customers/{id}/sync`.

use entgate::source::Transport as _;
use serde_json::{Value, json};

use crate::support::{Answer, NOW, Service, event, grants, item, service, service_with_stripe};

const LIST: &str = "/v1/entitlements/active_entitlements";
const ADA: &str = "/v1/entitlements/active_entitlements?customer=cus%5Fada&limit=100";
const FEATURES: &str = "/v1/entitlements/features?limit=100";
const UNAVAILABLE: &str =
    "The entitlements cannot be read or written at the moment. This is not a denial.";

/// A deployment whose Stripe has these features for Ada.
fn with_entitlements_at_stripe(keys: &[&str]) -> Service {
    let service = service_with_stripe();
    service.stripe().set_entitlements("cus_ada", grants(keys));
    service
}

/// Makes the next request to Stripe fail, including its retries.
fn fail_next_request(service: &Service) {
    pass_seconds(service, 2);
    (0..3).for_each(|_| service.stripe().queue_response(Err("connection reset".to_owned())));
}

/// Lets the pause end after which the ledger reads Stripe again.
fn pass_seconds(service: &Service, seconds: u64) {
    let stripe = service.stripe();
    stripe.set_clock(stripe.now().saturating_add(seconds * 1_000));
}

fn sync(service: &Service, query: &str) -> Answer {
    service.post_json(&format!("/v1/customers/cus_ada/sync{query}"), &json!({}))
}

#[test]
fn an_unknown_customer_is_read_from_stripe() {
    let service = with_entitlements_at_stripe(&["sms"]);
    service.stripe().set_features(&["sms", "sso"]);
    let answer = service.get("/v1/check?customer=cus_ada&feature=sms");
    assert_eq!(service.stripe().requests(), [ADA]);
    assert_eq!(
        answer.body,
        json!({
            "object": "entitlement_check",
            "customer": "cus_ada",
            "feature": "sms",
            "entitled": true,
            "reason": "active_entitlement",
            "version": 1,
            "as_of": NOW,
            "served_by": "source",
        })
    );
    let second = service.get("/v1/check?customer=cus_ada&feature=sso");
    assert_eq!(second.body["reason"], "not_entitled");
    assert_eq!(second.body["served_by"], "ledger");
    assert_eq!(service.stripe().requests(), [ADA, FEATURES]);
}

#[test]
fn an_empty_list_of_stripe_is_a_known_set() {
    let service = with_entitlements_at_stripe(&[]);
    let list = service.get(&format!("{LIST}?customer=cus_ada"));
    assert_eq!((list.status, list.keys().len()), (200, 0));
    assert_eq!(list.header("entgate-version"), Some("1"));
    assert_eq!(service.stripe().requests(), [ADA]);
    service.stripe().set_features(&["sms"]);
    assert_eq!(service.check("cus_ada", "sms").1, "not_entitled");
    assert_eq!(service.stripe().requests(), [ADA, FEATURES]);
}

#[test]
fn a_customer_that_stripe_does_not_have_is_unknown() {
    let service = service_with_stripe();
    let check = service.get("/v1/check?customer=cus_ada&feature=sms");
    assert_eq!(check.body["reason"], "unknown_customer");
    assert_eq!((&check.body["version"], &check.body["as_of"]), (&json!(0), &Value::Null));
    for list in [&format!("{LIST}?customer=cus_ada"), "/v1/customer/cus_ada/entitlements"] {
        let message = "No such customer: 'cus_ada'";
        service.get(list).assert_refuses("customer", "resource_missing", message, list);
    }
    let sync = sync(&service, "");
    assert_eq!((sync.status, sync.error("code")), (404, "resource_missing"));
    assert_eq!((sync.error("param"), sync.error("message")), ("id", "No such customer: 'cus_ada'"));
}

#[test]
fn the_next_check_completes_a_truncated_page() {
    let service = with_entitlements_at_stripe(&["c", "b", "a"]);
    service.stripe_sends(&event("cus_ada", NOW.0 - 9, &["c"], true));
    assert_eq!(service.stripe().requests(), [""; 0], "the event causes no request");

    let check = service.get("/v1/check?customer=cus_ada&feature=a");
    assert_eq!((check.status, &check.body["entitled"]), (200, &json!(true)));
    assert_eq!((&check.body["served_by"], &check.body["version"]), (&json!("source"), &json!(2)));
    service.store.replicate();
    let list = service.get(&format!("{LIST}?customer=cus_ada"));
    assert_eq!(
        (list.keys(), list.header("entgate-served-by")),
        (vec!["b", "a", "c"], Some("replica"))
    );
    assert_eq!(service.stripe().requests(), [ADA]);
}

#[test]
fn while_stripe_is_unavailable_no_feature_is_denied() {
    let service = with_entitlements_at_stripe(&["a", "b"]);
    for target in ["/v1/check?customer=cus_ada&feature=a", &format!("{LIST}?customer=cus_ada")] {
        fail_next_request(&service);
        let answer = service.get(target);
        assert_eq!((answer.status, answer.error("message")), (503, UNAVAILABLE), "{target}");
        assert_eq!(answer.header("retry-after"), Some("1"), "{target}");
    }
    fail_next_request(&service);
    assert_eq!(sync(&service, "").error("message"), UNAVAILABLE);

    service.stripe_sends(&event("cus_ada", NOW.0 - 9, &["a"], true));
    let requests = service.stripe().requests().len();
    assert!(service.check("cus_ada", "a").0, "an incomplete set grants its features");
    assert_eq!(service.stripe().requests().len(), requests, "Stripe receives no request");
    fail_next_request(&service);
    let answer = service.get("/v1/check?customer=cus_ada&feature=b");
    assert_eq!((answer.status, answer.error("code")), (503, "entitlements_incomplete"));
    let requests = service.stripe().requests().len();
    let answer = service.get("/v1/check?customer=cus_ada&feature=b");
    assert_eq!(answer.status, 503, "the ledger does not read Stripe again at once");
    assert_eq!(service.stripe().requests().len(), requests);
    pass_seconds(&service, 2);
    assert!(service.check("cus_ada", "b").0, "Stripe is available again");
}

#[test]
fn a_sync_returns_stripes_current_list() {
    let service = with_entitlements_at_stripe(&["sms", "export"]);
    service.stripe_sends(&event("cus_ada", NOW.0 - 9, &["export"], false));
    let expected = json!({
        "object": "customer_sync",
        "customer": "cus_ada",
        "version": 2,
        "as_of": NOW,
        "served_by": "source",
        "entitlements": {
            "object": "list",
            "data": [item("sms"), item("export")],
            "has_more": false,
            "url": LIST,
        },
    });
    let answer = sync(&service, "");
    assert_eq!((answer.status, answer.body), (200, expected));
    assert_eq!(sync(&service, "").body["version"], 2, "an equal set keeps its version");
    for (feature, entitled) in [("sms", true), ("sso", false)] {
        let answer =
            service.post_json("/v1/customers/cus_ada/sync", &json!({ "feature": feature }));
        assert_eq!(answer.body["feature"], feature);
        assert_eq!(answer.body["entitled"], entitled, "{feature}");
    }
    assert_eq!(service.stripe().requests().len(), 4);
}

#[test]
fn a_sync_returns_a_hundred_entitlements_and_whether_there_are_more() {
    let keys: Vec<_> = (0..101).map(|n| format!("f{n}")).collect();
    let keys: Vec<_> = keys.iter().map(String::as_str).collect();
    for (count, has_more) in [(100, false), (101, true)] {
        let answer = sync(&with_entitlements_at_stripe(&keys[..count]), "?feature=f100").body;
        assert_eq!(answer["entitlements"]["data"].as_array().unwrap().len(), 100, "{count}");
        assert_eq!(answer["entitlements"]["has_more"], has_more, "{count}");
        assert_eq!(answer["entitled"], has_more, "{count}: the decision uses all entitlements");
    }
}

#[test]
fn a_sync_waits_for_a_feature_for_25_s_at_most() {
    let service = with_entitlements_at_stripe(&["sms"]);
    for query in ["?feature=sms&wait=0", "?feature=sms&wait=25", "?feature=sms"] {
        assert_eq!(sync(&service, query).body["entitled"], true, "{query}");
    }
    let requests = service.stripe().requests().len();
    for (query, param, code, message) in [
        ("?wait=5", "wait", "parameter_invalid", "`wait` needs a `feature` to wait for."),
        (
            "?feature=sms&wait=26",
            "wait",
            "parameter_invalid_integer",
            "This value must be less than or equal to 25 (it currently is '26').",
        ),
        (
            "?feature=",
            "feature",
            "parameter_invalid_empty",
            "You passed an empty string for 'feature'. Leave it out, or give it a value.",
        ),
        (
            "?feture=sms",
            "feture",
            "parameter_unknown",
            "Received unknown parameter: feture. Did you mean feature?",
        ),
    ] {
        // The query is parsed if there is no body.
        let headers = [("authorization", "Bearer sk_test_entgate")];
        let target = format!("/v1/customers/cus_ada/sync{query}");
        let answer = service.request("POST", &target, &headers, b"");
        answer.assert_refuses(param, code, message, query);
    }
    assert_eq!(service.stripe().requests().len(), requests, "an invalid request causes no read");
}

#[test]
fn without_a_stripe_key_requests_that_need_stripe_return_400_with_the_setting() {
    let service = service();
    service.stripe_sends(&event("cus_ada", NOW.0 - 9, &["sms"], false));
    for (what, param, answer) in [
        ("A customer's entitlement list", "", sync(&service, "")),
        ("An entitlement by its id", "", service.get(&format!("{LIST}/ent_test_sms"))),
        (
            "`data.feature`",
            "expand",
            service.get(&format!("{LIST}?customer=cus_ada&expand[]=data.feature")),
        ),
    ] {
        let message = format!(
            "{what} is read from Stripe, and this deployment has no key of test mode for it: set \
             STRIPE_API_KEY."
        );
        assert_eq!((answer.status, answer.error("type")), (400, "invalid_request_error"));
        assert_eq!((answer.error("message"), answer.error("param")), (&*message, param));
    }
}

#[test]
fn a_deleted_customer_has_no_features() {
    let service = service();
    service.stripe_sends(&event("cus_ada", NOW.0 - 9, &["sms"], false));
    let receipt = service.stripe_sends(&json!({
        "id": "evt_deleted",
        "object": "event",
        "type": "customer.deleted",
        "created": NOW.0 - 1,
        "livemode": false,
        "data": { "object": { "id": "cus_ada", "object": "customer", "livemode": false } },
    }));
    assert_eq!(
        (&receipt.body["outcome"], &receipt.body["version"]),
        (&json!("applied"), &json!(2))
    );
    assert_eq!(service.check("cus_ada", "sms"), (false, "not_entitled".to_owned()));
}
