//! What one ledger stores, and what one step of it writes.
//!
//! | table           | row                                                                   |
//! |-----------------|-----------------------------------------------------------------------|
//! | `state`         | the only row: the customer, its state as JSON, and the record         |
//! | `record_chunks` | a part of a record that is too long for the row of `state`            |
//! | `events`        | the id of an event that was received, and when                        |
//! | `history`       | an entry of the history: one version of the record                    |
//! | `overrides`     | an override, written only by requests of operators                    |
//!
//! A step writes the row of `state` once. Nearly always, an event that changes something therefore
//! writes three rows, in one transaction: its id, the state, and the entry of the history.
//!
//! Expired rows of `events` and `history` are deleted now and then, with every
//! [`PURGE_INTERVAL`]th event or version. Until then a reader skips them. Expired rows of `overrides` are
//! deleted when one is written.
//!
//! Not here: the statements, which the Workers shell runs.

use serde::Serialize;

use super::record;
use crate::{
    entitlement::Version,
    id::{EventId, LookupKey, Timestamp, UnixMillis},
    json::{self, json_type},
    ledger::{
        EVENT_RETENTION, HistoryEntry, IndexReports, LedgerState, OVERRIDE_RETENTION,
        ObservedFeatures, Outbox, ReconcileTimer, ReplicaWrites, StoredOverride, SyncProblem,
        SyncStatus, UnsavedRows, VersionedRecord, retained_history,
    },
};

/// The longest record in the row of `state`, in bytes: some thousand grants. A row is limited to 2 MB
/// (<https://developers.cloudflare.com/durable-objects/platform/limits/>), and the rest of the state
/// takes up to 1.3 MB ([`ObservedFeatures::MAX_FEATURES`]). SQLite writes a row as a whole. A step that
/// does not change a longer record therefore does not write it again.
pub const MAX_ROW_RECORD: usize = 1 << 17;

/// The bytes of a chunk of a longer record. A row is limited to 2 MB.
pub const RECORD_CHUNK: usize = 1 << 20;

/// How many events, and how many versions, are between two purges of expired rows. So many rows of
/// `events` fit in a page of SQLite, 4 KiB: to delete them earlier frees no space.
pub const PURGE_INTERVAL: u64 = 64;

json_type! {
    /// A [`LedgerState`] without its record, as it is stored in the row of `state`.
    #[derive(Serialize)]
    struct StateRow {
        default_features: Vec<LookupKey>,
        last_change_at: Option<Timestamp>,
        confirmed_at: Option<UnixMillis>,
        events_received: u64,
        deleted_at: Option<Timestamp>,
        replica_writes: ReplicaWrites,
        reconcile_timer: ReconcileTimer,
        source_backoff_until: UnixMillis,
        read_slot: Option<UnixMillis>,
        sync_problem: Option<SyncProblem>,
        last_report: Option<SyncStatus>,
        observed_features: ObservedFeatures,
        outbox: Outbox,
    }
}

/// What one step writes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StepWrites {
    /// The state as JSON, for the row of `state`.
    pub state: String,
    /// The record.
    pub record: RecordWrite,
    /// The event that the step applied.
    pub event: Option<EventWrite>,
    /// The entries of the history.
    pub history: Vec<HistoryWrite>,
    /// The override that was created or changed.
    pub changed_override: Option<OverrideWrite>,
}

/// How a step writes the record.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum RecordWrite {
    /// The stored record stays.
    Keep,
    /// The record is written into the row of `state`. It is empty if there is none.
    Row(Vec<u8>),
    /// The record is written in chunks of [`RECORD_CHUNK`] bytes. The one in the row of `state` is empty.
    Chunks(Vec<u8>),
}

/// An event whose id is written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EventWrite {
    /// The id.
    pub id: EventId,
    /// When the event was received.
    pub received_at: Timestamp,
    /// Events that were received earlier are deleted.
    pub purge_before: Option<Timestamp>,
}

/// An entry of the history that is written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HistoryWrite {
    /// The version.
    pub version: Version,
    /// When it took effect.
    pub created: Timestamp,
    /// The entry as JSON.
    pub entry: String,
    /// Earlier versions than the first one, and entries from before the second one, are deleted.
    pub purge_before: Option<(Version, Timestamp)>,
}

/// An override that is written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OverrideWrite {
    /// The override.
    pub stored: StoredOverride,
    /// The override as JSON.
    pub json: String,
    /// When it is written.
    pub at: Timestamp,
}

impl StepWrites {
    /// Returns what a step writes that changes `before` to `after`, for an event with this id that was
    /// received now. `before` is `None` if nothing is stored yet. The rows that the step added are removed
    /// from `after`.
    ///
    /// # Errors
    ///
    /// Only if the JSON serializer fails, which no state causes.
    pub fn between(
        before: Option<&LedgerState>,
        after: &mut LedgerState,
        event: Option<(&EventId, Timestamp)>,
    ) -> Result<Self, String> {
        let UnsavedRows { history, changed_override } = std::mem::take(&mut after.record.unsaved);
        let record_after = after.record.entitlements.as_ref();
        let record_before = before.and_then(|before| before.record.entitlements.as_ref());
        let record = match record_after {
            _ if before.is_some() && record_before == record_after => RecordWrite::Keep,
            None => RecordWrite::Row(Vec::new()),
            Some(record) => {
                let record = record::encode(record).map_err(|error| error.to_string())?;
                if record.len() > MAX_ROW_RECORD {
                    RecordWrite::Chunks(record)
                } else {
                    RecordWrite::Row(record)
                }
            }
        };
        let events_before = before.map_or(0, |before| before.events_received);
        let event = event.map(|(id, received_at)| EventWrite {
            id: id.clone(),
            received_at,
            purge_before: passes_multiple(events_before, after.events_received)
                .then(|| oldest_event(received_at)),
        });
        Ok(Self {
            state: encode_state(after)?,
            record,
            event,
            history: history.iter().map(HistoryWrite::new).collect::<Result<_, _>>()?,
            changed_override: changed_override
                .zip(after.record.last_change_at)
                .map(|(stored, at)| OverrideWrite::new(stored, at))
                .transpose()?,
        })
    }

    /// Returns whether only the state is written.
    #[must_use]
    pub fn is_state_only(&self) -> bool {
        let Self { record, event, history, changed_override, .. } = self;
        *record == RecordWrite::Keep
            && event.is_none()
            && history.is_empty()
            && changed_override.is_none()
    }
}

impl HistoryWrite {
    fn new(entry: &HistoryEntry) -> Result<Self, String> {
        let HistoryEntry { version, created, .. } = *entry;
        // Half an interval after a purge of events: an event rarely purges both.
        let half = PURGE_INTERVAL / 2;
        let shifted = |version: u64| version.saturating_add(half);
        let purges = passes_multiple(shifted(version.0.saturating_sub(1)), shifted(version.0));
        Ok(Self {
            version,
            created,
            entry: serde_json::to_string(entry).map_err(|error| error.to_string())?,
            purge_before: purges.then(|| retained_history(version, created)),
        })
    }
}

impl OverrideWrite {
    fn new(stored: StoredOverride, at: Timestamp) -> Result<Self, String> {
        let json = serde_json::to_string(&stored.value).map_err(|error| error.to_string())?;
        Ok(Self { stored, json, at })
    }

    /// Overrides that ended before this time are deleted.
    #[must_use]
    pub fn purge_ended_before(&self) -> Timestamp {
        self.at.saturating_sub(OVERRIDE_RETENTION)
    }
}

/// Returns whether a multiple of [`PURGE_INTERVAL`] is above `before` and not above `after`.
fn passes_multiple(before: u64, after: u64) -> bool {
    before / PURGE_INTERVAL != after / PURGE_INTERVAL
}

/// Returns the earliest receipt of an event that is not expired.
#[must_use]
pub fn oldest_event(now: Timestamp) -> Timestamp {
    Timestamp(now.0.saturating_sub(EVENT_RETENTION))
}

fn encode_state(ledger: &LedgerState) -> Result<String, String> {
    // All fields, so that a new one is stored.
    let &LedgerState {
        record:
            VersionedRecord { entitlements: _, ref default_features, last_change_at, unsaved: _ },
        confirmed_at,
        events_received,
        deleted_at,
        replica_writes,
        reconcile_timer,
        source_backoff_until,
        read_slot,
        sync_problem,
        index_reports: IndexReports { last_status, ref observed_features },
        ref outbox,
    } = ledger;
    let row = StateRow {
        default_features: default_features.clone(),
        last_change_at,
        confirmed_at,
        events_received,
        deleted_at,
        replica_writes,
        reconcile_timer,
        source_backoff_until,
        read_slot,
        sync_problem,
        last_report: last_status,
        observed_features: observed_features.clone(),
        outbox: outbox.clone(),
    };
    serde_json::to_string(&row).map_err(|error| error.to_string())
}

/// Decodes the stored state and the stored record, which is empty if there is none.
///
/// # Errors
///
/// When they are not what [`StepWrites`] writes, or when the record has another format.
pub fn decode_state(state: &[u8], record: &[u8]) -> Result<LedgerState, String> {
    let StateRow {
        default_features,
        last_change_at,
        confirmed_at,
        events_received,
        deleted_at,
        replica_writes,
        reconcile_timer,
        source_backoff_until,
        read_slot,
        sync_problem,
        last_report,
        observed_features,
        outbox,
    } = json::from_slice(state).map_err(|error| error.to_string())?;
    let entitlements = match record {
        [] => None,
        [..] => Some(record::decode(record).map_err(|error| error.to_string())?),
    };
    let unsaved = UnsavedRows::default();
    Ok(LedgerState {
        record: VersionedRecord { entitlements, default_features, last_change_at, unsaved },
        confirmed_at,
        events_received,
        deleted_at,
        replica_writes,
        reconcile_timer,
        source_backoff_until,
        read_slot,
        sync_problem,
        index_reports: IndexReports { last_status: last_report, observed_features },
        outbox,
    })
}
