//! The catalog's Durable Object.
//!
//! A request runs in one transaction, which is rolled back if the response is an error. The alarm
//! is set before the response is sent. So the work that the transaction postponed runs even if the
//! object is evicted. That work is in [`crate::catalog::process`].

use std::{cell::RefCell, collections::HashSet, rc::Rc};

use ::http::Method;
use worker::{DurableObject, Env, Request, Response, Result, State, durable_object};

use super::{
    ports::CatalogObjectPorts,
    stub::{FORWARDED_HEADERS, IDEMPOTENCY_KEY},
};
use crate::{
    api,
    catalog::{
        Tx,
        process::{CatalogProcess, RequestKind},
    },
    worker::{http, runtime::log_error},
};

/// The catalog of one mode.
#[durable_object(alarm)]
pub struct CatalogObject {
    process: Rc<CatalogProcess<CatalogObjectPorts>>,
    /// The idempotency keys of requests whose bodies are being read.
    in_progress: RefCell<HashSet<String>>,
}

impl std::fmt::Debug for CatalogObject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CatalogObject").finish_non_exhaustive()
    }
}

impl DurableObject for CatalogObject {
    fn new(state: State, env: Env) -> Self {
        let process = Rc::new(CatalogProcess::new(CatalogObjectPorts::new(state, env)));
        Self { process, in_progress: RefCell::default() }
    }

    async fn fetch(&self, request: Request) -> Result<Response> {
        let response = self.handle(request.inner()).await?;
        Ok(http::to_response(&response)?.into())
    }

    async fn alarm(&self) -> Result<Response> {
        self.process.handle_alarm().await.map_err(|error| error.to_string())?;
        Response::empty()
    }
}

impl CatalogObject {
    async fn handle(&self, request: &web_sys::Request) -> Result<api::Response> {
        let Some(guard) = KeyGuard::acquire(&self.in_progress, request)? else {
            let key = request.headers().get(IDEMPOTENCY_KEY.as_str())?.unwrap_or_default();
            return Ok(api::catalog::key_in_use(&key));
        };
        let request = http::read_object_request(request, &FORWARDED_HEADERS).await?;
        let kind = if request.method().is_safe() { RequestKind::Read } else { RequestKind::Write };
        let storage = &self.process.ports.storage;
        let is_usable = match kind {
            RequestKind::Read => storage.may_read()?,
            RequestKind::Write => storage.may_write()?,
        };
        if !is_usable {
            return Ok(api::catalog::newer_schema());
        }
        let transaction = |tx: Tx<'_>| {
            let result = api::catalog::handle(tx, &request);
            drop(guard);
            result
        };
        let result = self.process.handle_request(kind, transaction).await;
        let result = result.map_err(|error| error.to_string())?;
        Ok(result.unwrap_or_else(|rejected| {
            if let Some(cause) = rejected.cause() {
                log_error(cause);
            }
            rejected.response()
        }))
    }
}

/// Blocks other requests with the same idempotency key until it is dropped.
struct KeyGuard<'a> {
    in_progress: &'a RefCell<HashSet<String>>,
    key: Option<String>,
}

impl<'a> KeyGuard<'a> {
    /// Returns `None` while another request with the key is in progress.
    fn acquire(
        in_progress: &'a RefCell<HashSet<String>>,
        request: &web_sys::Request,
    ) -> Result<Option<Self>> {
        let key = request.headers().get(IDEMPOTENCY_KEY.as_str())?;
        let key = key.filter(|key| request.method() == Method::POST.as_str() && !key.is_empty());
        let acquired = key.as_ref().is_none_or(|key| in_progress.borrow_mut().insert(key.clone()));
        // Not `then_some`: a guard that was not acquired must not exist, since dropping it frees the key.
        Ok(acquired.then(|| Self { in_progress, key }))
    }
}

impl Drop for KeyGuard<'_> {
    fn drop(&mut self) {
        if let Some(key) = &self.key {
            self.in_progress.borrow_mut().remove(key);
        }
    }
}
