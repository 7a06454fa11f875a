//! The client of the coordinators.
//!
//! A message is a [`CoordinatorRequest`] as JSON. The response has no body, a [`CoordinatorStatus`], the
//! time of a slot, or lookup keys.

use std::collections::BTreeSet;

use worker::{Env, Result, State};

use crate::{
    coordinator::{CoordinatorRequest, CoordinatorStatus},
    id::{Livemode, LookupKey, UnixMillis},
    json::FromJson,
    ledger::ReadPriority,
    store,
    worker::{objects::Objects, rpc},
};

/// The binding in `wrangler.toml`.
const BINDING: &str = "SOURCE_COORDINATOR";

/// The name of this store in errors.
const PORT: &str = "coordinator";

/// The client of the coordinators of both modes.
pub(in crate::worker) struct CoordinatorStub {
    objects: Objects,
}

impl CoordinatorStub {
    pub(in crate::worker) fn from_env(env: &Env) -> Result<Self> {
        Ok(Self { objects: Objects::from_env(env, BINDING)? })
    }

    /// Returns the mode of the object with this state.
    pub(super) fn livemode_of(&self, state: &State) -> Result<Livemode> {
        self.objects.livemode_of(state)
    }

    /// Sets the alarm, if it is lost.
    pub(in crate::worker) async fn arm(
        &self,
        livemode: Livemode,
    ) -> std::result::Result<(), store::Error> {
        self.post(livemode, CoordinatorRequest::Arm).await.map(drop)
    }

    /// Returns when a read of Stripe may start.
    pub(in crate::worker) async fn reserve_read(
        &self,
        livemode: Livemode,
        priority: ReadPriority,
    ) -> std::result::Result<UnixMillis, store::Error> {
        self.request(livemode, CoordinatorRequest::ReserveRead(priority)).await
    }

    /// Returns when so many routine reads of Stripe may start.
    pub(in crate::worker) async fn reserve_routine_reads(
        &self,
        livemode: Livemode,
        count: u32,
    ) -> std::result::Result<Vec<UnixMillis>, store::Error> {
        self.request(livemode, CoordinatorRequest::ReserveRoutineReads(count)).await
    }

    /// Reports that Stripe has limited the rate.
    pub(in crate::worker) async fn report_rate_limited(
        &self,
        livemode: Livemode,
    ) -> std::result::Result<(), store::Error> {
        self.post(livemode, CoordinatorRequest::RateLimited).await.map(drop)
    }

    /// Reports that a shard of the customer index has a problem.
    pub(in crate::worker) async fn survey_soon(
        &self,
        livemode: Livemode,
    ) -> std::result::Result<(), store::Error> {
        self.post(livemode, CoordinatorRequest::SurveySoon).await.map(drop)
    }

    /// Adds features that were observed in sets.
    pub(in crate::worker) async fn add_features(
        &self,
        livemode: Livemode,
        features: BTreeSet<LookupKey>,
    ) -> std::result::Result<(), store::Error> {
        self.post(livemode, CoordinatorRequest::AddFeatures(features)).await.map(drop)
    }

    async fn request<T: FromJson>(
        &self,
        livemode: Livemode,
        message: CoordinatorRequest,
    ) -> std::result::Result<T, store::Error> {
        let response = self.post(livemode, message).await?;
        rpc::decode(response.body().as_bytes()).map_err(|error| rpc::unreachable(PORT, &error))
    }

    async fn post(
        &self,
        livemode: Livemode,
        message: CoordinatorRequest,
    ) -> std::result::Result<rpc::ObjectResponse, store::Error> {
        let message = serde_json::to_string(&message);
        rpc::call(&self.objects, PORT, livemode.as_str(), message).await
    }
}

impl store::Coordinator for CoordinatorStub {
    async fn load_status(
        &self,
        livemode: Livemode,
    ) -> std::result::Result<CoordinatorStatus, store::Error> {
        self.request(livemode, CoordinatorRequest::Status).await
    }

    async fn load_fresh_status(
        &self,
        livemode: Livemode,
    ) -> std::result::Result<CoordinatorStatus, store::Error> {
        self.request(livemode, CoordinatorRequest::FreshStatus).await
    }

    async fn list_features(
        &self,
        livemode: Livemode,
    ) -> std::result::Result<Vec<LookupKey>, store::Error> {
        self.request(livemode, CoordinatorRequest::Features).await
    }

    async fn poll_soon(&self, livemode: Livemode) -> std::result::Result<(), store::Error> {
        self.post(livemode, CoordinatorRequest::PollSoon).await.map(drop)
    }
}
