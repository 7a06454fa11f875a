//! Live changes: relays a ledger's WebSocket to one client, as server-sent events or as a
//! WebSocket.
//!
//! ```text
//! ledger object ──hibernating WebSocket──▶ relay, while the client is connected ──▶ client
//! ```
//!
//! The relay stays in memory for each client: it sends heartbeats, ends the stream in time, and
//! detects that the client disconnected. If either side closes, the relay closes the other one. A
//! client then reconnects and resumes. Not here: the messages to the client
//! ([`crate::api::stream`]), and the ledger's side (`ledger::websockets`).

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
    http,
    ledger::{
        LedgerStub, rpc,
        websockets::{NORMAL_CLOSURE, close},
    },
    runtime::{now_millis, sleep},
};
use crate::{
    api::{
        self, REQUEST_ID,
        stream::{self, HEARTBEAT_INTERVAL, StreamEncoder, StreamProtocol, StreamRequest},
    },
    id::UnixMillis,
};

/// The largest message that a client may send, in bytes. The only message with an effect is `ping`.
const MAX_CLIENT_MESSAGE_BYTES: usize = 4 << 10;

/// How long a client may take to accept a message, in milliseconds. Later messages wait here
/// meanwhile.
const CLIENT_WRITE_TIMEOUT: u64 = 20_000;

/// The close code after a message that is too large.
/// <https://www.rfc-editor.org/rfc/rfc6455#section-7.4.1>
const MESSAGE_TOO_BIG: u16 = 1009;

/// The close code after which a client reconnects.
/// <https://www.iana.org/assignments/websocket/websocket.xhtml#close-code-number>
const SERVICE_RESTART: u16 = 1012;

#[wasm_bindgen]
extern "C" {
    /// A pair of streams that passes bytes on without a buffer:
    /// <https://developers.cloudflare.com/workers/runtime-apis/streams/transformstream/>.
    type IdentityTransformStream;

    #[wasm_bindgen(constructor, catch)]
    fn new() -> std::result::Result<IdentityTransformStream, wasm_bindgen::JsValue>;

    #[wasm_bindgen(method, getter)]
    fn readable(this: &IdentityTransformStream) -> ReadableStream;

    #[wasm_bindgen(method, getter)]
    fn writable(this: &IdentityTransformStream) -> WritableStream;
}

/// The connection to a client.
enum StreamClient {
    Sse(WritableStreamDefaultWriter),
    WebSocket(WebSocket),
}

/// A message of a client, or its end.
enum ClientMessage {
    Ping,
    TooLarge,
    Other,
    Close,
}

/// Subscribes to the ledger and returns the response that carries the stream.
pub(super) async fn open_stream(
    ledger: &LedgerStub,
    request: StreamRequest,
    mut response: api::Response,
    id: HeaderValue,
    context: &Context,
) -> Result<web_sys::Response> {
    let refusal = match ledger.subscribe(&request.customer, request.resume_from()).await {
        Ok(Some(object)) => {
            response.headers_mut().insert(REQUEST_ID, id);
            let (client, response) = create_channel(request.protocol, &response)?;
            let closes_at = request.closes_at(js_sys::Math::random());
            // `wait_until` keeps the relay alive after the client disconnects, until it has closed
            // both sides.
            let encoder = StreamEncoder::new(request);
            context.wait_until(run_stream(object, client, encoder, closes_at));
            return Ok(response);
        }
        Ok(None) => stream::too_many_streams(&request),
        Err(error) => {
            console_error!("{error}");
            stream::stream_unavailable(error)
        }
    };
    let (mut head, body) = refusal.into_parts();
    for (name, value) in response.headers() {
        head.headers.entry(name).or_insert_with(|| value.clone());
    }
    http::respond(api::Response::from_parts(head, body), id)
}

/// Creates both ends of a stream: ours, and the response with the client's.
fn create_channel(
    protocol: StreamProtocol,
    response: &api::Response,
) -> Result<(StreamClient, web_sys::Response)> {
    let init = http::response_init(response)?;
    match protocol {
        StreamProtocol::Sse => {
            let pipe = IdentityTransformStream::new()?;
            let readable = pipe.readable();
            let response =
                web_sys::Response::new_with_opt_readable_stream_and_init(Some(&readable), &init)?;
            Ok((StreamClient::Sse(pipe.writable().get_writer()?), response))
        }
        StreamProtocol::WebSocket => {
            let WebSocketPair { client, server } = WebSocketPair::new()?;
            init.set_status(101);
            Reflect::set(&init, &"webSocket".into(), client.as_ref())?;
            let response = web_sys::Response::new_with_opt_str_and_init(None, &init)?;
            Ok((StreamClient::WebSocket(server), response))
        }
    }
}

async fn run_stream(
    object: WebSocket,
    client: StreamClient,
    mut encoder: StreamEncoder,
    closes_at: UnixMillis,
) {
    let close_frame = match relay(&object, &client, &mut encoder, closes_at).await {
        Ok(close_frame) => close_frame,
        Err(error) => {
            console_error!("failed to relay a stream: {error}");
            (SERVICE_RESTART, "")
        }
    };
    close(&object, NORMAL_CLOSURE);
    client.close(close_frame).await;
}

/// Relays messages until either side closes or the stream's time is up. Returns the close frame for
/// the client.
async fn relay(
    object: &WebSocket,
    client: &StreamClient,
    encoder: &mut StreamEncoder,
    closes_at: UnixMillis,
) -> Result<(u16, &'static str)> {
    // Registered before the sockets are accepted, so that no message is lost.
    let mut notifications = object.events()?;
    let mut messages = client.messages()?;
    object.accept()?;
    if let StreamClient::WebSocket(socket) = client {
        // The content of a Blob can only be read asynchronously.
        socket.as_ref().set_binary_type(BinaryType::Arraybuffer);
        socket.accept()?;
    }
    let closed = (NORMAL_CLOSURE, "");
    if let Some(preamble) = encoder.preamble()
        && !client.send(&preamble).await
    {
        return Ok(closed);
    }
    let mut next_heartbeat = now_millis().saturating_add(HEARTBEAT_INTERVAL);
    loop {
        let now = now_millis();
        let message = if now >= closes_at {
            if let Some(end) = encoder.encode_end() {
                client.send(&end).await;
            }
            return Ok(encoder.close_frame());
        } else if now >= next_heartbeat {
            next_heartbeat = now.saturating_add(HEARTBEAT_INTERVAL);
            Some(encoder.encode_heartbeat())
        } else {
            let pause = sleep(next_heartbeat.min(closes_at).millis_since(now));
            match select(select(notifications.next(), messages.next()), pause).await {
                Either::Right(_) => None,
                Either::Left((Either::Left((event, _)), _)) => match event {
                    Some(Ok(WebsocketEvent::Message(message))) => {
                        let json = message.text().unwrap_or_default();
                        encoder.encode_notification(&rpc::decode_notification(&json)?)
                    }
                    Some(Ok(WebsocketEvent::Close(_)) | Err(_)) | None => {
                        return Ok((SERVICE_RESTART, ""));
                    }
                },
                Either::Left((Either::Right((message, _)), _)) => match message {
                    Some(ClientMessage::Ping) => Some("pong".to_owned()),
                    Some(ClientMessage::Other) => None,
                    Some(ClientMessage::TooLarge) => return Ok((MESSAGE_TOO_BIG, "")),
                    Some(ClientMessage::Close) | None => return Ok(closed),
                },
            }
        };
        if let Some(message) = message
            && !client.send(&message).await
        {
            return Ok(closed);
        }
    }
}

impl StreamClient {
    /// The client's messages. A client of server-sent events can only close.
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

    /// Sends a message. Returns false if the client is closed or accepts no more data in time.
    async fn send(&self, message: &str) -> bool {
        match self {
            Self::Sse(writer) => {
                let bytes = Uint8Array::from(message.as_bytes());
                let written = JsFuture::from(writer.write_with_chunk(&bytes));
                matches!(
                    select(written, sleep(CLIENT_WRITE_TIMEOUT)).await,
                    Either::Left((Ok(_), _))
                )
            }
            Self::WebSocket(socket) => socket.send_with_str(message).is_ok(),
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
                    // Drops the data that the client has not accepted.
                    drop(JsFuture::from(writer.abort()).await);
                }
            }
            // Fails only if the socket is closed already.
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
