//! Requests to a ledger object, and its responses.
//!
//! The method `request` takes a [`LedgerRequest`](crate::ledger::LedgerRequest) as JSON:
//!
//! | request         | 200                                                   |
//! |-----------------|-------------------------------------------------------|
//! | `Apply`         | [`ApplyReceipt`](crate::ledger::ApplyReceipt) as JSON |
//! | `Load`, `Sync`  | the record                                            |
//! | `ManageOverrides` | [`OverrideReply`](crate::ledger::OverrideReply) as JSON |
//! | `ListHistory`   | [`HistoryPage`](crate::ledger::HistoryPage) as JSON   |
//! | `Explain`       | [`ExplainReply`](crate::ledger::ExplainReply) as JSON |
//! | `Reconcile`     | [`ReconcileResult`] as JSON                           |
//! | `Rearm`         | an empty body                                         |
//!
//! Other statuses: 404 for a customer without a record, 502 if the source fails, 503 if a newer release wrote
//! the tables or the message, 500 if anything else fails. Their body is a message as text. The note of a
//! 200 or 404 to `Load` and `Sync` is a [`RecordOrigin`].
//!
//! `fetch` with `Upgrade: websocket` subscribes: 101, or 429 at the maximum number of subscribers.
//! If the header `Last-Event-ID` has a version, the object first sends the changes after it, as far
//! as they are stored, then the current version, and then each change. A message is a
//! [`ChangeNotification`] as JSON, `{"change":{"version":6,"added":["sms"],"removed":[]}}` or
//! `{"version":6}`. A subscriber sends nothing. `fetch` without it returns a [`ListenerCount`] as
//! JSON, and 503 if a newer release wrote the tables.

use serde::Serialize;
use worker::{Response, Result};

use super::storage::LedgerTables;
use crate::{
    json::{json_type, string_enum},
    ledger::{ChangeNotification, LedgerResponse, LedgerStorage as _, SetOrigin},
    store::{ServedBy, SourceCoverage},
    worker::rpc::{NEWER_RELEASE, NEWER_RELEASE_MESSAGE, ObjectResponse, decode},
};

/// The status at the maximum number of subscribers.
pub(super) const TOO_MANY_REQUESTS: u16 = 429;

json_type! {
    /// The result of a reconciliation.
    #[derive(Serialize)]
    pub(super) struct ReconcileResult {
        /// Whether the stored set differed from the source's list.
        pub(super) drifted: bool,
    }
}

string_enum! {
    /// Where a record is from.
    #[derive(Clone, Copy, Default, Serialize)]
    pub(super) enum RecordOrigin {
        /// The tables.
        #[default]
        Ledger = "ledger",
        /// The source, which was read for this response.
        Source = "source",
        /// The tables: the read of the source failed.
        SourceFailed = "source_failed",
    }
}

impl RecordOrigin {
    /// Reads the note of a response.
    pub(super) fn from_note(note: &str) -> Self {
        let origins = Self::ALL.iter();
        origins
            .copied()
            .find(|(name, _)| *name == note)
            .map(|(_, origin)| origin)
            .unwrap_or_default()
    }

    pub(super) const fn served_by(self) -> ServedBy {
        match self {
            Self::Ledger | Self::SourceFailed => ServedBy::Ledger,
            Self::Source => ServedBy::Source,
        }
    }

    pub(super) const fn coverage(self) -> SourceCoverage {
        match self {
            Self::Ledger | Self::Source => SourceCoverage::Asked,
            Self::SourceFailed => SourceCoverage::Failed,
        }
    }
}

/// The number of subscribers.
#[derive(Serialize)]
struct ListenerCount {
    listeners: usize,
}

pub(super) fn encode_notification(notification: &ChangeNotification) -> Result<String> {
    Ok(serde_json::to_string(notification)?)
}

pub(in crate::worker) fn decode_notification(json: &str) -> Result<ChangeNotification> {
    decode(json.as_bytes())
}

pub(super) fn listener_count_response(listeners: usize) -> Result<Response> {
    Response::from_json(&ListenerCount { listeners })
}

pub(super) fn too_many_response() -> Result<Response> {
    Response::error("too many subscribers", TOO_MANY_REQUESTS)
}

pub(super) fn newer_release_response() -> Result<Response> {
    Response::error(NEWER_RELEASE_MESSAGE, NEWER_RELEASE)
}

/// Encodes the response of the process. It awaits nothing, so the tables have the record of the response.
pub(super) fn to_object_response(
    response: LedgerResponse,
    tables: &LedgerTables,
) -> Result<ObjectResponse> {
    let origin = match response {
        LedgerResponse::Receipt(receipt) => return ObjectResponse::json(&receipt),
        LedgerResponse::Set(SetOrigin::Ledger) => RecordOrigin::Ledger,
        LedgerResponse::Set(SetOrigin::Source) => RecordOrigin::Source,
        LedgerResponse::KnownPart(_) => RecordOrigin::SourceFailed,
        LedgerResponse::Overrides(reply) => return ObjectResponse::json(&reply),
        LedgerResponse::History(page) => return ObjectResponse::json(&page),
        LedgerResponse::Explained(reply) => return ObjectResponse::json(&reply),
        LedgerResponse::Reconciled { drifted } => {
            return ObjectResponse::json(&ReconcileResult { drifted });
        }
        LedgerResponse::Rearmed => return Ok(ObjectResponse::empty()),
        LedgerResponse::SourceFailed(cause) => {
            return Ok(ObjectResponse::new(502, "", cause.as_bytes()));
        }
        LedgerResponse::NewerRelease => return Ok(ObjectResponse::newer_release()),
    };
    Ok(match tables.read_record()? {
        Some(record) => ObjectResponse::new(200, origin.as_str(), &record),
        None => ObjectResponse::new(404, origin.as_str(), b"unknown customer"),
    })
}
