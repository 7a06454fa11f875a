//! The rows that a step of a ledger writes.

use entgate::{
    entitlement::{SummaryPage, Version},
    id::{EventId, Timestamp, UnixMillis},
    ledger::{Dedup, Jitter, LedgerState, SourceAccess, SyncProblem},
    policy::SourcePolicy,
    store::{
        ledger_rows::{
            ChangeWrite, EventWrite, MAX_ROW_RECORD, RecordWrite, StepWrites, decode_state,
            oldest_event, retained_since,
        },
        record,
    },
};

use crate::support::{grants, summary};

const NOW: Timestamp = Timestamp(1_700_000_000);

/// 30 days, in seconds.
const RETENTION: i64 = 30 * 24 * 60 * 60;

fn now() -> UnixMillis {
    UnixMillis::from(NOW)
}

fn event() -> EventId {
    "evt_1".try_into().unwrap()
}

/// The state after an event with this page, at a source that can be read.
fn after_event(before: &LedgerState, created: i64, page: SummaryPage) -> LedgerState {
    let mut state = before.clone();
    let event = summary("evt_1", created, page);
    let (access, policy) = (SourceAccess::Available, SourcePolicy::default());
    state.apply_event(&event, Dedup::New, access, policy, now()).unwrap();
    state
}

fn complete(keys: &[&str]) -> SummaryPage {
    SummaryPage::Complete(grants(keys))
}

fn with_set(keys: &[&str]) -> LedgerState {
    after_event(&LedgerState::default(), 10, complete(keys))
}

/// The record that is stored after a first step.
fn first_record(state: &LedgerState) -> Vec<u8> {
    match StepWrites::between(None, state, None).unwrap().record {
        RecordWrite::Row(record) | RecordWrite::Chunks(record) => record,
        RecordWrite::Keep => panic!("nothing is stored before the first step"),
    }
}

#[test]
fn a_state_is_read_as_it_was_written() {
    let set = with_set(&["sms", "a\"b"]);
    let mut written = set.clone();
    written.begin_replica_write(now()).unwrap();
    let mut failed = set.clone();
    failed.source_failed(Some(SyncProblem::KeyRefused), now(), now(), Jitter(1.0));
    failed.defer_reads(now().saturating_add(5_000));
    let mut reported = set.clone();
    let report = reported.begin_report().unwrap();
    reported.report_succeeded(&report, now());
    let deferred = {
        let mut state = LedgerState::default();
        state.schedule_reconcile(now());
        state
    };
    for (why, state) in [
        ("without a set", deferred),
        ("a set", set),
        ("a write of the replica has begun", written),
        ("a read failed", failed),
        ("a report was acknowledged", reported),
    ] {
        let StepWrites { state: json, .. } = StepWrites::between(None, &state, None).unwrap();
        let read = decode_state(json.as_bytes(), &first_record(&state));
        assert_eq!(read, Ok(state), "{why}");
    }
}

#[test]
fn a_state_without_a_member_and_a_record_of_a_newer_format_are_errors() {
    let state = with_set(&["sms"]);
    let StepWrites { state: json, .. } = StepWrites::between(None, &state, None).unwrap();
    assert_eq!(decode_state(b"{}", &[]).unwrap_err(), "`events_received` has the wrong type");
    assert_eq!(
        decode_state(json.as_bytes(), br#"{"v":2}"#).unwrap_err(),
        "record format 2 is not supported by this deployment"
    );
}

#[test]
fn a_step_writes_only_what_it_changed() {
    let before = with_set(&["sms"]);
    let event_write = Some(EventWrite { id: event(), received_at: NOW, purge_before: None });
    let change = |version, change: &str| {
        let change = Some(change.to_owned());
        Some(ChangeWrite { version: Version(version), change, purge_through: None })
    };

    // An event that changes the set.
    let after = after_event(&before, 11, complete(&["sso"]));
    let writes = StepWrites::between(Some(&before), &after, Some((&event(), NOW))).unwrap();
    let record = record::encode(after.entitlements.as_ref().unwrap()).unwrap();
    assert_eq!(writes.record, RecordWrite::Row(record));
    assert_eq!(writes.event, event_write);
    assert_eq!(writes.change, change(2, r#"{"version":2,"added":["sso"],"removed":["sms"]}"#));

    // An event with the same list: only the time of the set is new.
    let after = after_event(&before, 11, complete(&["sms"]));
    let writes = StepWrites::between(Some(&before), &after, Some((&event(), NOW))).unwrap();
    let record = record::encode(after.entitlements.as_ref().unwrap()).unwrap();
    assert_eq!(writes.record, RecordWrite::Row(record));
    assert_eq!((writes.event, writes.change), (event_write, None));

    // A step that changes pending tasks.
    let mut after = before.clone();
    after.begin_replica_write(now()).unwrap();
    let writes = StepWrites::between(Some(&before), &after, None).unwrap();
    assert_eq!((writes.record, writes.event, writes.change), (RecordWrite::Keep, None, None));

    // The first step without a set creates the row.
    let mut after = LedgerState::default();
    after.schedule_reconcile(now());
    let writes = StepWrites::between(None, &after, None).unwrap();
    assert_eq!((writes.record, writes.change), (RecordWrite::Row(vec![]), None));
}

#[test]
fn a_record_that_is_too_long_for_the_row_is_written_in_chunks() {
    let set_of = |len: usize| {
        let mut state = with_set(&["sms"]);
        let set = state.entitlements.as_mut().unwrap();
        // Some lookup keys are made longer, the last of them by the bytes that are still missing.
        let keys: Vec<_> = (0..300).map(|number| format!("{number:0100}")).collect();
        set.data = grants(&keys.iter().map(String::as_str).collect::<Vec<_>>());
        let missing = len - record::encode(set).unwrap().len();
        let (more, rest) = (missing / 250, missing % 250);
        for (index, grant) in set.data.iter_mut().enumerate().take(more + 1) {
            let bytes = if index < more { 250 } else { rest };
            let key = format!("{}{}", grant.lookup_key, "x".repeat(bytes));
            grant.lookup_key = key.as_str().try_into().unwrap();
        }
        state
    };
    let longest = set_of(MAX_ROW_RECORD);
    assert_eq!(first_record(&longest).len(), MAX_ROW_RECORD);
    let writes = StepWrites::between(None, &longest, None).unwrap();
    assert!(matches!(writes.record, RecordWrite::Row(_)), "at the limit");

    let longer = set_of(MAX_ROW_RECORD + 1);
    let writes = StepWrites::between(Some(&longest), &longer, None).unwrap();
    let record = record::encode(longer.entitlements.as_ref().unwrap()).unwrap();
    assert_eq!(writes.record, RecordWrite::Chunks(record), "one byte more");

    let mut after = longer.clone();
    after.schedule_reconcile(now());
    let writes = StepWrites::between(Some(&longer), &after, None).unwrap();
    assert_eq!(writes.record, RecordWrite::Keep, "the same long record is not written again");
}

#[test]
fn every_64th_event_deletes_the_events_of_more_than_30_days_ago() {
    let oldest = Some(Timestamp(NOW.0 - RETENTION));
    for (received, purge_before) in [(62, None), (63, oldest), (64, None), (127, oldest)] {
        let before = LedgerState { events_received: received, ..with_set(&["sms"]) };
        let after = after_event(&before, 11, complete(&["sms"]));
        let writes = StepWrites::between(Some(&before), &after, Some((&event(), NOW))).unwrap();
        assert_eq!(writes.event.unwrap().purge_before, purge_before, "after {received} events");
    }
    assert_eq!(oldest_event(NOW), Timestamp(NOW.0 - RETENTION));
}

#[test]
fn every_64th_version_deletes_the_changes_before_the_last_100() {
    for (version, purge_through) in [
        // There are none yet.
        (32, None),
        (96, None),
        (159, None),
        (160, Some(60)),
        (161, None),
        (224, Some(124)),
    ] {
        let mut before = with_set(&["sms"]);
        before.entitlements.as_mut().unwrap().version = Version(version - 1);
        let after = after_event(&before, 11, complete(&["sso"]));
        let change = StepWrites::between(Some(&before), &after, None).unwrap().change.unwrap();
        assert_eq!(change.version, Version(version));
        assert_eq!(change.purge_through, purge_through.map(Version), "version {version}");
    }
}

#[test]
fn subscribers_receive_at_most_the_last_100_changes() {
    for (since, current, first) in [(0, 100, 0), (0, 101, 1), (1, 101, 1), (7, 101, 7)] {
        assert_eq!(retained_since(Version(since), Version(current)), Version(first));
    }
}
