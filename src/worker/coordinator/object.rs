//! The coordinator's Durable Object: passes requests and alarms to the coordinator's process.

use wasm_bindgen::{JsValue, prelude::wasm_bindgen};
use worker::{Env, Result, worker_sys::DurableObjectState};

use super::ports::CoordinatorObjectPorts;
use crate::{
    coordinator::{CoordinatorProcess, CoordinatorRequest, CoordinatorResponse},
    worker::{
        deployment,
        rpc::{ObjectResponse, respond},
    },
};

/// The coordinator of one mode.
#[wasm_bindgen]
pub struct CoordinatorObject {
    process: CoordinatorProcess<CoordinatorObjectPorts>,
    env: Env,
}

impl std::fmt::Debug for CoordinatorObject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CoordinatorObject").finish_non_exhaustive()
    }
}

/// What JavaScript calls. `#[durable_object]` would need `fetch`, which this object does not have.
#[wasm_bindgen]
impl CoordinatorObject {
    /// Creates the object with this state.
    #[must_use]
    #[wasm_bindgen(constructor)]
    pub fn new(state: DurableObjectState, env: Env) -> Self {
        let ports = CoordinatorObjectPorts::new(state.into(), env.clone());
        Self { process: CoordinatorProcess::new(ports), env }
    }

    /// Responds to a [`CoordinatorRequest`].
    pub async fn request(&self, message: String) -> String {
        respond(&message, async |message| self.handle(message).await).await
    }

    /// Runs the alarm.
    ///
    /// # Errors
    ///
    /// Fails in another jurisdiction, and if the coordinator fails. The platform calls the alarm again
    /// later.
    pub async fn alarm(&self) -> std::result::Result<(), JsValue> {
        Ok(self.run_alarm().await?)
    }
}

impl CoordinatorObject {
    async fn run_alarm(&self) -> Result<()> {
        // A coordinator of another jurisdiction must not work.
        deployment::confirm(&self.env).await?;
        self.process.run_alarm().await?;
        Ok(())
    }

    async fn handle(&self, message: CoordinatorRequest) -> Result<ObjectResponse> {
        if !self.process.ports().may_read()? {
            return Ok(ObjectResponse::newer_release());
        }
        match self.process.handle(message).await? {
            CoordinatorResponse::Done => Ok(ObjectResponse::empty()),
            CoordinatorResponse::Status(status) => ObjectResponse::json(&status),
            CoordinatorResponse::Slot(slot) => ObjectResponse::json(&slot),
            CoordinatorResponse::Slots(slots) => ObjectResponse::json(&slots),
            CoordinatorResponse::Features(features) => ObjectResponse::json(&features),
            CoordinatorResponse::NewerRelease => Ok(ObjectResponse::newer_release()),
        }
    }
}
