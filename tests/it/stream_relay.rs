//! The relay between a ledger and a client: heartbeats, time limits, and what closes it.

use std::{cell::RefCell, collections::VecDeque, rc::Rc};

use entgate::{
    api::{
        stream::{HEARTBEAT_INTERVAL, StreamEncoder, StreamKind, StreamProtocol},
        stream_relay::{
            CLIENT_WRITE_TIMEOUT, CloseFrame, StreamConnection, StreamInput, StreamTimer, run_relay,
        },
    },
    entitlement::Version,
    id::UnixMillis,
    ledger::ChangeNotification,
    store::memory::VirtualTime,
};

use crate::stream::stream_request;

/// How the client reacts to a write.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Client {
    Accepts,
    Refuses,
    /// It accepts nothing, and does not close.
    Hangs,
}

/// A connection whose input arrives at set times. `log` has what the client receives, each with its
/// time in milliseconds.
struct Connection {
    time: VirtualTime,
    input: VecDeque<(u64, StreamInput)>,
    client: Client,
    log: Rc<RefCell<Vec<(u64, String)>>>,
}

impl Connection {
    fn note(&self, text: &str) {
        self.log.borrow_mut().push((self.time.now().0, text.to_owned()));
    }

    async fn write(&self, text: &str) -> bool {
        match self.client {
            Client::Accepts => self.note(text),
            Client::Refuses => return false,
            Client::Hangs => std::future::pending().await,
        }
        true
    }
}

impl StreamConnection for Connection {
    async fn receive(&mut self) -> StreamInput {
        let Some((at, _)) = self.input.front() else { return std::future::pending().await };
        self.time.sleep(at.saturating_sub(self.time.now().0)).await;
        self.input.pop_front().unwrap().1
    }

    async fn send(&mut self, message: &str) -> bool {
        self.write(message).await
    }

    async fn close(&mut self, (code, reason): CloseFrame) -> bool {
        self.write(&format!("close {code} {reason}")).await
    }

    async fn abort(&mut self) {
        self.note("abort");
    }
}

struct Timer(VirtualTime);

impl StreamTimer for Timer {
    fn now(&self) -> UnixMillis {
        self.0.now()
    }

    fn sleep(&self, millis: u64) -> impl Future<Output = ()> {
        self.0.sleep(millis)
    }
}

/// Runs a relay over a WebSocket. Returns what the client received, and when the relay ended.
fn run(client: Client, closes_at: u64, input: &[(u64, StreamInput)]) -> (Vec<(u64, String)>, u64) {
    let time = VirtualTime::default();
    let log = Rc::default();
    let input = input.iter().cloned().collect();
    let mut connection = Connection { time: time.clone(), input, client, log: Rc::clone(&log) };
    let encoder =
        StreamEncoder::new(stream_request(None, StreamProtocol::WebSocket, StreamKind::Changes));
    let timer = Timer(time.clone());
    let relay = run_relay(&mut connection, &timer, encoder, UnixMillis(closes_at));
    time.run_until(relay).unwrap();
    (log.take(), time.now().0)
}

fn texts(log: &[(u64, String)]) -> Vec<(u64, &str)> {
    log.iter().map(|(at, text)| (*at, text.as_str())).collect()
}

#[test]
fn a_heartbeat_is_sent_every_25_seconds_until_the_stream_ends() {
    let (log, end) = run(Client::Accepts, 3 * HEARTBEAT_INTERVAL, &[]);
    let heartbeat = r#"{"object":"heartbeat"}"#;
    let stream_end = r#"{"object":"stream_end","reason":"max_age"}"#;
    let expected = [
        (25_000, heartbeat),
        (50_000, heartbeat),
        (75_000, stream_end),
        (75_000, "close 4408 max_age"),
    ];
    assert_eq!(texts(&log), expected);
    assert_eq!(end, 75_000);
}

#[test]
fn a_notification_does_not_delay_the_heartbeat() {
    let version = StreamInput::Notification(ChangeNotification::Version(Version(3)));
    let input = [(24_999, version), (25_001, StreamInput::ClientClosed)];
    let (log, _) = run(Client::Accepts, 60_000, &input);
    let times = log.iter().map(|(at, _)| *at).collect::<Vec<_>>();
    assert_eq!(times, [24_999, 25_000, 25_001]);
    assert!(log[0].1.contains("\"version\":3"), "{log:?}");
}

#[test]
fn a_ping_is_answered_and_other_messages_are_ignored() {
    let input = [(1, StreamInput::Ignored), (2, StreamInput::Ping), (3, StreamInput::ClientClosed)];
    let (log, end) = run(Client::Accepts, 60_000, &input);
    assert_eq!(texts(&log), [(2, "pong"), (3, "close 1000 ")]);
    assert_eq!(end, 3);
}

#[test]
fn each_end_has_its_close_code() {
    for (input, frame) in [
        (StreamInput::ClientClosed, "close 1000 "),
        (StreamInput::TooLarge, "close 1009 "),
        (StreamInput::LedgerClosed, "close 1012 "),
    ] {
        let (log, _) = run(Client::Accepts, 60_000, &[(7, input)]);
        assert_eq!(texts(&log), [(7, frame)]);
    }
}

#[test]
fn a_client_that_refuses_a_message_is_closed_at_once() {
    let (log, end) = run(Client::Refuses, 60_000, &[(5, StreamInput::Ping)]);
    assert_eq!(texts(&log), [(5, "abort")]);
    assert_eq!(end, 5);
}

#[test]
fn a_client_that_accepts_nothing_is_aborted_after_20_seconds_for_the_message_and_the_close() {
    let (log, end) = run(Client::Hangs, 600_000, &[(5, StreamInput::Ping)]);
    assert_eq!(texts(&log), [(5 + 2 * CLIENT_WRITE_TIMEOUT, "abort")]);
    assert_eq!(end, 40_005);
}
