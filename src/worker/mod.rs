//! The Cloudflare Workers shell: what the pure crate is handed, and by whom.
//!
//! | file       | hands over                                                                     |
//! |------------|--------------------------------------------------------------------------------|
//! | `entry.js` | the way in: what the platform calls; [`crate::hot`] is tried first              |
//! | `worker.js` · `microtask.js` | this module, when it is needed · how its futures are woken   |
//! | `http`     | requests and answers                                                           |
//! | `replica`  | the KV namespace `ENTITLEMENTS`                                                |
//! | `source`   | the way to Stripe, or to the catalog in its place                              |
//! | `crypto`   | public keys, and the way to an issuer's                                        |
//! | `ledger`   | the way to a customer's Durable Object                                         |
//! | `messages` | what is said on that way                                                       |
//! | `customer` | that object: one writer per customer, which also feeds the replica             |
//! | `reading`  | how it reads the source                                                        |
//! | `listeners` | who listens to it                                                             |
//! | `stream`   | the way from there to the client                                               |
//! | `tables`   | its SQLite tables                                                              |
//! | `roster`   | the Durable Object that knows who there is, and the way to it                  |
//! | `known`    | its list of customers                                                          |
//! | `journal`  | the Durable Objects that know what was decided lately, and the way to them     |
//! | `object`   | how something is said to any of these, and what objects of a mode are called   |
//! | `catalog`  | the Durable Object of the catalog, and the way to it                           |
//! | `desk`     | what it does besides answering, in time                                        |
//! | `courier` · `hands` | how it tells endpoints of events · how many at once                   |
//! | `shelf` · `chance` | its SQLite tables · what its ids and secrets are made of               |
//! | `sql`      | the SQL of all objects                                                         |
//! | `cron`     | what is done every minute                                                      |
//!
//! The clock and the environment are read here. No rule about entitlements is. `catalog`, `desk`, `courier`,
//! `hands` and `shelf` stand behind the feature `catalog`.

#[expect(missing_docs, reason = "`#[durable_object]` adds methods for JavaScript without any")]
mod activity_log;
#[cfg(feature = "catalog")]
mod catalog;
mod cron;
mod crypto;
mod customer_index;
mod http;
mod ledger;
mod random;
mod replica;
mod rpc;
mod source;
mod sql;
mod stream;

#[cfg(not(feature = "catalog"))]
use std::convert::Infallible as CatalogStub;
use std::{cell::OnceCell, rc::Rc};

use futures_util::future::{LocalBoxFuture, Shared};
use worker::{
    Context, Delay, Env, ScheduleContext, ScheduledEvent, ScheduledTime, console_error, event,
};

#[cfg(feature = "catalog")]
use self::catalog::CatalogStub;
use self::{
    activity_log::ActivityLogStub,
    crypto::WebCrypto,
    customer_index::CustomerIndexStub,
    ledger::LedgerStub,
    replica::KvReplica,
    source::{SourceTransport, open_source},
};
use crate::{
    api::{
        self, App, FeatureCache,
        settings::{self, Settings, Source},
        stream::StreamRequest,
    },
    id::{Livemode, UnixMillis},
    source::{StripeClient, Transport},
    store,
    token::JwksCache,
};

#[cfg(feature = "catalog")]
pub use self::catalog::object::CatalogObject;
pub use self::{
    activity_log::ActivityLogObject, customer_index::object::CustomerIndexObject,
    ledger::object::LedgerObject,
};

thread_local! {
    /// What the operator set, once it was read.
    static SETTINGS: OnceCell<Rc<Settings>> = const { OnceCell::new() };

    /// What this isolate knows of features, for as long as it lives.
    static FEATURES: Rc<FeatureCache> = Rc::default();

    /// The issuer's keys, as far as this isolate knows them.
    static KEYRING: Rc<JwksCache> = Rc::default();
}

/// The stores of this deployment.
struct Bindings {
    ledger: LedgerStub,
    replica: KvReplica,
    customer_index: CustomerIndexStub,
    activity_log: ActivityLogStub,
    test_source: Option<StripeClient<SourceTransport>>,
    live_source: Option<StripeClient<SourceTransport>>,
    catalog: Option<CatalogStub>,
    crypto: WebCrypto,
}

impl Bindings {
    fn from_env(env: &Env, settings: &Settings) -> worker::Result<Self> {
        Ok(Self {
            ledger: LedgerStub::from_env(env)?,
            replica: KvReplica::from_env(env)?,
            customer_index: CustomerIndexStub::from_env(env)?,
            activity_log: ActivityLogStub::from_env(env)?,
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

    fn activity_log(&self) -> &impl store::ActivityLog {
        &self.activity_log
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

/// Answers one request.
///
/// # Errors
///
/// When the deployment lacks a binding of `wrangler.toml`.
#[event(fetch)]
async fn fetch(
    request: web_sys::Request,
    env: Env,
    context: Context,
) -> worker::Result<web_sys::Response> {
    let id = http::new_request_id();
    let settings = match load_settings(&env) {
        Ok(settings) => settings,
        Err(error) => {
            log_error(&error.to_string());
            return http::respond(api::misconfigured(&error), id);
        }
    };
    let store = Bindings::from_env(&env, &settings)?;
    let features = FEATURES.with(Rc::clone);
    let keyring = KEYRING.with(Rc::clone);
    let app = App {
        store: &store,
        settings: &settings,
        feature_cache: &features,
        jwks_cache: &keyring,
        random: || u128::from(random::random_u64()) << 64 | u128::from(random::random_u64()),
        log: log_error,
    };
    let request = http::read_client_request(&request, &id).await?;
    let mut response = api::handle(&app, &request, now_millis().to_timestamp()).await;
    match response.extensions_mut().remove::<StreamRequest>() {
        Some(listen) => stream::open_stream(&store.ledger, listen, response, id, &context).await,
        None => http::respond(response, id),
    }
}

/// Does what is to be done every minute.
#[event(scheduled)]
async fn scheduled(_event: ScheduledEvent, env: Env, _context: ScheduleContext) {
    if let Err(error) = cron::reconcile(&env).await {
        console_error!("reconcile: {error}");
    }
}

/// The settings. They are the same for as long as this isolate lives, so that they are read once.
fn load_settings(env: &Env) -> Result<Rc<Settings>, settings::Error> {
    if let Some(settings) = SETTINGS.with(|known| known.get().cloned()) {
        return Ok(settings);
    }
    let settings = Settings::parse(|name| env.var(name).ok().map(|value| value.to_string()))?;
    Ok(SETTINGS.with(|known| Rc::clone(known.get_or_init(|| Rc::new(settings)))))
}

fn log_error(line: &str) {
    console_error!("{line}");
}

fn now_millis() -> UnixMillis {
    UnixMillis(worker::Date::now().as_millis())
}

/// A while, in milliseconds.
fn sleep(millis: u64) -> Delay {
    Delay::from(std::time::Duration::from_millis(millis))
}

/// A moment, for an alarm.
fn scheduled_time(moment: UnixMillis) -> ScheduledTime {
    #[expect(clippy::cast_precision_loss, reason = "a date has fewer than 53 bits of milliseconds")]
    ScheduledTime::new(js_sys::Date::new(&(moment.0 as f64).into()))
}

/// Work under way, shared by all who wait for it.
type SharedFuture<T> = Shared<LocalBoxFuture<'static, T>>;
