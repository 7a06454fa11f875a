//! Requests to a shard of the customer index, and the client of all shards.
//!
//! | message, as JSON            | 200                                       |
//! |-----------------------------|-------------------------------------------|
//! | [`IndexRequest::Message`]   | the message is stored                     |
//! | [`IndexRequest::Survey`]    | [`ShardReport`] as JSON                   |
//! | [`IndexRequest::Lease`]     | the lease is stored                       |
//! | [`IndexRequest::ReserveRead`] | the time of a slot as JSON              |
//! | [`IndexRequest::Customers`] | a page of [`CustomerSyncStatus`] as JSON  |
//! | [`IndexRequest::Activity`]  | [`ShardActivity`] as JSON                 |
//!
//! A request about all customers asks all shards at once: 32 subrequests, and the time of one.

use futures_util::future::try_join_all;
use serde::Serialize;
use worker::Env;

use crate::{
    coordinator::{IndexQuery, IndexReport},
    customer_index::{
        ActivityFilter, ActivityId, ActivityPage, ActivityQuery, CustomerQuery, CustomerSyncStatus,
        Lease, Shard, ShardActivity, ShardReport, Survey, merge_activity, merge_reports,
        shard_cursor,
    },
    id::{CustomerKey, Livemode, UnixMillis},
    json::{FromJson, json_type},
    ledger::IndexMessage,
    pagination::{PageOf, PageRequest},
    store,
    worker::{objects::Objects, rpc},
};

/// The binding in `wrangler.toml`.
const BINDING: &str = "CUSTOMER_INDEX";

/// The name of this store in errors.
const PORT: &str = "customer index";

json_type! {
    /// A request to a shard.
    #[derive(Serialize)]
    pub(super) enum IndexRequest {
        /// Stores a customer's sync status and decisions, and passes features to the coordinator.
        Message(IndexMessage) = "message",
        /// Adds up the pending tasks, and returns customers whose ledgers have something to do.
        Survey(IndexQuery) = "survey",
        /// Notes that the ledgers of these customers are woken.
        Lease(Lease) = "lease",
        /// Returns when a routine read of Stripe may start, for a customer of this mode.
        ReserveRead(Livemode) = "reserve_read",
        /// Returns a page of customers.
        Customers(CustomerQuery) = "customers",
        /// Returns a page of decisions.
        Activity(ActivityQuery) = "activity",
    }
}

/// The client of the customer index.
pub(in crate::worker) struct CustomerIndexStub {
    objects: Objects,
}

impl CustomerIndexStub {
    pub(in crate::worker) fn from_env(env: &Env) -> worker::Result<Self> {
        Ok(Self { objects: Objects::from_env(env, BINDING)? })
    }

    /// Sends the message of a ledger.
    pub(in crate::worker) async fn send(&self, message: &IndexMessage) -> Result<(), store::Error> {
        let Some((livemode, id)) = Livemode::split_key(&message.key) else {
            return Err(rpc::unreachable(PORT, &format!("`{}` has no mode", message.key)));
        };
        let request = IndexRequest::Message(message.clone());
        self.post(livemode, Shard::of(id), &request).await.map(drop)
    }

    /// Returns when a routine read of a customer may start.
    pub(in crate::worker) async fn reserve_read(
        &self,
        customer: &CustomerKey,
    ) -> Result<UnixMillis, store::Error> {
        let CustomerKey { livemode, id } = customer;
        let shard = Shard::of(id.as_str());
        self.request(*livemode, shard, &IndexRequest::ReserveRead(*livemode)).await
    }

    /// Adds up the pending tasks of one mode, and leases customers.
    pub(in crate::worker) async fn survey(
        &self,
        query: IndexQuery,
    ) -> Result<IndexReport, store::Error> {
        let livemode = query.livemode;
        let shards = Shard::all().map(|shard| async move {
            let report = self.request(livemode, shard, &IndexRequest::Survey(query)).await?;
            Ok::<(Shard, ShardReport), store::Error>((shard, report))
        });
        let Survey { report, leases } = merge_reports(query, try_join_all(shards).await?);
        let leases = leases.into_iter().map(|(shard, lease)| async move {
            self.post(livemode, shard, &IndexRequest::Lease(lease)).await
        });
        try_join_all(leases).await?;
        Ok(report)
    }

    async fn request<T: FromJson>(
        &self,
        livemode: Livemode,
        shard: Shard,
        message: &IndexRequest,
    ) -> Result<T, store::Error> {
        let response = self.post(livemode, shard, message).await?;
        rpc::decode(response.body().as_bytes()).map_err(|error| rpc::unreachable(PORT, &error))
    }

    async fn post(
        &self,
        livemode: Livemode,
        shard: Shard,
        message: &IndexRequest,
    ) -> Result<rpc::ObjectResponse, store::Error> {
        let name = shard.object_name(livemode);
        rpc::call(&self.objects, PORT, &name, serde_json::to_string(message)).await
    }
}

impl store::CustomerIndex for CustomerIndexStub {
    async fn list_customers(
        &self,
        livemode: Livemode,
        query: &CustomerQuery,
    ) -> Result<PageOf<CustomerSyncStatus>, store::Error> {
        let request = IndexRequest::Customers(query.clone());
        let pages = Shard::all().map(|shard| self.request(livemode, shard, &request));
        Ok(query.merge(try_join_all(pages).await?))
    }

    async fn list_activity(
        &self,
        livemode: Livemode,
        filter: &ActivityFilter,
        page: &PageRequest<ActivityId>,
    ) -> Result<ActivityPage, store::Error> {
        let only = filter.customer.as_ref().map(|customer| Shard::of(customer.as_str()));
        let shards = Shard::all().filter(|shard| only.is_none_or(|only| only == *shard));
        let pages = shards.map(|shard| async move {
            let cursor = shard_cursor(&page.cursor, shard);
            let page = PageRequest { limit: page.limit, cursor };
            let request = IndexRequest::Activity(ActivityQuery { filter: filter.clone(), page });
            let found = self.request(livemode, shard, &request).await?;
            Ok::<(Shard, ShardActivity), store::Error>((shard, found))
        });
        Ok(merge_activity(page, try_join_all(pages).await?))
    }
}
