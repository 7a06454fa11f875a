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

use super::{customer::Desk, messages};
use crate::{
    api::stream::LAST_EVENT_ID,
    entitlement::Version,
    ledger::{Notice, missed},
};

/// The most that listen to one customer: the platform lets an object hold 32,768 WebSockets
/// (<https://developers.cloudflare.com/durable-objects/best-practices/websockets/>), and tells them
/// of a change one after the other.
const LIMIT: usize = 10_000;

/// The code of a WebSocket that has served.
pub(super) const DONE: u16 = 1000;

/// The code of a WebSocket whose end is the object's fault.
const FAILED: u16 = 1011;

impl Desk {
    /// Takes in who wants to listen, or tells how many do.
    pub(super) fn attend(&self, request: &Request) -> Result<Response> {
        let headers = request.headers();
        let many = self.state.get_websockets().len();
        if headers.get(UPGRADE.as_str())?.is_none() {
            return messages::listeners(many);
        }
        if many >= LIMIT {
            return messages::crowded();
        }
        let since = headers.get(LAST_EVENT_ID.as_str())?.and_then(|since| since.parse().ok());
        let since = since.map(Version);
        let version = self.tables().account()?.version();
        let mut notices = match since {
            Some(since) => self.notices(since, version)?,
            None => Vec::new(),
        };
        if !matches!(notices.last(), Some(Notice::Version(_))) {
            notices.push(Notice::Version(version));
        }
        let texts = notices.iter().map(messages::notice).collect::<Result<Vec<_>>>()?;
        let WebSocketPair { client, server } = WebSocketPair::new()?;
        self.state.accept_web_socket(&server);
        send(&server, version, &texts);
        Response::from_websocket(client)
    }

    /// Tells all who listen what they were not told yet.
    pub(super) fn publish(&self) {
        let sockets = self.state.get_websockets();
        if sockets.is_empty() {
            return;
        }
        if let Err(error) = self.tell_each(&sockets) {
            console_error!("those who listen are not told, and are sent away: {error}");
            for socket in &sockets {
                dismiss(socket, FAILED);
            }
        }
    }

    fn tell_each(&self, sockets: &[WebSocket]) -> Result<()> {
        let version = self.tables().account()?.version();
        // Most heard the same last, and are told the same now.
        let mut known: Option<(Version, Vec<String>)> = None;
        for socket in sockets {
            let Some(since) = told(socket) else {
                dismiss(socket, FAILED);
                continue;
            };
            if since == version {
                continue;
            }
            let texts = match &known {
                Some((same, texts)) if *same == since => texts,
                _ => {
                    let notices = self.notices(since, version)?;
                    let texts = notices.iter().map(messages::notice).collect::<Result<_>>()?;
                    &known.insert((since, texts)).1
                }
            };
            send(socket, version, texts);
        }
        Ok(())
    }

    /// The changes since, or only the version that they led to where one is not remembered.
    fn notices(&self, since: Version, version: Version) -> Result<Vec<Notice>> {
        let remembered = self.tables().changes(since)?;
        Ok(match missed(since, version, &remembered) {
            Some(changes) => changes.iter().cloned().map(Notice::Change).collect(),
            None => vec![Notice::Version(version)],
        })
    }
}

/// Tells one who listens; who cannot be told is sent away, and resumes where it was told last.
fn send(socket: &WebSocket, version: Version, texts: &[String]) {
    let attached = socket.as_ref().serialize_attachment(JsValue::from(version.to_string()));
    let sent = attached.is_ok() && texts.iter().all(|text| socket.send_with_str(text).is_ok());
    if !sent {
        dismiss(socket, FAILED);
    }
}

/// The version that was told last.
fn told(socket: &WebSocket) -> Option<Version> {
    socket.as_ref().deserialize_attachment().ok()?.as_string()?.parse().ok().map(Version)
}

/// Closes a WebSocket, whatever became of it.
pub(super) fn dismiss(socket: &WebSocket, code: u16) {
    // One that is closed already says so, and that is all.
    drop(socket.close(Some(code), None::<&str>));
}
