//! What one ledger stores, and what one step of it writes.
//!
//! | table           | row                                                                   |
//! |-----------------|-----------------------------------------------------------------------|
//! | `state`         | the only row: the customer, its state as JSON, and the set's record   |
//! | `record_chunks` | a part of a record that is too long for the row of `state`            |
//! | `events`        | the id of an event that was received, and when                        |
//! | `history`       | one of the last changes of the set, for subscribers                   |
//!
//! A step writes the row of `state` once. Nearly always, an event that changes something therefore
//! writes three rows, in one transaction: its id, the state, and the change.
//!
//! Expired rows of `events` and `history` are deleted now and then, with every
//! [`PURGE_INTERVAL`]th event or version. Until then a reader skips them.
//!
//! Not here: the statements, which the Workers shell runs.

use serde::Serialize;

use super::record;
use crate::{
    entitlement::Version,
    id::{EventId, Timestamp, UnixMillis},
    json::{self, json_type},
    ledger::{
        CHANGE_RETENTION, EVENT_RETENTION, LedgerState, ObservedFeatures, Outbox, ReconcileTimer,
        ReplicaWrites, SetChange, SyncProblem, SyncStatus,
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
    /// A [`LedgerState`] without its set, as it is stored in the row of `state`.
    #[derive(Serialize)]
    struct StateRow {
        confirmed_at: Option<Timestamp>,
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
    /// The record of the set.
    pub record: RecordWrite,
    /// The event that the step applied.
    pub event: Option<EventWrite>,
    /// The change of the set.
    pub change: Option<ChangeWrite>,
}

/// How a step writes the record.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum RecordWrite {
    /// The stored record stays.
    Keep,
    /// The record is written into the row of `state`. It is empty if there is no set.
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

/// A change of the set that is written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ChangeWrite {
    /// The version after the change.
    pub version: Version,
    /// The change as JSON, unless it is too large to be sent to subscribers.
    pub change: Option<String>,
    /// Changes up to this version are deleted.
    pub purge_through: Option<Version>,
}

impl StepWrites {
    /// Returns what a step writes that changes `before` to `after`, for an event with this id that was
    /// received now. `before` is `None` if nothing is stored yet.
    ///
    /// # Errors
    ///
    /// Only if the JSON serializer fails, which no state causes.
    pub fn between(
        before: Option<&LedgerState>,
        after: &LedgerState,
        event: Option<(&EventId, Timestamp)>,
    ) -> Result<Self, String> {
        let set = after.entitlements.as_ref();
        let set_before = before.and_then(|before| before.entitlements.as_ref());
        let record = match set {
            _ if before.is_some() && set_before == set => RecordWrite::Keep,
            None => RecordWrite::Row(Vec::new()),
            Some(set) => {
                let record = record::encode(set).map_err(|error| error.to_string())?;
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
        let change = match set.and_then(|set| SetChange::between(set_before, set)) {
            Some(change) => Some(ChangeWrite::new(&change)?),
            None => None,
        };
        Ok(Self { state: encode_state(after)?, record, event, change })
    }
}

impl ChangeWrite {
    fn new(change: &SetChange) -> Result<Self, String> {
        let version = change.version;
        let encoded = change.fits_in_message().then(|| serde_json::to_string(change));
        // Half an interval after a purge of events: an event rarely purges both.
        let half = PURGE_INTERVAL / 2;
        let shifted = |version: u64| version.saturating_add(half);
        let purges = passes_multiple(shifted(version.0.saturating_sub(1)), shifted(version.0));
        Ok(Self {
            version,
            change: encoded.transpose().map_err(|error| error.to_string())?,
            purge_through: purges
                .then(|| Version(version.0.saturating_sub(CHANGE_RETENTION)))
                .filter(|through| through.0 > 0),
        })
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

/// Returns the version after which changes are read for a subscriber that has `since`: no expired ones.
#[must_use]
pub fn retained_since(since: Version, current: Version) -> Version {
    since.max(Version(current.0.saturating_sub(CHANGE_RETENTION)))
}

fn encode_state(ledger: &LedgerState) -> Result<String, String> {
    // All fields, so that a new one is stored.
    let &LedgerState {
        entitlements: _,
        confirmed_at,
        events_received,
        deleted_at,
        replica_writes,
        reconcile_timer,
        source_backoff_until,
        read_slot,
        sync_problem,
        last_report,
        ref observed_features,
        ref outbox,
    } = ledger;
    let row = StateRow {
        confirmed_at,
        events_received,
        deleted_at,
        replica_writes,
        reconcile_timer,
        source_backoff_until,
        read_slot,
        sync_problem,
        last_report,
        observed_features: observed_features.clone(),
        outbox: outbox.clone(),
    };
    serde_json::to_string(&row).map_err(|error| error.to_string())
}

/// Decodes the stored state and the stored record, which is empty if there is no set.
///
/// # Errors
///
/// When they are not what [`StepWrites`] writes, or when the record has another format.
pub fn decode_state(state: &[u8], record: &[u8]) -> Result<LedgerState, String> {
    let StateRow {
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
    Ok(LedgerState {
        entitlements,
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
    })
}
