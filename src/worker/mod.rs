//! The Cloudflare Workers shell: what the pure crate is handed, and by whom.
//!
//! | file       | hands over                                                                     |
//! |------------|--------------------------------------------------------------------------------|
//! | `http`     | requests and answers                                                           |
//! | `replica`  | the KV namespace `ENTITLEMENTS`                                                |
//! | `source`   | the way to Stripe                                                              |
//! | `ledger`   | the way to a customer's Durable Object                                         |
//! | `messages` | what is said on that way                                                       |
//! | `customer` | that object: one writer per customer, which also feeds the replica             |
//! | `reading`  | how it reads the source                                                        |
//! | `tables`   | its SQLite tables                                                              |
//! | `roster`   | the Durable Object that knows who there is, and the way to it                  |
//! | `sql`      | the SQL of all objects                                                         |
//! | `cron`     | what is done every minute                                                      |
//!
//! The clock and the environment are read here. No rule about entitlements is.

mod cron;
#[expect(missing_docs, reason = "`#[durable_object]` adds methods for JavaScript without any")]
mod customer;
mod http;
mod ledger;
mod messages;
mod reading;
mod replica;
#[expect(missing_docs, reason = "`#[durable_object]` adds methods for JavaScript without any")]
mod roster;
mod source;
mod sql;
mod tables;

use worker::{Context, Env, ScheduleContext, ScheduledEvent, console_error, event};

use self::{
    ledger::DurableLedger,
    replica::KvReplica,
    roster::DurableRoster,
    source::{Fetch, stripe},
};
use crate::{
    api::{
        self, App, Features,
        settings::{self, Settings},
    },
    id::{Livemode, Millis},
    source::{Stripe, Transport},
    store,
};

pub use self::{customer::Customer, roster::Roster};

thread_local! {
    /// What this isolate knows of features, for as long as it lives.
    static FEATURES: std::rc::Rc<Features> = std::rc::Rc::default();
}

/// The stores of this deployment.
struct Edge {
    ledger: DurableLedger,
    replica: KvReplica,
    roster: DurableRoster,
    test: Option<Stripe<Fetch>>,
    live: Option<Stripe<Fetch>>,
}

impl Edge {
    fn open(env: &Env, settings: &Settings) -> worker::Result<Self> {
        Ok(Self {
            ledger: DurableLedger::open(env)?,
            replica: KvReplica::open(env)?,
            roster: DurableRoster::open(env)?,
            test: stripe(settings, Livemode::Test),
            live: stripe(settings, Livemode::Live),
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

    fn source(&self, livemode: Livemode) -> Option<&Stripe<impl Transport>> {
        match livemode {
            Livemode::Test => self.test.as_ref(),
            Livemode::Live => self.live.as_ref(),
        }
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
    _context: Context,
) -> worker::Result<web_sys::Response> {
    let settings = match settings(&env) {
        Ok(settings) => settings,
        Err(error) => {
            log(&error.to_string());
            return http::answer(&api::misconfigured(&error));
        }
    };
    let store = Edge::open(&env, &settings)?;
    let features = FEATURES.with(std::rc::Rc::clone);
    let app = App { store: &store, settings: &settings, features: &features, log };
    let request = http::read(&request).await?;
    http::answer(&api::handle(&app, &request, millis().second()).await)
}

/// Does what is to be done every minute.
#[event(scheduled)]
async fn scheduled(_event: ScheduledEvent, env: Env, _context: ScheduleContext) {
    if let Err(error) = cron::reconcile(&env).await {
        console_error!("reconcile: {error}");
    }
}

fn settings(env: &Env) -> Result<Settings, settings::Error> {
    Settings::read(|name| env.var(name).ok().map(|value| value.to_string()))
}

fn log(line: &str) {
    console_error!("{line}");
}

fn millis() -> Millis {
    Millis(worker::Date::now().as_millis())
}
