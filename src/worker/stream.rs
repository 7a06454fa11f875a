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
    ledger::{
        LedgerStub, rpc as messages,
        websockets::{NORMAL_CLOSURE, close},
    },
    now_millis, sleep,
};
use crate::{
    api::{
        self,
        stream::{self, HEARTBEAT_INTERVAL, StreamEncoder, StreamProtocol, StreamRequest},
    },
    id::UnixMillis,
};

/// The most bytes of what a client says: more than any `ping`.
const MAX_CLIENT_MESSAGE_BYTES: usize = 4 << 10;

/// How long a client may take to take a text, in milliseconds; what came meanwhile waits here.
const CLIENT_WRITE_TIMEOUT: u64 = 20_000;

/// The code of a WebSocket whose client said too much (RFC 6455, 7.4.1).
const MESSAGE_TOO_BIG: u16 = 1009;

/// The code of a WebSocket that is to be opened again: the service restarts.
const SERVICE_RESTART: u16 = 1012;

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
enum StreamClient {
    Sse(WritableStreamDefaultWriter),
    WebSocket(WebSocket),
}

/// What a client says.
enum ClientMessage {
    Ping,
    TooLarge,
    Other,
    Close,
}

/// Opens a stream, and answers with it.
pub(super) async fn open_stream(
    ledger: &LedgerStub,
    listen: StreamRequest,
    mut response: api::Response,
    id: HeaderValue,
    context: &Context,
) -> Result<web_sys::Response> {
    let refused = match ledger.subscribe(&listen.customer, listen.resume_from()).await {
        Ok(Some(object)) => {
            response.headers_mut().insert(REQUEST_ID, id);
            let (client, answer) = create_channel(listen.protocol, &response)?;
            let ends = listen.closes_at(js_sys::Math::random());
            // Past the end of the client's request, for as long as it takes to see that it ended.
            context.wait_until(run_stream(object, client, StreamEncoder::new(listen), ends));
            return Ok(answer);
        }
        Ok(None) => stream::too_many_streams(&listen),
        Err(error) => {
            console_error!("{error}");
            stream::stream_unavailable(error)
        }
    };
    let (mut head, body) = refused.into_parts();
    for (name, value) in response.headers() {
        head.headers.entry(name).or_insert_with(|| value.clone());
    }
    http::respond(api::Response::from_parts(head, body), id)
}

/// The two ends of a stream: ours, and the answer that is the client's.
fn create_channel(
    form: StreamProtocol,
    response: &api::Response,
) -> Result<(StreamClient, web_sys::Response)> {
    let init = http::response_init(response)?;
    match form {
        StreamProtocol::Sse => {
            let pipe = IdentityTransformStream::new()?;
            let readable = pipe.readable();
            let answer =
                web_sys::Response::new_with_opt_readable_stream_and_init(Some(&readable), &init)?;
            Ok((StreamClient::Sse(pipe.writable().get_writer()?), answer))
        }
        StreamProtocol::WebSocket => {
            let WebSocketPair { client, server } = WebSocketPair::new()?;
            init.set_status(101);
            Reflect::set(&init, &"webSocket".into(), client.as_ref())?;
            let answer = web_sys::Response::new_with_opt_str_and_init(None, &init)?;
            Ok((StreamClient::WebSocket(server), answer))
        }
    }
}

async fn run_stream(
    object: WebSocket,
    client: StreamClient,
    mut feed: StreamEncoder,
    ends: UnixMillis,
) {
    let code = match relay(&object, &client, &mut feed, ends).await {
        Ok(code) => code,
        Err(error) => {
            console_error!("a stream breaks off: {error}");
            (SERVICE_RESTART, "")
        }
    };
    close(&object, NORMAL_CLOSURE);
    client.close(code).await;
}

/// Tells the client what the object tells, until one of them or the time ends; answers how.
async fn relay(
    object: &WebSocket,
    client: &StreamClient,
    feed: &mut StreamEncoder,
    ends: UnixMillis,
) -> Result<(u16, &'static str)> {
    // Before they are accepted, so that nothing is missed.
    let mut notices = object.events()?;
    let mut sayings = client.messages()?;
    object.accept()?;
    if let StreamClient::WebSocket(socket) = client {
        // A Blob would tell its length, and nothing else at once.
        socket.as_ref().set_binary_type(BinaryType::Arraybuffer);
        socket.accept()?;
    }
    let gone = (NORMAL_CLOSURE, "");
    if let Some(opening) = feed.preamble()
        && !client.send(&opening).await
    {
        return Ok(gone);
    }
    let mut beat = now_millis().saturating_add(HEARTBEAT_INTERVAL);
    loop {
        let now = now_millis();
        let text = if now >= ends {
            if let Some(end) = feed.encode_end() {
                client.send(&end).await;
            }
            return Ok(feed.close_frame());
        } else if now >= beat {
            beat = now.saturating_add(HEARTBEAT_INTERVAL);
            Some(feed.encode_heartbeat())
        } else {
            let pause = sleep(beat.min(ends).0.saturating_sub(now.0));
            match select(select(notices.next(), sayings.next()), pause).await {
                Either::Right(_) => None,
                Either::Left((Either::Left((event, _)), _)) => match event {
                    Some(Ok(WebsocketEvent::Message(message))) => {
                        let text = message.text().unwrap_or_default();
                        feed.encode_notification(&messages::decode_notification(&text)?)
                    }
                    Some(Ok(WebsocketEvent::Close(_)) | Err(_)) | None => {
                        return Ok((SERVICE_RESTART, ""));
                    }
                },
                Either::Left((Either::Right((said, _)), _)) => match said {
                    Some(ClientMessage::Ping) => Some("pong".to_owned()),
                    Some(ClientMessage::Other) => None,
                    Some(ClientMessage::TooLarge) => return Ok((MESSAGE_TOO_BIG, "")),
                    Some(ClientMessage::Close) | None => return Ok(gone),
                },
            }
        };
        if let Some(text) = text
            && !client.send(&text).await
        {
            return Ok(gone);
        }
    }
}

impl StreamClient {
    /// What the client says. One that takes events only says goodbye.
    fn messages(&self) -> Result<LocalBoxStream<'_, ClientMessage>> {
        Ok(match self {
            Self::Sse(writer) => {
                let closed = JsFuture::from(writer.closed());
                once(closed.map(|_| ClientMessage::Close)).boxed_local()
            }
            Self::WebSocket(socket) => socket
                .events()?
                .map(|event| match event {
                    Ok(WebsocketEvent::Message(message)) => classify_message(&message),
                    Ok(WebsocketEvent::Close(_)) | Err(_) => ClientMessage::Close,
                })
                .boxed_local(),
        })
    }

    /// Tells the client, unless it is gone or takes nothing any more.
    async fn send(&self, text: &str) -> bool {
        match self {
            Self::Sse(writer) => {
                let bytes = Uint8Array::from(text.as_bytes());
                let written = JsFuture::from(writer.write_with_chunk(&bytes));
                matches!(
                    select(written, sleep(CLIENT_WRITE_TIMEOUT)).await,
                    Either::Left((Ok(_), _))
                )
            }
            Self::WebSocket(socket) => socket.send_with_str(text).is_ok(),
        }
    }

    async fn close(self, (code, reason): (u16, &str)) {
        match self {
            Self::Sse(writer) => {
                let closed = JsFuture::from(writer.close());
                if !matches!(
                    select(closed, sleep(CLIENT_WRITE_TIMEOUT)).await,
                    Either::Left((Ok(_), _))
                ) {
                    // What is not taken is not kept.
                    drop(JsFuture::from(writer.abort()).await);
                }
            }
            // One that is closed already says so, and that is all.
            Self::WebSocket(socket) => drop(socket.close(Some(code), Some(reason))),
        }
    }
}

fn classify_message(message: &MessageEvent) -> ClientMessage {
    let text = message.text();
    let length = match &text {
        Some(text) => text.len(),
        None => message.bytes().map_or(0, |bytes| bytes.len()),
    };
    if length > MAX_CLIENT_MESSAGE_BYTES {
        return ClientMessage::TooLarge;
    }
    if text.as_deref() == Some("ping") { ClientMessage::Ping } else { ClientMessage::Other }
}
