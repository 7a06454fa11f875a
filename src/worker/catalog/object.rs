//! The catalog's Durable Objects: one a mode, `test` and `live`.
//!
//! A request is answered in one transaction, which leaves nothing behind if the answer is a failure.
//! An alarm is set before an answer leaves, so that whatever the transaction put off is done though
//! the object should die in the next moment. The `desk` does it; the rules are in
//! [`crate::catalog`], and what requests and answers look like is in [`crate::api`].

use std::{cell::RefCell, collections::HashSet, pin::pin, rc::Rc};

use ::http::{HeaderName, HeaderValue, Method, Uri, header};
use futures_util::future::{Either, select};
use js_sys::Uint8Array;
use web_sys::{Headers, RequestInit};
use worker::{
    DurableObject, Env, ObjectNamespace, Request, Response, Result, State, durable_object,
};

use super::jobs::CatalogJobs;
use crate::worker::{http, log_error, rpc, sleep, source::SOURCE_TIMEOUT};
use crate::{
    api,
    id::Livemode,
    source::StripeResponse,
    store::{self, CatalogClient as _},
};

/// The binding in `wrangler.toml`.
const BINDING: &str = "CATALOG";

/// An object is found by its name; the origin only has to be one.
const ORIGIN: &str = "https://catalog";

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// What a request brings along from the Worker, which has seen to it who asks.
const FORWARDED_HEADERS: [HeaderName; 3] =
    [header::CONTENT_TYPE, IDEMPOTENCY_KEY, http::REQUEST_ID];

/// The catalog of one mode.
#[durable_object(alarm)]
pub struct CatalogObject {
    desk: Rc<CatalogJobs>,
    /// The idempotency keys of requests that are being read.
    in_hand: RefCell<HashSet<String>>,
}

impl std::fmt::Debug for CatalogObject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CatalogObject").finish_non_exhaustive()
    }
}

impl DurableObject for CatalogObject {
    fn new(state: State, env: Env) -> Self {
        Self { desk: Rc::new(CatalogJobs::new(state, env)), in_hand: RefCell::default() }
    }

    async fn fetch(&self, request: Request) -> Result<Response> {
        let answer = self.handle(request.inner()).await?;
        Ok(http::to_response(&answer)?.into())
    }

    async fn alarm(&self) -> Result<Response> {
        self.desk.run_to_end().await?;
        Response::empty()
    }
}

impl CatalogObject {
    async fn handle(&self, request: &web_sys::Request) -> Result<api::Response> {
        let Some(turn) = KeyGuard::acquire(&self.in_hand, request)? else {
            let key = request.headers().get(IDEMPOTENCY_KEY.as_str())?.unwrap_or_default();
            return Ok(api::catalog::key_in_use(&key));
        };
        let request = http::read_request(request, &FORWARDED_HEADERS).await?;
        let answered = self.desk.transact(|catalog| api::catalog::handle(catalog, &request))?;
        drop(turn);
        // No await since the transaction: the alarm is committed together with it.
        if self.desk.alarm_unset() || (answered.is_ok() && !request.method().is_safe()) {
            self.desk.schedule_background_work().await?;
        }
        Ok(answered.unwrap_or_else(|refusal| {
            if let Some(cause) = refusal.cause() {
                log_error(cause);
            }
            refusal.response()
        }))
    }
}

/// That a request is being read, and no other with its key.
struct KeyGuard<'a> {
    in_progress: &'a RefCell<HashSet<String>>,
    key: Option<String>,
}

impl<'a> KeyGuard<'a> {
    /// None while another request has the key in hand.
    fn acquire(
        in_hand: &'a RefCell<HashSet<String>>,
        request: &web_sys::Request,
    ) -> Result<Option<Self>> {
        let key = request.headers().get(IDEMPOTENCY_KEY.as_str())?;
        let key = key.filter(|key| request.method() == Method::POST.as_str() && !key.is_empty());
        let free = key.as_ref().is_none_or(|key| in_hand.borrow_mut().insert(key.clone()));
        Ok(free.then_some(Self { in_progress: in_hand, key }))
    }
}

impl Drop for KeyGuard<'_> {
    fn drop(&mut self) {
        if let Some(key) = &self.key {
            self.in_progress.borrow_mut().remove(key);
        }
    }
}

/// The way to the catalogs.
pub(in crate::worker) struct CatalogStub {
    namespace: ObjectNamespace,
}

impl CatalogStub {
    pub(in crate::worker) fn from_env(env: &Env) -> Result<Self> {
        Ok(Self { namespace: env.durable_object(BINDING)? })
    }

    /// Of which mode the object with this state is the catalog.
    pub(in crate::worker) fn livemode_of(&self, state: &State) -> Result<Livemode> {
        for livemode in [Livemode::Test, Livemode::Live] {
            if self.namespace.id_from_name(rpc::mode_name(livemode))? == state.id() {
                return Ok(livemode);
            }
        }
        Err("this catalog is of no mode".into())
    }

    /// Reads in the catalog of one mode, as one reads at Stripe.
    pub(in crate::worker) async fn get(
        &self,
        livemode: Livemode,
        target: &str,
    ) -> std::result::Result<StripeResponse, String> {
        let mut request = api::Request::default();
        *request.uri_mut() = Uri::try_from(target).map_err(|error| error.to_string())?;
        let asked = pin!(self.send(livemode, &request));
        let answer = match select(asked, sleep(SOURCE_TIMEOUT.into())).await {
            Either::Left((answer, _)) => answer.map_err(|error| error.to_string())?,
            Either::Right(_) => return Err("the catalog does not answer".to_owned()),
        };
        let retry_after =
            answer.headers().get(header::RETRY_AFTER).and_then(|text| text.to_str().ok());
        Ok(StripeResponse {
            status: answer.status().as_u16(),
            retry_after: retry_after.and_then(|seconds| seconds.parse().ok()),
            should_retry: None,
            body: answer.into_body(),
        })
    }

    async fn forward(&self, livemode: Livemode, request: &api::Request) -> Result<api::Response> {
        let catalog = self.namespace.id_from_name(rpc::mode_name(livemode))?.get_stub()?;
        let request = self::to_object_request(request)?;
        let response = catalog.fetch_with_request(request.into()).await?;
        self::to_api_response(response).await
    }
}

impl store::CatalogClient for CatalogStub {
    async fn send(
        &self,
        livemode: Livemode,
        request: &api::Request,
    ) -> std::result::Result<api::Response, store::Error> {
        self.forward(livemode, request).await.map_err(|error| store::Error::Unreachable {
            port: "catalog",
            cause: error.to_string(),
        })
    }
}

/// A request, as the catalog's object is sent it.
fn to_object_request(message: &api::Request) -> Result<web_sys::Request> {
    let headers = Headers::new()?;
    for name in &FORWARDED_HEADERS {
        if let Some(Ok(value)) = message.headers().get(name).map(HeaderValue::to_str) {
            headers.set(name.as_str(), value)?;
        }
    }
    let init = RequestInit::new();
    init.set_method(message.method().as_str());
    init.set_headers_headers(&headers);
    // A `GET` must have no body at all, not an empty one.
    if !message.body().is_empty() {
        init.set_body(&Uint8Array::from(message.body().as_slice()));
    }
    let target = message.uri().path_and_query().map_or("/", |target| target.as_str());
    Ok(web_sys::Request::new_with_str_and_init(&format!("{ORIGIN}{target}"), &init)?)
}

/// The object's answer.
async fn to_api_response(mut response: Response) -> Result<api::Response> {
    let mut answer = api::Response::new(response.bytes().await?);
    let status = response.status_code().try_into();
    *answer.status_mut() = status.map_err(|_| "the answer has no status".to_owned())?;
    for name in &api::catalog::RESPONSE_HEADERS {
        if let Some(value) = response.headers().get(name.as_str())?
            && let Ok(value) = HeaderValue::from_bytes(value.as_bytes())
        {
            answer.headers_mut().insert(name, value);
        }
    }
    Ok(answer)
}
