//! The client of customers' ledgers.

use ::http::header::UPGRADE;
use web_sys::{Headers, RequestInit};
use worker::{Env, Response, WebSocket};

use super::rpc::{ReconcileResult, RecordOrigin, TOO_MANY_REQUESTS};
use crate::{
    api::LAST_EVENT_ID,
    entitlement::{Summary, Version},
    id::{CustomerKey, LookupKey, Timestamp},
    json::{self, FromJson},
    ledger::{
        ApplyReceipt, ExplainQuery, ExplainReply, HistoryPage, HistoryQuery, LedgerRequest,
        OverrideReply, OverrideRequest, WaitFor,
    },
    store::{Error, Ledger, LoadedSet, record},
    worker::{
        objects::Objects,
        rpc::{self, NEWER_RELEASE, ObjectResponse, unreachable},
    },
};

/// The binding in `wrangler.toml`.
const BINDING: &str = "LEDGERS";

/// The name of this store in errors.
const PORT: &str = "ledger";

/// An object is addressed by its name; the URL of a subscription only has to be valid.
const OBJECT_URL: &str = "https://object/";

/// The client of all customers' ledgers.
pub(in crate::worker) struct LedgerStub {
    objects: Objects,
}

impl LedgerStub {
    pub(in crate::worker) fn from_env(env: &Env) -> worker::Result<Self> {
        Ok(Self { objects: Objects::from_env(env, BINDING)? })
    }

    /// Compares the stored set with the source's list. Returns whether they differed.
    pub(in crate::worker) async fn reconcile(&self, customer: &CustomerKey) -> Result<bool, Error> {
        let request = LedgerRequest::Reconcile(customer.clone());
        let ReconcileResult { drifted } = self.request_json(customer, &request).await?;
        Ok(drifted)
    }

    /// Sends an event of the event poll.
    pub(in crate::worker) async fn send_event(
        &self,
        customer: &CustomerKey,
        request: &LedgerRequest,
    ) -> Result<ApplyReceipt, Error> {
        self.request_json(customer, request).await
    }

    /// Subscribes to a customer's changes, first those after `since`. Returns `None` at the maximum
    /// number of subscribers.
    pub(in crate::worker) async fn subscribe(
        &self,
        customer: &CustomerKey,
        since: Option<Version>,
    ) -> Result<Option<WebSocket>, Error> {
        let mut response =
            self.connect(customer, since).await.map_err(|error| unreachable(PORT, &error))?;
        match response.status_code() {
            TOO_MANY_REQUESTS => Ok(None),
            NEWER_RELEASE => Err(Error::NewerSchema { port: PORT }),
            101 => match response.websocket() {
                Some(socket) => Ok(Some(socket)),
                None => Err(unreachable(PORT, &"the response has no WebSocket")),
            },
            _ => Err(unreachable(PORT, &response.text().await.unwrap_or_default())),
        }
    }

    async fn connect(
        &self,
        customer: &CustomerKey,
        since: Option<Version>,
    ) -> worker::Result<Response> {
        let headers = Headers::new()?;
        headers.set(UPGRADE.as_str(), "websocket")?;
        if let Some(since) = since {
            headers.set(LAST_EVENT_ID.as_str(), &since.to_string())?;
        }
        let init = RequestInit::new();
        init.set_headers_headers(&headers);
        let response = self.objects.stub(&customer.to_key())?.fetch(OBJECT_URL, &init).await?;
        Ok(response.into())
    }

    /// Sets the ledger's alarm for its pending tasks, if it has none.
    pub(in crate::worker) async fn rearm(&self, customer: &CustomerKey) -> Result<(), Error> {
        self.request(customer, &LedgerRequest::Rearm).await.map(drop)
    }

    /// Returns the JSON of a response.
    async fn request_json<T: FromJson>(
        &self,
        customer: &CustomerKey,
        message: &LedgerRequest,
    ) -> Result<T, Error> {
        let response = self.request(customer, message).await?;
        json::from_slice(response.body().as_bytes()).map_err(|error| unreadable(&error))
    }

    /// Returns the response, with a status of 200 or 404.
    async fn request(
        &self,
        customer: &CustomerKey,
        message: &LedgerRequest,
    ) -> Result<ObjectResponse, Error> {
        let message = serde_json::to_string(message);
        let response = rpc::request(&self.objects, &customer.to_key(), message).await;
        let response = response.map_err(|error| unreachable(PORT, &error))?;
        match response.status() {
            404 => Ok(response),
            502 => Err(unreachable("source", &response.body())),
            _ => response.require_ok(PORT),
        }
    }

    async fn load_set(
        &self,
        customer: &CustomerKey,
        message: &LedgerRequest,
    ) -> Result<LoadedSet, Error> {
        let response = self.request(customer, message).await?;
        let origin = RecordOrigin::from_note(response.note());
        let entitlements = match response.status() {
            404 => None,
            _ => Some(record::decode(response.body().as_bytes()).map_err(|error| match error {
                record::Error::UnsupportedVersion(_) => Error::NewerSchema { port: PORT },
                error => unreadable(&error),
            })?),
        };
        Ok(LoadedSet { entitlements, served_by: origin.served_by(), coverage: origin.coverage() })
    }
}

impl Ledger for LedgerStub {
    // The object reads its own clock.
    async fn apply(&self, summary: &Summary, _now: Timestamp) -> Result<ApplyReceipt, Error> {
        self.send_event(&summary.customer, &LedgerRequest::Apply(summary.clone())).await
    }

    async fn load(
        &self,
        customer: &CustomerKey,
        features: &[LookupKey],
    ) -> Result<LoadedSet, Error> {
        let message =
            LedgerRequest::Load { customer: customer.clone(), features: features.to_vec() };
        self.load_set(customer, &message).await
    }

    async fn sync(
        &self,
        customer: &CustomerKey,
        wait_for: Option<&WaitFor>,
    ) -> Result<LoadedSet, Error> {
        let message =
            LedgerRequest::Sync { customer: customer.clone(), wait_for: wait_for.cloned() };
        self.load_set(customer, &message).await
    }

    async fn manage_overrides(&self, request: &OverrideRequest) -> Result<OverrideReply, Error> {
        let message = LedgerRequest::ManageOverrides(request.clone());
        self.request_json(&request.customer, &message).await
    }

    async fn list_history(&self, query: &HistoryQuery) -> Result<HistoryPage, Error> {
        self.request_json(&query.customer, &LedgerRequest::ListHistory(query.clone())).await
    }

    async fn explain(&self, query: &ExplainQuery) -> Result<ExplainReply, Error> {
        self.request_json(&query.customer, &LedgerRequest::Explain(query.clone())).await
    }
}

fn unreadable(cause: &impl ToString) -> Error {
    Error::Unreadable { port: PORT, cause: cause.to_string() }
}
