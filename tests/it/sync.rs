//! Where the ledger cannot tell, Stripe is asked: who there is, the rest of a page, a set read now.

use entgate::{id::UnixMillis, ledger::SyncProblem, store::Backlog};
use serde_json::{Value, json};

use crate::support::{
    Answer, NOW, Service, configured, event, grants, item, service, service_with_stripe,
};

const LIST: &str = "/v1/entitlements/active_entitlements";
const ADA: &str = "/v1/entitlements/active_entitlements?customer=cus%5Fada&limit=100";
const NOT_A_NO: &str =
    "The entitlements cannot be read or written at the moment. This is not a no.";

/// A deployment, and Stripe, where Ada holds the features with these keys.
fn holding(keys: &[&str]) -> Service {
    let service = service_with_stripe();
    service.stripe().set_entitlements("cus_ada", grants(keys));
    service
}

/// The next requests to Stripe are lost, as often as one is tried.
fn lose_one(service: &Service) {
    (0..3).for_each(|_| service.stripe().queue_response(Err("connection reset".to_owned())));
}

fn sync(service: &Service, query: &str) -> Answer {
    service.post_json(&format!("/v1/customers/cus_ada/sync{query}"), &json!({}))
}

#[test]
fn a_customer_nothing_was_heard_of_is_found_at_stripe() {
    let service = holding(&["sms"]);
    let answer = service.get("/v1/check?customer=cus_ada&feature=sms");
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
    let again = service.get("/v1/check?customer=cus_ada&feature=sso");
    assert_eq!(again.body["reason"], "not_entitled");
    assert_eq!(again.body["served_by"], "ledger");
    assert_eq!(service.stripe().requests(), [ADA]);
}

#[test]
fn a_customer_who_holds_nothing_at_stripe_is_known_to_hold_nothing() {
    let service = holding(&[]);
    assert_eq!(service.check("cus_ada", "sms").1, "not_entitled");
    let list = service.get(&format!("{LIST}?customer=cus_ada"));
    assert_eq!((list.status, list.keys().len()), (200, 0));
    assert_eq!(list.header("entgate-version"), Some("1"));
    assert_eq!(service.stripe().requests(), [ADA]);
}

#[test]
fn a_customer_that_stripe_does_not_know_is_unknown() {
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
fn a_truncated_page_is_completed_by_the_next_question() {
    let service = holding(&["c", "b", "a"]);
    service.stripe_sends(&event("cus_ada", NOW.0 - 9, &["c"], true));
    assert_eq!(service.stripe().requests(), [""; 0], "the event alone asks for nothing");

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
fn while_stripe_is_out_of_reach_nobody_is_told_no() {
    let service = holding(&["a", "b"]);
    for target in ["/v1/check?customer=cus_ada&feature=a", &format!("{LIST}?customer=cus_ada")] {
        lose_one(&service);
        let answer = service.get(target);
        assert_eq!((answer.status, answer.error("message")), (503, NOT_A_NO), "{target}");
        assert_eq!(answer.header("retry-after"), Some("1"), "{target}");
    }
    lose_one(&service);
    assert_eq!(sync(&service, "").error("message"), NOT_A_NO);

    service.stripe_sends(&event("cus_ada", NOW.0 - 9, &["a"], true));
    let asked = service.stripe().requests().len();
    assert!(service.check("cus_ada", "a").0, "what is held in part is enough for a yes");
    assert_eq!(service.stripe().requests().len(), asked, "and Stripe is not asked for it");
    lose_one(&service);
    let answer = service.get("/v1/check?customer=cus_ada&feature=b");
    assert_eq!((answer.status, answer.error("code")), (503, "entitlements_incomplete"));
    assert!(service.check("cus_ada", "b").0, "it is in reach again");
}

#[test]
fn a_sync_answers_what_stripe_says_now() {
    let service = holding(&["sms", "export"]);
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
    assert_eq!(sync(&service, "").body["version"], 2, "the same set is no new version");
    for (feature, entitled) in [("sms", true), ("sso", false)] {
        let answer =
            service.post_json("/v1/customers/cus_ada/sync", &json!({ "feature": feature }));
        assert_eq!(answer.body["feature"], feature);
        assert_eq!(answer.body["entitled"], entitled, "{feature}");
    }
    assert_eq!(service.stripe().requests().len(), 4);
}

#[test]
fn a_sync_shows_a_hundred_entitlements_and_says_that_there_are_more() {
    let keys: Vec<_> = (0..101).map(|n| format!("f{n}")).collect();
    let keys: Vec<_> = keys.iter().map(String::as_str).collect();
    for (count, has_more) in [(100, false), (101, true)] {
        let answer = sync(&holding(&keys[..count]), "?feature=f100").body;
        assert_eq!(answer["entitlements"]["data"].as_array().unwrap().len(), 100, "{count}");
        assert_eq!(answer["entitlements"]["has_more"], has_more, "{count}");
        assert_eq!(answer["entitled"], has_more, "{count}: what is not shown is looked at");
    }
}

#[test]
fn a_sync_waits_for_a_feature_and_for_25_s_at_most() {
    let service = holding(&["sms"]);
    for query in ["?feature=sms&wait=0", "?feature=sms&wait=25", "?feature=sms"] {
        assert_eq!(sync(&service, query).body["entitled"], true, "{query}");
    }
    let asked = service.stripe().requests().len();
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
        ("?feture=sms", "feture", "parameter_unknown", "Received unknown parameter: feture"),
    ] {
        // A query counts where there is no body.
        let headers = [("authorization", "Bearer sk_test_entgate")];
        let target = format!("/v1/customers/cus_ada/sync{query}");
        let answer = service.request("POST", &target, &headers, b"");
        answer.assert_refuses(param, code, message, query);
    }
    assert_eq!(service.stripe().requests().len(), asked, "what is refused is not asked for");
}

#[test]
fn without_a_key_what_only_stripe_knows_is_refused_and_the_setting_named() {
    let service = service();
    service.stripe_sends(&event("cus_ada", NOW.0 - 9, &["sms"], false));
    for (what, param, answer) in [
        ("Reading a customer's entitlements anew", "", sync(&service, "")),
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
fn a_customer_who_was_deleted_holds_nothing() {
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

#[test]
fn health_tells_what_is_pending_and_what_the_operator_has_to_see_to() {
    let now = UnixMillis::from(NOW).0;
    let backlog = |pending, since: Option<u64>, trouble| Backlog {
        pending,
        pending_since: since.map(UnixMillis),
        problem: trouble,
    };
    let (service, unset) = (service_with_stripe(), configured(&[]));
    let key =
        "Stripe refuses STRIPE_API_KEY: set a key of this account that may read entitlements.";
    let account = "Stripe does not know a customer of whom it sent events: is STRIPE_API_KEY of the \
                   same account as the webhook?";
    for (why, backlog, status, outbox, message) in [
        ("nothing", backlog(0, None, None), "ok", json!({ "pending": 0, "oldest": null }), None),
        (
            "a debt",
            backlog(1, Some(now - 89_999), None),
            "degraded",
            json!({ "pending": 1, "oldest": 89 }),
            None,
        ),
        (
            "one from a clock ahead",
            backlog(3, Some(now + 90_000), None),
            "degraded",
            json!({ "pending": 3, "oldest": 0 }),
            None,
        ),
        (
            "a key that is refused",
            backlog(0, None, Some(SyncProblem::KeyRefused)),
            "degraded",
            json!({ "pending": 0, "oldest": null }),
            Some(key),
        ),
        (
            "a key of another account",
            backlog(2, Some(now - 60_000), Some(SyncProblem::UnknownCustomer)),
            "degraded",
            json!({ "pending": 2, "oldest": 60 }),
            Some(account),
        ),
    ] {
        *service.store.customer_index.backlog.borrow_mut() = backlog;
        let body = service.get("/healthz").body;
        assert_eq!((&body["status"], &body["outbox"]), (&json!(status), &outbox), "{why}");
        assert_eq!(body.get("message"), message.map(Value::from).as_ref(), "{why}");
        assert_eq!(body["settings"]["STRIPE_API_KEY"], "set", "{why}");

        *unset.store.customer_index.backlog.borrow_mut() = backlog;
        assert_eq!(unset.get("/healthz").body["status"], "unconfigured", "{why}");
    }
}
