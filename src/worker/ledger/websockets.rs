//! Who listens to a customer: the WebSockets that its Durable Object holds.
//!
//! They hibernate: while nothing is to be told, the object is out of memory, and they stay. So all
//! that is known of one is attached to it: the version that it was told last. What it is told is
//! found in the tables, and is committed before it leaves the object: what the platform sends waits
//! for what was written.
//!
//! To listen asks no source, and stores nothing: a stranger has version 0.

use ::http::header::UPGRADE;
use worker::{
    Request, Response, Result, WebSocket, WebSocketPair, console_error, wasm_bindgen::JsValue,
    worker_sys::ext::WebSocketExt as _,
};

use super::{object::CustomerState, rpc as messages};
use crate::{
    api::stream::LAST_EVENT_ID,
    entitlement::Version,
    ledger::{ChangeNotification, changes_since},
};

/// The most that listen to one customer: the platform lets an object hold 32,768 WebSockets
/// (<https://developers.cloudflare.com/durable-objects/best-practices/websockets/>), and tells them
/// of a change one after the other.
const MAX_LISTENERS: usize = 10_000;

/// The code of a WebSocket that has served.
pub(in crate::worker) const NORMAL_CLOSURE: u16 = 1000;

/// The code of a WebSocket whose end is the object's fault.
const INTERNAL_ERROR: u16 = 1011;

impl CustomerState {
    /// Takes in who wants to listen, or tells how many do.
    pub(in crate::worker) fn accept(&self, request: &Request) -> Result<Response> {
        let headers = request.headers();
        let many = self.state.get_websockets().len();
        if headers.get(UPGRADE.as_str())?.is_none() {
            return messages::listener_count(many);
        }
        if many >= MAX_LISTENERS {
            return messages::too_many();
        }
        let since = headers.get(LAST_EVENT_ID.as_str())?.and_then(|since| since.parse().ok());
        let since = since.map(Version);
        let version = self.storage().state()?.version();
        let mut notices = match since {
            Some(since) => self.notifications_since(since, version)?,
            None => Vec::new(),
        };
        if !matches!(notices.last(), Some(ChangeNotification::Version(_))) {
            notices.push(ChangeNotification::Version(version));
        }
        let texts =
            notices.iter().map(messages::encode_notification).collect::<Result<Vec<_>>>()?;
        let WebSocketPair { client, server } = WebSocketPair::new()?;
        self.state.accept_web_socket(&server);
        send_notifications(&server, version, &texts);
        Response::from_websocket(client)
    }

    /// Tells all who listen what they were not told yet.
    pub(in crate::worker) fn broadcast(&self) {
        let sockets = self.state.get_websockets();
        if sockets.is_empty() {
            return;
        }
        if let Err(error) = self.broadcast_to(&sockets) {
            console_error!("those who listen are not told, and are sent away: {error}");
            for socket in &sockets {
                close(socket, INTERNAL_ERROR);
            }
        }
    }

    fn broadcast_to(&self, sockets: &[WebSocket]) -> Result<()> {
        let version = self.storage().state()?.version();
        // Most heard the same last, and are told the same now.
        let mut known: Option<(Version, Vec<String>)> = None;
        for socket in sockets {
            let Some(since) = last_version(socket) else {
                close(socket, INTERNAL_ERROR);
                continue;
            };
            if since == version {
                continue;
            }
            let texts = match &known {
                Some((same, texts)) if *same == since => texts,
                _ => {
                    let notices = self.notifications_since(since, version)?;
                    let texts =
                        notices.iter().map(messages::encode_notification).collect::<Result<_>>()?;
                    &known.insert((since, texts)).1
                }
            };
            send_notifications(socket, version, texts);
        }
        Ok(())
    }

    /// The changes since, or only the version that they led to where one is not remembered.
    fn notifications_since(
        &self,
        since: Version,
        version: Version,
    ) -> Result<Vec<ChangeNotification>> {
        let remembered = self.storage().changes_since(since)?;
        Ok(match changes_since(since, version, &remembered) {
            Some(changes) => changes.iter().cloned().map(ChangeNotification::Change).collect(),
            None => vec![ChangeNotification::Version(version)],
        })
    }
}

/// Tells one who listens; who cannot be told is sent away, and resumes where it was told last.
fn send_notifications(socket: &WebSocket, version: Version, texts: &[String]) {
    let attached = socket.as_ref().serialize_attachment(JsValue::from(version.to_string()));
    let sent = attached.is_ok() && texts.iter().all(|text| socket.send_with_str(text).is_ok());
    if !sent {
        close(socket, INTERNAL_ERROR);
    }
}

/// The version that was told last.
fn last_version(socket: &WebSocket) -> Option<Version> {
    socket.as_ref().deserialize_attachment().ok()?.as_string()?.parse().ok().map(Version)
}

/// Closes a WebSocket, whatever became of it.
pub(in crate::worker) fn close(socket: &WebSocket, code: u16) {
    // One that is closed already says so, and that is all.
    drop(socket.close(Some(code), None::<&str>));
}
