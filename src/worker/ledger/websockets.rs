//! The WebSockets of subscribers to a customer's changes.
//!
//! They hibernate: between changes the platform may evict the object and keep its WebSockets. So
//! the state of a subscriber is attached to its WebSocket: the last version that was sent to it.
//! What it has missed is read from the tables, and is stored before it is sent: the platform delays
//! outgoing messages until pending writes are durable.
//!
//! To subscribe reads no source, and stores only what is due. An unknown customer has version 0. Not here:
//! the other end of a WebSocket, which is the stream of one client (`worker::stream`).

use ::http::header::UPGRADE;
use worker::{
    Request, Response, Result, State, WebSocket, WebSocketPair, console_error,
    wasm_bindgen::JsValue, worker_sys::ext::WebSocketExt as _,
};

use super::{rpc, storage::LedgerTables};
use crate::{
    api::LAST_EVENT_ID,
    entitlement::Version,
    ledger::{ChangeNotification, notifications_since},
};

/// The most subscribers to one customer. The platform allows an object 32,768 WebSockets
/// (<https://developers.cloudflare.com/durable-objects/best-practices/websockets/>); a change is
/// sent to one after the other.
const MAX_LISTENERS: usize = 10_000;

/// The close code of a WebSocket that is no longer needed (RFC 6455, 7.4.1).
pub(in crate::worker) const NORMAL_CLOSURE: u16 = 1000;

/// The close code after an error of the object (RFC 6455, 7.4.1).
const INTERNAL_ERROR: u16 = 1011;

/// Accepts a subscriber, or returns the number of subscribers if the request is not an upgrade.
pub(super) fn accept(
    context: &State,
    tables: &LedgerTables,
    request: &Request,
) -> Result<Response> {
    let headers = request.headers();
    let count = context.get_websockets().len();
    if headers.get(UPGRADE.as_str())?.is_none() {
        return rpc::listener_count_response(count);
    }
    if count >= MAX_LISTENERS {
        return rpc::too_many_response();
    }
    let since = headers.get(LAST_EVENT_ID.as_str())?.and_then(|since| since.parse().ok());
    let since = since.map(Version);
    let version = tables.version()?;
    let mut notifications = match since {
        Some(since) => missed_notifications(tables, since, version)?,
        None => Vec::new(),
    };
    if !matches!(notifications.last(), Some(ChangeNotification::Version(_))) {
        notifications.push(ChangeNotification::Version(version));
    }
    let messages =
        notifications.iter().map(rpc::encode_notification).collect::<Result<Vec<_>>>()?;
    let WebSocketPair { client, server } = WebSocketPair::new()?;
    context.accept_web_socket(&server);
    send_notifications(&server, version, &messages);
    Response::from_websocket(client)
}

/// Closes a WebSocket.
pub(in crate::worker) fn close(socket: &WebSocket, code: u16) {
    // Fails only if the socket is closed already.
    drop(socket.close(Some(code), None::<&str>));
}

/// Sends each subscriber the changes that were not sent to it yet.
pub(super) fn broadcast(context: &State, tables: &LedgerTables) {
    let sockets = context.get_websockets();
    if sockets.is_empty() {
        return;
    }
    if let Err(error) = broadcast_to(tables, &sockets) {
        console_error!("failed to broadcast to subscribers, closing their WebSockets: {error}");
        for socket in &sockets {
            close(socket, INTERNAL_ERROR);
        }
    }
}

fn broadcast_to(tables: &LedgerTables, sockets: &[WebSocket]) -> Result<()> {
    let version = tables.version()?;
    // The messages of the last subscriber: most others have missed the same changes.
    let mut cached: Option<(Version, Vec<String>)> = None;
    for socket in sockets {
        let Some(since) = last_version(socket) else {
            close(socket, INTERNAL_ERROR);
            continue;
        };
        if since == version {
            continue;
        }
        let messages = match &cached {
            Some((cached_since, messages)) if *cached_since == since => messages,
            _ => {
                let notifications = missed_notifications(tables, since, version)?;
                let messages =
                    notifications.iter().map(rpc::encode_notification).collect::<Result<_>>()?;
                &cached.insert((since, messages)).1
            }
        };
        send_notifications(socket, version, messages);
    }
    Ok(())
}

/// Returns the changes after `since`, or only the current version if one of them is not stored.
fn missed_notifications(
    tables: &LedgerTables,
    since: Version,
    version: Version,
) -> Result<Vec<ChangeNotification>> {
    if since >= version {
        return Ok(Vec::new());
    }
    let stored = tables.history_since(since)?;
    Ok(notifications_since(since, version, &stored))
}

/// Sends messages to a subscriber. If that fails, closes the WebSocket: the client reconnects and
/// resumes from the last version that it received.
fn send_notifications(socket: &WebSocket, version: Version, messages: &[String]) {
    let attached = socket.as_ref().serialize_attachment(JsValue::from(version.to_string()));
    let sent =
        attached.is_ok() && messages.iter().all(|message| socket.send_with_str(message).is_ok());
    if !sent {
        close(socket, INTERNAL_ERROR);
    }
}

/// Returns the last version that was sent to a subscriber.
fn last_version(socket: &WebSocket) -> Option<Version> {
    socket.as_ref().deserialize_attachment().ok()?.as_string()?.parse().ok().map(Version)
}
