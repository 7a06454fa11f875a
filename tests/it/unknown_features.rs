//! `unknown_feature`: a denial says whether the feature exists, so that a mistyped lookup key is noticed.

use entgate::{api::settings::Environment, id::Livemode, source::StripeResponse};
use serde_json::{Value, json};

use crate::support::{Service, event, grants, service_with_stripe, service_with_stripe_and};

/// A customer who has `sms`. Stripe lists `sms` and `fax`.
fn with_ada(settings: &[(&str, &str)]) -> Service {
    let service = service_with_stripe_and(settings);
    service.stripe().set_features(&["sms", "fax"]);
    service.stripe().set_entitlements("cus_ada", grants(&["sms"]));
    service.stripe_sends(&event("cus_ada", 1_700_000_000, &["sms"], false));
    service
}

fn authorize(service: &Service, feature: &str) -> (u16, Value, Value) {
    let answer = service.get(&format!("/v1/authorize?customer=cus_ada&feature={feature}"));
    let error = &answer.body["error"];
    (answer.status, error["code"].clone(), error["message"].clone())
}

/// How often Stripe's features were listed.
fn lists(service: &Service) -> usize {
    let requests = service.stripe().requests();
    requests.iter().filter(|target| target.starts_with("/v1/entitlements/features")).count()
}

/// Whether the fast path answers a check.
fn is_fast(service: &Service, target: &str) -> bool {
    let request = http::Request::get(target).header("authorization", "Bearer sk_test_entgate");
    service.fast_path(&request.body(Vec::new()).unwrap()).is_some()
}

#[test]
fn a_denial_says_whether_the_feature_exists() {
    let service = with_ada(&[]);
    assert_eq!(service.check("cus_ada", "sms"), (true, "active_entitlement".to_owned()));
    assert_eq!(service.check("cus_ada", "fax"), (false, "not_entitled".to_owned()));
    assert_eq!(service.check("cus_ada", "smss"), (false, "unknown_feature".to_owned()));

    let batch = service.get("/v1/check?customer=cus_ada&feature=smss&feature=fax&feature=sms").body;
    let reasons: Vec<_> =
        batch["data"].as_array().unwrap().iter().map(|check| &check["reason"]).collect();
    assert_eq!(reasons, ["unknown_feature", "not_entitled", "active_entitlement"]);

    let denied = json!("'cus_ada' may not use 'fax'.");
    assert_eq!(authorize(&service, "fax"), (403, json!("not_entitled"), denied));
    let unknown = json!("No feature has the lookup key 'report'. Check how it is spelled.");
    assert_eq!(authorize(&service, "report"), (403, json!("unknown_feature"), unknown));
}

#[test]
fn in_development_an_unknown_feature_has_a_near_match() {
    let check = |service: &Service, feature| {
        let body = service.get(&format!("/v1/check?customer=cus_ada&feature={feature}")).body;
        json!([body["reason"], body.get("nearest_feature")])
    };
    let service = with_ada(&[]);
    assert_eq!(check(&service, "smss"), json!(["unknown_feature", "sms"]));
    assert_eq!(check(&service, "report"), json!(["unknown_feature", null]));
    assert_eq!(check(&service, "fax"), json!(["not_entitled", null]));
    let unknown = json!("No feature has the lookup key 'smss'. Did you mean 'sms'?");
    assert_eq!(authorize(&service, "smss"), (403, json!("unknown_feature"), unknown));

    let mut service = with_ada(&[]);
    service.settings.environment = Environment::Deployed;
    assert_eq!(check(&service, "smss"), json!(["unknown_feature", null]));
}

#[test]
fn an_unknown_customer_comes_before_an_unknown_feature() {
    let service = with_ada(&[]);
    assert_eq!(service.check("cus_nobody", "smss"), (false, "unknown_customer".to_owned()));
}

#[test]
fn a_feature_exists_if_a_customer_had_it_or_every_customer_has_it() {
    let service = with_ada(&[("ENTGATE_DEFAULT_FEATURES", "help")]);
    // Stripe does not list an archived feature.
    service.stripe_sends(&event("cus_bob", 1_700_000_000, &["archived"], false));
    assert_eq!(service.check("cus_ada", "archived"), (false, "not_entitled".to_owned()));
    assert_eq!(service.check("cus_ada", "help"), (true, "default_feature".to_owned()));
}

#[test]
fn without_a_list_of_features_a_denied_feature_is_not_unknown() {
    let service = crate::support::service();
    service.stripe_sends(&event("cus_ada", 1_700_000_000, &["sms"], false));
    assert_eq!(service.check("cus_ada", "smss"), (false, "not_entitled".to_owned()));

    let service = with_ada(&[]);
    let failure = StripeResponse { status: 500, ..StripeResponse::default() };
    for _ in 0..8 {
        service.stripe().queue_response(Ok(failure.clone()));
    }
    assert_eq!(service.check("cus_ada", "smss"), (false, "not_entitled".to_owned()));
}

#[test]
fn features_are_listed_for_the_first_denial_and_again_after_five_seconds_for_an_unknown_one() {
    let mut service = with_ada(&[]);
    assert!(service.check("cus_ada", "sms").0);
    assert_eq!(lists(&service), 0);
    for (seconds, feature, expected) in [
        (0, "fax", 1),
        (0, "smss", 1),
        (4, "smss", 1),
        (0, "fax", 1),
        (1, "smss", 2),
        (60, "fax", 2),
    ] {
        service.now.0 += seconds;
        service.check("cus_ada", feature);
        assert_eq!(lists(&service), expected, "{feature}");
    }
}

#[test]
fn the_fast_path_denies_a_feature_only_if_it_exists() {
    let service = with_ada(&[]);
    let check = |feature| format!("/v1/check?customer=cus_ada&feature={feature}");
    assert!(is_fast(&service, &check("sms")));
    for (feature, is_fast_afterwards) in [("fax", true), ("smss", false)] {
        assert!(!is_fast(&service, &check(feature)), "{feature}");
        service.get(&check(feature));
        assert_eq!(is_fast(&service, &check(feature)), is_fast_afterwards, "{feature}");
    }
}

#[test]
fn the_fast_path_denies_a_feature_that_it_has_granted_to_another_customer() {
    let service = with_ada(&[]);
    service.stripe().set_entitlements("cus_bob", grants(&["fax"]));
    service.stripe_sends(&event("cus_bob", 1_700_000_000, &["fax"], false));
    let check = |customer, feature| format!("/v1/check?customer={customer}&feature={feature}");
    assert!(!is_fast(&service, &check("cus_bob", "sms")));
    assert!(is_fast(&service, &check("cus_ada", "sms")));
    assert!(is_fast(&service, &check("cus_bob", "sms")));
}

#[test]
fn the_fast_path_knows_the_features_of_each_mode_and_at_most_two_thousand() {
    let service = service_with_stripe();
    let existing = &mut service.existing_features.borrow_mut();
    let key = |number: usize| format!("feature_{number}").try_into().unwrap();
    for number in 0..2_000 {
        existing.insert(Livemode::Live, &key(number));
    }
    existing.insert(Livemode::Live, &key(1_999));
    assert!(existing.contains(Livemode::Live, &key(0)));
    assert!(!existing.contains(Livemode::Test, &key(0)));
    existing.insert(Livemode::Live, &key(2_000));
    assert!(!existing.contains(Livemode::Live, &key(0)), "it forgets them all");
    assert!(existing.contains(Livemode::Live, &key(2_000)));
}
