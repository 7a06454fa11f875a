//! What is kept of one customer, step by step, at exact times: what comes in, and what is read.

mod debts;
mod seen;

use entgate::{
    entitlement::{ActiveEntitlement, Entitlements, Page, Summary, Version},
    id::{Millis, Timestamp},
    ledger::{
        Account, Drift,
        Effect::{self, Applied, Deferred, Duplicate, Stale, Unchanged},
        Error,
        Finding::{self, Completed, Doubtful, Drifted, Nobody, Overtaken, Right},
        List,
        Occasion::{self, Ask, Confirm},
        Sighting,
        Task::{self, Read, Replica, Report},
        Told, Trouble,
    },
};

use crate::support::{self, grants};

/// When a test begins, in seconds.
const START: i64 = 1_700_000_000;

/// So many milliseconds after a test began.
fn ms(after: u64) -> Millis {
    Millis::from(Timestamp(START)).plus(after)
}

/// So many seconds after a test began.
fn second(after: i64) -> Timestamp {
    Timestamp(START + after)
}

/// An event that was made so many seconds after the test began, and says all.
fn whole(created: i64, keys: &[&str]) -> Summary {
    support::summary("evt_1", START + created, Page::Whole(grants(keys)))
}

/// An event that says a part.
fn first(created: i64, keys: &[&str]) -> Summary {
    support::summary("evt_1", START + created, Page::First(grants(keys)))
}

fn all(keys: &[&str]) -> Told {
    Told::All(grants(keys))
}

/// An account that took these events in when the test began, and owes no read or report of them. The
/// roster knows its features, and not where it stands.
fn after(events: &[Summary]) -> Account {
    let mut account = Account::default();
    for event in events {
        receive(&mut account, event, 0);
    }
    if let Some(report) = account.reporting() {
        account.reported(&report, ms(0));
        account.reported = None;
    }
    for task in [Read, Task::Confirm, Report] {
        account.outbox.settle(task);
    }
    account
}

fn receive(account: &mut Account, event: &Summary, now: u64) -> Effect {
    account.receive(event, Sighting::First, List::Confirms, ms(now)).unwrap().effect
}

/// A read that nothing came between.
fn told(account: &mut Account, occasion: Occasion, told: &Told, now: u64) -> Finding {
    account.told(account.reading(), occasion, told, ms(now)).unwrap()
}

/// When a task is due, in milliseconds after the test began.
fn due(account: &Account, task: Task) -> Option<u64> {
    account.outbox.debt(task).map(|debt| debt.due.0 - ms(0).0)
}

fn keys(account: &Account) -> Vec<&str> {
    let data = account.held.iter().flat_map(|held| &held.data);
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
        let mut account = Account::default();
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
        assert_eq!((due(&account, Read), account.arrivals), (read, 2), "{why}");
        assert_eq!(due(&account, Task::Confirm), Some(7_000), "{why}");

        let receipt = keyless.receive(&event, Sighting::First, List::Absent, ms(5_000)).unwrap();
        assert_eq!((receipt.effect, &keyless.held), (effect, &account.held), "{why}");
        assert_eq!((due(&keyless, Read), due(&keyless, Task::Confirm)), (None, None), "{why}");
    }
    let mut unheard = Account::default();
    assert_eq!(receive(&mut unheard, &first(0, &["a"]), 700), Applied);
    assert_eq!(due(&unheard, Read), Some(700), "the first of all, a page");
}

#[test]
fn an_event_that_came_before_changes_nothing_at_all() {
    let mut account = after(&[whole(0, &["a"])]);
    let before = account.clone();
    let again = first(1, &["b"]);
    let receipt = account.receive(&again, Sighting::Repeated, List::Confirms, ms(0)).unwrap();
    assert_eq!((receipt.effect, receipt.version), (Duplicate, Version(1)));
    assert_eq!(account, before);
}

#[test]
fn a_whole_and_newer_event_applies_at_once_and_is_confirmed() {
    let mut account = after(&[whole(0, &["a"])]);
    assert_eq!(receive(&mut account, &whole(1, &["b"]), 1_200), Applied);
    assert_eq!((keys(&account), account.version()), (vec!["b"], Version(2)));

    assert_eq!(told(&mut account, Confirm, &all(&["b"]), 3_200), Right);
    assert_eq!((account.version(), account.confirmed), (Version(2), Some(second(3))));
    assert_eq!(account.held.as_ref().map(|held| held.as_of), Some(second(3)));
    assert_eq!((due(&account, Read), due(&account, Task::Confirm)), (None, None));
}

#[test]
fn what_was_read_while_an_event_came_in_does_not_count() {
    for (why, event, sighting, counts) in [
        ("a newer one", whole(1, &["b"]), Sighting::First, false),
        ("one of the same set", whole(1, &["a"]), Sighting::First, false),
        ("a late one", whole(-1, &["b"]), Sighting::First, false),
        ("one that came before", whole(1, &["b"]), Sighting::Repeated, true),
    ] {
        let mut account = after(&[whole(0, &["a"])]);
        let reading = account.reading();
        account.receive(&event, sighting, List::Confirms, ms(100)).unwrap();
        let before = account.clone();
        let finding = account.told(reading, Ask, &all(&["c"]), ms(200)).unwrap();
        assert_eq!(finding, if counts { Completed } else { Overtaken }, "{why}");
        assert_eq!(account == before, !counts, "{why}");
    }
}

#[test]
fn a_difference_that_nothing_announced_is_drift() {
    let drift = |granted, revoked| Drifted(Drift { granted, revoked, version: Version(2) });
    let held = || after(&[whole(0, &["a", "b"])]);
    let late = || {
        let mut account = held();
        receive(&mut account, &whole(-1, &["c"]), 0);
        account
    };
    let nothing = || after(&[whole(0, &[])]);
    let part = || after(&[first(0, &["a"])]);
    let none = Account::default;
    for (why, mut account, occasion, answer, finding, expected, version) in [
        ("no difference", held(), Confirm, all(&["a", "b"]), Right, vec!["a", "b"], 1),
        ("another order", held(), Confirm, all(&["b", "a"]), Right, vec!["a", "b"], 1),
        (
            "one missing",
            held(),
            Confirm,
            all(&["a", "b", "c"]),
            drift(1, 0),
            vec!["c", "a", "b"],
            2,
        ),
        ("one too many", held(), Confirm, all(&["b"]), drift(0, 1), vec!["b"], 2),
        ("another one", held(), Confirm, all(&["b", "c"]), drift(1, 1), vec!["c", "b"], 2),
        ("somebody asked", held(), Ask, all(&["b"]), Completed, vec!["b"], 2),
        ("an event was late", late(), Confirm, all(&["b"]), Completed, vec!["b"], 2),
        ("a part was held", part(), Confirm, all(&["b"]), Completed, vec!["b"], 2),
        ("the part was all", part(), Confirm, all(&["a"]), Completed, vec!["a"], 2),
        ("nothing was held", none(), Confirm, all(&["a"]), Completed, vec!["a"], 1),
        ("nothing, and rightly", none(), Ask, all(&[]), Completed, vec![], 1),
        ("deleted", held(), Confirm, Told::Deleted, drift(0, 2), vec![], 2),
        ("deleted, somebody asked", held(), Ask, Told::Deleted, Completed, vec![], 2),
        ("deleted before", nothing(), Confirm, Told::Deleted, Right, vec![], 1),
        ("deleted, and never heard of", none(), Ask, Told::Deleted, Completed, vec![], 1),
        ("unknown, who holds nothing", nothing(), Confirm, Told::Unknown, Right, vec![], 1),
    ] {
        account.outbox.owe(Task::Confirm, ms(0), ms(0));
        account.trouble = Some(Trouble::KeyRefused);
        assert_eq!(told(&mut account, occasion, &answer, 5_999), finding, "{why}");
        assert_eq!((keys(&account), account.version()), (expected, Version(version)), "{why}");
        assert_eq!((account.confirmed, account.trouble), (Some(second(5)), None), "{why}");
        assert_eq!((due(&account, Read), due(&account, Task::Confirm)), (None, None), "{why}");
    }
}

#[test]
fn a_customer_that_the_source_does_not_know_keeps_what_is_held() {
    for (why, mut account, finding) in [
        ("unheard of", Account::default(), Nobody),
        ("something is held", after(&[whole(0, &["a"])]), Doubtful),
        ("a part of something is", after(&[first(0, &["a"])]), Doubtful),
        ("a part, none of it told", after(&[first(0, &[])]), Doubtful),
    ] {
        let before = account.clone();
        assert_eq!(told(&mut account, Ask, &Told::Unknown, 5_000), finding, "{why}");
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
    let list = Told::All((0..=Entitlements::LIMIT).map(granted).collect());
    let mut account = after(&[whole(0, &["a"])]);
    let before = account.clone();
    let refusal = account.told(account.reading(), Ask, &list, ms(0));
    assert_eq!(refusal, Err(Error::TooMany { count: 100_001 }));
    assert_eq!(account, before);
}

#[test]
fn an_event_that_is_not_newer_than_a_confirmation_is_stale_and_has_the_list_read_again() {
    let mut confirmed = after(&[whole(0, &["a"])]);
    told(&mut confirmed, Confirm, &all(&["a"]), 5_000);
    for (why, list, created, effect, read) in [
        ("older", List::Confirms, 4, Stale, Some(6_000)),
        ("of the same second", List::Confirms, 5, Stale, Some(6_000)),
        ("newer", List::Confirms, 6, Applied, None),
        ("older, without a list", List::Absent, 4, Stale, None),
        ("of the same second, without a list", List::Absent, 5, Applied, None),
    ] {
        let mut account = confirmed.clone();
        let event = whole(created, &["b"]);
        let receipt = account.receive(&event, Sighting::First, list, ms(6_000)).unwrap();
        assert_eq!((receipt.effect, due(&account, Read)), (effect, read), "{why}");
        assert_eq!(keys(&account), [if effect == Stale { "a" } else { "b" }], "{why}");
    }
}

#[test]
fn an_event_of_a_clock_ahead_of_ours_is_not_undone_by_an_older_one() {
    let mut account = after(&[whole(10, &["a"])]);
    told(&mut account, Confirm, &all(&["a"]), 5_000);
    assert_eq!(
        (account.confirmed, account.held.as_ref().unwrap().as_of),
        (Some(second(5)), second(10))
    );
    assert_eq!(receive(&mut account, &whole(9, &["b"]), 6_000), Stale);
}

#[test]
fn only_a_set_that_is_another_one_is_copied() {
    for (why, before, event, expected) in [
        ("the first set", Account::default(), whole(0, &["a"]), Some(0)),
        ("a part of it", Account::default(), first(0, &["a"]), Some(0)),
        ("a part that tells nothing", Account::default(), first(0, &[]), Some(0)),
        ("nothing, where no copy says otherwise", Account::default(), whole(0, &[]), None),
        ("something after nothing", after(&[whole(0, &[])]), whole(1, &["a"]), Some(0)),
        ("nothing after something", after(&[whole(0, &["a"])]), whole(1, &[]), Some(0)),
        ("the same", after(&[whole(0, &["a"])]), whole(1, &["a"]), None),
        ("an older one", after(&[whole(0, &["a"])]), whole(-1, &["b"]), None),
    ] {
        let mut account = before;
        account.outbox.settle(Replica);
        receive(&mut account, &event, 0);
        assert_eq!(due(&account, Replica), expected, "{why}");
    }
}
