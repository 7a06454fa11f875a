//! A ledger's Durable Object: passes requests, alarms and WebSocket events to the ledger's process.

use wasm_bindgen::prelude::wasm_bindgen;
use worker::{DurableObject, Env, Request, Response, Result, State, durable_object};

use super::{
    ports::LedgerObjectPorts,
    rpc::{newer_release_response, to_object_response},
    websockets,
};
use crate::{
    ledger::{LedgerProcess, LedgerRequest, LedgerStorage as _},
    worker::rpc::{ObjectResponse, respond},
};

/// The ledger of one customer.
#[durable_object(alarm)]
pub struct LedgerObject {
    process: LedgerProcess<LedgerObjectPorts>,
}

impl std::fmt::Debug for LedgerObject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LedgerObject").finish_non_exhaustive()
    }
}

impl DurableObject for LedgerObject {
    fn new(context: State, env: Env) -> Self {
        Self { process: LedgerProcess::new(LedgerObjectPorts::new(context, env)) }
    }

    async fn fetch(&self, request: Request) -> Result<Response> {
        let response = self.subscribe(&request).await;
        response.or_else(|error| Response::error(error.to_string(), 500))
    }

    async fn alarm(&self) -> Result<Response> {
        self.process.run_due_tasks().await.map_err(|error| error.to_string())?;
        Response::empty()
    }
}

impl LedgerObject {
    async fn subscribe(&self, request: &Request) -> Result<Response> {
        let platform = self.process.ports();
        let tables = platform.tables();
        if !tables.may_read()? {
            return newer_release_response();
        }
        self.process.catch_up().await.map_err(|error| error.to_string())?;
        websockets::accept(platform.context(), tables, request)
    }

    async fn handle(&self, message: LedgerRequest) -> Result<ObjectResponse> {
        let response = self.process.handle(&message).await.map_err(|error| error.to_string())?;
        to_object_response(response, self.process.ports().tables())
    }
}

/// The method that the Worker and other objects call.
#[wasm_bindgen]
impl LedgerObject {
    /// Responds to a [`LedgerRequest`].
    pub async fn request(&self, message: String) -> String {
        respond(&message, async |message| self.handle(message).await).await
    }
}

/// Handlers of WebSocket events. The crate's own trait would need a handler of messages.
#[wasm_bindgen]
impl LedgerObject {
    /// Ignores a message: subscribers send none.
    #[wasm_bindgen(js_name = webSocketMessage)]
    pub fn web_socket_message(&self) {}

    /// Closes our end after the subscriber closed its end.
    #[wasm_bindgen(js_name = webSocketClose)]
    pub fn web_socket_close(&self, socket: web_sys::WebSocket) {
        websockets::close(&socket.into(), websockets::NORMAL_CLOSURE);
    }

    /// Closes our end after the connection failed.
    #[wasm_bindgen(js_name = webSocketError)]
    pub fn web_socket_error(&self, socket: web_sys::WebSocket) {
        websockets::close(&socket.into(), websockets::NORMAL_CLOSURE);
    }
}
