//! The client for Stripe: its requests, its retries, and which responses it accepts.

use std::{cell::RefCell, collections::VecDeque};

use entgate::{
    entitlement::{ActiveEntitlement, SourceSet},
    id::UnixMillis,
    ledger::{SourceState, SyncProblem},
    source::{Error, Expand, StripeClient, StripeResponse, Transport, fake::FakeStripe},
};
use pollster::block_on;
use proptest::{collection::vec, prelude::*};
use serde_json::{Value, json};

use crate::support::{customer, grants};

const LIST: &str = "/v1/entitlements/active_entitlements?customer=cus%5Fada&limit=100";

/// So many entitlements: `f0`, the newest, and so on.
fn entitlements(count: usize) -> Vec<ActiveEntitlement> {
    let keys: Vec<_> = (0..count).map(|n| format!("f{n}")).collect();
    grants(&keys.iter().map(String::as_str).collect::<Vec<_>>())
}

/// A Stripe where `cus_ada` has so many entitlements. It first returns these responses.
fn stripe(count: usize, responses: &[StripeResponse]) -> StripeClient<FakeStripe> {
    let fake = FakeStripe::default();
    fake.set_entitlements("cus_ada", entitlements(count));
    for response in responses.iter().cloned() {
        fake.queue_response(if response == no_response() {
            Err("connection reset".into())
        } else {
            Ok(response)
        });
    }
    StripeClient::new(fake)
}

fn list<T: Transport>(stripe: &StripeClient<T>) -> Result<SourceState, Error> {
    block_on(stripe.list_entitlements(&customer("cus_ada").id))
}

/// Represents a failed connection.
fn no_response() -> StripeResponse {
    StripeResponse::default()
}

fn status(status: u16) -> StripeResponse {
    StripeResponse { status, ..StripeResponse::default() }
}

/// A 429 with `Retry-After`.
fn rate_limited(seconds: u32) -> StripeResponse {
    StripeResponse { retry_after: Some(seconds), ..status(429) }
}

/// A response with `Stripe-Should-Retry`.
fn should_retry(value: bool, code: u16) -> StripeResponse {
    StripeResponse { should_retry: Some(value), ..status(code) }
}

fn json_response(code: u16, body: &Value) -> StripeResponse {
    StripeResponse { body: body.to_string().into_bytes(), ..status(code) }
}

fn missing(param: &str) -> StripeResponse {
    let error = json!({ "code": "resource_missing", "message": "No such thing", "param": param });
    json_response(400, &json!({ "error": error }))
}

fn unavailable(cause: &str, retry_after_ms: u64) -> Error {
    Error::Unavailable { cause: cause.to_owned(), retry_after_ms }
}

fn rate_limit(retry_after_ms: u64) -> Error {
    Error::RateLimited { retry_after_ms }
}

fn rejected(status: u16, message: &str) -> Error {
    Error::Rejected { status, message: message.to_owned() }
}

#[test]
fn a_list_of_a_hundred_is_one_request_and_a_longer_one_takes_two_passes() {
    for (count, requests) in [(0, 1), (1, 1), (100, 1), (101, 4), (200, 4), (201, 6)] {
        let stripe = stripe(count, &[]);
        assert_eq!(list(&stripe), Ok(SourceState::List(entitlements(count))), "{count}");
        assert_eq!(stripe.transport().requests().len(), requests, "{count}");
    }
}

#[test]
fn pages_of_a_hundred_are_requested_with_encoded_ids() {
    let stripe = stripe(201, &[]);
    list(&stripe).unwrap();
    let second = format!("{LIST}&starting_after=ent%5Ftest%5Ff99");
    let third = format!("{LIST}&starting_after=ent%5Ftest%5Ff199");
    let pass = [LIST, &second, &third];
    assert_eq!(stripe.transport().requests(), [pass, pass].concat());

    let hostile = customer("../é?limit=1&customer=cus_bob");
    let _ = block_on(stripe.list_entitlements(&hostile.id));
    let encoded = "%2E%2E%2F%C3%A9%3Flimit%3D1%26customer%3Dcus%5Fbob";
    assert_eq!(
        stripe.transport().requests()[6..],
        [
            format!("/v1/entitlements/active_entitlements?customer={encoded}&limit=100"),
            format!("/v1/customers/{encoded}"),
        ]
    );
}

#[test]
fn an_object_whose_id_would_change_the_path_is_not_found_and_is_not_requested() {
    let stripe = stripe(0, &[]);
    let not_found = |message: &str| {
        let (param, message) = ("id".to_owned(), message.to_owned());
        Error::NotFound { param, message }
    };
    for id in [".", ".."] {
        assert_eq!(
            block_on(stripe.retrieve_feature(&id.try_into().unwrap())).unwrap_err(),
            not_found(&format!("No such feature: '{id}'"))
        );
        assert_eq!(
            block_on(stripe.retrieve_entitlement(&id.try_into().unwrap(), Expand::None))
                .unwrap_err(),
            not_found(&format!("No such active entitlement: '{id}'"))
        );
    }
    assert_eq!(stripe.transport().requests(), Vec::<String>::new());
}

#[test]
fn single_objects_are_requested_with_encoded_ids() {
    let pages = [
        json_response(200, &json!({ "id": "ent_1" })),
        json_response(200, &json!({ "id": "ent_1" })),
        json_response(200, &json!({ "id": "feat_1" })),
        json_response(200, &json!({ "data": [{ "id": "feat_1" }], "has_more": true })),
        json_response(200, &json!({ "data": [{ "id": "feat_2" }], "has_more": false })),
    ];
    let stripe = stripe(0, &pages);
    let id = "ent_1".try_into().unwrap();
    block_on(stripe.retrieve_entitlement(&id, Expand::None)).unwrap();
    block_on(stripe.retrieve_entitlement(&id, Expand::Feature)).unwrap();
    block_on(stripe.retrieve_feature(&"feat/1".try_into().unwrap())).unwrap();
    let features = block_on(stripe.list_features()).unwrap();
    assert_eq!(json!(features), json!([{ "id": "feat_1" }, { "id": "feat_2" }]));
    assert_eq!(
        stripe.transport().requests(),
        [
            "/v1/entitlements/active_entitlements/ent%5F1",
            "/v1/entitlements/active_entitlements/ent%5F1?expand%5B%5D=feature",
            "/v1/entitlements/features/feat%2F1",
            "/v1/entitlements/features?limit=100",
            "/v1/entitlements/features?limit=100&starting_after=feat%5F1",
        ]
    );
}

#[test]
fn at_most_ten_pages_of_features_are_read() {
    let page = json_response(200, &json!({ "data": [{ "id": "feat_1" }], "has_more": true }));
    let stripe = stripe(0, &vec![page; 11]);
    assert_eq!(block_on(stripe.list_features()).unwrap().len(), 10);
    assert_eq!(stripe.transport().requests().len(), 10);
}

#[test]
fn temporary_failures_are_retried_after_a_delay_and_other_failures_are_not() {
    let all = Ok(SourceState::List(entitlements(1)));
    let without_message = |code| Err(rejected(code, "no message"));
    let with_message = json_response(400, &json!({ "error": { "message": "No" } }));
    for (why, responses, delays, expected) in [
        ("a lost connection", vec![no_response()], vec![500], all.clone()),
        ("409", vec![status(409)], vec![500], all.clone()),
        ("429", vec![status(429)], vec![500], all.clone()),
        ("500", vec![status(500)], vec![500], all.clone()),
        ("599", vec![status(599)], vec![500], all.clone()),
        ("twice", vec![no_response(), status(503)], vec![500, 1_000], all.clone()),
        ("a Retry-After below the back-off", vec![rate_limited(0)], vec![500], all.clone()),
        ("a longer Retry-After", vec![rate_limited(3)], vec![3_000], all.clone()),
        (
            "a longer one on the second attempt",
            vec![rate_limited(3), rate_limited(4)],
            vec![3_000, 4_000],
            all.clone(),
        ),
        ("400 that should be retried", vec![should_retry(true, 400)], vec![500], all.clone()),
        (
            "500 that should not be retried",
            vec![should_retry(false, 500)],
            vec![],
            Err(unavailable("status 500", 0)),
        ),
        (
            "429 that should not be retried",
            vec![should_retry(false, 429)],
            vec![],
            without_message(429),
        ),
        ("400", vec![with_message], vec![], Err(rejected(400, "No"))),
        ("404", vec![status(404)], vec![], without_message(404)),
        ("499", vec![status(499)], vec![], without_message(499)),
        (
            "401",
            vec![status(401)],
            vec![],
            Err(Error::KeyRejected { status: 401, permission: None }),
        ),
        (
            "403",
            vec![status(403)],
            vec![],
            Err(Error::KeyRejected { status: 403, permission: None }),
        ),
        ("a redirect", vec![status(302)], vec![], Err(unavailable("status 302", 0))),
    ] {
        let stripe = stripe(1, &responses);
        assert_eq!(list(&stripe), expected, "{why}");
        assert_eq!(stripe.transport().sleeps(), delays, "{why}");
        assert_eq!(
            stripe.transport().requests(),
            vec![LIST; if expected.is_ok() { responses.len() + 1 } else { 1 }],
            "{why}"
        );
    }
}

#[test]
fn after_three_attempts_the_error_has_the_cause_and_the_delay() {
    for (why, last, error) in [
        ("no response", no_response(), unavailable("connection reset", 2_000)),
        ("a response", status(503), unavailable("status 503", 2_000)),
        ("a long Retry-After", rate_limited(60), rate_limit(60_000)),
        ("a short Retry-After", rate_limited(1), rate_limit(2_000)),
        ("400 that should be retried", should_retry(true, 400), unavailable("status 400", 2_000)),
    ] {
        let stripe = stripe(1, &[no_response(), no_response(), last]);
        assert_eq!(list(&stripe), Err(error), "{why}");
        assert_eq!(stripe.transport().sleeps(), [500, 1_000], "{why}");
        assert_eq!(stripe.transport().requests().len(), 3, "{why}");
    }
}

#[test]
fn a_delay_past_the_deadline_is_not_waited_for() {
    let all = Ok(SourceState::List(entitlements(1)));
    let late = |delay| Err(rate_limit(delay));
    for (why, responses, delays, expected) in [
        ("below two minutes", vec![rate_limited(119)], vec![119_000], all.clone()),
        ("two minutes", vec![rate_limited(120)], vec![], late(120_000)),
        (
            "below two minutes together",
            vec![rate_limited(60), rate_limited(59)],
            vec![60_000, 59_000],
            all.clone(),
        ),
        (
            "two minutes together",
            vec![rate_limited(60), rate_limited(60)],
            vec![60_000],
            late(60_000),
        ),
        ("an hour", vec![rate_limited(3_600)], vec![], late(3_600_000)),
        ("more than the limit", vec![rate_limited(3_601)], vec![], late(3_600_000)),
    ] {
        let stripe = stripe(1, &responses);
        assert_eq!(list(&stripe), expected, "{why}");
        assert_eq!(stripe.transport().sleeps(), delays, "{why}");
    }
    for (seconds, delays) in [(9, vec![9_000]), (10, vec![])] {
        let stripe = stripe(0, &[rate_limited(seconds), json_response(200, &json!({}))]);
        let _ = block_on(stripe.retrieve_feature(&"feat_1".try_into().unwrap()));
        assert_eq!(stripe.transport().sleeps(), delays, "an object has a timeout of ten seconds");
    }
}

#[test]
fn only_a_rejected_key_requires_operator_action() {
    for (error, problem, delay) in [
        (Error::KeyRejected { status: 401, permission: None }, Some(SyncProblem::KeyRefused), 0),
        (unavailable("status 503", 2_000), None, 2_000),
        (rejected(400, "No"), None, 0),
        (Error::Unstable(4), None, 0),
    ] {
        assert_eq!((error.operator_problem(), error.retry_after_ms()), (problem, delay), "{error}");
    }
}

#[test]
fn a_response_that_is_not_a_list_is_malformed() {
    let item = |id: &str| json!({ "id": id, "feature": "feat_1", "lookup_key": "a" });
    let page =
        |data: Value, has_more: bool| json!({ "data": data, "has_more": has_more }).to_string();
    for (why, body, message) in [
        ("an empty body", String::new(), "EOF while parsing a value at line 1 column 0"),
        ("a proxy's page", "<html>".to_owned(), "expected value at line 1 column 1"),
        (
            "no `data`",
            r#"{"has_more":false}"#.to_owned(),
            "missing field `data` at line 1 column 18",
        ),
        (
            "no `has_more`",
            r#"{"data":[]}"#.to_owned(),
            "missing field `has_more` at line 1 column 11",
        ),
        ("an empty id", page(json!([item("")]), false), "`data.id` is an empty string"),
        (
            "a duplicate id",
            page(json!([item("ent_1"), item("ent_1")]), false),
            "two entitlements have the id `ent_1`",
        ),
        ("an empty page with `has_more`", page(json!([]), true), "an empty page with `has_more`"),
    ] {
        let stripe = stripe(1, &[StripeResponse { body: body.into_bytes(), ..status(200) }]);
        assert_eq!(list(&stripe), Err(Error::Malformed(message.to_owned())), "{why}");
        assert_eq!(stripe.transport().requests(), [LIST], "{why}");
    }
    let first = json!({ "data": [item("ent_1")], "has_more": true });
    let empty = json!({ "data": [], "has_more": true });
    assert_eq!(
        list(&stripe(0, &[json_response(200, &first), json_response(200, &empty)])),
        Err(Error::Malformed("an empty page with `has_more`".to_owned())),
    );
}

#[test]
fn a_list_that_repeats_a_page_fails_after_four_passes() {
    let page = json_response(200, &json!({ "data": entitlements(100), "has_more": true }));
    let stripe = stripe(0, &vec![page; 20]);
    assert_eq!(list(&stripe), Err(Error::Unstable(4)));
    assert_eq!(stripe.transport().requests().len(), 8);
}

#[test]
fn a_hundred_thousand_entitlements_are_read_and_one_more_is_too_many() {
    let longest = stripe(SourceSet::MAX_LEN, &[]);
    assert_eq!(list(&longest), Ok(SourceState::List(entitlements(100_000))));
    assert_eq!(longest.transport().requests().len(), 2_000);

    let too_long = stripe(SourceSet::MAX_LEN + 1, &[]);
    assert_eq!(list(&too_long), Err(Error::TooManyPages { pages: 1_000 }));
    assert_eq!(too_long.transport().requests().len(), 1_000);
}

#[test]
fn a_customer_without_a_list_is_retrieved() {
    let no_list = || missing("customer");
    let not_found = Error::NotFound { param: "limit".into(), message: "No such thing".into() };
    for (why, responses, requests, expected) in [
        ("the customer exists", vec![no_list()], 2, Ok(SourceState::NotFound)),
        (
            "the customer does not exist",
            vec![no_list(), missing("id")],
            2,
            Ok(SourceState::NotFound),
        ),
        (
            "the key may not read customers",
            vec![no_list(), status(403)],
            2,
            Ok(SourceState::NotFound),
        ),
        (
            "deleted",
            vec![no_list(), json_response(200, &json!({ "deleted": true }))],
            2,
            Ok(SourceState::Deleted),
        ),
        (
            "Stripe is unavailable",
            vec![no_list(), no_response(), no_response(), no_response()],
            4,
            Err(unavailable("connection reset", 2_000)),
        ),
        ("another parameter is missing", vec![missing("limit")], 1, Err(not_found)),
    ] {
        let stripe = stripe(1, &responses);
        assert_eq!(list(&stripe), expected, "{why}");
        assert_eq!(stripe.transport().requests().len(), requests, "{why}");
    }
    let stripe = stripe(1, &[]);
    stripe.transport().delete_customer("cus_ada");
    assert_eq!(list(&stripe), Ok(SourceState::Deleted));
    assert_eq!(stripe.transport().requests(), [LIST, "/v1/customers/cus%5Fada"]);
    assert_eq!(
        block_on(stripe.list_entitlements(&customer("cus_bob").id)),
        Ok(SourceState::NotFound)
    );
}

/// A Stripe where `cus_ada` has the next of these lists at each request. Each request takes `millis`.
#[derive(Default)]
struct Changing {
    stripe: FakeStripe,
    lists: RefCell<VecDeque<Vec<ActiveEntitlement>>>,
    millis: u64,
}

impl Transport for Changing {
    async fn get(&self, target: &str) -> Result<StripeResponse, String> {
        if let Some(list) = self.lists.borrow_mut().pop_front() {
            self.stripe.set_entitlements("cus_ada", list);
        }
        self.stripe.set_clock(self.now().saturating_add(self.millis));
        self.stripe.get(target).await
    }

    async fn sleep(&self, millis: u64) {
        self.stripe.sleep(millis).await;
    }

    fn now(&self) -> UnixMillis {
        self.stripe.now()
    }

    fn random(&self) -> f64 {
        self.stripe.random()
    }
}

fn changing(lists: &[Vec<ActiveEntitlement>]) -> StripeClient<Changing> {
    let lists = RefCell::new(lists.iter().cloned().collect());
    StripeClient::new(Changing { lists, ..Changing::default() })
}

#[test]
fn a_list_that_changes_during_a_read_is_read_until_two_passes_are_equal() {
    let before = entitlements(102);
    let new = grants(&["new"]);
    // Page one without the new entitlement plus page two without the last one never existed.
    let changed = [&new[..], &before[..101]].concat();
    let short = before[..100].to_vec();
    let no_cursor = [&before[..99], &before[100..]].concat();
    for (why, lists, requests, expected) in [
        ("it changed once", vec![before.clone(), changed.clone()], 6, &changed),
        (
            "it changed and changed back",
            vec![before.clone(), changed.clone(), before.clone()],
            6,
            &before,
        ),
        ("it shrank to one page", vec![before.clone(), before.clone(), short.clone()], 3, &short),
        ("the cursor is gone", vec![before.clone(), no_cursor.clone()], 6, &no_cursor),
    ] {
        let stripe = changing(&lists);
        assert_eq!(list(&stripe), Ok(SourceState::List(expected.clone())), "{why}");
        assert_eq!(stripe.transport().stripe.requests().len(), requests, "{why}");
    }
    let each: Vec<_> =
        (0..8).map(|n| [grants(&[&format!("new{n}")]), entitlements(101)].concat()).collect();
    let stripe = changing(&each);
    assert_eq!(list(&stripe), Err(Error::Unstable(4)));
    assert_eq!(stripe.transport().stripe.requests().len(), 8);
}

#[test]
fn a_slow_list_fails_after_two_minutes() {
    let slow = Changing { millis: 40_000, ..Changing::default() };
    slow.stripe.set_entitlements("cus_ada", entitlements(401));
    let stripe = StripeClient::new(slow);
    let _ = list(&stripe);
    assert_eq!(stripe.transport().stripe.requests().len(), 3);
}

proptest! {
    #[test]
    fn the_result_is_a_list_that_existed(
        count in 99_usize..104,
        steps in vec(vec(proptest::option::of(0_usize..5), 0..3), 8),
    ) {
        let mut existed = vec![entitlements(count)];
        let mut lists = existed.clone();
        for (n, changes) in steps.into_iter().enumerate() {
            let mut list = lists[n].clone();
            for (m, change) in changes.into_iter().enumerate() {
                match change {
                    // Newest first.
                    None => list.splice(..0, grants(&[&format!("new{n}{m}")])).for_each(drop),
                    Some(last) => drop(list.remove(list.len() - 1 - last)),
                }
                existed.push(list.clone());
            }
            lists.push(list);
        }
        match list(&changing(&lists)) {
            Ok(SourceState::List(list)) => prop_assert!(existed.contains(&list)),
            other => prop_assert_eq!(other, Err(Error::Unstable(4))),
        }
    }
}
