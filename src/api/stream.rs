//! Live changes: who listens to whom, and the texts that a listener is told.
//!
//! | request             | answer                                                              |
//! |---------------------|---------------------------------------------------------------------|
//! | `GET /v1/stream`    | changes, as server-sent events, or as a WebSocket if that is asked for |
//! | `GET /ofrep/v1/stream` | notices to evaluate anew, as server-sent events                  |
//!
//! The answer here is only the head of one: it carries a [`Listen`], which whoever runs this opens.
//! What it then hears of the customer and of time it tells to a [`Feed`], which gives the texts.
//!
//! Events are those of <https://html.spec.whatwg.org/multipage/server-sent-events.html>, those of
//! OpenFeature as `eventStreams` of OFREP 0.3.0 has them. A last event id comes as a header when a
//! browser reconnects, and as a parameter from who resumes by himself.

use http::{
    HeaderName, HeaderValue, Method,
    header::{self, CACHE_CONTROL, CONTENT_TYPE},
};
use serde::Serialize;

use super::{
    App, Request, Response,
    auth::{self, Principal},
    error::Error,
    form::{Params, is_all_digits},
    header_str,
};
use crate::{
    entitlement::Version,
    id::{CustomerId, CustomerKey, LookupKey, Timestamp, UnixMillis},
    ledger::{ChangeNotification, SetChange},
    store::{self, Store},
    token::{self, LEEWAY},
};

/// What a browser sends when it reconnects.
pub const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Whether nginx gathers what it passes on.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// How often a listener hears something, in milliseconds: what stands between ends a connection that
/// is silent, nginx after 60 s, others after 30.
pub const HEARTBEAT_INTERVAL: u64 = 25_000;

/// How long a server key listens, in seconds: a day.
const MAX_STREAM_AGE: i64 = 86_400;

/// What tells who evaluates anew to do it the last time, before the end, in milliseconds: within the
/// leeway of the token, so that who comes back at once is sent for a new one, and not for all at the
/// same moment.
const EARLY_CLOSE_MS: (u64, u64) = (5_000, 60_000);

/// What a server-sent stream begins with: reconnect after 2 s.
const SSE_PREAMBLE: &str = "retry: 2000\n\n";

/// A stream to be opened.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StreamRequest {
    /// Who is listened to.
    pub customer: CustomerKey,
    /// The last version that was heard of.
    pub last_version: Option<Version>,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Why it ends then.
    pub end_reason: EndReason,
    /// How it is told.
    pub protocol: StreamProtocol,
    /// What is told.
    pub kind: StreamKind,
}

/// Why a stream ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// So does the token that opened it.
    TokenExpired,
    /// It is open for long.
    MaxAge,
}

/// How a stream is told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StreamProtocol {
    /// As server-sent events.
    Sse,
    /// As texts of a WebSocket.
    WebSocket,
}

/// What a stream tells.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StreamKind {
    /// What changed.
    Changes,
    /// That OpenFeature's flags are to be evaluated anew.
    Refetch,
}

/// `GET /v1/stream`.
pub(super) async fn change_stream<S: Store>(
    app: &App<'_, S>,
    request: &Request,
    now: Timestamp,
) -> Result<Response, Error> {
    let upgrade = header_str(request, header::UPGRADE).unwrap_or_default();
    let form = if upgrade.trim().eq_ignore_ascii_case("websocket") {
        StreamProtocol::WebSocket
    } else {
        StreamProtocol::Sse
    };
    open_stream(app, request, form, StreamKind::Changes, now).await
}

/// `GET /ofrep/v1/stream`.
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
    form: StreamProtocol,
    notices: StreamKind,
    now: Timestamp,
) -> Result<Response, Error> {
    let mut params = Params::from_query(request)?;
    let caller = auth::authenticate_stream(app, request, &mut params, now).await?;
    let customer = caller.take_customer(&mut params)?;
    let (until, end) = match caller {
        Principal::Server(_) => {
            (Timestamp(now.0.saturating_add(MAX_STREAM_AGE)), EndReason::MaxAge)
        }
        Principal::Customer(holder) => (holder.expires_at, EndReason::TokenExpired),
    };
    let expires = Timestamp(until.0.saturating_sub(LEEWAY));
    if notices == StreamKind::Refetch && now >= expires {
        // This stream ended for good: who comes back to its URL is to ask for another one.
        return Err(token::Error::Expired { expired: expires, now }.into());
    }
    let given = params.take_integer("last_event_id", 0..=u64::MAX)?;
    params.reject_unknown()?;
    // The header is the newer one: a browser repeats the parameters of its first request.
    let repeated = header_str(request, LAST_EVENT_ID)
        .filter(|id| is_all_digits(id))
        .and_then(|id| id.parse().ok());
    let since = repeated.or(given).map(Version);
    let mut response = Response::default();
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if form == StreamProtocol::Sse {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        // nginx gathers what it passes on otherwise.
        headers.insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
    }
    if request.method() == Method::GET {
        let listen = StreamRequest {
            customer,
            last_version: since,
            expires_at: until,
            end_reason: end,
            protocol: form,
            kind: notices,
        };
        response.extensions_mut().insert(listen);
    }
    Ok(response)
}

/// The answer where as many listen to the customer as may.
#[must_use]
pub fn too_many_streams(listen: &StreamRequest) -> Response {
    Error::too_many_streams(&listen.customer.id).to_response()
}

/// The answer where the customer cannot be listened to at the moment.
#[must_use]
pub fn stream_unavailable(error: store::Error) -> Response {
    Error::from(error).to_response()
}

impl StreamRequest {
    /// The version whose later changes are to be told first.
    #[must_use]
    pub fn resume_from(&self) -> Option<Version> {
        match self.kind {
            StreamKind::Changes => self.last_version,
            // One notice says it all, whatever was missed.
            StreamKind::Refetch => None,
        }
    }

    /// When the end is told, by a number from 0 up to 1.
    #[must_use]
    pub fn closes_at(&self, chance: f64) -> UnixMillis {
        let until = UnixMillis::from(self.expires_at);
        match self.kind {
            StreamKind::Changes => until,
            StreamKind::Refetch => {
                let (least, most) = EARLY_CLOSE_MS;
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    clippy::cast_precision_loss,
                    reason = "less than a minute of milliseconds"
                )]
                let more = (chance.clamp(0.0, 1.0) * (most - least) as f64) as u64;
                UnixMillis(until.0.saturating_sub(least.saturating_add(more)))
            }
        }
    }
}

/// What one listener is told, text by text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StreamEncoder {
    request: StreamRequest,
    /// The version told last.
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
    /// The texts of a stream that was just opened.
    #[must_use]
    pub fn new(listen: StreamRequest) -> Self {
        Self { request: listen, last_sent: None }
    }

    /// What comes first.
    #[must_use]
    pub fn preamble(&self) -> Option<String> {
        match self.request.protocol {
            StreamProtocol::Sse => Some(SSE_PREAMBLE.to_owned()),
            StreamProtocol::WebSocket => None,
        }
    }

    /// How a notice is told, if it is.
    #[must_use]
    pub fn encode_notification(&mut self, notice: &ChangeNotification) -> Option<String> {
        let (ChangeNotification::Change(SetChange { version, .. })
        | ChangeNotification::Version(version)) = notice;
        // A browser that came back and missed nothing has nothing to evaluate.
        let known = self.last_sent.is_none() && self.request.last_version == Some(*version);
        self.last_sent = Some(*version);
        match self.request.kind {
            StreamKind::Refetch if known => None,
            StreamKind::Refetch => self.encode_refetch(),
            StreamKind::Changes => {
                let CustomerKey { id: customer, livemode } = &self.request.customer;
                let livemode = bool::from(*livemode);
                let (event, told) = match notice {
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
                Some(self.encode_event(Some(*version), event, &told))
            }
        }
    }

    /// What is told every [`HEARTBEAT`].
    #[must_use]
    pub fn encode_heartbeat(&self) -> String {
        match self.request.protocol {
            StreamProtocol::Sse => ": heartbeat\n\n".to_owned(),
            StreamProtocol::WebSocket => to_json(&StreamMessage::Heartbeat),
        }
    }

    /// What is told last, if anything.
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

    /// The code and the reason that a WebSocket is closed with then.
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

    fn encode_event(&self, id: Option<Version>, event: &str, told: &impl Serialize) -> String {
        // JSON has no line break that is not escaped.
        let data = to_json(told);
        match (self.request.protocol, id) {
            (StreamProtocol::WebSocket, _) => data,
            (StreamProtocol::Sse, Some(id)) => {
                format!("id: {id}\nevent: {event}\ndata: {data}\n\n")
            }
            (StreamProtocol::Sse, None) => format!("event: {event}\ndata: {data}\n\n"),
        }
    }
}

fn to_json(told: &impl Serialize) -> String {
    // No map here has a key that is no text: nothing fails.
    serde_json::to_string(told).unwrap_or_default()
}
