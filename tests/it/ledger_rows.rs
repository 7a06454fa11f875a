//! The rows that a step of a ledger writes.

use entgate::{
    entitlement::{SummaryPage, Version},
    id::{EventId, Timestamp, UnixMillis},
    ledger::{
        Dedup, EventOrigin, Jitter, LedgerState, ReadPriority, SourceAccess, SyncProblem,
        UnsavedRows,
    },
    policy::SourcePolicy,
    store::{
        ledger_rows::{
            EventWrite, HistoryWrite, MAX_ROW_RECORD, RecordWrite, StepWrites, decode_state,
            oldest_event,
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
    state.apply_event(&event, (Dedup::New, EventOrigin::Delivery), access, policy, now()).unwrap();
    state
}

fn complete(keys: &[&str]) -> SummaryPage {
    SummaryPage::Complete(grants(keys))
}

/// The state after a first event, whose rows are stored.
fn with_set(keys: &[&str]) -> LedgerState {
    let mut state = after_event(&LedgerState::default(), 10, complete(keys));
    state.record.unsaved = UnsavedRows::default();
    state
}

/// The record that is stored after a first step.
fn first_record(state: &LedgerState) -> Vec<u8> {
    match StepWrites::between(None, &mut state.clone(), None).unwrap().record {
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
    failed.defer_reads(now().saturating_add(5_000), ReadPriority::Background);
    let mut waiting = set.clone();
    waiting.defer_reads(now().saturating_add(5_000), ReadPriority::Routine);
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
        ("a routine read waits for its slot", waiting),
        ("a report was acknowledged", reported),
    ] {
        let StepWrites { state: json, .. } =
            StepWrites::between(None, &mut state.clone(), None).unwrap();
        let read = decode_state(json.as_bytes(), &first_record(&state));
        assert_eq!(read, Ok(state), "{why}");
    }
}

#[test]
fn a_state_without_a_member_and_a_record_of_a_newer_format_are_errors() {
    let state = with_set(&["sms"]);
    let StepWrites { state: json, .. } =
        StepWrites::between(None, &mut state.clone(), None).unwrap();
    assert_eq!(decode_state(b"{}", &[]).unwrap_err(), "`default_features` has the wrong type");
    assert_eq!(
        decode_state(json.as_bytes(), br#"{"v":2}"#).unwrap_err(),
        "record format 2 is not supported by this deployment"
    );
}

#[test]
fn a_step_writes_only_what_it_changed() {
    let before = with_set(&["sms"]);
    let event_write = Some(EventWrite { id: event(), received_at: NOW, purge_before: None });
    let history = vec![HistoryWrite {
        version: Version(2),
        created: NOW,
        entry: r#"{"version":2,"created":1700000000,"cause":{"kind":"event","id":"evt_1","actor":null},"change":{"keys":{"added":["sso"],"removed":["sms"]}},"source_change":null}"#.to_owned(),
        purge_before: None,
    }];

    // An event that changes the set.
    let after = after_event(&before, 11, complete(&["sso"]));
    let writes =
        StepWrites::between(Some(&before), &mut after.clone(), Some((&event(), NOW))).unwrap();
    let record = record::encode(after.record.entitlements.as_ref().unwrap()).unwrap();
    assert_eq!(writes.record, RecordWrite::Row(record));
    assert_eq!(writes.event, event_write);
    assert_eq!(writes.history, history);

    // An event with the same list: only the time of the set is new.
    let after = after_event(&before, 11, complete(&["sms"]));
    let writes =
        StepWrites::between(Some(&before), &mut after.clone(), Some((&event(), NOW))).unwrap();
    let record = record::encode(after.record.entitlements.as_ref().unwrap()).unwrap();
    assert_eq!(writes.record, RecordWrite::Row(record));
    assert_eq!((writes.event, writes.history), (event_write, vec![]));

    // A step that changes pending tasks.
    let mut after = before.clone();
    after.begin_replica_write(now()).unwrap();
    let writes = StepWrites::between(Some(&before), &mut after.clone(), None).unwrap();
    assert!(writes.is_state_only());

    // The first step without a set creates the row.
    let mut after = LedgerState::default();
    after.schedule_reconcile(now());
    let writes = StepWrites::between(None, &mut after.clone(), None).unwrap();
    assert_eq!((writes.record, writes.history), (RecordWrite::Row(vec![]), vec![]));
}

#[test]
fn a_record_that_is_too_long_for_the_row_is_written_in_chunks() {
    let set_of = |len: usize| {
        let mut state = with_set(&["sms"]);
        // Some lookup keys are made longer, the last of them by the bytes that are still missing.
        let keys: Vec<_> = (0..300).map(|number| format!("{number:0100}")).collect();
        let record = state.record.entitlements.as_mut().unwrap();
        let data = grants(&keys.iter().map(String::as_str).collect::<Vec<_>>());
        record.source.as_mut().unwrap().data = data;
        let missing = len - record::encode(record).unwrap().len();
        let (more, rest) = (missing / 250, missing % 250);
        let data = &mut record.source.as_mut().unwrap().data;
        for (index, grant) in data.iter_mut().enumerate().take(more + 1) {
            let bytes = if index < more { 250 } else { rest };
            let key = format!("{}{}", grant.lookup_key, "x".repeat(bytes));
            grant.lookup_key = key.as_str().try_into().unwrap();
        }
        state
    };
    let longest = set_of(MAX_ROW_RECORD);
    assert_eq!(first_record(&longest).len(), MAX_ROW_RECORD);
    let writes = StepWrites::between(None, &mut longest.clone(), None).unwrap();
    assert!(matches!(writes.record, RecordWrite::Row(_)), "at the limit");

    let longer = set_of(MAX_ROW_RECORD + 1);
    let writes = StepWrites::between(Some(&longest), &mut longer.clone(), None).unwrap();
    let record = record::encode(longer.record.entitlements.as_ref().unwrap()).unwrap();
    assert_eq!(writes.record, RecordWrite::Chunks(record), "one byte more");

    let mut after = longer.clone();
    after.schedule_reconcile(now());
    let writes = StepWrites::between(Some(&longer), &mut after.clone(), None).unwrap();
    assert_eq!(writes.record, RecordWrite::Keep, "the same long record is not written again");
}

#[test]
fn every_64th_event_deletes_the_events_of_more_than_30_days_ago() {
    let oldest = Some(Timestamp(NOW.0 - RETENTION));
    for (received, purge_before) in [(62, None), (63, oldest), (64, None), (127, oldest)] {
        let before = LedgerState { events_received: received, ..with_set(&["sms"]) };
        let after = after_event(&before, 11, complete(&["sms"]));
        let writes =
            StepWrites::between(Some(&before), &mut after.clone(), Some((&event(), NOW))).unwrap();
        assert_eq!(writes.event.unwrap().purge_before, purge_before, "after {received} events");
    }
    assert_eq!(oldest_event(NOW), Timestamp(NOW.0 - RETENTION));
}

#[test]
fn every_64th_version_deletes_the_expired_history() {
    let oldest = Timestamp(NOW.0 - 400 * 24 * 60 * 60);
    for (version, first) in [
        // There are none yet.
        (32, Some(1)),
        (95, None),
        (96, Some(1)),
        (97, None),
        (992, Some(1)),
        (1_056, Some(57)),
        (1_057, None),
    ] {
        let mut before = with_set(&["sms"]);
        before.record.entitlements.as_mut().unwrap().version = Version(version - 1);
        let mut after = after_event(&before, 11, complete(&["sso"]));
        let writes = StepWrites::between(Some(&before), &mut after, None).unwrap();
        let [entry] = &writes.history[..] else { panic!("one change is one entry") };
        assert_eq!(entry.version, Version(version));
        let purge_before = first.map(|first| (Version(first), oldest));
        assert_eq!(entry.purge_before, purge_before, "version {version}");
        assert_eq!(after.record.unsaved, UnsavedRows::default(), "a row is written once");
    }
}
