//! What is said between the Worker and a customer's Durable Object.
//!
//! | `POST`, as JSON                          | answer                                                |
//! |------------------------------------------|-------------------------------------------------------|
//! | [`Message::Apply`]                       | 200, a [`Receipt`] as JSON, once the effect is durable |
//! | [`Message::Find`], [`Message::Sync`]     | 200, the record; 404 if nobody knows the customer     |
//! | [`Message::Confirm`]                     | 200, [`Checked`] as JSON                              |
//! | [`Message::Wake`]                        | 200                                                   |
//! | any                                      | 502 if the source, 500 if anything else failed: a text |
//!
//! A `GET` that asks for a WebSocket listens: 101, or 429 where as many listen as may. Its header
//! `last-event-id` is the version whose later changes are told first, where all are remembered; then
//! comes the version that is held, and from then on each change. A message is one [`Notice`] as JSON,
//! `{"change":{"version":6,"added":["sms"],"removed":[]}}` or `{"version":6}`. Nothing is said the
//! other way. A `GET` without that is answered how many listen, a [`Listeners`] as JSON.

use serde::Serialize;
use worker::{Headers, Response, Result};

use crate::worker::rpc;
use crate::{
    json::impl_from_json,
    ledger::{ApplyReceipt, ChangeNotification},
    store::ServedBy,
};

pub(in crate::worker) use crate::store::ledger_request::LedgerRequest;

/// The header that says where a record was found.
pub(in crate::worker) const SERVED_BY: &str = "served-by";

/// The status where as many listen as may.
pub(in crate::worker) const TOO_MANY_REQUESTS: u16 = 429;

/// What an object answers when it is asked about a set.
pub(in crate::worker) enum LedgerResponse {
    Record(LoadedRecord),
    Reconciled {
        drifted: bool,
    },
    /// The source did not tell.
    Failed(String),
}

/// The record of a set, or none if nobody knows the customer.
pub(in crate::worker) struct LoadedRecord {
    pub(in crate::worker) record: Option<Vec<u8>>,
    pub(in crate::worker) served_by: ServedBy,
}

/// What a confirmation found.
#[derive(Serialize)]
pub(in crate::worker) struct ReconcileResult {
    /// Whether what was held was another set.
    pub(in crate::worker) drifted: bool,
}

impl_from_json! { struct ReconcileResult { drifted } }

/// How many listen.
#[derive(Serialize)]
pub(in crate::worker) struct ListenerCount {
    pub(in crate::worker) listeners: usize,
}

pub(in crate::worker) fn encode_notification(notice: &ChangeNotification) -> Result<String> {
    Ok(serde_json::to_string(notice)?)
}

pub(in crate::worker) fn decode_notification(text: &str) -> Result<ChangeNotification> {
    rpc::decode(text.as_bytes())
}

pub(in crate::worker) fn listener_count(listeners: usize) -> Result<Response> {
    rpc::json_response(&ListenerCount { listeners })
}

pub(in crate::worker) fn too_many() -> Result<Response> {
    Response::error("as many listen as may", TOO_MANY_REQUESTS)
}

pub(in crate::worker) fn receipt_response(receipt: ApplyReceipt) -> Result<Response> {
    rpc::json_response(&receipt)
}

pub(in crate::worker) fn to_http_response(answer: LedgerResponse) -> Result<Response> {
    let LoadedRecord { record, served_by } = match answer {
        LedgerResponse::Record(found) => found,
        LedgerResponse::Reconciled { drifted } => {
            return rpc::json_response(&ReconcileResult { drifted });
        }
        LedgerResponse::Failed(cause) => return Response::error(cause, 502),
    };
    let headers = Headers::new();
    headers.set(SERVED_BY, &serde_json::to_string(&served_by)?)?;
    let response = match record {
        Some(record) => Response::from_bytes(record)?,
        None => Response::error("nobody knows this customer", 404)?,
    };
    Ok(response.with_headers(headers))
}
