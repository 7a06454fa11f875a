//! Parsing of verified bodies.

use entgate::{
    entitlement::SummaryPage,
    id::{Livemode, Timestamp},
    policy::GrantRule,
    webhook::{
        signature::{self, SigningSecret},
        stripe::{Error, Incoming, parse},
    },
};
use serde_json::{Value, json};

use crate::support::{NOW, SECRET, event, grants, signed};

fn parsed(body: &str) -> Result<Incoming, Error> {
    let secrets = [SigningSecret::new(SECRET).unwrap()];
    let header = signed(body, SECRET, NOW);
    parse(signature::verify(&header, body.as_bytes(), &secrets, NOW).unwrap(), GrantRule::Keep)
}

#[track_caller]
fn page(event: &Value) -> SummaryPage {
    match parsed(&event.to_string()) {
        Ok(Incoming::Summary(summary)) => summary.page.unwrap(),
        other => panic!("not a summary: {other:?}"),
    }
}

#[test]
fn stripes_own_example_is_read_to_the_letter() {
    let Ok(Incoming::Summary(summary)) = parsed(include_str!("../fixtures/summary.json")) else {
        panic!("not a summary")
    };
    assert_eq!(summary.event.as_str(), "evt_1OcCWTLkdIwHu7ixbUwdUFui");
    assert_eq!(summary.customer.id.as_str(), "cus_ABC123customer");
    assert_eq!(summary.customer.livemode, Livemode::Test);
    assert_eq!(summary.created, Timestamp(1_706_111_369));
    let Some(SummaryPage::Complete(data)) = summary.page else { panic!("not whole") };
    let [granted] = data.as_slice() else { panic!("not one") };
    assert_eq!(granted.id.as_str(), "ent_test_61QG5x2cU1GluFTYs41JqiESbLiX8C8O");
    assert_eq!(granted.feature.as_str(), "feat_test_61QGU1MWyFMSP9YBZ41ClCIKljWvsTgu");
    assert_eq!(granted.lookup_key.as_str(), "premium-support");
}

#[test]
fn a_page_with_more_behind_it_is_never_the_whole() {
    assert_eq!(page(&event("cus_ada", 1, &["a"], true)), SummaryPage::Truncated(grants(&["a"])));
    assert_eq!(page(&event("cus_ada", 1, &["a"], false)), SummaryPage::Complete(grants(&["a"])));
    let ten = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
    assert_eq!(page(&event("cus_ada", 1, &ten, false)), SummaryPage::Complete(grants(&ten)));
}

#[test]
fn an_expanded_feature_is_read_as_its_id() {
    let mut expanded = event("cus_ada", 1, &["a"], false);
    expanded["data"]["object"]["entitlements"]["data"][0]["feature"] =
        json!({ "id": "feat_test_a", "object": "entitlements.feature", "name": "A" });
    assert_eq!(page(&expanded), SummaryPage::Complete(grants(&["a"])));
}

#[test]
fn what_is_missing_or_wrong_is_named() {
    let good = event("cus_ada", 1, &["a", "b"], false);
    let with = |pointer: &str, value: Value| {
        let mut event = good.clone();
        *event.pointer_mut(pointer).unwrap() = value;
        parsed(&event.to_string()).unwrap_err().to_string()
    };
    let list = "/data/object/entitlements";
    for (why, message, expected) in [
        (
            "no customer",
            with("/data/object/customer", json!("")),
            "`data.object.customer` is an empty text",
        ),
        (
            "a customer too long",
            with("/data/object/customer", json!("c".repeat(256))),
            "`data.object.customer` is longer than 255 bytes",
        ),
        (
            "a line break in an id",
            with(&format!("{list}/data/0/id"), json!("ent\n1")),
            "in `data.object.entitlements`, `data.id` is a text with control characters",
        ),
        (
            "the modes differ",
            with("/data/object/livemode", json!(true)),
            "`livemode` of the event and of its summary differ",
        ),
        (
            "one id twice",
            with(&format!("{list}/data/1/id"), json!("ent_test_a")),
            "in `data.object.entitlements`, two entitlements have the id `ent_test_a`",
        ),
    ] {
        assert_eq!(message, expected, "{why}");
    }
    for (why, message, part) in [
        ("no `has_more`", with(list, json!({ "data": [] })), "missing field `has_more`"),
        ("no list", with(list, json!(null)), "invalid type: null"),
        ("a time that is a text", with("/created", json!("now")), "invalid type: string \"now\""),
    ] {
        assert!(message.contains(part), "{why}: {message}");
    }
    assert_eq!(
        parsed("{").unwrap_err().to_string(),
        "EOF while parsing an object at line 1 column 1"
    );
}

#[test]
fn of_two_faults_in_a_list_the_first_is_named() {
    let told = |ids: &[&str]| {
        let mut event = event("cus_ada", 1, &["a", "b", "c", "d"], false);
        for (item, id) in ids.iter().enumerate() {
            event["data"]["object"]["entitlements"]["data"][item]["id"] = json!(id);
        }
        parsed(&event.to_string()).unwrap_err().to_string()
    };
    let twice = |id| format!("in `data.object.entitlements`, two entitlements have the id `{id}`");
    let empty = "in `data.object.entitlements`, `data.id` is an empty text";
    assert_eq!(told(&["1", "1", ""]), twice("1"));
    assert_eq!(told(&["1", "", "1"]), empty);
    assert_eq!(told(&["2", "1", "1", "2"]), twice("1"));
    assert_eq!(told(&["1", "2", "1", "2"]), twice("1"));
}

#[test]
fn an_event_says_the_same_wherever_its_type_stands() {
    let summary = "entitlements.active_entitlement_summary.updated";
    let good = event("cus_ada", 1, &["a", "b"], false);
    let with = |member: &str, value: Value| {
        let mut event = good.clone();
        event[member] = value;
        event
    };
    let twice = event("cus_ada", 1, &["a", "a"], false);
    // Where a text cannot be read is told too, and is another place in another text.
    let outcome = |body: &str| match parsed(body) {
        Err(Error::Malformed(told)) => Err(told.split(" at line ").next().unwrap().to_owned()),
        outcome => Ok(outcome),
    };
    for (why, kind, event) in [
        ("a summary", summary, good.clone()),
        ("another type", "entitlements.active_entitlement_summary.created", good.clone()),
        ("a type that ends so", "x.entitlements.active_entitlement_summary.updated", good.clone()),
        ("a deletion", "customer.deleted", with("data", json!({ "object": { "id": "cus_ada" } }))),
        ("a connected account", summary, with("account", json!("acct_1"))),
        ("an account that is no text", summary, with("account", json!(1))),
        ("a thin event", summary, with("object", json!("v2.core.event"))),
        ("an id that is none", summary, with("id", json!(""))),
        ("no id", summary, with("id", json!(null))),
        ("no moment", summary, with("created", json!(null))),
        ("no list", summary, with("data", json!({ "object": { "customer": "cus_ada" } }))),
        ("no list in what is not read", "invoice.paid", with("data", json!([]))),
        ("one id twice", summary, twice),
    ] {
        let mut others = event.as_object().unwrap().clone();
        others.shift_remove("type").unwrap();
        let mut first = json!({ "type": kind });
        first.as_object_mut().unwrap().extend(others.clone());
        let mut last = Value::from(others);
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
fn a_customer_of_255_bytes_is_one() {
    let id = "c".repeat(255);
    assert_eq!(page(&event(&id, 1, &[], false)), SummaryPage::Complete(vec![]));
}

proptest::proptest! {
    #[test]
    fn no_body_makes_it_panic(body in ".*") {
        proptest::prop_assert!(parsed(&body).is_err());
    }
}
