//! Live changes: relays a ledger's WebSocket to one client, as server-sent events or as a
//! WebSocket.
//!
//! ```text
//! ledger object ──hibernating WebSocket──▶ relay, while the client is connected ──▶ client
//! ```
//!
//! The relay stays in memory for each client. Not here: when it sends and ends
//! ([`crate::api::stream_relay`]), the messages to the client ([`crate::api::stream`]), and the
//! ledger's side (`ledger::websockets`).

use ::http::HeaderValue;
use futures_util::{
    FutureExt as _, StreamExt as _,
    future::{Either, select},
    stream::{LocalBoxStream, once},
};
use js_sys::{Promise, Reflect, Uint8Array};
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    AbortSignal, BinaryType, ReadableStream, WritableStream, WritableStreamDefaultWriter,
};
use worker::{
    Context, EventStream, Result, WebSocket, WebSocketPair, WebsocketEvent, console_error,
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
        stream::{self, StreamEncoder, StreamProtocol, StreamRequest},
        stream_relay::{
            CloseFrame, SERVICE_RESTART, StreamConnection, StreamInput, StreamTimer, run_relay,
        },
    },
    id::UnixMillis,
};

/// The largest message that a client may send, in bytes. The only message with an effect is `ping`.
const MAX_CLIENT_MESSAGE_BYTES: usize = 4 << 10;

#[wasm_bindgen]
extern "C" {
    /// A pair of streams that passes bytes on without a buffer:
    /// <https://developers.cloudflare.com/workers/runtime-apis/streams/transformstream/>.
    type IdentityTransformStream;

    #[wasm_bindgen(constructor, catch)]
    fn new() -> std::result::Result<IdentityTransformStream, JsValue>;

    #[wasm_bindgen(method, getter)]
    fn readable(this: &IdentityTransformStream) -> ReadableStream;

    #[wasm_bindgen(method, getter)]
    fn writable(this: &IdentityTransformStream) -> WritableStream;
}

/// The connection to a client.
enum StreamClient {
    /// The body of the response, and the signal of the request, which aborts if the client
    /// disconnects: <https://developers.cloudflare.com/workers/runtime-apis/request/#the-request-signal>.
    Sse(WritableStreamDefaultWriter, AbortSignal),
    WebSocket(WebSocket),
}

/// Subscribes to the ledger and returns the response that carries the stream. `signal` is that of
/// the client's request.
pub(super) async fn open_stream(
    ledger: &LedgerStub,
    signal: AbortSignal,
    request: StreamRequest,
    mut response: api::Response,
    id: HeaderValue,
    context: &Context,
) -> Result<web_sys::Response> {
    let refusal = match ledger.subscribe(&request.customer, request.resume_from()).await {
        Ok(Some(object)) => {
            response.headers_mut().insert(REQUEST_ID, id);
            let (client, response) = create_channel(request.protocol, signal, &response)?;
            let closes_at = UnixMillis::from(request.expires_at);
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
    signal: AbortSignal,
    response: &api::Response,
) -> Result<(StreamClient, web_sys::Response)> {
    let init = http::response_init(response)?;
    match protocol {
        StreamProtocol::Sse => {
            let pipe = IdentityTransformStream::new()?;
            let readable = pipe.readable();
            let response =
                web_sys::Response::new_with_opt_readable_stream_and_init(Some(&readable), &init)?;
            Ok((StreamClient::Sse(pipe.writable().get_writer()?, signal), response))
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
    encoder: StreamEncoder,
    closes_at: UnixMillis,
) {
    match Connection::open(&object, &client) {
        Ok(mut connection) => run_relay(&mut connection, &Timer, encoder, closes_at).await,
        Err(error) => {
            console_error!("failed to open a stream: {error}");
            close(&object, NORMAL_CLOSURE);
            client.close(SERVICE_RESTART).await;
        }
    }
}

/// Both sides of an open stream.
struct Connection<'a> {
    object: &'a WebSocket,
    client: &'a StreamClient,
    notifications: EventStream<'a>,
    messages: LocalBoxStream<'a, StreamInput>,
}

impl<'a> Connection<'a> {
    fn open(object: &'a WebSocket, client: &'a StreamClient) -> Result<Self> {
        // Registered before the sockets are accepted, so that no message is lost.
        let notifications = object.events()?;
        let messages = client.messages()?;
        object.accept()?;
        if let StreamClient::WebSocket(socket) = client {
            // The content of a Blob can only be read asynchronously.
            socket.as_ref().set_binary_type(BinaryType::Arraybuffer);
            socket.accept()?;
        }
        Ok(Self { object, client, notifications, messages })
    }
}

impl StreamConnection for Connection<'_> {
    async fn receive(&mut self) -> StreamInput {
        match select(self.notifications.next(), self.messages.next()).await {
            Either::Left((Some(Ok(WebsocketEvent::Message(message))), _)) => {
                match rpc::decode_notification(&message.text().unwrap_or_default()) {
                    Ok(notification) => StreamInput::Notification(notification),
                    Err(error) => {
                        console_error!("failed to relay a stream: {error}");
                        StreamInput::LedgerClosed
                    }
                }
            }
            Either::Left(_) => StreamInput::LedgerClosed,
            Either::Right((message, _)) => message.unwrap_or(StreamInput::ClientClosed),
        }
    }

    async fn send(&mut self, message: &str) -> bool {
        self.client.send(message).await
    }

    async fn close(&mut self, frame: CloseFrame) -> bool {
        close(self.object, NORMAL_CLOSURE);
        self.client.close(frame).await
    }

    async fn abort(&mut self) {
        if let StreamClient::Sse(writer, _) = self.client {
            drop(JsFuture::from(writer.abort()).await);
        }
    }
}

/// The clock and the timers of the platform.
struct Timer;

impl StreamTimer for Timer {
    fn now(&self) -> UnixMillis {
        now_millis()
    }

    fn sleep(&self, millis: u64) -> impl Future<Output = ()> {
        sleep(millis)
    }
}

impl StreamClient {
    /// The client's messages. A client of server-sent events can only close.
    fn messages(&self) -> Result<LocalBoxStream<'_, StreamInput>> {
        Ok(match self {
            Self::Sse(writer, signal) => {
                let closed = JsFuture::from(writer.closed());
                let aborted = JsFuture::from(Promise::new(&mut |resolve, _| {
                    signal.set_onabort(Some(&resolve));
                    if signal.aborted() {
                        // Fails only if the handler throws, which `resolve` does not.
                        drop(resolve.call0(&JsValue::UNDEFINED));
                    }
                }));
                once(select(closed, aborted).map(|_| StreamInput::ClientClosed)).boxed_local()
            }
            Self::WebSocket(socket) => socket
                .events()?
                .map(|event| match event {
                    Ok(WebsocketEvent::Message(message)) => classify_message(&message),
                    Ok(WebsocketEvent::Close(_)) | Err(_) => StreamInput::ClientClosed,
                })
                .boxed_local(),
        })
    }

    /// Sends a message. Returns false if the client is closed.
    async fn send(&self, message: &str) -> bool {
        match self {
            Self::Sse(writer, _) => {
                let bytes = Uint8Array::from(message.as_bytes());
                JsFuture::from(writer.write_with_chunk(&bytes)).await.is_ok()
            }
            Self::WebSocket(socket) => socket.send_with_str(message).is_ok(),
        }
    }

    /// Closes the client's side. Returns whether the client has accepted everything.
    async fn close(&self, (code, reason): CloseFrame) -> bool {
        match self {
            Self::Sse(writer, _) => JsFuture::from(writer.close()).await.is_ok(),
            Self::WebSocket(socket) => {
                // Fails only if the socket is closed already.
                drop(socket.close(Some(code), Some(reason)));
                true
            }
        }
    }
}

fn classify_message(message: &MessageEvent) -> StreamInput {
    let text = message.text();
    let length = match &text {
        Some(text) => text.len(),
        None => message.bytes().map_or(0, |bytes| bytes.len()),
    };
    if length > MAX_CLIENT_MESSAGE_BYTES {
        return StreamInput::TooLarge;
    }
    if text.as_deref() == Some("ping") { StreamInput::Ping } else { StreamInput::Ignored }
}
