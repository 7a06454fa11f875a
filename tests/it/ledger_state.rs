//! The steps of a customer's ledger at exact times: events, and reads of the source.

mod observed_features;
mod override_ends;
mod pending_tasks;
mod reconcile_timer;

use entgate::{
    entitlement::{ActiveEntitlement, SourceSet, Summary, SummaryPage, Version},
    id::{Timestamp, UnixMillis},
    ledger::{
        ApplyOutcome::{self, Applied, Deferred, Duplicate, Stale, Unchanged},
        ApplyReceipt, Dedup, Error, EventOrigin, Jitter, KeyChange, LedgerState,
        ReadReason::{self, OnDemand, Reconcile},
        Reconciliation::{
            self, Corrected, Drifted, InSync, NotFoundAtSource, Superseded, UnknownCustomer,
        },
        SourceAccess, SourceState, SyncProblem,
        Task::{self, Read, Replica, Report},
    },
    policy::{GrantRule, SourcePolicy, StatusPolicy},
};

use crate::support::{self, grants};

/// The start of a test, in seconds.
const START: i64 = 1_700_000_000;

/// The jitter of a step that does not depend on it.
const JITTER: Jitter = Jitter(1.0);

/// A time in milliseconds after the start.
fn ms(offset: u64) -> UnixMillis {
    UnixMillis::from(Timestamp(START)).saturating_add(offset)
}

/// A time in seconds after the start.
fn second(offset: i64) -> Timestamp {
    Timestamp(START + offset)
}

/// An event with a complete list, created so many seconds after the start.
fn complete(created: i64, keys: &[&str]) -> Summary {
    support::summary("evt_1", START + created, SummaryPage::Complete(grants(keys)))
}

/// An event with a truncated list.
fn truncated(created: i64, keys: &[&str]) -> Summary {
    support::summary("evt_1", START + created, SummaryPage::Truncated(grants(keys)))
}

/// The source's list.
fn source_list(keys: &[&str]) -> SourceState {
    SourceState::List(grants(keys))
}

/// A state after these events at the start, without pending reads or reports. Its features are
/// reported, its status is not.
fn state_after(events: &[Summary]) -> LedgerState {
    let mut state = LedgerState::default();
    for event in events {
        apply(&mut state, event, 0);
    }
    if let Some(report) = state.begin_report() {
        state.report_succeeded(&report, ms(0));
        state.index_reports.last_status = None;
    }
    for task in [Read, Task::Confirm, Report] {
        state.outbox.complete(task);
    }
    state
}

fn apply(state: &mut LedgerState, event: &Summary, now: u64) -> ApplyOutcome {
    apply_with(state, event, Dedup::New, SourceAccess::Available, now).outcome
}

/// Applies an event under the default policy.
fn apply_with(
    state: &mut LedgerState,
    event: &Summary,
    dedup: Dedup,
    access: SourceAccess,
    now: u64,
) -> ApplyReceipt {
    let policy = SourcePolicy::default();
    state
        .apply_event(event, (dedup, EventOrigin::Delivery), access, policy, ms(now))
        .unwrap()
        .receipt
}

/// A read of the source without an event in between.
fn read_source(
    state: &mut LedgerState,
    reason: ReadReason,
    source: &SourceState,
    now: u64,
) -> Reconciliation {
    let read = state.begin_source_read(SourcePolicy::default());
    state.apply_source_list(read, reason, source, ms(now), JITTER).unwrap()
}

/// Completes the pending write of the replica, as if it was long ago.
fn complete_replica_write(state: &mut LedgerState) {
    if state.outbox.pending(Replica).is_some() {
        state.replica_writes.last_started_at = UnixMillis(1);
        state.outbox.complete(Replica);
    }
}

/// What a change added and removed.
fn change(added: &[&str], removed: &[&str]) -> KeyChange {
    let keys = |keys: &[&str]| keys.iter().map(|key| (*key).try_into().unwrap()).collect();
    KeyChange::Keys { added: keys(added), removed: keys(removed) }
}

/// When a task is due, in milliseconds after the start.
fn due(state: &LedgerState, task: Task) -> Option<u64> {
    state.outbox.pending(task).map(|pending| pending.due_at.0 - ms(0).0)
}

fn keys(state: &LedgerState) -> Vec<&str> {
    let data = state.record.source().into_iter().flat_map(|set| &set.data);
    data.map(|grant| grant.lookup_key.as_str()).collect()
}

#[test]
fn a_set_is_confirmed_2_s_after_the_last_event_and_at_latest_10_s_after_the_first() {
    for (why, arrivals, expected) in [
        ("one event", vec![0], 2_000),
        ("a second event", vec![0, 1_999], 3_999),
        ("the last event that postpones it", vec![0, 7_999], 9_999),
        ("an event that does not postpone it", vec![0, 8_000], 10_000),
        (
            "one event a second",
            vec![0, 1_000, 2_000, 3_000, 4_000, 5_000, 6_000, 7_000, 8_000, 9_000],
            10_000,
        ),
        ("an event while no read ran", vec![0, 20_000], 10_000),
    ] {
        let mut state = LedgerState::default();
        for (created, arrival) in (0..).zip(arrivals) {
            apply(&mut state, &complete(created, &["a"]), arrival);
        }
        assert_eq!(due(&state, Task::Confirm), Some(expected), "{why}");
        assert_eq!(due(&state, Read), None, "{why}");
    }
}

#[test]
fn an_uncertain_event_schedules_a_read_at_once() {
    for (why, event, outcome, read) in [
        ("complete and newer", complete(1, &["b"]), Applied, None),
        ("the same set, newer", complete(1, &["a"]), Unchanged, None),
        ("a truncated page", truncated(1, &["b"]), Applied, Some(5_000)),
        ("a truncated page without a new grant", truncated(1, &["a"]), Applied, Some(5_000)),
        ("a tie", complete(0, &["b"]), Applied, Some(5_000)),
        ("a tie with the same set", complete(0, &["a"]), Unchanged, Some(5_000)),
        ("a late event", complete(-1, &["b"]), Stale, Some(5_000)),
        (
            "an event without a list",
            Summary { page: None, ..complete(1, &[]) },
            Deferred,
            Some(5_000),
        ),
    ] {
        let mut state = state_after(&[complete(0, &["a"])]);
        let mut without_source = state.clone();
        assert_eq!(apply(&mut state, &event, 5_000), outcome, "{why}");
        assert_eq!((due(&state, Read), state.events_received), (read, 2), "{why}");
        assert_eq!(due(&state, Task::Confirm), Some(7_000), "{why}");

        let receipt =
            apply_with(&mut without_source, &event, Dedup::New, SourceAccess::None, 5_000);
        assert_eq!(
            (receipt.outcome, &without_source.record.entitlements),
            (outcome, &state.record.entitlements),
            "{why}"
        );
        assert_eq!(
            (due(&without_source, Read), due(&without_source, Task::Confirm)),
            (None, None),
            "{why}"
        );
    }
    let mut unknown = LedgerState::default();
    assert_eq!(apply(&mut unknown, &truncated(0, &["a"]), 700), Applied);
    assert_eq!(due(&unknown, Read), Some(700), "a truncated page as the first event");
}

#[test]
fn a_duplicate_event_changes_nothing() {
    let mut state = state_after(&[complete(0, &["a"])]);
    let before = state.clone();
    let duplicate = truncated(1, &["b"]);
    let receipt = apply_with(&mut state, &duplicate, Dedup::Duplicate, SourceAccess::Available, 0);
    assert_eq!((receipt.outcome, receipt.version), (Duplicate, Version(1)));
    assert_eq!(state, before);
}

#[test]
fn a_complete_and_newer_event_applies_at_once_and_is_confirmed() {
    let mut state = state_after(&[complete(0, &["a"])]);
    assert_eq!(apply(&mut state, &complete(1, &["b"]), 1_200), Applied);
    assert_eq!((keys(&state), state.version()), (vec!["b"], Version(2)));

    assert_eq!(read_source(&mut state, Reconcile, &source_list(&["b"]), 3_200), InSync);
    assert_eq!((state.version(), state.confirmed_at), (Version(2), Some(ms(3_200))));
    assert_eq!(state.record.source().map(|set| set.as_of), Some(second(3)));
    assert_eq!((due(&state, Read), due(&state, Task::Confirm)), (None, None));
}

#[test]
fn a_source_list_is_discarded_if_an_event_arrived_during_the_read() {
    for (why, event, dedup, is_applied) in [
        ("a newer event", complete(1, &["b"]), Dedup::New, false),
        ("an event with the same set", complete(1, &["a"]), Dedup::New, false),
        ("a late event", complete(-1, &["b"]), Dedup::New, false),
        ("a duplicate event", complete(1, &["b"]), Dedup::Duplicate, true),
    ] {
        let mut state = state_after(&[complete(0, &["a"])]);
        let read = state.begin_source_read(SourcePolicy::default());
        apply_with(&mut state, &event, dedup, SourceAccess::Available, 100);
        let before = state.clone();
        let reconciliation =
            state.apply_source_list(read, OnDemand, &source_list(&["c"]), ms(200), JITTER).unwrap();
        let corrected = Corrected(change(&["c"], &["a"]));
        assert_eq!(reconciliation, if is_applied { corrected } else { Superseded }, "{why}");
        assert_eq!(state == before, !is_applied, "{why}");
    }
}

/// A read of the source that ends in this result, with this set and this version.
#[track_caller]
fn assert_read(
    (why, mut state): (&str, LedgerState),
    (reason, source): (ReadReason, SourceState),
    reconciliation: &Reconciliation,
    (expected, version): (Vec<&str>, u64),
) {
    state.outbox.schedule(Task::Confirm, ms(0), ms(0));
    state.sync_problem = Some(SyncProblem::KeyRefused);
    assert_eq!(read_source(&mut state, reason, &source, 5_999), *reconciliation, "{why}");
    assert_eq!((keys(&state), state.version()), (expected, Version(version)), "{why}");
    assert_eq!((state.confirmed_at, state.sync_problem), (Some(ms(5_999)), None), "{why}");
    assert_eq!((due(&state, Read), due(&state, Task::Confirm)), (None, None), "{why}");
}

#[test]
fn a_difference_that_no_event_announced_is_drift() {
    let drift = |added: &[&str], removed: &[&str]| Drifted(change(added, removed));
    let stored = || state_after(&[complete(0, &["a", "b"])]);
    let empty = || state_after(&[complete(0, &[])]);
    for (why, state, reason, source, reconciliation, expected, version) in [
        ("no difference", stored(), Reconcile, source_list(&["a", "b"]), InSync, vec!["a", "b"], 1),
        ("another order", stored(), Reconcile, source_list(&["b", "a"]), InSync, vec!["a", "b"], 1),
        (
            "a missing grant",
            stored(),
            Reconcile,
            source_list(&["a", "b", "c"]),
            drift(&["c"], &[]),
            vec!["c", "a", "b"],
            2,
        ),
        (
            "an extra grant",
            stored(),
            Reconcile,
            source_list(&["b"]),
            drift(&[], &["a"]),
            vec!["b"],
            2,
        ),
        (
            "another grant",
            stored(),
            Reconcile,
            source_list(&["b", "c"]),
            drift(&["c"], &["a"]),
            vec!["c", "b"],
            2,
        ),
        ("deleted", stored(), Reconcile, SourceState::Deleted, drift(&[], &["a", "b"]), vec![], 2),
        ("deleted before", empty(), Reconcile, SourceState::Deleted, InSync, vec![], 1),
        (
            "not found, and without entitlements",
            empty(),
            Reconcile,
            SourceState::NotFound,
            InSync,
            vec![],
            1,
        ),
    ] {
        assert_read((why, state), (reason, source), &reconciliation, (expected, version));
    }
}

#[test]
fn an_expected_difference_is_corrected() {
    let corrected = |added: &[&str], removed: &[&str]| Corrected(change(added, removed));
    let stored = || state_after(&[complete(0, &["a", "b"])]);
    let partial = || state_after(&[truncated(0, &["a"])]);
    let unknown = LedgerState::default;
    let after_late_event = || {
        let mut state = stored();
        apply(&mut state, &complete(-1, &["c"]), 0);
        state
    };
    for (why, state, reason, source, reconciliation, expected, version) in [
        (
            "on demand",
            stored(),
            OnDemand,
            source_list(&["b"]),
            corrected(&[], &["a"]),
            vec!["b"],
            2,
        ),
        (
            "after a late event",
            after_late_event(),
            Reconcile,
            source_list(&["b"]),
            corrected(&[], &["a"]),
            vec!["b"],
            2,
        ),
        (
            "after a partial set",
            partial(),
            Reconcile,
            source_list(&["b"]),
            corrected(&["b"], &["a"]),
            vec!["b"],
            2,
        ),
        (
            "a partial set that was everything",
            partial(),
            Reconcile,
            source_list(&["a"]),
            corrected(&[], &[]),
            vec!["a"],
            2,
        ),
        (
            "an unknown customer",
            unknown(),
            Reconcile,
            source_list(&["a"]),
            corrected(&["a"], &[]),
            vec!["a"],
            1,
        ),
        (
            "an unknown customer without entitlements",
            unknown(),
            OnDemand,
            source_list(&[]),
            corrected(&[], &[]),
            vec![],
            1,
        ),
        (
            "deleted, on demand",
            stored(),
            OnDemand,
            SourceState::Deleted,
            corrected(&[], &["a", "b"]),
            vec![],
            2,
        ),
        (
            "deleted, and an unknown customer",
            unknown(),
            OnDemand,
            SourceState::Deleted,
            corrected(&[], &[]),
            vec![],
            1,
        ),
    ] {
        assert_read((why, state), (reason, source), &reconciliation, (expected, version));
    }
}

#[test]
fn a_customer_that_the_source_does_not_know_keeps_the_set() {
    for (why, mut state, reconciliation) in [
        ("an unknown customer", LedgerState::default(), UnknownCustomer),
        ("with entitlements", state_after(&[complete(0, &["a"])]), NotFoundAtSource),
        ("with a partial set", state_after(&[truncated(0, &["a"])]), NotFoundAtSource),
        ("with an empty partial set", state_after(&[truncated(0, &[])]), NotFoundAtSource),
    ] {
        let before = state.clone();
        let source = SourceState::NotFound;
        assert_eq!(read_source(&mut state, OnDemand, &source, 5_000), reconciliation, "{why}");
        assert_eq!(state, before, "{why}");
    }
}

#[test]
fn a_list_that_is_too_large_leaves_the_set() {
    let grant = |n| ActiveEntitlement {
        id: format!("ent_{n}").try_into().unwrap(),
        feature: format!("feat_{n}").try_into().unwrap(),
        lookup_key: "a".try_into().unwrap(),
    };
    let list = SourceState::List((0..=SourceSet::MAX_LEN).map(grant).collect());
    let mut state = state_after(&[complete(0, &["a"])]);
    let before = state.clone();
    let read = state.begin_source_read(SourcePolicy::default());
    let result = state.apply_source_list(read, OnDemand, &list, ms(0), JITTER);
    assert_eq!(result, Err(Error::TooMany { count: 100_001 }));
    assert_eq!(state, before);
}

#[test]
fn an_event_that_is_not_newer_than_a_confirmation_is_stale_and_schedules_a_read() {
    let mut confirmed = state_after(&[complete(0, &["a"])]);
    read_source(&mut confirmed, Reconcile, &source_list(&["a"]), 5_000);
    for (why, access, created, outcome, read) in [
        ("older", SourceAccess::Available, 4, Stale, Some(6_000)),
        ("of the same second", SourceAccess::Available, 5, Stale, Some(6_000)),
        ("newer", SourceAccess::Available, 6, Applied, None),
        ("older, without a source", SourceAccess::None, 4, Stale, None),
        ("of the same second, without a source", SourceAccess::None, 5, Applied, None),
    ] {
        let mut state = confirmed.clone();
        let event = complete(created, &["b"]);
        let receipt = apply_with(&mut state, &event, Dedup::New, access, 6_000);
        assert_eq!((receipt.outcome, due(&state, Read)), (outcome, read), "{why}");
        assert_eq!(keys(&state), [if outcome == Stale { "a" } else { "b" }], "{why}");
    }
}

#[test]
fn an_older_event_does_not_undo_one_from_a_clock_ahead_of_ours() {
    let mut state = state_after(&[complete(10, &["a"])]);
    read_source(&mut state, Reconcile, &source_list(&["a"]), 5_000);
    assert_eq!(
        (state.confirmed_at, state.record.source().unwrap().as_of),
        (Some(ms(5_000)), second(10))
    );
    assert_eq!(apply(&mut state, &complete(9, &["b"]), 6_000), Stale);
}

#[test]
fn only_a_changed_set_is_written_to_the_replica() {
    for (why, before, event, expected) in [
        ("the first set", LedgerState::default(), complete(0, &["a"]), Some(0)),
        ("a truncated first page", LedgerState::default(), truncated(0, &["a"]), Some(0)),
        ("an empty truncated first page", LedgerState::default(), truncated(0, &[]), Some(0)),
        ("an empty first set", LedgerState::default(), complete(0, &[]), None),
        (
            "a grant after an empty set",
            state_after(&[complete(0, &[])]),
            complete(1, &["a"]),
            Some(0),
        ),
        (
            "an empty set after a grant",
            state_after(&[complete(0, &["a"])]),
            complete(1, &[]),
            Some(0),
        ),
        ("the same set", state_after(&[complete(0, &["a"])]), complete(1, &["a"]), None),
        ("an older event", state_after(&[complete(0, &["a"])]), complete(-1, &["b"]), None),
    ] {
        let mut state = before;
        complete_replica_write(&mut state);
        apply(&mut state, &event, 0);
        assert_eq!(due(&state, Replica), expected, "{why}");
    }
}

#[test]
fn of_one_second_a_deletion_counts_and_not_a_list() {
    let deletion = |created| Summary { page: Some(SummaryPage::Deleted), ..complete(created, &[]) };
    for (why, events, expected, version) in [
        ("the deletion first", vec![deletion(1), complete(1, &["b"])], vec![], 2),
        ("the deletion last", vec![complete(1, &["b"]), deletion(1)], vec![], 3),
        ("a truncated list", vec![deletion(1), truncated(1, &["b"])], vec![], 2),
        ("an older list", vec![deletion(1), complete(0, &["b"])], vec![], 2),
        ("a newer list", vec![deletion(1), complete(2, &["b"])], vec!["b"], 3),
        (
            "the second of a newer list",
            vec![deletion(1), complete(2, &["b"]), complete(2, &["c"])],
            vec!["c"],
            4,
        ),
        ("an older deletion", vec![complete(2, &["b"]), deletion(1)], vec!["b"], 2),
    ] {
        let mut state = state_after(&[complete(0, &["a"])]);
        for event in &events {
            apply_with(&mut state, event, Dedup::New, SourceAccess::None, 0);
        }
        assert_eq!((keys(&state), state.version()), (expected, Version(version)), "{why}");
    }
}

#[test]
fn after_a_change_of_the_source_the_set_is_unknown_and_corrected_by_a_read() {
    let catalog = SourcePolicy::Catalog(StatusPolicy::default());
    for (why, source, expected, reconciliation, version) in [
        ("another set", source_list(&["b"]), vec!["b"], Corrected(change(&["b"], &["a"])), 2),
        ("the same set", source_list(&["a"]), vec!["a"], InSync, 1),
        ("no such customer", SourceState::NotFound, vec![], Corrected(change(&[], &["a"])), 2),
    ] {
        let mut state = state_after(&[complete(0, &["a"])]);
        complete_replica_write(&mut state);
        assert_eq!(state.known_set(catalog), None);
        let read = state.begin_source_read(catalog);
        let result = state.apply_source_list(read, Reconcile, &source, ms(0), JITTER);
        assert_eq!(result, Ok(reconciliation), "{why}");
        assert_eq!((keys(&state), state.version()), (expected, Version(version)), "{why}");
        assert_eq!(state.known_set(catalog), state.record.source(), "{why}");
        assert_eq!(due(&state, Replica), Some(0), "{why}: the replica names the new source");
    }
}

#[test]
fn a_set_of_another_policy_is_expected_to_differ() {
    let mut state = state_after(&[complete(0, &["a", "b"])]);
    let revoke = SourcePolicy::Stripe(GrantRule::Revoke);
    assert_eq!(state.known_set(revoke), state.record.source());
    let read = state.begin_source_read(revoke);
    let result = state.apply_source_list(read, Reconcile, &source_list(&["a"]), ms(0), JITTER);
    assert_eq!(result, Ok(Corrected(change(&[], &["b"]))));
    assert_eq!(state.record.source().unwrap().policy, revoke);
}
