//! The coordinator's Durable Object: passes requests and alarms to the coordinator's process.

use worker::{DurableObject, Env, Request, Response, Result, State, durable_object};

use super::ports::CoordinatorObjectPorts;
use crate::{
    coordinator::{CoordinatorProcess, CoordinatorRequest, CoordinatorResponse},
    worker::{
        deployment,
        rpc::{error_response, json_response, newer_release_response, read_request},
    },
};

/// The coordinator of one mode.
#[durable_object(alarm)]
pub struct CoordinatorObject {
    process: CoordinatorProcess<CoordinatorObjectPorts>,
    env: Env,
}

impl std::fmt::Debug for CoordinatorObject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CoordinatorObject").finish_non_exhaustive()
    }
}

impl DurableObject for CoordinatorObject {
    fn new(state: State, env: Env) -> Self {
        let ports = CoordinatorObjectPorts::new(state, env.clone());
        Self { process: CoordinatorProcess::new(ports), env }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        self.handle(&mut request).await.or_else(|error| error_response(&error))
    }

    async fn alarm(&self) -> Result<Response> {
        // A coordinator of another jurisdiction must not work. The platform calls the alarm again later.
        deployment::confirm(&self.env).await?;
        self.process.run_alarm().await?;
        Response::empty()
    }
}

impl CoordinatorObject {
    async fn handle(&self, request: &mut Request) -> Result<Response> {
        let Some(message) = read_request::<CoordinatorRequest>(request).await? else {
            return newer_release_response();
        };
        if !self.process.ports().may_read()? {
            return newer_release_response();
        }
        match self.process.handle(message).await? {
            CoordinatorResponse::Done => Response::empty(),
            CoordinatorResponse::Status(status) => json_response(&status),
            CoordinatorResponse::Slot(slot) => json_response(&slot),
            CoordinatorResponse::Slots(slots) => json_response(&slots),
            CoordinatorResponse::Features(features) => json_response(&features),
            CoordinatorResponse::NewerRelease => newer_release_response(),
        }
    }
}
