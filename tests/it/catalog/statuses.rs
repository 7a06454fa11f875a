//! The eight statuses: how each is reached, and what it grants.

use entgate::policy::{
    GrantRule::{self, Keep, Revoke},
    StatusPolicy,
};
use serde_json::json;

use super::fixture::{DAY, FAILS, FEBRUARY, HOUR, JANUARY, Stage, WORKS, stage};

/// What a status grants.
#[derive(Clone, Copy)]
enum Grants {
    Always,
    /// If this part of the policy says so.
    If(fn(StatusPolicy) -> GrantRule),
    Never,
}

impl Grants {
    fn by(self, policy: StatusPolicy) -> bool {
        match self {
            Self::Always => true,
            Self::If(part) => part(policy) == Keep,
            Self::Never => false,
        }
    }
}

type Deed = fn(&Stage, &str);

/// How a status is reached: with which parameters a subscription begins, and what happens then.
type Way = (&'static str, &'static str, Deed);

const FAILING: &str = "&default_payment_method=pm_card_chargeCustomerFail";
const TRIAL: &str = "&trial_period_days=7";
const WEEK: i64 = JANUARY + 7 * DAY;

fn nothing(_: &Stage, _: &str) {}

fn say(stage: &Stage, subscription: &str, form: &str) {
    stage.update(subscription, form).done();
}

const ACTIVE: &[Way] = &[
    ("bought", "", nothing),
    ("bought with a method that works", "&default_payment_method=pm_card_visa", nothing),
    ("invoiced, whatever the method", "&collection_method=send_invoice", |stage, it| {
        say(stage, it, &format!("default_payment_method={FAILS}"));
        stage.advance(FEBRUARY);
    }),
    ("after a trial", TRIAL, |stage, _| stage.advance(WEEK)),
    ("after a trial that was ended", TRIAL, |stage, it| say(stage, it, "trial_end=now")),
    ("paid for at last", FAILING, |stage, it| {
        say(stage, it, &format!("default_payment_method={WORKS}"));
    }),
    ("said to be paid for at first", FAILING, |stage, it| say(stage, it, "status=active")),
    ("said to be paid for again", "", |stage, it| {
        say(stage, it, "status=unpaid");
        say(stage, it, "status=active");
    }),
    ("paid for again", TRIAL, |stage, it| {
        say(stage, it, &format!("default_payment_method={FAILS}"));
        stage.advance(WEEK + DAY);
        say(stage, it, &format!("default_payment_method={WORKS}"));
    }),
    ("resumed", "", |stage, it| {
        stage.pause(it).done();
        stage.resume(it, "").done();
    }),
    ("resumed in a trial, which ends", TRIAL, |stage, it| {
        stage.pause(it).done();
        stage.resume(it, "").done();
    }),
    ("without collection", "", |stage, it| say(stage, it, "pause_collection[behavior]=void")),
    ("to be canceled", "&cancel_at_period_end=true", |stage, _| stage.advance(FEBRUARY - 1)),
];

const TRIALING: &[Way] = &[
    ("begun so", TRIAL, nothing),
    ("nothing is charged yet", TRIAL, |stage, it| {
        say(stage, it, &format!("default_payment_method={FAILS}"));
        stage.advance(WEEK - 1);
    }),
    ("given later", "", |stage, it| say(stage, it, &format!("trial_end={FEBRUARY}"))),
    ("given to who owes", "", |stage, it| {
        say(stage, it, "status=past_due");
        say(stage, it, &format!("trial_end={FEBRUARY}"));
    }),
];

const PAST_DUE: &[Way] = &[
    ("a renewal that fails", "", |stage, it| {
        say(stage, it, &format!("default_payment_method={FAILS}"));
        stage.advance(FEBRUARY);
    }),
    ("a trial's end that fails", TRIAL, |stage, it| {
        say(stage, it, &format!("default_payment_method={FAILS}"));
        stage.advance(WEEK);
    }),
    ("that too", TRIAL, |stage, it| {
        say(stage, it, &format!("default_payment_method={FAILS}"));
        say(stage, it, "trial_end=now");
    }),
    ("until the 14th day", TRIAL, |stage, it| {
        say(stage, it, &format!("default_payment_method={FAILS}"));
        stage.advance(WEEK + 14 * DAY - 1);
    }),
    ("said to be", "", |stage, it| say(stage, it, "status=past_due")),
    ("said to be, of a trial", TRIAL, |stage, it| say(stage, it, "status=past_due")),
    ("said to be, after unpaid", "", |stage, it| {
        say(stage, it, "status=unpaid");
        say(stage, it, "status=past_due");
    }),
    ("resumed in vain", "", |stage, it| {
        say(stage, it, &format!("default_payment_method={FAILS}"));
        stage.pause(it).done();
        stage.resume(it, "").done();
    }),
];

const UNPAID: &[Way] = &[
    ("said to be", "", |stage, it| say(stage, it, "status=unpaid")),
    ("said to be, of a trial", TRIAL, |stage, it| say(stage, it, "status=unpaid")),
    ("said to be, after past due", "", |stage, it| {
        say(stage, it, "status=past_due");
        say(stage, it, "status=unpaid");
    }),
    ("though periods begin", "", |stage, it| {
        say(stage, it, "status=unpaid");
        stage.advance(FEBRUARY + 90 * DAY);
    }),
];

const PAUSED: &[Way] = &[
    ("at a request", "", |stage, it| drop(stage.pause(it).done())),
    ("at one in a trial", TRIAL, |stage, it| drop(stage.pause(it).done())),
    ("past due before", "", |stage, it| {
        say(stage, it, "status=past_due");
        stage.pause(it).done();
    }),
    (
        "at a trial's end",
        "&trial_period_days=7&trial_settings[end_behavior][missing_payment_method]=pause",
        |stage, _| stage.advance(WEEK),
    ),
    ("for as long as it likes", "", |stage, it| {
        stage.pause(it).done();
        stage.advance(FEBRUARY + 400 * DAY);
    }),
];

const INCOMPLETE: &[Way] = &[
    ("a first charge that fails", FAILING, nothing),
    ("until 23 hours are over", FAILING, |stage, _| stage.advance(JANUARY + 23 * HOUR - 1)),
    ("asked for", "&payment_behavior=default_incomplete", nothing),
    ("not paid by another method that fails", FAILING, |stage, it| {
        say(stage, it, "default_payment_method=pm_card_chargeDeclined");
    }),
];

const INCOMPLETE_EXPIRED: &[Way] = &[
    ("not paid", FAILING, |stage, _| stage.advance(JANUARY + 23 * HOUR)),
    ("nor later", FAILING, |stage, _| stage.advance(FEBRUARY)),
];

const CANCELED: &[Way] = &[
    ("at a request", "", |stage, it| {
        stage.shop.delete(&format!("/v1/subscriptions/{it}")).done();
    }),
    ("while paused", "", |stage, it| {
        stage.pause(it).done();
        stage.shop.delete(&format!("/v1/subscriptions/{it}")).done();
    }),
    ("before it was paid", FAILING, |stage, it| {
        stage.shop.delete(&format!("/v1/subscriptions/{it}")).done();
    }),
    ("at its end", "&cancel_at_period_end=true", |stage, _| stage.advance(FEBRUARY)),
    ("14 days past due", TRIAL, |stage, it| {
        say(stage, it, &format!("default_payment_method={FAILS}"));
        stage.advance(WEEK + 14 * DAY);
    }),
    (
        "with the trial",
        "&trial_period_days=7&trial_settings[end_behavior][missing_payment_method]=cancel",
        |stage, _| stage.advance(WEEK),
    ),
];

const STATUSES: [(&str, Grants, &[Way]); 8] = [
    ("active", Grants::Always, ACTIVE),
    ("trialing", Grants::Always, TRIALING),
    ("past_due", Grants::If(|policy| policy.past_due), PAST_DUE),
    ("unpaid", Grants::If(|policy| policy.unpaid), UNPAID),
    ("paused", Grants::If(|policy| policy.paused), PAUSED),
    ("incomplete", Grants::Never, INCOMPLETE),
    ("incomplete_expired", Grants::Never, INCOMPLETE_EXPIRED),
    ("canceled", Grants::Never, CANCELED),
];

/// All that an operator can say.
fn policies() -> impl Iterator<Item = StatusPolicy> {
    (0..8).map(|bits| {
        let part = |bit: i32| if bits & bit == 0 { Keep } else { Revoke };
        StatusPolicy { past_due: part(1), unpaid: part(2), paused: part(4) }
    })
}

#[test]
fn each_status_grants_what_the_policy_says_however_it_was_reached() {
    assert_eq!(
        StatusPolicy::default(),
        StatusPolicy { past_due: Keep, unpaid: Revoke, paused: Keep }
    );
    for policy in policies() {
        for (status, grants, ways) in STATUSES {
            for (why, with, deed) in ways {
                let mut stage = stage();
                (stage.shop.policy, stage.shop.rolls_back) = (policy, false);
                let subscription = stage.subscribe(with);
                deed(&stage, &subscription);
                let why = format!("{status}, {why}, by {policy:?}");
                assert_eq!(stage.status(&subscription), status, "{why}");
                let expected: &[&str] = if grants.by(policy) { &["sms"] } else { &[] };
                assert_eq!(stage.keys(), expected, "{why}");
            }
        }
    }
}

#[test]
fn a_first_charge_that_must_succeed_leaves_nothing_behind_if_it_does_not() {
    let stage = stage();
    let count = || {
        let list = stage.shop.get("/v1/subscriptions?status=all&limit=100").done();
        let events = stage.shop.get("/v1/events?limit=100").done();
        [&list, &events].map(|list| list["data"].as_array().unwrap().len())
    };
    let before = count();
    let form = stage.purchase(&format!("{FAILING}&payment_behavior=error_if_incomplete"));
    let refused = stage.shop.post("/v1/subscriptions", &form);
    assert_eq!(refused.refusal(), (402, "card_declined", "", "Your card was declined."));
    assert_eq!(refused.body["error"]["type"], json!("card_error"));
    assert_eq!((count(), stage.keys()), (before, vec![]));
    let with = format!("{FAILING}&payment_behavior=error_if_incomplete{TRIAL}");
    assert_eq!(stage.status(&stage.subscribe(&with)), "trialing", "nothing is charged yet");
}

/// What one request may do where a subscription stands, by the statuses that it leads to; `-` is
/// refused.
#[test]
fn what_can_be_done_next_depends_on_where_a_subscription_stands() {
    for (status, pause, resume, active, past_due, unpaid) in [
        ("active", "paused", "-", "active", "past_due", "unpaid"),
        ("trialing", "paused", "-", "-", "past_due", "unpaid"),
        ("past_due", "paused", "-", "active", "past_due", "unpaid"),
        ("unpaid", "-", "-", "active", "past_due", "unpaid"),
        ("paused", "-", "active", "-", "-", "-"),
        ("incomplete", "-", "-", "active", "-", "-"),
        ("incomplete_expired", "-", "-", "-", "-", "-"),
        ("canceled", "-", "-", "-", "-", "-"),
    ] {
        let (.., ways) = STATUSES.into_iter().find(|(name, ..)| *name == status).unwrap();
        for (verb, form, leads_to) in [
            ("/pause", "", pause),
            ("/resume", "", resume),
            ("", "status=active", active),
            ("", "status=past_due", past_due),
            ("", "status=unpaid", unpaid),
        ] {
            let stage = stage();
            let (_, with, deed) = ways[0];
            let subscription = stage.subscribe(with);
            deed(&stage, &subscription);
            let answer = stage.shop.post(&format!("/v1/subscriptions/{subscription}{verb}"), form);
            let (code, expected) = if leads_to == "-" { (400, status) } else { (200, leads_to) };
            assert_eq!(answer.status, code, "{status}: {verb}{form}");
            assert_eq!(stage.status(&subscription), expected, "{status}: {verb}{form}");
        }
    }
}

#[test]
fn a_change_between_two_statuses_is_told_only_where_it_changes_what_is_granted() {
    let told = |policy: StatusPolicy| {
        let mut stage = stage();
        stage.shop.policy = policy;
        let subscription = stage.subscribe("");
        for status in ["past_due", "unpaid", "active"] {
            say(&stage, &subscription, &format!("status={status}"));
        }
        stage.pause(&subscription).done();
        stage.resume(&subscription, "").done();
        let list = "/v1/events?type=entitlements.active_entitlement_summary.updated";
        let list = stage.shop.get(list).done();
        let sets = list["data"].as_array().unwrap().iter().rev();
        sets.map(|event| event["data"]["object"]["entitlements"]["data"].as_array().unwrap().len())
            .collect::<Vec<_>>()
    };
    let policy = |past_due, unpaid, paused| StatusPolicy { past_due, unpaid, paused };
    assert_eq!(told(policy(Keep, Keep, Keep)), [1]);
    assert_eq!(told(policy(Revoke, Keep, Keep)), [1, 0, 1]);
    assert_eq!(told(policy(Keep, Revoke, Keep)), [1, 0, 1]);
    assert_eq!(told(policy(Keep, Keep, Revoke)), [1, 0, 1]);
    assert_eq!(told(policy(Revoke, Revoke, Keep)), [1, 0, 1]);
    assert_eq!(told(policy(Revoke, Revoke, Revoke)), [1, 0, 1, 0, 1]);
}
