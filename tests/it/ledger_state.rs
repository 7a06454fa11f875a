//! What is kept of one customer, step by step, at exact times: what comes in, and what is read.

mod observed_features;
mod pending_tasks;

use entgate::{
    entitlement::{ActiveEntitlement, Entitlements, Summary, SummaryPage, Version},
    id::{Timestamp, UnixMillis},
    ledger::{
        ApplyOutcome::{self, Applied, Deferred, Duplicate, Stale, Unchanged},
        Dedup, Drift, Error, LedgerState,
        ReadReason::{self, OnDemand, Reconcile},
        Reconciliation::{
            self, Drifted, InSync, NotFoundAtSource, Superseded, UnknownCustomer, Updated,
        },
        SourceAccess, SourceState, SyncProblem,
        Task::{self, Read, Replica, Report},
    },
};

use crate::support::{self, grants};

/// When a test begins, in seconds.
const START: i64 = 1_700_000_000;

/// So many milliseconds after a test began.
fn ms(after: u64) -> UnixMillis {
    UnixMillis::from(Timestamp(START)).saturating_add(after)
}

/// So many seconds after a test began.
fn second(after: i64) -> Timestamp {
    Timestamp(START + after)
}

/// An event that was made so many seconds after the test began, and says all.
fn whole(created: i64, keys: &[&str]) -> Summary {
    support::summary("evt_1", START + created, SummaryPage::Complete(grants(keys)))
}

/// An event that says a part.
fn first(created: i64, keys: &[&str]) -> Summary {
    support::summary("evt_1", START + created, SummaryPage::Truncated(grants(keys)))
}

fn all(keys: &[&str]) -> SourceState {
    SourceState::List(grants(keys))
}

/// An account that took these events in when the test began, and owes no read or report of them. The
/// roster knows its features, and not where it stands.
fn after(events: &[Summary]) -> LedgerState {
    let mut account = LedgerState::default();
    for event in events {
        receive(&mut account, event, 0);
    }
    if let Some(report) = account.begin_report() {
        account.report_succeeded(&report, ms(0));
        account.last_report = None;
    }
    for task in [Read, Task::Confirm, Report] {
        account.outbox.complete(task);
    }
    account
}

fn receive(account: &mut LedgerState, event: &Summary, now: u64) -> ApplyOutcome {
    account.apply_event(event, Dedup::New, SourceAccess::Available, ms(now)).unwrap().outcome
}

/// A read that nothing came between.
fn told(
    account: &mut LedgerState,
    occasion: ReadReason,
    told: &SourceState,
    now: u64,
) -> Reconciliation {
    account.apply_source_list(account.begin_source_read(), occasion, told, ms(now)).unwrap()
}

/// When a task is due, in milliseconds after the test began.
fn due(account: &LedgerState, task: Task) -> Option<u64> {
    account.outbox.pending(task).map(|debt| debt.due_at.0 - ms(0).0)
}

fn keys(account: &LedgerState) -> Vec<&str> {
    let data = account.entitlements.iter().flat_map(|held| &held.data);
    data.map(|granted| granted.lookup_key.as_str()).collect()
}

#[test]
fn a_set_is_confirmed_2_s_after_the_last_event_and_at_latest_10_s_after_the_first() {
    for (why, arrivals, expected) in [
        ("one event", vec![0], 2_000),
        ("another", vec![0, 1_999], 3_999),
        ("the last that puts it off", vec![0, 7_999], 9_999),
        ("one that does no more", vec![0, 8_000], 10_000),
        (
            "one a second",
            vec![0, 1_000, 2_000, 3_000, 4_000, 5_000, 6_000, 7_000, 8_000, 9_000],
            10_000,
        ),
        ("one while nobody read", vec![0, 20_000], 10_000),
    ] {
        let mut account = LedgerState::default();
        for (created, arrival) in (0..).zip(arrivals) {
            receive(&mut account, &whole(created, &["a"]), arrival);
        }
        assert_eq!(due(&account, Task::Confirm), Some(expected), "{why}");
        assert_eq!(due(&account, Read), None, "{why}");
    }
}

#[test]
fn what_an_event_leaves_open_is_read_at_once() {
    for (why, event, effect, read) in [
        ("the whole, newer", whole(1, &["b"]), Applied, None),
        ("the same, newer", whole(1, &["a"]), Unchanged, None),
        ("a page", first(1, &["b"]), Applied, Some(5_000)),
        ("a page of what is held", first(1, &["a"]), Applied, Some(5_000)),
        ("a tie", whole(0, &["b"]), Applied, Some(5_000)),
        ("a tie that says the same", whole(0, &["a"]), Unchanged, Some(5_000)),
        ("a late one", whole(-1, &["b"]), Stale, Some(5_000)),
        ("one that tells nothing", Summary { page: None, ..whole(1, &[]) }, Deferred, Some(5_000)),
    ] {
        let mut account = after(&[whole(0, &["a"])]);
        let mut keyless = account.clone();
        assert_eq!(receive(&mut account, &event, 5_000), effect, "{why}");
        assert_eq!((due(&account, Read), account.events_received), (read, 2), "{why}");
        assert_eq!(due(&account, Task::Confirm), Some(7_000), "{why}");

        let receipt =
            keyless.apply_event(&event, Dedup::New, SourceAccess::None, ms(5_000)).unwrap();
        assert_eq!(
            (receipt.outcome, &keyless.entitlements),
            (effect, &account.entitlements),
            "{why}"
        );
        assert_eq!((due(&keyless, Read), due(&keyless, Task::Confirm)), (None, None), "{why}");
    }
    let mut unheard = LedgerState::default();
    assert_eq!(receive(&mut unheard, &first(0, &["a"]), 700), Applied);
    assert_eq!(due(&unheard, Read), Some(700), "the first of all, a page");
}

#[test]
fn an_event_that_came_before_changes_nothing_at_all() {
    let mut account = after(&[whole(0, &["a"])]);
    let before = account.clone();
    let again = first(1, &["b"]);
    let receipt =
        account.apply_event(&again, Dedup::Duplicate, SourceAccess::Available, ms(0)).unwrap();
    assert_eq!((receipt.outcome, receipt.version), (Duplicate, Version(1)));
    assert_eq!(account, before);
}

#[test]
fn a_whole_and_newer_event_applies_at_once_and_is_confirmed() {
    let mut account = after(&[whole(0, &["a"])]);
    assert_eq!(receive(&mut account, &whole(1, &["b"]), 1_200), Applied);
    assert_eq!((keys(&account), account.version()), (vec!["b"], Version(2)));

    assert_eq!(told(&mut account, Reconcile, &all(&["b"]), 3_200), InSync);
    assert_eq!((account.version(), account.confirmed_at), (Version(2), Some(second(3))));
    assert_eq!(account.entitlements.as_ref().map(|held| held.as_of), Some(second(3)));
    assert_eq!((due(&account, Read), due(&account, Task::Confirm)), (None, None));
}

#[test]
fn what_was_read_while_an_event_came_in_does_not_count() {
    for (why, event, sighting, counts) in [
        ("a newer one", whole(1, &["b"]), Dedup::New, false),
        ("one of the same set", whole(1, &["a"]), Dedup::New, false),
        ("a late one", whole(-1, &["b"]), Dedup::New, false),
        ("one that came before", whole(1, &["b"]), Dedup::Duplicate, true),
    ] {
        let mut account = after(&[whole(0, &["a"])]);
        let reading = account.begin_source_read();
        account.apply_event(&event, sighting, SourceAccess::Available, ms(100)).unwrap();
        let before = account.clone();
        let finding = account.apply_source_list(reading, OnDemand, &all(&["c"]), ms(200)).unwrap();
        assert_eq!(finding, if counts { Updated } else { Superseded }, "{why}");
        assert_eq!(account == before, !counts, "{why}");
    }
}

#[test]
fn a_difference_that_nothing_announced_is_drift() {
    let drift =
        |granted, revoked| Drifted(Drift { missing: granted, extra: revoked, version: Version(2) });
    let held = || after(&[whole(0, &["a", "b"])]);
    let late = || {
        let mut account = held();
        receive(&mut account, &whole(-1, &["c"]), 0);
        account
    };
    let nothing = || after(&[whole(0, &[])]);
    let part = || after(&[first(0, &["a"])]);
    let none = LedgerState::default;
    for (why, mut account, occasion, answer, finding, expected, version) in [
        ("no difference", held(), Reconcile, all(&["a", "b"]), InSync, vec!["a", "b"], 1),
        ("another order", held(), Reconcile, all(&["b", "a"]), InSync, vec!["a", "b"], 1),
        (
            "one missing",
            held(),
            Reconcile,
            all(&["a", "b", "c"]),
            drift(1, 0),
            vec!["c", "a", "b"],
            2,
        ),
        ("one too many", held(), Reconcile, all(&["b"]), drift(0, 1), vec!["b"], 2),
        ("another one", held(), Reconcile, all(&["b", "c"]), drift(1, 1), vec!["c", "b"], 2),
        ("somebody asked", held(), OnDemand, all(&["b"]), Updated, vec!["b"], 2),
        ("an event was late", late(), Reconcile, all(&["b"]), Updated, vec!["b"], 2),
        ("a part was held", part(), Reconcile, all(&["b"]), Updated, vec!["b"], 2),
        ("the part was all", part(), Reconcile, all(&["a"]), Updated, vec!["a"], 2),
        ("nothing was held", none(), Reconcile, all(&["a"]), Updated, vec!["a"], 1),
        ("nothing, and rightly", none(), OnDemand, all(&[]), Updated, vec![], 1),
        ("deleted", held(), Reconcile, SourceState::Deleted, drift(0, 2), vec![], 2),
        ("deleted, somebody asked", held(), OnDemand, SourceState::Deleted, Updated, vec![], 2),
        ("deleted before", nothing(), Reconcile, SourceState::Deleted, InSync, vec![], 1),
        ("deleted, and never heard of", none(), OnDemand, SourceState::Deleted, Updated, vec![], 1),
        (
            "unknown, who holds nothing",
            nothing(),
            Reconcile,
            SourceState::NotFound,
            InSync,
            vec![],
            1,
        ),
    ] {
        account.outbox.schedule(Task::Confirm, ms(0), ms(0));
        account.sync_problem = Some(SyncProblem::KeyRefused);
        assert_eq!(told(&mut account, occasion, &answer, 5_999), finding, "{why}");
        assert_eq!((keys(&account), account.version()), (expected, Version(version)), "{why}");
        assert_eq!((account.confirmed_at, account.sync_problem), (Some(second(5)), None), "{why}");
        assert_eq!((due(&account, Read), due(&account, Task::Confirm)), (None, None), "{why}");
    }
}

#[test]
fn a_customer_that_the_source_does_not_know_keeps_what_is_held() {
    for (why, mut account, finding) in [
        ("unheard of", LedgerState::default(), UnknownCustomer),
        ("something is held", after(&[whole(0, &["a"])]), NotFoundAtSource),
        ("a part of something is", after(&[first(0, &["a"])]), NotFoundAtSource),
        ("a part, none of it told", after(&[first(0, &[])]), NotFoundAtSource),
    ] {
        let before = account.clone();
        assert_eq!(told(&mut account, OnDemand, &SourceState::NotFound, 5_000), finding, "{why}");
        assert_eq!(account, before, "{why}");
    }
}

#[test]
fn a_list_that_does_not_fit_leaves_what_is_held() {
    let granted = |n| ActiveEntitlement {
        id: format!("ent_{n}").try_into().unwrap(),
        feature: format!("feat_{n}").try_into().unwrap(),
        lookup_key: "a".try_into().unwrap(),
    };
    let list = SourceState::List((0..=Entitlements::MAX_LEN).map(granted).collect());
    let mut account = after(&[whole(0, &["a"])]);
    let before = account.clone();
    let refusal = account.apply_source_list(account.begin_source_read(), OnDemand, &list, ms(0));
    assert_eq!(refusal, Err(Error::TooMany { count: 100_001 }));
    assert_eq!(account, before);
}

#[test]
fn an_event_that_is_not_newer_than_a_confirmation_is_stale_and_has_the_list_read_again() {
    let mut confirmed = after(&[whole(0, &["a"])]);
    told(&mut confirmed, Reconcile, &all(&["a"]), 5_000);
    for (why, list, created, effect, read) in [
        ("older", SourceAccess::Available, 4, Stale, Some(6_000)),
        ("of the same second", SourceAccess::Available, 5, Stale, Some(6_000)),
        ("newer", SourceAccess::Available, 6, Applied, None),
        ("older, without a list", SourceAccess::None, 4, Stale, None),
        ("of the same second, without a list", SourceAccess::None, 5, Applied, None),
    ] {
        let mut account = confirmed.clone();
        let event = whole(created, &["b"]);
        let receipt = account.apply_event(&event, Dedup::New, list, ms(6_000)).unwrap();
        assert_eq!((receipt.outcome, due(&account, Read)), (effect, read), "{why}");
        assert_eq!(keys(&account), [if effect == Stale { "a" } else { "b" }], "{why}");
    }
}

#[test]
fn an_event_of_a_clock_ahead_of_ours_is_not_undone_by_an_older_one() {
    let mut account = after(&[whole(10, &["a"])]);
    told(&mut account, Reconcile, &all(&["a"]), 5_000);
    assert_eq!(
        (account.confirmed_at, account.entitlements.as_ref().unwrap().as_of),
        (Some(second(5)), second(10))
    );
    assert_eq!(receive(&mut account, &whole(9, &["b"]), 6_000), Stale);
}

#[test]
fn only_a_set_that_is_another_one_is_copied() {
    for (why, before, event, expected) in [
        ("the first set", LedgerState::default(), whole(0, &["a"]), Some(0)),
        ("a part of it", LedgerState::default(), first(0, &["a"]), Some(0)),
        ("a part that tells nothing", LedgerState::default(), first(0, &[]), Some(0)),
        ("nothing, where no copy says otherwise", LedgerState::default(), whole(0, &[]), None),
        ("something after nothing", after(&[whole(0, &[])]), whole(1, &["a"]), Some(0)),
        ("nothing after something", after(&[whole(0, &["a"])]), whole(1, &[]), Some(0)),
        ("the same", after(&[whole(0, &["a"])]), whole(1, &["a"]), None),
        ("an older one", after(&[whole(0, &["a"])]), whole(-1, &["b"]), None),
    ] {
        let mut account = before;
        account.outbox.complete(Replica);
        receive(&mut account, &event, 0);
        assert_eq!(due(&account, Replica), expected, "{why}");
    }
}
