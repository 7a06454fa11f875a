//! Strict features: only the ledger answers for them, however old the replica is.

use entgate::store::{Replica as _, memory::Fault};
use serde_json::{Value, json};

use crate::{
    support::{Answer, Service, configured, customer, event},
    token_fixtures::SIGNING_KEY,
};

const AT: i64 = 1_700_000_000;
const LIST: &str = "/v1/entitlements/active_entitlements?customer=cus_ada";
const SNAPSHOT: &str = "/v1/snapshot?customer=cus_ada";

/// A deployment with these strict features. Ada lost `sms`, `sso` and `fax`, and her replica still has
/// them.
fn with_old_replica(strict: &str) -> Service {
    let service = configured(&[
        ("ENTGATE_API_KEYS", "sk_test_entgate"),
        ("STRIPE_WEBHOOK_SECRETS", "whsec_test_entgate"),
        ("ENTGATE_SIGNING_KEY", SIGNING_KEY),
        ("ENTGATE_STRICT_FEATURES", strict),
    ]);
    service.stripe_sends(&event("cus_ada", AT, &["sms", "sso", "fax"], false));
    let old = service.store.replica.stored_set(&customer("cus_ada")).unwrap();
    service.stripe_sends(&event("cus_ada", AT + 1, &[], false));
    pollster::block_on(service.store.replica.save(&customer("cus_ada"), &old)).unwrap();
    service
}

/// Who answered a check, and how; or the status of a failure.
fn outcome(answer: &Answer) -> Value {
    match answer.status {
        200 => json!([answer.body["entitled"], answer.body["served_by"]]),
        status => json!(status),
    }
}

fn check(service: &Service, query: &str) -> Value {
    outcome(&service.get(&format!("/v1/check?customer=cus_ada&{query}")))
}

#[test]
fn a_check_of_a_strict_feature_is_answered_by_the_ledger_and_any_other_by_the_replica() {
    for (strict, feature, expected) in [
        ("", "sms", json!([true, "replica"])),
        ("sms", "sms", json!([false, "ledger"])),
        ("sms", "sso", json!([true, "replica"])),
        ("fax, sms", "sms", json!([false, "ledger"])),
    ] {
        let service = with_old_replica(strict);
        assert_eq!(check(&service, &format!("feature={feature}")), expected, "{strict} {feature}");
    }
}

#[test]
fn only_the_strict_checks_of_a_batch_fail_if_the_ledger_fails() {
    let service = with_old_replica("sms");
    service.store.ledger.fail_next(Fault::Before);
    let body = json!({ "checks": [
        { "customer": "cus_ada", "feature": "sso" },
        { "customer": "cus_ada", "feature": "sms" },
    ]});
    let answer = service.post_json("/v1/check", &body);
    let data = answer.body["data"].as_array().unwrap();
    let entitled = data.iter().map(|check| &check["entitled"]).collect::<Vec<_>>();
    assert_eq!((answer.status, entitled), (200, vec![&json!(true), &Value::Null]));
    let answer = service.post_json("/v1/check", &body);
    let data = answer.body["data"].as_array().unwrap();
    let served = data.iter().map(|check| (&check["entitled"], &check["served_by"]));
    assert_eq!(
        served.collect::<Vec<_>>(),
        [(&json!(true), &json!("replica")), (&json!(false), &json!("ledger"))]
    );
}

/// Every route that answers for features: without, and with `sms` as a strict feature.
#[test]
fn lists_bulk_evaluations_and_snapshots_are_answered_by_the_ledger_if_a_feature_is_strict() {
    let context = json!({ "context": { "targetingKey": "cus_ada" } });
    for (strict, version) in [("", 1), ("sms", 2)] {
        let service = with_old_replica(strict);
        let list = service.get(LIST);
        assert_eq!(list.header("entgate-version"), Some(&*version.to_string()), "{strict}");
        let snapshot = service.get(SNAPSHOT);
        assert_eq!(snapshot.body["version"], version, "{strict}");
        let bulk = service.post_json("/ofrep/v1/evaluate/flags", &context);
        assert_eq!(bulk.body["metadata"]["version"], version, "{strict}");
        let single = service.post_json("/ofrep/v1/evaluate/flags/sms", &context);
        assert_eq!(single.body["metadata"]["version"], version, "{strict}");
        let other = service.post_json("/ofrep/v1/evaluate/flags/sso", &context);
        assert_eq!(other.body["metadata"]["version"], 1, "{strict}");
        let authorized = service.get("/v1/authorize?customer=cus_ada&feature=sms");
        assert_eq!(authorized.status, if version == 1 { 204 } else { 403 }, "{strict}");
        let both = service.get("/v1/authorize?customer=cus_ada&feature=sso&feature=sms");
        assert_eq!(both.status, if version == 1 { 204 } else { 403 }, "{strict}");
    }
}

#[test]
fn without_the_ledger_a_strict_answer_is_a_failure_and_never_the_replicas() {
    let context = json!({ "context": { "targetingKey": "cus_ada" } });
    let service = with_old_replica("sms");
    // OFREP knows no 503.
    for (target, status) in [
        ("/v1/check?customer=cus_ada&feature=sms", 503),
        ("/v1/authorize?customer=cus_ada&feature=sms", 503),
        (LIST, 503),
        (SNAPSHOT, 503),
        ("/ofrep/v1/evaluate/flags", 500),
        ("/ofrep/v1/evaluate/flags/sms", 500),
    ] {
        let send = || match status {
            503 => service.get(target).status,
            _ => service.post_json(target, &context).status,
        };
        service.store.ledger.fail_next(Fault::Before);
        assert_eq!(send(), status, "{target}");
        assert!(send() < 500, "{target}: the ledger works again");
    }
}
