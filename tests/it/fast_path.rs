//! The fast path: which requests it answers. `support` asserts for every request of all tests that the
//! slow path returns the same response.

mod lists;
mod wire;

use entgate::{
    api::fast_path::FastAnswer,
    entitlement::{Entitlements, SourceSet},
    id::{Livemode, LookupKey},
    json,
    ledger::LedgerRequest,
    policy::{GrantRule, SourcePolicy, StatusPolicy},
    store::Replica as _,
    webhook::{
        signature::verify,
        stripe::{Incoming, parse},
    },
};
use serde_json::json;

use crate::{
    support::{
        FastPathAnswer, NOW, SECRET, Service, customer, event, service, signed, test_endpoint,
    },
    token_fixtures::{self, token},
};

const KEY: &str = "Bearer sk_test_entgate";

/// The body, or `204` and the customer, of the fast path's answer to a `GET`.
fn fast_get(service: &Service, target: &str, headers: &[(&str, &str)]) -> Option<String> {
    let mut request = http::Request::get(target);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    match service.fast_path(&request.body(Vec::new()).unwrap())? {
        FastPathAnswer::Query(_, FastAnswer::Check(object)) => Some(object),
        FastPathAnswer::Query(_, FastAnswer::List(list)) => Some(list.body),
        FastPathAnswer::Query(query, FastAnswer::Granted(..)) => {
            Some(format!("204 {}", query.customer.id))
        }
        FastPathAnswer::Webhook(_) => None,
    }
}

fn with_ada() -> Service {
    let service = service();
    service.stripe_sends(&event("cus_ada", 1_700_000_000, &["sms", "sso"], false));
    service
}

#[test]
fn a_record_of_another_source_or_policy_is_left_to_the_ledger() {
    let headers = [("authorization", KEY)];
    for (why, policy) in [
        ("another policy", SourcePolicy::Stripe(GrantRule::Revoke)),
        ("another source", SourcePolicy::Catalog(StatusPolicy::default())),
    ] {
        let service = with_ada();
        let set = service.store.replica.stored_set(&customer("cus_ada")).unwrap();
        let source = set.source.clone().map(|source| SourceSet { policy, ..source });
        let set = Entitlements { source, ..set };
        pollster::block_on(service.store.replica.save(&customer("cus_ada"), &set)).unwrap();
        for target in [
            "/v1/check?customer=cus_ada&feature=sms",
            "/v1/authorize?customer=cus_ada&feature=sms",
            "/v1/entitlements/active_entitlements?customer=cus_ada",
        ] {
            assert_eq!(fast_get(&service, target, &headers), None, "{why}: {target}");
        }
        let answer = service.get("/v1/check?customer=cus_ada&feature=sms");
        assert_eq!(answer.body["served_by"], "ledger", "{why}");
    }
}

#[test]
fn the_fast_path_grants_and_denies_a_feature() {
    let service = with_ada();
    let fax = LookupKey::try_from("fax".to_owned()).unwrap();
    service.existing_features.borrow_mut().insert(Livemode::Test, &fax);
    for (feature, entitled, reason) in
        [("sso", "true", "active_entitlement"), ("fax", "false", "not_entitled")]
    {
        let target = format!("/v1/check?customer=cus_ada&feature={feature}");
        let expected = format!(
            r#"{{"object":"entitlement_check","customer":"cus_ada","feature":"{feature}","entitled":{entitled},"reason":"{reason}","version":1,"as_of":1700000000,"served_by":"replica"}}"#
        );
        assert_eq!(
            fast_get(&service, &target, &[("authorization", KEY)]),
            Some(expected),
            "{feature}"
        );
    }
}

#[test]
fn a_denied_authorization_takes_the_slow_path_because_it_has_a_reason() {
    let service = with_ada();
    let authorize = |feature| {
        let target = format!("/v1/authorize?customer=cus_ada&feature={feature}");
        fast_get(&service, &target, &[("authorization", KEY)])
    };
    assert_eq!((authorize("sms"), authorize("fax")), (Some("204 cus_ada".to_owned()), None));
}

#[test]
fn a_customer_token_gives_access_to_its_customer_only() {
    let service = token_fixtures::with_ada(&[]);
    let bearer = format!("Bearer {}", token(&json!({})));
    let authorize = |query: &str| {
        fast_get(&service, &format!("/v1/authorize?{query}"), &[("authorization", &bearer)])
    };
    assert_eq!(authorize("feature=sms"), Some("204 cus_ada".to_owned()));
    assert_eq!(authorize("feature=sms&customer=cus_ada"), Some("204 cus_ada".to_owned()));
    assert_eq!(authorize("feature=sms&customer=cus_bob"), None);
    assert_eq!(
        fast_get(
            &service,
            "/v1/authorize?feature=sms",
            &[("authorization", &bearer[..bearer.len() - 1])]
        ),
        None
    );
}

#[test]
fn a_record_older_than_at_least_is_not_used() {
    let service = with_ada();
    for (at_least, is_answered) in [
        ("0", true),
        ("1", true),
        ("2", false),
        ("18446744073709551616", false),
        ("-1", false),
        ("", false),
    ] {
        let target = format!("/v1/check?customer=cus_ada&feature=sms&at_least={at_least}");
        let answer = fast_get(&service, &target, &[("authorization", KEY)]);
        assert_eq!(answer.is_some(), is_answered, "{at_least:?}");
    }
}

#[test]
fn any_other_request_takes_the_slow_path() {
    let service = with_ada();
    let check = "/v1/check?customer=cus_ada&feature=sms";
    for (why, target, headers) in [
        ("no credential", check, &[][..]),
        ("another key", check, &[("authorization", "Bearer sk_test_other")]),
        ("a longer key", check, &[("authorization", "Bearer sk_test_entgate1")]),
        ("Basic", check, &[("authorization", "Basic c2tfdGVzdF9lbnRnYXRlOg==")]),
        ("a lower-case scheme", check, &[("authorization", "bearer sk_test_entgate")]),
        ("the other mode", check, &[("authorization", "Bearer sk_live_entgate")]),
        ("an invalid token", check, &[("authorization", "Bearer a.b.c")]),
        (
            "an unknown customer",
            "/v1/check?customer=cus_bob&feature=sms",
            &[("authorization", KEY)],
        ),
        ("no customer", "/v1/check?feature=sms", &[("authorization", KEY)]),
        ("no feature", "/v1/check?customer=cus_ada", &[("authorization", KEY)]),
        ("an empty feature", "/v1/check?customer=cus_ada&feature=", &[("authorization", KEY)]),
        ("no query", "/v1/check", &[("authorization", KEY)]),
        (
            "two features",
            "/v1/check?customer=cus_ada&feature=sms&feature=sso",
            &[("authorization", KEY)],
        ),
        ("a list", "/v1/check?customer=cus_ada&feature[]=sms", &[("authorization", KEY)]),
        ("an escape", "/v1/check?customer=cus_ada&feature=%73ms", &[("authorization", KEY)]),
        ("a plus", "/v1/check?customer=cus_ada&feature=s+ms", &[("authorization", KEY)]),
        (
            "a read from the ledger",
            "/v1/check?customer=cus_ada&feature=sms&fresh=true",
            &[("authorization", KEY)],
        ),
        (
            "an unknown parameter",
            "/v1/check?customer=cus_ada&feature=sms&x=1",
            &[("authorization", KEY)],
        ),
        ("another path", "/v1/check/?customer=cus_ada&feature=sms", &[("authorization", KEY)]),
    ] {
        assert_eq!(fast_get(&service, target, headers), None, "{why}");
    }
    let post = http::Request::post(check).header("authorization", KEY).body(Vec::new()).unwrap();
    assert!(service.fast_path(&post).is_none());
}

#[test]
fn an_incomplete_set_answers_what_it_contains_and_takes_the_slow_path_for_the_rest() {
    let service = service();
    service.stripe_sends(&event("cus_ada", 1_700_000_000, &["sms"], true));
    let headers = [("authorization", KEY)];
    let target = |feature| format!("/v1/check?customer=cus_ada&feature={feature}");
    assert!(fast_get(&service, &target("sms"), &headers).is_some());
    assert_eq!(fast_get(&service, &target("sso"), &headers), None);
    let list = "/v1/entitlements/active_entitlements?customer=cus_ada";
    assert_eq!(fast_get(&service, list, &headers), None);
}

#[test]
fn only_a_valid_summary_event_needs_the_ledger() {
    let service = service();
    let summary = event("cus_ada", 1_700_000_000, &["sms"], false).to_string();
    let other = summary.replace("entitlements.active_entitlement_summary.updated", "invoice.paid");
    for (why, body, secret, status) in [
        ("forged", &summary, "whsec_other", Some(400)),
        ("another type", &other, SECRET, Some(200)),
        ("a summary", &summary, SECRET, None),
    ] {
        let request = http::Request::post("/webhooks/stripe")
            .header("stripe-signature", signed(body, secret, NOW))
            .body(body.clone().into_bytes())
            .unwrap();
        let answered = service.fast_path(&request).map(|answer| match answer {
            FastPathAnswer::Webhook(response) => response.status().as_u16(),
            FastPathAnswer::Query(..) => 0,
        });
        assert_eq!(answered, status, "{why}");
    }
}

#[test]
fn a_ledger_request_decodes_to_the_encoded_event() {
    let body = event("cus_ada", 1_700_000_000, &["sms", "sso"], false).to_string();
    let secrets = [test_endpoint(SECRET)];
    let verified = verify(&signed(&body, SECRET, NOW), body.as_bytes(), &secrets, NOW).unwrap();
    let parsed = parse(verified, GrantRule::Keep).unwrap();
    let Incoming::Summary(summary) = parsed else { panic!("{parsed:?}") };
    let message = LedgerRequest::Apply(summary);
    let encoded = serde_json::to_vec(&message).unwrap();
    assert!(encoded.starts_with(b"{\"apply\":{"), "{}", String::from_utf8_lossy(&encoded));
    assert_eq!(json::from_slice::<LedgerRequest>(&encoded), Ok(message));
}
