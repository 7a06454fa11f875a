//! The eight subscription statuses: how each is reached, and what it grants.
//!
//! Specification: <https://docs.stripe.com/api/subscriptions/object#subscription_object-status>.

use entgate::policy::{
    GrantRule::{self, Keep, Revoke},
    StatusPolicy,
};
use serde_json::json;

use super::fixture::{DAY, DECLINED_CARD, FEBRUARY, Fixture, HOUR, JANUARY, VALID_CARD, fixture};

/// Whether a status grants the features of a subscription.
#[derive(Clone, Copy)]
enum Grants {
    Always,
    /// If this rule of the policy is `Keep`.
    If(fn(StatusPolicy) -> GrantRule),
    Never,
}

impl Grants {
    fn under(self, policy: StatusPolicy) -> bool {
        match self {
            Self::Always => true,
            Self::If(rule) => rule(policy) == Keep,
            Self::Never => false,
        }
    }
}

type Action = fn(&Fixture, &str);

/// A path to a status: its name, the parameters of the subscription, and what happens to it.
type StatusPath = (&'static str, &'static str, Action);

const WITH_DECLINED_CARD: &str = "&default_payment_method=pm_card_chargeCustomerFail";
const WITH_TRIAL: &str = "&trial_period_days=7";
const WITH_PAUSING_TRIAL: &str =
    "&trial_period_days=7&trial_settings[end_behavior][missing_payment_method]=pause";
const WEEK: i64 = JANUARY + 7 * DAY;

fn do_nothing(_: &Fixture, _: &str) {}

fn update(fixture: &Fixture, subscription: &str, form: &str) {
    fixture.update(subscription, form).expect_ok();
}

const ACTIVE: &[StatusPath] = &[
    ("subscribed", "", do_nothing),
    ("subscribed with a valid card", "&default_payment_method=pm_card_visa", do_nothing),
    (
        "invoiced, with a declined card",
        "&collection_method=send_invoice&days_until_due=30",
        |fixture, id| {
            update(fixture, id, &format!("default_payment_method={DECLINED_CARD}"));
            fixture.advance(FEBRUARY);
        },
    ),
    ("after a trial", WITH_TRIAL, |fixture, _| fixture.advance(WEEK)),
    ("after the early end of a trial", WITH_TRIAL, |fixture, id| {
        update(fixture, id, "trial_end=now");
    }),
    ("a first payment with another card", WITH_DECLINED_CARD, |fixture, id| {
        update(fixture, id, &format!("default_payment_method={VALID_CARD}"));
    }),
    ("a reported first payment", WITH_DECLINED_CARD, |fixture, id| {
        update(fixture, id, "status=active");
    }),
    ("a reported payment", "", |fixture, id| {
        update(fixture, id, "status=unpaid");
        update(fixture, id, "status=active");
    }),
    ("a payment with another card", WITH_TRIAL, |fixture, id| {
        update(fixture, id, &format!("default_payment_method={DECLINED_CARD}"));
        fixture.advance(WEEK + DAY);
        update(fixture, id, &format!("default_payment_method={VALID_CARD}"));
    }),
    ("resumed", "", |fixture, id| {
        fixture.pause(id).expect_ok();
        fixture.resume(id, "").expect_ok();
    }),
    ("resumed after the end of a trial", WITH_PAUSING_TRIAL, |fixture, id| {
        fixture.advance(WEEK);
        fixture.resume(id, "").expect_ok();
    }),
    ("with paused collection", "", |fixture, id| {
        update(fixture, id, "pause_collection[behavior]=void");
    }),
    ("before a scheduled cancellation", "&cancel_at_period_end=true", |fixture, _| {
        fixture.advance(FEBRUARY - 1);
    }),
];

const TRIALING: &[StatusPath] = &[
    ("subscribed with a trial", WITH_TRIAL, do_nothing),
    ("no charge before the end of the trial", WITH_TRIAL, |fixture, id| {
        update(fixture, id, &format!("default_payment_method={DECLINED_CARD}"));
        fixture.advance(WEEK - 1);
    }),
    ("a trial that starts later", "", |fixture, id| {
        update(fixture, id, &format!("trial_end={FEBRUARY}"));
    }),
    ("a trial while past due", "", |fixture, id| {
        update(fixture, id, "status=past_due");
        update(fixture, id, &format!("trial_end={FEBRUARY}"));
    }),
];

const PAST_DUE: &[StatusPath] = &[
    ("a renewal whose charge fails", "", |fixture, id| {
        update(fixture, id, &format!("default_payment_method={DECLINED_CARD}"));
        fixture.advance(FEBRUARY);
    }),
    ("the end of a trial whose charge fails", WITH_TRIAL, |fixture, id| {
        update(fixture, id, &format!("default_payment_method={DECLINED_CARD}"));
        fixture.advance(WEEK);
    }),
    ("the early end of a trial whose charge fails", WITH_TRIAL, |fixture, id| {
        update(fixture, id, &format!("default_payment_method={DECLINED_CARD}"));
        update(fixture, id, "trial_end=now");
    }),
    ("the last second of dunning", WITH_TRIAL, |fixture, id| {
        update(fixture, id, &format!("default_payment_method={DECLINED_CARD}"));
        fixture.advance(WEEK + 14 * DAY - 1);
    }),
    ("reported", "", |fixture, id| update(fixture, id, "status=past_due")),
    ("reported in a trial", WITH_TRIAL, |fixture, id| update(fixture, id, "status=past_due")),
    ("reported after unpaid", "", |fixture, id| {
        update(fixture, id, "status=unpaid");
        update(fixture, id, "status=past_due");
    }),
    ("resumed, and the charge fails", "", |fixture, id| {
        update(fixture, id, &format!("default_payment_method={DECLINED_CARD}"));
        fixture.pause(id).expect_ok();
        fixture.resume(id, "").expect_ok();
    }),
];

const UNPAID: &[StatusPath] = &[
    ("reported", "", |fixture, id| update(fixture, id, "status=unpaid")),
    ("reported in a trial", WITH_TRIAL, |fixture, id| update(fixture, id, "status=unpaid")),
    ("reported after past due", "", |fixture, id| {
        update(fixture, id, "status=past_due");
        update(fixture, id, "status=unpaid");
    }),
    ("after renewals", "", |fixture, id| {
        update(fixture, id, "status=unpaid");
        fixture.advance(FEBRUARY + 90 * DAY);
    }),
];

const PAUSED_BY_REQUEST: &[StatusPath] = &[
    ("active before", "", |fixture, id| drop(fixture.pause(id).expect_ok())),
    ("past due before", "", |fixture, id| {
        update(fixture, id, "status=past_due");
        fixture.pause(id).expect_ok();
    }),
    ("unpaid before", "", |fixture, id| {
        update(fixture, id, "status=unpaid");
        fixture.pause(id).expect_ok();
    }),
    ("without a time limit", "", |fixture, id| {
        fixture.pause(id).expect_ok();
        fixture.advance(FEBRUARY + 400 * DAY);
    }),
    ("paused by a trial before", WITH_PAUSING_TRIAL, |fixture, id| {
        fixture.advance(WEEK);
        fixture.resume(id, "").expect_ok();
        fixture.pause(id).expect_ok();
    }),
];

const PAUSED_BY_TRIAL: &[StatusPath] = &[
    ("at the end of the trial", WITH_PAUSING_TRIAL, |fixture, _| fixture.advance(WEEK)),
    ("at the early end of the trial", WITH_PAUSING_TRIAL, |fixture, id| {
        update(fixture, id, "trial_end=now");
    }),
    ("without a time limit", WITH_PAUSING_TRIAL, |fixture, _| {
        fixture.advance(FEBRUARY + 400 * DAY);
    }),
];

const INCOMPLETE: &[StatusPath] = &[
    ("a first charge that fails", WITH_DECLINED_CARD, do_nothing),
    ("the last second of 23 hours", WITH_DECLINED_CARD, |fixture, _| {
        fixture.advance(JANUARY + 23 * HOUR - 1);
    }),
    ("requested", "&payment_behavior=default_incomplete", do_nothing),
    ("another card that is declined", WITH_DECLINED_CARD, |fixture, id| {
        update(fixture, id, "default_payment_method=pm_card_chargeDeclined");
    }),
];

const INCOMPLETE_EXPIRED: &[StatusPath] = &[
    ("after 23 hours", WITH_DECLINED_CARD, |fixture, _| fixture.advance(JANUARY + 23 * HOUR)),
    ("later", WITH_DECLINED_CARD, |fixture, _| fixture.advance(FEBRUARY)),
];

const CANCELED: &[StatusPath] = &[
    ("requested", "", |fixture, id| {
        fixture.cancel(id).expect_ok();
    }),
    ("while paused", "", |fixture, id| {
        fixture.pause(id).expect_ok();
        fixture.cancel(id).expect_ok();
    }),
    ("before the first payment", WITH_DECLINED_CARD, |fixture, id| {
        fixture.cancel(id).expect_ok();
    }),
    ("at the end of the period", "&cancel_at_period_end=true", |fixture, _| {
        fixture.advance(FEBRUARY);
    }),
    ("14 days past due", WITH_TRIAL, |fixture, id| {
        update(fixture, id, &format!("default_payment_method={DECLINED_CARD}"));
        fixture.advance(WEEK + 14 * DAY);
    }),
    (
        "at the end of a trial",
        "&trial_period_days=7&trial_settings[end_behavior][missing_payment_method]=cancel",
        |fixture, _| fixture.advance(WEEK),
    ),
];

const STATUSES: [(&str, Grants, &[StatusPath]); 9] = [
    ("active", Grants::Always, ACTIVE),
    ("trialing", Grants::Always, TRIALING),
    ("past_due", Grants::If(|policy| policy.past_due), PAST_DUE),
    ("unpaid", Grants::If(|policy| policy.unpaid), UNPAID),
    ("paused", Grants::Never, PAUSED_BY_REQUEST),
    ("paused", Grants::If(|policy| policy.paused), PAUSED_BY_TRIAL),
    ("incomplete", Grants::Never, INCOMPLETE),
    ("incomplete_expired", Grants::Never, INCOMPLETE_EXPIRED),
    ("canceled", Grants::Never, CANCELED),
];

/// All policies.
fn policies() -> impl Iterator<Item = StatusPolicy> {
    (0..8).map(|bits| {
        let rule = |bit: i32| if bits & bit == 0 { Keep } else { Revoke };
        StatusPolicy { past_due: rule(1), unpaid: rule(2), paused: rule(4) }
    })
}

#[test]
fn each_status_grants_what_the_policy_says_however_it_is_reached() {
    assert_eq!(
        StatusPolicy::default(),
        StatusPolicy { past_due: Keep, unpaid: Revoke, paused: Keep }
    );
    for policy in policies() {
        for (status, grants, paths) in STATUSES {
            for (why, params, action) in paths {
                let mut fixture = fixture();
                (fixture.catalog.policy, fixture.catalog.rolls_back) = (policy, false);
                let subscription = fixture.subscribe(params);
                action(&fixture, &subscription);
                let why = format!("{status}, {why}, under {policy:?}");
                assert_eq!(fixture.status(&subscription), status, "{why}");
                let expected: &[&str] = if grants.under(policy) { &["sms"] } else { &[] };
                assert_eq!(fixture.entitled_keys(), expected, "{why}");
            }
        }
    }
}

#[test]
fn a_declined_first_charge_that_must_succeed_creates_nothing() {
    let fixture = fixture();
    let count = || {
        let list = fixture.catalog.get("/v1/subscriptions?status=all&limit=100").expect_ok();
        let events = fixture.catalog.get("/v1/events?limit=100").expect_ok();
        [&list, &events].map(|list| list["data"].as_array().unwrap().len())
    };
    let before = count();
    let form = fixture
        .subscription_form(&format!("{WITH_DECLINED_CARD}&payment_behavior=error_if_incomplete"));
    let rejected = fixture.catalog.post("/v1/subscriptions", &form);
    assert_eq!(rejected.error(), (402, "card_declined", "", "Your card was declined."));
    assert_eq!(rejected.body["error"]["type"], json!("card_error"));
    assert_eq!((count(), fixture.entitled_keys()), (before, vec![]));
    let params = format!("{WITH_DECLINED_CARD}&payment_behavior=error_if_incomplete{WITH_TRIAL}");
    assert_eq!(
        fixture.status(&fixture.subscribe(&params)),
        "trialing",
        "no charge before the end of the trial"
    );
}

/// Each column is a request. Each cell is the status that it leads to, or `-` if it is rejected.
#[test]
fn the_current_status_decides_which_status_a_request_can_lead_to() {
    for (status, pause, resume, active, past_due, unpaid) in [
        ("active", "paused", "-", "active", "past_due", "unpaid"),
        ("trialing", "-", "-", "-", "past_due", "unpaid"),
        ("past_due", "paused", "-", "active", "past_due", "unpaid"),
        ("unpaid", "paused", "-", "active", "past_due", "unpaid"),
        ("paused", "-", "active", "-", "-", "-"),
        ("incomplete", "-", "-", "active", "-", "-"),
        ("incomplete_expired", "-", "-", "-", "-", "-"),
        ("canceled", "-", "-", "-", "-", "-"),
    ] {
        let (.., paths) = STATUSES.into_iter().find(|(name, ..)| *name == status).unwrap();
        for (verb, form, leads_to) in [
            ("/pause", "", pause),
            ("/resume", "", resume),
            ("", "status=active", active),
            ("", "status=past_due", past_due),
            ("", "status=unpaid", unpaid),
        ] {
            let fixture = fixture();
            let (_, params, action) = paths[0];
            let subscription = fixture.subscribe(params);
            action(&fixture, &subscription);
            let response =
                fixture.catalog.post(&format!("/v1/subscriptions/{subscription}{verb}"), form);
            let (code, expected) = if leads_to == "-" { (400, status) } else { (200, leads_to) };
            assert_eq!(response.status, code, "{status}: {verb}{form}");
            assert_eq!(fixture.status(&subscription), expected, "{status}: {verb}{form}");
        }
    }
}

#[test]
fn a_status_change_emits_a_summary_only_if_the_entitlements_change() {
    let summary_sizes = |policy: StatusPolicy| {
        let mut fixture = fixture();
        fixture.catalog.policy = policy;
        let subscription = fixture.subscribe("");
        for status in ["past_due", "unpaid", "active"] {
            update(&fixture, &subscription, &format!("status={status}"));
        }
        fixture.pause(&subscription).expect_ok();
        fixture.resume(&subscription, "").expect_ok();
        let list = "/v1/events?type=entitlements.active_entitlement_summary.updated";
        let list = fixture.catalog.get(list).expect_ok();
        let summaries = list["data"].as_array().unwrap().iter().rev();
        summaries
            .map(|event| event["data"]["object"]["entitlements"]["data"].as_array().unwrap().len())
            .collect::<Vec<_>>()
    };
    let policy = |past_due, unpaid, paused| StatusPolicy { past_due, unpaid, paused };
    // The last two are those of the pause and of the resume.
    assert_eq!(summary_sizes(policy(Keep, Keep, Keep)), [1, 0, 1]);
    assert_eq!(summary_sizes(policy(Revoke, Keep, Keep)), [1, 0, 1, 0, 1]);
    assert_eq!(summary_sizes(policy(Keep, Revoke, Keep)), [1, 0, 1, 0, 1]);
    assert_eq!(summary_sizes(policy(Keep, Keep, Revoke)), [1, 0, 1]);
    assert_eq!(summary_sizes(policy(Revoke, Revoke, Revoke)), [1, 0, 1, 0, 1]);
}
