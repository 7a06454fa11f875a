//! The client of Stripe: what it asks for, what it tries again, and what it believes.

use std::{cell::RefCell, collections::VecDeque};

use entgate::{
    entitlement::{ActiveEntitlement, Entitlements},
    id::UnixMillis,
    ledger::{SourceState, SyncProblem},
    source::{Error, Expand, StripeClient, StripeResponse, Transport, fake::FakeStripe},
};
use pollster::block_on;
use proptest::{collection::vec, prelude::*};
use serde_json::{Value, json};

use crate::support::{customer, grants};

const LIST: &str = "/v1/entitlements/active_entitlements?customer=cus%5Fada&limit=100";

/// So many grants: `f0`, the newest, and so on.
fn many(count: usize) -> Vec<ActiveEntitlement> {
    let keys: Vec<_> = (0..count).map(|n| format!("f{n}")).collect();
    grants(&keys.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Stripe, where `cus_ada` holds so many grants, and which answers so first.
fn stripe(count: usize, answers: &[StripeResponse]) -> StripeClient<FakeStripe> {
    let memory = FakeStripe::default();
    memory.set_entitlements("cus_ada", many(count));
    for reply in answers.iter().cloned() {
        memory.queue_response(if reply == lost() {
            Err("connection reset".into())
        } else {
            Ok(reply)
        });
    }
    StripeClient::new(memory)
}

fn told<T: Transport>(stripe: &StripeClient<T>) -> Result<SourceState, Error> {
    block_on(stripe.list_entitlements(&customer("cus_ada").id))
}

/// Stands for no answer at all.
fn lost() -> StripeResponse {
    StripeResponse::default()
}

fn status(status: u16) -> StripeResponse {
    StripeResponse { status, ..StripeResponse::default() }
}

/// An answer that asks to be left alone for so many seconds.
fn busy(seconds: u32) -> StripeResponse {
    StripeResponse { retry_after: Some(seconds), ..status(429) }
}

/// An answer that says whether it may be tried again.
fn retry(again: bool, code: u16) -> StripeResponse {
    StripeResponse { should_retry: Some(again), ..status(code) }
}

fn says(code: u16, body: &Value) -> StripeResponse {
    StripeResponse { body: body.to_string().into_bytes(), ..status(code) }
}

fn missing(param: &str) -> StripeResponse {
    let error = json!({ "code": "resource_missing", "message": "No such thing", "param": param });
    says(400, &json!({ "error": error }))
}

fn unavailable(cause: &str, pause: u64) -> Error {
    Error::Unavailable { cause: cause.to_owned(), retry_after_ms: pause }
}

fn refused(status: u16, message: &str) -> Error {
    Error::Rejected { status, message: message.to_owned() }
}

#[test]
fn a_list_of_a_hundred_is_one_request_and_a_longer_one_is_read_twice() {
    for (count, requests) in [(0, 1), (1, 1), (100, 1), (101, 4), (200, 4), (201, 6)] {
        let stripe = stripe(count, &[]);
        assert_eq!(told(&stripe), Ok(SourceState::List(many(count))), "{count}");
        assert_eq!(stripe.transport().requests().len(), requests, "{count}");
    }
}

#[test]
fn pages_of_a_hundred_are_asked_for_by_encoded_names() {
    let stripe = stripe(201, &[]);
    told(&stripe).unwrap();
    let second = format!("{LIST}&starting_after=ent%5Ftest%5Ff99");
    let third = format!("{LIST}&starting_after=ent%5Ftest%5Ff199");
    let once = [LIST, &second, &third];
    assert_eq!(stripe.transport().requests(), [once, once].concat());

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
fn single_objects_are_asked_for_by_encoded_ids() {
    let pages = [
        says(200, &json!({ "id": "ent_1" })),
        says(200, &json!({ "id": "ent_1" })),
        says(200, &json!({ "id": "feat_1" })),
        says(200, &json!({ "data": [{ "id": "feat_1" }], "has_more": true })),
        says(200, &json!({ "data": [{ "id": "feat_2" }], "has_more": false })),
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
fn features_are_read_up_to_a_thousand() {
    let page = says(200, &json!({ "data": [{ "id": "feat_1" }], "has_more": true }));
    let stripe = stripe(0, &vec![page; 11]);
    assert_eq!(block_on(stripe.list_features()).unwrap().len(), 10);
    assert_eq!(stripe.transport().requests().len(), 10);
}

#[test]
fn what_may_pass_is_tried_again_after_a_pause_and_nothing_else_is() {
    let all = Ok(SourceState::List(many(1)));
    let silent = |code| Err(refused(code, "no message"));
    let word = says(400, &json!({ "error": { "message": "No" } }));
    for (why, answers, pauses, expected) in [
        ("a lost connection", vec![lost()], vec![500], all.clone()),
        ("409", vec![status(409)], vec![500], all.clone()),
        ("429", vec![status(429)], vec![500], all.clone()),
        ("500", vec![status(500)], vec![500], all.clone()),
        ("599", vec![status(599)], vec![500], all.clone()),
        ("twice", vec![lost(), status(503)], vec![500, 1_000], all.clone()),
        ("less than our pause", vec![busy(0)], vec![500], all.clone()),
        ("a pause of theirs", vec![busy(3)], vec![3_000], all.clone()),
        ("a longer one next", vec![busy(3), busy(4)], vec![3_000, 4_000], all.clone()),
        ("400, and it may", vec![retry(true, 400)], vec![500], all.clone()),
        ("500, and it may not", vec![retry(false, 500)], vec![], Err(unavailable("status 500", 0))),
        ("429, and it may not", vec![retry(false, 429)], vec![], silent(429)),
        ("400", vec![word], vec![], Err(refused(400, "No"))),
        ("404", vec![status(404)], vec![], silent(404)),
        ("499", vec![status(499)], vec![], silent(499)),
        ("401", vec![status(401)], vec![], Err(Error::KeyRejected { status: 401 })),
        ("403", vec![status(403)], vec![], Err(Error::KeyRejected { status: 403 })),
        ("a redirect", vec![status(302)], vec![], Err(unavailable("status 302", 0))),
    ] {
        let stripe = stripe(1, &answers);
        assert_eq!(told(&stripe), expected, "{why}");
        assert_eq!(stripe.transport().sleeps(), pauses, "{why}");
        assert_eq!(
            stripe.transport().requests(),
            vec![LIST; if expected.is_ok() { answers.len() + 1 } else { 1 }],
            "{why}"
        );
    }
}

#[test]
fn after_three_tries_it_says_why_and_how_long_to_leave_it_alone() {
    for (why, last, cause, pause) in [
        ("no answer", lost(), "connection reset", 2_000),
        ("an answer", status(503), "status 503", 2_000),
        ("a pause of theirs", busy(60), "status 429", 60_000),
        ("a shorter one", busy(1), "status 429", 2_000),
        ("400, and it may be tried again", retry(true, 400), "status 400", 2_000),
    ] {
        let stripe = stripe(1, &[lost(), lost(), last]);
        assert_eq!(told(&stripe), Err(unavailable(cause, pause)), "{why}");
        assert_eq!(stripe.transport().sleeps(), [500, 1_000], "{why}");
        assert_eq!(stripe.transport().requests().len(), 3, "{why}");
    }
}

#[test]
fn a_pause_past_the_deadline_is_not_waited_for() {
    let all = Ok(SourceState::List(many(1)));
    let late = |pause| Err(unavailable("status 429", pause));
    for (why, answers, pauses, expected) in [
        ("below two minutes", vec![busy(119)], vec![119_000], all.clone()),
        ("two minutes", vec![busy(120)], vec![], late(120_000)),
        ("below them together", vec![busy(60), busy(59)], vec![60_000, 59_000], all.clone()),
        ("two minutes together", vec![busy(60), busy(60)], vec![60_000], late(60_000)),
        ("an hour", vec![busy(3_600)], vec![], late(3_600_000)),
        ("more than we obey", vec![busy(3_601)], vec![], late(3_600_000)),
    ] {
        let stripe = stripe(1, &answers);
        assert_eq!(told(&stripe), expected, "{why}");
        assert_eq!(stripe.transport().sleeps(), pauses, "{why}");
    }
    for (seconds, pauses) in [(9, vec![9_000]), (10, vec![])] {
        let stripe = stripe(0, &[busy(seconds), says(200, &json!({}))]);
        let _ = block_on(stripe.retrieve_feature(&"feat_1".try_into().unwrap()));
        assert_eq!(stripe.transport().sleeps(), pauses, "somebody waits for an object");
    }
}

#[test]
fn only_a_key_that_is_refused_is_the_operators_trouble() {
    for (error, trouble, pause) in [
        (Error::KeyRejected { status: 401 }, Some(SyncProblem::KeyRefused), 0),
        (unavailable("status 503", 2_000), None, 2_000),
        (refused(400, "No"), None, 0),
        (Error::Unstable(4), None, 0),
    ] {
        assert_eq!((error.operator_problem(), error.retry_after_ms()), (trouble, pause), "{error}");
    }
}

#[test]
fn an_answer_that_is_no_list_is_not_taken_for_one() {
    let item = |id: &str| json!({ "id": id, "feature": "feat_1", "lookup_key": "a" });
    let list = |data: Value, more: bool| json!({ "data": data, "has_more": more }).to_string();
    for (why, body, message) in [
        ("nothing", String::new(), "EOF while parsing a value at line 1 column 0"),
        ("a proxy's page", "<html>".to_owned(), "expected value at line 1 column 1"),
        ("no list", r#"{"has_more":false}"#.to_owned(), "missing field `data` at line 1 column 18"),
        ("no end", r#"{"data":[]}"#.to_owned(), "missing field `has_more` at line 1 column 11"),
        ("an id that is none", list(json!([item("")]), false), "`data.id` is an empty string"),
        (
            "an id twice",
            list(json!([item("ent_1"), item("ent_1")]), false),
            "two entitlements have the id `ent_1`",
        ),
        ("nothing and more", list(json!([]), true), "an empty page with `has_more`"),
    ] {
        let stripe = stripe(1, &[StripeResponse { body: body.into_bytes(), ..status(200) }]);
        assert_eq!(told(&stripe), Err(Error::Malformed(message.to_owned())), "{why}");
        assert_eq!(stripe.transport().requests(), [LIST], "{why}");
    }
    let page = json!({ "data": [item("ent_1")], "has_more": true });
    let none = json!({ "data": [], "has_more": true });
    assert_eq!(
        told(&stripe(0, &[says(200, &page), says(200, &none)])),
        Err(Error::Malformed("an empty page with `has_more`".to_owned())),
    );
}

#[test]
fn a_page_that_repeats_itself_for_ever_is_given_up_after_four_readings() {
    let page = says(200, &json!({ "data": many(100), "has_more": true }));
    let stripe = stripe(0, &vec![page; 20]);
    assert_eq!(told(&stripe), Err(Error::Unstable(4)));
    assert_eq!(stripe.transport().requests().len(), 8);
}

#[test]
fn a_hundred_thousand_entitlements_are_read_and_one_more_has_no_end() {
    let most = stripe(Entitlements::MAX_LEN, &[]);
    assert_eq!(told(&most), Ok(SourceState::List(many(100_000))));
    assert_eq!(most.transport().requests().len(), 2_000);

    let more = stripe(Entitlements::MAX_LEN + 1, &[]);
    assert_eq!(told(&more), Err(Error::TooManyPages { pages: 1_000 }));
    assert_eq!(more.transport().requests().len(), 1_000);
}

#[test]
fn a_customer_who_is_not_in_the_list_is_looked_at() {
    let gone = || missing("customer");
    let absent = Error::NotFound { param: "limit".into(), message: "No such thing".into() };
    for (why, answers, requests, expected) in [
        ("there, in another account's list", vec![gone()], 2, Ok(SourceState::NotFound)),
        ("never there", vec![gone(), missing("id")], 2, Ok(SourceState::NotFound)),
        ("not ours to look at", vec![gone(), status(403)], 2, Ok(SourceState::NotFound)),
        (
            "deleted",
            vec![gone(), says(200, &json!({ "deleted": true }))],
            2,
            Ok(SourceState::Deleted),
        ),
        (
            "not to be looked at now",
            vec![gone(), lost(), lost(), lost()],
            4,
            Err(unavailable("connection reset", 2_000)),
        ),
        ("something else is missing", vec![missing("limit")], 1, Err(absent)),
    ] {
        let stripe = stripe(1, &answers);
        assert_eq!(told(&stripe), expected, "{why}");
        assert_eq!(stripe.transport().requests().len(), requests, "{why}");
    }
    let stripe = stripe(1, &[]);
    stripe.transport().delete_customer("cus_ada");
    assert_eq!(told(&stripe), Ok(SourceState::Deleted));
    assert_eq!(stripe.transport().requests(), [LIST, "/v1/customers/cus%5Fada"]);
    assert_eq!(
        block_on(stripe.list_entitlements(&customer("cus_bob").id)),
        Ok(SourceState::NotFound)
    );
}

/// Stripe where `cus_ada` holds the next of these lists at each request, and each takes a while.
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
fn a_list_that_changes_while_it_is_read_is_read_until_two_readings_agree() {
    let before = many(102);
    let new = grants(&["new"]);
    // Page one without the new grant and page two without the last one: never held.
    let changed = [&new[..], &before[..101]].concat();
    let short = before[..100].to_vec();
    let no_cursor = [&before[..99], &before[100..]].concat();
    for (why, lists, requests, expected) in [
        ("it changed once", vec![before.clone(), changed.clone()], 6, &changed),
        ("and back", vec![before.clone(), changed.clone(), before.clone()], 6, &before),
        ("it fits a page since", vec![before.clone(), before.clone(), short.clone()], 3, &short),
        ("the cursor is gone", vec![before.clone(), no_cursor.clone()], 6, &no_cursor),
    ] {
        let stripe = changing(&lists);
        assert_eq!(told(&stripe), Ok(SourceState::List(expected.clone())), "{why}");
        assert_eq!(stripe.transport().stripe.requests().len(), requests, "{why}");
    }
    let each: Vec<_> =
        (0..8).map(|n| [grants(&[&format!("new{n}")]), many(101)].concat()).collect();
    let stripe = changing(&each);
    assert_eq!(told(&stripe), Err(Error::Unstable(4)));
    assert_eq!(stripe.transport().stripe.requests().len(), 8);
}

#[test]
fn a_list_whose_pages_are_slow_is_given_up_after_two_minutes() {
    let slow = Changing { millis: 40_000, ..Changing::default() };
    slow.stripe.set_entitlements("cus_ada", many(401));
    let stripe = StripeClient::new(slow);
    let _ = told(&stripe);
    assert_eq!(stripe.transport().stripe.requests().len(), 3);
}

proptest! {
    #[test]
    fn what_is_read_is_a_list_that_existed(
        count in 99_usize..104,
        steps in vec(vec(proptest::option::of(0_usize..5), 0..3), 8),
    ) {
        let mut existed = vec![many(count)];
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
        match told(&changing(&lists)) {
            Ok(SourceState::List(list)) => prop_assert!(existed.contains(&list)),
            other => prop_assert_eq!(other, Err(Error::Unstable(4))),
        }
    }
}
