//! Live changes of one customer: opens streams, and encodes their messages.
//!
//! | request                | response                                                              |
//! |------------------------|-----------------------------------------------------------------------|
//! | `GET /v1/stream`       | changes, as server-sent events, or over a WebSocket if requested      |
//! | `GET /ofrep/v1/stream` | refetch notifications for OpenFeature clients, as server-sent events  |
//!
//! A handler returns only the head of a response, with a [`StreamRequest`] in its extensions. The shell
//! opens the connection and subscribes to the customer's ledger. A relay
//! ([`stream_relay`](super::stream_relay)) passes each notification to a [`StreamEncoder`] and sends the
//! result.
//!
//! Specifications: <https://html.spec.whatwg.org/multipage/server-sent-events.html>; `eventStreams` of
//! OFREP 0.3.0, <https://github.com/open-feature/protocol>.

use http::{
    HeaderName, HeaderValue, Method,
    header::{self, CACHE_CONTROL, CONTENT_TYPE},
};
use serde::Serialize;

use super::{
    app::{App, Request, Response, header_str},
    auth::{self, Principal, TokenScope},
    cors, customer_set,
    error::Error,
    form::Params,
    last_event_id::take_last_event_id,
};
use crate::{
    entitlement::Version,
    id::{CustomerId, CustomerKey, LookupKey, Timestamp},
    ledger::{ChangeNotification, SetChange},
    store::{self, Freshness, Store},
    token,
};

/// Controls whether nginx buffers a response.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// The heartbeat interval, in milliseconds. Proxies close idle connections: nginx after 60 s, others
/// after 30 s.
pub const HEARTBEAT_INTERVAL: u64 = 25_000;

/// The maximum age of a stream that a server key opened, in seconds: a day.
const MAX_STREAM_AGE: i64 = 86_400;

/// The start of a server-sent stream: reconnect after 2 s.
const SSE_PREAMBLE: &str = "retry: 2000\n\n";

/// A stream that the shell opens.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StreamRequest {
    /// The customer whose changes are sent.
    pub customer: CustomerKey,
    /// The last version that the client received.
    pub last_version: Option<Version>,
    /// When the stream ends.
    pub expires_at: Timestamp,
    /// Why the stream ends at that time.
    pub end_reason: EndReason,
    /// How messages are sent.
    pub protocol: StreamProtocol,
    /// What is sent.
    pub kind: StreamKind,
}

/// Why a stream ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The token that opened it expires.
    TokenExpired,
    /// It reached the maximum age.
    MaxAge,
}

/// How a stream sends messages.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StreamProtocol {
    /// As server-sent events.
    Sse,
    /// As text messages of a WebSocket.
    WebSocket,
}

/// What a stream sends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StreamKind {
    /// Changes of the entitlements.
    Changes,
    /// Notifications that an OpenFeature client must evaluate its flags again.
    Refetch,
}

/// Handles `GET /v1/stream`.
pub(super) async fn change_stream<S: Store>(
    app: &App<'_, S>,
    request: &Request,
    now: Timestamp,
) -> Result<Response, Error> {
    let upgrade = header_str(request, header::UPGRADE).unwrap_or_default();
    let protocol = if upgrade.trim().eq_ignore_ascii_case("websocket") {
        cors::authorize_web_socket(app.settings, request)?;
        StreamProtocol::WebSocket
    } else {
        StreamProtocol::Sse
    };
    open_stream(app, request, protocol, StreamKind::Changes, now).await
}

/// Handles `GET /ofrep/v1/stream`.
pub(super) async fn refetch_stream<S: Store>(
    app: &App<'_, S>,
    request: &Request,
    now: Timestamp,
) -> Result<Response, Error> {
    open_stream(app, request, StreamProtocol::Sse, StreamKind::Refetch, now).await
}

async fn open_stream<S: Store>(
    app: &App<'_, S>,
    request: &Request,
    protocol: StreamProtocol,
    kind: StreamKind,
    now: Timestamp,
) -> Result<Response, Error> {
    let mut params = Params::from_query(request)?;
    let scope = match kind {
        StreamKind::Changes => TokenScope::Full,
        StreamKind::Refetch => TokenScope::RefetchStream,
    };
    let principal = auth::authenticate_stream(app, request, &mut params, scope, now).await?;
    let customer = principal.take_customer(&mut params)?;
    let (expires_at, end_reason) = match (principal, kind) {
        (Principal::Server(_), _) => (now.saturating_add(MAX_STREAM_AGE), EndReason::MaxAge),
        (Principal::Customer(subject), StreamKind::Changes) => {
            (subject.accepted_until, EndReason::TokenExpired)
        }
        // Without leeway: a client reconnects when the stream ends. It must then be rejected, so that
        // it evaluates its flags and gets the URL of a new stream.
        (Principal::Customer(subject), StreamKind::Refetch) => {
            (subject.expires_at, EndReason::TokenExpired)
        }
    };
    if now >= expires_at {
        return Err(token::Error::Expired { expired: expires_at, now }.into());
    }
    let last_version = take_last_event_id(request, &mut params)?;
    params.reject_unknown()?;
    if !app.settings.can_deny_unknown(customer.livemode) {
        customer_set::load(app, &customer, &[], Freshness::default(), now).await?.complete()?;
    }
    let mut response = Response::default();
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if protocol == StreamProtocol::Sse {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        // nginx buffers responses by default.
        headers.insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
    }
    if request.method() == Method::GET {
        let stream =
            StreamRequest { customer, last_version, expires_at, end_reason, protocol, kind };
        response.extensions_mut().insert(stream);
    }
    Ok(response)
}

/// The response if the customer has the maximum number of open streams.
#[must_use]
pub fn too_many_streams(stream: &StreamRequest) -> Response {
    Error::too_many_streams(&stream.customer.id).to_response()
}

/// The response if the customer's ledger is unavailable.
#[must_use]
pub fn stream_unavailable(error: store::Error) -> Response {
    Error::from(error).to_response()
}

impl StreamRequest {
    /// The version after which missed changes are sent first.
    #[must_use]
    pub fn resume_from(&self) -> Option<Version> {
        match self.kind {
            StreamKind::Changes => self.last_version,
            // One notification covers all missed changes.
            StreamKind::Refetch => None,
        }
    }
}

/// Encodes the messages of one stream.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StreamEncoder {
    request: StreamRequest,
    /// The version of the last notification.
    last_sent: Option<Version>,
}

#[derive(Serialize)]
#[serde(tag = "object")]
enum StreamMessage<'a> {
    #[serde(rename = "entitlement_version")]
    Version { customer: &'a CustomerId, livemode: bool, version: Version },
    #[serde(rename = "entitlement_change")]
    Change {
        customer: &'a CustomerId,
        livemode: bool,
        version: Version,
        added: &'a [LookupKey],
        removed: &'a [LookupKey],
    },
    #[serde(rename = "heartbeat")]
    Heartbeat,
    #[serde(rename = "stream_end")]
    End { reason: EndReason },
}

#[derive(Serialize)]
struct RefetchMessage {
    r#type: &'static str,
    etag: String,
}

impl StreamEncoder {
    /// Creates the encoder of a new stream.
    #[must_use]
    pub fn new(request: StreamRequest) -> Self {
        Self { request, last_sent: None }
    }

    /// The first bytes of the stream.
    #[must_use]
    pub fn preamble(&self) -> Option<String> {
        match self.request.protocol {
            StreamProtocol::Sse => Some(SSE_PREAMBLE.to_owned()),
            StreamProtocol::WebSocket => None,
        }
    }

    /// Encodes a notification of the ledger. `None` if the client does not need it.
    #[must_use]
    pub fn encode_notification(&mut self, notification: &ChangeNotification) -> Option<String> {
        let (ChangeNotification::Change(SetChange { version, .. })
        | ChangeNotification::Version(version)) = notification;
        // A client that reconnected and missed no change must not evaluate its flags again.
        let is_known = self.last_sent.is_none() && self.request.last_version == Some(*version);
        self.last_sent = Some(*version);
        match self.request.kind {
            StreamKind::Refetch if is_known => None,
            StreamKind::Refetch => self.encode_refetch(),
            StreamKind::Changes => {
                let CustomerKey { id: customer, livemode } = &self.request.customer;
                let livemode = bool::from(*livemode);
                let (event, message) = match notification {
                    ChangeNotification::Version(version) => (
                        "version",
                        StreamMessage::Version { customer, livemode, version: *version },
                    ),
                    ChangeNotification::Change(SetChange { version, added, removed }) => {
                        let version = *version;
                        (
                            "change",
                            StreamMessage::Change { customer, livemode, version, added, removed },
                        )
                    }
                };
                Some(self.encode_event(Some(*version), event, &message))
            }
        }
    }

    /// Encodes the message that is sent every [`HEARTBEAT_INTERVAL`].
    #[must_use]
    pub fn encode_heartbeat(&self) -> String {
        match self.request.protocol {
            StreamProtocol::Sse => ": heartbeat\n\n".to_owned(),
            StreamProtocol::WebSocket => to_json(&StreamMessage::Heartbeat),
        }
    }

    /// Encodes the last message of the stream.
    #[must_use]
    pub fn encode_end(&self) -> Option<String> {
        match self.request.kind {
            StreamKind::Changes => Some(self.encode_event(
                None,
                "expired",
                &StreamMessage::End { reason: self.request.end_reason },
            )),
            StreamKind::Refetch => self.encode_refetch(),
        }
    }

    /// The close code and reason of a WebSocket at the end of the stream.
    #[must_use]
    pub fn close_frame(&self) -> (u16, &'static str) {
        match self.request.end_reason {
            EndReason::TokenExpired => (4401, "token_expired"),
            EndReason::MaxAge => (4408, "max_age"),
        }
    }

    fn encode_refetch(&self) -> Option<String> {
        let version = self.last_sent?;
        let refetch = RefetchMessage { r#type: "refetchEvaluation", etag: version.to_string() };
        Some(self.encode_event(Some(version), "message", &refetch))
    }

    fn encode_event(&self, id: Option<Version>, event: &str, message: &impl Serialize) -> String {
        // JSON escapes line breaks, so the data is one line.
        let data = to_json(message);
        match (self.request.protocol, id) {
            (StreamProtocol::WebSocket, _) => data,
            (StreamProtocol::Sse, Some(id)) => {
                format!("id: {id}\nevent: {event}\ndata: {data}\n\n")
            }
            (StreamProtocol::Sse, None) => format!("event: {event}\ndata: {data}\n\n"),
        }
    }
}

fn to_json(message: &impl Serialize) -> String {
    // Serialization cannot fail: every map key in a message is a string.
    serde_json::to_string(message).unwrap_or_default()
}
