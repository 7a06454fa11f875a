//! Requests to a ledger object, and its responses.
//!
//! A `POST` has a [`LedgerRequest`](crate::ledger::LedgerRequest) as JSON:
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
//! the tables or the message, 500 if anything else fails. Their body is a message as text.
//!
//! A `GET` with `Upgrade: websocket` subscribes: 101, or 429 at the maximum number of subscribers.
//! If the header `Last-Event-ID` has a version, the object first sends the changes after it, as far
//! as they are stored, then the current version, and then each change. A message is a
//! [`ChangeNotification`] as JSON, `{"change":{"version":6,"added":["sms"],"removed":[]}}` or
//! `{"version":6}`. A subscriber sends nothing. Any other `GET` returns a [`ListenerCount`] as
//! JSON.

use serde::Serialize;
use worker::{Headers, Response, Result};

use super::storage::LedgerTables;
use crate::{
    json::json_type,
    ledger::{ChangeNotification, LedgerResponse, LedgerStorage as _, SetOrigin},
    store::ServedBy,
    worker::rpc::{decode, json_response, newer_release_response},
};

/// The response header with the store that the record was read from.
pub(super) const SERVED_BY: &str = "served-by";

/// The response header of a load whose read of the source failed.
pub(super) const SOURCE_FAILED: &str = "source-failed";

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
    json_response(&ListenerCount { listeners })
}

pub(super) fn too_many_response() -> Result<Response> {
    Response::error("too many subscribers", TOO_MANY_REQUESTS)
}

/// Encodes the response of the process. It awaits nothing, so the tables have the record of the response.
pub(super) fn to_http_response(
    response: LedgerResponse,
    tables: &LedgerTables,
) -> Result<Response> {
    let headers = Headers::new();
    let origin = match response {
        LedgerResponse::Receipt(receipt) => return json_response(&receipt),
        LedgerResponse::Set(origin) => origin,
        LedgerResponse::KnownPart(_) => {
            headers.set(SOURCE_FAILED, "true")?;
            SetOrigin::Ledger
        }
        LedgerResponse::Overrides(reply) => return json_response(&reply),
        LedgerResponse::History(page) => return json_response(&page),
        LedgerResponse::Explained(reply) => return json_response(&reply),
        LedgerResponse::Reconciled { drifted } => {
            return json_response(&ReconcileResult { drifted });
        }
        LedgerResponse::Rearmed => return Response::empty(),
        LedgerResponse::SourceFailed(cause) => return Response::error(cause, 502),
        LedgerResponse::NewerRelease => return newer_release_response(),
    };
    headers.set(SERVED_BY, &serde_json::to_string(&ServedBy::from(origin))?)?;
    let response = match tables.read_record()? {
        Some(record) => Response::from_bytes(record)?,
        None => Response::error("unknown customer", 404)?,
    };
    Ok(response.with_headers(headers))
}
