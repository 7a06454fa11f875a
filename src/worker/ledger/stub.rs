//! The client of customers' ledgers.

use ::http::header::UPGRADE;
use web_sys::{Headers, RequestInit};
use worker::{Env, Response, WebSocket};

use super::rpc::{ReconcileResult, SERVED_BY, SOURCE_FAILED, TOO_MANY_REQUESTS};
use crate::{
    api::LAST_EVENT_ID,
    entitlement::{Summary, Version},
    id::{CustomerKey, LookupKey, Timestamp},
    json::{self, FromJson},
    ledger::{
        ApplyReceipt, ExplainQuery, ExplainReply, HistoryPage, HistoryQuery, LedgerRequest,
        OverrideReply, OverrideRequest, WaitFor,
    },
    store::{Error, Ledger, LoadedSet, ServedBy, SourceCoverage, record},
    worker::{
        objects::Objects,
        rpc::{NEWER_RELEASE, OBJECT_URL, post, unreachable},
    },
};

/// The binding in `wrangler.toml`.
const BINDING: &str = "LEDGERS";

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
            self.connect(customer, since).await.map_err(|error| unreachable("ledger", &error))?;
        match response.status_code() {
            TOO_MANY_REQUESTS => Ok(None),
            NEWER_RELEASE => Err(Error::NewerSchema { port: "ledger" }),
            101 => match response.websocket() {
                Some(socket) => Ok(Some(socket)),
                None => Err(unreachable("ledger", &"the response has no WebSocket")),
            },
            _ => Err(unreachable("ledger", &response.text().await.unwrap_or_default())),
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
        let (_, body) = self.request(customer, message).await?;
        json::from_slice(&body).map_err(|error| unreadable(&error))
    }

    /// Returns the response, with a status of 200 or 404, and its body.
    async fn request(
        &self,
        customer: &CustomerKey,
        message: &LedgerRequest,
    ) -> Result<(web_sys::Response, Vec<u8>), Error> {
        let (response, body) =
            self.post(customer, message).await.map_err(|error| unreachable("ledger", &error))?;
        let failed = |port| unreachable(port, &String::from_utf8_lossy(&body));
        match response.status() {
            200 | 404 => Ok((response, body)),
            502 => Err(failed("source")),
            NEWER_RELEASE => Err(Error::NewerSchema { port: "ledger" }),
            _ => Err(failed("ledger")),
        }
    }

    async fn post(
        &self,
        customer: &CustomerKey,
        message: &LedgerRequest,
    ) -> worker::Result<(web_sys::Response, Vec<u8>)> {
        post(&self.objects, &customer.to_key(), serde_json::to_string(message)).await
    }

    async fn load_set(
        &self,
        customer: &CustomerKey,
        message: &LedgerRequest,
    ) -> Result<LoadedSet, Error> {
        let (response, body) = self.request(customer, message).await?;
        let served_by: ServedBy = response
            .headers()
            .get(SERVED_BY)
            .ok()
            .flatten()
            .and_then(|served_by| json::from_slice(served_by.as_bytes()).ok())
            .unwrap_or(ServedBy::Ledger);
        let coverage = match response.headers().get(SOURCE_FAILED).ok().flatten() {
            Some(_) => SourceCoverage::Failed,
            None => SourceCoverage::Asked,
        };
        let entitlements = match response.status() {
            404 => None,
            _ => Some(record::decode(&body).map_err(|error| match error {
                record::Error::UnsupportedVersion(_) => Error::NewerSchema { port: "ledger" },
                error => unreadable(&error),
            })?),
        };
        Ok(LoadedSet { entitlements, served_by, coverage })
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
    Error::Unreadable { port: "ledger", cause: cause.to_string() }
}
