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

#[cfg(feature = "catalog")]
#[expect(missing_docs, reason = "`#[durable_object]` adds methods for JavaScript without any")]
mod catalog;
mod chance;
#[cfg(feature = "catalog")]
mod courier;
mod cron;
mod crypto;
#[expect(missing_docs, reason = "`#[durable_object]` adds methods for JavaScript without any")]
mod customer;
#[cfg(feature = "catalog")]
mod desk;
#[cfg(feature = "catalog")]
mod hands;
mod http;
#[expect(missing_docs, reason = "`#[durable_object]` adds methods for JavaScript without any")]
mod journal;
mod known;
mod ledger;
mod listeners;
mod messages;
mod object;
mod reading;
mod replica;
#[expect(missing_docs, reason = "`#[durable_object]` adds methods for JavaScript without any")]
mod roster;
#[cfg(feature = "catalog")]
mod shelf;
mod source;
mod sql;
mod stream;
mod tables;

#[cfg(not(feature = "catalog"))]
use std::convert::Infallible as DurableCatalog;
use std::{cell::OnceCell, rc::Rc};

use futures_util::future::{LocalBoxFuture, Shared};
use worker::{
    Context, Delay, Env, ScheduleContext, ScheduledEvent, ScheduledTime, console_error, event,
};

#[cfg(feature = "catalog")]
use self::catalog::DurableCatalog;
use self::{
    crypto::WebCrypto,
    journal::DurableJournal,
    ledger::DurableLedger,
    replica::KvReplica,
    roster::DurableRoster,
    source::{Way, source},
};
use crate::{
    api::{
        self, App, Features,
        settings::{self, Settings, Source},
        stream::Listen,
    },
    id::{Livemode, Millis},
    source::{Stripe, Transport},
    store,
    token::Keyring,
};

#[cfg(feature = "catalog")]
pub use self::catalog::Catalog;
pub use self::{customer::Customer, journal::Journal, roster::Roster};

thread_local! {
    /// What the operator set, once it was read.
    static SETTINGS: OnceCell<Rc<Settings>> = const { OnceCell::new() };

    /// What this isolate knows of features, for as long as it lives.
    static FEATURES: Rc<Features> = Rc::default();

    /// The issuer's keys, as far as this isolate knows them.
    static KEYRING: Rc<Keyring> = Rc::default();
}

/// The stores of this deployment.
struct Edge {
    ledger: DurableLedger,
    replica: KvReplica,
    roster: DurableRoster,
    journal: DurableJournal,
    test: Option<Stripe<Way>>,
    live: Option<Stripe<Way>>,
    catalog: Option<DurableCatalog>,
    crypto: WebCrypto,
}

impl Edge {
    fn open(env: &Env, settings: &Settings) -> worker::Result<Self> {
        Ok(Self {
            ledger: DurableLedger::open(env)?,
            replica: KvReplica::open(env)?,
            roster: DurableRoster::open(env)?,
            journal: DurableJournal::open(env)?,
            test: source(env, settings, Livemode::Test)?,
            live: source(env, settings, Livemode::Live)?,
            catalog: match settings.source {
                Source::Stripe => None,
                #[cfg(feature = "catalog")]
                Source::Catalog => Some(DurableCatalog::open(env)?),
            },
            crypto: WebCrypto::new(settings.issuer.as_ref().map(|issuer| issuer.jwks_url.clone())),
        })
    }
}

impl store::Store for Edge {
    fn ledger(&self) -> &impl store::Ledger {
        &self.ledger
    }

    fn replica(&self) -> &impl store::Replica {
        &self.replica
    }

    fn roster(&self) -> &impl store::Roster {
        &self.roster
    }

    fn journal(&self) -> &impl store::Journal {
        &self.journal
    }

    fn source(&self, livemode: Livemode) -> Option<&Stripe<impl Transport>> {
        match livemode {
            Livemode::Test => self.test.as_ref(),
            Livemode::Live => self.live.as_ref(),
        }
    }

    fn catalog(&self) -> Option<&impl store::Catalog> {
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
    let id = http::request_id();
    let settings = match settings(&env) {
        Ok(settings) => settings,
        Err(error) => {
            log(&error.to_string());
            return http::answer(api::misconfigured(&error), id);
        }
    };
    let store = Edge::open(&env, &settings)?;
    let features = FEATURES.with(Rc::clone);
    let keyring = KEYRING.with(Rc::clone);
    let app = App {
        store: &store,
        settings: &settings,
        features: &features,
        keyring: &keyring,
        random: || u128::from(chance::chance()) << 64 | u128::from(chance::chance()),
        log,
    };
    let request = http::read(&request, &id).await?;
    let mut response = api::handle(&app, &request, millis().second()).await;
    match response.extensions_mut().remove::<Listen>() {
        Some(listen) => stream::open(&store.ledger, listen, response, id, &context).await,
        None => http::answer(response, id),
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
fn settings(env: &Env) -> Result<Rc<Settings>, settings::Error> {
    if let Some(settings) = SETTINGS.with(|known| known.get().cloned()) {
        return Ok(settings);
    }
    let settings = Settings::read(|name| env.var(name).ok().map(|value| value.to_string()))?;
    Ok(SETTINGS.with(|known| Rc::clone(known.get_or_init(|| Rc::new(settings)))))
}

fn log(line: &str) {
    console_error!("{line}");
}

fn millis() -> Millis {
    Millis(worker::Date::now().as_millis())
}

/// A while, in milliseconds.
fn sleep(millis: u64) -> Delay {
    Delay::from(std::time::Duration::from_millis(millis))
}

/// A moment, for an alarm.
fn at(moment: Millis) -> ScheduledTime {
    #[expect(clippy::cast_precision_loss, reason = "a date has fewer than 53 bits of milliseconds")]
    ScheduledTime::new(js_sys::Date::new(&(moment.0 as f64).into()))
}

/// Work under way, shared by all who wait for it.
type Work<T> = Shared<LocalBoxFuture<'static, T>>;
