//! The hot path: which requests it answers. That it answers them as the long way does is seen at every
//! request of all tests, in `support`.

mod lists;
mod wire;

use entgate::{
    api::fast_path,
    json,
    policy::GrantRule,
    store::ledger_request::LedgerRequest,
    webhook::{
        signature::{SigningSecret, verify},
        stripe::{Incoming, parse},
    },
};
use serde_json::json;

use crate::{
    support::{Hot, NOW, SECRET, Service, event, service, signed},
    token_fixtures::{self, token},
};

const KEY: &str = "Bearer sk_test_entgate";

/// What the hot path answers, in short, to a `GET`.
fn asked(service: &Service, target: &str, headers: &[(&str, &str)]) -> Option<String> {
    let mut request = http::Request::get(target);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    match service.hot(&request.body(Vec::new()).unwrap())? {
        Hot::Question(_, fast_path::FastAnswer::Check(object)) => Some(object),
        Hot::Question(_, fast_path::FastAnswer::List(list)) => Some(list.body),
        Hot::Question(question, fast_path::FastAnswer::Granted(..)) => {
            Some(format!("204 {}", question.customer.id))
        }
        Hot::Event(_) => None,
    }
}

fn with_ada() -> Service {
    let service = service();
    service.stripe_sends(&event("cus_ada", 1_700_000_000, &["sms", "sso"], false));
    service
}

#[test]
fn a_plain_check_is_answered_yes_and_no() {
    let service = with_ada();
    for (feature, entitled, reason) in
        [("sso", "true", "active_entitlement"), ("fax", "false", "not_entitled")]
    {
        let target = format!("/v1/check?customer=cus_ada&feature={feature}");
        let expected = format!(
            r#"{{"object":"entitlement_check","customer":"cus_ada","feature":"{feature}","entitled":{entitled},"reason":"{reason}","version":1,"as_of":1700000000,"served_by":"replica"}}"#
        );
        assert_eq!(
            asked(&service, &target, &[("authorization", KEY)]),
            Some(expected),
            "{feature}"
        );
    }
}

#[test]
fn a_proxy_is_told_a_yes_and_a_no_goes_the_long_way_since_it_says_why() {
    let service = with_ada();
    let of = |feature| {
        let target = format!("/v1/authorize?customer=cus_ada&feature={feature}");
        asked(&service, &target, &[("authorization", KEY)])
    };
    assert_eq!((of("sms"), of("fax")), (Some("204 cus_ada".to_owned()), None));
}

#[test]
fn a_customers_own_token_opens_that_customer_alone() {
    let service = token_fixtures::with_ada(&[]);
    let bearer = format!("Bearer {}", token(&json!({})));
    let of = |query: &str| {
        asked(&service, &format!("/v1/authorize?{query}"), &[("authorization", &bearer)])
    };
    assert_eq!(of("feature=sms"), Some("204 cus_ada".to_owned()));
    assert_eq!(of("feature=sms&customer=cus_ada"), Some("204 cus_ada".to_owned()));
    assert_eq!(of("feature=sms&customer=cus_bob"), None);
    assert_eq!(
        asked(
            &service,
            "/v1/authorize?feature=sms",
            &[("authorization", &bearer[..bearer.len() - 1])]
        ),
        None
    );
}

#[test]
fn at_least_is_kept_on_both_sides_of_its_limit() {
    let service = with_ada();
    for (at_least, answers) in [
        ("0", true),
        ("1", true),
        ("2", false),
        ("18446744073709551616", false),
        ("-1", false),
        ("", false),
    ] {
        let target = format!("/v1/check?customer=cus_ada&feature=sms&at_least={at_least}");
        let answered = asked(&service, &target, &[("authorization", KEY)]).is_some();
        assert_eq!(answered, answers, "{at_least:?}");
    }
}

#[test]
fn whatever_is_not_plain_goes_the_long_way() {
    let service = with_ada();
    let plain = "/v1/check?customer=cus_ada&feature=sms";
    for (why, target, headers) in [
        ("nobody asks", plain, &[][..]),
        ("another key", plain, &[("authorization", "Bearer sk_test_other")]),
        ("a longer key", plain, &[("authorization", "Bearer sk_test_entgate1")]),
        ("Basic", plain, &[("authorization", "Basic c2tfdGVzdF9lbnRnYXRlOg==")]),
        ("another letter case", plain, &[("authorization", "bearer sk_test_entgate")]),
        ("the other mode", plain, &[("authorization", "Bearer sk_live_entgate")]),
        ("no token", plain, &[("authorization", "Bearer a.b.c")]),
        ("another customer", "/v1/check?customer=cus_bob&feature=sms", &[("authorization", KEY)]),
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
            "the ledger",
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
        assert_eq!(asked(&service, target, headers), None, "{why}");
    }
    let post = http::Request::post(plain).header("authorization", KEY).body(Vec::new()).unwrap();
    assert!(service.hot(&post).is_none());
}

#[test]
fn a_set_known_in_part_goes_the_long_way() {
    let service = service();
    service.stripe_sends(&event("cus_ada", 1_700_000_000, &["sms"], true));
    let target = "/v1/check?customer=cus_ada&feature=sms";
    assert_eq!(asked(&service, target, &[("authorization", KEY)]), None);
}

#[test]
fn a_forged_event_and_one_of_another_type_are_answered_and_a_summary_is_kept() {
    let service = service();
    let summary = event("cus_ada", 1_700_000_000, &["sms"], false).to_string();
    let other = summary.replace("entitlements.active_entitlement_summary.updated", "invoice.paid");
    for (why, body, secret, status) in [
        ("forged", &summary, "whsec_other", Some(400)),
        ("of another type", &other, SECRET, Some(200)),
        ("a summary", &summary, SECRET, None),
    ] {
        let request = http::Request::post("/webhooks/stripe")
            .header("stripe-signature", signed(body, secret, NOW))
            .body(body.clone().into_bytes())
            .unwrap();
        let answered = service.hot(&request).map(|hot| match hot {
            Hot::Event(answer) => answer.status().as_u16(),
            Hot::Question(..) => 0,
        });
        assert_eq!(answered, status, "{why}");
    }
}

#[test]
fn an_event_is_read_as_it_is_told_to_another_process() {
    let body = event("cus_ada", 1_700_000_000, &["sms", "sso"], false).to_string();
    let secrets = [SigningSecret::new(SECRET).unwrap()];
    let verified = verify(&signed(&body, SECRET, NOW), body.as_bytes(), &secrets, NOW).unwrap();
    let parsed = parse(verified, GrantRule::Keep).unwrap();
    let Incoming::Summary(summary) = parsed else { panic!("{parsed:?}") };
    let message = LedgerRequest::Apply(summary);
    let told = serde_json::to_vec(&message).unwrap();
    assert!(told.starts_with(b"{\"apply\":{"), "{}", String::from_utf8_lossy(&told));
    assert_eq!(json::from_slice::<LedgerRequest>(&told), Ok(message));
}
