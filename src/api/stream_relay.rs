//! Relays the changes of one customer from its ledger to one client.
//!
//! The relay sends heartbeats, ends the stream in time, and detects that a side closed or that the
//! client accepts no more data. If either side closes, the relay closes the other one. A client then
//! reconnects and resumes. Not here: the messages ([`StreamEncoder`]), and the connections, which are
//! [`StreamConnection`]s of the platform.

use super::stream::{HEARTBEAT_INTERVAL, StreamEncoder};
use crate::{id::UnixMillis, ledger::ChangeNotification, waiting::within};

/// How long a client may take to accept a message, in milliseconds. Later messages wait meanwhile.
pub const CLIENT_WRITE_TIMEOUT: u64 = 20_000;

/// The code and the reason with which the connection to a client is closed:
/// <https://www.iana.org/assignments/websocket/websocket.xhtml#close-code-number>.
pub type CloseFrame = (u16, &'static str);

/// The client closed, or does not accept messages.
const CLOSED: CloseFrame = (1000, "");

/// The client sent a message that is too large.
const MESSAGE_TOO_BIG: CloseFrame = (1009, "");

/// The ledger closed its side. A client reconnects after this code.
pub const SERVICE_RESTART: CloseFrame = (1012, "");

/// What arrives from either side of a stream.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum StreamInput {
    /// The ledger sent a notification.
    Notification(ChangeNotification),
    /// The ledger closed its side.
    LedgerClosed,
    /// The client sent `ping`.
    Ping,
    /// The client sent a message that is too large.
    TooLarge,
    /// The client sent a message without an effect.
    Ignored,
    /// The client closed its side.
    ClientClosed,
}

/// The connections of one stream: to the ledger and to the client.
#[expect(async_fn_in_trait, reason = "a Worker has one thread: futures need not be `Send`")]
pub trait StreamConnection {
    /// Returns what arrives next. Nothing is lost if the future is dropped before it ends.
    async fn receive(&mut self) -> StreamInput;

    /// Sends a message to the client. Returns whether the client accepted it.
    async fn send(&mut self, message: &str) -> bool;

    /// Closes both sides, and waits until the client has accepted everything. Returns whether it has.
    async fn close(&mut self, frame: CloseFrame) -> bool;

    /// Drops what the client has not accepted.
    async fn abort(&mut self);
}

/// The time by which a relay sends heartbeats and ends.
pub trait StreamTimer {
    /// Returns the current time.
    fn now(&self) -> UnixMillis;

    /// Resolves after this many milliseconds.
    fn sleep(&self, millis: u64) -> impl Future<Output = ()>;
}

/// Relays messages until either side closes or the stream's time is up, and closes both sides.
pub async fn run_relay(
    connection: &mut impl StreamConnection,
    timer: &impl StreamTimer,
    mut encoder: StreamEncoder,
    closes_at: UnixMillis,
) {
    let frame = relay(connection, timer, &mut encoder, closes_at).await;
    if !ends_in_time(timer, connection.close(frame)).await {
        connection.abort().await;
    }
}

async fn relay(
    connection: &mut impl StreamConnection,
    timer: &impl StreamTimer,
    encoder: &mut StreamEncoder,
    closes_at: UnixMillis,
) -> CloseFrame {
    if let Some(preamble) = encoder.preamble()
        && !ends_in_time(timer, connection.send(&preamble)).await
    {
        return CLOSED;
    }
    let mut next_heartbeat = timer.now().saturating_add(HEARTBEAT_INTERVAL);
    loop {
        let now = timer.now();
        let message = if now >= closes_at {
            if let Some(end) = encoder.encode_end() {
                ends_in_time(timer, connection.send(&end)).await;
            }
            return encoder.close_frame();
        } else if now >= next_heartbeat {
            next_heartbeat = now.saturating_add(HEARTBEAT_INTERVAL);
            Some(encoder.encode_heartbeat())
        } else {
            let pause = timer.sleep(next_heartbeat.min(closes_at).millis_since(now));
            match within(pause, connection.receive()).await {
                Some(StreamInput::Notification(change)) => encoder.encode_notification(&change),
                Some(StreamInput::Ping) => Some("pong".to_owned()),
                Some(StreamInput::Ignored) | None => None,
                Some(StreamInput::LedgerClosed) => return SERVICE_RESTART,
                Some(StreamInput::TooLarge) => return MESSAGE_TOO_BIG,
                Some(StreamInput::ClientClosed) => return CLOSED,
            }
        };
        if let Some(message) = message
            && !ends_in_time(timer, connection.send(&message)).await
        {
            return CLOSED;
        }
    }
}

/// Returns the result of a write to the client, or false if there is none in time.
async fn ends_in_time(timer: &impl StreamTimer, write: impl Future<Output = bool>) -> bool {
    within(timer.sleep(CLIENT_WRITE_TIMEOUT), write).await == Some(true)
}
