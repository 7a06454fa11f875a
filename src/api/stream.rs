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
    auth::{self, Caller},
    error::Error,
    form::{Params, all_digits},
    text,
};
use crate::{
    entitlement::Version,
    id::{Customer, CustomerId, LookupKey, Millis, Timestamp},
    ledger::{Change, Notice},
    store::{self, Store},
    token::{self, LEEWAY},
};

/// What a browser sends when it reconnects.
pub const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Whether nginx gathers what it passes on.
const BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// How often a listener hears something, in milliseconds: what stands between ends a connection that
/// is silent, nginx after 60 s, others after 30.
pub const HEARTBEAT: u64 = 25_000;

/// How long a server key listens, in seconds: a day.
const MAX_AGE: i64 = 86_400;

/// What tells who evaluates anew to do it the last time, before the end, in milliseconds: within the
/// leeway of the token, so that who comes back at once is sent for a new one, and not for all at the
/// same moment.
const LEAD: (u64, u64) = (5_000, 60_000);

/// What a server-sent stream begins with: reconnect after 2 s.
const OPENING: &str = "retry: 2000\n\n";

/// A stream to be opened.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Listen {
    /// Who is listened to.
    pub customer: Customer,
    /// The last version that was heard of.
    pub since: Option<Version>,
    /// When it ends.
    pub until: Timestamp,
    /// Why it ends then.
    pub end: End,
    /// How it is told.
    pub form: Form,
    /// What is told.
    pub notices: Notices,
}

/// Why a stream ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// So does the token that opened it.
    TokenExpired,
    /// It is open for long.
    MaxAge,
}

/// How a stream is told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Form {
    /// As server-sent events.
    Events,
    /// As texts of a WebSocket.
    WebSocket,
}

/// What a stream tells.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Notices {
    /// What changed.
    Changes,
    /// That OpenFeature's flags are to be evaluated anew.
    Refetch,
}

/// `GET /v1/stream`.
pub(super) async fn changes<S: Store>(
    app: &App<'_, S>,
    request: &Request,
    now: Timestamp,
) -> Result<Response, Error> {
    let upgrade = text(request, header::UPGRADE).unwrap_or_default();
    let form = if upgrade.trim().eq_ignore_ascii_case("websocket") {
        Form::WebSocket
    } else {
        Form::Events
    };
    open(app, request, form, Notices::Changes, now).await
}

/// `GET /ofrep/v1/stream`.
pub(super) async fn refetches<S: Store>(
    app: &App<'_, S>,
    request: &Request,
    now: Timestamp,
) -> Result<Response, Error> {
    open(app, request, Form::Events, Notices::Refetch, now).await
}

async fn open<S: Store>(
    app: &App<'_, S>,
    request: &Request,
    form: Form,
    notices: Notices,
    now: Timestamp,
) -> Result<Response, Error> {
    let mut params = Params::query(request)?;
    let caller = auth::listener(app, request, &mut params, now).await?;
    let customer = caller.customer(&mut params)?;
    let (until, end) = match caller {
        Caller::Server(_) => (Timestamp(now.0.saturating_add(MAX_AGE)), End::MaxAge),
        Caller::Customer(holder) => (holder.until, End::TokenExpired),
    };
    let expires = Timestamp(until.0.saturating_sub(LEEWAY));
    if notices == Notices::Refetch && now >= expires {
        // This stream ended for good: who comes back to its URL is to ask for another one.
        return Err(token::Error::Expired { expired: expires, now }.into());
    }
    let given = params.integer("last_event_id", 0..=u64::MAX)?;
    params.finish()?;
    // The header is the newer one: a browser repeats the parameters of its first request.
    let repeated =
        text(request, LAST_EVENT_ID).filter(|id| all_digits(id)).and_then(|id| id.parse().ok());
    let since = repeated.or(given).map(Version);
    let mut response = Response::default();
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if form == Form::Events {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        // nginx gathers what it passes on otherwise.
        headers.insert(BUFFERING, HeaderValue::from_static("no"));
    }
    if request.method() == Method::GET {
        let listen = Listen { customer, since, until, end, form, notices };
        response.extensions_mut().insert(listen);
    }
    Ok(response)
}

/// The answer where as many listen to the customer as may.
#[must_use]
pub fn crowded(listen: &Listen) -> Response {
    Error::crowded(&listen.customer.id).response()
}

/// The answer where the customer cannot be listened to at the moment.
#[must_use]
pub fn unreachable(error: store::Error) -> Response {
    Error::from(error).response()
}

impl Listen {
    /// The version whose later changes are to be told first.
    #[must_use]
    pub fn resumes(&self) -> Option<Version> {
        match self.notices {
            Notices::Changes => self.since,
            // One notice says it all, whatever was missed.
            Notices::Refetch => None,
        }
    }

    /// When the end is told, by a number from 0 up to 1.
    #[must_use]
    pub fn ends(&self, chance: f64) -> Millis {
        let until = Millis::from(self.until);
        match self.notices {
            Notices::Changes => until,
            Notices::Refetch => {
                let (least, most) = LEAD;
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    clippy::cast_precision_loss,
                    reason = "less than a minute of milliseconds"
                )]
                let more = (chance.clamp(0.0, 1.0) * (most - least) as f64) as u64;
                Millis(until.0.saturating_sub(least.saturating_add(more)))
            }
        }
    }
}

/// What one listener is told, text by text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Feed {
    listen: Listen,
    /// The version told last.
    last: Option<Version>,
}

#[derive(Serialize)]
#[serde(tag = "object")]
enum Told<'a> {
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
    End { reason: End },
}

#[derive(Serialize)]
struct Refetch {
    r#type: &'static str,
    etag: String,
}

impl Feed {
    /// The texts of a stream that was just opened.
    #[must_use]
    pub fn of(listen: Listen) -> Self {
        Self { listen, last: None }
    }

    /// What comes first.
    #[must_use]
    pub fn opening(&self) -> Option<String> {
        match self.listen.form {
            Form::Events => Some(OPENING.to_owned()),
            Form::WebSocket => None,
        }
    }

    /// How a notice is told, if it is.
    #[must_use]
    pub fn notice(&mut self, notice: &Notice) -> Option<String> {
        let (Notice::Change(Change { version, .. }) | Notice::Version(version)) = notice;
        // A browser that came back and missed nothing has nothing to evaluate.
        let known = self.last.is_none() && self.listen.since == Some(*version);
        self.last = Some(*version);
        match self.listen.notices {
            Notices::Refetch if known => None,
            Notices::Refetch => self.refetch(),
            Notices::Changes => {
                let Customer { id: customer, livemode } = &self.listen.customer;
                let livemode = bool::from(*livemode);
                let (event, told) = match notice {
                    Notice::Version(version) => {
                        ("version", Told::Version { customer, livemode, version: *version })
                    }
                    Notice::Change(Change { version, added, removed }) => {
                        let version = *version;
                        ("change", Told::Change { customer, livemode, version, added, removed })
                    }
                };
                Some(self.text(Some(*version), event, &told))
            }
        }
    }

    /// What is told every [`HEARTBEAT`].
    #[must_use]
    pub fn heartbeat(&self) -> String {
        match self.listen.form {
            Form::Events => ": heartbeat\n\n".to_owned(),
            Form::WebSocket => json(&Told::Heartbeat),
        }
    }

    /// What is told last, if anything.
    #[must_use]
    pub fn end(&self) -> Option<String> {
        match self.listen.notices {
            Notices::Changes => {
                Some(self.text(None, "expired", &Told::End { reason: self.listen.end }))
            }
            Notices::Refetch => self.refetch(),
        }
    }

    /// The code and the reason that a WebSocket is closed with then.
    #[must_use]
    pub fn close(&self) -> (u16, &'static str) {
        match self.listen.end {
            End::TokenExpired => (4401, "token_expired"),
            End::MaxAge => (4408, "max_age"),
        }
    }

    fn refetch(&self) -> Option<String> {
        let version = self.last?;
        let refetch = Refetch { r#type: "refetchEvaluation", etag: version.to_string() };
        Some(self.text(Some(version), "message", &refetch))
    }

    fn text(&self, id: Option<Version>, event: &str, told: &impl Serialize) -> String {
        // JSON has no line break that is not escaped.
        let data = json(told);
        match (self.listen.form, id) {
            (Form::WebSocket, _) => data,
            (Form::Events, Some(id)) => format!("id: {id}\nevent: {event}\ndata: {data}\n\n"),
            (Form::Events, None) => format!("event: {event}\ndata: {data}\n\n"),
        }
    }
}

fn json(told: &impl Serialize) -> String {
    // No map here has a key that is no text: nothing fails.
    serde_json::to_string(told).unwrap_or_default()
}
