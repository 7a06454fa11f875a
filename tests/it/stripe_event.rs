//! Parsing of verified event bodies.

use entgate::{
    entitlement::SummaryPage,
    id::{Livemode, Timestamp},
    policy::GrantRule,
    webhook::{
        signature,
        stripe::{Error, Incoming, parse},
    },
};
use serde_json::{Value, json};

use crate::support::{NOW, SECRET, event, grants, item, signed, test_endpoint};

fn parse_signed(body: &str) -> Result<Incoming, Error> {
    parse_signed_at(body, NOW)
}

fn parse_signed_at(body: &str, now: Timestamp) -> Result<Incoming, Error> {
    let secrets = [test_endpoint(SECRET)];
    let header = signed(body, SECRET, now);
    parse(signature::verify(&header, body.as_bytes(), &secrets, now).unwrap(), GrantRule::Keep)
}

#[track_caller]
fn page(event: &Value) -> SummaryPage {
    match parse_signed(&event.to_string()) {
        Ok(Incoming::Summary(summary)) => summary.page.unwrap(),
        other => panic!("not a summary: {other:?}"),
    }
}

#[test]
fn the_example_of_stripes_documentation_is_parsed() {
    let created = Timestamp(1_706_111_369);
    let Ok(Incoming::Summary(summary)) =
        parse_signed_at(include_str!("../fixtures/summary.json"), created)
    else {
        panic!("not a summary")
    };
    assert_eq!(summary.event.as_str(), "evt_1OcCWTLkdIwHu7ixbUwdUFui");
    assert_eq!(summary.customer.id.as_str(), "cus_ABC123customer");
    assert_eq!(summary.customer.livemode, Livemode::Test);
    assert_eq!(summary.created, created);
    let Some(SummaryPage::Complete(data)) = summary.page else { panic!("not complete") };
    let [entitlement] = data.as_slice() else { panic!("not one entitlement") };
    assert_eq!(entitlement.id.as_str(), "ent_test_61QG5x2cU1GluFTYs41JqiESbLiX8C8O");
    assert_eq!(entitlement.feature.as_str(), "feat_test_61QGU1MWyFMSP9YBZ41ClCIKljWvsTgu");
    assert_eq!(entitlement.lookup_key.as_str(), "premium-support");
}

#[test]
fn a_page_with_has_more_is_truncated() {
    assert_eq!(page(&event("cus_ada", 1, &["a"], true)), SummaryPage::Truncated(grants(&["a"])));
    assert_eq!(page(&event("cus_ada", 1, &["a"], false)), SummaryPage::Complete(grants(&["a"])));
    let ten = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
    assert_eq!(page(&event("cus_ada", 1, &ten, false)), SummaryPage::Complete(grants(&ten)));
}

#[test]
fn an_expanded_feature_is_parsed_as_its_id() {
    let mut expanded = event("cus_ada", 1, &["a"], false);
    expanded["data"]["object"]["entitlements"]["data"][0]["feature"] =
        json!({ "id": "feat_test_a", "object": "entitlements.feature", "name": "A" });
    assert_eq!(page(&expanded), SummaryPage::Complete(grants(&["a"])));
}

/// The body of the event with the first occurrence of a string replaced, which must exist.
#[track_caller]
fn replaced(body: &str, from: &str, to: &str) -> String {
    assert!(body.contains(from), "{body} does not contain {from}");
    body.replacen(from, to, 1)
}

#[test]
fn an_event_with_a_duplicate_member_is_rejected_with_its_name() {
    let body = event("cus_ada", 1, &["a"], false).to_string();
    for (from, to, name) in [
        (r#""id":"#, r#""id":"evt_2","id":"#, "id"),
        (r#""created":"#, r#""created":2,"created":"#, "created"),
        (r#""livemode":false,"type""#, r#""data":0,"livemode":false,"type""#, "data"),
        (r#"}},"livemode""#, r#"},"object":0},"livemode""#, "object"),
        (r#""customer":"#, r#""customer":"cus_bob","customer":"#, "customer"),
        (r#""customer":"#, r#""customer":"cus_bob","cu\u0073tomer":"#, "customer"),
        (r#""livemode":false,"type""#, r#""livemode":true,"livemode":false,"type""#, "livemode"),
        (r#"},"livemode":false}}"#, r#"},"entitlements":0,"livemode":false}}"#, "entitlements"),
        (r#""has_more":"#, r#""has_more":true,"has_more":"#, "has_more"),
        (r#""lookup_key":"#, r#""lookup_key":"b","lookup_key":"#, "lookup_key"),
        (r#""feature":"#, r#""feature":"feat_1","feature":"#, "feature"),
        (r#""type":"#, r#""type":"customer.deleted","type":"#, "type"),
    ] {
        let message = parse_signed(&replaced(&body, from, to)).unwrap_err().to_string();
        assert!(message.starts_with(&format!("duplicate field `{name}`")), "{to}: {message}");
    }
}

#[test]
fn a_feature_object_with_a_duplicate_member_at_any_depth_is_rejected_with_its_name() {
    let mut expanded = event("cus_ada", 1, &["a"], false);
    expanded["data"]["object"]["entitlements"]["data"][0]["feature"] =
        json!({ "id": "feat_test_a", "name": "A", "metadata": { "a": ["b"] } });
    let body = expanded.to_string();
    for (from, to, name) in [
        (r#""id":"feat_test_a""#, r#""id":"feat_test_b","id":"feat_test_a""#, "id"),
        (r#""id":"feat_test_a""#, r#""id":"feat_test_a","\u0069d":"feat_test_b""#, "id"),
        (r#""name":"#, r#""name":null,"name":"#, "name"),
        (r#""metadata":{"#, r#""metadata":{"a":1,"#, "a"),
        (r#"["b"]"#, r#"[{"c":{"d":1,"d":1}}]"#, "d"),
    ] {
        let error = parse_signed(&replaced(&body, from, to)).unwrap_err();
        assert_eq!(error.to_string(), format!("duplicate member `{name}`"), "{to}");
    }
    let other = replaced(&body, r#""name":"A""#, r#""name":"A \ud83d""#);
    assert_eq!(parse_signed(&other), parse_signed(&body), "the name is not used");
}

#[test]
fn the_error_names_the_missing_or_invalid_member() {
    let good = event("cus_ada", 1, &["a", "b"], false);
    let with = |pointer: &str, value: Value| {
        let mut event = good.clone();
        *event.pointer_mut(pointer).unwrap() = value;
        parse_signed(&event.to_string()).unwrap_err().to_string()
    };
    let list = "/data/object/entitlements";
    for (why, message, expected) in [
        (
            "an empty customer",
            with("/data/object/customer", json!("")),
            "`data.object.customer` is an empty string",
        ),
        (
            "a customer that is too long",
            with("/data/object/customer", json!("c".repeat(256))),
            "`data.object.customer` is longer than 255 bytes",
        ),
        (
            "a line break in an id",
            with(&format!("{list}/data/0/id"), json!("ent\n1")),
            "in `data.object.entitlements`, `data.id` is a string with control characters",
        ),
        (
            "different modes",
            with("/data/object/livemode", json!(true)),
            "`livemode` of the event and of its summary differ",
        ),
        (
            "a duplicate id",
            with(&format!("{list}/data/1/id"), json!("ent_test_a")),
            "in `data.object.entitlements`, two entitlements have the id `ent_test_a`",
        ),
    ] {
        assert_eq!(message, expected, "{why}");
    }
    for (why, message, part) in [
        ("no `has_more`", with(list, json!({ "data": [] })), "missing field `has_more`"),
        ("no list", with(list, json!(null)), "invalid type: null"),
        (
            "a timestamp that is a string",
            with("/created", json!("now")),
            "invalid type: string \"now\"",
        ),
    ] {
        assert!(message.contains(part), "{why}: {message}");
    }
    assert_eq!(
        parse_signed("{").unwrap_err().to_string(),
        "EOF while parsing an object at line 1 column 1"
    );
}

#[test]
fn previous_attributes_do_not_change_the_result() {
    let good = event("cus_ada", 1, &["a"], false);
    let expected = page(&good);
    for previous in [
        json!(null),
        json!({}),
        json!({ "entitlements": null }),
        json!({ "entitlements": { "object": "list", "data": [item("b")], "has_more": true } }),
    ] {
        let mut event = good.clone();
        event["data"]["previous_attributes"] = previous;
        assert_eq!(page(&event), expected, "{event}");
    }
}

#[test]
fn of_two_errors_in_a_list_the_first_is_returned() {
    let error_of = |ids: &[&str]| {
        let mut event = event("cus_ada", 1, &["a", "b", "c", "d"], false);
        for (item, id) in ids.iter().enumerate() {
            event["data"]["object"]["entitlements"]["data"][item]["id"] = json!(id);
        }
        parse_signed(&event.to_string()).unwrap_err().to_string()
    };
    let duplicate =
        |id| format!("in `data.object.entitlements`, two entitlements have the id `{id}`");
    let empty = "in `data.object.entitlements`, `data.id` is an empty string";
    assert_eq!(error_of(&["1", "1", ""]), duplicate("1"));
    assert_eq!(error_of(&["1", "", "1"]), empty);
    assert_eq!(error_of(&["2", "1", "1", "2"]), duplicate("1"));
    assert_eq!(error_of(&["1", "2", "1", "2"]), duplicate("1"));
}

#[test]
fn the_position_of_the_type_in_the_body_does_not_change_the_result() {
    let summary = "entitlements.active_entitlement_summary.updated";
    let good = event("cus_ada", 1, &["a", "b"], false);
    let with = |member: &str, value: Value| {
        let mut event = good.clone();
        event[member] = value;
        event
    };
    let duplicate = event("cus_ada", 1, &["a", "a"], false);
    // A syntax error includes the position, which differs.
    let outcome = |body: &str| match parse_signed(body) {
        Err(Error::Malformed(message)) => {
            Err(message.split(" at line ").next().unwrap().to_owned())
        }
        outcome => Ok(outcome),
    };
    for (why, kind, event) in [
        ("a summary", summary, good.clone()),
        ("another type", "entitlements.active_entitlement_summary.created", good.clone()),
        (
            "a type with the same suffix",
            "x.entitlements.active_entitlement_summary.updated",
            good.clone(),
        ),
        ("a deletion", "customer.deleted", with("data", json!({ "object": { "id": "cus_ada" } }))),
        ("a connected account", summary, with("account", json!("acct_1"))),
        ("an account that is not a string", summary, with("account", json!(1))),
        ("a thin event", summary, with("object", json!("v2.core.event"))),
        ("an empty id", summary, with("id", json!(""))),
        ("an id that is null", summary, with("id", json!(null))),
        ("a timestamp that is null", summary, with("created", json!(null))),
        ("no list", summary, with("data", json!({ "object": { "customer": "cus_ada" } }))),
        ("an ignored event without a list", "invoice.paid", with("data", json!([]))),
        ("a duplicate id", summary, duplicate),
    ] {
        let mut other_members = event.as_object().unwrap().clone();
        other_members.shift_remove("type").unwrap();
        let mut first = json!({ "type": kind });
        first.as_object_mut().unwrap().extend(other_members.clone());
        let mut last = Value::from(other_members);
        last["type"] = kind.into();
        let expected = outcome(&first.to_string());
        let indented = serde_json::to_string_pretty(&last).unwrap();
        for body in [&last.to_string(), &indented, &format!("{indented}\r\n")] {
            assert_eq!(outcome(body), expected, "{why}: {body}");
        }
    }
    let nested = good.to_string().replace(r#""type":"#, r#""kind":"#);
    assert_eq!(outcome(&nested), Err("missing field `type`".to_owned()));
}

#[test]
fn a_customer_id_may_have_255_bytes() {
    let id = "c".repeat(255);
    assert_eq!(page(&event(&id, 1, &[], false)), SummaryPage::Complete(vec![]));
}

proptest::proptest! {
    #[test]
    fn random_bodies_fail_without_a_panic(body in ".*") {
        proptest::prop_assert!(parse_signed(&body).is_err());
    }
}
