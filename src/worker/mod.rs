//! The Cloudflare Workers shell: what the pure crate is handed, and by whom.
//!
//! | file       | hands over                                                                     |
//! |------------|--------------------------------------------------------------------------------|
//! | `http`     | requests and answers                                                           |
//! | `replica`  | the KV namespace `ENTITLEMENTS`                                                |
//! | `ledger`   | the way to a customer's Durable Object                                         |
//! | `customer` | that object: one writer per customer, which also feeds the replica             |
//! | `tables`   | its SQLite tables                                                              |
//!
//! The clock is read here and in `customer`, the environment here. No rule about entitlements is.

#[expect(missing_docs, reason = "`#[durable_object]` adds methods for JavaScript without any")]
mod customer;
mod http;
mod ledger;
mod replica;
mod tables;

use worker::{Context, Env, console_error, event};

use self::{ledger::DurableLedger, replica::KvReplica};
use crate::{
    api::{self, App, settings::Settings},
    id::Timestamp,
    store,
};

pub use self::customer::Customer;

/// The stores of this deployment.
struct Edge {
    ledger: DurableLedger,
    replica: KvReplica,
}

impl store::Store for Edge {
    fn ledger(&self) -> &impl store::Ledger {
        &self.ledger
    }

    fn replica(&self) -> &impl store::Replica {
        &self.replica
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
    let text = |name| env.var(name).ok().map(|value| value.to_string());
    let settings = match Settings::read(text) {
        Ok(settings) => settings,
        Err(error) => {
            log(&error.to_string());
            return http::answer(&api::misconfigured(&error));
        }
    };
    let store = Edge { ledger: DurableLedger::open(&env)?, replica: KvReplica::open(&env)? };
    let app = App { store: &store, settings: &settings, log };
    let request = http::read(&request).await?;
    http::answer(&api::handle(&app, &request, now()).await)
}

fn log(line: &str) {
    console_error!("{line}");
}

fn now() -> Timestamp {
    // Milliseconds since 1970 fit an `i64` for longer than there are dates.
    #[expect(clippy::cast_possible_truncation, reason = "whole seconds are what is wanted")]
    Timestamp((js_sys::Date::now() / 1000.0).floor() as i64)
}
