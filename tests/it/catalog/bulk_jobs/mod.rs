//! What is done to very many, a few at a time: what a product has now, and what statuses grant now.

mod policy_changes;

use entgate::{
    catalog::scheduler,
    id::Timestamp,
    policy::{
        GrantRule::{Keep, Revoke},
        StatusPolicy,
    },
};
use serde_json::json;

use super::{
    Shop,
    events::{kinds, listed},
    fixture::{FAILS, FEBRUARY, Stage, members, stage},
};

/// A stage on which nothing is refused, and so many other customers who have bought the plan.
fn sold_to(count: usize) -> (Stage, Vec<String>) {
    let mut stage = stage();
    stage.shop.rolls_back = false;
    let customers = (0..count).map(|_| buyer(&stage)).collect();
    stage.shop.work();
    (stage, customers)
}

/// A customer on no clock who buys the plan.
fn buyer(stage: &Stage) -> String {
    let customer = stage.shop.make("/v1/customers", "");
    let form = format!("customer={customer}&items[0][price]={}", stage.price);
    stage.shop.make("/v1/subscriptions", &form);
    customer
}

/// The one subscription of a customer.
fn subscription(shop: &Shop, customer: &str) -> String {
    let list = shop.get(&format!("/v1/subscriptions?customer={customer}&status=all")).done();
    list["data"][0]["id"].as_str().unwrap().to_owned()
}

#[track_caller]
fn apply(stage: &Stage) -> String {
    let path = format!("/v1/products/{}/features/apply", stage.product);
    let mut answer = stage.shop.post(&path, "").done();
    let status = answer["status"].take().as_str().unwrap().to_owned();
    let expected = json!({
        "object": "product_feature_application",
        "livemode": false,
        "product": stage.product,
        "status": null,
    });
    assert_eq!(answer, expected);
    status
}

/// How many of these customers are entitled to a key.
fn holders(shop: &Shop, customers: &[String], key: &str) -> usize {
    customers.iter().filter(|customer| shop.keys(customer).iter().any(|held| held == key)).count()
}

/// One piece of work, of at most so many.
fn work_on(shop: &Shop, limit: usize) {
    shop.with(|catalog| scheduler::run_due(&catalog, limit)).unwrap();
}

fn is_done(shop: &Shop) -> bool {
    shop.with(|catalog| scheduler::next_due(&catalog)).unwrap().is_none_or(|due| due > shop.now)
}

#[test]
fn what_is_applied_reaches_100_at_once_and_the_others_in_the_background() {
    for (count, at_once, status) in [
        (0, 0, "applied"),
        (1, 1, "applied"),
        (99, 99, "applied"),
        (100, 100, "applied"),
        (101, 100, "applying"),
    ] {
        let (stage, customers) = sold_to(count);
        stage.shop.attach(&stage.product, &stage.shop.feature("sso"));
        assert_eq!(apply(&stage), status, "{count}");
        assert_eq!(holders(&stage.shop, &customers, "sso"), at_once, "{count}");
        assert_eq!(is_done(&stage.shop), status == "applied", "{count}");
        stage.shop.work();
        assert_eq!(holders(&stage.shop, &customers, "sso"), count);
    }
}

#[test]
fn the_rest_is_done_piece_by_piece_and_in_their_order() {
    let (stage, customers) = sold_to(110);
    stage.shop.attach(&stage.product, &stage.shop.feature("sso"));
    apply(&stage);
    for (limit, reached) in [(3, 103), (1, 104), (5, 109), (1, 110)] {
        assert!(!is_done(&stage.shop));
        work_on(&stage.shop, limit);
        assert_eq!(holders(&stage.shop, &customers[..reached], "sso"), reached);
        assert_eq!(holders(&stage.shop, &customers, "sso"), reached);
    }
    assert!(is_done(&stage.shop));
}

#[test]
fn what_happens_meanwhile_is_neither_undone_nor_passed_over() {
    let (stage, mut customers) = sold_to(105);
    let shop = &stage.shop;
    let sso = shop.attach(&stage.product, &shop.feature("sso"));
    apply(&stage);
    let (leaves, pauses) = (customers.remove(104), customers[103].clone());
    shop.delete(&format!("/v1/customers/{leaves}")).done();
    shop.post(&format!("/v1/subscriptions/{}/pause", subscription(shop, &pauses)), "").done();
    customers.push(buyer(&stage));
    shop.delete(&format!("/v1/products/{}/features/{sso}", stage.product)).done();
    shop.attach(&stage.product, &shop.feature("fax"));
    shop.work();
    let holds = |key: &str| holders(shop, &customers, key);
    assert_eq!([holds("sms"), holds("sso"), holds("fax")], [105, 100, 5], "as it is by then");
    assert_eq!(apply(&stage), "applying");
    assert_eq!(apply(&stage), "applying", "one more is under way");
    shop.work();
    assert_eq!([holds("sms"), holds("sso"), holds("fax")], [105, 0, 105]);
    assert_eq!(shop.get(&format!("/v1/customer/{leaves}/entitlements")).status, 404);
}

#[test]
fn only_those_with_the_product_who_have_not_ended_and_have_paid_take_it() {
    let (stage, customers) = sold_to(4);
    let shop = &stage.shop;
    let [ended, other, both, _] = [0, 1, 2, 3].map(|index: usize| customers[index].as_str());
    shop.delete(&format!("/v1/subscriptions/{}", subscription(shop, ended))).done();
    let elsewhere = shop.product(&[&shop.feature("fax")]);
    let price = shop.price(&elsewhere, "month");
    let items = |customer: &str| {
        let path = format!("/v1/subscriptions/{}", subscription(shop, customer));
        let item = shop.get(&path).done()["items"]["data"][0]["id"].as_str().unwrap().to_owned();
        (path, item)
    };
    let (path, item) = items(other);
    shop.post(&path, &format!("items[0][id]={item}&items[0][price]={price}")).done();
    let (path, _) = items(both);
    shop.post(&path, &format!("items[0][price]={price}")).done();
    let unpaid = stage.subscribe(&format!("&default_payment_method={FAILS}"));
    shop.attach(&stage.product, &shop.feature("sso"));
    shop.attach(&elsewhere, &shop.feature("tel"));
    let before = listed(shop, "").len();
    assert_eq!(apply(&stage), "applied");
    let held: Vec<_> = customers.iter().map(|customer| shop.keys(customer)).collect();
    assert_eq!(held, [vec![], vec!["fax"], vec!["sso", "fax", "sms"], vec!["sso", "sms"]]);
    assert_eq!(stage.keys(), [""; 0]);
    let events = listed(shop, "");
    let told = ["entitlements.active_entitlement_summary.updated"; 2];
    assert_eq!(kinds(&events[..events.len() - before]), told);
    stage.update(&unpaid, "status=active").done();
    assert_eq!(stage.keys(), ["sso", "sms"]);
}

#[test]
fn who_lives_by_a_clock_that_is_under_way_takes_it_too() {
    let (stage, _) = sold_to(0);
    let shop = &stage.shop;
    stage.subscribe("");
    shop.attach(&stage.product, &shop.feature("sso"));
    let path = format!("/v1/test_helpers/test_clocks/{}/advance", stage.clock);
    shop.post(&path, &format!("frozen_time={}", FEBRUARY - 1)).done();
    assert_eq!(apply(&stage), "applied");
    assert_eq!(stage.keys(), ["sso", "sms"]);
}

#[test]
fn what_was_due_before_something_is_applied_has_happened_by_then() {
    let (mut stage, customers) = sold_to(2);
    let ends = stage.shop.now.0 + 10;
    let leaves = subscription(&stage.shop, &customers[0]);
    say(&stage.shop, &leaves, &format!("cancel_at={ends}"));
    stage.shop.attach(&stage.product, &stage.shop.feature("sso"));
    stage.shop.now = Timestamp(ends + 10);
    let before = listed(&stage.shop, "").len();
    assert_eq!(apply(&stage), "applied");
    let events = listed(&stage.shop, "");
    let summary = "entitlements.active_entitlement_summary.updated";
    let told = [summary, summary, "customer.subscription.deleted"];
    assert_eq!(kinds(&events[..events.len() - before]), told);
    let shown = stage.shop.get(&format!("/v1/subscriptions/{leaves}")).done();
    assert_eq!(members(&shown, &["status", "ended_at"]), json!(["canceled", ends]));
    let held: Vec<_> = customers.iter().map(|customer| stage.shop.keys(customer)).collect();
    assert_eq!(held, [vec![], vec!["sso", "sms"]]);
}

/// Customers of each status in doubt, so many of each: past due, unpaid and paused.
fn in_doubt(count: usize) -> (Stage, [Vec<String>; 3]) {
    let (stage, customers) = sold_to(3 * count);
    let mut each = customers.chunks(count.max(1)).map(<[String]>::to_vec);
    let all = [(); 3].map(|()| each.next().unwrap_or_default());
    for (customers, (path, form)) in
        all.iter().zip([("", "status=past_due"), ("", "status=unpaid"), ("/pause", "")])
    {
        for customer in customers {
            let target = format!("/v1/subscriptions/{}", subscription(&stage.shop, customer));
            stage.shop.post(&format!("{target}{path}"), form).done();
        }
    }
    stage.shop.work();
    (stage, all)
}

/// How many of each status are entitled.
fn entitled(shop: &Shop, customers: &[Vec<String>; 3]) -> [usize; 3] {
    customers.each_ref().map(|customers| holders(shop, customers, "sms"))
}

#[test]
fn another_policy_settles_everybody_of_the_statuses_that_it_is_another_one_for() {
    let (mut stage, customers) = in_doubt(9);
    assert_eq!(entitled(&stage.shop, &customers), [9, 0, 9]);
    for (past_due, unpaid, paused) in [
        (Revoke, Revoke, Keep),
        (Keep, Keep, Keep),
        (Revoke, Revoke, Revoke),
        (Revoke, Keep, Revoke),
        (Keep, Revoke, Keep),
    ] {
        let policy = StatusPolicy { past_due, unpaid, paused };
        let held = |shop: &Shop| entitled(shop, &customers);
        let parts = |policy: StatusPolicy| [policy.past_due, policy.unpaid, policy.paused];
        let changed = parts(policy).into_iter().zip(parts(stage.shop.policy));
        let changed = changed.filter(|(new, old)| new != old).count();
        let count = |shop: &Shop| {
            let list = "/v1/events?type=customer.subscription.*&limit=1";
            let summary = "/v1/events?type=entitlements.*&limit=100";
            let newest = shop.get(list).done()["data"][0]["id"].clone();
            let seen = shop.get(summary).done()["data"].as_array().unwrap().clone();
            (newest, seen.iter().filter(|event| event["created"] == json!(shop.now)).count())
        };
        stage.shop.now = Timestamp(stage.shop.now.0 + 1);
        let before = count(&stage.shop);
        stage.shop.policy = policy;
        assert!(!is_done(&stage.shop));
        stage.shop.work();
        assert_eq!(held(&stage.shop), parts(policy).map(|part| if part == Keep { 9 } else { 0 }));
        let after = count(&stage.shop);
        assert_eq!(after.0, before.0, "nothing happened to a subscription");
        assert_eq!((before.1, after.1), (0, 9 * changed), "each customer is told once");
        assert!(is_done(&stage.shop));
    }
}

#[test]
fn a_policy_that_changes_back_before_all_are_settled_leaves_nobody_behind() {
    for pieces in [0, 1, 2, 3, 10] {
        let (mut stage, customers) = in_doubt(4);
        let before = stage.shop.policy;
        stage.shop.policy = StatusPolicy { past_due: Revoke, unpaid: Keep, paused: Revoke };
        for _ in 0..pieces {
            work_on(&stage.shop, 1);
        }
        stage.shop.policy = before;
        stage.shop.work();
        assert_eq!(entitled(&stage.shop, &customers), [4, 0, 4], "after {pieces} pieces");
        stage.shop.policy.paused = Revoke;
        stage.shop.work();
        assert_eq!(entitled(&stage.shop, &customers), [4, 0, 0], "after {pieces} pieces");
    }
}

/// What is done to a subscription.
type Deed = fn(&Shop, &str);

#[test]
fn who_changes_between_a_policy_and_its_being_settled_is_settled_by_it() {
    let deeds: [(&str, Deed, bool); 5] = [
        ("nothing", |_, _| (), false),
        ("is said to be so once more", |shop, it| say(shop, it, "status=past_due"), false),
        ("pays", |shop, it| say(shop, it, "status=active"), true),
        (
            "pays, and then does not",
            |shop, it| {
                say(shop, it, "status=active");
                say(shop, it, "status=past_due");
            },
            false,
        ),
        ("is given up on", |shop, it| say(shop, it, "status=unpaid"), false),
    ];
    for (why, deed, holds) in deeds {
        let (mut stage, [customers, ..]) = in_doubt(2);
        stage.shop.policy.past_due = Revoke;
        let it = subscription(&stage.shop, &customers[0]);
        deed(&stage.shop, &it);
        stage.shop.work();
        let expected: &[&str] = if holds { &["sms"] } else { &[] };
        assert_eq!(stage.shop.keys(&customers[0]), expected, "{why}");
        assert_eq!(stage.shop.keys(&customers[1]), [""; 0], "{why}");
    }
}

#[test]
fn who_changed_by_a_policy_that_nobody_was_settled_by_is_settled_by_the_one_after_it() {
    let (mut stage, customers) = sold_to(1);
    let before = stage.shop.policy;
    stage.shop.policy.past_due = Revoke;
    say(&stage.shop, &subscription(&stage.shop, &customers[0]), "status=past_due");
    assert_eq!(stage.shop.keys(&customers[0]), [""; 0]);
    stage.shop.policy = before;
    stage.shop.work();
    assert_eq!(stage.shop.keys(&customers[0]), ["sms"]);
}

#[test]
fn who_changed_before_there_was_any_work_is_settled_by_the_policy_that_there_is_then() {
    let mut stage = stage();
    let subscription = stage.subscribe("");
    stage.update(&subscription, "status=past_due").done();
    assert_eq!(stage.keys(), ["sms"]);
    stage.shop.policy.past_due = Revoke;
    stage.shop.work();
    assert_eq!(stage.keys(), [""; 0]);
}

fn say(shop: &Shop, subscription: &str, form: &str) {
    shop.post(&format!("/v1/subscriptions/{subscription}"), form).done();
}

#[test]
fn what_is_granted_by_another_subscription_stays_whatever_the_policy() {
    let (mut stage, [customers, ..]) = in_doubt(1);
    let form = format!("customer={}&items[0][price]={}", customers[0], stage.price);
    stage.shop.make("/v1/subscriptions", &form);
    stage.shop.policy.past_due = Revoke;
    let before = listed(&stage.shop, "").len();
    stage.shop.work();
    assert_eq!(stage.shop.keys(&customers[0]), ["sms"]);
    assert_eq!(listed(&stage.shop, "").len(), before);
}
