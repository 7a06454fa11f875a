//! The Cloudflare Workers shell: connects the pure crate to the platform.
//!
//! | module                   | contents                                                        |
//! |--------------------------|-----------------------------------------------------------------|
//! | `entry.js` · `worker.js` | what the runtime calls: [`crate::fast_path`] first, then this   |
//! | `entitlements.js`        | the service binding                                             |
//! | `decisions.js`           | what a response decided, for the log and the metrics            |
//! | `body.js`                | reads the bodies of requests                                    |
//! | `wire.js`                | the strings that `entry.js` exchanges with the fast path        |
//! | `microtask.js`           | a faster `queueMicrotask`                                       |
//! | `runtime` · `random`     | settings, clock, timers, log · random numbers                   |
//! | `http`                   | requests and responses, as bytes                                |
//! | `objects`                | stubs of Durable Objects, in the jurisdiction of the deployment |
//! | `rpc` · `sql`            | JSON requests to a Durable Object · SQL in one                  |
//! | `crypto`                 | public keys, and the client of an issuer's JWKS                 |
//! | `replica`                | the KV namespace `ENTITLEMENTS`                                 |
//! | `deployment`             | confirms the jurisdiction of the deployment                     |
//! | `source`                 | the client of Stripe, or of the catalog in its place            |
//! | `customer_index`         | Durable Objects: the customers, their sync status, and recent decisions |
//! | `ledger`                 | Durable Object: the only writer of one customer's entitlements  |
//! | `catalog`                | Durable Object: the catalog, its transitions and its deliveries |
//! | `cron`                   | reconciliation, every minute                                    |
//! | `coordinator`            | Durable Object: the event poll, read slots, lost alarms         |
//! | `stream`                 | live changes, from a ledger to a client                         |
//!
//! A Durable Object is `object`; the client of it is a `*Stub`. An import goes up this table, never
//! down, except that a Durable Object may import the stub of any other. The module `catalog` needs the feature
//! `catalog`.
//!
//! The clock, the environment and random numbers are read here. Not here: any rule about
//! entitlements, which are in [`crate::ledger`], [`crate::catalog`] and [`crate::api`].

mod runtime;

mod random;

mod http;

mod objects;

mod rpc;

mod sql;

mod crypto;

mod replica;

mod deployment;

mod source;

mod customer_index;

mod ledger;

#[cfg(feature = "catalog")]
mod catalog;

mod coordinator;

mod cron;

mod stream;

#[cfg(not(feature = "catalog"))]
use std::convert::Infallible as CatalogStub;
use std::rc::Rc;

use ::http::HeaderValue;
use js_sys::Function;
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};
use worker::{
    Context, Env, Response, Result, ScheduleContext, ScheduledEvent, console_error, event,
    worker_sys,
};

#[cfg(feature = "catalog")]
use self::catalog::CatalogStub;
use self::{
    coordinator::CoordinatorStub,
    crypto::WebCrypto,
    customer_index::CustomerIndexStub,
    ledger::LedgerStub,
    random::random_u64,
    replica::KvReplica,
    runtime::{load_settings, log_error, now_millis, sleep},
    source::{SourceTransport, open_source},
};
use crate::{
    api::{
        self, App, BoundCaller, DeniedFeature, FeatureCache, HealthCache, RefusedOrigins,
        settings::{Settings, Source},
        stream::StreamRequest,
    },
    id::Livemode,
    source::{StripeClient, Transport},
    store,
    token::JwksCache,
};

#[cfg(feature = "catalog")]
pub use self::catalog::CatalogObject;
pub use self::{
    coordinator::CoordinatorObject, customer_index::CustomerIndexObject, ledger::LedgerObject,
};

thread_local! {
    /// The source's features, cached for the lifetime of the isolate.
    static FEATURE_CACHE: Rc<FeatureCache> = Rc::default();

    /// The issuer's keys, cached for the lifetime of the isolate.
    static JWKS_CACHE: Rc<JwksCache> = Rc::default();

    /// The status of the deployment, for `/healthz`.
    static HEALTH_CACHE: Rc<HealthCache> = Rc::default();
    static REFUSED_ORIGINS: Rc<RefusedOrigins> = Rc::default();
}

/// The stores of this deployment.
struct Bindings {
    ledger: LedgerStub,
    replica: KvReplica,
    customer_index: CustomerIndexStub,
    coordinator: CoordinatorStub,
    test_source: Option<StripeClient<SourceTransport>>,
    live_source: Option<StripeClient<SourceTransport>>,
    catalog: Option<CatalogStub>,
    crypto: WebCrypto,
}

impl Bindings {
    fn from_env(env: &Env, settings: &Settings) -> Result<Self> {
        Ok(Self {
            ledger: LedgerStub::from_env(env)?,
            replica: KvReplica::from_env(env)?,
            customer_index: CustomerIndexStub::from_env(env)?,
            coordinator: CoordinatorStub::from_env(env)?,
            test_source: open_source(env, settings, Livemode::Test)?,
            live_source: open_source(env, settings, Livemode::Live)?,
            catalog: match settings.source {
                Source::Stripe => None,
                #[cfg(feature = "catalog")]
                Source::Catalog => Some(CatalogStub::from_env(env)?),
            },
            crypto: WebCrypto::new(settings.issuer.as_ref().map(|issuer| issuer.jwks_url.clone())),
        })
    }
}

impl store::Store for Bindings {
    fn ledger(&self) -> &impl store::Ledger {
        &self.ledger
    }

    fn replica(&self) -> &impl store::Replica {
        &self.replica
    }

    fn customer_index(&self) -> &impl store::CustomerIndex {
        &self.customer_index
    }

    fn coordinator(&self) -> &impl store::Coordinator {
        &self.coordinator
    }

    fn source(&self, livemode: Livemode) -> Option<&StripeClient<impl Transport>> {
        match livemode {
            Livemode::Test => self.test_source.as_ref(),
            Livemode::Live => self.live_source.as_ref(),
        }
    }

    fn catalog(&self) -> Option<&impl store::CatalogClient> {
        self.catalog.as_ref()
    }

    fn crypto(&self) -> &impl store::Crypto {
        &self.crypto
    }
}

/// Answers one request. `entry.js` creates the request id, `id`, and `read`, which reads the body up to a
/// limit. `bound_livemode` is the mode of a caller with a service binding, which needs no key.
/// `note_existing_feature` receives the mode and the lookup key of a feature that may be denied on the fast
/// path.
///
/// # Errors
///
/// If the platform cannot create a response.
#[wasm_bindgen]
pub async fn fetch(
    request: web_sys::Request,
    env: Env,
    context: worker_sys::Context,
    id: String,
    read: Function,
    bound_livemode: Option<bool>,
    note_existing_feature: Function,
) -> Result<web_sys::Response> {
    let bound = bound_livemode.map(|livemode| BoundCaller(livemode.into()));
    let functions = Functions { read, note_existing_feature };
    let response = answer(&request, &env, &Context::new(context), id, functions, bound).await;
    response.or_else(|error| {
        console_error!("{error}");
        Response::error("INTERNAL SERVER ERROR", 500).map(Into::into)
    })
}

/// The functions that `entry.js` passes with a request.
struct Functions {
    read: Function,
    note_existing_feature: Function,
}

/// Fails if the deployment lacks a binding of `wrangler.toml`.
async fn answer(
    request: &web_sys::Request,
    env: &Env,
    context: &Context,
    id: String,
    functions: Functions,
    bound: Option<BoundCaller>,
) -> Result<web_sys::Response> {
    let id = HeaderValue::try_from(id).map_err(|error| error.to_string())?;
    let settings = match load_settings(env) {
        Ok(settings) => settings,
        Err(error) => {
            log_error(&error.to_string());
            return http::respond(api::misconfigured(&error), id);
        }
    };
    if let Err(misplaced) = deployment::confirm(env).await {
        return http::respond(misplaced.response, id);
    }
    let store = Bindings::from_env(env, &settings)?;
    let feature_cache = FEATURE_CACHE.with(Rc::clone);
    let jwks_cache = JWKS_CACHE.with(Rc::clone);
    let health_cache = HEALTH_CACHE.with(Rc::clone);
    let refused_origins = REFUSED_ORIGINS.with(Rc::clone);
    let app = App {
        store: &store,
        settings: &settings,
        health_cache: &health_cache,
        refused_origins: &refused_origins,
        feature_cache: &feature_cache,
        jwks_cache: &jwks_cache,
        sleep: |millis| Box::pin(sleep(millis)),
        random: || u128::from(random_u64()) << 64 | u128::from(random_u64()),
        log: log_error,
    };
    let mut message = http::client_request(request, &id, functions.read)?;
    if let Some(bound) = bound {
        message.extensions_mut().insert(bound);
    }
    let mut response = api::handle(&app, message, now_millis().to_timestamp()).await;
    if let Some(DeniedFeature { livemode, feature }) = response.extensions_mut().remove() {
        let (livemode, feature) = (bool::from(livemode).into(), feature.as_str().into());
        // It fails only if the fast path traps. Then this path answers the next time too.
        let _ = functions.note_existing_feature.call2(&JsValue::UNDEFINED, &livemode, &feature);
    }
    match response.extensions_mut().remove::<StreamRequest>() {
        Some(stream) => {
            let signal = request.signal();
            stream::open_stream(&store.ledger, signal, stream, response, id, context).await
        }
        None => http::respond(response, id),
    }
}

/// Runs every minute, by the cron trigger of `wrangler.toml`.
#[event(scheduled)]
async fn scheduled(_event: ScheduledEvent, env: Env, _context: ScheduleContext) {
    let armed = match deployment::confirm(&env).await {
        Ok(()) => cron::arm_coordinators(&env).await,
        Err(misplaced) => Err(misplaced.into()),
    };
    if let Err(error) = armed {
        console_error!("failed to set the alarm of a coordinator: {error}");
    }
}
