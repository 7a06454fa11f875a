//! The way of live changes from a customer's Durable Object to one client.
//!
//! ```text
//! object ──WebSocket that hibernates──▶ here, for as long as the client stays ──▶ events, or a WebSocket
//! ```
//!
//! Only here does somebody stay awake for a client: for its heartbeat, for the end of its time, and to
//! see that it went away. Either end takes the other along: when the client goes, the object forgets
//! it; when the object goes, the client comes again and resumes. The texts are made in
//! [`crate::api::stream`].

use ::http::HeaderValue;
use futures_util::{
    FutureExt as _, StreamExt as _,
    future::{Either, select},
    stream::{LocalBoxStream, once},
};
use js_sys::{Reflect, Uint8Array};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen_futures::JsFuture;
use web_sys::{BinaryType, ReadableStream, WritableStream, WritableStreamDefaultWriter};
use worker::{
    Context, Result, WebSocket, WebSocketPair, WebsocketEvent, console_error,
    ws_events::MessageEvent,
};

use super::{
    http::{self, REQUEST_ID},
    ledger::DurableLedger,
    listeners::{DONE, dismiss},
    messages, millis, sleep,
};
use crate::{
    api::{
        self,
        stream::{self, Feed, Form, HEARTBEAT, Listen},
    },
    id::Millis,
};

/// The most bytes of what a client says: more than any `ping`.
const MESSAGE_LIMIT: usize = 4 << 10;

/// How long a client may take to take a text, in milliseconds; what came meanwhile waits here.
const PATIENCE: u64 = 20_000;

/// The code of a WebSocket whose client said too much (RFC 6455, 7.4.1).
const TOO_BIG: u16 = 1009;

/// The code of a WebSocket that is to be opened again: the service restarts.
const RESTART: u16 = 1012;

#[wasm_bindgen]
extern "C" {
    /// Bytes go in, the same bytes come out, and none are kept between:
    /// <https://developers.cloudflare.com/workers/runtime-apis/streams/transformstream/>.
    type IdentityTransformStream;

    #[wasm_bindgen(constructor, catch)]
    fn new() -> std::result::Result<IdentityTransformStream, wasm_bindgen::JsValue>;

    #[wasm_bindgen(method, getter)]
    fn readable(this: &IdentityTransformStream) -> ReadableStream;

    #[wasm_bindgen(method, getter)]
    fn writable(this: &IdentityTransformStream) -> WritableStream;
}

/// Where a client is told.
enum Client {
    Events(WritableStreamDefaultWriter),
    WebSocket(WebSocket),
}

/// What a client says.
enum Said {
    Ping,
    TooMuch,
    Anything,
    Goodbye,
}

/// Opens a stream, and answers with it.
pub(super) async fn open(
    ledger: &DurableLedger,
    listen: Listen,
    mut response: api::Response,
    id: HeaderValue,
    context: &Context,
) -> Result<web_sys::Response> {
    let refused = match ledger.listen(&listen.customer, listen.resumes()).await {
        Ok(Some(object)) => {
            response.headers_mut().insert(REQUEST_ID, id);
            let (client, answer) = connect(listen.form, &response)?;
            let ends = listen.ends(js_sys::Math::random());
            // Past the end of the client's request, for as long as it takes to see that it ended.
            context.wait_until(run(object, client, Feed::of(listen), ends));
            return Ok(answer);
        }
        Ok(None) => stream::crowded(&listen),
        Err(error) => {
            console_error!("{error}");
            stream::unreachable(error)
        }
    };
    let (mut head, body) = refused.into_parts();
    for (name, value) in response.headers() {
        head.headers.entry(name).or_insert_with(|| value.clone());
    }
    http::answer(api::Response::from_parts(head, body), id)
}

/// The two ends of a stream: ours, and the answer that is the client's.
fn connect(form: Form, response: &api::Response) -> Result<(Client, web_sys::Response)> {
    let init = http::head(response)?;
    match form {
        Form::Events => {
            let pipe = IdentityTransformStream::new()?;
            let readable = pipe.readable();
            let answer =
                web_sys::Response::new_with_opt_readable_stream_and_init(Some(&readable), &init)?;
            Ok((Client::Events(pipe.writable().get_writer()?), answer))
        }
        Form::WebSocket => {
            let WebSocketPair { client, server } = WebSocketPair::new()?;
            init.set_status(101);
            Reflect::set(&init, &"webSocket".into(), client.as_ref())?;
            let answer = web_sys::Response::new_with_opt_str_and_init(None, &init)?;
            Ok((Client::WebSocket(server), answer))
        }
    }
}

async fn run(object: WebSocket, client: Client, mut feed: Feed, ends: Millis) {
    let code = match pass_on(&object, &client, &mut feed, ends).await {
        Ok(code) => code,
        Err(error) => {
            console_error!("a stream breaks off: {error}");
            (RESTART, "")
        }
    };
    dismiss(&object, DONE);
    client.close(code).await;
}

/// Tells the client what the object tells, until one of them or the time ends; answers how.
async fn pass_on(
    object: &WebSocket,
    client: &Client,
    feed: &mut Feed,
    ends: Millis,
) -> Result<(u16, &'static str)> {
    // Before they are accepted, so that nothing is missed.
    let mut notices = object.events()?;
    let mut sayings = client.sayings()?;
    object.accept()?;
    if let Client::WebSocket(socket) = client {
        // A Blob would tell its length, and nothing else at once.
        socket.as_ref().set_binary_type(BinaryType::Arraybuffer);
        socket.accept()?;
    }
    let gone = (DONE, "");
    if let Some(opening) = feed.opening()
        && !client.tell(&opening).await
    {
        return Ok(gone);
    }
    let mut beat = millis().plus(HEARTBEAT);
    loop {
        let now = millis();
        let text = if now >= ends {
            if let Some(end) = feed.end() {
                client.tell(&end).await;
            }
            return Ok(feed.close());
        } else if now >= beat {
            beat = now.plus(HEARTBEAT);
            Some(feed.heartbeat())
        } else {
            let pause = sleep(beat.min(ends).0.saturating_sub(now.0));
            match select(select(notices.next(), sayings.next()), pause).await {
                Either::Right(_) => None,
                Either::Left((Either::Left((event, _)), _)) => match event {
                    Some(Ok(WebsocketEvent::Message(message))) => {
                        let text = message.text().unwrap_or_default();
                        feed.notice(&messages::heard(&text)?)
                    }
                    Some(Ok(WebsocketEvent::Close(_)) | Err(_)) | None => {
                        return Ok((RESTART, ""));
                    }
                },
                Either::Left((Either::Right((said, _)), _)) => match said {
                    Some(Said::Ping) => Some("pong".to_owned()),
                    Some(Said::Anything) => None,
                    Some(Said::TooMuch) => return Ok((TOO_BIG, "")),
                    Some(Said::Goodbye) | None => return Ok(gone),
                },
            }
        };
        if let Some(text) = text
            && !client.tell(&text).await
        {
            return Ok(gone);
        }
    }
}

impl Client {
    /// What the client says. One that takes events only says goodbye.
    fn sayings(&self) -> Result<LocalBoxStream<'_, Said>> {
        Ok(match self {
            Self::Events(writer) => {
                let closed = JsFuture::from(writer.closed());
                once(closed.map(|_| Said::Goodbye)).boxed_local()
            }
            Self::WebSocket(socket) => socket
                .events()?
                .map(|event| match event {
                    Ok(WebsocketEvent::Message(message)) => said(&message),
                    Ok(WebsocketEvent::Close(_)) | Err(_) => Said::Goodbye,
                })
                .boxed_local(),
        })
    }

    /// Tells the client, unless it is gone or takes nothing any more.
    async fn tell(&self, text: &str) -> bool {
        match self {
            Self::Events(writer) => {
                let bytes = Uint8Array::from(text.as_bytes());
                let written = JsFuture::from(writer.write_with_chunk(&bytes));
                matches!(select(written, sleep(PATIENCE)).await, Either::Left((Ok(_), _)))
            }
            Self::WebSocket(socket) => socket.send_with_str(text).is_ok(),
        }
    }

    async fn close(self, (code, reason): (u16, &str)) {
        match self {
            Self::Events(writer) => {
                let closed = JsFuture::from(writer.close());
                if !matches!(select(closed, sleep(PATIENCE)).await, Either::Left((Ok(_), _))) {
                    // What is not taken is not kept.
                    drop(JsFuture::from(writer.abort()).await);
                }
            }
            // One that is closed already says so, and that is all.
            Self::WebSocket(socket) => drop(socket.close(Some(code), Some(reason))),
        }
    }
}

fn said(message: &MessageEvent) -> Said {
    let text = message.text();
    let length = match &text {
        Some(text) => text.len(),
        None => message.bytes().map_or(0, |bytes| bytes.len()),
    };
    if length > MESSAGE_LIMIT {
        return Said::TooMuch;
    }
    if text.as_deref() == Some("ping") { Said::Ping } else { Said::Anything }
}
