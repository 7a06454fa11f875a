//! Requests to the customer index, and the client that sends them.
//!
//! | `POST`, as JSON             | 200                                      |
//! |-----------------------------|------------------------------------------|
//! | [`IndexRequest::Report`]    | the report is stored                     |
//! | [`IndexRequest::Survey`]    | [`IndexReport`] as JSON                  |
//! | [`IndexRequest::Features`]  | lookup keys as JSON                      |
//! | [`IndexRequest::Customers`] | a page of [`CustomerSyncStatus`] as JSON |

use std::collections::BTreeSet;

use serde::Serialize;
use worker::Env;

use crate::{
    coordinator::{IndexQuery, IndexReport},
    id::{CustomerId, Livemode, LookupKey},
    json::{FromJson, json_type},
    ledger::{StatusReport, SyncStatus},
    pagination::{PageOf, PageRequest},
    store::{self, CustomerSyncStatus},
    worker::{objects::Objects, rpc},
};

/// The binding in `wrangler.toml`.
const BINDING: &str = "CUSTOMER_INDEX";

/// The name of the only object of its class.
const OBJECT_NAME: &str = "customer_index";

/// The name of this store in errors.
const PORT: &str = "customer index";

json_type! {
    /// A request to the customer index.
    #[derive(Serialize)]
    pub(super) enum IndexRequest {
        /// Stores a customer's sync status and adds features.
        Report { key: String, status: SyncStatus, features: BTreeSet<LookupKey> } = "report",
        /// Adds up the pending tasks of one mode, and leases customers whose ledgers have something to do.
        Survey(IndexQuery) = "survey",
        /// Returns the features that were observed in the sets of this mode.
        Features(Livemode) = "features",
        /// Returns a page of the customers of this mode whose ids have this prefix.
        Customers {
            livemode: Livemode,
            prefix: Option<CustomerId>,
            page: PageRequest<CustomerId>,
        } = "customers",
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

    /// Reports a customer's sync status and the features that are new in its sets.
    pub(in crate::worker) async fn report(
        &self,
        key: &str,
        report: &StatusReport,
    ) -> Result<(), store::Error> {
        let StatusReport { status, features } = report.clone();
        self.post(&IndexRequest::Report { key: key.to_owned(), status, features }).await.map(drop)
    }

    /// Adds up the pending tasks of one mode, and leases customers.
    pub(in crate::worker) async fn survey(
        &self,
        query: IndexQuery,
    ) -> Result<IndexReport, store::Error> {
        self.request(&IndexRequest::Survey(query)).await
    }

    async fn request<T: FromJson>(&self, message: &IndexRequest) -> Result<T, store::Error> {
        let response = self.post(message).await?;
        rpc::decode(&response).map_err(|error| rpc::unreachable(PORT, &error))
    }

    async fn post(&self, message: &IndexRequest) -> Result<Vec<u8>, store::Error> {
        rpc::call(&self.objects, PORT, OBJECT_NAME, serde_json::to_string(message)).await
    }
}

impl store::CustomerIndex for CustomerIndexStub {
    async fn list_features(&self, livemode: Livemode) -> Result<Vec<LookupKey>, store::Error> {
        self.request(&IndexRequest::Features(livemode)).await
    }

    async fn list_customers(
        &self,
        livemode: Livemode,
        prefix: Option<&CustomerId>,
        page: &PageRequest<CustomerId>,
    ) -> Result<PageOf<CustomerSyncStatus>, store::Error> {
        let message =
            IndexRequest::Customers { livemode, prefix: prefix.cloned(), page: page.clone() };
        self.request(&message).await
    }
}
